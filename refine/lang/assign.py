"""Assignment: where a value goes, whether it may go there, and what the variable is afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.fold import subterms
from refine.core.system import Where
from refine.core.types import BOOL, Array, Int, Option, Set, Struct, Type, default
from refine.lang import ast
from refine.lang.access import alive, indexed_instance
from refine.lang.context import Check, Term, domain_type
from refine.lang.operators import element
from refine.lang.scope import Bound, Family, Instance, Scope, Variable
from refine.text.span import Span

if TYPE_CHECKING:
    from refine.lang.actions import Exec

# One accessor of an assignment's target: an index, or the position of a field.
Accessor = Expr | int


def assign(ex: Exec, target: ast.Lvalue, op: str, value: ast.Expr, scope: Scope) -> None:
    slot, variable, accessors, type_, indices = resolve(ex, target, scope)
    allowed = variable is not None and variable.storage == "ghost"
    old = get(ex, slot, accessors, variable)
    if op == "=":
        new = ex.result(value, scope, type_, ghost_ok=allowed)
        old = get(ex, slot, accessors, variable)  # an op on the right may have changed it
    elif isinstance(type_, Set) and isinstance(value, ast.SetLiteral | ast.SetOf):
        new = e.set_op(Op.UNION if op == "+=" else Op.DIFF, old, ex.value(value, scope, type_, allowed))
    elif isinstance(type_, Set):
        typer = ex.typer()
        item = element(typer, value, scope, type_)
        ex.note_reads(typer, allowed)
        ex.check(item.checks)
        closed = ex.close(item.expr)
        if op == "+=" and isinstance(type_.item, Int):
            closed = narrowed(ex, closed, type_.item, value.span)
        new = e.insert(old, closed) if op == "+=" else e.remove(old, closed)
    else:
        read = ast.Binary(op[0], _as_expr(target), value, span=target.span.join(value.span))
        new = ex.value(read, scope, type_, ghost_ok=allowed)
    write(ex, slot, variable, accessors, indices, old, new, target.span)


def narrowed(ex: Exec, x: Expr, type_: Type, span: Span) -> Expr:
    term = ex.typer().coerce(Term(e.param(ex.hidden(x), x.type)), type_, span)
    ex.check(term.checks)
    return ex.close(term.expr)


def write(
    ex: Exec,
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
        if ex.local and variable.storage not in ("local", "ghost"):
            ex.cx.fail("E0403", f"'{variable.name}' is not the thread's own: assign it in a step", span)
        ex.touch(variable, span)
        held = tuple(e.param(ex.hidden(i), i.type) for i in indices)  # they are closed already
        ex.check(alive(ex.typer(), variable, held, span))
        if variable.edges is not None:
            edge(ex, variable, accessors, old, new, span)
        if variable.boxed:
            new = e.some(new)
    ex.env[slot] = _put(ex.env[slot], accessors, new)


def edge(ex: Exec, variable: Variable, accessors: list[Accessor], old: Expr, new: Expr, span: Span) -> None:
    assert variable.edges is not None, "the caller has asked"
    me = ex.me
    legal = []
    for edge in variable.edges:
        cond = e.and_(e.eq(old, e.const(old.type, edge.source)), e.eq(new, e.const(new.type, edge.target)))
        if edge.owner == "owner":
            assert variable.owners is not None, "a machine with owned edges keeps its owner"
            last = _get(ex.env[variable.owners], accessors)
            cond = e.and_(cond, e.eq(last, e.some(me)) if me is not None else e.FALSE)
        elif edge.owner is not None:
            cond = cond if _family(ex) == edge.owner else e.FALSE
        legal.append(cond)
    ex.fault(e.not_(e.or_(*legal)), f"{variable.name} changes along no edge", span)
    if variable.owners is not None:
        sources = {edge.source for edge in variable.edges if edge.owner == "owner"}
        owned = e.or_(*(e.eq(new, e.const(new.type, s)) for s in sorted(sources)))
        type_ = Option(ex.cx.threads)
        owner = e.some(me) if me is not None else e.none(type_)
        ex.env[variable.owners] = _put(ex.env[variable.owners], accessors, e.ite(owned, owner, e.none(type_)))


def _family(ex: Exec) -> str | None:
    """The family of the thread that acts."""
    return ex.cx.threads.parts[ex.me.data].name if ex.me is not None and isinstance(ex.me.data, int) else None


def resolve(
    ex: Exec, node: ast.Lvalue, scope: Scope
) -> tuple[str, Variable | None, list[Accessor], Type, tuple[Expr, ...]]:
    """Where an assignment goes: the environment's name, the way in, the type there, and the written indices."""
    found: object = ex.cx.lookup(scope, node.name.name, node.name.span)
    rest = list(node.accessors)
    while isinstance(found, Instance) and rest:
        accessor = rest.pop(0)
        if isinstance(accessor, ast.Ident):
            if found.dims:
                ex.cx.fail("E0302", f"'{found.name}' is an array of instances: index it first", node.span)
            member = found.scope.names.get(accessor.name)
            if not isinstance(member, Variable | Instance):
                ex.cx.fail("E0204", f"'{found.name}' has no variable '{accessor.name}'", accessor.span)
            found = member
        else:
            if not found.dims:
                ex.cx.fail("E0302", f"'{found.name}' is one instance, not an array", node.span)
            index = ex.value(accessor, scope, found.dims[0], ghost_ok=False)
            found = indexed_instance(found, e.param(ex.hidden(index), index.type))  # it is closed already
    match found:
        case Variable(storage="binder"):
            ex.cx.fail("E0203", f"'{node.name.name}' is set by its 'for each' alone", node.span)
        case Variable():
            slot, type_, accessors = (
                found.name,
                found.type,
                list[Accessor](ex.close(p) for p in found.prefix),
            )
            variable: Variable | None = found
        case Bound(expr, slot_) if slot_ is not None:
            slot, type_, accessors, variable = slot_, expr.type, [], None
        case Family():
            ex.cx.fail("E0203", "a thread's locals are assigned by that thread alone", node.span)
        case _:
            ex.cx.fail("E0203", f"'{node.name.name}' cannot be assigned", node.span)
    indices: list[Expr] = []
    for accessor in rest:
        if isinstance(type_, Option):
            at = get(ex, slot, accessors, None)
            ex.fault(e.not_(e.is_some(at)), "none dereferenced", node.span)
            ex.cx.fail(
                "E0303", "a part of an optional cannot be assigned", node.span, "assign the whole value"
            )
        if isinstance(accessor, ast.Ident):
            field = type_.field(accessor.name) if isinstance(type_, Struct) else None
            if field is None:
                ex.cx.fail("E0204", f"a value of type {type_} has no '{accessor.name}'", accessor.span)
            accessors.append(field[0])
            type_ = field[1]
        else:
            if not isinstance(type_, Array):
                ex.cx.fail("E0302", f"a value of type {type_} has no elements", accessor.span)
            index = ex.value(
                accessor, scope, type_.dom, ghost_ok=variable is None or variable.storage == "ghost"
            )
            accessors.append(index)
            indices.append(index)
            type_ = type_.item
    return slot, variable, accessors, type_, tuple(indices)


