"""`--shard I/N`: which part of a run's questions is asked here; all parts together ask each exactly once.

A question is what has an answer of its own: the claims of a file, over all sizes; a mutant; a variant; what must
happen; those reasons which may be dropped together. So no shard knows half an answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, assert_never

if TYPE_CHECKING:  # the command line is read before any of it is loaded
    from refine.cli.agenda import File
    from refine.cli.work import Job

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `of` parts, as dealt out to so many players."""

    number: int = 1
    of: int = 1

    @property
    def whole(self) -> bool:
        return self.of == 1

    def deal(self, cards: Sequence[T]) -> list[T]:
        """The cards of this part."""
        return list(cards[self.number - 1 :: self.of])

    @property
    def told(self) -> str:
        """What a run of a part means."""
        return f"shard {self.number} of {self.of}: what the other shards ask is not known here"


WHOLE = Shard()


def shard(text: str) -> Shard:
    """`2/3` is the second of three."""
    number, sign, of = text.partition("/")
    if sign and all(n.isascii() and n.isdecimal() and len(n) < 7 for n in (number, of)):
        found = Shard(int(number), int(of))
        if 1 <= found.number <= found.of:
            return found
    raise argparse.ArgumentTypeError(f"'{text}' is no shard: the second of three is 2/3")


def mine(part: Shard, planned: Sequence[tuple[File, Job]]) -> list[tuple[File, Job]]:
    """The jobs of a shard, in their order. One kind of question is dealt after the other: all have some of each."""
    if part.whole:
        return list(planned)
    linked = {id(file): _linked(job for other, job in planned if other is file) for file, _ in planned}
    keys = [(id(file), *_question(job, linked[id(file)])) for file, job in planned]
    own = set(part.deal(sorted(dict.fromkeys(keys), key=lambda key: key[1])))
    return [pair for pair, key in zip(planned, keys, strict=True) if key in own]


def _question(job: Job, linked: Mapping[str, str]) -> tuple[int, Hashable]:
    """Which question of its file a job belongs to: its kind, and what tells it from others."""
    from refine.engine.items import Changed, Dropped, InEra, Occurrences, Recheck, Reprove, Tried

    match job.item:
        case None:
            return 0, "claims"
        case Dropped(uses=uses):
            return 1, linked[uses[0].claim]
        case Changed(role, name):
            return 2 if role == "mutant" else 3, name
        case InEra(variant=variant, name=name):
            return 3, f"{variant}: {name}"
        case Occurrences():
            return 4, "what must happen"
        case Tried(kind, name):
            return 5, (kind, name)
        case Recheck() | Reprove():
            return 0, "claims"
        case _:
            assert_never(job.item)


def _linked(jobs: Iterable[Job]) -> Mapping[str, str]:
    """Claims that have a reason in common answer to one name: their reasons belong together."""
    from refine.engine.items import Dropped

    names: dict[str, str] = {}
    for job in jobs:
        if isinstance(job.item, Dropped):
            claims = [use.claim for use in job.item.uses]
            old = {names.get(claim, claim) for claim in claims}
            names |= dict.fromkeys([*claims, *(c for c, name in names.items() if name in old)], min(old))
    return names
