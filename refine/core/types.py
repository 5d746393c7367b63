"""The types of the core: finite scalars, machine words, and the containers built from them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Bool:
    """Truth values; a value is a Python `bool`."""

    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True, slots=True)
class Int:
    """Integers from `lo` to `hi` inclusive, or all integers where both are None (solvers only).

    A value is a Python `int`, the number itself.
    """

    lo: int | None = None
    hi: int | None = None

    @property
    def bounded(self) -> bool:
        return self.lo is not None and self.hi is not None

    def __str__(self) -> str:
        return f"int({self.lo}..{self.hi})" if self.bounded else "int"


@dataclass(frozen=True, slots=True)
class Word:
    """Unsigned machine words of `bits` bits; arithmetic wraps around. A value is an `int` in 0..2**bits-1."""

    bits: int

    def __str__(self) -> str:
        return f"u{self.bits}"


@dataclass(frozen=True, slots=True)
class Enum:
    """Named constants. A value is the ordinal of its member."""

    name: str
    members: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


class IndexKind(enum.Enum):
    """What may be done with the values of an index type beside `==` and quantification."""

    INDEX = "index"  # nothing: pure identities, hence symmetric
    SLOT = "slot"  # first and next
    RING = "ring"  # first and next, the last one's next is the first
    GFN = "gfn"  # order and arithmetic


@dataclass(frozen=True, slots=True)
class Index:
    """`size` identities. A value is an `int` in 0..size-1; for kind INDEX its order means nothing."""

    name: str
    size: int
    kind: IndexKind = IndexKind.INDEX

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Part:
    """One thread family: its name, and the index that its members are numbered by (None: a single thread)."""

    name: str
    index: Index | None

    @property
    def size(self) -> int:
        return self.index.size if self.index else 1


@dataclass(frozen=True, slots=True)
class Thread:
    """The identities of all threads: the disjoint union of the families.

    A value is an `int`: members are numbered family by family in the order of `parts`.
    """

    parts: tuple[Part, ...]

    def offset(self, part: int) -> int:
        """The number of the first member of family `part`."""
        return sum(p.size for p in self.parts[:part])

    def locate(self, value: int) -> tuple[int, int]:
        """The family of thread number `value`, and its number within the family."""
        for k, part in enumerate(self.parts):
            if value < part.size:
                return k, value
            value -= part.size
        raise AssertionError("a thread number is always smaller than the number of threads")

    def __str__(self) -> str:
        return "thread"


@dataclass(frozen=True, slots=True)
class Option:
    """A value of `item`, or none. A value is None or a value of `item`; `item` is never itself an Option."""

    item: Type

    def __str__(self) -> str:
        return f"{self.item}?"


@dataclass(frozen=True, slots=True)
class Set:
    """Sets over a domain type. A value is a `frozenset` of domain values."""

    item: Type

    def __str__(self) -> str:
        return f"set<{self.item}>"


@dataclass(frozen=True, slots=True)
class Array:
    """Total maps from a domain type. A value is a tuple with one entry for each domain value, in order."""

    dom: Type
    item: Type

    def __str__(self) -> str:
        return f"{self.item}[{self.dom}]"


@dataclass(frozen=True, slots=True)
class Struct:
    """Records. A value is a tuple with one entry for each field, in order."""

    name: str
    fields: tuple[tuple[str, Type], ...]

    def field(self, name: str) -> tuple[int, Type] | None:
        """Position and type of the field `name`."""
        for k, (field, type_) in enumerate(self.fields):
            if field == name:
                return k, type_
        return None

    def __str__(self) -> str:
        return self.name


Type: TypeAlias = Bool | Int | Word | Enum | Index | Thread | Option | Set | Array | Struct
Value: TypeAlias = "bool | int | frozenset[Value] | tuple[Value, ...] | None"

BOOL = Bool()
INT = Int()


def is_domain(type_: Type) -> bool:
    """Whether arrays, sets and quantifiers may range over `type_`: finite, and small enough to be listed."""
    match type_:
        case Bool() | Enum() | Index() | Thread():
            return True
        case Int(lo, hi):
            return lo is not None and hi is not None
        case _:
            return False


def cardinality(type_: Type) -> int | None:
    """The number of values of `type_`; None where there is no finite number."""
    match type_:
        case Bool():
            return 2
        case Int(lo, hi):
            return None if lo is None or hi is None else hi - lo + 1
        case Word(bits):
            return 1 << bits
        case Enum(_, members):
            return len(members)
        case Index(_, size):
            return size
        case Thread(parts):
            return sum(p.size for p in parts)
        case Option(item):
            n = cardinality(item)
            return None if n is None else n + 1
        case Set(item):
            n = cardinality(item)
            return None if n is None else 1 << n
        case Array(dom, item):
            d, n = cardinality(dom), cardinality(item)
            return None if d is None or n is None else n**d
        case Struct(_, fields):
            total = 1
            for _, field in fields:
                n = cardinality(field)
                if n is None:
                    return None
                total *= n
            return total


def domain_values(type_: Type) -> range:
    """All values of a domain type (see `is_domain`), in order. A `bool` counts as 0 and 1."""
    if isinstance(type_, Int):
        assert type_.lo is not None and type_.hi is not None, "a domain type is bounded"
        return range(type_.lo, type_.hi + 1)
    n = cardinality(type_)
    assert n is not None, "a domain type is finite"
    return range(n)


def position(dom: Type, value: int) -> int:
    """Where the entry for `value` stands in an array over `dom`."""
    return value - dom.lo if isinstance(dom, Int) and dom.lo is not None else value


def default(type_: Type) -> Value:
    """The value that a total operator yields where its argument is undefined: zero, false, none, empty."""
    match type_:
        case Bool():
            return False
        case Int(lo, hi):
            return 0 if lo is None or hi is None else max(lo, min(0, hi))
        case Word() | Enum() | Index() | Thread():
            return 0
        case Option():
            return None
        case Set():
            return frozenset()
        case Array(dom, item):
            return (default(item),) * len(domain_values(dom))
        case Struct(_, fields):
            return tuple(default(t) for _, t in fields)


def show_value(type_: Type, value: Value) -> str:
    """`value` as a specification would write it: `PRESENT`, `vcpu#1`, `none`, `{guest#0}`."""
    match type_:
        case Bool():
            return "true" if value else "false"
        case Int() | Word():
            return str(value)
        case Enum(_, members):
            assert isinstance(value, int), "an enum value is an ordinal"
            return members[value]
        case Index(name, _, kind):
            return str(value) if kind is IndexKind.GFN else f"{name}#{value}"
        case Thread(parts):
            assert isinstance(value, int), "a thread is a number"
            k, member = type_.locate(value)
            return parts[k].name if parts[k].index is None else f"{parts[k].name}[{member}]"
        case Option(item):
            return "none" if value is None else show_value(item, value)
        case Set(item):
            assert isinstance(value, frozenset), "a set is a frozenset"
            return "{" + ", ".join(show_value(item, v) for v in sorted(value)) + "}"  # type: ignore[type-var]
        case Array(_, item):
            assert isinstance(value, tuple), "an array is a tuple"
            return "[" + ", ".join(show_value(item, v) for v in value) + "]"
        case Struct(_, fields):
            assert isinstance(value, tuple), "a struct is a tuple"
            shown = zip(fields, value, strict=True)
            return "{" + ", ".join(f"{f} = {show_value(t, v)}" for (f, t), v in shown) + "}"
