"""What a file declares, at one size: the records that declaring makes and lowering reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from refine.core.expr import Binder, Expr
from refine.core.types import Type
from refine.lang import ast
from refine.lang.scope import Family, Function, Instance, Scope, Variable
from refine.text.span import Span

FREE = frozenset({"defined", "balanced", "satisfiable", "stuck"})  # the claims that every protocol makes


@dataclass(frozen=True, slots=True)
class StateVar:
    """A state variable, its initial value, and what kind of state it is."""

    variable: Variable
    type: Type
    init: Expr
    kind: str
    span: Span


@dataclass(frozen=True, slots=True)
class RuleSource:
    """A `rule` and the scope of its body; of an array of instances, also the indices that it is a family over."""

    name: str
    decl: ast.RuleDecl
    scope: Scope
    dims: tuple[Binder, ...] = ()
    instance: Instance | None = None


@dataclass(frozen=True, slots=True)
class Stated:
    """A claim, lemma, reach or assumption, where it stands."""

    name: str
    decl: ast.Claim | ast.Reach | ast.AssumeItem
    scope: Scope
    dims: tuple[Binder, ...] = ()
    instance: Instance | None = None


@dataclass(slots=True)
class Declared:
    """All that a file and its libraries declare, at one size."""

    scope: Scope
    state: list[StateVar] = field(default_factory=list)
    rules: list[RuleSource] = field(default_factory=list)
    stated: list[Stated] = field(default_factory=list)
    threads: list[tuple[Family, ast.ThreadDecl]] = field(default_factory=list)
    instances: list[tuple[Instance, tuple[Binder, ...]]] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    edits: list[ast.Edited] = field(default_factory=list)
    observers: dict[str, ast.Observer] = field(default_factory=dict)
    left_out: dict[str, ast.Without] = field(default_factory=dict)
    players: dict[str, list[str]] = field(default_factory=dict)  # of each observer, rules and threads
