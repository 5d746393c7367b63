"""A trace as people tell it: who did what in which column, and what changed, for text and JSON alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from refine.core.show import plain_names
from refine.core.system import Family, Kind, Place, Property, Rule, State, System
from refine.core.trace import Event, Trace
from refine.core.types import (
    Array,
    Enum,
    Index,
    Set,
    Struct,
    Thread,
    Type,
    Value,
    default,
    domain_values,
    show_value,
)
from refine.text.span import Span

HARDWARE = "hardware"
_SET_WIDTH = 40  # a longer pair of sets is told by what came and what went


@dataclass(frozen=True, slots=True)
class Change:
    """One part of the state that a step changed, as `tlb[1]`, `none`, `3`."""

    place: str
    old: str
    new: str
    ghost: bool
    owner: str | None  # the thread whose local it is

    def told(self, by: str) -> tuple[str, str]:
        """What changed, and how, in the column of thread `by`, whose own locals need no prefix."""
        place = self.place
        if self.owner is not None and self.owner == by:
            place = place.removeprefix(f"{self.owner}.")
        return f"{place}:", f"{self.old} -> {self.new}" + (" (ghost)" if self.ghost else "")


@dataclass(frozen=True, slots=True)
class Move:
    """One transition."""

    number: int
    column: str
    thread: str | None  # None: a rule of hardware, guest or host
    name: str  # the step, without the thread's name
    params: tuple[tuple[str, str], ...]  # those that the column does not tell
    choices: tuple[tuple[str, str], ...]
    rule: str
    span: Span | None
    changes: tuple[Change, ...]
    fault: Place | None
    state: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Story:
    """A whole trace."""

    trace: Trace
    property: Property
    columns: tuple[str, ...]  # in the order of the families; hardware that acts on no CPU comes last
    initial: tuple[str, ...]  # what does not have its type's default, as `spte = PRESENT`
    init_state: tuple[tuple[str, str], ...]
    moves: tuple[Move, ...]
    at_start: tuple[str, ...]  # where each thread stands, as `zapper at free`
    at_end: tuple[str, ...]


def place_name(span: Span) -> str:
    """`zap.spte:31`: the file without its folders, and the line."""
    return f"{span.source.name.rpartition('/')[2]}:{span.line}"


def tell(trace: Trace) -> Story:
    """Everything that is to be said of a trace, in order."""
    system = trace.system
    acting = _acting(trace)
    rules = {rule.name: rule for rule in system.rules}
    moves, before = [], trace.init
    for number, event in enumerate(trace.events, 1):
        moves.append(_move(system, rules[event.rule], number, before, event, acting))
        before = event.state
    used = {move.column for move in moves}
    order = [name for family in system.families for name in _members(family)]
    columns = [name for name in order if name in used]
    return Story(
        trace, system.property(trace.property),
        (*columns, *([HARDWARE] if HARDWARE in used else [])),
        tuple(_initial(system, trace.init)), _shown_state(system, trace.init), tuple(moves),
        tuple(_locations(system, trace.init)), tuple(_locations(system, before)),
    )  # fmt: skip


def _thread(family: Family, index: Value) -> str:
    return family.name if family.index is None else f"{family.name}[{index}]"


def _members(family: Family) -> list[str]:
    if family.index is None:
        return [family.name]
    return [_thread(family, n) for n in domain_values(family.index.type)]


def _acting(trace: Trace) -> dict[tuple[Type, Value], str]:
    """For each CPU that a thread of the trace runs on: the first such thread, in the families' order."""
    rules = {rule.name: rule for rule in trace.system.rules}
    found: dict[tuple[Type, Value], tuple[int, str]] = {}
    for event in trace.events:
        rule = rules[event.rule]
        if rule.actor is None or (binder := trace.system.families[rule.actor].index) is None:
            continue
        key, thread = (binder.type, event.params[0]), trace.system.families[rule.actor]
        if key not in found or rule.actor < found[key][0]:
            found[key] = (rule.actor, _thread(thread, event.params[0]))
    return {key: name for key, (_, name) in found.items()}


def _column(
    system: System, rule: Rule, event: Event, acting: dict[tuple[Type, Value], str]
) -> tuple[str, int]:
    """The column of a step, and the number of the param that tells it (-1: none does)."""
    if rule.actor is not None:
        family = system.families[rule.actor]
        return (family.name, -1) if family.index is None else (_thread(family, event.params[0]), 0)
    cpus = [(n, b.type, value) for n, (b, value) in enumerate(zip(rule.params, event.params, strict=True))]
    for n, type_, value in cpus:
        if (type_, value) in acting:
            return acting[type_, value], n
    for n, type_, value in cpus:
        for family in system.families:
            if family.index is not None and family.index.type == type_:
                return _thread(family, value), n
    return HARDWARE, -1


