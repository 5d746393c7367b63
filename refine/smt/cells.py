"""A state as cells: the scalars that it consists of, what may be said of each, and what renaming does to that.

An atom says that a cell has a value (of a wide number: that a bit of it is set). It is a positive number, and its
negation the negative one. A cell of two values has one atom, any other one for each value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from refine.core import expr as e
from refine.core.expr import Expr, Op
from refine.core.symmetry import mentions, permute
from refine.core.system import State, System
from refine.core.types import (
    BOOL,
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
    position,
)
from refine.smt.shape import all_values

MOST_VALUES = 24  # of a cell that has an atom for each; a wider one has an atom for each bit

# One way down: into an entry of an array, a field, a member of a set, what an option holds, or a bit of a number.
Down: TypeAlias = tuple[str, Type, Value]


@dataclass(frozen=True, slots=True)
class Cell:
    """One scalar of a state: `x` reads it; `type` is that of its values."""

    var: str
    path: tuple[Down, ...]
    x: Expr
    type: Type
    values: tuple[Value, ...]


class Unbounded(Exception):
    """A variable that holds any integer, and the sentence that says so."""


class Cells:
    """The cells and atoms of a system."""

    def __init__(self, system: System) -> None:
        self.cells = tuple(c for v in system.vars for c in _cells(v.name, (), e.var(v.name, v.type), v.type))
        self._position = {v.name: n for n, v in enumerate(system.vars)}
        self._number = {(c.var, c.path): n for n, c in enumerate(self.cells)}
        self.atoms: list[tuple[int, Value]] = [(-1, None)]  # atom 0 is none
        self.of: list[tuple[int, ...]] = []  # the atoms of each cell
        self._atom: dict[tuple[int, Value], int] = {}
        for n, cell in enumerate(self.cells):
            said = cell.values[1:] if len(cell.values) == 2 else cell.values
            for value in said:
                self._atom[n, value] = len(self.atoms)
                self.atoms.append((n, value))
            self.of.append(tuple(range(len(self.atoms) - len(said), len(self.atoms))))

    def __len__(self) -> int:
        return len(self.atoms)

    def literal(self, n: int, value: Value) -> int:
        """That cell `n` has `value`."""
        values = self.cells[n].values
        if len(values) == 2:
            atom = self._atom[n, values[1]]
            return atom if value == values[1] else -atom
        return self._atom[n, value]

    def cell(self, literal: int) -> int:
        return self.atoms[abs(literal)][0]

    def may_rename(self, index: Index) -> bool:
        """Whether renaming says the same of what is absent: an element beside an absent option is the first one."""
        beside = (c for c in self.cells if any(kind == "get" for kind, _, _ in c.path))
        return not any(mentions(c.type, index) or _keyed(c, index) for c in beside)

    def saying(self, atom: int) -> Expr:
        """What the atom says."""
        n, value = self.atoms[atom]
        cell = self.cells[n]
        if isinstance(cell.type, Bool):
            return cell.x
        if isinstance(cell.type, Option):
            if value is None:
                return e.not_(e.is_some(cell.x))
            return e.eq(cell.x, e.some(e.const(cell.type.item, value)))
        return e.eq(cell.x, e.const(cell.type, value))

    def holding(self, state: State) -> list[int]:
        """For each atom whether it holds in a state: itself or its negation; at position 0 nothing."""
        found = [0]
        for n, cell in enumerate(self.cells):
            value = _read(state.values[self._position[cell.var]], cell.path)
            found += [a if self.atoms[a][1] == value else -a for a in self.of[n]]
        return found

    def renamed(self, index: Index, to: Sequence[int]) -> list[int]:
        """For each atom what it says once each element k of `index` is called `to[k]`; at position 0 nothing."""
        found = [0]
        for n, cell in enumerate(self.cells):
            path = tuple(
                (kind, t, permute(t, key, index, to) if kind in ("entry", "member") else key)
                for kind, t, key in cell.path
            )
            there = self._number[cell.var, path]
            values = (permute(cell.type, self.atoms[a][1], index, to) for a in self.of[n])
            found += [self.literal(there, value) for value in values]
        return found


def _keyed(cell: Cell, index: Index) -> bool:
    return any(kind in ("entry", "member") and mentions(t, index) for kind, t, _ in cell.path)


def _cells(var: str, path: tuple[Down, ...], x: Expr, type_: Type) -> Iterator[Cell]:
    match type_:
        case Bool() | Enum() | Index() | Thread():
            yield Cell(var, path, x, type_, tuple(all_values(type_)))
        case Int() | Word():
            n = cardinality(type_)
            if n is None:
                raise Unbounded(f"`{var}` holds any integer")
            if n <= MOST_VALUES:
                yield Cell(var, path, x, type_, tuple(all_values(type_)))
            else:
                yield from _bits(var, path, x, type_)
        case Option(item):
            n = cardinality(item)
            if (
                isinstance(item, Bool | Enum | Index | Thread | Int | Word)
                and n is not None
                and n < MOST_VALUES
            ):
                yield Cell(var, path, x, type_, (None, *all_values(item)))
            else:
                yield Cell(var, (*path, ("some", BOOL, None)), e.is_some(x), BOOL, (False, True))
                yield from _cells(var, (*path, ("get", item, None)), e.get(x), item)
        case Set(item):
            for v in domain_values(item):
                key = bool(v) if isinstance(item, Bool) else v
                inside = e.member(e.const(item, key), x)
                yield Cell(var, (*path, ("member", item, key)), inside, BOOL, (False, True))
        case Array(dom, item):
            for v in domain_values(dom):
                key = bool(v) if isinstance(dom, Bool) else v
                yield from _cells(var, (*path, ("entry", dom, key)), e.select(x, e.const(dom, key)), item)
        case Struct(_, fields):
            for n, (_, t) in enumerate(fields):
                yield from _cells(var, (*path, ("field", type_, n)), e.field_of(x, n), t)
        case _:
            assert_never(type_)


def _bits(var: str, path: tuple[Down, ...], x: Expr, type_: Int | Word) -> Iterator[Cell]:
    """The bits of a number in two's complement."""
    if isinstance(type_, Int):
        assert type_.lo is not None and type_.hi is not None, "only bounded numbers have bits"
        word = Word(1 + max(type_.hi.bit_length(), type_.lo.bit_length()))
    else:
        word = type_
    number = e.to_word(x, word)
    for k in range(word.bits):
        mask = e.const(word, 1 << k)
        on = e.eq(e.bitwise(Op.BITAND, number, mask), mask)
        yield Cell(var, (*path, ("bit", Int(k, k), k)), on, BOOL, (False, True))


def _read(value: Value, path: tuple[Down, ...]) -> Value:
    """What the cell at `path` has in a value of its variable."""
    for kind, dom, key in path:
        match kind:
            case "entry":
                assert isinstance(value, tuple), "an array is a tuple"
                assert isinstance(key, int), "an array is over numbers"
                value = value[position(dom, key)]
            case "field":
                assert isinstance(value, tuple) and isinstance(key, int), "a struct is a tuple"
                value = value[key]
            case "member":
                assert isinstance(value, frozenset), "a set is a frozenset"
                return key in value
            case "some":
                return value is not None
            case "bit":
                assert isinstance(value, int) and isinstance(key, int), "a number has bits"
                return bool(value >> key & 1)
            case _:
                assert kind == "get", "there is no other way down"
                value = default(dom) if value is None else value  # as the solver has it: NOTE(none)
    return value
