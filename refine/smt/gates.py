"""Terms as gates: a hash-consed graph of AND, XOR and multiplexers, which is what a SAT solver is told.

A literal is a non-zero number; its negative is its negation, and `TRUE` is the constant. A gate is made once, and folds
where a constant or a repeated input decides it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias, assert_never

from refine.smt.term import BIT, UNBOUNDED, Term, TermOp, below, unsigned

TRUE = 1
FALSE = -1
Bits: TypeAlias = tuple[int, ...]  # the literals of a term, the lowest bit first; of a truth value, one


class NotBits(Exception):
    """A term over unbounded integers, which no number of bits can carry."""


class Gates:
    """Makes gates. Nodes are counted from 1; the definition of each is looked up in `defined`."""

    def __init__(self) -> None:
        self.nodes = 1
        self.defined: dict[int, tuple[str, tuple[int, ...]]] = {}  # no entry: the constant, or free
        self._made: dict[tuple[str, tuple[int, ...]], int] = {}

    def free(self) -> int:
        """A literal that nothing defines."""
        self.nodes += 1
        return self.nodes

    def _gate(self, kind: str, args: tuple[int, ...]) -> int:
        key = (kind, args)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self.free()
            self.defined[found] = key
        return found

    def and_(self, xs: Iterable[int]) -> int:
        kept: set[int] = set()
        for x in xs:
            if x == FALSE or -x in kept:
                return FALSE
            if x != TRUE:
                kept.add(x)
        if len(kept) <= 1:
            return next(iter(kept), TRUE)
        return self._gate("and", tuple(sorted(kept)))

    def or_(self, xs: Iterable[int]) -> int:
        return -self.and_(-x for x in xs)

    def xor(self, x: int, y: int) -> int:
        if abs(x) > abs(y):
            x, y = y, x
        if abs(x) == TRUE:
            return -y if x == TRUE else y
        if abs(x) == abs(y):
            return FALSE if x == y else TRUE
        found = self._gate("xor", (abs(x), abs(y)))
        return -found if (x < 0) is not (y < 0) else found

    def ite(self, c: int, x: int, y: int) -> int:
        if c < 0:
            c, x, y = -c, y, x
        if c == TRUE or x == y:
            return x
        if x == -y:
            return -self.xor(c, x)
        if abs(x) in (TRUE, c):
            return self.or_((c, y)) if x in (TRUE, c) else self.and_((-c, y))
        if abs(y) in (TRUE, c):
            return self.and_((c, x)) if y in (FALSE, c) else self.or_((-c, x))
        if x < 0:
            return -self._gate("ite", (c, -x, -y))
        return self._gate("ite", (c, x, y))

    def majority(self, x: int, y: int, z: int) -> int:
        return self.ite(self.xor(x, y), z, x)

    def cone(self, roots: Iterable[int], skip: set[int]) -> Iterator[int]:
        """Each node below `roots` that is not in `skip`, inputs of a gate before the gate; adds them to `skip`."""
        stack = [abs(x) for x in roots]
        while stack:
            node = stack[-1]
            if node in skip:
                stack.pop()
                continue
            missing = [abs(a) for a in self.defined.get(node, ("", ()))[1] if abs(a) not in skip]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            skip.add(node)
            yield node


class Blaster:
    """Terms of one `Terms` as literals of one `Gates`. Raises `NotBits` for what has unbounded integers."""

    def __init__(self) -> None:
        self.gates = Gates()
        self.inputs: dict[Term, Bits] = {}
        self._bits: dict[Term, Bits] = {}

    def __call__(self, root: Term) -> Bits:
        done = self._bits
        for x in below((root,), done):
            if x.width == UNBOUNDED:
                raise NotBits
            done[x] = self._make(x, [done[a] for a in x.args])
        return done[root]

    def literal(self, x: Term) -> int:
        """The literal of a truth value."""
        return self(x)[0]

    def define(self, x: Term) -> bool:
        """Where `x` says that an input nobody has read yet equals a term, let it be that term's literals."""
        if x.op is not TermOp.EQ:
            return False
        for this, other in (x.args, x.args[::-1]):
            if this.op is TermOp.INPUT and this not in self._bits:
                found = self(other)
                if this not in self._bits:  # the other side does not read it
                    self._bits[this] = self.inputs[this] = found
                    return True
        return False

    def _make(self, x: Term, args: list[Bits]) -> Bits:
        g = self.gates
        match x.op:
            case TermOp.CONST:
                if x.width == BIT:
                    return (TRUE if x.data else FALSE,)
                return _constant(unsigned(x), x.width)
            case TermOp.INPUT:
                found = self.inputs[x] = tuple(g.free() for _ in range(max(1, x.width)))
                return found
            case TermOp.NOT:
                return (-args[0][0],)
            case TermOp.AND:
                return (g.and_(a[0] for a in args),)
            case TermOp.EQ:
                return (self._equal(*args),)
            case TermOp.ITE:
                return self._choose(args[0][0], args[1], args[2])
            case TermOp.ULT:
                return (self._less(*args),)
            case TermOp.SLT:
                (*low, a), (*down, b) = args
                return (self._less((*low, -a), (*down, -b)),)
            case TermOp.ADD:
                return self._add(args[0], args[1], FALSE)
            case TermOp.SUB:
                return self._add(args[0], _not(args[1]), TRUE)
            case TermOp.MUL:
                return self._multiply(*args)
            case TermOp.UDIV:
                return self._divide(*args)[0]
            case TermOp.UREM:
                return self._divide(*args)[1]
            case TermOp.FDIV:
                return self._floor(*args)[0]
            case TermOp.FMOD:
                return self._floor(*args)[1]
            case TermOp.BITAND:
                return tuple(g.and_(pair) for pair in zip(*args, strict=True))
            case TermOp.BITOR:
                return tuple(g.or_(pair) for pair in zip(*args, strict=True))
            case TermOp.BITXOR:
                return tuple(g.xor(a, b) for a, b in zip(*args, strict=True))
            case TermOp.BITNOT:
                return _not(args[0])
            case TermOp.SHL:
                return self._shift(args[0], args[1])
            case TermOp.SHR:
                return self._shift(args[0][::-1], args[1])[::-1]
            case TermOp.ZEXT:
                return (*args[0], *(FALSE for _ in range(x.width - len(args[0]))))
            case TermOp.SEXT:
                return (*args[0], *(args[0][-1] for _ in range(x.width - len(args[0]))))
            case TermOp.TRUNC:
                return args[0][: x.width]
            case TermOp.NAT:
                raise NotBits
        assert_never(x.op)

    def _equal(self, x: Bits, y: Bits) -> int:
        return self.gates.and_(-self.gates.xor(a, b) for a, b in zip(x, y, strict=True))

    def _choose(self, c: int, x: Bits, y: Bits) -> Bits:
        return tuple(self.gates.ite(c, a, b) for a, b in zip(x, y, strict=True))

    def _less(self, x: Sequence[int], y: Sequence[int]) -> int:
        less = FALSE
        for a, b in zip(x, y, strict=True):
            less = self.gates.ite(self.gates.xor(a, b), b, less)
        return less

    def _add(self, x: Bits, y: Bits, carry: int) -> Bits:
        total = []
        for a, b in zip(x, y, strict=True):
            total.append(self.gates.xor(self.gates.xor(a, b), carry))
            carry = self.gates.majority(a, b, carry)
        return tuple(total)

    def _negate(self, x: Bits) -> Bits:
        return self._add(_not(x), _constant(0, len(x)), TRUE)

    def _multiply(self, x: Bits, y: Bits) -> Bits:
        total = _constant(0, len(x))
        for k, b in enumerate(y):
            row = (FALSE,) * k + tuple(self.gates.and_((a, b)) for a in x[: len(x) - k])
            total = self._add(total, row, FALSE)
        return total

    def _divide(self, x: Bits, y: Bits) -> tuple[Bits, Bits]:
        """Quotient and remainder of unsigned numbers, digit by digit; what a divisor 0 gives is nobody's."""
        wide = (*y, FALSE)
        rest: Bits = _constant(0, len(wide))
        quotient: list[int] = []
        for a in reversed(x):
            rest = (a, *rest[:-1])
            fits = -self._less(rest, wide)
            rest = self._choose(fits, self._add(rest, _not(wide), TRUE), rest)
            quotient.append(fits)
        return tuple(reversed(quotient)), rest[:-1]

    def _floor(self, x: Bits, y: Bits) -> tuple[Bits, Bits]:
        """Quotient and remainder of signed numbers, rounded down: the remainder has the sign of the divisor."""
        g = self.gates
        quotient, rest = self._divide(
            self._choose(x[-1], self._negate(x), x), self._choose(y[-1], self._negate(y), y)
        )
        exact, differ = self._equal(rest, _constant(0, len(rest))), g.xor(x[-1], y[-1])
        down = self._add(_not(quotient), _constant(0, len(x)), exact)  # -q where it is exact, or else -q - 1
        signed = self._choose(x[-1], self._negate(rest), rest)
        moved = self._choose(g.and_((differ, -exact)), self._add(signed, y, FALSE), signed)
        return self._choose(differ, down, quotient), moved

    def _shift(self, x: Bits, amount: Bits) -> Bits:
        """Toward the high end, zeros from below."""
        width = len(x)
        for k, b in enumerate(amount):
            moved = ((FALSE,) * (1 << k) + x)[:width] if 1 << k < width else (FALSE,) * width
            x = self._choose(b, moved, x)
        return x


def _constant(value: int, width: int) -> Bits:
    return tuple(TRUE if value >> k & 1 else FALSE for k in range(width))


def _not(x: Bits) -> Bits:
    return tuple(-a for a in x)
