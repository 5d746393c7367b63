"""How a value of each core type is laid out in terms: free inputs, constants, well-formedness, and back.

An Array is a tuple of its entries, a Set a tuple of bits (one for each domain value), a Struct a tuple of
its fields, an Option a pair of a bit and its value. Enum, Index and Thread are bit-vectors just wide
enough; a bounded Int is an unsigned bit-vector where it has no negative value and a two's complement one
where it has.

NOTE(none): the value beside an absent option is always the item's default. Every operator keeps that, and
`well_formed` demands it of free inputs, so that equality is equality of all parts and GET is the second
part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import TypeAlias

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
    default,
    domain_values,
)
from refine.smt.term import BIT, UNBOUNDED, Term, Terms, signed, unsigned

Sym: TypeAlias = "Term | tuple[Sym, ...]"


def is_signed(type_: Int) -> bool:
    """Whether numbers of a bounded type are laid out in two's complement."""
    return type_.lo is not None and type_.lo < 0


def int_width(type_: Int) -> int:
    """Bits of a bounded Int: just enough for its numbers, at least one."""
    assert type_.lo is not None and type_.hi is not None, "only a bounded Int has a width"
    if type_.lo >= 0:
        return max(1, type_.hi.bit_length())
    return 1 + max(type_.hi.bit_length(), (-type_.lo - 1).bit_length())


def scalar_width(type_: Type, *, exact: bool) -> int:
    """The width of a scalar type; with `exact`, every Int is a mathematical integer."""
    match type_:
        case Bool():
            return BIT
        case Int():
            return UNBOUNDED if exact or not type_.bounded else int_width(type_)
        case Word(bits):
            return bits
        case Enum() | Index() | Thread():
            n = cardinality(type_)
            assert n is not None, "enumerations are finite"
            return max(1, (n - 1).bit_length())
        case _:
            raise AssertionError("containers have no width of their own")


def is_exact(type_: Type) -> bool:
    """Whether a value of the type holds an unbounded integer."""
    match type_:
        case Int():
            return not type_.bounded
        case Option(item) | Array(_, item):
            return is_exact(item)
        case Struct(_, fields):
            return any(is_exact(t) for _, t in fields)
        case _:
            return False


