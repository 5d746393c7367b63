"""Python source from terms: masks and compares on the digits of the packed state, and temporaries for what is shared.

What is written holds only integers and generated names. A temporary is never computed before the tests that its
term was built under, and no expression nests deeper than a parser allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from refine.run.eval import Refused
from refine.run.layout import LIMB
from refine.run.terms import TRUTHS, Do, Term, pieces, subterms

MOST_LINES = 200_000
DEEPEST = 12


class Writer:
    """Writes the body of one function over the state `s`, whose digits are `w0`, `w1`, and so on."""

    def __init__(self, bits: int, indent: int) -> None:
        self.bits = bits
        self.lines: list[str] = []
        self.digits: set[int] = set()
        self.loops = 0  # how many loops are open
        self._indent = indent
        self._names: dict[Term, str] = {}
        self._next = 0
        self._uses: dict[Term, int] = {}
        self._heights: dict[Term, int] = {}

    @property
    def indent(self) -> int:
        return self._indent

    # --- lines -----------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        if len(self.lines) >= MOST_LINES:
            raise Refused(
                f"the system compiles to more than {MOST_LINES} lines; explicit search does not run it"
            )
        self.lines.append(" " * self._indent + text)

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Write an indented block; temporaries of the block are forgotten after it."""
        self.line(header)
        start = len(self.lines)
        with self.scope():
            self._indent += 1
            yield
            if len(self.lines) == start:
                self.line("pass")
            self._indent -= 1

    @contextmanager
    def loop(self) -> Iterator[None]:
        """Say that the block is a loop's."""
        self.loops += 1
        yield
        self.loops -= 1

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Forget the temporaries that are made inside."""
        names, following = dict(self._names), self._next
        yield
        self._names, self._next = names, following

    @contextmanager
    def tests(self, conditions: Sequence[Term]) -> Iterator[None]:
        """Write what stands under all `conditions`; each of them may rely on those before it."""
        opened = 0
        names, following, indent = dict(self._names), self._next, self._indent
        waiting: list[Term] = []
        for x in conditions:
            if waiting and self.needs_names(x):
                self._open(waiting)
                opened, waiting = opened + 1, []
            waiting.append(x)
        if waiting:
            self._open(waiting)
        start = len(self.lines)
        yield
        if waiting and len(self.lines) == start:
            self.line("pass")
        self._names, self._next, self._indent = names, following, indent

    def _open(self, conditions: Sequence[Term]) -> None:
        self.line(f"if {self.test(conditions)}:")
        self._indent += 1

    def simple(self, conditions: Sequence[Term]) -> bool:
        """Tell whether `tests` writes a single `if`."""
        return len(conditions) > 0 and not any(self.needs_names(x) for x in conditions[1:])

    def needs_names(self, x: Term) -> bool:
        """Tell whether a test of `x` needs temporaries before it."""
        mark, lines = (dict(self._names), self._next), len(self.lines)
        self.test([x])
        wrote = len(self.lines) > lines
        del self.lines[lines:]
        self._names, self._next = mark
        return wrote

    def count(self, roots: Iterable[Term]) -> None:
        """Learn what is used more than once below `roots`, and so deserves a temporary."""
        uses: dict[Term, int] = {}
        heights: dict[Term, int] = {}
        self._uses, self._heights = uses, heights
        for root in roots:
            uses[root] = uses.get(root, 0) + 1
        for x in list(subterms(uses)):
            heights[x] = 1 + max((heights[a] for a in x.args), default=0)
            for k, a in enumerate(x.args):
                tested = x.do in (Do.NOT, Do.ALL) or (x.do is Do.ITE and k == 0)
                if a.do is Do.SLICE and (tested or (x.do is Do.EQ and x.args[1].const is not None)):
                    continue
                uses[a] = uses.get(a, 0) + 1

    def _settle(self, x: Term) -> None:
        """Give temporaries to parts of `x`, lowest first, so that what is left nests in bounds."""
        if self._heights.get(x, 0) <= DEEPEST:
            return
        heights: dict[Term, int] = {}
        for y in subterms([x]):
            heights[y] = 0 if y in self._names else 1 + max((heights[a] for a in y.args), default=0)
            if heights[y] > DEEPEST:
                self._named(y)
                heights[y] = 0

    # --- tests -----------------------------------------------------------------------------------------------

    def test(self, conditions: Sequence[Term]) -> str:
        """Return the text of a conjunction, as a test."""
        for x in conditions:
            self._settle(x)
        return self._conjunction(conditions)

    def _conjunction(self, conditions: Sequence[Term]) -> str:
        flat = [a for x in conditions for a in (x.args if x.do is Do.ALL and x not in self._names else (x,))]
        return " and ".join(self._parts(flat, positive=True)) or "True"

    def _parts(self, xs: Iterable[Term], *, positive: bool) -> list[str]:
        fused: dict[str, tuple[int, int]] = {}
        rest = []
        for x in xs:
            literal = _literal(x)
            if literal is None or x in self._names:
                rest.append(self._truth(x, positive=positive))
                continue
            offset, width, value = literal
            source, at = self._source(offset, width)
            mask, wanted = fused.get(source, (0, 0))
            bits = (1 << width) - 1 << at
            if wanted & bits != value << at & mask:
                return ["False" if positive else "True"]  # two fields overlap, and are to differ there
            fused[source] = mask | bits, wanted | value << at
        return [_mask_test(s, m, c, positive=positive) for s, (m, c) in fused.items()] + rest

    def _truth(self, x: Term, *, positive: bool) -> str:
        if x in self._names:
            return self._names[x] if positive else f"not {self._names[x]}"
        if self._uses.get(x, 0) > 1 and x.do in TRUTHS and _literal(x) is None and x.do is not Do.NOT:
            return self._truth(self._named(x), positive=positive)
        literal = _literal(x)
        if literal is not None:
            offset, width, value = literal
            source, at = self._source(offset, width)
            return _mask_test(source, ((1 << width) - 1) << at, value << at, positive=positive)
        match x.do:
            case Do.CONST:
                return "1" if bool(x.lo) is positive else "0"
            case Do.NOT:
                return self._truth(x.args[0], positive=not positive)
            case Do.ALL:
                parts = self._parts(x.args, positive=positive)
                return f"({' and '.join(parts) if positive else ' or '.join(parts)})"
            case Do.EQ | Do.LT:
                sign = {Do.EQ: ("!=", "=="), Do.LT: (">=", "<")}[x.do][positive]
                return f"{self.value(x.args[0])} {sign} {self.value(x.args[1])}"
            case _:
                return self.value(x) if positive else f"not {self.value(x)}"

    # --- values ----------------------------------------------------------------------------------------------

    def number(self, x: Term) -> str:
        """Return the text of a number to begin a line with."""
        self._settle(x)
        return self.value(x)

    def value(self, x: Term) -> str:
        """Return the text of a number, in parentheses where it is more than a name."""
        if x.do is Do.CONST:
            return str(x.lo) if x.lo >= 0 else f"({x.lo})"
        if x in self._names:
            return self._names[x]
        if x.do is Do.NAME:
            return f"c{x.data[0]}"
        if self._uses.get(x, 0) > 1:
            return self._names[self._named(x)]
        return f"({self._formula(x)})"

    def _named(self, x: Term) -> Term:
        """Give `x` a temporary."""
        if x not in self._names and x.do not in (Do.CONST, Do.NAME):
            text = self._formula(x)
            name = f"v{self._next}"
            self._next += 1
            self.line(f"{name} = {text}")
            self._names[x] = name
        return x

    def _formula(self, x: Term) -> str:
        value = self.value
        match x.do:
            case Do.SLICE:
                source, at = self._source(*x.data)
                return f"{source}{f' >> {at}' if at else ''} & {(1 << x.data[1]) - 1}"
            case Do.EQ | Do.LT:
                return self._operator(x)
            case Do.NOT if x.args[0].do in (Do.EQ, Do.LT):
                return self._operator(x.args[0], positive=False)
            case Do.NOT | Do.ALL:
                return f"1 if {self._truth_inside(x)} else 0"
            case Do.ADD if x.args[1].lo < 0 and x.args[1].const is not None:
                return f"{value(x.args[0])} - {-x.args[1].lo}"
            case Do.ADD | Do.SUB | Do.MUL | Do.AND | Do.OR | Do.XOR:
                return f"{value(x.args[0])} {_SIGNS[x.do]} {value(x.args[1])}"
            case Do.DIV | Do.MOD:
                text = f"{value(x.args[0])} {_SIGNS[x.do]} {value(x.args[1])}"
                return (
                    text
                    if x.args[1].lo > 0 or x.args[1].hi < 0
                    else f"{text} if {value(x.args[1])} else {x.data[0]}"
                )
            case Do.SHL:
                mask = (1 << x.data[0]) - 1
                return f"{value(x.args[0])} << {value(x.args[1])} & {mask} if {value(x.args[1])} < {x.data[0]} else 0"
            case Do.SHR:
                return f"{value(x.args[0])} >> {value(x.args[1])}"
            case Do.ONES:
                return f"{value(x.args[0])}.bit_count()"
            case Do.ITE:
                test = self._truth_inside(x.args[0])
                return f"{value(x.args[1])} if {test} else {value(x.args[2])}"
            case Do.CAT:
                return " | ".join(self.shifted(piece, at) for piece, at, _ in pieces(x))
            case Do.PART:
                offset, width = x.data
                return f"{value(x.args[0])}{f' >> {offset}' if offset else ''} & {(1 << width) - 1}"
            case Do.PICK:
                return self._pick(x)
            case Do.PUT:
                return self._put(x)
            case Do.CONST | Do.NAME:
                raise AssertionError("these have no formula")

    def _truth_inside(self, x: Term) -> str:
        return f"({self._conjunction([x])})"

    def _operator(self, x: Term, *, positive: bool = True) -> str:
        sign = {Do.EQ: ("!=", "=="), Do.LT: (">=", "<")}[x.do][positive]
        return f"{self.value(x.args[0])} {sign} {self.value(x.args[1])}"

    def shifted(self, x: Term, at: int) -> str:
        """Return the text of `x` shifted left, in parentheses."""
        self._settle(x)
        if x.do is Do.CONST:
            return str(x.lo << at)
        if x.do is Do.SLICE and x not in self._names and self._uses.get(x, 0) <= 1:
            source, from_ = self._source(*x.data)
            moved = f"{source} & {(1 << x.data[1]) - 1 << from_}"
            if at == from_:
                return f"({moved})"
            return f"(({moved}) << {at - from_})" if at > from_ else f"(({moved}) >> {from_ - at})"
        return f"({self.value(x)} << {at})" if at else self.value(x)

    def _pick(self, x: Term) -> str:
        array, position = x.args
        step, length, default = x.data
        mask = (1 << step) - 1
        inside = position.lo >= 0 and position.hi < length
        at = self.value(position)
        if not inside:
            at = self._names.get(self._named(position), at)
        times = at if step == 1 else f"{at} * {step}"
        if array.do is Do.SLICE and array not in self._names:
            source, offset = self._source(*array.data)
            text = f"{source} >> {f'({times}) + {offset}' if offset else f'({times})'} & {mask}"
        else:
            text = f"{self.value(array)} >> ({times}) & {mask}"
        return text if inside else f"({text}) if 0 <= {at} < {length} else {default}"

    def _put(self, x: Term) -> str:
        array, position, entry = x.args
        step, length = x.data
        inside = position.lo >= 0 and position.hi < length
        self._named(position)
        at = self.value(position)
        times = at if step == 1 else f"({at} * {step})"
        kept = self._names.get(self._named(array)) or self.value(array)
        mask = (1 << step) - 1
        text = f"{kept} & ~({mask} << {times})"
        if entry.const is None or entry.lo != 0:
            text += f" | {self.value(entry)} << {times}"
        return text if inside else f"({text}) if 0 <= {at} < {length} else {kept}"

    def _source(self, offset: int, width: int) -> tuple[str, int]:
        """Return the name of the digit that bits of the state lie in, and their offset there; or the whole state."""
        digit = offset // LIMB
        if (offset + width - 1) // LIMB != digit:
            return "s", offset
        self.digits.add(digit)
        return f"w{digit}", offset - digit * LIMB

    def masked(self, mask: int) -> str:
        """Return the text of some bits of the state, where they are."""
        low = (mask & -mask).bit_length() - 1
        source, at = self._source(low, mask.bit_length() - low)
        return f"{source} & {mask >> low << at}"

    def digit_lines(self) -> list[str]:
        """Return the lines that take the state apart into the digits that were used."""
        out = []
        for digit in sorted(self.digits):
            shifted = f"s >> {digit * LIMB}" if digit else "s"
            last = self.bits <= (digit + 1) * LIMB
            out.append(f"w{digit} = {shifted}" + ("" if last else f" & {(1 << LIMB) - 1}"))
        return out


_SIGNS = {
    Do.ADD: "+",
    Do.SUB: "-",
    Do.MUL: "*",
    Do.DIV: "//",
    Do.MOD: "%",
    Do.AND: "&",
    Do.OR: "|",
    Do.XOR: "^",
}


def _literal(x: Term) -> tuple[int, int, int] | None:
    """Return offset, width and value where `x` says that bits of the state have a constant value."""
    match x.do:
        case Do.SLICE:
            return (*x.data[:2], 1) if x.hi == 1 else None  # type: ignore[return-value]
        case Do.NOT if x.args[0].do is Do.SLICE and x.args[0].hi == 1:
            return x.args[0].data[0], x.args[0].data[1], 0
        case Do.EQ if x.args[0].do is Do.SLICE and x.args[1].const is not None:
            return x.args[0].data[0], x.args[0].data[1], x.args[1].const
        case _:
            return None


def _mask_test(source: str, mask: int, wanted: int, *, positive: bool) -> str:
    if wanted == 0 or (wanted == mask and mask.bit_count() == 1):
        return f"{source} & {mask}" if (wanted != 0) is positive else f"not {source} & {mask}"
    return f"{source} & {mask} {'==' if positive else '!='} {wanted}"
