"""Terms as infix text for languages of guarded commands; what their operators have in common.

Those languages compute with C's `int`: each part of a text is written with bounds of its value, and refused where they
leave that range, so that what is written means there what the term means here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from refine.smt.ground import Scalar, Unfit
from refine.smt.term import BIT, Term, TermOp, below, unsigned

LONGEST = 200_000  # characters of one expression: shared terms are written again each time
FARTHEST = (1 << 31) - 1  # the least `int` is left out, so that what is within bounds can be negated


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs: the signs of some operators, and how a choice between two values is written."""

    and_: str
    equal: str
    true: str
    false: str
    choice: Callable[[str, str, str], str]


@dataclass(frozen=True, slots=True)
class _Text:
    """A term as text, in parentheses where it has operators, and bounds of its value: 0 and 1 of a truth value."""

    text: str
    lo: int = 0
    hi: int = 1

    def __post_init__(self) -> None:
        assert self.lo <= self.hi, "there is a number within the bounds"
        if self.lo < -FARTHEST or self.hi > FARTHEST:
            raise Unfit(
                "it computes with numbers that 32 bits do not hold",
                "other checkers compute with 32 bits and do not tell an overflow: smaller bounds of numbers help, "
                "or words of fewer bits",
            )
        if len(self.text) > LONGEST:
            raise Unfit(f"one of its conditions is longer than {LONGEST} characters", "try a smaller size")

    @property
    def reach(self) -> int:
        return max(-self.lo, self.hi)


class Infix:
    """Writes terms over the scalars."""

    def __init__(self, dialect: Dialect, scalars: tuple[Scalar, ...]) -> None:
        self._dialect = dialect
        self._made = {s.term: _Text(s.name, s.lo, s.hi) for s in scalars}

    def __call__(self, root: Term) -> str:
        """The text of a term. Raises `Unfit` where it is too long, or its numbers too large."""
        for x in below((root,), self._made):
            self._made[x] = self._applied(x, [self._made[a] for a in x.args])
        return self._made[root].text

    def _applied(self, x: Term, args: list[_Text]) -> _Text:
        d = self._dialect
        match x.op, args:
            case TermOp.CONST, _ if x.width == BIT:
                return _Text(d.true if x.data else d.false)
            case TermOp.CONST, _:
                return _constant(unsigned(x))
            case TermOp.NOT, [a]:
                bare = a.text.isidentifier() or a.text.startswith("(")
                return _Text(f"!{a.text}" if bare else f"!({a.text})")
            case TermOp.AND, _:
                return _Text(f"({f' {d.and_} '.join(a.text for a in args)})")
            case TermOp.EQ, [a, b]:
                return _Text(f"({a.text} {d.equal} {b.text})")
            case ((TermOp.ULT | TermOp.SLT), [a, b]):
                return _Text(f"({a.text} < {b.text})")
            case TermOp.ITE, [c, a, b]:
                return self._choice(c.text, a, b)
            case ((TermOp.ZEXT | TermOp.NAT), [a]):
                return a
            case TermOp.TRUNC, [a]:
                return _wrapped(a, x.width)
            case TermOp.ADD, [a, b]:
                return _wrapped(_plus(a, b), x.width)
            case TermOp.SUB, [a, b] if x.width < 0 or a.lo >= b.hi:
                return _minus(a, b)
            case TermOp.SUB, [a, b]:
                return _wrapped(_minus(_plus(a, _constant(1 << x.width)), b), x.width)
            case TermOp.MUL, [a, b] if x.width < 0 or a.hi * b.hi <= FARTHEST:
                return _wrapped(_times(a, b), x.width)
            case TermOp.MUL, [a, b]:
                return _product(a, b, x.width)
            case ((TermOp.UDIV | TermOp.FDIV), [a, b]):
                return _quotient(a, b)
            case ((TermOp.UREM | TermOp.FMOD), [a, b]):
                return _remainder(a, b)
            case TermOp.BITAND, [a, b]:
                return _Text(f"({a.text} & {b.text})", 0, min(a.hi, b.hi))
            case ((TermOp.BITOR | TermOp.BITXOR), [a, b]):
                sign = "|" if x.op is TermOp.BITOR else "^"
                return _Text(f"({a.text} {sign} {b.text})", 0, (1 << max(a.hi, b.hi).bit_length()) - 1)
            case TermOp.BITNOT, [a]:
                return _minus(_constant((1 << x.width) - 1), a)
            case ((TermOp.SHL | TermOp.SHR), [a, b]):
                return self._shifted(x, a, b)
            case _:
                raise AssertionError(f"{x.op.value} is for numbers in two's complement")

    def _choice(self, cond: str, a: _Text, b: _Text) -> _Text:
        """Only the arm that is chosen is computed."""
        return _Text(self._dialect.choice(cond, a.text, b.text), min(a.lo, b.lo), max(a.hi, b.hi))

    def _shifted(self, x: Term, a: _Text, b: _Text) -> _Text:
        most = min(b.hi, x.width - 1)
        if x.op is TermOp.SHL:
            done = _wrapped(_Text(f"({a.text} << {b.text})", 0, a.hi << most), x.width)
        else:
            done = _Text(f"({a.text} >> {b.text})", 0, a.hi >> min(b.lo, most))
        return done if b.hi < x.width else self._choice(f"({b.text} < {x.width})", done, _constant(0))


