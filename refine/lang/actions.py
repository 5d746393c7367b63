"""What a step does: its actions carried out symbolically, one after the other, on an environment of expressions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.fold import transform
from refine.core.system import Fault, Place, Where
from refine.core.types import Array, Int, Option, Set, Struct, Type, default
from refine.lang import ast
from refine.lang.context import Abort, Check, Context, Term, array_dims, core_type, domain_type
from refine.lang.exprs import Typer, indexed_instance
from refine.lang.scope import Bound, Family, Function, Instance, Scope, Variable
from refine.text.span import Span

Env = dict[str, Expr]
# One accessor of an assignment's target: an index, or the position of a field.
Accessor = Expr | int

MAX_CALLS = 40  # nesting of op calls
MAX_ACTIONS = 20_000  # actions of one step, ops expanded


@dataclass(frozen=True, slots=True)
class Touch:
    """An access to shared state outside of library ops. `held`: the guarding hold was taken (True) or given up
    (False) earlier in the step, or is as it was when the step began (None)."""

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
    effects: list[tuple[str, str, Expr | None, Span]] = field(default_factory=list)
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

    def fork(self, cond: Expr) -> Exec:
        """The same point under a further condition, with an environment of its own."""
        return Exec(
            self.cx, self.step, self.out, dict(self.env), e.and_(self.path, cond), self.entry, self.first,
            self.local, dict(self.held), self.calls, self.sheltered, self.me,
        )  # fmt: skip

    # --- evaluation -------------------------------------------------------------------------------------------

    def close(self, x: Expr) -> Expr:
        """`x`, which speaks of the current point, in terms of the state before the step."""
        return _close(x, self.env, self.entry)

    def check(self, checks: Iterable[Check]) -> None:
        for check in checks:
            self.fault(self.close(check.bad), check.what, check.span)

    def fault(self, bad: Expr, what: str, span: Span) -> None:
        cond = e.and_(self.path, bad)
        if cond is not e.FALSE:
            place = Place(self.step, what, span)
            self.out.faults.append(Fault(cond, self.out.places.setdefault(place, len(self.out.places))))

    def typer(self) -> Typer:
        return Typer(self.cx, old_ok=not self.local)

    def value(self, node: ast.Expr, scope: Scope, want: Type | None, ghost_ok: bool) -> Expr:
        """The value of an expression here; its undefinedness becomes a fault of the step."""
        typer = self.typer()
        term = typer.expr(node, scope, want) if want is None else typer.value(node, scope, want)
        self.note_reads(typer, ghost_ok)
        self.check(term.checks)
        return self.close(term.expr)

    def note_reads(self, typer: Typer, ghost_ok: bool) -> None:
        for variable, span in typer.reads:
            if variable.storage == "ghost" and not ghost_ok:
                self.cx.fail("E0406", f"'{variable.name}' is a ghost: the protocol cannot depend on it", span)
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
        for stmt in stmts:
            try:
                self.action(stmt, inner)
            except Abort:
                continue
            self.first = False

    def action(self, stmt: ast.Stmt, scope: Scope) -> None:
        self.out.count += 1
        if self.out.count > MAX_ACTIONS:
            self.cx.fail("E0511", "this step has too many actions when ops are expanded", stmt.span)
        match stmt:
            case ast.Local(type, name, dims, init):
                item = core_type(self.cx, scope, type)
                full = item
                for dim in reversed(array_dims(self.cx, scope, dims)):
                    full = Array(dim, full)
                start = (
                    e.const(full, default(full))
                    if init is None
                    else self.result(init, scope, full, ghost_ok=True)
                )
                self.bind(name, start, scope)
            case ast.Assign(target, op, value):
                self.assign(target, op, value, scope)
            case ast.If(cond, then, other):
                self.branch(cond, then, other, scope)
            case ast.ForAll(binders, body):
                self.for_all(binders, body, scope)
            case ast.Choose(branches):
                self.choose([b.stmts for b in branches], scope, stmt.span)
            case ast.Maybe(body):
                self.choose([body.stmts, ()], scope, stmt.span)
            case ast.Havoc(target, where):
                self.havoc(target, where, scope, stmt.span)
            case ast.Assume(name, cond):
                holds = self.value(cond, scope, e.BOOL, ghost_ok=True)
                self.where(holds, name.name, stmt.span)
            case ast.Require(name, cond):
                holds = self.value(cond, scope, e.BOOL, ghost_ok=True)
                self.fault(e.not_(holds), f"required: {name.name}", stmt.span)
            case ast.CallStmt(call):
                self.call(call, scope)
            case ast.Return():
                self.cx.fail("E0404", "'return' may only be the last action of an op", stmt.span)
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

    def bind(self, name: ast.Ident, value: Expr, scope: Scope) -> None:
        slot = self.cx.fresh(name.name)
        self.env[slot] = value
        scope.names[name.name] = Bound(e.param(slot, value.type), slot)

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
        test = self.value(cond, scope, e.BOOL, ghost_ok=_only_ghosts(then, other, scope))
        self.first = False
        yes, no = self.fork(test), self.fork(e.not_(test))
        yes.block(then.stmts, scope)
        if isinstance(other, ast.If):
            no.block((other,), scope)
        elif other is not None:
            no.block(other.stmts, scope)
        self.merge([(test, yes.env), (e.TRUE, no.env)])
        self.held = {h: v if no.held.get(h, yes.held.get(h)) == v else False for h, v in yes.held.items()}

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
            arms.append((cond, arm.env))
        self.merge(arms)

    # --- assignment -------------------------------------------------------------------------------------------

    def assign(self, target: ast.Lvalue, op: str, value: ast.Expr, scope: Scope) -> None:
        slot, variable, accessors, type_, indices = self.target(target, scope)
        ghost = variable is not None and variable.storage == "ghost"
        old = self.get(slot, accessors, variable)
        if op == "=":
            new = self.result(value, scope, type_, ghost_ok=ghost or variable is None)
        elif isinstance(type_, Set):
            typer = self.typer()
            item = typer._element(value, scope, type_)
            self.note_reads(typer, ghost or variable is None)
            self.check(item.checks)
            closed = self.close(item.expr)
            if op == "+=" and isinstance(type_.item, Int):
                closed = self.narrowed(closed, type_.item, value.span)
            new = e.insert(old, closed) if op == "+=" else e.remove(old, closed)
        else:
            read = ast.Binary(op[0], _as_expr(target), value, span=target.span.join(value.span))
            new = self.value(read, scope, type_, ghost_ok=ghost or variable is None)
        self.write(slot, variable, accessors, indices, old, new, target.span)

    def narrowed(self, x: Expr, type_: Type, span: Span) -> Expr:
        term = self.typer().coerce(Term(e.param(self.hidden(x), x.type)), type_, span)
        self.check(term.checks)
        return self.close(term.expr)

    def write(
        self,
        slot: str,
        variable: Variable | None,
        accessors: list[Accessor],
        indices: tuple[Expr, ...],
        old: Expr,
        new: Expr,
        span: Span,
    ) -> None:
        """Stores `new` at a resolved target: alive, along an edge, seen by the warnings."""
        if variable is not None:
            if self.local and variable.storage not in ("local", "ghost"):
                self.cx.fail("E0403", f"'{variable.name}' is not the thread's own: assign it in a step", span)
            self.touch(variable, span)
            self.check(self.typer().alive(variable, indices, span))
            if variable.edges is not None:
                self.edge(variable, accessors, old, new, span)
            if variable.boxed:
                new = e.some(new)
        self.env[slot] = _put(self.env[slot], accessors, new)

    def edge(self, variable: Variable, accessors: list[Accessor], old: Expr, new: Expr, span: Span) -> None:
        assert variable.edges is not None, "the caller has asked"
        me = self.me
        legal = []
        for edge in variable.edges:
            cond = e.and_(
                e.eq(old, e.const(old.type, edge.source)), e.eq(new, e.const(new.type, edge.target))
            )
            if edge.owner == "owner":
                assert variable.owners is not None, "a machine with owned edges keeps its owner"
                last = _get(self.env[variable.owners], accessors)
                cond = e.and_(cond, e.eq(last, e.some(me)) if me is not None else e.FALSE)
            elif edge.owner is not None:
                part = (
                    self.cx.threads.parts[me.data].name
                    if me is not None and isinstance(me.data, int)
                    else None
                )
                cond = cond if part == edge.owner else e.FALSE
            legal.append(cond)
        self.fault(e.not_(e.or_(*legal)), f"{variable.name} changes along no edge", span)
        if variable.owners is not None:
            sources = {edge.source for edge in variable.edges if edge.owner == "owner"}
            owned = e.or_(*(e.eq(new, e.const(new.type, s)) for s in sorted(sources)))
            type_ = Option(self.cx.threads)
            owner = e.some(me) if me is not None else e.none(type_)
            self.env[variable.owners] = _put(
                self.env[variable.owners], accessors, e.ite(owned, owner, e.none(type_))
            )

    def target(
        self, node: ast.Lvalue, scope: Scope
    ) -> tuple[str, Variable | None, list[Accessor], Type, tuple[Expr, ...]]:
        """Where an assignment goes: the environment's name, the way in, the type there, and the written indices."""
        found: object = self.cx.lookup(scope, node.name.name, node.name.span)
        rest = list(node.accessors)
        while isinstance(found, Instance) and rest:
            accessor = rest.pop(0)
            if isinstance(accessor, ast.Ident):
                if found.dims:
                    self.cx.fail(
                        "E0302", f"'{found.name}' is an array of instances: index it first", node.span
                    )
                member = found.scope.names.get(accessor.name)
                if not isinstance(member, Variable | Instance):
                    self.cx.fail("E0204", f"'{found.name}' has no variable '{accessor.name}'", accessor.span)
                found = member
            else:
                if not found.dims:
                    self.cx.fail("E0302", f"'{found.name}' is one instance, not an array", node.span)
                found = indexed_instance(found, self.value(accessor, scope, found.dims[0], ghost_ok=False))
        match found:
            case Variable(storage="binder"):
                self.cx.fail("E0203", f"'{node.name.name}' is set by its 'for each' alone", node.span)
            case Variable():
                slot, type_, accessors = (
                    found.name,
                    found.type,
                    list[Accessor](self.close(p) for p in found.prefix),
                )
                variable: Variable | None = found
            case Bound(expr, slot_) if slot_ is not None:
                slot, type_, accessors, variable = slot_, expr.type, [], None
            case Family():
                self.cx.fail("E0203", "a thread's locals are assigned by that thread alone", node.span)
            case _:
                self.cx.fail("E0203", f"'{node.name.name}' cannot be assigned", node.span)
        indices: list[Expr] = []
        for accessor in rest:
            if isinstance(type_, Option):
                at = self.get(slot, accessors, None)
                self.fault(e.not_(e.is_some(at)), "none dereferenced", node.span)
                self.cx.fail(
                    "E0303", "a part of an optional cannot be assigned", node.span, "assign the whole value"
                )
            if isinstance(accessor, ast.Ident):
                field = type_.field(accessor.name) if isinstance(type_, Struct) else None
                if field is None:
                    self.cx.fail("E0204", f"a value of type {type_} has no '{accessor.name}'", accessor.span)
                accessors.append(field[0])
                type_ = field[1]
            else:
                if not isinstance(type_, Array):
                    self.cx.fail("E0302", f"a value of type {type_} has no elements", accessor.span)
                index = self.value(
                    accessor, scope, type_.dom, ghost_ok=variable is None or variable.storage == "ghost"
                )
                accessors.append(index)
                indices.append(index)
                type_ = type_.item
        return slot, variable, accessors, type_, tuple(indices)

    def get(self, slot: str, accessors: list[Accessor], variable: Variable | None) -> Expr:
        value = _get(self.env[slot], accessors)
        return e.get(value) if variable is not None and variable.boxed else value

    def havoc(self, target: ast.Lvalue, where: ast.Expr | None, scope: Scope, span: Span) -> None:
        slot, variable, accessors, type_, indices = self.target(target, scope)
        old = self.get(slot, accessors, variable)
        choice = Binder(self.cx.fresh(target.name.name), type_)
        self.out.choices.append(choice)
        new = e.param(choice.name, type_)
        self.write(slot, variable, accessors, indices, old, new, span)
        if self.path is not e.TRUE:
            idle = e.eq(new, e.const(type_, default(type_)))
            self.out.wheres.append(Where(e.or_(self.path, idle), None, span))
        if where is not None:
            ghost = variable is not None and variable.storage == "ghost"
            cond = self.value(where, scope, e.BOOL, ghost_ok=ghost)
            self.where(cond, None, span)

    def where(self, cond: Expr, assume: str | None, span: Span) -> None:
        """Restricts the choices, unless the step has become undefined before this point."""
        undefined = (f.cond for f in self.out.faults)
        self.out.wheres.append(Where(e.or_(e.implies(self.path, cond), *undefined), assume, span))

    def wait(self, conjuncts: tuple[ast.Conjunct, ...], scope: Scope) -> None:
        """A `when`: the step waits until all parts are true. It goes on, to its fault, where one is undefined."""
        conds: list[Expr] = []
        undefined: list[Expr] = []
        for conjunct in conjuncts:
            typer = self.typer()
            try:
                term = typer.condition(conjunct.cond, scope)
                self.note_reads(typer, ghost_ok=False)
            except Abort:
                continue
            for check in term.checks:
                bad = e.and_(*conds, self.close(check.bad))
                undefined.append(bad)
                self.fault(bad, check.what, check.span)
            conds.append(self.close(term.expr))
        self.out.guards.append(e.or_(e.and_(*conds), *undefined))

    # --- for all ----------------------------------------------------------------------------------------------

    def for_all(self, binders: tuple[ast.Binder, ...], body: ast.Block, scope: Scope) -> None:
        inner, bound = scope.child(), []
        for binder in binders:
            assert binder.type is not None, "the grammar wants a type here"
            made = Binder(self.cx.fresh(binder.name.name), domain_type(self.cx, scope, binder.type))
            bound.append(made)
            inner.names[binder.name.name] = Bound(e.param(made.name, made.type))
        before = self.fork(e.TRUE)  # what conditions and right-hand sides read
        self.first = False
        self.all_at_once(body.stmts, inner, bound, e.TRUE, before)

    def all_at_once(
        self, stmts: tuple[ast.Stmt, ...], scope: Scope, bound: list[Binder], cond: Expr, before: Exec
    ) -> None:
        for stmt in stmts:
            match stmt:
                case ast.Assign(target, "=", value):
                    self.assign_all(target, value, scope, bound, cond, before)
                case ast.If(test, then, other):
                    yes = self.read_all(
                        test, scope, e.BOOL, bound, cond, before, _only_ghosts(then, other, scope)
                    )
                    self.all_at_once(then.stmts, scope, bound, e.and_(cond, yes), before)
                    rest = (other,) if isinstance(other, ast.If) else other.stmts if other else ()
                    self.all_at_once(rest, scope, bound, e.and_(cond, e.not_(yes)), before)
                case _:
                    self.cx.fail("E0409", "in a 'for all' only '=' and 'if' may stand", stmt.span)

    def read_all(
        self,
        node: ast.Expr,
        scope: Scope,
        want: Type,
        bound: list[Binder],
        cond: Expr,
        before: Exec,
        ghost_ok: bool,
    ) -> Expr:
        typer = before.typer()
        term = typer.value(node, scope, want)
        before.note_reads(typer, ghost_ok)
        for check in term.checks:
            bad = e.and_(cond, before.close(check.bad))
            for binder in reversed(bound):
                bad = e.exists(binder, bad)
            self.fault(bad, check.what, check.span)
        return before.close(term.expr)

    def assign_all(
        self, target: ast.Lvalue, value: ast.Expr, scope: Scope, bound: list[Binder], cond: Expr, before: Exec
    ) -> None:
        names = {scope_name: b for scope_name, b in _bound_names(scope, bound)}
        written = [a.id for a in target.accessors if isinstance(a, ast.Name) and a.id in names]
        if sorted(written) != sorted(names):
            wanted = ", ".join(names)
            self.cx.fail("E0409", f"the target must be indexed by each of {wanted}, once", target.span)
        slot, variable, accessors, type_, indices = self.target(target, scope)
        if variable is None or variable.boxed:
            self.cx.fail("E0409", "a 'for all' assigns elements of variables", target.span)
        new = self.read_all(value, scope, type_, bound, cond, before, variable.storage == "ghost")
        old = _get(self.env[slot], accessors)
        self.touch(variable, target.span)
        self.each_fault(self.typer().alive(variable, indices, target.span), bound, cond)
        if variable.edges is not None:
            self.edges_all(variable, accessors, old, new, bound, cond, target.span)
        self.env[slot] = _put_all(
            self.env[slot], accessors, e.ite(cond, new, old), {b.name: b for b in bound}
        )

    def each_fault(self, checks: Iterable[Check], bound: list[Binder], cond: Expr) -> None:
        for check in checks:
            bad = e.and_(cond, self.close(check.bad))
            for binder in reversed(bound):
                bad = e.exists(binder, bad)
            self.fault(bad, check.what, check.span)

    def edges_all(
        self,
        variable: Variable,
        accessors: list[Accessor],
        old: Expr,
        new: Expr,
        bound: list[Binder],
        cond: Expr,
        span: Span,
    ) -> None:
        if variable.owners is not None:
            self.cx.fail("E0901", "a 'for all' over a machine with owned edges is not implemented yet", span)
        legal = [
            e.and_(e.eq(old, e.const(old.type, edge.source)), e.eq(new, e.const(new.type, edge.target)))
            for edge in variable.edges or ()
            if edge.owner is None
        ]
        bad = e.and_(cond, e.not_(e.or_(*legal)))
        for binder in reversed(bound):
            bad = e.exists(binder, bad)
        self.fault(bad, f"{variable.name} changes along no edge", span)

    # --- calls ------------------------------------------------------------------------------------------------

    def op_of(self, node: ast.Call, scope: Scope) -> Function | None:
        from refine.lang.builtins import BUILTINS

        if node.name.name in BUILTINS and scope.find(node.name.name) is None:
            return None
        function, _ = self.typer().callee(node, scope)
        return function if isinstance(function.decl, ast.Op) else None

    def call(self, node: ast.Call, scope: Scope) -> Expr | None:
        """Carries out an op in place; what it returns."""
        typer = self.typer()
        function, args = typer.callee(node, scope)
        decl = function.decl
        if isinstance(decl, ast.Proc):
            self.cx.fail(
                "E0404", f"'{node.name.name}' has steps of its own: call it between steps", node.span
            )
        if not isinstance(decl, ast.Op):
            self.cx.fail("E0404", f"'{node.name.name}' only has a value; it does nothing", node.span)
        if any(f.decl is decl for f in self.calls) or len(self.calls) > MAX_CALLS:
            self.cx.fail("E0407", "an op cannot call itself", node.span)
        if self.local:
            self.cx.fail("E0404", f"'{node.name.name}' is an op: it belongs in a step", node.span)
        terms = typer.arguments(node, function, args, scope)
        self.note_reads(typer, ghost_ok=False)
        inner = function.scope.child()
        self_ = scope.find("self")
        if self_ is not None:
            inner.names["self"] = self_
        for formal, term in zip(decl.formals, terms, strict=True):
            self.check(term.checks)
            self.bind(formal.name, self.close(term.expr), inner)
        if decl.when and not (self.first and self.path is e.TRUE):
            self.cx.fail(
                "E0401",
                f"'{node.name.name}' may block: it can only be the first action of a step",
                node.span,
                "put it into a step of its own, or make it the first action",
            )
        member = _instance_of(function)
        outer_entry, self.entry = self.entry, dict(self.env)
        outer_calls, self.calls = self.calls, (*self.calls, function)
        outer_sheltered, self.sheltered = self.sheltered, self.sheltered or member is not None
        try:
            if decl.when:
                self.wait(decl.when, inner)
            stmts = decl.body.stmts
            last = stmts[-1] if stmts and isinstance(stmts[-1], ast.Return) else None
            body_scope = inner.child()
            for stmt in stmts[:-1] if last else stmts:
                try:
                    self.action(stmt, body_scope)
                except Abort:
                    pass
                self.first = False
            result = None
            if decl.result is not None:
                if last is None or last.value is None:
                    self.cx.fail("E0404", f"'{decl.name.name}' must end with 'return'", decl.body.span)
                want = core_type(self.cx, function.type_scope or function.scope, decl.result)
                result = self.result(last.value, body_scope, want, ghost_ok=False)
            elif last is not None and last.value is not None:
                self.cx.fail("E0404", f"'{decl.name.name}' declares no result to return", last.span)
        finally:
            self.entry, self.calls, self.sheltered = outer_entry, outer_calls, outer_sheltered
        self.effects(decl, function, node)
        self.first = False
        return result

    def effects(self, decl: ast.Op, function: Function, node: ast.Call) -> None:
        """Holds taken and given up: never one object given up and taken again within a step."""
        where = _instance_of(function)
        for word, hold in decl.effects:
            if where is None or not isinstance(function.scope.names.get(hold.name, None), Function):
                self.cx.fail("E0203", f"'{hold.name}' is no hold of this type", hold.span)
            name, index = where
            if word == "acquires":
                for done, other, at, span in self.out.effects:
                    if done == "releases" and other == name and at is index:
                        self.cx.fail(
                            "E0402",
                            f"'{name}' is released and acquired again in one step: nobody could come between",
                            node.span,
                            f"make them two steps; it is released at line {span.line}",
                        )
            self.held[f"{name}.{hold.name}"] = word == "acquires"
            self.out.effects.append((word, name, index, node.span))


