"""The actions of a step, carried out one after the other on a state that changes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from refine.lang import ast
from tests.oracle import values as v
from tests.oracle.evaluate import (
    Ctx,
    Ref,
    arguments,
    bindings,
    callee,
    living,
    load,
    place,
    truth,
    value,
)
from tests.oracle.operators import binary
from tests.oracle.program import Scope

T = TypeVar("T")
OWNER = "@owner"  # ends the way to a cell that holds who made the last assignment of a machine


class Script:
    """Decides each choice of one execution: as written at first, with the first alternative after that."""

    def __init__(self, written: list[int]) -> None:
        self.written = written
        self.taken: list[tuple[int, int]] = []  # the decision, out of how many
        self.unsatisfiable = False  # a `havoc` found no value

    def choose(self, n: int) -> int:
        if n == 0:
            raise v.Blocked
        at = len(self.taken)
        decision = self.written[at] if at < len(self.written) else 0
        self.taken.append((decision, n))
        return decision


def executions(run: Callable[[Script], T]) -> Iterator[T]:
    """`run` with every way to decide its choices."""
    written: list[int] = []
    while True:
        script = Script(written)
        yield run(script)
        taken = script.taken
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        written = [d for d, _ in taken[:-1]] + [taken[-1][0] + 1]


def run_block(block: ast.Block, c: Ctx, script: Script) -> tuple[v.Value] | None:
    """Carry out a block; what it returns, if it returns."""
    return _run(block.stmts, c.with_names({}), script)


def _run(stmts: tuple[ast.Stmt, ...], c: Ctx, script: Script) -> tuple[v.Value] | None:
    for stmt in stmts:
        returned = _run_one(stmt, c, script)
        if returned is not None:
            return returned
    return None


def _run_one(stmt: ast.Stmt, c: Ctx, script: Script) -> tuple[v.Value] | None:
    match stmt:
        case ast.Local(te, name, dims, init):
            ty = c.program.dims_type(dims, te, c.scope.module)
            first = None if init is None else (_result(init, c, script),)
            c.names[name.name] = declare({}, name.name, ty, first)
        case ast.Assign(target, op, x):
            ref = place(target, c)
            assign(ref, op, _result(x, c, script), c)
        case ast.CallStmt(call):
            _call(call, c, script)
        case ast.If(cond, then, other):
            if truth(cond, c):
                return run_block(then, c, script)
            if other is not None:
                stmts = other.stmts if isinstance(other, ast.Block) else (other,)
                return _run(stmts, c.with_names({}), script)
        case ast.Choose(branches):
            return run_block(branches[script.choose(len(branches))], c, script)
        case ast.Maybe(body):
            return run_block(body, c, script) if script.choose(2) == 0 else None
        case ast.ForAll(binders, body):
            before = c.world.copy()
            for names in bindings(binders, c):
                here = c.with_names(names)
                _all_at_once(body.stmts, replace(here, world=before.copy()), here)
        case ast.Havoc(target, where):
            _havoc(place(target, c), where, c, script)
        case ast.Assume(_, cond):
            if not truth(cond, c):
                raise v.Blocked
        case ast.Require(_, cond):
            if not truth(cond, c):
                raise v.Undefined("require")
        case ast.Return(x):
            return (None if x is None else _result(x, c, script),)
        case _:
            raise v.Unsupported(f"action {stmt}")
    return None


def declare(
    store: dict[tuple[Any, ...], v.Value], name: str, ty: v.Ty, first: tuple[v.Value] | None = None
) -> Ref:
    """A new local or temporary, with its first value if it is given one."""
    for way, leaf in v.ways(ty):
        store[name, *way] = v.default(leaf) if way else v.unset(leaf)
        if first is not None:
            (given,) = first
            store[name, *way] = v.fit(dict(given.cells)[way] if isinstance(given, v.Agg) else given, leaf)
        if owned(leaf):
            store[name, *way, OWNER] = None
    return Ref(store, (name,), ty)


def assign(ref: Ref, op: str, new: v.Value, c: Ctx) -> None:
    living(ref, c)
    if op != "=":
        now = load(ref)
        if isinstance(now, frozenset):
            if new is None:
                raise v.Undefined("none dereferenced")
            assert isinstance(ref.type, v.Set)
            some = new if isinstance(new, frozenset) else frozenset([new])
            new = binary("|", now, some) if op == "+=" else frozenset(m for m in now if not _among(m, some))
        else:
            new = binary(op[0], now, new)
    if v.is_scalar(ref.type):
        _store(ref, new, c)
    else:
        assert isinstance(new, v.Agg)
        for (way, leaf), (_, x) in zip(v.ways(ref.type), new.cells, strict=True):
            _store(Ref(ref.store, (*ref.key, *way), leaf), x, c)


def _among(x: v.Value, some: frozenset[v.Value]) -> bool:
    return any(v.same(x, m) for m in some)


def _store(ref: Ref, new: v.Value, c: Ctx) -> None:
    new = v.fit(new, ref.type)
    state = ref.store is c.world.cells  # a local or temporary only holds a copy
    if state and isinstance(ref.type, v.Enum) and ref.type.edges is not None:
        now = ref.store[ref.key]
        owner = ref.store.get((*ref.key, OWNER))
        if not any(
            (source, target) == (now.label, new.label) and _may_take(by, owner, c.me)
            for source, target, by in ref.type.edges
        ):
            raise v.Undefined("no edge")
        if owned(ref.type):
            ref.store[(*ref.key, OWNER)] = c.me
    ref.store[ref.key] = new


def owned(ty: v.Ty) -> bool:
    """Whether it matters who assigned a value of the type."""
    return isinstance(ty, v.Enum) and any(by == "owner" for _, _, by in ty.edges or ())


def _may_take(by: str | None, owner: v.Thr | None, me: v.Thr | None) -> bool:
    if by == "owner":
        return me is not None and owner == me
    return by is None or (me is not None and me.family == by)


def _all_at_once(stmts: tuple[ast.Stmt, ...], before: Ctx, c: Ctx) -> None:
    """The body of a `for all` for one binding: reads the state before, changes the state now."""
    for stmt in stmts:
        match stmt:
            case ast.Assign(target, "=", x):
                was = place(target, before)
                assign(was, "=", value(x, before), before)  # is there an edge, is it alive?
                now = place(target, c)
                for way, leaf in v.ways(was.type):
                    for end in [way, (*way, OWNER)] if owned(leaf) else [way]:
                        now.store[(*now.key, *end)] = was.store[(*was.key, *end)]
            case ast.If(cond, then, other):
                if truth(cond, before):
                    _all_at_once(then.stmts, before, c)
                elif other is not None:
                    _all_at_once(other.stmts if isinstance(other, ast.Block) else (other,), before, c)
            case _:
                raise v.Unsupported(f"{stmt} in for all")


def _havoc(ref: Ref, where: ast.Expr | None, c: Ctx, script: Script) -> None:
    """Any value that makes `where` true, or undefined; in the second case the step is."""
    living(ref, c)
    leaves = list(v.ways(ref.type))
    before = load(ref)
    fitting = []
    for new in itertools.product(*(v.every(leaf) for _, leaf in leaves)):
        _put(ref, leaves, new)
        try:
            fits = where is None or truth(where, c)
        except v.Undefined:
            fits = True
        if fits:
            fitting.append(new)
    _put(ref, leaves, [x for _, x in before.cells] if isinstance(before, v.Agg) else [before])
    if not fitting:
        script.unsatisfiable = True
        raise v.Blocked
    new = fitting[script.choose(len(fitting))]
    for (way, leaf), x in zip(leaves, new, strict=True):
        _store(Ref(ref.store, (*ref.key, *way), leaf), x, c)
    if where is not None:
        truth(where, c)


def _put(ref: Ref, leaves: list[tuple[tuple[Any, ...], v.Ty]], new: Sequence[v.Value]) -> None:
    for (way, _), x in zip(leaves, new, strict=True):
        ref.store[(*ref.key, *way)] = x


def _result(x: ast.Expr, c: Ctx, script: Script) -> v.Value:
    """The value of a right-hand side, which may be what an op returns."""
    return _call(x, c, script) if isinstance(x, ast.Call) else value(x, c)


def _call(call: ast.Call, c: Ctx, script: Script) -> v.Value:
    try:
        scope, item, args = callee(call, c)
    except v.Unsupported:
        return value(call, c)
    return run_op(scope, item, args, c, script) if isinstance(item, ast.Op) else value(call, c)


def run_op(scope: Scope, op: ast.Op, args: tuple[ast.Expr, ...], c: Ctx, script: Script) -> v.Value:
    """The actions of an op, in place."""
    names = arguments(op.formals, args, scope, c)
    inner = Ctx(c.program, c.world, scope, c.me, c.world.copy(), dict(names))
    for conjunct in op.when:
        if not truth(conjunct.cond, inner):
            raise v.Blocked
    returned = run_block(op.body, inner, script)
    if op.result is None or returned is None:
        return None
    return v.fit(returned[0], c.program.type(op.result, scope.module))
