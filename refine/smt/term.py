"""Solver-neutral terms: hash-consed bits, bit-vectors and integers that fold to constants where they can.

The encoder builds these and no solver's own terms, so that the same formula can be handed to any solver,
and so that a model can be evaluated here. A constant costs nothing: most of a ground expansion never
reaches a solver.
"""

from __future__ import annotations

import enum
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Constant: TypeAlias = bool | int

BIT = 0  # the width that stands for a truth value
UNBOUNDED = -1  # the width that stands for a mathematical integer


class TermOp(enum.Enum):
    """The operators. All arguments of an operator are of one width, except where it says otherwise."""

    CONST = "const"  # data: a bool, the unsigned number of a bit-vector, or an integer
    INPUT = "input"  # data: a name
    NOT = "not"  # bit
    AND = "and"  # bits, at least two
    EQ = "eq"  # x, y -> bit
    ITE = "ite"  # bit, x, y
    ULT = "ult"  # unsigned -> bit
    SLT = "slt"  # signed, or of integers -> bit
    ADD = "add"  # bit-vectors wrap around; so do SUB and MUL
    SUB = "sub"
    MUL = "mul"
    UDIV = "udiv"  # of bit-vectors; the divisor is never 0
    UREM = "urem"
    FDIV = "fdiv"  # signed, or of integers; rounds down; the divisor is never 0
    FMOD = "fmod"  # x - y * FDIV(x, y)
    BITAND = "bitand"
    BITOR = "bitor"
    BITXOR = "bitxor"
    BITNOT = "bitnot"
    SHL = "shl"  # by the second argument, read as unsigned; by the width or more: 0
    SHR = "shr"
    ZEXT = "zext"  # to the wider width of the term
    SEXT = "sext"
    TRUNC = "trunc"  # to the narrower width of the term: the low bits
    NAT = "nat"  # the integer that a bit-vector stands for, read as unsigned


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Term:
    """A node. Within one `Terms`, equal nodes are one object. `number` counts them in order of creation."""

    op: TermOp
    width: int
    args: tuple[Term, ...]
    data: Constant | str | None
    number: int

    @property
    def constant(self) -> bool:
        return self.op is TermOp.CONST

    def __repr__(self) -> str:
        if self.op in {TermOp.CONST, TermOp.INPUT}:
            return str(self.data)
        return f"{self.op.value}{self.width if self.width > 0 else ''}({', '.join(map(repr, self.args))})"


