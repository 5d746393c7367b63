"""Terms over the bits of a packed state: numbers; sets, arrays and structs are the numbers they are packed into.

All terms are total. `refine.run.code` makes them, and `refine.run.write` turns them into text.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


class Do(enum.Enum):
    """What a term does with its arguments; `data` is given here."""

    CONST = "const"  # (value,)
    SLICE = "slice"  # (offset, width) of the state
    NAME = "name"  # (number,) of a loop variable
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"  # (what division by zero gives,)
    MOD = "mod"  # (what division by zero gives,)
    AND = "and"
    OR = "or"
    XOR = "xor"
    SHL = "shl"  # (width,): by the width or more, 0
    SHR = "shr"  # (width,): by the width or more, 0
    ONES = "ones"  # number of bits set
    EQ = "eq"
    LT = "lt"
    NOT = "not"
    ALL = "all"
    ITE = "ite"
    CAT = "cat"  # (width, ...): pieces, the first in the lowest bits
    PART = "part"  # x; (offset, width): some of the bits of x
    PICK = "pick"  # x, position; (step, length, default): one entry, or the default
    PUT = "put"  # x, position, value; (step, length): one entry replaced, or none

    __hash__ = object.__hash__  # Enum's own hashes the name, in Python


TRUTHS = frozenset({Do.EQ, Do.LT, Do.NOT, Do.ALL})


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A node; `lo` and `hi` bound its value."""

    do: Do
    args: tuple[Term, ...]
    data: tuple[int, ...]
    lo: int
    hi: int

    @property
    def const(self) -> int | None:
        """The value of a constant, of a term whose bounds meet, or None."""
        return self.lo if self.lo == self.hi else None


def pieces(x: Term) -> Iterator[tuple[Term, int, int]]:
    """Yield the pieces of a CAT with their offsets and widths."""
    at = 0
    for piece, bits in zip(x.args, x.data, strict=True):
        yield piece, at, bits
        at += bits


def subterms(roots: Iterable[Term]) -> Iterator[Term]:
    """Yield every term below `roots` once, in a fixed order, arguments first."""
    seen: set[Term] = set()
    for root in roots:
        stack = [(root, False)]
        while stack:
            x, done = stack.pop()
            if done:
                yield x
            elif x not in seen:
                seen.add(x)
                stack.append((x, True))
                stack.extend((a, False) for a in reversed(x.args))
