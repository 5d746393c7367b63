"""What is claimed, and the edits of mutants and variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from refine.lang.ast.expr import Binder, Expr
from refine.lang.ast.node import Ident, Node, Path, Text, spanned
from refine.lang.ast.stmt import Block
from refine.text.span import Span

# --- what is claimed --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Always(Node):
    cond: Expr
    written: bool  # whether the word `always` stands there
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Never(Node):
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class After(Node):
    """`after zapper.flush: cond`: holds in the state that one of the steps leads to."""

    steps: tuple[Path, ...]
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StepProperty(Node):
    """`step cond`, `step of zapper.flush: cond`: holds between `old` and new state of each transition."""

    steps: tuple[Path, ...]
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Eventually(Node):
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LeadsTo(Node):
    before: Expr
    after: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EachLive(Node):
    """`for each v in vcpu: …`: of each element, what happens eventually."""

    binders: tuple[Binder, ...]
    property: Eventually | LeadsTo
    span: Span = spanned()


PropertyExpr: TypeAlias = Always | Never | After | StepProperty | Eventually | LeadsTo | EachLive


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Claim(Node):
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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Reach(Node):
    name: Ident
    doc: Text | None
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AssumeItem(Node):
    """`assume name "doc": cond;` outside of steps: restricts every state."""

    name: Ident
    doc: Text | None
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Observer(Node):
    """`observer eviction "doc";`: who may see a protocol's slips. `inherent`: interleaving alone plays it."""

    name: Ident
    doc: Text | None
    inherent: bool
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Without(Node):
    """`without eviction "why";`: an observer that the protocol leaves out, and what plays it with it."""

    observer: Ident
    why: Text
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Uncovered(Node):
    id: Text
    why: Text
    span: Span = spanned()


# --- edits ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Delete(Node):
    paths: tuple[Path, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Swap(Node):
    first: Path
    second: Path
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Replace(Node):
    path: Path
    body: Block
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Insert(Node):
    """`where` is `before` or `after`."""

    where: str
    path: Path
    body: Block
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Weaken(Node):
    path: Path
    to: Path
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Drop(Node):
    path: Path
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SetParam(Node):
    name: Ident
    value: Expr
    span: Span = spanned()


Edit: TypeAlias = Delete | Swap | Replace | Insert | Weaken | Drop | SetParam


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Edited(Node):
    """A `mutant` (which `breaks` claims) or a `variant` (which `keeps` them; of an `era`, also `because` of what)."""

    role: str
    name: Ident
    doc: Text | None
    cites: tuple[Text, ...]
    claims: tuple[Ident, ...]
    within: int | None
    era: Text | None
    because: tuple[Path, ...]
    edits: tuple[Edit, ...]
    span: Span = spanned()