def _move(
    system: System,
    rule: Rule,
    number: int,
    before: State,
    event: Event,
    acting: dict[tuple[Type, Value], str],
) -> Move:
    column, told = _column(system, rule, event, acting)
    thread = None if rule.actor is None else column
    name = rule.step or rule.name
    if rule.actor is not None:
        name = name.removeprefix(f"{system.families[rule.actor].name}.")
    names = plain_names(b.name for b in (*rule.params, *rule.choices))
    bound = list(zip(rule.params, event.params, strict=True))
    params = tuple((names[b.name], show_value(b.type, v)) for n, (b, v) in enumerate(bound) if n != told)
    chosen = zip(rule.choices, event.choices, strict=True)
    choices = tuple((names[b.name], show_value(b.type, v)) for b, v in chosen)
    fault = None if event.state.fault is None else system.places[event.state.fault]
    return Move(
        number, column, thread, name, params, choices, rule.name, rule.span,
        tuple(_changes(system, before, event.state)), fault, _shown_state(system, event.state),
    )  # fmt: skip


def _changes(system: System, before: State, after: State) -> Iterator[Change]:
    for var, old, new in zip(system.vars, before.values, after.values, strict=True):
        if var.kind in ("pc", "hidden") or old == new:
            continue
        ghost = var.kind == "ghost"
        family = _owner(system, var.name) if var.kind == "local" else None
        if family is not None and family.index is not None and isinstance(var.type, Array):
            rest = var.name.removeprefix(f"{family.name}.")
            assert isinstance(old, tuple) and isinstance(new, tuple), "an array is a tuple"
            for n, (x, y) in enumerate(zip(old, new, strict=True)):
                thread = _thread(family, n)
                for change in _differences(f"{thread}.{rest}", var.type.item, x, y):
                    yield Change(*change, ghost, thread)
        else:
            for change in _differences(var.name, var.type, old, new):
                yield Change(*change, ghost, family.name if family else None)


def _owner(system: System, name: str) -> Family | None:
    return next((f for f in system.families if name.startswith(f"{f.name}.")), None)


def _differences(place: str, type_: Type, old: Value, new: Value) -> Iterator[tuple[str, str, str]]:
    """What differs, element by element: place, old and new value."""
    if old == new:
        return
    match type_:
        case Array(dom, item):
            assert isinstance(old, tuple) and isinstance(new, tuple), "an array is a tuple"
            if len(old) > 2 and len(set(old)) == 1 and len(set(new)) == 1:
                yield from _differences(f"{place}[*]", item, old[0], new[0])
                return
            for n, x, y in zip(domain_values(dom), old, new, strict=True):
                yield from _differences(f"{place}[{_subscript(dom, n)}]", item, x, y)
        case Struct(_, fields):
            assert isinstance(old, tuple) and isinstance(new, tuple), "a struct is a tuple"
            for (name, item), x, y in zip(fields, old, new, strict=True):
                yield from _differences(f"{place}.{name}", item, x, y)
        case Set():
            assert isinstance(old, frozenset) and isinstance(new, frozenset), "a set is a frozenset"
            texts = show_value(type_, old), show_value(type_, new)
            if sum(map(len, texts)) > _SET_WIDTH:
                texts = show_value(type_, old - new), show_value(type_, new - old)
                yield f"{place} (difference)", *texts
            else:
                yield place, *texts
        case _:
            yield place, show_value(type_, old), show_value(type_, new)


def _subscript(dom: Type, n: int) -> str:
    """`1`, `USED`, `guest[0]`: the number alone where the array's declaration tells the type."""
    return show_value(dom, n) if isinstance(dom, Enum | Thread) or not isinstance(dom, Index) else str(n)


def _initial(system: System, state: State) -> Iterator[str]:
    blank = State(tuple(default(v.type) for v in system.vars))
    for change in _changes(system, blank, state):
        yield f"{change.place} = {change.new}"


def _locations(system: System, state: State) -> Iterator[str]:
    values = dict(zip((v.name for v in system.vars), state.values, strict=True))
    for family in system.families:
        type_, value = system.var(family.pc).type, values[family.pc]
        if family.index is None:
            yield f"{family.name} at {show_value(type_, value)}"
        else:
            assert isinstance(type_, Array) and isinstance(value, tuple), "a family's location is an array"
            for n, at in enumerate(value):
                yield f"{_thread(family, n)} at {show_value(type_.item, at)}"


def _shown_state(system: System, state: State) -> tuple[tuple[str, str], ...]:
    return tuple((v.name, show_value(v.type, x)) for v, x in zip(system.vars, state.values, strict=True))


def where_threads_stand(story: Story) -> bool:
    """Whether the end of the story turns on locations, which the steps do not show."""
    if story.property.kind in (Kind.STUCK, Kind.LIVENESS):
        return True
    return " at " in story.property.text
