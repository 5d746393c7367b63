"""What a step does: its actions carried out symbolically, one after the other, on an environment of expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import assert_never

from refine.core import expr as e
from refine.core.expr import TRUE, Binder, Expr, Op
from refine.core.fold import transform
from refine.core.system import Fault, Place, Where
from refine.core.trace import NO_EFFECT
from refine.core.types import BOOL, Array, Int, Type, default
from refine.lang import ast
from refine.lang.assign import assign, for_all, havoc, only_ghosts
from refine.lang.calls import arguments, callee
from refine.lang.context import (
    MAX_CALLS,
    MAX_STATE,
    Abort,
    Check,
    Context,
    Term,
    array_dims,
    both,
    core_type,
    needs_value,
    scalars,
)
from refine.lang.edits import addresses
from refine.lang.elements import Element, Kind, Weaker, shown
from refine.lang.exprs import Typer
from refine.lang.ghosts import acquire, is_believed, release, supposing
from refine.lang.scope import Bound, Broken, Function, Scope, Variable, instance_of, prefix_of
from refine.text.span import Span

Env = dict[str, Expr]
Rest = tuple[tuple[ast.Stmt, ...], Scope]  # actions that are still to come, and where their names are

MAX_ACTIONS = 20_000  # actions of one step, ops expanded


@dataclass(frozen=True, slots=True)
class Touch:
    """An access to shared state outside of library ops.

    `held`: the guarding hold was taken (True) or given up (False) earlier in the step, or is as it was when the
    step began (None).
    """

    name: str
    guard: str | None
    held: bool | None
    span: Span


@dataclass(slots=True)
class Outcome:
    """What a rule collects while its actions are carried out."""

    places: dict[Place, int]
    faults: list[Fault] = field(default_factory=list)
    wheres: list[Where] = field(default_factory=list)
    choices: list[Binder] = field(default_factory=list)
    guards: list[Expr] = field(default_factory=list)
    touched: list[Touch] = field(default_factory=list)
    count: int = 0


@dataclass(slots=True)
class Exec:
    """Carries out actions under a path condition. `entry` is what `old` reads."""

    cx: Context
    step: str
    out: Outcome
    env: Env
    path: Expr = e.TRUE
    entry: Env = field(default_factory=dict)
    first: bool = True  # nothing has been done yet, so a blocking call may come
    local: bool = False  # local code between steps
    held: dict[str, bool] = field(default_factory=dict)  # holds taken (True) and given up in this step
    calls: tuple[Function, ...] = ()
    sheltered: bool = False  # inside a library's op: its own atomicity, not the step's
    me: Expr | None = None  # the thread that acts
    released: list[tuple[str, Expr | None, Span]] = field(default_factory=list)  # instances given up so far
    address: tuple[str, ...] = ()  # the steps, labels and ops around the action at hand
    named: bool = False  # whether the statement at hand is labelled
    instance: str = ""  # in whose procedure the step stands

    def fork(self, cond: Expr) -> Exec:
        """The same point under a further condition, with an environment of its own."""
        return Exec(
            self.cx, self.step, self.out, dict(self.env), e.and_(self.path, cond), self.entry, self.first,
            self.local, dict(self.held), self.calls, self.sheltered, self.me, list(self.released), self.address,
            self.named, self.instance,
        )  # fmt: skip

    # --- evaluation -------------------------------------------------------------------------------------------

    def close(self, x: Expr) -> Expr:
        """`x`, which speaks of the current point, in terms of the state before the step."""
        return _close(x, self.env, self.entry)

    def check(self, checks: Iterable[Check]) -> None:
        for check in checks:
            self.fault(self.close(check.bad), check.what, check.span)

    def fault(self, bad: Expr, what: str, span: Span) -> None:
        cond = both(self.path, bad)
        parts = set(_conjuncts(cond))
        known = any(parts.issuperset(_conjuncts(f.cond)) for f in self.out.faults)  # the earlier one counts
        if cond is not e.FALSE and not known:
            place = Place(self.step, what, span)
            self.out.faults.append(Fault(cond, self.out.places.setdefault(place, len(self.out.places))))

    def typer(self) -> Typer:
        return Typer(self.cx, old_ok=not self.local, in_step=True)

    def value(self, node: ast.Expr, scope: Scope, want: Type | None, ghost_ok: bool) -> Expr:
        """The value of an expression here; its undefinedness becomes a fault of the step."""
        return self.evaluated(node, scope, want, ghost_ok)[0]

    def evaluated(self, node: ast.Expr, scope: Scope, want: Type | None, ghost_ok: bool) -> tuple[Expr, bool]:
        """The value of an expression here, and whether it reads anything that is not the thread's own."""
        typer = self.typer()
        term = typer.expr(node, scope, want) if want is None else typer.value(node, scope, want)
        self.note_reads(typer, ghost_ok)
        self.check(term.checks)
        return self.close(term.expr), reads_shared(typer)

    def note_reads(self, typer: Typer, ghost_ok: bool) -> None:
        self.check(typer.sure)
        for variable, span in typer.reads:
            if variable.storage == "ghost" and not ghost_ok:
                self.cx.fail("E0406", f"'{variable.name}' is a ghost: the protocol cannot depend on it", span)
            if self.local and variable.storage == "pc":
                self.cx.fail("E0403", "local code cannot ask where a thread is", span, "ask in a step")
            if self.local and variable.storage not in ("local", "binder"):
                self.cx.fail(
                    "E0403",
                    f"'{variable.name}' is not the thread's own: it can be read only in a step",
                    span,
                    "read it into a local in a named step, or put the condition into the step's 'when'",
                )
            self.touch(variable, span)

    def touch(self, variable: Variable, span: Span) -> None:
        """Remembers an access to shared state that no hold protects."""
        if variable.storage == "shared" and not self.sheltered:
            guard = str(variable.guarded_by) if variable.guarded_by is not None else None
            held = holds_any(guard, self.held) if guard is not None else None
            self.out.touched.append(Touch(variable.name, guard, held, span))

    # --- actions ----------------------------------------------------------------------------------------------

    def block(self, stmts: tuple[ast.Stmt, ...], scope: Scope) -> None:
        inner = scope.child()
        for stmt in self.cx.edits.rewrite(self.address, stmts):
            try:
                self.action(stmt, inner)
            except Abort:
                if isinstance(stmt, ast.Local):
                    inner.names.setdefault(stmt.name.name, Broken())
                continue
            self.first = False

    def action(self, stmt: ast.Stmt, scope: Scope) -> None:
        """Carries out one action; its label is part of the address of what stands within it."""
        for address in addresses(self.address, stmt) if self.address else ():
            self.cx.statements.setdefault(address, stmt)
        with self.labelled(stmt):
            self.carry_out(stmt, scope)

    @contextmanager
    def labelled(self, stmt: ast.Stmt) -> Iterator[None]:
        label = getattr(stmt, "label", None)
        before = self.address, self.named
        self.address = self.address if label is None else (*self.address, label.name)
        self.named = label is not None
        try:
            yield
        finally:
            self.address, self.named = before

    def carry_out(self, stmt: ast.Stmt, scope: Scope) -> None:
        self.out.count += 1
        if self.out.count > MAX_ACTIONS:
            self.cx.too_large("this step has too many actions when ops are expanded", stmt.span)
        match stmt:
            case ast.Local(type, name, dims, init):
                item = core_type(self.cx, scope, type)
                full = item
                for dim in reversed(array_dims(self.cx, scope, dims)):
                    full = Array(dim, full)
                if scalars(full) > MAX_STATE:
                    self.cx.fail("E0510", f"this has more than {MAX_STATE} elements", name.span)
                if name.name in scope.names:
                    self.cx.fail("E0202", f"'{name.name}' is declared twice in this block", name.span)
                needs_value(self.cx, full, init, name)
                start = (
                    e.const(full, default(full))
                    if init is None
                    else self.result(init, scope, full, ghost_ok=False)
                )
                self.bind(name, start, full, scope)
            case ast.Assign(target, op, value):
                assign(self, target, op, value, scope)
            case ast.If(cond, then, other):
                self.branch(cond, then, other, scope)
            case ast.ForAll(binders, body):
                for_all(self, binders, body, scope)
            case ast.Choose(branches):
                self.choose([b.stmts for b in branches], scope, stmt.span)
            case ast.Maybe(body):
                self.choose([body.stmts, ()], scope, stmt.span)
            case ast.Havoc(target, where):
                havoc(self, target, where, scope, stmt.span)
            case ast.Assume(name, cond):
                holds = self.value(cond, scope, BOOL, ghost_ok=True)
                if not self.relaxed("assumption", name.name, stmt.span):
                    self.where(holds, name.name, stmt.span)
            case ast.Require(name, cond):
                holds = supposing(self, self.value(cond, scope, BOOL, ghost_ok=True))
                self.fault(e.not_(holds), f"required: {name.name}", stmt.span)
            case ast.CallStmt(call):
                self.call(call, scope)
            case ast.Return():
                self.cx.fail(
                    "E0404", "'return' leaves an op: it stands in its body or in an 'if' there", stmt.span
                )
            case ast.Break() | ast.Continue():
                self.cx.fail("E0404", "a step has no loop to leave", stmt.span)
            case ast.Step() | ast.While() | ast.Loop() | ast.ForEach():
                word = {ast.Step: "step", ast.While: "while", ast.Loop: "loop", ast.ForEach: "for each"}[
                    type_of(stmt)
                ]
                self.cx.fail(
                    "E0404",
                    f"'{word}' cannot stand inside a step",
                    stmt.span,
                    "a step is one indivisible action",
                )
            case _:
                assert_never(stmt)

    def bind(self, name: ast.Ident, value: Expr, type_: Type, scope: Scope) -> None:
        """A name for a value. Its type is the declared one: that of a constant may be narrower."""
        slot = self.cx.fresh(name.name)
        self.env[slot] = value
        scope.names[name.name] = Bound(e.param(slot, type_), slot)

    def result(self, node: ast.Expr, scope: Scope, want: Type, ghost_ok: bool) -> Expr:
        """The value of a right-hand side: an expression's, or what an op returns."""
        if isinstance(node, ast.Call):
            op = self.op_of(node, scope)
            if op is not None:
                got = self.call(node, scope)
                if got is None:
                    self.cx.fail("E0301", f"'{node.name.name}' returns nothing", node.span)
                term = self.typer().coerce(Term(e.param(self.hidden(got), got.type)), want, node.span)
                self.check(term.checks)
                return self.close(term.expr)
        return self.value(node, scope, want, ghost_ok)

    def hidden(self, value: Expr) -> str:
        slot = self.cx.fresh("result")
        self.env[slot] = value
        return slot

    def branch(self, cond: ast.Expr, then: ast.Block, other: ast.Block | ast.If | None, scope: Scope) -> None:
        test = self.guard(cond, scope, ghost_ok=only_ghosts(then, other, scope))
        self.first = False
        yes, no = self.fork(test), self.fork(e.not_(test))
        yes.block(then.stmts, scope)
        if isinstance(other, ast.If):
            no.block((other,), scope)
        elif other is not None:
            no.block(other.stmts, scope)
        self.join([(test, yes), (e.TRUE, no)])

    def guard(self, cond: ast.Expr, scope: Scope, *, ghost_ok: bool) -> Expr:
        """The condition of an `if`, unless it has been dropped."""
        test, shared = self.evaluated(cond, scope, BOOL, ghost_ok)
        name = None if self.named else f"if@{cond.span.line}:{cond.span.col}"
        dropped = self.relaxed("branch", name, cond.span, shared=shared)
        if self.cx.negated(self.key(name)):
            test = e.not_(test)
        return self.freely(test, cond.span) if dropped else supposing(self, test)

    def freely(self, cond: Expr, span: Span) -> Expr:
        """A guard that was dropped: either way may be taken. What tests for none counts as before."""
        parts = _conjuncts(cond)
        kept = [p for p in parts if (p.args[0] if p.op is Op.NOT else p).op is Op.IS_SOME]
        return cond if len(kept) == len(parts) else e.and_(*kept, self.pick(span))

    def pick(self, span: Span, name: str = "free") -> Expr:
        """A free choice; false where nothing comes here."""
        which = Binder(self.cx.fresh(name), BOOL)
        self.out.choices.append(which)
        it = e.param(which.name, which.type)
        if self.path is not e.TRUE:
            self.out.wheres.append(Where(e.or_(self.path, e.not_(it)), None, span))
        return it

    def key(self, name: str | None) -> str:
        """The address of something that stands here."""
        return ".".join(self.address if name is None else (*self.address, name))

    def relaxed(
        self,
        kind: Kind,
        name: str | None,
        span: Span,
        group: str = "",
        protects: str = "",
        *,
        shared: bool = True,
    ) -> bool:
        """Notes a protective element within a step or rule; whether it has been dropped."""
        if not self.address:
            return False
        inside = instance_of(self.calls[-1].scope) if self.calls else self.instance
        own = name if name is not None else self.address[-1]
        named = self.named if kind in ("branch", "call", "hold") else name is not None and "#" not in name
        group = group or (f"{inside}.{own}" if inside and named else "")
        key = self.key(name)
        return self.cx.relaxed(
            Element(
                key, kind, shown(span), span, group, protects, shared, named, bool(inside), self.me is None
            )
        )

    def join(self, arms: list[tuple[Expr, Exec]]) -> None:
        """Goes on after branches: what each did under its condition; a hold is sure if it is after every one."""
        self.merge([(cond, arm.env) for cond, arm in arms])
        after = [arm.held for _, arm in arms]
        touched = dict.fromkeys(hold for held in after for hold in held)
        self.held = {hold: all(held.get(hold, False) for held in after) for hold in touched}
        self.released = [r for _, arm in arms for r in arm.released if r not in self.released] + self.released

    def merge(self, arms: list[tuple[Expr, Env]]) -> None:
        """Joins environments; the first whose condition holds counts, and the last one's always does."""
        for name in dict.fromkeys(n for _, env in arms for n in env):
            values = [(c, env.get(name)) for c, env in arms]
            if any(v is None for _, v in values):
                continue  # a temporary of one arm
            merged = values[-1][1]
            for cond, value in reversed(values[:-1]):
                assert merged is not None and value is not None, "just tested"
                merged = e.ite(cond, value, merged)
            assert merged is not None, "there is at least one arm"
            self.env[name] = merged

    def choose(self, branches: list[tuple[ast.Stmt, ...]], scope: Scope, span: Span) -> None:
        self.first = False
        which = Binder(self.cx.fresh("branch"), Int(0, len(branches) - 1))
        self.out.choices.append(which)
        pick = e.param(which.name, which.type)
        if self.path is not e.TRUE:
            self.out.wheres.append(Where(e.or_(self.path, e.eq(pick, e.integer(0))), None, span))
        arms = []
        for k, stmts in enumerate(branches):
            cond = e.eq(pick, e.integer(k))
            arm = self.fork(cond)
            arm.block(stmts, scope)
            arms.append((cond, arm))
        self.join(arms)

    def where(self, cond: Expr, assume: str | None, span: Span) -> None:
        """Restricts the choices, unless the step has become undefined before this point."""
        undefined = (f.cond for f in self.out.faults)
        self.out.wheres.append(Where(e.or_(e.implies(self.path, cond), *undefined), assume, span))

    def wait(self, conjuncts: tuple[ast.Conjunct, ...], scope: Scope) -> None:
        """A `when`: the step waits until all parts are true."""
        self.out.guards.append(self.ready(conjuncts, scope))

    def ready(self, conjuncts: tuple[ast.Conjunct, ...], scope: Scope) -> Expr:
        """Whether a `when` lets a step go on, be it to its fault, where a part is undefined.

        So it does where something before is: local code that leads to the step, an argument of a blocking op.
        """
        conds: list[Expr] = []
        undefined = [f.cond for f in self.out.faults]
        for k, conjunct in enumerate(conjuncts, 1):
            typer = self.typer()
            try:
                term = typer.condition(conjunct.cond, scope)
                self.note_reads(typer, ghost_ok=False)
            except Abort:
                continue
            name = conjunct.label.name if conjunct.label else f"when#{k}"
            if self.relaxed("guard", name, conjunct.cond.span, shared=reads_shared(typer)):
                continue
            if self.cx.negated(self.key(name)):
                term = Term(e.not_(term.expr), term.checks)
            for check in term.checks:
                bad = both(e.and_(*conds), self.close(check.bad))
                undefined.append(bad)
                self.fault(bad, check.what, check.span)
            conds.append(self.close(term.expr))
        return e.or_(e.and_(*conds), *undefined)

    # --- calls ------------------------------------------------------------------------------------------------

    def op_of(self, node: ast.Call, scope: Scope) -> Function | None:
        from refine.lang.builtins import BUILTINS

        if node.name.name in BUILTINS and scope.find(node.name.name) is None:
            return None
        function, _ = callee(self.typer(), node, scope)
        return function if isinstance(function.decl, ast.Op) else None

    def call(self, node: ast.Call, scope: Scope) -> Expr | None:
        """Carries out an op in place; what it returns."""
        typer = self.typer()
        function, args = callee(typer, node, scope)
        decl = function.decl
        if isinstance(decl, ast.Proc):
            self.cx.fail(
                "E0404", f"'{node.name.name}' has steps of its own: call it between steps", node.span
            )
        if not isinstance(decl, ast.Op):
            self.cx.fail("E0404", f"'{node.name.name}' only has a value; it does nothing", node.span)
        if any(f.decl is decl for f in self.calls):
            self.cx.fail("E0407", "an op cannot call itself", node.span)
        if len(self.calls) > MAX_CALLS:
            self.cx.too_large(f"ops call each other more than {MAX_CALLS} deep", node.span)
        if self.local:
            self.cx.fail("E0404", f"'{node.name.name}' is an op: it belongs in a step", node.span)
        terms = arguments(typer, node, function, args, scope)
        self.note_reads(typer, ghost_ok=False)
        inner = function.scope.child()
        self_ = scope.find("self")
        if self_ is not None:
            inner.names["self"] = self_
        for formal, term in zip(decl.formals, terms, strict=True):
            self.check(term.checks)
            self.bind(formal.name, self.close(term.expr), term.type, inner)
        if decl.when and not (self.first and self.path is e.TRUE):
            self.cx.fail(
                "E0401",
                f"'{node.name.name}' may block: it can only be the first action of a step",
                node.span,
                "put it into a step of its own, or make it the first action",
            )
        want = None
        if decl.result is not None:
            want = core_type(self.cx, function.type_scope or function.scope, decl.result)
        if self.protects(decl, function, node):
            holds = any(word == "acquires" for word, _ in decl.effects)
            result = (
                acquire(self, function, decl, want) if holds else self.perhaps(function, decl, inner, want)
            )
        elif is_believed(self, function, decl):

            def really(ex: Exec, unless: Expr) -> Expr | None:
                return ex.body(function, decl, inner, want, lambda x: ex.out.guards.append(e.or_(unless, x)))

            result = release(self, function, decl, want, really)
        else:
            result = self.body(function, decl, inner, want, self.out.guards.append)
        self.effects(decl, function, node)
        self.first = False
        return result if want is not None else None

    def protects(self, decl: ast.Op, function: Function, node: ast.Call) -> bool:
        """Notes a call that takes a hold, or that is said to protect; whether it has been dropped."""
        said: dict[str, list[ast.Ident]] = {}
        for word, what in decl.effects:
            said.setdefault(word, []).append(what)
        instance, name = instance_of(function.scope), node.name.name
        kinds = " ".join(kind.name for kind in said.get("protects", ()))
        taken = next((f"{instance}.{h.name}" for h in said.get("acquires", ()) if instance), "")
        given = next((f"{instance}.{h.name}" for h in said.get("releases", ()) if instance), "")
        if "weaker" in said and self.address:
            self.cx.weaker.setdefault(self.key(name), Weaker(tuple(said["weaker"]), taken or given))
        if taken:
            return self.relaxed("hold", name, node.span, taken, kinds)
        if kinds or self.named:
            return self.relaxed("call", name, node.span, f"{instance}.{name}" if instance else "", kinds)
        return False

    def body(
        self,
        function: Function,
        decl: ast.Op,
        inner: Scope,
        want: Type | None,
        wait: Callable[[Expr], None],
    ) -> Expr | None:
        """What an op does, in place; what it returns. `wait` is given the condition that it waits for."""
        outer = self.entry, self.calls, self.sheltered, self.address
        self.entry, self.calls = dict(self.env), (*self.calls, function)
        self.sheltered = self.sheltered or bool(instance_of(function.scope))
        self.address = (*self.address, decl.name.name) if self.address else ()
        try:
            if decl.when:
                wait(self.ready(decl.when, inner))
            result = self.tail(decl.body.stmts, inner.child(), want)
            if result is None and want is not None:
                self.cx.fail("E0404", f"'{decl.name.name}' must end with 'return'", decl.body.span)
        finally:
            self.entry, self.calls, self.sheltered, self.address = outer
        return result

    def perhaps(self, function: Function, decl: ast.Op, inner: Scope, want: Type | None) -> Expr | None:
        """A call that was dropped: it may or may not take effect. What it returns is as if it had."""
        skipped = self.pick(decl.span, f"{decl.name.name}{NO_EFFECT}")
        does, idle = self.fork(e.not_(skipped)), self.fork(skipped)
        result = does.body(function, decl, inner, want, lambda x: does.where(x, None, decl.span))
        self.join([(e.not_(skipped), does), (e.TRUE, idle)])
        return result

    def tail(
        self, stmts: tuple[ast.Stmt, ...], scope: Scope, want: Type | None, later: tuple[Rest, ...] = ()
    ) -> Expr | None:
        """Carries out an op's actions, and then those that come `later`, up to a `return` on every way.

        None where a way comes to the end without one.
        """
        stmts = self.cx.edits.rewrite(self.address, stmts)
        for k, stmt in enumerate(stmts):
            if isinstance(stmt, ast.Return):
                if k + 1 < len(stmts):
                    self.cx.fail("E0404", "nothing after a 'return' is carried out", stmts[k + 1].span)
                return self.returned(stmt, scope, want)
            if isinstance(stmt, ast.If) and _returns(stmt):
                with self.labelled(stmt):
                    return self.split(stmt, scope, want, ((stmts[k + 1 :], scope), *later))
            with suppress(Abort):
                self.action(stmt, scope)
            self.first = False
        if not later:
            return None
        (following, around), *rest = later
        return self.tail(following, around.child(), want, tuple(rest))

    def returned(self, stmt: ast.Return, scope: Scope, want: Type | None) -> Expr:
        if want is None:
            if stmt.value is not None:
                self.cx.fail("E0404", "this op declares no result to return", stmt.span)
            return TRUE
        if stmt.value is None:
            self.cx.fail("E0404", f"this op returns a value of type {want}", stmt.span)
        return self.result(stmt.value, scope, want, ghost_ok=False)

    def split(self, stmt: ast.If, scope: Scope, want: Type | None, later: tuple[Rest, ...]) -> Expr | None:
        """An `if` with a `return` in it: what comes later is carried out on the ways that have not returned."""
        test = self.guard(stmt.cond, scope, ghost_ok=False)
        self.first = False
        other = stmt.other
        blocks = (stmt.then.stmts, (other,) if isinstance(other, ast.If) else other.stmts if other else ())
        arms = [self.fork(test), self.fork(e.not_(test))]
        yes, no = (arm.tail(b, scope.child(), want, later) for arm, b in zip(arms, blocks, strict=True))
        self.join([(test, arms[0]), (e.TRUE, arms[1])])
        return None if yes is None or no is None else e.ite(test, yes, no)

    def effects(self, decl: ast.Op, function: Function, node: ast.Call) -> None:
        """Holds taken and given up: never one object given up and taken again within a step."""
        instance, prefix = instance_of(function.scope), prefix_of(function.scope)
        for word, hold in decl.effects:
            if word not in ("acquires", "releases"):
                continue
            if not instance or not isinstance(function.scope.names.get(hold.name, None), Function):
                self.cx.fail("E0203", f"'{hold.name}' is no hold of this type", hold.span)
            name, index = instance, prefix[-1] if prefix else None
            if word == "acquires":
                for other, at, span in self.released:
                    if other == name and at is index:
                        self.cx.fail(
                            "E0402",
                            f"'{name}' is released and acquired again in one step: nobody could come between",
                            node.span,
                            f"make them two steps; it is released at line {span.line}",
                        )
            if word == "releases" or decl.result is None:  # an op with a result may have failed to take it
                self.held[f"{name}.{hold.name}"] = word == "acquires"
            if word == "releases":
                self.released.append((name, index, node.span))