def holds_any(guard: str, held: dict[str, bool]) -> bool | None:
    """What is known of a guard: `lock.hold`, or `lock` for any of its holds."""
    known = [v for h, v in held.items() if h == guard or h.rpartition(".")[0] == guard]
    return None if not known else any(known)


def type_of(stmt: ast.Stmt) -> type:
    return type(stmt)


def _instance_of(function: Function) -> tuple[str, Expr | None] | None:
    """The instance that a member function belongs to: its name and last index."""
    for member in function.scope.names.values():
        if isinstance(member, Variable) and "." in member.name:
            return member.name.rpartition(".")[0], member.prefix[-1] if member.prefix else None
    return None


def _only_ghosts(then: ast.Block, other: ast.Block | ast.If | None, scope: Scope) -> bool:
    """Whether branches assign nothing but ghosts, so that their condition may read ghosts."""

    def fine(stmt: ast.Stmt) -> bool:
        match stmt:
            case ast.Assign(target) | ast.Havoc(target):
                found = scope.find(target.name.name)
                return isinstance(found, Variable) and found.storage == "ghost"
            case ast.If(_, inner, rest):
                return _only_ghosts(inner, rest, scope)
            case ast.Require():
                return True
            case _:
                return False

    rest = () if other is None else (other,) if isinstance(other, ast.If) else other.stmts
    return all(fine(s) for s in (*then.stmts, *rest))


