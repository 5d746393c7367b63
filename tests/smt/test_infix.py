"""Terms as text for other checkers: what C's `int` makes of it is what the term means, and nothing overflows."""

from __future__ import annotations

import re
from typing import Self

from hypothesis import event, given, settings
from hypothesis import strategies as st

from refine.smt.ground import Scalar, Unfit
from refine.smt.infix import Dialect, Infix
from refine.smt.term import UNBOUNDED, Term, TermOp, Terms

PYTHON = Dialect("and", "==", "True", "False", lambda c, a, b: f"({a} if {c} else {b})")
TERMS = Terms()
BITS = 16
FAR = 40_000  # its square needs more than 31 bits
WORDS = tuple(Scalar(n, TERMS.input(n, BITS), 0, (1 << BITS) - 1, n) for n in ("u", "v"))
INTS = tuple(Scalar(n, TERMS.input(n, UNBOUNDED), -FAR, FAR, n) for n in ("i", "j"))
OF_WORDS = (TermOp.ADD, TermOp.SUB, TermOp.MUL)
OF_BITS = (TermOp.BITAND, TermOp.BITOR, TermOp.BITXOR, TermOp.SHL, TermOp.SHR)


class C(int):
    """A number of C's type `int`: it must not overflow, and division rounds to zero."""

    def __new__(cls, value: int) -> Self:
        assert -(1 << 31) <= value < 1 << 31, "an overflow"
        return int.__new__(cls, value)

    def __add__(self, other: int) -> C:
        return C(int(self) + int(other))

    def __sub__(self, other: int) -> C:
        return C(int(self) - int(other))

    def __mul__(self, other: int) -> C:
        return C(int(self) * int(other))

    def __truediv__(self, other: int) -> C:
        down = abs(int(self)) // abs(int(other))
        return C(down if (self < 0) == (other < 0) else -down)

    def __mod__(self, other: int) -> C:
        return C(int(self) - int(self / other) * int(other))

    def __and__(self, other: int) -> C:
        assert self >= 0 <= other
        return C(int(self) & int(other))

    def __or__(self, other: int) -> C:
        assert self >= 0 <= other
        return C(int(self) | int(other))

    def __xor__(self, other: int) -> C:
        assert self >= 0 <= other
        return C(int(self) ^ int(other))

    def __lshift__(self, other: int) -> C:
        assert self >= 0 <= other < 31
        return C(int(self) << int(other))

    def __rshift__(self, other: int) -> C:
        assert self >= 0 <= other < 31
        return C(int(self) >> int(other))


def divided(op: TermOp, a: Term, b: Term) -> Term:
    """As the encoder writes it: nothing is divided by 0."""
    zero = TERMS.number(0, a.width)
    return TERMS.ite(TERMS.eq(b, zero), zero, TERMS.arith(op, a, b))


@st.composite
def words(draw: st.DrawFn, depth: int = 3) -> Term:
    """Words of 16 bits."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        some = st.one_of(
            st.integers(0, BITS), st.integers(0, (1 << BITS) - 1)
        )  # many shifts are by less than BITS
        number = some.map(lambda n: TERMS.number(n, BITS))
        return draw(st.one_of(st.sampled_from([s.term for s in WORDS]), number))
    a, b = draw(words(depth - 1)), draw(words(depth - 1))
    match draw(st.sampled_from((*OF_WORDS, *OF_BITS, TermOp.UDIV, TermOp.UREM, TermOp.BITNOT, TermOp.ITE))):
        case TermOp.UDIV | TermOp.UREM as op:
            return divided(op, a, b)
        case TermOp.BITNOT:
            return TERMS.bitnot(a)
        case TermOp.ITE:
            return TERMS.ite(TERMS.ult(a, b), a, draw(words(depth - 1)))
        case op if op in OF_BITS:
            return TERMS.bitwise(op, a, b)
        case op:
            return TERMS.arith(op, a, b)


@st.composite
def integers(draw: st.DrawFn, depth: int = 3) -> Term:
    """Integers."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        number = st.integers(-9, 9).map(lambda n: TERMS.number(n, UNBOUNDED))
        return draw(st.one_of(st.sampled_from([s.term for s in INTS]), number, words(1).map(TERMS.natural)))
    a, b = draw(integers(depth - 1)), draw(integers(depth - 1))
    match draw(st.sampled_from((*OF_WORDS, TermOp.FDIV, TermOp.FMOD, TermOp.ITE))):
        case TermOp.FDIV | TermOp.FMOD as op:
            return divided(op, a, b)
        case TermOp.ITE:
            return TERMS.ite(TERMS.slt(a, b), a, draw(integers(depth - 1)))
        case op:
            return TERMS.arith(op, a, b)


def near(s: Scalar) -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from((s.lo, s.lo + 1, s.hi - 1, s.hi)), st.integers(s.lo, s.hi))


def computed(text: str, values: dict[str, int]) -> int:
    """What C makes of it."""
    literal = re.sub(r"\b\d+\b", r"C(\g<0>)", text)
    return int(eval(literal, {"C": C} | {name: C(n) for name, n in values.items()}))


@given(st.one_of(words(), integers()), st.tuples(*(near(s) for s in (*WORDS, *INTS))))
@settings(max_examples=300, deadline=None)
def test_c_computes_what_the_term_means_and_nothing_overflows(x: Term, drawn: tuple[int, ...]) -> None:
    scalars = (*WORDS, *INTS)
    try:
        infix = Infix(PYTHON, scalars)
        text = infix(x)
    except Unfit:
        event("unfit")
        return
    event("fits")
    leaves = {s.term: TERMS.number(n, s.term.width) for s, n in zip(scalars, drawn, strict=True)}
    meant = TERMS.substitute(x, leaves, {})
    assert meant.constant
    assert infix._made[x].lo <= int(meant.data or 0) <= infix._made[x].hi
    assert computed(text, {s.name: n for s, n in zip(scalars, drawn, strict=True)}) == meant.data