def _conjuncts(x: Expr) -> tuple[Expr, ...]:
    return x.args if x.op is Op.AND else (x,)


def holds_any(guard: str, held: dict[str, bool]) -> bool | None:
    """What is known of a guard: `lock.hold`, or `lock` for any of its holds."""
    known = [v for h, v in held.items() if h == guard or h.rpartition(".")[0] == guard]
    return None if not known else any(known)


def type_of(stmt: ast.Stmt) -> type:
    return type(stmt)


def _returns(stmt: ast.If) -> bool:
    rest = (stmt.other,) if isinstance(stmt.other, ast.If) else stmt.other.stmts if stmt.other else ()
    return any(
        isinstance(s, ast.Return) or (isinstance(s, ast.If) and _returns(s))
        for s in (*stmt.then.stmts, *rest)
    )


def reads_shared(typer: Typer) -> bool:
    """Whether something was read that is not the thread's own."""
    return any(v.storage not in ("local", "binder") for v, _ in typer.reads)


def _close(x: Expr, env: Env, entry: Env) -> Expr:
    def leaf(y: Expr) -> Expr | None:
        if y.op is Op.VAR or y.op is Op.PARAM:
            assert isinstance(y.data, str), "names are strings"
            return env.get(y.data, y)
        if y.op is Op.OLD:
            # Temporaries and arguments keep their present value under `old`; only the state goes back.
            temporaries = {n: v for n, v in env.items() if "'" in n}
            return _close(y.args[0], {**entry, **temporaries}, {})
        return None

    return transform(x, leaf)