def get(ex: Exec, slot: str, accessors: list[Accessor], variable: Variable | None) -> Expr:
    value = _get(ex.env[slot], accessors)
    return e.get(value) if variable is not None and variable.boxed else value


def havoc(ex: Exec, target: ast.Lvalue, where: ast.Expr | None, scope: Scope, span: Span) -> None:
    slot, variable, accessors, type_, indices = resolve(ex, target, scope)
    old = get(ex, slot, accessors, variable)
    choice = Binder(ex.cx.fresh(f"new_{target.name.name}"), type_)
    ex.out.choices.append(choice)
    new = e.param(choice.name, type_)
    write(ex, slot, variable, accessors, indices, old, new, span)
    if ex.path is not e.TRUE:
        idle = e.eq(new, e.const(type_, default(type_)))
        ex.out.wheres.append(Where(e.or_(ex.path, idle), None, span))
    if where is not None:
        ghost = variable is not None and variable.storage == "ghost"
        cond = ex.value(where, scope, BOOL, ghost_ok=ghost)
        # That there is a value is asked of the step's choices together: right only where no earlier one matters.
        others = {c.name for c in ex.out.choices} - {choice.name}
        if any(x.op is Op.PARAM and x.data in others for x in subterms([ex.path, cond])):
            ex.cx.fail(
                "E0901",
                "a 'where' that depends on an earlier choice of the same step is not implemented yet",
                span,
                "make them two steps",
            )
        ex.where(cond, None, span)


def for_all(ex: Exec, binders: tuple[ast.Binder, ...], body: ast.Block, scope: Scope) -> None:
    inner, bound = scope.child(), []
    for binder in binders:
        assert binder.type is not None, "the grammar wants a type here"
        made = Binder(ex.cx.fresh(binder.name.name), domain_type(ex.cx, scope, binder.type))
        bound.append(made)
        inner.names[binder.name.name] = Bound(e.param(made.name, made.type))
    before = ex.fork(e.TRUE)  # what conditions and right-hand sides read
    ex.first = False
    all_at_once(ex, body.stmts, inner, bound, e.TRUE, before)


