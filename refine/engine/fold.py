"""Invariants for people: each orbit of clauses folded into one quantified sentence, in the words of the language.

At the size that it was found at, a sentence says exactly what its orbit says; that it says enough at other sizes is for
whoever checks it there to find out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from refine.core.symmetry import mentions
from refine.core.system import System
from refine.core.types import Bool, Enum, Index, IndexKind, Option, Struct, Thread, Type, Value, show_value
from refine.engine.invariant import Cube, Invariant
from refine.smt.cells import Cell, Cells

Element: TypeAlias = tuple[Index, int]


def fold(system: System, cells: Cells, symmetric: Sequence[Index], invariant: Invariant) -> tuple[str, ...]:
    """The sentences of an invariant, the shortest first: their conjunction is what it says.

    `symmetric`: the index types whose renamings its orbits are closed under.
    """
    folder = _Folder(system, cells, symmetric)
    found = {folder.sentence(min(orbit, key=sorted)) for orbit in invariant.orbits}
    return tuple(sorted(found, key=lambda text: (len(text), text)))


@dataclass(frozen=True, slots=True)
class _Fact:
    """What a cube says of one cell: that its value is one of these (`inside`), or none of these."""

    cell: Cell
    values: tuple[Value, ...]
    inside: bool


class _Folder:
    def __init__(self, system: System, cells: Cells, symmetric: Sequence[Index]) -> None:
        self._cells = cells
        self._families = {family.name: family for family in system.families}
        self._pcs = {family.pc: family for family in system.families}
        self._taken = {v.name.split(".")[0] for v in system.vars} | set(self._families)
        self._symmetric = symmetric

    def sentence(self, cube: Cube) -> str:
        """What holds of all states outside of the cube and of its renamings."""
        facts = self._facts(cube)
        elements = sorted(self._elements(facts), key=lambda e: (str(e[0]), e[1]))
        spread = self._spread(facts, elements)
        names = self._names(elements, spread)
        premise: list[str] = []
        conclusion: list[str] = []
        for fact in facts:
            if not any(e in spread for e in self._of(fact)):
                self._say(fact, names, premise, conclusion)
        outer = [e for e in elements if e not in spread]
        differ = [
            f"{names[a]} != {names[b]}" for k, a in enumerate(outer) for b in outer[k + 1 :] if a[0] == b[0]
        ]
        conclusion += self._exist(facts, spread, outer, names)
        left = [*differ, *premise]
        body = " || ".join(conclusion) if conclusion else ""
        if not left:
            text = body or "false"
        elif not conclusion:
            text = f"!({' && '.join(left)})" if len(left) > 1 else _negated(left[0])
        else:
            text = f"{' && '.join(left)} -> {body}"
        if not outer:
            return text
        return f"forall {', '.join(f'{names[e]} in {e[0]}' for e in outer)}. {text}"

    # --- facts ------------------------------------------------------------------------------------------------

    def _facts(self, cube: Cube) -> list[_Fact]:
        by_cell: dict[int, list[int]] = {}
        for x in sorted(cube, key=abs):
            by_cell.setdefault(self._cells.cell(x), []).append(x)
        return [self._fact(self._cells.cells[n], literals) for n, literals in sorted(by_cell.items())]

    def _fact(self, cell: Cell, literals: list[int]) -> _Fact:
        said = [self._cells.atoms[abs(x)][1] for x in literals]
        if len(cell.values) == 2:
            (x,), (value,) = literals, said
            return _Fact(cell, (value if x > 0 else cell.values[0],), inside=True)
        is_ = [v for x, v in zip(literals, said, strict=True) if x > 0]
        if is_:
            return _Fact(cell, tuple(is_[:1]), inside=True)
        left = tuple(v for v in cell.values if v not in said)
        if len(left) == 1 or (cell.var in self._pcs and len(left) <= len(said)):
            return _Fact(cell, left, inside=True)
        return _Fact(cell, tuple(said), inside=False)

    def _elements(self, facts: Iterable[_Fact]) -> set[Element]:
        return {e for fact in facts for e in self._of(fact)}

    def _of(self, fact: _Fact) -> set[Element]:
        """The elements that a fact is about, of the types that are quantified over."""
        found: set[Element] = set()
        for kind, type_, key in fact.cell.path:
            if kind in ("entry", "member"):
                found |= set(self._inside(type_, key))
        for value in fact.values:
            found |= set(self._inside(fact.cell.type, value))
        return found

    def _inside(self, type_: Type, value: Value) -> Iterable[Element]:
        if value is None:
            return
        match type_:
            case Option(item):
                yield from self._inside(item, value)
            case Index() if self._varies(type_):
                assert isinstance(value, int), "an element is a number"
                yield type_, value
            case Thread(parts):
                assert isinstance(value, int), "a thread is a number"
                part, member = type_.locate(value)
                index = parts[part].index
                if index is not None and self._varies(index):
                    yield index, member
            case _:
                return

    def _varies(self, index: Index) -> bool:
        """Whether a type is quantified over; where there is one element, there is nothing to tell apart."""
        return index in self._symmetric or (index.kind is IndexKind.INDEX and index.size == 1)

    # --- elements that are all alike --------------------------------------------------------------------------

    def _spread(self, facts: Sequence[_Fact], elements: Sequence[Element]) -> frozenset[Element]:
        """Elements of one type of which the same is said, each by itself, where the cube mentions all that there are.

        So it says something of all of them: outside of it, that is false of some.
        """
        found: frozenset[Element] = frozenset()
        for index in dict.fromkeys(e[0] for e in elements):
            mine = [e for e in elements if e[0] == index]
            if len(mine) < index.size or index.size < 3:
                continue
            alike: dict[frozenset[tuple[object, ...]], list[Element]] = {}
            for element in mine:
                about = [fact for fact in facts if element in self._of(fact)]
                if all(len([e for e in self._of(fact) if e[0] == index]) == 1 for fact in about):
                    alike.setdefault(frozenset(_shape(fact, element) for fact in about), []).append(element)
            largest = max(alike.values(), key=len, default=[])
            if len(largest) > 1 and not any(
                e in found for fact in facts for e in self._of(fact) if set(largest) & self._of(fact)
            ):
                found |= frozenset(largest)
        return found

    def _exist(
        self,
        facts: Sequence[_Fact],
        spread: frozenset[Element],
        outer: Sequence[Element],
        names: dict[Element, str],
    ) -> list[str]:
        """For each type of elements that are alike: that of one of them what the cube says is false."""
        said = []
        for index in dict.fromkeys(e[0] for e in sorted(spread, key=lambda e: (str(e[0]), e[1]))):
            one = min((e for e in spread if e[0] == index), key=lambda e: e[1])
            premise: list[str] = []
            conclusion: list[str] = []
            for fact in facts:
                if one in self._of(fact):
                    self._say(fact, names, premise, conclusion)
            others = [f"{names[one]} != {names[e]}" for e in outer if e[0] == index]
            false = [*conclusion, *map(_negated, premise)]
            inner = false[0] if len(false) == 1 else f"({' || '.join(false)})"
            said.append(f"(exists {names[one]} in {index}. {' && '.join([*others, inner])})")
        return said

    def _names(self, elements: Sequence[Element], spread: frozenset[Element]) -> dict[Element, str]:
        names: dict[Element, str] = {}
        used: set[str] = set()
        shared: dict[Index, str] = {}
        for element in elements:
            index = element[0]
            if element in spread and index in shared:
                names[element] = shared[index]
                continue
            letter = index.name[0]
            choices = [letter, *(f"{letter}{n}" for n in range(2, 100))]
            name = next(n for n in choices if n not in used and n not in self._taken)
            used.add(name)
            names[element] = name
            if element in spread:
                shared[index] = name
        return names

    # --- words ------------------------------------------------------------------------------------------------

    def _say(self, fact: _Fact, names: dict[Element, str], premise: list[str], conclusion: list[str]) -> None:
        """Put what a cube says of a cell before the arrow, or its contrary behind it."""
        cell, place = fact.cell, self._place(fact.cell, names)
        if isinstance(cell.type, Bool):
            on = bool(fact.values[0]) is fact.inside
            (premise if on else conclusion).append(place)
            return
        if cell.var in self._pcs and isinstance(cell.type, Enum):
            who = place.removesuffix(".pc")
            at = _at(who, cell.type.members, {v for v in fact.values if isinstance(v, int)})
            (premise if fact.inside else conclusion).append(at)
            return
        for value in fact.values:
            shown = self._value(cell.type, value, names)
            (premise if fact.inside else conclusion).append(f"{place} == {shown}")

    def _place(self, cell: Cell, names: dict[Element, str]) -> str:
        family = self._families.get(cell.var.split(".")[0])
        text, first = cell.var, True
        member = ""
        for kind, type_, key in cell.path:
            match kind:
                case "entry" if first and family is not None and family.index is not None:
                    text = f"{family.name}[{self._value(type_, key, names)}]{text.removeprefix(family.name)}"
                case "entry":
                    text = f"{text}[{self._value(type_, key, names)}]"
                case "field":
                    assert isinstance(type_, Struct) and isinstance(key, int), (
                        "a field is given by its position"
                    )
                    text = f"{text}.{type_.fields[key][0]}"
                case "member":
                    member = self._value(type_, key, names)
                case "some":
                    text = f"{text} != none"
                case "bit":
                    text = f"bit({text}, {key})"
                case _:
                    pass
            first = False
        return f"{member} in {text}" if member else text

    def _value(self, type_: Type, value: Value, names: dict[Element, str]) -> str:
        match type_:
            case Option(item) if value is not None:
                return self._value(item, value, names)
            case Index() if isinstance(value, int) and (type_, value) in names:
                return names[type_, value]
            case Index(name, _, IndexKind.GFN):
                return f"{name}#{value}"
            case Thread(parts) if isinstance(value, int):
                part, member = type_.locate(value)
                index = parts[part].index
                if index is None:
                    return parts[part].name
                return f"{parts[part].name}[{self._value(index, member, names)}]"
            case _:
                return show_value(type_, value)


def _shape(fact: _Fact, element: Element) -> tuple[object, ...]:
    """What a fact says, but for which element it says it of."""

    def hidden(type_: Type, value: Value) -> object:
        if not mentions(type_, element[0]) or value is None:
            return value
        if isinstance(type_, Thread) and isinstance(value, int):
            part, member = type_.locate(value)
            mine = type_.parts[part].index == element[0] and member == element[1]
            return (part, "it") if mine else value
        return "it" if value == element[1] else value

    path = tuple((kind, str(t), hidden(t, key)) for kind, t, key in fact.cell.path)
    return (fact.cell.var, path, frozenset(hidden(fact.cell.type, v) for v in fact.values), fact.inside)


def _at(who: str, members: Sequence[str], places: set[int]) -> str:
    """That a thread is at one of some places. A place is called by the steps that are possible there, joined by `|`."""
    steps: dict[str, set[int]] = {}
    for n, member in enumerate(members):
        for step in member.split("|"):
            steps.setdefault(step, set()).add(n)
    named = [step for step, where in steps.items() if where <= places]
    said = [f"{who} at {_steps(named)}"] if named else []
    for n in sorted(places - {k for step in named for k in steps[step]}):
        here = members[n].split("|")
        elsewhere = set.intersection(*(steps[step] for step in here)) - {n}
        not_here = sorted({step for k in elsewhere for step in members[k].split("|")} - set(here))
        both = " && ".join(f"{who} at {_steps([step])}" for step in here)
        said.append(f"({both} && !({who} at {_steps(not_here)}))")
    return said[0] if len(said) == 1 else f"({' || '.join(said)})"


def _steps(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 and "." not in names[0] else f"{{{', '.join(names)}}}"


def _negated(text: str) -> str:
    """The contrary of one comparison, membership, place of a thread or truth value."""
    for sign, contrary in ((" == ", " != "), (" != ", " == "), (" in ", " !in ")):
        if sign in text and " at " not in text:
            return contrary.join(text.split(sign, 1))
    return f"!({text})" if " " in text else f"!{text}"