def _constant(n: int) -> _Text:
    return _Text(str(n) if n >= 0 else f"(0 - {-n})", n, n)


def _plus(a: _Text, b: _Text) -> _Text:
    return _Text(f"({a.text} + {b.text})", a.lo + b.lo, a.hi + b.hi)


def _minus(a: _Text, b: _Text) -> _Text:
    return _Text(f"({a.text} - {b.text})", a.lo - b.hi, a.hi - b.lo)


def _times(a: _Text, b: _Text) -> _Text:
    corners = [m * n for m, n in product((a.lo, a.hi), (b.lo, b.hi))]
    return _Text(f"({a.text} * {b.text})", min(corners), max(corners))


def _product(a: _Text, b: _Text, width: int) -> _Text:
    """Modulo two to the `width`, of words: the upper half of `a` is multiplied apart."""
    half = width // 2
    upper = _wrapped(_times(_quotient(a, _constant(1 << half)), b), width - half)
    lower = _times(_wrapped(a, half), b)
    return _wrapped(_plus(_times(upper, _constant(1 << half)), lower), width)


def _wrapped(x: _Text, width: int) -> _Text:
    """Modulo two to the `width`; an integer (of width -1) does not wrap around."""
    return x if width < 0 or (x.lo >= 0 and x.hi < 1 << width) else _remainder(x, _constant(1 << width))


def _remainder(a: _Text, b: _Text) -> _Text:
    """That of division which rounds down, where `b` is not 0; the sign `%` takes the sign of `a`."""
    if a.lo >= 0 and b.lo >= 0:
        return _Text(f"({a.text} % {b.text})", 0, min(a.hi, max(b.hi - 1, 0)))
    most = max(b.reach - 1, 0)
    near = _plus(_Text(f"({a.text} % {b.text})", -most, most), b)
    return _Text(f"({near.text} % {b.text})", min(b.lo + 1, 0), max(b.hi - 1, 0))


def _quotient(a: _Text, b: _Text) -> _Text:
    """Rounded down, where `b` is not 0; the sign `/` rounds to zero."""
    if a.lo >= 0 and b.lo >= 0:
        return _Text(f"({a.text} / {b.text})", a.lo // max(b.hi, 1), a.hi // max(b.lo, 1))
    exact = _minus(a, _remainder(a, b))
    if b.lo < 0:
        return _Text(f"({exact.text} / {b.text})", -a.reach, a.reach)
    corners = [m // max(n, 1) for m, n in product((a.lo, a.hi), (b.lo, b.hi))]
    return _Text(f"({exact.text} / {b.text})", min(corners), max(corners))
