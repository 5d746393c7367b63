"""Names: what each may stand for, and the nested scopes in which it is looked up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from refine.core.expr import Expr
from refine.core.types import Array, Enum, Index, Option, Type
from refine.lang import ast


@dataclass(frozen=True, slots=True)
class Constant:
    """A `param` or `const`: a number fixed before anything else."""

    value: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A legal change of a machine. `owner`: None, "owner", or the name of a thread family."""

    source: int
    target: int
    owner: str | None


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type of the core by name; `edges` where it is a machine."""

    type: Type
    edges: tuple[Edge, ...] | None = None


@dataclass(frozen=True, slots=True)
class Members:
    """A constant's name: the enums that have it, each with the ordinal."""

    of: tuple[tuple[Enum, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A `type … { … }`, and the scope that it was declared in."""

    decl: ast.TypeDecl
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A state variable. `prefix` are the indices before those that the text writes: of an array of instances."""

    name: str
    type: Type
    storage: str  # shared, ghost, local, binder (of a `for each`), pc
    prefix: tuple[Expr, ...] = ()
    edges: tuple[Edge, ...] | None = None
    owners: str | None = None  # the hidden variable that keeps who made the last assignment
    guarded_by: ast.Path | None = None
    alive: tuple[ast.Expr, tuple[str | None, ...]] | None = None
    scope: Scope | None = None  # where `alive` and `guarded_by` are read
    boxed: bool = False  # kept as an Option, none while the local is dead: its type has no default

    @property
    def root_type(self) -> Type:
        """The type of the state variable: boxed, and under the indices of `prefix`."""
        type_: Type = Option(self.type) if self.boxed else self.type
        for index in reversed(self.prefix):
            type_ = Array(index.type, type_)
        return type_


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A name bound to an expression: a quantifier's variable, a parameter, a temporary.

    `slot` names it in an environment when it can be assigned.
    """

    expr: Expr
    slot: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """An instance of a type. `dims`: the index types still to be given; `scope` holds its members."""

    name: str
    template: Template
    dims: tuple[Type, ...]
    prefix: tuple[Expr, ...]
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A `fn`, `op`, `proc`, `hold` or `requires` with the scope that its body is read in.

    `owner`: the name of the instance whose member it is (its body's scope is then made at each call).
    """

    decl: ast.Fn | ast.Op | ast.Proc | ast.Hold | ast.Binding | ast.Requires
    scope: Scope
    formals: tuple[ast.Formal, ...] = ()
    result: ast.TypeExpr | None = None
    type_scope: Scope | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A thread family: its number among the parts of the type `thread`."""

    number: int
    name: str
    index: Index | None
    binder: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Broken:
    """A name whose declaration has errors: its uses are not reported again."""


Entity: TypeAlias = Constant | TypeName | Members | Variable | Bound | Instance | Function | Family | Broken

WORDS = {
    Constant: "a constant",
    TypeName: "a type",
    Members: "an enum's member",
    Variable: "a variable",
    Bound: "a bound name",
    Instance: "an instance",
    Function: "a function, op or procedure",
    Family: "a thread",
    Broken: "a declaration with errors",
}


@dataclass(slots=True, eq=False)
class Scope:
    """One level of names. An inner level hides an outer one."""

    parent: Scope | None = None
    names: dict[str, Entity] = field(default_factory=dict)
    spans: dict[str, ast.Ident] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)  # as C's tags: `tlb<cpu> tlb;` is no clash

    def find(self, name: str) -> Entity | None:
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def template(self, name: str) -> Template | None:
        scope: Scope | None = self
        while scope is not None:
            found = scope.templates.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def visible_templates(self) -> Iterator[str]:
        """Every name that `template` would find, for suggestions."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.templates
            scope = scope.parent

    def visible(self) -> Iterator[str]:
        """Every name that `find` would find, for suggestions."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent

    def child(self, /, **names: Entity) -> Scope:
        return Scope(self, dict(names))


def instance_of(scope: Scope) -> str:
    """The instance to whose members a scope belongs, by its name; empty outside of library types."""
    found = next((m for m in scope.names.values() if _is_member(m)), None)
    return found.name.rpartition(".")[0] if isinstance(found, Variable | Instance) else ""


def prefix_of(scope: Scope) -> tuple[Expr, ...]:
    """The indices of the instance to whose members a scope belongs."""
    found = next((m for m in scope.names.values() if _is_member(m)), None)
    return found.prefix if isinstance(found, Variable | Instance) else ()


def _is_member(entity: Entity) -> bool:
    return isinstance(entity, Variable | Instance) and "." in entity.name