class Shape:
    """The layout of all types in one question; with `exact`, every Int is a mathematical integer."""

    def __init__(self, terms: Terms, *, exact: bool) -> None:
        self.terms = terms
        self.exact = exact

    def constant(self, type_: Type, value: Value) -> Sym:
        """`value` in the layout of `type_`."""
        match type_:
            case Bool():
                return self.terms.bit(bool(value))
            case Int() | Word() | Enum() | Index() | Thread():
                assert isinstance(value, int), "a scalar is a number"
                return self.terms.number(value, scalar_width(type_, exact=self.exact))
            case Option(item):
                held = default(item) if value is None else value
                return (self.terms.bit(value is not None), self.constant(item, held))
            case Set(item):
                assert isinstance(value, frozenset), "a set is a frozenset"
                return tuple(self.terms.bit(v in value) for v in domain_values(item))
            case Array(_, item):
                assert isinstance(value, tuple), "an array is a tuple"
                return tuple(self.constant(item, v) for v in value)
            case Struct(_, fields):
                assert isinstance(value, tuple), "a struct is a tuple"
                return tuple(self.constant(t, v) for (_, t), v in zip(fields, value, strict=True))

    def default(self, type_: Type) -> Sym:
        return self.constant(type_, default(type_))

    def free(self, type_: Type, name: str) -> Sym:
        """Fresh inputs named after `name`. They are values of the type only where `well_formed` holds."""
        match type_:
            case Bool() | Int() | Word() | Enum() | Index() | Thread():
                if cardinality(type_) == 1:
                    return (
                        self.default(type_) if not isinstance(type_, Int) else self.constant(type_, type_.lo)
                    )
                return self.terms.input(name, scalar_width(type_, exact=self.exact))
            case Option(item):
                return (self.terms.input(f"{name}?", BIT), self.free(item, f"{name}!"))
            case Set(item):
                return tuple(self.terms.input(f"{name}[{v}]", BIT) for v in domain_values(item))
            case Array(dom, item):
                return tuple(self.free(item, f"{name}[{v}]") for v in domain_values(dom))
            case Struct(_, fields):
                return tuple(self.free(t, f"{name}.{f}") for f, t in fields)

    def well_formed(self, type_: Type, sym: Sym) -> Iterator[Term]:
        """What must hold of free inputs for them to be a value of `type_`."""
        match type_:
            case Bool() | Word():
                return
            case Int(lo, hi):
                if lo is not None and hi is not None:
                    yield self.at_least(type_, bit_vector(sym), lo)
                    yield self.at_most(type_, bit_vector(sym), hi)
            case Enum() | Index() | Thread():
                n, x = cardinality(type_), bit_vector(sym)
                if n == 0:
                    yield self.terms.false
                elif n is not None and n < 1 << x.width:
                    yield self.terms.not_(self.terms.ult(self.terms.number(n - 1, x.width), x))
            case Option(item):
                flag, held = parts(sym)
                absent = self.equal(held, self.default(item))
                yield self.terms.or_((bit(flag), absent))
                for cond in self.well_formed(item, held):
                    yield self.terms.implies(bit(flag), cond)
            case Set():
                return
            case Array(_, item):
                for entry in parts(sym):
                    yield from self.well_formed(item, entry)
            case Struct(_, fields):
                for (_, t), entry in zip(fields, parts(sym), strict=True):
                    yield from self.well_formed(t, entry)

    # --- numbers --------------------------------------------------------------------------------------------

    def at_least(self, type_: Int, x: Term, bound: int) -> Term:
        """Whether a number laid out as `type_` is `bound` or more."""
        return self.terms.not_(self._below(type_, x, bound))

    def at_most(self, type_: Int, x: Term, bound: int) -> Term:
        return self._below(type_, x, bound + 1)

    def _below(self, type_: Int, x: Term, bound: int) -> Term:
        if x.width == UNBOUNDED:
            return self.terms.slt(x, self.terms.number(bound, UNBOUNDED))
        lo, hi = representable(type_)
        if not lo < bound <= hi:
            return self.terms.bit(hi < bound)
        less = self.terms.slt if is_signed(type_) else self.terms.ult
        return less(x, self.terms.number(bound, x.width))

    def resize(self, x: Term, source: Int, target: Int) -> Term:
        """A number laid out as `source` in the layout of `target`, which has that number."""
        if x.width == UNBOUNDED:
            return x
        width = int_width(target)
        if width > x.width:
            return self.terms.extend(x, width, sign=is_signed(source))
        return self.terms.truncate(x, width)

    # --- any type -------------------------------------------------------------------------------------------

    def coerce(self, sym: Sym, source: Type, target: Type) -> Sym:
        """`sym` of type `source` as a `target`, which differs in wider bounds of Ints at most."""
        if source == target:
            return sym
        match source, target:
            case Int(), Int():
                if source.bounded and target.bounded and not self.exact:
                    assert within(source, target), f"lowering narrows {source} before it becomes {target}"
                    return self.resize(bit_vector(sym), source, target)
                return sym
            case Option(inner), Option(outer):
                flag, held = parts(sym)
                return (flag, self.ite(bit(flag), self.coerce(held, inner, outer), self.default(outer)))
            case Array(_, inner), Array(_, outer):
                return tuple(self.coerce(entry, inner, outer) for entry in parts(sym))
            case Struct(_, inner), Struct(_, outer):
                triples = zip(parts(sym), inner, outer, strict=True)
                return tuple(self.coerce(entry, s, t) for entry, (_, s), (_, t) in triples)
            case _:
                raise AssertionError(f"{source} never becomes {target}")

    def equal(self, x: Sym, y: Sym) -> Term:
        """Whether two values of one layout are the same."""
        return self.terms.and_(self.terms.eq(a, b) for a, b in zip(leaves(x), leaves(y), strict=True))

    def ite(self, c: Term, x: Sym, y: Sym) -> Sym:
        if x is y:
            return x
        if isinstance(x, Term):
            assert isinstance(y, Term), "both arms have one layout"
            return self.terms.ite(c, x, y)
        return tuple(self.ite(c, a, b) for a, b in zip(x, parts(y), strict=True))

    def value(self, type_: Type, sym: Sym, read: Callable[[Term], Term]) -> Value:
        """The core value that `sym` stands for, where `read` gives the constant of each term."""
        match type_:
            case Bool():
                return bool(read(bit(sym)).data)
            case Int():
                constant = read(bit_vector(sym))
                return signed(constant) if self.exact or is_signed(type_) else unsigned(constant)
            case Word() | Enum() | Index() | Thread():
                return unsigned(read(bit_vector(sym)))
            case Option(item):
                flag, held = parts(sym)
                return self.value(item, held, read) if read(bit(flag)).data else None
            case Set(item):
                chosen = zip(domain_values(item), parts(sym), strict=True)
                held_bits = {v for v, b in chosen if read(bit(b)).data}
                return (
                    frozenset(bool(v) for v in held_bits) if isinstance(item, Bool) else frozenset(held_bits)
                )
            case Array(_, item):
                return tuple(self.value(item, entry, read) for entry in parts(sym))
            case Struct(_, fields):
                pairs = zip(fields, parts(sym), strict=True)
                return tuple(self.value(t, entry, read) for (_, t), entry in pairs)