def all_at_once(
    ex: Exec, stmts: tuple[ast.Stmt, ...], scope: Scope, bound: list[Binder], cond: Expr, before: Exec
) -> None:
    for stmt in stmts:
        match stmt:
            case ast.Assign(target, "=", value):
                assign_all(ex, target, value, scope, bound, cond, before)
            case ast.If(test, then, other):
                yes = read_all(ex, test, scope, BOOL, bound, cond, before, only_ghosts(then, other, scope))
                all_at_once(ex, then.stmts, scope, bound, e.and_(cond, yes), before)
                rest = (other,) if isinstance(other, ast.If) else other.stmts if other else ()
                all_at_once(ex, rest, scope, bound, e.and_(cond, e.not_(yes)), before)
            case _:
                ex.cx.fail("E0409", "in a 'for all' only '=' and 'if' may stand", stmt.span)


def read_all(
    ex: Exec,
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
        ex.fault(bad, check.what, check.span)
    return before.close(term.expr)


def assign_all(
    ex: Exec, target: ast.Lvalue, value: ast.Expr, scope: Scope, bound: list[Binder], cond: Expr, before: Exec
) -> None:
    slot, variable, accessors, type_, indices = resolve(ex, target, scope)
    own = {binder.name for binder in bound}
    bare = [a.data for a in accessors if isinstance(a, Expr) and a.op is Op.PARAM and a.data in own]
    others = [a for a in accessors if isinstance(a, Expr) and a.data not in bare]
    if sorted(map(str, bare)) != sorted(own) or any(x.data in own for x in subterms(others)):
        wanted = ", ".join(binder.name.partition("'")[0] for binder in bound)
        ex.cx.fail("E0409", f"the target must be indexed by each of {wanted}, once and alone", target.span)
    if variable is None or variable.boxed:
        ex.cx.fail("E0409", "a 'for all' assigns elements of variables", target.span)
    new = read_all(ex, value, scope, type_, bound, cond, before, variable.storage == "ghost")
    old = _get(ex.env[slot], accessors)
    ex.touch(variable, target.span)
    held = tuple(e.param(ex.hidden(i), i.type) for i in indices)  # they are closed already
    each_fault(ex, alive(ex.typer(), variable, held, target.span), bound, cond)
    if variable.edges is not None:
        edges_all(ex, variable, old, new, bound, cond, target.span)
    ex.env[slot] = _put_all(ex.env[slot], accessors, e.ite(cond, new, old), {b.name: b for b in bound})


def each_fault(ex: Exec, checks: Iterable[Check], bound: list[Binder], cond: Expr) -> None:
    for check in checks:
        bad = e.and_(cond, ex.close(check.bad))
        for binder in reversed(bound):
            bad = e.exists(binder, bad)
        ex.fault(bad, check.what, check.span)


def edges_all(
    ex: Exec,
    variable: Variable,
    old: Expr,
    new: Expr,
    bound: list[Binder],
    cond: Expr,
    span: Span,
) -> None:
    if variable.owners is not None:
        ex.cx.fail("E0901", "a 'for all' over a machine with owned edges is not implemented yet", span)
    legal = [
        e.and_(e.eq(old, e.const(old.type, edge.source)), e.eq(new, e.const(new.type, edge.target)))
        for edge in variable.edges or ()
        if edge.owner in (None, _family(ex))
    ]
    bad = e.and_(cond, e.not_(e.or_(*legal)))
    for binder in reversed(bound):
        bad = e.exists(binder, bad)
    ex.fault(bad, f"{variable.name} changes along no edge", span)


def _as_expr(target: ast.Lvalue) -> ast.Expr:
    node: ast.Expr = ast.Name(target.name.name, span=target.name.span)
    for accessor in target.accessors:
        if isinstance(accessor, ast.Ident):
            node = ast.FieldOf(node, accessor, span=target.span)
        else:
            node = ast.IndexOf(node, accessor, span=target.span)
    return node


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


def only_ghosts(then: ast.Block, other: ast.Block | ast.If | None, scope: Scope) -> bool:
    """Whether branches assign nothing but ghosts, so that their condition may read ghosts."""

    def fine(stmt: ast.Stmt) -> bool:
        match stmt:
            case ast.Assign(target) | ast.Havoc(target):
                found = scope.find(target.name.name)
                return isinstance(found, Variable) and found.storage == "ghost"
            case ast.If(_, inner, rest):
                return only_ghosts(inner, rest, scope)
            case ast.Require():
                return True
            case _:
                return False

    rest = () if other is None else (other,) if isinstance(other, ast.If) else other.stmts
    return all(fine(s) for s in (*then.stmts, *rest))
