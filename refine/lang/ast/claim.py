"""What is claimed, and the edits of mutants and variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from refine.lang.ast.expr import Binder, Expr
from refine.lang.ast.node import Ident, Path, Text, spanned
from refine.lang.ast.stmt import Block
from refine.text.span import Span

# --- what is claimed --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Always:
    cond: Expr
    written: bool  # whether the word `always` stands there
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Never:
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class After:
    """`after zapper.flush: cond`: holds in the state that one of the steps leads to."""

    steps: tuple[Path, ...]
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class StepProperty:
    """`step cond`, `step of zapper.flush: cond`: holds between `old` and new state of each transition."""

    steps: tuple[Path, ...]
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Eventually:
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class LeadsTo:
    before: Expr
    after: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class EachLive:
    """`for each v in vcpu: …`: of each element, what happens eventually."""

    binders: tuple[Binder, ...]
    property: Eventually | LeadsTo
    span: Span = spanned()


PropertyExpr: TypeAlias = Always | Never | After | StepProperty | Eventually | LeadsTo | EachLive


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim or a lemma (`role`)."""

    role: str
    name: Ident
    doc: Text | None
    property: PropertyExpr
    because: tuple[Path, ...]
    redundant: tuple[Path, ...]
    using: tuple[Path, ...]
    cites: tuple[Text, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Reach:
    name: Ident
    doc: Text | None
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class AssumeItem:
    """`assume name "doc": cond;` outside of steps: restricts every state."""

    name: Ident
    doc: Text | None
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Observer:
    """`observer eviction "doc";`: who may see a protocol's slips. `inherent`: interleaving alone plays it."""

    name: Ident
    doc: Text | None
    inherent: bool
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Without:
    """`without eviction "why";`: an observer that the protocol leaves out, and what plays it with it."""

    observer: Ident
    why: Text
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Uncovered:
    id: Text
    why: Text
    span: Span = spanned()


# --- edits ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delete:
    paths: tuple[Path, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Swap:
    first: Path
    second: Path
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Replace:
    path: Path
    body: Block
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Insert:
    """`where` is `before` or `after`."""

    where: str
    path: Path
    body: Block
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Weaken:
    path: Path
    to: Path
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Drop:
    path: Path
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class SetParam:
    name: Ident
    value: Expr
    span: Span = spanned()


Edit: TypeAlias = Delete | Swap | Replace | Insert | Weaken | Drop | SetParam


@dataclass(frozen=True, slots=True)
class Edited:
    """A `mutant` (which `breaks` claims) or a `variant` (which `keeps` them)."""

    role: str
    name: Ident
    doc: Text | None
    cites: tuple[Text, ...]
    claims: tuple[Ident, ...]
    within: int | None
    edits: tuple[Edit, ...]
    span: Span = spanned()