class Terms:
    """Makes terms, each once. One of these belongs to one question; nothing is shared between questions."""

    def __init__(self) -> None:
        self._interned: dict[object, Term] = {}
        self.inputs: dict[str, Term] = {}
        self.true = self._node(TermOp.CONST, BIT, (), data=True)
        self.false = self._node(TermOp.CONST, BIT, (), data=False)

    def __len__(self) -> int:
        return len(self._interned)

    def _node(
        self, op: TermOp, width: int, args: tuple[Term, ...], data: Constant | str | None = None
    ) -> Term:
        key = (op, width, args, data)
        found = self._interned.get(key)
        if found is None:
            found = self._interned[key] = Term(op, width, args, data, len(self._interned))
        return found

    # --- leaves ---------------------------------------------------------------------------------------------

    def bit(self, value: bool) -> Term:
        return self.true if value else self.false

    def number(self, value: int, width: int) -> Term:
        """`value` as a bit-vector (a negative one in two's complement) or as an integer."""
        assert width != BIT, "a truth value is no number"
        return self._node(
            TermOp.CONST, width, (), value if width == UNBOUNDED else value & ((1 << width) - 1)
        )

    def input(self, name: str, width: int) -> Term:
        """A free variable; a name belongs to one width."""
        found = self._node(TermOp.INPUT, width, (), name)
        assert self.inputs.setdefault(name, found) is found, f"the input {name} has one width"
        return found

    # --- bits -----------------------------------------------------------------------------------------------

    def not_(self, x: Term) -> Term:
        if x.constant:
            return self.bit(not x.data)
        return x.args[0] if x.op is TermOp.NOT else self._node(TermOp.NOT, BIT, (x,))

    def and_(self, xs: Iterable[Term]) -> Term:
        kept: dict[Term, None] = {}
        for x in xs:
            if x is self.false:
                return self.false
            if x is not self.true:
                kept[x] = None
        if any(x.op is TermOp.NOT and x.args[0] in kept for x in kept):
            return self.false
        if len(kept) <= 1:
            return next(iter(kept), self.true)
        return self._node(TermOp.AND, BIT, tuple(sorted(kept, key=_number)))

    def or_(self, xs: Iterable[Term]) -> Term:
        return self.not_(self.and_(self.not_(x) for x in xs))

    def implies(self, x: Term, y: Term) -> Term:
        return self.or_((self.not_(x), y))

    # --- any width ------------------------------------------------------------------------------------------

    def eq(self, x: Term, y: Term) -> Term:
        assert x.width == y.width, f"equality is between equal widths, not {x.width} and {y.width}"
        if x is y:
            return self.true
        if x.constant and y.constant:
            return self.false
        if x.number > y.number:
            x, y = y, x
        if x.width == BIT:
            if x.constant:
                return y if x.data else self.not_(y)
            if y.constant:
                return x if y.data else self.not_(x)
            if self.not_(x) is y:
                return self.false
        return self._node(TermOp.EQ, BIT, (x, y))

    def ite(self, c: Term, x: Term, y: Term) -> Term:
        assert x.width == y.width, f"both arms have equal widths, not {x.width} and {y.width}"
        if c.constant:
            return x if c.data else y
        if x is y:
            return x
        if c.op is TermOp.NOT:
            c, x, y = c.args[0], y, x
        if x.width == BIT:
            if x.constant or x is c:
                return self.or_((c, y)) if x is c or x.data else self.and_((self.not_(c), y))
            if y.constant or y is c:
                return self.and_((c, x)) if y is c or not y.data else self.or_((self.not_(c), x))
            if self.not_(x) is y:
                return self.eq(c, x)
        return self._node(TermOp.ITE, x.width, (c, x, y))

    # --- numbers --------------------------------------------------------------------------------------------

    def ult(self, x: Term, y: Term) -> Term:
        return self._compare(TermOp.ULT, x, y)

    def slt(self, x: Term, y: Term) -> Term:
        return self._compare(TermOp.SLT, x, y)

    def _compare(self, op: TermOp, x: Term, y: Term) -> Term:
        assert x.width == y.width, "order is between equal widths"
        if x is y:
            return self.false
        if x.constant and y.constant:
            read = unsigned if op is TermOp.ULT else signed
            return self.bit(read(x) < read(y))
        if op is TermOp.ULT:
            if x.constant and unsigned(x) == (1 << x.width) - 1:
                return self.false
            if y.constant and unsigned(y) <= 1:
                return self.eq(x, self.number(0, x.width)) if unsigned(y) else self.false
        return self._node(op, BIT, (x, y))

    def arith(self, op: TermOp, x: Term, y: Term) -> Term:
        """ADD, SUB, MUL, UDIV, UREM, FDIV, FMOD."""
        assert x.width == y.width, "arithmetic is between equal widths"
        if x.constant and y.constant:
            return self.number(_arith(op, x, y), x.width)
        if op in {TermOp.ADD, TermOp.MUL} and x.number > y.number:
            x, y = y, x
        for this, other in ((x, y), (y, x)):
            if this.constant and op in {TermOp.ADD, TermOp.MUL}:
                if this.data == 0:
                    return other if op is TermOp.ADD else this
                if this.data == 1 and op is TermOp.MUL:
                    return other
        if op is TermOp.SUB and y.constant and y.data == 0:
            return x
        return self._node(op, x.width, (x, y))

    def bitwise(self, op: TermOp, x: Term, y: Term) -> Term:
        """BITAND, BITOR, BITXOR, SHL, SHR."""
        assert x.width == y.width, "bitwise operators are between equal widths"
        if x.constant and y.constant:
            return self.number(_bitwise(op, unsigned(x), unsigned(y), x.width), x.width)
        if op in {TermOp.BITAND, TermOp.BITOR, TermOp.BITXOR} and x.number > y.number:
            x, y = y, x
        return self._node(op, x.width, (x, y))

    def bitnot(self, x: Term) -> Term:
        return self.number(~unsigned(x), x.width) if x.constant else self._node(TermOp.BITNOT, x.width, (x,))

    def extend(self, x: Term, width: int, *, sign: bool) -> Term:
        """`x` in at least as many bits, its number kept under the given reading."""
        assert width >= x.width > 0, "extension widens a bit-vector"
        if width == x.width:
            return x
        if x.constant:
            return self.number(signed(x) if sign else unsigned(x), width)
        return self._node(TermOp.SEXT if sign else TermOp.ZEXT, width, (x,))

    def truncate(self, x: Term, width: int) -> Term:
        """The low bits."""
        assert 0 < width <= x.width, "truncation narrows a bit-vector"
        if width == x.width:
            return x
        if x.constant:
            return self.number(unsigned(x), width)
        if x.op in {TermOp.ZEXT, TermOp.SEXT}:
            inner = x.args[0]
            if inner.width >= width:
                return self.truncate(inner, width)
            return self.extend(inner, width, sign=x.op is TermOp.SEXT)
        return self._node(TermOp.TRUNC, width, (x,))

    def natural(self, x: Term) -> Term:
        """The integer that `x` stands for, read as unsigned."""
        return self.number(unsigned(x), UNBOUNDED) if x.constant else self._node(TermOp.NAT, UNBOUNDED, (x,))

    # --- evaluation -----------------------------------------------------------------------------------------

    def rebuild(self, x: Term, args: tuple[Term, ...]) -> Term:
        """`x` with other arguments, folded again."""
        match x.op:
            case TermOp.CONST | TermOp.INPUT:
                return x
            case TermOp.NOT:
                return self.not_(*args)
            case TermOp.AND:
                return self.and_(args)
            case TermOp.EQ:
                return self.eq(*args)
            case TermOp.ITE:
                return self.ite(*args)
            case TermOp.ULT | TermOp.SLT:
                return self._compare(x.op, *args)
            case TermOp.ADD | TermOp.SUB | TermOp.MUL | TermOp.UDIV | TermOp.UREM | TermOp.FDIV | TermOp.FMOD:
                return self.arith(x.op, *args)
            case TermOp.BITAND | TermOp.BITOR | TermOp.BITXOR | TermOp.SHL | TermOp.SHR:
                return self.bitwise(x.op, *args)
            case TermOp.BITNOT:
                return self.bitnot(*args)
            case TermOp.ZEXT | TermOp.SEXT:
                return self.extend(args[0], x.width, sign=x.op is TermOp.SEXT)
            case TermOp.TRUNC:
                return self.truncate(args[0], x.width)
            case TermOp.NAT:
                return self.natural(*args)

    def substitute(self, x: Term, leaves: Mapping[Term, Term], memo: dict[Term, Term] | None = None) -> Term:
        """`x` with inputs replaced, folded again. `memo` may be shared between calls with equal `leaves`."""
        memo = {} if memo is None else memo
        for y in below((x,), memo):
            if y.op is TermOp.INPUT:
                memo[y] = leaves.get(y, y)
            else:
                memo[y] = self.rebuild(y, tuple(memo[a] for a in y.args))
        return memo[x]


