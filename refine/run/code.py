"""Makes terms, folding what can be folded under what is certain where they will stand.

After the guard has been tested, reading a field whose value is known gives a constant, and so on upward. Terms are
interned in their `Builder`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from refine.run.eval import Refused
from refine.run.terms import TRUTHS, Do, Term, pieces

MOST_TERMS = 500_000


class Builder:
    """Makes terms. `root` is the state that all slices read where it is a known one, as for `init`."""

    def __init__(self, root: int | None = None) -> None:
        self.root = root
        self._terms: dict[object, Term] = {}
        self._bounds: dict[tuple[int, int], tuple[int, int]] = {}
        self._truth: dict[Term, bool] = {}
        self.positions: dict[Term, None] = {}  # positions that entries were picked from or put at

    def fork(self) -> Builder:
        """Return a builder that may learn more, and shares the terms."""
        other = Builder(self.root)
        other._terms = self._terms
        other._bounds = dict(self._bounds)
        other._truth = dict(self._truth)
        return other

    def _make(self, do: Do, args: tuple[Term, ...], data: tuple[int, ...], lo: int, hi: int) -> Term:
        assert lo <= hi, "a term has a value"
        key = (do, tuple(map(id, args)), data, lo, hi)
        found = self._terms.get(key)
        if found is None:
            if len(self._terms) >= MOST_TERMS:
                raise Refused(
                    f"the system unfolds into more than {MOST_TERMS} terms; explicit search does not compile it"
                )
            found = Term(do, args, data, lo, hi)
            self._terms[key] = found
        if do in TRUTHS:
            known = self._truth.get(found)
            if known is not None:
                return self.const(int(known))
        return found

    # --- what is certain -----------------------------------------------------------------------------------------

    def learn(self, x: Term) -> bool:
        """Take it that `x` is true from here on. Returns False where it cannot be."""
        if x.const is not None:
            return x.const != 0
        self._truth[x] = True
        match x.do:
            case Do.ALL:
                return all(self.learn(a) for a in x.args)
            case Do.SLICE:
                return self._bound(x, 1, 1)
            case Do.NOT:
                return self._learn_not(x.args[0])
            case Do.EQ if x.args[1].const is not None:
                return self._bound(x.args[0], x.args[1].const, x.args[1].const)
            case Do.LT:
                a, b = x.args
                return self._bound(a, a.lo, b.hi - 1) and self._bound(b, a.lo + 1, b.hi)
            case _:
                return True

    def _learn_not(self, x: Term) -> bool:
        self._truth[x] = False
        match x.do:
            case Do.SLICE:
                return self._bound(x, 0, 0)
            case Do.EQ if x.args[1].const is not None:
                a, k = x.args[0], x.args[1].const
                return self._bound(a, a.lo + (a.lo == k), a.hi - (a.hi == k))
            case Do.LT:
                a, b = x.args
                return self._bound(a, b.lo, a.hi) and self._bound(b, b.lo, a.hi)
            case _:
                return True

    def _bound(self, x: Term, lo: int, hi: int) -> bool:
        if x.do is Do.ADD and x.args[1].const is not None:
            return self._bound(x.args[0], lo - x.args[1].const, hi - x.args[1].const)
        lo, hi = max(lo, x.lo), min(hi, x.hi)
        if lo > hi:
            return False
        if x.do is Do.SLICE:
            offset, width = x.data
            old_lo, old_hi = self._bounds.get((offset, width), (lo, hi))
            lo, hi = max(lo, old_lo), min(hi, old_hi)
            if lo > hi:
                return False
            self._bounds[offset, width] = lo, hi
        return True

    def known(self, offset: int, width: int) -> int | None:
        """Return the value of these bits of the state where it is certain."""
        if self.root is not None:
            return self.root >> offset & ((1 << width) - 1)
        lo, hi = self._bounds.get((offset, width), (0, 1))
        return lo if lo == hi else None

    # --- leaves --------------------------------------------------------------------------------------------------

    def const(self, value: int) -> Term:
        return self._make(Do.CONST, (), (value,), value, value)

    def name(self, number: int, lo: int, hi: int) -> Term:
        return self._make(Do.NAME, (), (number,), lo, hi)

    def slice(self, offset: int, width: int, hi: int | None = None) -> Term:
        """Return `width` bits of the state, which hold at most `hi`."""
        if self.root is not None or width == 0:
            return self.const((self.root or 0) >> offset & ((1 << width) - 1))
        low, high = self._bounds.get((offset, width), (0, (1 << width) - 1))
        if hi is not None:
            high = min(high, hi)
        if low >= high:  # where they cross, what was learned cannot be, and nothing comes here
            return self.const(high)
        return self._make(Do.SLICE, (), (offset, width), low, high)

    # --- truth ---------------------------------------------------------------------------------------------------

    def truth(self, x: Term) -> Term:
        """Return a term of value 0 or 1 as a test."""
        known = self._truth.get(x)
        return x if known is None else self.const(int(known))

    def not_(self, x: Term) -> Term:
        x = self.truth(x)
        if x.const is not None:
            return self.const(1 - x.const)
        return x.args[0] if x.do is Do.NOT else self._make(Do.NOT, (x,), (), 0, 1)

    def all(self, xs: Iterable[Term]) -> Term:
        flat: dict[Term, None] = {}
        equal: dict[object, int] = {}  # by what is compared with a constant
        for x in self._conjuncts(xs):
            if x.const == 0:
                return x
            if x.const is not None:
                continue
            flat[x] = None
            if x.do is Do.EQ and x.args[1].const is not None:
                value = x.args[1].const
                if equal.setdefault(_field(x.args[0]), value) != value:
                    return self.const(0)
        kept = []
        for x in flat:
            if x.do is Do.NOT:
                y = x.args[0]
                if y in flat:
                    return self.const(0)
                if y.do is Do.EQ and y.args[1].const is not None and _field(y.args[0]) in equal:
                    if equal[_field(y.args[0])] == y.args[1].const:
                        return self.const(0)
                    continue
            kept.append(x)
        if len(kept) <= 1:
            return kept[0] if kept else self.const(1)
        return self._make(Do.ALL, tuple(kept), (), 0, 1)

    def _conjuncts(self, xs: Iterable[Term]) -> Iterator[Term]:
        for x in xs:
            for part in x.args if x.do is Do.ALL else (x,):
                yield self.truth(part)

    def any(self, xs: Iterable[Term]) -> Term:
        return self.not_(self.all([self.not_(x) for x in xs]))

    def eq(self, x: Term, y: Term) -> Term:
        if x is y:
            return self.const(1)
        if x.hi < y.lo or y.hi < x.lo:
            return self.const(0)
        if x.const is not None:
            x, y = y, x
        k = y.const
        if k is None:
            if x.do is Do.ADD and y.do is Do.ADD and x.args[1] is y.args[1]:
                return self.eq(x.args[0], y.args[0])
            return self._make(Do.EQ, (x, y), (), 0, 1)
        if x.const is not None:
            return self.const(int(x.const == k))
        if x.do is Do.ADD and x.args[1].const is not None:
            return self.eq(x.args[0], self.const(k - x.args[1].const))
        if x.lo == 0 and x.hi == 1:
            return self.truth(x) if k == 1 else self.not_(self.truth(x))
        if x.do is Do.ITE:
            test, a, b = x.args
            if a.const is not None or b.const is not None:
                return self.ite_truth(test, self.eq(a, y), self.eq(b, y))
        if x.do is Do.CAT:
            return self.all(
                self.eq(piece, self.const(k >> at & ((1 << bits) - 1))) for piece, at, bits in pieces(x)
            )
        return self._make(Do.EQ, (x, y), (), 0, 1)

    def lt(self, x: Term, y: Term) -> Term:
        if x.hi < y.lo:
            return self.const(1)
        if x.lo >= y.hi:
            return self.const(0)
        for this, that in ((x, y), (y, x)):
            if this.do is Do.ADD and this.args[1].const is not None and that.const is not None:
                moved = self.const(that.const - this.args[1].const)
                return self.lt(this.args[0], moved) if this is x else self.lt(moved, this.args[0])
        if y.const is not None and y.const == x.lo + 1:
            return self.eq(x, self.const(x.lo))
        if x.const is not None and x.const == y.hi - 1:
            return self.eq(y, self.const(y.hi))
        return self._make(Do.LT, (x, y), (), 0, 1)

    def le(self, x: Term, y: Term) -> Term:
        return self.not_(self.lt(y, x))

    def ite(self, test: Term, x: Term, y: Term) -> Term:
        test = self.truth(test)
        if test.const is not None:
            return x if test.const else y
        if x is y:
            return x
        if test.do is Do.NOT:
            return self.ite(test.args[0], y, x)
        return self._make(Do.ITE, (test, x, y), (), min(x.lo, y.lo), max(x.hi, y.hi))

    def within(self, x: Term, lo: int, hi: int) -> Term:
        """Return `x`, of which the caller knows that it is within the bounds."""
        lo, hi = max(lo, x.lo), min(hi, x.hi)
        return x if (lo, hi) == (x.lo, x.hi) or x.do is Do.CONST else self._make(x.do, x.args, x.data, lo, hi)

    def ite_truth(self, test: Term, x: Term, y: Term) -> Term:
        if x.const is not None:
            return self.any([test, y]) if x.const else self.all([self.not_(test), y])
        if y.const is not None:
            return self.any([self.not_(test), x]) if y.const else self.all([test, x])
        return self.ite(test, x, y)

    # --- numbers -------------------------------------------------------------------------------------------------

    def add(self, x: Term, y: Term) -> Term:
        if x.const is not None and y.const is not None:
            return self.const(x.const + y.const)
        if x.const is not None:
            x, y = y, x
        if y.const is not None:
            if y.const == 0:
                return x
            if x.do is Do.ADD and x.args[1].const is not None:
                return self.add(x.args[0], self.const(x.args[1].const + y.const))
            if x.do is Do.ITE and (x.args[1].const is not None or x.args[2].const is not None):
                return self.ite(x.args[0], self.add(x.args[1], y), self.add(x.args[2], y))
            y = self.const(y.const)
        return self._make(Do.ADD, (x, y), (), x.lo + y.lo, x.hi + y.hi)

    def sub(self, x: Term, y: Term) -> Term:
        if y.const is not None:
            return self.add(x, self.const(-y.const))
        return self._make(Do.SUB, (x, y), (), x.lo - y.hi, x.hi - y.lo)

    def mul(self, x: Term, y: Term) -> Term:
        ends = [a * b for a in (x.lo, x.hi) for b in (y.lo, y.hi)]
        return self._folded(Do.MUL, x, y, (), min(ends), max(ends))

    def div(self, x: Term, y: Term, by_zero: int) -> Term:
        divisors = [d for d in (y.lo, y.hi, -1, 1) if d != 0 and y.lo <= d <= y.hi]
        ends = [a // d for a in (x.lo, x.hi) for d in divisors] + [by_zero] * (y.lo <= 0 <= y.hi)
        return self._folded(Do.DIV, x, y, (by_zero,), min(ends), max(ends))

    def mod(self, x: Term, y: Term, by_zero: int) -> Term:
        if x.const is not None and y.const is not None:
            value = x.const % y.const if y.const else by_zero
            return self.const(value)
        lo = min([by_zero] * (y.lo <= 0 <= y.hi) + [min(0, y.lo + 1)])
        hi = max([by_zero] * (y.lo <= 0 <= y.hi) + [max(0, y.hi - 1)])
        return self._make(Do.MOD, (x, y), (by_zero,), lo, hi)

    def _folded(self, do: Do, x: Term, y: Term, data: tuple[int, ...], lo: int, hi: int) -> Term:
        return self.const(lo) if lo == hi else self._make(do, (x, y), data, lo, hi)

    def wrap(self, x: Term, bits: int) -> Term:
        """Return `x` modulo 2**bits."""
        top = (1 << bits) - 1
        return x if x.lo >= 0 and x.hi <= top else self.bitwise(Do.AND, x, self.const(top))

    def bitwise(self, do: Do, x: Term, y: Term) -> Term:
        """Return AND, OR or XOR of numbers, of which one at least is not negative."""
        if x.const is not None and y.const is not None:
            a, b = x.const, y.const
            return self.const(a & b if do is Do.AND else a | b if do is Do.OR else a ^ b)
        if x.const is not None:
            x, y = y, x
        if y.const == 0:
            return y if do is Do.AND else x
        if do is Do.AND:
            hi = min(t.hi for t in (x, y) if t.lo >= 0)
            return self._make(do, (x, y), (), 0, hi)
        return self._make(do, (x, y), (), 0, (1 << max(x.hi, y.hi).bit_length()) - 1)

    def shift(self, do: Do, x: Term, y: Term, bits: int) -> Term:
        """Return SHL or SHR in a word of `bits` bits."""
        if y.const is not None and (y.const >= bits or y.const == 0):
            return x if y.const == 0 else self.const(0)
        if x.const is not None and y.const is not None:
            k = x.const << y.const if do is Do.SHL else x.const >> y.const
            return self.const(k & ((1 << bits) - 1))
        return self._make(do, (x, y), (bits,), 0, (1 << bits) - 1 if do is Do.SHL else x.hi)

    def ones(self, x: Term, bits: int) -> Term:
        return (
            self.const(x.const.bit_count()) if x.const is not None else self._make(Do.ONES, (x,), (), 0, bits)
        )

    # --- packed containers -----------------------------------------------------------------------------------------

    def cat(self, parts: Sequence[tuple[Term, int]]) -> Term:
        """Return the pieces, each with its width, side by side, the first in the lowest bits."""
        merged: list[tuple[Term, int]] = []
        for x, bits in parts:
            for piece, _, n in pieces(x) if x.do is Do.CAT else [(x, 0, bits)]:
                if n == 0:
                    continue
                joined = self._joined(*merged[-1], piece, n) if merged else None
                if joined is None:
                    merged.append((piece, n))
                else:
                    merged[-1] = joined, merged[-1][1] + n
        if not merged:
            return self.const(0)
        if len(merged) == 1:
            return merged[0][0]
        total = sum(n for _, n in merged)
        return self._make(
            Do.CAT, tuple(x for x, _ in merged), tuple(n for _, n in merged), 0, (1 << total) - 1
        )

    def _joined(self, low: Term, m: int, high: Term, n: int) -> Term | None:
        """Return two adjacent pieces as one term where that is simpler."""
        if low.const is not None and high.const is not None:
            return self.const(low.const | high.const << m)
        alike = low.do is high.do and low.do in (Do.SLICE, Do.PART) and low.args == high.args
        if alike and low.data == (high.data[0] - m, m):
            offset, bits = low.data[0], m + n
            return self.slice(offset, bits) if low.do is Do.SLICE else self.part(low.args[0], offset, bits)
        return None

    def part(self, x: Term, offset: int, width: int, hi: int | None = None) -> Term:
        """Return `width` bits of a packed value, which hold at most `hi`."""
        if width == 0:
            return self.const(0)
        if x.const is not None:
            return self.const(x.const >> offset & ((1 << width) - 1))
        match x.do:
            case Do.SLICE:
                if width == x.data[1]:
                    return x
                return self.slice(x.data[0] + offset, width, hi)
            case Do.PART:
                return self.part(x.args[0], x.data[0] + offset, width, hi)
            case Do.ITE:
                yes, no = (self.part(a, offset, width, hi) for a in x.args[1:])
                return self.ite(x.args[0], yes, no)
            case Do.CAT:
                cut = []
                for piece, at, bits in pieces(x):
                    low, high = max(at, offset), min(at + bits, offset + width)
                    if low < high:
                        whole = low == at and high == at + bits
                        cut.append((piece if whole else self.part(piece, low - at, high - low), high - low))
                return self.cat(cut)
            case _:
                top = (1 << width) - 1
                if offset == 0 and x.hi <= top:
                    return x
                return self._make(Do.PART, (x,), (offset, width), 0, top if hi is None else min(top, hi))

    def pick(
        self, x: Term, position: Term, step: int, length: int, default: int, hi: int | None = None
    ) -> Term:
        """Return one entry of a packed array, at most `hi`, or the default where the position is outside."""
        k = position.const
        if k is not None:
            return self.part(x, k * step, step, hi) if 0 <= k < length else self.const(default)
        if step == 0:
            return self.const(0)
        if position.do is Do.ITE and all(a.const is not None for a in position.args[1:]):
            yes, no = (self.pick(x, a, step, length, default, hi) for a in position.args[1:])
            return self.ite(position.args[0], yes, no)
        self.positions[position] = None
        most = (1 << step) - 1 if hi is None else hi
        return self._make(Do.PICK, (x, position), (step, length, default), 0, max(most, default))

    def put(self, x: Term, position: Term, value: Term, step: int, length: int) -> Term:
        """Return a packed array with one entry replaced, or the same where the position is outside."""
        k = position.const
        total = step * length
        if k is not None:
            if not 0 <= k < length:
                return x
            after = (k + 1) * step
            low, high = self.part(x, 0, k * step), self.part(x, after, total - after)
            return self.cat([(low, k * step), (value, step), (high, total - after)])
        if step == 0:
            return x
        self.positions[position] = None
        return self._make(Do.PUT, (x, position, value), (step, length), 0, (1 << total) - 1)


def _field(x: Term) -> object:
    """Return what is the same for all readings of one field of the state, whatever is known of it."""
    return x.data if x.do is Do.SLICE else x
