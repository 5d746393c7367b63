"""States packed into one Python int: where each variable, entry, field and member has its bits.

Every type has a fixed width and one code for each value, so that equal values are equal ints: Int is stored minus
its lower bound, an optional scalar as 0 for none and its code + 1, another optional as a flag below its value
(all zero where none), a set as one bit a member, arrays and structs as their parts, the first in the lowest bits.
The fault (0: none, else its place + 1) stands above all variables: states without one are small numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias, assert_never

from refine.core.system import State, System
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
    Value,
    Word,
    cardinality,
    domain_values,
)
from refine.run.eval import Refused

LIMB = 30  # bits of a digit of CPython's ints: what fits in one is computed without allocating
WIDEST = 1 << 16

Scalar: TypeAlias = Bool | Int | Word | Enum | Index | Thread


def is_scalar(type_: Type) -> bool:
    return isinstance(type_, Scalar)


@cache
def size_of(type_: Type) -> int:
    """Return the number of codes of a scalar or an optional scalar: 0..size-1 are all used."""
    n = cardinality(type_)
    if n is None:
        raise Refused("the system has unbounded integers; explicit search cannot list them")
    return n


@cache
def width(type_: Type) -> int:
    """Return the number of bits of a value of `type_`."""
    match type_:
        case Bool() | Int() | Word() | Enum() | Index() | Thread():
            return (size_of(type_) - 1).bit_length()
        case Option(item):
            return size_of(item).bit_length() if is_scalar(item) else 1 + width(item)
        case Set(item):
            return size_of(item)
        case Array(dom, item):
            return _bounded(len(domain_values(dom)) * width(item))
        case Struct(_, fields):
            return _bounded(sum(width(t) for _, t in fields))
        case _:
            assert_never(type_)


def _bounded(bits: int) -> int:
    if bits > WIDEST:
        raise Refused(f"the system has states of more than {WIDEST} bits; explicit search does not keep them")
    return bits


def field_offset(type_: Struct, position: int) -> int:
    return sum(width(t) for _, t in type_.fields[:position])


def lowest(type_: Type) -> int:
    """Return what is subtracted from a scalar's value to get its code."""
    if isinstance(type_, Int):
        assert type_.lo is not None, "width has refused unbounded integers"
        return type_.lo
    return 0


def code(type_: Type, value: Value) -> int:
    """Return the bits of a value."""
    match type_:
        case Bool() | Int() | Word() | Enum() | Index() | Thread():
            assert isinstance(value, int), "scalars are numbers"
            return int(value) - lowest(type_)
        case Option(item):
            if value is None:
                return 0
            return code(item, value) + 1 if is_scalar(item) else code(item, value) << 1 | 1
        case Set(item):
            assert isinstance(value, frozenset), "a set is a frozenset"
            return sum(1 << code(item, v) for v in value)
        case Array(_, item):
            assert isinstance(value, tuple), "an array is a tuple"
            return sum(code(item, v) << k * width(item) for k, v in enumerate(value))
        case Struct(_, fields):
            assert isinstance(value, tuple), "a struct is a tuple"
            return sum(code(fields[k][1], v) << field_offset(type_, k) for k, v in enumerate(value))
        case _:
            assert_never(type_)


def value(type_: Type, bits: int) -> Value:
    """Return the value that `bits` are the code of."""
    match type_:
        case Bool():
            return bool(bits)
        case Int() | Word() | Enum() | Index() | Thread():
            return bits + lowest(type_)
        case Option(item):
            if bits == 0:
                return None
            return value(item, bits - 1) if is_scalar(item) else value(item, bits >> 1)
        case Set(item):
            return frozenset(value(item, k) for k in range(size_of(item)) if bits >> k & 1)
        case Array(dom, item):
            step = width(item)
            mask = (1 << step) - 1
            return tuple(value(item, bits >> k * step & mask) for k in range(len(domain_values(dom))))
        case Struct(_, fields):
            out = []
            for _, t in fields:
                out.append(value(t, bits & ((1 << width(t)) - 1)))
                bits >>= width(t)
            return tuple(out)
        case _:
            assert_never(type_)


def codes(type_: Type) -> Iterator[int]:
    """Yield the codes of all values of a finite type, in the order of `eval.values_of`."""
    match type_:
        case Bool() | Int() | Word() | Enum() | Index() | Thread():
            yield from range(size_of(type_))
        case Option(item):
            yield 0
            for bits in codes(item):
                yield bits + 1 if is_scalar(item) else bits << 1 | 1
        case Set(item):
            yield from range(1 << size_of(item))
        case Array(dom, item):
            yield from _codes_of_parts([(item, width(item))] * len(domain_values(dom)))
        case Struct(_, fields):
            yield from _codes_of_parts([(t, width(t)) for _, t in fields])
        case _:
            assert_never(type_)


def _codes_of_parts(parts: list[tuple[Type, int]]) -> Iterator[int]:
    if not parts:
        yield 0
        return
    (first, bits), rest = parts[0], parts[1:]
    for low in codes(first):
        for high in _codes_of_parts(rest):
            yield low | high << bits


@dataclass(frozen=True, slots=True)
class Field:
    """Where a variable lies."""

    name: str
    type: Type
    offset: int
    width: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of all variables, in the order of `System.vars`, and where the fault lies above them."""

    fields: tuple[Field, ...]
    bits: int

    def field(self, name: str) -> Field:
        return next(f for f in self.fields if f.name == name)

    def encode(self, state: State) -> int:
        packed = 0 if state.fault is None else state.fault + 1 << self.bits
        for f, v in zip(self.fields, state.values, strict=True):
            packed |= code(f.type, v) << f.offset
        return packed

    def decode(self, packed: int) -> State:
        values = tuple(value(f.type, packed >> f.offset & ((1 << f.width) - 1)) for f in self.fields)
        fault = packed >> self.bits
        return State(values, fault - 1 if fault else None)


def layout(system: System) -> Layout:
    """Lay out the variables: program counters lowest, and none across a digit's border that need not be."""
    counters = {family.pc for family in system.families}
    order = sorted(system.vars, key=lambda v: v.name not in counters)
    free: list[int] = []  # the first free bit of each digit
    offsets: dict[str, int] = {}
    for var in order:
        bits = width(var.type)
        if bits > LIMB:
            offsets[var.name] = LIMB * len(free)
            full, rest = divmod(bits, LIMB)
            free += [LIMB] * full + [rest] * bool(rest)
            continue
        digit = next((k for k, used in enumerate(free) if used + bits <= LIMB), len(free))
        if digit == len(free):
            free.append(0)
        offsets[var.name] = LIMB * digit + free[digit]
        free[digit] += bits
    total = LIMB * (len(free) - 1) + free[-1] if free else 0
    return Layout(tuple(Field(v.name, v.type, offsets[v.name], width(v.type)) for v in system.vars), total)
