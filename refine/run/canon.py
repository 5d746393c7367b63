"""Canonical forms of packed states under the renamings of symmetric index types: one for each orbit, exactly.

A type is *fixed* once its elements have got their final numbers. Each element of a type that is not fixed has a
signature: a sum of hashes, one for each bit field that it takes part in, of what does not depend on names. Elements
whose signatures differ are put in the order of the signatures; then the type is fixed, and its numbers sharpen the
signatures of the others. Where signatures tie, and swapping the elements changes the state, every order of them is
tried, and the least outcome is the canonical form. All of this is the same for all states of an orbit, whatever the
hashes: a poor hash costs time only.

A renaming acts on each part of the state by itself, so that it and the signatures are sums of table entries, one
table for each chunk of a few bits. The tables are filled as they are used.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never
from zlib import crc32

from refine.core.symmetry import mentions
from refine.core.system import System
from refine.core.types import (
    Array,
    Bool,
    Enum,
    Index,
    Int,
    Option,
    Set,
    Struct,
    Thread,
    Type,
    Word,
    domain_values,
)
from refine.run.compile import Thread as ThreadPlace
from refine.run.compile import threads_of
from refine.run.layout import Field, is_scalar, layout, size_of, width

CHUNK = 12  # bits of a chunk, where its parts are not wider
HASH, LANE = 20, 32  # bits of one hash, and of the sum of at most 4096 of them
MOST_TABLES = 4096

Line: TypeAlias = tuple[int, ...]  # the elements of a type in their new order
Order: TypeAlias = tuple[int, ...]  # by element, its new number
Trail: TypeAlias = tuple[tuple[int, Line], ...]
Element: TypeAlias = tuple[int, int]  # the number of its type, and its own


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a variable that no symmetric type arranges further down, or that is small."""

    key: tuple[int, ...]
    path: tuple[tuple[Type, int, int], ...]  # by what it is arranged: domain, position, distance of entries
    type: Type
    offset: int
    width: int


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A scalar of a state: where it stands, and its code or the element that it is."""

    key: tuple[int, ...]
    path: tuple[Element, ...]
    code: int
    element: Element | None


class _Table(dict[int, int]):
    """What a chunk contributes, by its bits."""

    __slots__ = ("fill",)

    def __init__(self, fill: Callable[[int], int]) -> None:
        super().__init__()
        self.fill = fill

    def __missing__(self, bits: int) -> int:
        found = self[bits] = self.fill(bits)
        return found


class Canon:
    """Makes states of one system canonical under renamings of `types`."""

    def __init__(self, system: System, types: Sequence[Index]) -> None:
        packed = layout(system)
        self.types = tuple(types)
        self.threads = threads_of(system, packed)
        self._families = [f.index.type if f.index is not None else None for f in system.families]
        self._bits = packed.bits
        self._every = (1 << len(types)) - 1
        self._bases = [sum(t.size for t in types[:k]) for k in range(len(types))]
        self._chunks = self._divide([part for k, f in enumerate(packed.fields) for part in self._parts(k, f)])
        self._renamers = [self._renamer(k) for k in range(len(types))]
        self._tables: list[dict[Line, tuple[_Table, ...]]] = [{} for _ in types]
        self._swaps = {
            (t.size, a, b): _swap(t.size, a, b) for t in types for b in range(t.size) for a in range(t.size)
        }
        self._known_patterns: dict[tuple[int, ...], list[Line]] = {}
        self._firsts = [
            next(n for n, t in enumerate(self.threads) if t.family == k) for k in range(len(self._families))
        ]
        self._identities = [tuple(range(t.size)) for t in types]
        lanes = sum(t.size for t in types)
        # A field of one bit or more marks three elements at most; only huge states need wider lanes.
        self._lane = LANE if 4 * packed.bits <= 1 << LANE - HASH else 2 * LANE
        self._unpack = struct.Struct(f"<{lanes}{'I' if self._lane == LANE else 'Q'}")
        self._signers: dict[int, tuple[Any, list[tuple[int, int, int]]]] = {}

    def __call__(self, packed: int) -> int:
        """Return the canonical form of a state."""
        fault = packed >> self._bits << self._bits
        return self._least(packed ^ fault, 0, ())[0] | fault

    def placed(self, packed: int) -> tuple[int, tuple[int, ...]]:
        """Return the canonical form, and for each thread the number of the thread that it has become."""
        fault = packed >> self._bits << self._bits
        least, trail = self._least(packed ^ fault, 0, ())
        return least | fault, tuple(self._place(thread, trail) for thread in self.threads)

    def _place(self, thread: ThreadPlace, trail: Trail) -> int:
        index, member = self._families[thread.family], thread.member
        for k, line in trail:
            if self.types[k] == index:
                member = line.index(member)
        return self._firsts[thread.family] + member

    # --- the search for the least -----------------------------------------------------------------------------

    def _least(self, x: int, fixed: int, trail: Trail) -> tuple[int, Trail]:
        every, unpack, size = self._every, self._unpack.unpack, self._unpack.size
        while fixed != every:
            signer, unfixed = self._signers.get(fixed) or self._signer(fixed)
            lanes = unpack(signer(x).to_bytes(size, "little"))
            tied = []
            for k, first, last in unfixed:
                marks = lanes[first:last]
                if len(set(marks)) < last - first:
                    tied.append((k, marks))
                    continue
                line = tuple(sorted(range(last - first), key=marks.__getitem__))
                x = self._rename(k, line, x)
                fixed |= 1 << k
                trail = (*trail, (k, line))
            if len(tied) < len(unfixed):
                continue
            fewest: list[Line] = []
            chosen = -1
            for k, marks in tied:
                lines = self._lines(k, x, marks)
                if not fewest or len(lines) < len(fewest):
                    fewest, chosen = lines, k
                    if len(lines) == 1:
                        break
            fixed |= 1 << chosen
            if len(fewest) > 1:
                return min(
                    self._least(self._rename(chosen, line, x), fixed, (*trail, (chosen, line)))
                    for line in fewest
                )
            x = self._rename(chosen, fewest[0], x)
            trail = (*trail, (chosen, fewest[0]))
        return x, trail

    def _lines(self, k: int, x: int, marks: Sequence[int]) -> list[Line]:
        """Return the orders of the elements of type `k` that are to be tried: one for each outcome."""
        classes: dict[int, list[list[int]]] = {}
        for element in sorted(range(len(marks)), key=marks.__getitem__):
            groups = classes.setdefault(marks[element], [])
            for group in groups:
                if self._rename(k, self._swaps[len(marks), group[0], element], x) == x:
                    group.append(element)
                    break
            else:
                groups.append([element])
        lines: list[Line] = [()]
        for groups in classes.values():
            members = [element for group in groups for element in group]
            if len(groups) == 1:
                lines = [(*line, *members) for line in lines]
            else:
                patterns = self._patterns(tuple(map(len, groups)))
                lines = [(*line, *(members[n] for n in pattern)) for line in lines for pattern in patterns]
        return lines

    def _patterns(self, sizes: tuple[int, ...]) -> list[Line]:
        """Return the sequences of positions in a list of groups, where members of one group are not told apart."""
        found = self._known_patterns.get(sizes)
        if found is None:
            numbers = iter(range(sum(sizes)))
            groups = [[next(numbers) for _ in range(size)] for size in sizes]
            found = self._known_patterns[sizes] = [tuple(line) for line in _arrangements(groups)]
        return found

    def _rename(self, k: int, line: Line, x: int) -> int:
        if line == self._identities[k]:
            return x
        tables = self._tables[k].get(line)
        if tables is None:
            tables = self._renaming(k, line)
        renamer: Callable[[int, tuple[_Table, ...]], int] = self._renamers[k][0]
        return renamer(x, tables)

    # --- tables -----------------------------------------------------------------------------------------------

    def _renaming(self, k: int, line: Line) -> tuple[_Table, ...]:
        """Make the tables for one renaming."""
        order = _inverse(line)
        if len(self._tables[k]) >= MOST_TABLES:
            self._tables[k].clear()
        index = self.types[k]

        def table(chunk: tuple[_Part, ...]) -> _Table:
            start = chunk[0].offset

            def fill(bits: int) -> int:
                total = 0
                for part in chunk:
                    held = bits >> part.offset - start & (1 << part.width) - 1
                    at = part.offset
                    for dom, position, step in part.path:
                        at += (_moved(dom, position, index, order) - position) * step
                    total += _renamed(part.type, held, index, order) << at
                return total

            return _Table(fill)

        tables = self._tables[k][line] = tuple(table(chunk) for chunk in self._renamers[k][1])
        return tables

    def _renamer(self, k: int) -> tuple[Any, list[tuple[_Part, ...]]]:
        """Compile the sum over the chunks that type `k` has to do with."""
        chunks = [
            chunk
            for chunk in self._chunks
            if any(
                mentions(t, self.types[k]) for p in chunk for t in (p.type, *(dom for dom, _, _ in p.path))
            )
        ]
        kept = (1 << self._bits) - 1
        terms = []
        for n, chunk in enumerate(chunks):
            offset, mask = _window(chunk)
            kept &= ~(mask << offset)
            terms.append(f" + t[{n}][x >> {offset} & {mask}]")
        return _compiled(f"lambda x, t: (x & {kept}){''.join(terms)}", {}), chunks

    def _signer(self, fixed: int) -> tuple[Any, list[tuple[int, int, int]]]:
        """Compile the sum of the signatures of all elements not fixed, each in its lane."""
        terms = ["0"]
        tables: dict[str, _Table] = {}
        for n, chunk in enumerate(self._chunks):
            offset, mask = _window(chunk)
            tables[f"t{n}"] = self._signatures(chunk, fixed)
            terms.append(f"t{n}[x >> {offset} & {mask}]")
        unfixed = [
            (k, base, base + t.size)
            for k, (t, base) in enumerate(zip(self.types, self._bases, strict=True))
            if not fixed >> k & 1
        ]
        made = _compiled(f"lambda x: {' + '.join(terms)}", tables), unfixed
        self._signers[fixed] = made
        return made

    def _signatures(self, chunk: tuple[_Part, ...], fixed: int) -> _Table:
        start = chunk[0].offset

        def fill(bits: int) -> int:
            total = 0
            for part in chunk:
                held = bits >> part.offset - start & (1 << part.width) - 1
                key: tuple[int, ...] = part.key
                path: tuple[Element, ...] = ()
                for dom, position, _ in part.path:
                    key, path = self._step(key, path, dom, position)
                for leaf in self._leaves(part.type, held, key, path):
                    total += self._marks(leaf, fixed)
            return total

        return _Table(fill)

    def _marks(self, leaf: _Leaf, fixed: int) -> int:
        """Return what one scalar adds to the signatures of the elements that it relates."""
        if leaf.element is None and leaf.code == 0:
            return 0
        ends = [*leaf.path, *([leaf.element] if leaf.element is not None else [])]
        shown = [(k, e if fixed >> k & 1 else -1 - ends.index((k, e))) for k, e in ends]
        total = 0
        for role, (k, e) in enumerate(ends):
            if not fixed >> k & 1:
                mark = crc32(repr((leaf.key, leaf.code, shown, role)).encode()) & ((1 << HASH) - 1)
                total += mark << (self._bases[k] + e) * self._lane
        return total

    # --- parts of the state -----------------------------------------------------------------------------------

    def _parts(self, number: int, f: Field) -> Iterator[_Part]:
        """Split a variable along its arrays until the pieces are small."""
        stack = [_Part((number,), (), f.type, f.offset, f.width)]
        while stack:
            part = stack.pop()
            if not any(
                mentions(t, s) for s in self.types for t in (part.type, *(d for d, _, _ in part.path))
            ):
                continue
            if part.width <= CHUNK or not isinstance(part.type, Array | Struct):
                yield part
                continue
            pieces = []
            if isinstance(part.type, Array):
                dom, step = part.type.dom, width(part.type.item)
                for position in range(len(domain_values(dom))):
                    path = (*part.path, (dom, position, step))
                    pieces.append(_Part(part.key, path, part.type.item, part.offset + position * step, step))
            else:
                at = part.offset
                for position, (_, t) in enumerate(part.type.fields):
                    pieces.append(_Part((*part.key, position), part.path, t, at, width(t)))
                    at += width(t)
            stack += reversed(pieces)

    def _divide(self, parts: list[_Part]) -> list[tuple[_Part, ...]]:
        """Gather neighbouring parts into chunks."""
        chunks: list[list[_Part]] = []
        for part in sorted((p for p in parts if p.width), key=lambda p: p.offset):
            last = chunks[-1] if chunks else []
            near = last and last[-1].offset + last[-1].width == part.offset
            if near and part.offset + part.width - last[0].offset <= CHUNK:
                last.append(part)
            else:
                chunks.append([part])
        return [tuple(chunk) for chunk in chunks]

    def _step(
        self, key: tuple[int, ...], path: tuple[Element, ...], dom: Type, position: int
    ) -> tuple[tuple[int, ...], tuple[Element, ...]]:
        """Extend key or path by a position in an array or set over `dom`."""
        family, element = self._element(dom, position)
        return ((*key, position), path) if element is None else ((*key, -1 - family), (*path, element))

    def _element(self, type_: Type, value: int) -> tuple[int, Element | None]:
        """Return the symmetric element that a value is, if any, and its thread family."""
        family = 0
        if isinstance(type_, Thread):
            family, value = type_.locate(value)
            index = type_.parts[family].index
        else:
            index = type_ if isinstance(type_, Index) else None
        if index is None or index not in self.types:
            return family, None
        return family, (self.types.index(index), value)

    def _leaves(
        self, type_: Type, bits: int, key: tuple[int, ...], path: tuple[Element, ...]
    ) -> Iterator[_Leaf]:
        """Yield the scalars of a value, with where they stand."""
        match type_:
            case Bool() | Int() | Word() | Enum():
                yield _Leaf(key, path, bits, None)
            case Index() | Thread():
                family, element = self._element(type_, bits)
                yield _Leaf(key, path, bits if element is None else -1 - family, element)
            case Option(item):
                if bits and is_scalar(item):
                    yield from self._leaves(item, bits - 1, (*key, -1), path)
                elif bits:
                    yield _Leaf((*key, -1), path, 1, None)
                    yield from self._leaves(item, bits >> 1, (*key, -2), path)
                if bits and is_scalar(item) and self._element(item, bits - 1)[1] is None:
                    yield _Leaf((*key, -2), path, 1, None)
            case Set(item):
                for k in range(size_of(item)):
                    if bits >> k & 1:
                        yield _Leaf(*self._step(key, path, item, k), 1, None)
            case Array(dom, item):
                step = width(item)
                for k in range(len(domain_values(dom))):
                    held = bits >> k * step & (1 << step) - 1
                    yield from self._leaves(item, held, *self._step(key, path, dom, k))
            case Struct(_, fields):
                for k, (_, t) in enumerate(fields):
                    yield from self._leaves(t, bits & (1 << width(t)) - 1, (*key, k), path)
                    bits >>= width(t)
            case _:
                assert_never(type_)


# --- renaming codes ---------------------------------------------------------------------------------------------


def _moved(dom: Type, position: int, index: Index, order: Order) -> int:
    """Return where the entry at a position of an array or set over `dom` goes."""
    if dom == index:
        return order[position]
    return _renamed(dom, position, index, order) if isinstance(dom, Thread) else position


def _renamed(type_: Type, bits: int, index: Index, order: Order) -> int:
    """Return the code of a value whose elements of `index` have got new numbers."""
    if not mentions(type_, index):
        return bits
    match type_:
        case Bool() | Int() | Word() | Enum():
            return bits
        case Index():
            return order[bits]
        case Thread(parts):
            part, member = type_.locate(bits)
            return type_.offset(part) + order[member] if parts[part].index == index else bits
        case Option(item):
            if bits == 0:
                return 0
            if is_scalar(item):
                return _renamed(item, bits - 1, index, order) + 1
            return _renamed(item, bits >> 1, index, order) << 1 | 1
        case Set(item):
            return sum(1 << _moved(item, k, index, order) for k in range(size_of(item)) if bits >> k & 1)
        case Array(dom, item):
            step = width(item)
            total = 0
            for k in range(len(domain_values(dom))):
                entry = _renamed(item, bits >> k * step & (1 << step) - 1, index, order)
                total |= entry << _moved(dom, k, index, order) * step
            return total
        case Struct(_, fields):
            total = at = 0
            for _, t in fields:
                total |= _renamed(t, bits >> at & (1 << width(t)) - 1, index, order) << at
                at += width(t)
            return total
        case _:
            assert_never(type_)


def _window(chunk: tuple[_Part, ...]) -> tuple[int, int]:
    offset = chunk[0].offset
    return offset, (1 << chunk[-1].offset + chunk[-1].width - offset) - 1


def _compiled(text: str, names: dict[str, _Table]) -> Any:
    return eval(compile(text, "<symmetry>", "eval"), dict(names))


def _inverse(sequence: Sequence[int]) -> Order:
    """Return the order that gives the elements their positions in a sequence."""
    order = [0] * len(sequence)
    for position, element in enumerate(sequence):
        order[element] = position
    return tuple(order)


def _swap(n: int, a: int, b: int) -> Line:
    order = [*range(n)]
    order[a], order[b] = b, a
    return tuple(order)


def _arrangements(groups: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the sequences of all members of the groups; members of one group are not told apart."""
    if not any(groups):
        yield []
        return
    for k, group in enumerate(groups):
        if group:
            rest = [group[1:] if j == k else g for j, g in enumerate(groups)]
            for sequence in _arrangements(rest):
                yield [group[0], *sequence]
