"""Places: what a name with indices and fields leads to, and the reading of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from refine.core import expr as e
from refine.core.expr import Expr
from refine.core.types import Array, Option, Struct, Type
from refine.lang import ast
from refine.lang.context import Abort, Check, Context, Term
from refine.lang.scope import Bound, Broken, Entity, Family, Function, Instance, Scope, Variable
from refine.text.diag import suggest
from refine.text.span import Span

if TYPE_CHECKING:
    from refine.lang.exprs import Typer


@dataclass(frozen=True, slots=True)
class Cell:
    """A variable under the indices that are written."""

    variable: Variable
    indices: tuple[Term, ...] = ()

    @property
    def type(self) -> Type:
        """The type of what stands there."""
        type_ = self.variable.type
        for _ in self.indices:
            assert isinstance(type_, Array), "only as many indices as dimensions"
            type_ = type_.item
        return type_


@dataclass(frozen=True, slots=True)
class Someone:
    """A thread, or a family that is still to be indexed."""

    family: Family
    index: Term | None = None

    def settled(self, cx: Context, span: Span) -> Someone:
        """The same, when it is one thread."""
        if self.family.index is not None and self.index is None:
            name = self.family.name
            cx.fail("E0302", f"'{name}' is a family of threads: write {name}[…]", span)
        return self


PlaceOf: TypeAlias = Cell | Someone | Instance | Term


def read(typer: Typer, cell: Cell, span: Span) -> Term:
    """The value of a variable under the indices of its instance and those that are written."""
    variable = cell.variable
    typer.reads.append((variable, span))
    x, checks = e.var(variable.name, variable.root_type), list[Check]()
    for index in variable.prefix:
        x = e.select(x, index)
    for term in cell.indices:
        checks += term.checks
        x = e.select(x, term.expr)
    if variable.boxed:
        checks.append(Check(e.not_(e.is_some(x)), "used before it has a value", span))
    if variable.boxed:
        x = e.get(x)
    return Term(x, (*checks, *alive(typer, variable, tuple(t.expr for t in cell.indices), span)))


def alive(typer: Typer, variable: Variable, indices: tuple[Expr, ...], span: Span) -> tuple[Check, ...]:
    """The check that an element may be used; none where not all indices of the declaration are given."""
    if not typer.in_step or variable.alive is None or variable.scope is None:
        return ()
    cond, names = variable.alive
    if len(indices) < len(names):
        return ()
    bound = {n: Bound(i) for n, i in zip(names, indices, strict=False) if n is not None}
    term = typer.anew().condition(cond, variable.scope.child(**bound))
    return (*term.checks, Check(e.not_(term.expr), f"{variable.name} used while it is not alive", span))


def place(typer: Typer, node: ast.Expr, scope: Scope) -> PlaceOf:
    """What `a[i][j]` or `a.b[i]` leads to: a variable with indices, an instance, a thread, or a plain value."""
    match node:
        case ast.Name(id):
            found = typer.cx.lookup(scope, id, node.span)
            match found:
                case Variable():
                    return Cell(found)
                case Instance():
                    return found
                case Family():
                    return Someone(found)
                case _:
                    return typer.name(id, scope, None, node.span)
        case ast.FieldOf(base, name):
            return _field(typer, place(typer, base, scope), base, name, node.span)
        case ast.IndexOf(base, index):
            return _element(typer, place(typer, base, scope), base, index, scope, node.span)
        case _:
            return typer.expr(node, scope)


def _field(typer: Typer, target: PlaceOf, base: ast.Expr, name: ast.Ident, span: Span) -> PlaceOf:
    cx = typer.cx
    match target:
        case Instance():
            if target.dims:
                cx.fail("E0302", f"'{target.name}' is an array of instances: index it first", base.span)
            found = target.scope.names.get(name.name)
            if isinstance(found, Variable):
                return Cell(found)
            if isinstance(found, Instance):
                return found
            if isinstance(found, Broken):
                raise Abort
            _no_member(cx, name, target.name, target.scope.names)
        case Someone(family):
            index = target.settled(cx, base.span).index
            locals_ = cx.thread_locals.get(family.name, Scope()).names
            local = locals_.get(name.name)
            if not isinstance(local, Variable):
                _no_member(cx, name, family.name, locals_)
            if index is None:
                return Cell(local)
            there = Variable(local.name, local.type, local.storage, (index.expr,), boxed=local.boxed)
            if not index.checks:
                return Cell(there)
            term = read(typer, Cell(there), span)
            return Term(term.expr, (*index.checks, *term.checks))
        case Cell() | Term():
            term = settle(typer, target, base.span)
            if isinstance(term.type, Option):
                term = typer.coerce(term, term.type.item, base.span)
            if not isinstance(term.type, Struct):
                help_ = None
                if isinstance(base, ast.At):
                    help_ = f"a step's path of several names stands in braces: at {{{base.steps[-1]}.{name.name}}}"
                cx.fail("E0204", f"a value of type {term.type} has no fields", name.span, help_)
            field = term.type.field(name.name)
            if field is None:
                _no_member(cx, name, str(term.type), [f for f, _ in term.type.fields])
            return Term(e.field_of(term.expr, field[0]), term.checks)


def _element(
    typer: Typer, target: PlaceOf, base: ast.Expr, index: ast.Expr, scope: Scope, span: Span
) -> PlaceOf:
    cx = typer.cx
    match target:
        case Instance(name, _, dims):
            if not dims:
                cx.fail("E0302", f"'{name}' is one instance, not an array", span)
            term = typer.value(index, scope, dims[0])
            found = scope.find(index.id) if isinstance(index, ast.Name) else None
            if isinstance(found, Variable) and found.storage == "binder":
                typer.sure += term.checks  # a `for each` gives its name a value first
            elif term.checks:
                cx.fail("E0303", "the index of an instance must always be defined", index.span)
            return indexed_instance(target, term.expr)
        case Someone(family, given):
            if family.index is None or given is not None:
                cx.fail("E0302", f"'{family.name}' takes no further index", span)
            return Someone(family, typer.value(index, scope, family.index))
        case Cell(variable, indices) if isinstance(target.type, Array):
            return Cell(variable, (*indices, typer.value(index, scope, target.type.dom)))
        case Cell() | Term():
            term = settle(typer, target, base.span)
            if isinstance(term.type, Option):
                term = typer.coerce(term, term.type.item, base.span)
            if not isinstance(term.type, Array):
                cx.fail("E0302", f"a value of type {term.type} has no elements", span)
            at = typer.value(index, scope, term.type.dom)
            return Term(e.select(term.expr, at.expr), (*term.checks, *at.checks))


def settle(typer: Typer, target: PlaceOf, span: Span) -> Term:
    """The value of what a place leads to."""
    match target:
        case Term():
            return target
        case Instance(name):
            typer.cx.fail("E0203", f"'{name}' is an instance, not a value", span)
        case Cell():
            return read(typer, target, span)
        case Someone(family):
            index = target.settled(typer.cx, span).index
            if index is None:
                return Term(e.thread(typer.cx.threads, family.number, None))
            return Term(e.thread(typer.cx.threads, family.number, index.expr), index.checks)


def thread_of(typer: Typer, node: ast.Expr, scope: Scope) -> tuple[Family, Term | None]:
    """The thread that an expression names."""
    target = place(typer, node, scope)
    if not isinstance(target, Someone):
        typer.cx.fail("E0203", "only a thread is 'at' a step", node.span)
    return target.family, target.settled(typer.cx, node.span).index


def _no_member(cx: Context, name: ast.Ident, of: str, names: Iterable[str]) -> NoReturn:
    guess = suggest(name.name, names)
    cx.fail("E0204", f"{of} has no '{name.name}'", name.span, f"did you mean '{guess}'?" if guess else None)


def indexed_instance(instance: Instance, index: Expr) -> Instance:
    """One element of an array of instances: its members know the index."""
    scope = Scope(instance.scope.parent)
    for name, member in instance.scope.names.items():
        scope.names[name] = _with_prefix(member, index, scope)
    return Instance(instance.name, instance.template, instance.dims[1:], (*instance.prefix, index), scope)


def _with_prefix(member: Entity, index: Expr, scope: Scope) -> Entity:
    match member:
        case Variable():
            assert isinstance(member.type, Array), "a member of an array of instances is an array"
            return Variable(
                member.name, member.type.item, member.storage, (*member.prefix, index), member.edges,
                member.owners, member.guarded_by, member.alive, scope,
            )  # fmt: skip
        case Instance():
            return indexed_instance(member, index)
        case Function(ast.Binding()):
            return member
        case Function():
            return Function(member.decl, scope, member.formals, member.result, member.type_scope)
        case _:
            return member
