"""What the audit of a file consists of: its reasons, mutants and variants, what must happen, and whom it models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

from refine.engine.vacuity import Occurrence
from refine.lang import ast
from refine.lang.certificate import Section, Sizes
from refine.lang.edited import outline_with
from refine.lang.edits import NO_EDITS, Edits, resolve
from refine.lang.elements import Element, Outline
from refine.lang.load import Loaded
from refine.text.diag import Reporter
from refine.text.span import Span


@dataclass(frozen=True, slots=True)
class Use:
    """That a claim names a reason, and how."""

    claim: str
    name: str
    redundant: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Protective elements that are dropped together; `uses`: by which claims, under which name."""

    edits: Edits
    uses: tuple[Use, ...]
    kind: str = "reason"  # or "together": several reasons of one claim
    beside: Edits = NO_EDITS  # those of what is asked about, if it is not the file as it is


@dataclass(frozen=True, slots=True)
class Changed:
    """A mutant, which breaks claims, or a variant, which keeps them."""

    role: str
    name: str
    doc: str
    edits: Edits
    claims: tuple[str, ...]
    within: int | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class InEra:
    """A protective element in a variant that is an era: whether what that keeps needs it, and is said to."""

    variant: str
    era: str
    name: str
    needed: bool
    keeps: tuple[str, ...]
    beside: Edits  # of the variant
    edits: Edits  # and with the element dropped
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Occurrences:
    """What must happen for the claims to say anything.

    A library may offer rules that a protocol has no use for; but whoever plays an observer must have something to do.
    """

    players: frozenset[str] = frozenset()
    reaches: bool = False  # also what the file wants reached

    def must(self, one: Occurrence) -> bool:
        if one.what == "reach":
            return self.reaches
        return one.what != "rule" or "." not in one.of or one.of in self.players


@dataclass(frozen=True, slots=True)
class Tried:
    """An edit that nobody declared, tried out: what breaks. `aim`: claims that matter most; none: all."""

    kind: str  # "unstated", "element", "weaker", "systematic", "ask"
    name: str
    edits: Edits
    aim: tuple[str, ...] = ()
    about: Element | None = None


@dataclass(frozen=True, slots=True)
class Recheck:
    """What one section of a certificate says of one of its sizes, to be checked again."""

    section: Section
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class Reprove:
    """A certificate is to be made for what was proved: by size and name, and the states if all were looked at."""

    proved: tuple[tuple[Sizes, tuple[tuple[str, int | None], ...]], ...]
    checker: str
    about: str


Item: TypeAlias = Dropped | Changed | InEra | Occurrences | Tried | Recheck | Reprove


def plan(loaded: Loaded, outline: Outline, claims: frozenset[str] = frozenset()) -> tuple[Item, ...]:
    """All that a file declares and that is to be audited; of some claims, only their reasons."""
    found: list[Item] = list(reasons(outline, claims))
    if claims:
        return tuple(found)
    for item in loaded.file.items:
        if isinstance(item, ast.Edited):
            edits = resolve(item.edits, outline, Reporter())
            if edits is not None:
                names = tuple(name.name for name in item.claims)
                doc = item.doc.value if item.doc else ""
                found.append(Changed(item.role, item.name.name, doc, edits, names, item.within, item.span))
                found += _in_era(loaded, item, names, edits)
    return (*found, Occurrences(frozenset(p for one in outline.observers for p in one.players)))


def _in_era(loaded: Loaded, item: ast.Edited, keeps: tuple[str, ...], edits: Edits) -> Iterator[InEra]:
    """Each reason of the claims that an era keeps, and whatever else it says that it needs."""
    outline = outline_with(loaded, edits) if item.era is not None else None
    if item.era is None or outline is None:
        return
    needed = {frozenset(outline.named(path)): path for path in item.because}
    names: dict[frozenset[str], str] = {}
    for claim in keeps:
        for reason in outline.reasons.get(claim, ()):
            names.setdefault(frozenset(reason.keys), reason.name)
    for keys, name in {**{keys: str(path) for keys, path in needed.items()}, **names}.items():
        if keys:
            yield InEra(
                item.name.name, item.era.value, name, keys in needed, keeps, edits,
                edits.and_dropping(keys, outline), needed[keys].span if keys in needed else item.span,
            )  # fmt: skip


def reasons(
    outline: Outline, claims: frozenset[str] = frozenset(), edits: Edits = NO_EDITS
) -> Iterator[Dropped]:
    """Each reason once, for all claims that name the same elements; dropped beside other edits, if there are any."""
    uses: dict[frozenset[str], list[Use]] = {}
    for claim, reasons in outline.reasons.items():
        for reason in reasons:
            if reason.keys and (not claims or claim in claims):
                use = Use(claim, reason.name, reason.redundant, reason.span)
                uses.setdefault(frozenset(reason.keys), []).append(use)
    for keys, found in uses.items():
        yield Dropped(edits.and_dropping(keys, outline), tuple(found), beside=edits)


def together(outline: Outline, claim: str, names: Iterable[str], size: int = 2) -> tuple[Dropped, ...]:
    """Pairs (or triples) of a claim's reasons of which none is needed alone."""
    of = {reason.name: reason for reason in outline.reasons.get(claim, ())}
    found = []
    for group in combinations(names, size):
        keys = frozenset(key for name in group for key in of[name].keys)
        found.append(
            Dropped(
                NO_EDITS.and_dropping(keys, outline), tuple(Use(claim, name) for name in group), "together"
            )
        )
    return tuple(found)
