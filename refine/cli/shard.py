"""`--shard I/N`: which part of a run's jobs is done here; all parts together do each job exactly once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `of` parts: of the jobs in their order, as dealt out to so many players."""

    number: int = 1
    of: int = 1

    @property
    def whole(self) -> bool:
        return self.of == 1

    def deal(self, jobs: Sequence[T]) -> list[T]:
        """The jobs of this part."""
        return list(jobs[self.number - 1 :: self.of])

    @property
    def told(self) -> str:
        """What a verdict of a part means."""
        return (
            f"shard {self.number} of {self.of}: verdicts speak of the sizes that are listed here, "
            "and only all shards together of the whole"
        )


WHOLE = Shard()


def shard(text: str) -> Shard:
    """`2/3` is the second of three."""
    number, sign, of = text.partition("/")
    if sign and all(n.isascii() and n.isdecimal() and len(n) < 7 for n in (number, of)):
        found = Shard(int(number), int(of))
        if 1 <= found.number <= found.of:
            return found
    raise argparse.ArgumentTypeError(f"'{text}' is no shard: the second of three is 2/3")