def below(roots: Iterable[Term], done: Container[Term]) -> Iterator[Term]:
    """Every term below `roots`, arguments first, that is not `done`: who takes one puts it there, or gets it again."""
    for root in roots:
        stack = [root]
        while stack:
            x = stack[-1]
            if x in done:
                stack.pop()
            elif missing := [a for a in x.args if a not in done]:
                stack.extend(missing)
            else:
                yield x


def _number(x: Term) -> int:
    return x.number


def unsigned(x: Term) -> int:
    """The number of a constant."""
    assert x.constant and isinstance(x.data, int), "only a constant has a number"
    return x.data


def signed(x: Term) -> int:
    """The number of a constant bit-vector in two's complement, or of an integer."""
    value = unsigned(x)
    return value - (1 << x.width) if x.width > 0 and value >> (x.width - 1) else value


def _arith(op: TermOp, x: Term, y: Term) -> int:
    match op:
        case TermOp.ADD:
            return unsigned(x) + unsigned(y)
        case TermOp.SUB:
            return unsigned(x) - unsigned(y)
        case TermOp.MUL:
            return unsigned(x) * unsigned(y)
        case TermOp.UDIV:
            return unsigned(x) // unsigned(y) if unsigned(y) else 0
        case TermOp.UREM:
            return unsigned(x) % unsigned(y) if unsigned(y) else 0
        case TermOp.FDIV:
            return signed(x) // signed(y) if unsigned(y) else 0
        case TermOp.FMOD:
            return signed(x) % signed(y) if unsigned(y) else 0
        case _:
            raise AssertionError("only arithmetic operators compute numbers")


def _bitwise(op: TermOp, x: int, y: int, width: int) -> int:
    match op:
        case TermOp.BITAND:
            return x & y
        case TermOp.BITOR:
            return x | y
        case TermOp.BITXOR:
            return x ^ y
        case TermOp.SHL:
            return x << y if y < width else 0
        case TermOp.SHR:
            return x >> y if y < width else 0
        case _:
            raise AssertionError("only bitwise operators work on bits")