def representable(type_: Int) -> tuple[int, int]:
    """The least and the greatest number of the layout of a bounded Int."""
    width = int_width(type_)
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if is_signed(type_) else (0, (1 << width) - 1)


def within(inner: Int, outer: Int) -> bool:
    """Whether each number of `inner` is one of `outer`."""
    if outer.lo is None or outer.hi is None:
        return True
    return inner.lo is not None and inner.hi is not None and outer.lo <= inner.lo and inner.hi <= outer.hi


def all_values(type_: Type) -> Iterator[Value]:
    """Each value of a finite type once; the caller has looked at its cardinality."""
    match type_:
        case Bool():
            yield from (False, True)
        case Int() | Word() | Enum() | Index() | Thread():
            first = type_.lo if isinstance(type_, Int) else 0
            n = cardinality(type_)
            assert first is not None and n is not None, "only finite types are listed"
            yield from range(first, first + n)
        case Option(item):
            yield None
            yield from all_values(item)
        case Set(item):
            members = list(all_values(item))
            for chosen in product((False, True), repeat=len(members)):
                yield frozenset(v for v, c in zip(members, chosen, strict=True) if c)
        case Array(dom, item):
            yield from product(list(all_values(item)), repeat=len(domain_values(dom)))
        case Struct(_, fields):
            yield from product(*(list(all_values(t)) for _, t in fields))


def bit(sym: Sym) -> Term:
    """`sym`, a truth value."""
    assert isinstance(sym, Term) and sym.width == BIT, "this is a truth value"
    return sym


def bit_vector(sym: Sym) -> Term:
    """`sym`, a number."""
    assert isinstance(sym, Term) and sym.width != BIT, "this is a number"
    return sym


def parts(sym: Sym) -> tuple[Sym, ...]:
    """The parts of a container."""
    assert isinstance(sym, tuple), "this is a container"
    return sym


def leaves(sym: Sym) -> Iterator[Term]:
    """All terms of `sym`, in order."""
    if isinstance(sym, Term):
        yield sym
    else:
        for part in sym:
            yield from leaves(part)


def constants(model: Mapping[str, bool | int], terms: Terms) -> dict[Term, Term]:
    """For each input its constant in `model`, or zero where the solver did not care. NOTE(completion)."""
    found: dict[Term, Term] = {}
    for name, term in terms.inputs.items():
        value = model.get(name, 0)
        found[term] = terms.bit(bool(value)) if term.width == BIT else terms.number(int(value), term.width)
    return found