def _bound_names(scope: Scope, bound: list[Binder]) -> Iterable[tuple[str, Binder]]:
    for name, entity in scope.names.items():
        for binder in bound:
            if isinstance(entity, Bound) and entity.expr.data == binder.name:
                yield name, binder


def _as_expr(target: ast.Lvalue) -> ast.Expr:
    node: ast.Expr = ast.Name(target.name.name, span=target.name.span)
    for accessor in target.accessors:
        if isinstance(accessor, ast.Ident):
            node = ast.FieldOf(node, accessor, span=target.span)
        else:
            node = ast.IndexOf(node, accessor, span=target.span)
    return node


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


def _get(value: Expr, accessors: list[Accessor]) -> Expr:
    for accessor in accessors:
        value = e.field_of(value, accessor) if isinstance(accessor, int) else e.select(value, accessor)
    return value


def _put(value: Expr, accessors: list[Accessor], new: Expr) -> Expr:
    if not accessors:
        return new
    head, rest = accessors[0], accessors[1:]
    if isinstance(head, int):
        return e.with_field(value, head, _put(e.field_of(value, head), rest, new))
    return e.store(value, head, _put(e.select(value, head), rest, new))


def _put_all(value: Expr, accessors: list[Accessor], new: Expr, bound: dict[str, Binder]) -> Expr:
    """Like `_put`, for every value of the bound names at once."""
    if not accessors:
        return new
    head, rest = accessors[0], accessors[1:]
    if isinstance(head, int):
        return e.with_field(value, head, _put_all(e.field_of(value, head), rest, new, bound))
    inner = _put_all(e.select(value, head), rest, new, bound)
    if head.op is Op.PARAM and head.data in bound:
        return e.bind(Op.LAMBDA, bound[str(head.data)], inner)
    return e.store(value, head, inner)
