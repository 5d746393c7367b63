"""Renaming elements of index types in packed values, and what a value tells of them.

An *order* gives each element its new number; a *line* lists the elements in their new order, and is its inverse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from refine.core.symmetry import mentions
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
from refine.run.layout import is_scalar, size_of, width

Line: TypeAlias = tuple[int, ...]
Order: TypeAlias = tuple[int, ...]
Element: TypeAlias = tuple[int, int]  # the number of its type, and its own


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar of a state: where it stands, and its code or the element that it is."""

    key: tuple[int, ...]
    path: tuple[Element, ...]
    code: int
    element: Element | None


@dataclass(frozen=True, slots=True)
class Elements:
    """Finds the elements of some index types in packed values."""

    types: tuple[Index, ...]

    def step(
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

    def leaves(
        self, type_: Type, bits: int, key: tuple[int, ...], path: tuple[Element, ...]
    ) -> Iterator[Leaf]:
        """Yield the scalars of a value, with where they stand."""
        match type_:
            case Bool() | Int() | Word() | Enum():
                yield Leaf(key, path, bits, None)
            case Index() | Thread():
                family, element = self._element(type_, bits)
                yield Leaf(key, path, bits if element is None else -1 - family, element)
            case Option(item):
                if bits and is_scalar(item):
                    yield from self.leaves(item, bits - 1, (*key, -1), path)
                elif bits:
                    yield Leaf((*key, -1), path, 1, None)
                    yield from self.leaves(item, bits >> 1, (*key, -2), path)
                if bits and is_scalar(item) and self._element(item, bits - 1)[1] is None:
                    yield Leaf((*key, -2), path, 1, None)
            case Set(item):
                for k in range(size_of(item)):
                    if bits >> k & 1:
                        yield Leaf(*self.step(key, path, item, k), 1, None)
            case Array(dom, item):
                step = width(item)
                for k in range(len(domain_values(dom))):
                    held = bits >> k * step & (1 << step) - 1
                    yield from self.leaves(item, held, *self.step(key, path, dom, k))
            case Struct(_, fields):
                for k, (_, t) in enumerate(fields):
                    yield from self.leaves(t, bits & (1 << width(t)) - 1, (*key, k), path)
                    bits >>= width(t)
            case _:
                assert_never(type_)


def moved(dom: Type, position: int, index: Index, order: Order) -> int:
    """Return where the entry at a position of an array or set over `dom` goes."""
    if dom == index:
        return order[position]
    return renamed(dom, position, index, order) if isinstance(dom, Thread) else position


def renamed(type_: Type, bits: int, index: Index, order: Order) -> int:
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
                return renamed(item, bits - 1, index, order) + 1
            return renamed(item, bits >> 1, index, order) << 1 | 1
        case Set(item):
            return sum(1 << moved(item, k, index, order) for k in range(size_of(item)) if bits >> k & 1)
        case Array(dom, item):
            step = width(item)
            total = 0
            for k in range(len(domain_values(dom))):
                entry = renamed(item, bits >> k * step & (1 << step) - 1, index, order)
                total |= entry << moved(dom, k, index, order) * step
            return total
        case Struct(_, fields):
            total = at = 0
            for _, t in fields:
                total |= renamed(t, bits >> at & (1 << width(t)) - 1, index, order) << at
                at += width(t)
            return total
        case _:
            assert_never(type_)


def inverse(sequence: Sequence[int]) -> Order:
    """Return the order that gives the elements their positions in a sequence."""
    order = [0] * len(sequence)
    for position, element in enumerate(sequence):
        order[element] = position
    return tuple(order)


def swap(n: int, a: int, b: int) -> Line:
    order = [*range(n)]
    order[a], order[b] = b, a
    return tuple(order)


def arrangements(groups: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the sequences of all members of the groups; members of one group are not told apart."""
    if not any(groups):
        yield []
        return
    for k, group in enumerate(groups):
        if group:
            rest = [group[1:] if j == k else g for j, g in enumerate(groups)]
            for sequence in arrangements(rest):
                yield [group[0], *sequence]
