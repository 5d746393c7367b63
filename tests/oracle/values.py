"""The types and values of the plain interpreter: what exists, what may be stored where, how it is shown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias


class Undefined(Exception):
    """An undefined action: none dereferenced, a range left, and the like."""


class Blocked(Exception):
    """A condition is false: what was being carried out does not happen."""


class Unsupported(Exception):
    """The interpreter does not cover this."""


class Elem(NamedTuple):
    """A member of an index, slot, ring, gfn, enum or machine; `label` is the name of an enum's member."""

    type: str
    n: int
    label: str | None


class Thr(NamedTuple):
    """The identity of a thread: its family, and its number there (-1: not a family)."""

    family: str
    n: int


class Word(NamedTuple):
    """A machine word."""

    bits: int
    n: int


class Unset(NamedTuple):
    """What a local of an index or thread type has before it is given a value."""


UNSET = Unset()
Value: TypeAlias = Any  # bool, int, Word, Elem, Thr, None, frozenset, Agg


class Bool(NamedTuple):
    pass


class Int(NamedTuple):
    lo: int | None
    hi: int | None


class WordT(NamedTuple):
    bits: int


class Index(NamedTuple):
    """`kind` is index, slot, ring or gfn."""

    name: str
    kind: str
    size: int


class Enum(NamedTuple):
    name: str
    members: tuple[str, ...]
    edges: tuple[tuple[str, str, str | None], ...] | None  # of a machine: from, to, owner


class Thread(NamedTuple):
    all: tuple[Thr, ...]


class Option(NamedTuple):
    item: Any


class Set(NamedTuple):
    item: Any


class Struct(NamedTuple):
    name: str
    fields: tuple[tuple[str, Any], ...]


class Array(NamedTuple):
    dom: Any
    item: Any


Ty: TypeAlias = Bool | Int | WordT | Index | Enum | Thread | Option | Set | Struct | Array


class Agg(NamedTuple):
    """A whole array or struct as a value: its type, and its scalars by the way that leads to them."""

    type: Any
    cells: tuple[tuple[tuple[Any, ...], Any], ...]


def arrays(dims: list[Ty] | tuple[Ty, ...], item: Ty) -> Ty:
    for dom in reversed(dims):
        item = Array(dom, item)
    return item


def is_scalar(ty: Ty) -> bool:
    return not isinstance(ty, Array | Struct)


def domain(ty: Ty) -> list[Value]:
    """All values of a type that may be quantified over, in order."""
    match ty:
        case Bool():
            return [False, True]
        case Int(int(lo), int(hi)):
            return list(range(lo, hi + 1))
        case Index(name, _, size):
            return [Elem(name, k, None) for k in range(size)]
        case Enum(name, members):
            return [Elem(name, k, m) for k, m in enumerate(members)]
        case Thread(every):
            return list(every)
        case _:
            pass
    raise Unsupported(f"quantification over {ty}")


def every(ty: Ty) -> list[Value]:
    """All values of any finite scalar type."""
    match ty:
        case WordT(bits):
            return [Word(bits, n) for n in range(1 << bits)]
        case Option(item):
            return [None, *every(item)]
        case Set(item):
            members = domain(item)
            subsets = (itertools.combinations(members, n) for n in range(len(members) + 1))
            return [frozenset(s) for s in itertools.chain.from_iterable(subsets)]
        case _:
            return domain(ty)


def default(ty: Ty) -> Value:
    """Zero, false, none, empty, the first member."""
    match ty:
        case Bool():
            return False
        case Int(lo, hi):
            return 0 if lo is None or hi is None else max(lo, min(0, hi))
        case WordT(bits):
            return Word(bits, 0)
        case Option():
            return None
        case Set():
            return frozenset()
        case _:
            return domain(ty)[0]


def unset(ty: Ty) -> Value:
    """What a local is before it is given a value: the default, except where no member is the first."""
    return UNSET if isinstance(ty, Thread) or (isinstance(ty, Index) and ty.kind == "index") else default(ty)


def ways(ty: Ty) -> Iterator[tuple[tuple[Any, ...], Ty]]:
    """The way to each scalar inside a value of `ty`, and its type; a step is an element or `.field`."""
    match ty:
        case Array(dom, item):
            for k in domain(dom):
                for way, leaf in ways(item):
                    yield (k, *way), leaf
        case Struct(_, fields):
            for name, field in fields:
                for way, leaf in ways(field):
                    yield (f".{name}", *way), leaf
        case _:
            yield (), ty


def number(value: Value) -> int:
    """What is a number, or can stand for one."""
    if isinstance(value, bool):
        raise Unsupported("a bool is no number")
    if isinstance(value, int):
        return value
    if isinstance(value, Word | Elem):
        return value.n
    if value is None:
        raise Undefined("none dereferenced")
    raise Unsupported(f"{value} is no number")


def fit(value: Value, ty: Ty) -> Value:
    """`value` as it is stored in a place of type `ty`; undefined where it does not fit."""
    if isinstance(ty, Option):
        return None if value is None else fit(value, ty.item)
    if value is None:
        raise Undefined("none dereferenced")
    match ty:
        case Bool():
            assert isinstance(value, bool), f"{value} is not a bool"
        case Int(lo, hi):
            value = number(value)
            if lo is not None and hi is not None and not lo <= value <= hi:
                raise Undefined("range left")
        case WordT(bits):
            if isinstance(value, Word):
                assert value.bits == bits, "words of one width"
                return value
            if not 0 <= number(value) < 1 << bits:
                raise Undefined("range left")
            return Word(bits, number(value))
        case Index(name, kind, size):
            if isinstance(value, Elem):
                assert value.type == name, f"{value} is not a {name}"
                return value
            assert kind == "gfn", f"{value} is not a {name}"
            if not 0 <= number(value) < size:
                raise Undefined("range left")
            return Elem(name, number(value), None)
        case Enum(name):
            assert isinstance(value, Elem), f"{value} is not a {name}"
            assert value.type == name, f"{value} is not a {name}"
        case Thread():
            assert isinstance(value, Thr), f"{value} is not a thread"
        case Set(item):
            assert isinstance(value, frozenset), f"{value} is not a set"
            return frozenset(fit(v, item) for v in value)
        case Array() | Struct():
            assert isinstance(value, Agg), f"{value} is not an array or struct"
    return value


def same(a: Value, b: Value) -> bool:
    """`a == b`: none equals only none, a number equals the word, slot or frame that it numbers."""
    if a is None or b is None:
        return a is b
    if isinstance(a, Agg) and isinstance(b, Agg):
        return a.cells == b.cells
    if isinstance(a, bool | Thr | frozenset) or isinstance(b, bool | Thr | frozenset):
        return type(a) is type(b) and bool(a == b)
    return number(a) == number(b)


def plain(value: Value) -> Any:
    """A value for comparison with other semantics: numbers, names, None and frozensets of them."""
    match value:
        case Unset():
            return None
        case Elem(_, n, label):
            return n if label is None else label
        case Thr(family, n):
            return family if n < 0 else f"{family}[{n}]"
        case Word(_, n):
            return n
        case frozenset():
            return frozenset(plain(v) for v in value)
        case _:
            pass
    return value


def shown(way: tuple[Any, ...]) -> str:
    """`("tlb.entry", guest#1, ".f")` as `tlb.entry[1].f`."""
    return "".join(w if isinstance(w, str) else f"[{plain(w)}]" for w in way)
