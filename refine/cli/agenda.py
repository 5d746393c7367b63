"""What a run judges beside claims: nothing for a check, what a file declares for a proof, and more for an audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from refine.cli.files import Target
from refine.cli.joint import idle_together
from refine.cli.proofs import Proofs, unwritten
from refine.cli.status import UNKNOWN
from refine.engine.decide import Sizes
from refine.engine.items import Changed, Dropped, InEra, Item, Occurrences, Recheck, Reprove, Tried, plan
from refine.engine.judge import kind_of
from refine.engine.maps import elements, systematic, weaker
from refine.lang import ast
from refine.lang.elements import Outline
from refine.lang.load import Loaded
from refine.report.audit import Row
from refine.report.charts import unguarded, unstated
from refine.report.result import Cited, Origin, SizeResult


@dataclass(frozen=True, slots=True)
class File:
    """A file that could be read, the sizes that are asked of it, and what is judged beside its claims."""

    target: Target
    loaded: Loaded
    rows: tuple[Sizes, ...]
    default: Sizes
    outline: Outline | None = None
    items: tuple[Item, ...] = ()

    @property
    def doc(self) -> str:
        return self.loaded.file.doc.value if self.loaded.file.doc else ""

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def protocol(self) -> str:
        return self.loaded.file.name.name

    @property
    def origin(self) -> Origin:
        cited, uncovered, eras = [], [], []
        era = ""
        for one in self.loaded.file.items:
            match one:
                case ast.Claim() | ast.Edited():
                    doc = one.doc.value if one.doc else ""
                    names = tuple(text.value for text in one.cites)
                    cited.append(
                        Cited("claim" if isinstance(one, ast.Claim) else one.role, one.name.name, doc, names)
                    )
                    if isinstance(one, ast.Edited) and one.era is not None:
                        eras.append((one.name.name, one.era.value))
                case ast.Uncovered(id_, why):
                    uncovered.append((id_.value, why.value))
                case ast.Era(text):
                    era = text.value
                case _:
                    pass
        return Origin(tuple(c for c in cited if c.names), tuple(uncovered), era, tuple(eras))

    @property
    def library(self) -> bool:
        return self.loaded.file.role == "library"

    @property
    def parameters(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.default)

    def with_outline(self, outline: Outline, agenda: Agenda) -> File:
        known = replace(self, outline=outline)
        return replace(known, items=tuple(agenda.items(known, outline)))


class Agenda(Protocol):
    """Which items of a file are judged, at which sizes, and what follows from all that was found."""

    def items(self, file: File, outline: Outline) -> Iterator[Item]:
        """What is judged beside the claims."""

    def rows(self, file: File, item: Item) -> tuple[Sizes, ...]:
        """At which sizes."""

    def groups(self, outline: Outline, rows: Sequence[Row]) -> list[Dropped]:
        """Reasons that are dropped together, once it is known which are not needed alone."""

    def conclusions(self, file: File, results: Sequence[SizeResult], rows: Sequence[Row]) -> list[Row]:
        """What follows."""

    @property
    def proofs(self) -> Proofs | None:
        """Where certificates are, if they are asked for."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a file declares: its reasons, mutants and variants, and that nothing is vacuous; of some claims, reasons."""

    claims: frozenset[str] = frozenset()
    proofs: Proofs | None = None

    def items(self, file: File, outline: Outline) -> Iterator[Item]:
        yield from plan(file.loaded, outline, self.claims)
        if self.proofs is not None:
            yield from self.proofs.items(file.target, file.rows)

    def rows(self, file: File, item: Item) -> tuple[Sizes, ...]:
        return (item.sizes,) if isinstance(item, Recheck) else file.rows

    def groups(self, outline: Outline, rows: Sequence[Row]) -> list[Dropped]:
        return idle_together(outline, rows)

    def conclusions(self, file: File, results: Sequence[SizeResult], rows: Sequence[Row]) -> list[Row]:
        if self.proofs is None:
            return []
        refused = {one.asked for one in rows if one.kind == "certificate" and one.status}
        left = [one for one in results if (one.sizes,) not in refused]  # of these all is said
        return [
            *self.proofs.misfits(file.target, file.rows),
            *(one for result in left for one in self.proofs.left_out(file.target, result)),
        ]


@dataclass(frozen=True, slots=True)
class Audit:
    """A proof, and the map: what each element is good for, and whether less would do.

    What nobody declared is tried at the default size, unless `all_sizes` are asked for; whether a weaker call would
    do, always at all.
    """

    proof: Proof
    all_sizes: bool = False
    systematic: bool = False
    triples: bool = False

    def items(self, file: File, outline: Outline) -> Iterator[Item]:
        source = file.loaded.file.span.source
        yield from self.proof.items(file, outline)
        yield from elements(outline)
        yield from weaker(outline, frozenset([source]))
        if self.systematic:
            yield from systematic(outline, source)

    def rows(self, file: File, item: Item) -> tuple[Sizes, ...]:
        once = isinstance(item, Tried) and item.kind != "weaker" and not self.all_sizes
        return (file.default,) if once else file.rows

    def groups(self, outline: Outline, rows: Sequence[Row]) -> list[Dropped]:
        return [*idle_together(outline, rows), *(idle_together(outline, rows, 3) if self.triples else [])]

    @property
    def proofs(self) -> Proofs | None:
        return self.proof.proofs

    def conclusions(self, file: File, results: Sequence[SizeResult], rows: Sequence[Row]) -> list[Row]:
        assert file.outline is not None, "what could not be lowered has nothing to conclude"
        found = [*self.proof.conclusions(file, results, rows), *unstated(file.outline, rows)]
        return [*found, *unguarded(results, rows)] if self.systematic else found


def untold(item: Item, why: str) -> list[Row]:
    """The rows of an item of which nothing was found out."""
    match item:
        case Dropped(uses=uses, kind="together"):
            name = ", ".join(use.name for use in uses)
            return [Row("together", name, "unknown", UNKNOWN, uses[0].claim, why=why)]
        case Dropped(uses=uses):
            return [
                Row(
                    "redundant" if use.redundant else "because",
                    use.name,
                    "unknown",
                    UNKNOWN,
                    use.claim,
                    why=why,
                )
                for use in uses
            ]
        case Changed(role, name) | Tried(role, name):
            return [Row(role, name, "unknown", UNKNOWN, why=why)]
        case InEra(variant=variant, name=name):
            return [Row("era", name, "unknown", UNKNOWN, why=why, variant=variant)]
        case Occurrences():
            return [Row("vacuity", "what must happen", "unknown", UNKNOWN, why=why)]
        case Recheck(section, sizes):
            return [
                Row(
                    "certificate",
                    kind_of(section),
                    "unknown",
                    UNKNOWN,
                    why=why,
                    asked=(sizes,) if sizes else (),
                )
            ]
        case Reprove():
            return [unwritten(item.about, why)]
        case _:
            assert_never(item)
