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
from typing import Any, TypeAlias
from zlib import crc32

from refine.core.symmetry import mentions
from refine.core.system import System
from refine.core.types import Array, Index, Struct, Type, domain_values
from refine.run.compile import threads_of
from refine.run.layout import Field, layout, width
from refine.run.rename import Element, Elements, Leaf, Line, arrangements, inverse, moved, renamed, swap
from refine.run.rules import Thread as ThreadPlace

CHUNK = 12  # bits of a chunk, where its parts are not wider
HASH, LANE = 20, 32  # bits of one hash, and of the sum of at most 4096 of them
MOST_TABLES = 4096

Trail: TypeAlias = tuple[tuple[int, Line], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a variable that no symmetric type arranges further down, or that is small."""

    key: tuple[int, ...]
    path: tuple[tuple[Type, int, int], ...]  # by what it is arranged: domain, position, distance of entries
    type: Type
    offset: int
    width: int


class Table(dict[int, int]):
    """What a chunk contributes, by its bits."""

    __slots__ = ("fill",)

    def __init__(self, fill: Callable[[int], int]) -> None:
        super().__init__()
        self.fill = fill

    def __missing__(self, bits: int) -> int:
        found = self[bits] = self.fill(bits)
        return found


class Canon:
    """Makes states of one system canonical under renamings of `types`.

    `refine.run.crowd` does the same for many states at once, with the signatures and renamings of this class.
    """

    def __init__(self, system: System, types: Sequence[Index]) -> None:
        packed = layout(system)
        self.types = tuple(types)
        self.threads = threads_of(system, packed)
        self._elements = Elements(self.types)
        self._families = [f.index.type if f.index is not None else None for f in system.families]
        self.bits = packed.bits
        self.every = (1 << len(types)) - 1
        self.bases = [sum(t.size for t in types[:k]) for k in range(len(types))]
        self.chunks = self._divide([part for k, f in enumerate(packed.fields) for part in self._parts(k, f)])
        self.touched = [self._touched(index) for index in types]
        self._renamers = [self._renamer(chunks) for chunks in self.touched]
        self._tables: list[dict[Line, tuple[Table, ...]]] = [{} for _ in types]
        self.swaps = {
            (t.size, a, b): swap(t.size, a, b) for t in types for b in range(t.size) for a in range(t.size)
        }
        self._known_patterns: dict[tuple[int, ...], list[Line]] = {}
        self._firsts = [
            next(n for n, t in enumerate(self.threads) if t.family == k) for k in range(len(self._families))
        ]
        self._identities = [tuple(range(t.size)) for t in types]
        lanes = sum(t.size for t in types)
        # A field of one bit or more marks three elements at most; only huge states need wider lanes.
        self.lane = LANE if 4 * packed.bits <= 1 << LANE - HASH else 2 * LANE
        self._unpack = struct.Struct(f"<{lanes}{'I' if self.lane == LANE else 'Q'}")
        self._signers: dict[int, tuple[Any, list[tuple[int, int, int]]]] = {}

    def __call__(self, packed: int) -> int:
        """Return the canonical form of a state."""
        fault = packed >> self.bits << self.bits
        return self.least(packed ^ fault, 0, ())[0] | fault

    def placed(self, packed: int) -> tuple[int, tuple[int, ...]]:
        """Return the canonical form, and for each thread the number of the thread that it has become."""
        fault = packed >> self.bits << self.bits
        least, trail = self.least(packed ^ fault, 0, ())
        return least | fault, tuple(self._place(thread, trail) for thread in self.threads)

    def _place(self, thread: ThreadPlace, trail: Trail) -> int:
        index, member = self._families[thread.family], thread.member
        for k, line in trail:
            if self.types[k] == index:
                member = line.index(member)
        return self._firsts[thread.family] + member

    # --- the search for the least -----------------------------------------------------------------------------

    def least(self, x: int, fixed: int, trail: Trail = ()) -> tuple[int, Trail]:
        """Return the least form of a state in which some types are fixed, and how its elements were renamed."""
        every, unpack, size = self.every, self._unpack.unpack, self._unpack.size
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
                    self.least(self._rename(chosen, line, x), fixed, (*trail, (chosen, line)))
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
                if self._rename(k, self.swaps[len(marks), group[0], element], x) == x:
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
            found = self._known_patterns[sizes] = [tuple(line) for line in arrangements(groups)]
        return found

    def _rename(self, k: int, line: Line, x: int) -> int:
        if line == self._identities[k]:
            return x
        tables = self._tables[k].get(line) or self.renaming(k, line)
        renamer: Callable[[int, tuple[Table, ...]], int] = self._renamers[k]
        return renamer(x, tables)

    # --- tables -----------------------------------------------------------------------------------------------

    def renaming(self, k: int, line: Line) -> tuple[Table, ...]:
        """Return the tables of one renaming, for each chunk that it changes."""
        known = self._tables[k].get(line)
        if known is not None:
            return known
        order = inverse(line)
        if len(self._tables[k]) >= MOST_TABLES:
            self._tables[k].clear()
        index = self.types[k]

        def table(chunk: tuple[Part, ...]) -> Table:
            start = chunk[0].offset

            def fill(bits: int) -> int:
                total = 0
                for part in chunk:
                    held = bits >> part.offset - start & (1 << part.width) - 1
                    at = part.offset
                    for dom, position, step in part.path:
                        at += (moved(dom, position, index, order) - position) * step
                    total += renamed(part.type, held, index, order) << at
                return total

            return Table(fill)

        tables = self._tables[k][line] = tuple(table(chunk) for chunk in self.touched[k])
        return tables

    def _touched(self, index: Index) -> list[tuple[Part, ...]]:
        """Return the chunks that renaming the elements of `index` changes."""
        return [
            chunk
            for chunk in self.chunks
            if any(mentions(t, index) for p in chunk for t in (p.type, *(dom for dom, _, _ in p.path)))
        ]

    def _renamer(self, chunks: Sequence[tuple[Part, ...]]) -> Any:
        """Compile the sum over these chunks, added to what is not in them."""
        kept = (1 << self.bits) - 1
        terms = []
        for n, chunk in enumerate(chunks):
            offset, mask = window(chunk)
            kept &= ~(mask << offset)
            terms.append(f" + t[{n}][x >> {offset} & {mask}]")
        return _compiled(f"lambda x, t: (x & {kept}){''.join(terms)}", {})

    def _signer(self, fixed: int) -> tuple[Any, list[tuple[int, int, int]]]:
        """Compile the sum of the signatures of all elements not fixed, each in its lane."""
        terms = ["0"]
        tables: dict[str, Table] = {}
        for n, chunk in enumerate(self.chunks):
            offset, mask = window(chunk)
            tables[f"t{n}"] = self.signatures(chunk, fixed)
            terms.append(f"t{n}[x >> {offset} & {mask}]")
        unfixed = [
            (k, base, base + t.size)
            for k, (t, base) in enumerate(zip(self.types, self.bases, strict=True))
            if not fixed >> k & 1
        ]
        made = _compiled(f"lambda x: {' + '.join(terms)}", tables), unfixed
        self._signers[fixed] = made
        return made

    def signatures(self, chunk: tuple[Part, ...], fixed: int) -> Table:
        """Return what a chunk adds to the signatures of all elements not fixed, each in its lane."""
        start = chunk[0].offset

        def fill(bits: int) -> int:
            total = 0
            for part in chunk:
                held = bits >> part.offset - start & (1 << part.width) - 1
                key: tuple[int, ...] = part.key
                path: tuple[Element, ...] = ()
                for dom, position, _ in part.path:
                    key, path = self._elements.step(key, path, dom, position)
                for leaf in self._elements.leaves(part.type, held, key, path):
                    total += self._marks(leaf, fixed)
            return total

        return Table(fill)

    def _marks(self, leaf: Leaf, fixed: int) -> int:
        """Return what one scalar adds to the signatures of the elements that it relates."""
        if leaf.element is None and leaf.code == 0:
            return 0
        ends = [*leaf.path, *([leaf.element] if leaf.element is not None else [])]
        shown = [(k, e if fixed >> k & 1 else -1 - ends.index((k, e))) for k, e in ends]
        total = 0
        for role, (k, e) in enumerate(ends):
            if not fixed >> k & 1:
                mark = crc32(repr((leaf.key, leaf.code, shown, role)).encode()) & ((1 << HASH) - 1)
                total += mark << (self.bases[k] + e) * self.lane
        return total

    # --- parts of the state -----------------------------------------------------------------------------------

    def _parts(self, number: int, f: Field) -> Iterator[Part]:
        """Split a variable along its arrays until the pieces are small."""
        stack = [Part((number,), (), f.type, f.offset, f.width)]
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
                    pieces.append(Part(part.key, path, part.type.item, part.offset + position * step, step))
            else:
                at = part.offset
                for position, (_, t) in enumerate(part.type.fields):
                    pieces.append(Part((*part.key, position), part.path, t, at, width(t)))
                    at += width(t)
            stack += reversed(pieces)

    def _divide(self, parts: list[Part]) -> list[tuple[Part, ...]]:
        """Gather neighbouring parts into chunks."""
        chunks: list[list[Part]] = []
        for part in sorted((p for p in parts if p.width), key=lambda p: p.offset):
            last = chunks[-1] if chunks else []
            near = last and last[-1].offset + last[-1].width == part.offset
            if near and part.offset + part.width - last[0].offset <= CHUNK:
                last.append(part)
            else:
                chunks.append([part])
        return [tuple(chunk) for chunk in chunks]


def window(chunk: tuple[Part, ...]) -> tuple[int, int]:
    """Return where a chunk begins, and the mask of its bits from there."""
    offset = chunk[0].offset
    return offset, (1 << chunk[-1].offset + chunk[-1].width - offset) - 1


def _compiled(text: str, names: dict[str, Table]) -> Any:
    return eval(compile(text, "<symmetry>", "eval"), dict(names))
