"""Check a run against the reference semantics: every state, choice and next state, and what it is said to show.

Nothing here knows how the run was found. A trace that does not replay is a contradiction inside the tool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TypeAlias

from refine.core.system import Kind, Property, Rule, State, System
from refine.core.trace import Trace
from refine.core.types import Index, Type, Value
from refine.run.eval import (
    Valuation,
    as_valuation,
    defaults,
    evaluate,
    fits,
    havoc_fails,
    step,
    successors,
    values_of,
)

Unit: TypeAlias = tuple[str, tuple[object, ...]]  # how fair, and what

CLOSURE = 2000  # states after the end of a run that are looked at before a thread is taken to be stuck


class Inconsistent(Exception):
    """The tool contradicts itself: one of its parts refutes what another one found."""


def check(trace: Trace) -> Trace:
    """Return a trace that replays; one that does not is `Inconsistent`."""
    complaints = replay(trace)
    if complaints:
        raise Inconsistent(f"the run found for `{trace.property}` does not replay: {'; '.join(complaints)}")
    return trace


def replay(trace: Trace) -> list[str]:
    """Return what is wrong with a trace: nothing, if it is a run of its system that shows what it says."""
    return list(_steps(trace)) or list(_end(trace))


def _steps(trace: Trace) -> Iterator[str]:
    system = trace.system
    state = step(system, system.init, defaults(system), (), trace.init_choices)
    if state is None:
        yield "no initial state has these choices"
    elif state != trace.init:
        yield f"the initial state differs in {_difference(system, state, trace.init)}"
    here = trace.init
    rules = {rule.name: rule for rule in system.rules}
    for number, event in enumerate(trace.events, 1):
        if event.rule not in rules:
            yield f"step {number}: there is no rule `{event.rule}`"
            return
        after = step(system, rules[event.rule], here, event.params, event.choices)
        if after is None:
            yield f"step {number}: `{event.rule}` cannot be taken with these choices"
        elif after != event.state:
            wrong = _difference(system, after, event.state)
            yield f"step {number}: `{event.rule}` leads to a state that differs in {wrong}"
        here = event.state


def _difference(system: System, expected: State, given: State) -> str:
    if len(expected.values) != len(given.values):
        return "the number of variables"
    names = [
        var.name
        for var, x, y in zip(system.vars, expected.values, given.values, strict=True)
        if x != y or not fits(var.type, y)
    ]
    return ", ".join([*names, *(["the fault"] if expected.fault != given.fault else [])])


def _end(trace: Trace) -> Iterator[str]:
    system = trace.system
    found = next((p for p in system.properties if p.name == trace.property), None)
    if found is None:
        yield f"there is no property `{trace.property}`"
        return
    end = trace.states()[-1]
    values = as_valuation(system, end)
    before = as_valuation(system, trace.states()[-2]) if trace.events else None
    match found.kind:
        case Kind.STATE:
            if end.fault is not None or evaluate(found.cond, values):
                yield "the property holds at the end"
        case Kind.REACH:
            if end.fault is not None or not evaluate(found.cond, values):
                yield "what is to be reached does not hold at the end"
        case Kind.STEP:
            yield from _step_claim(trace, found, values, before)
        case Kind.FAULT:
            if end.fault is None or end.fault not in found.places:
                yield "nothing is undefined at the end"
        case Kind.SATISFIABLE:
            assert found.of is not None, "a SATISFIABLE property names its rule"
            if end.fault is not None or havoc_fails(system, system.rule(found.of[0]), end) is None:
                yield "the choices exist at the end"
        case Kind.STUCK:
            if not any(stuck_at(system, end, k, member) for k, member in threads(system)):
                yield "no thread is stuck at the end"
        case Kind.LIVENESS:
            yield from _for_ever(trace, found)


def _step_claim(trace: Trace, found: Property, new: Valuation, old: Valuation | None) -> Iterator[str]:
    if old is None or trace.states()[-1].fault is not None:
        yield "a claim about steps fails at a step"
        return
    rule = trace.system.rule(trace.events[-1].rule)
    if found.of is not None and rule.step not in found.of:
        yield f"the claim does not speak of `{rule.step}`"
    elif evaluate(found.cond, new, old):
        yield "the claim holds for the last step"


# --- runs that go on for ever -----------------------------------------------------------------------------------


def _for_ever(trace: Trace, found: Property) -> Iterator[str]:
    """Whether the run, with the part after `loop` again and again, is fair and keeps away from what is to come."""
    system, states, loop = trace.system, trace.states(), trace.loop
    if loop is None or not 0 <= loop < len(states):
        yield "a run that ends shows nothing of what happens eventually"
        return
    if states[loop] != states[-1]:
        yield "the run does not come back to where it should repeat"
    if any(state.fault is not None for state in states):
        yield "the run is undefined somewhere"
        return
    values = [as_valuation(system, state) for state in states]
    if not any(_stays_away(found, values, loop, params) for params in _elements(found)):
        yield "what is to come comes"
    able = [_able(system, state) for state in states[loop:]]
    rules = {rule.name: rule for rule in system.rules}
    taken = {_unit(system, rules[event.rule], event.params) for event in trace.events[loop:]}
    for fair, unit in sorted({u for here in able for u in here} - taken, key=str):
        if fair == "strong" or all((fair, unit) in here for here in able):
            yield f"the run is not fair to {unit}"


def _elements(found: Property) -> Iterator[Valuation]:
    names = [b.name for b in found.each]
    for values in product(*(values_of(b.type) for b in found.each)):
        yield dict(zip(names, values, strict=True))


def _stays_away(found: Property, values: Sequence[Valuation], loop: int, params: Valuation) -> bool:
    came = [bool(evaluate(found.cond, v, params=params)) for v in values]
    begins = [
        k
        for k, v in enumerate(values)
        if (k == 0 if found.given is None else evaluate(found.given, v, params=params))
    ]
    return any(not any(came[min(k, loop) :]) for k in begins)


def _able(system: System, state: State) -> set[Unit]:
    return {_unit(system, rule, params) for rule, params, _, _ in successors(system, state) if rule.fair}


def _unit(system: System, rule: Rule, params: Sequence[Value]) -> Unit:
    """What fairness counts as one: a step of a thread, or a rule with values for its params."""
    if rule.actor is None:
        return rule.fair, (rule.name, *params)
    return rule.fair, (rule.step, *params[: system.families[rule.actor].index is not None])


# --- stuck threads ----------------------------------------------------------------------------------------------


def threads(system: System) -> Iterator[tuple[int, int | None]]:
    """Yield all threads: family, and number in it or None for a single one."""
    for k, family in enumerate(system.families):
        yield from [(k, None)] if family.index is None else [(k, m) for m in _members(family.index.type)]


def _members(type_: Type) -> range:
    assert isinstance(type_, Index), "families are numbered by an index"
    return range(type_.size)


def location(system: System, state: State, family: int, member: int | None) -> int:
    """Return the ordinal of the location that a thread is at."""
    counter = as_valuation(system, state)[system.families[family].pc]
    if member is not None:
        assert isinstance(counter, tuple), "a family has one program counter for each member"
        counter = counter[member]
    assert isinstance(counter, int), "a program counter is an enum"
    return counter


def stuck_at(system: System, state: State, family: int, member: int | None) -> bool:
    """Tell whether a thread stands outside its resting places and can move in no state from here on.

    Only so many states are looked at: beyond them, the run is believed.
    """
    owner = system.families[family]
    if state.fault is not None or location(system, state, family, member) in owner.done | owner.idle:
        return False
    seen = {state: None}
    queue = [state]
    for here in queue:
        for rule, params, _, after in successors(system, here):
            if rule.actor == family and (member is None or params[0] == member):
                return False
            if after not in seen and len(seen) < CLOSURE:
                seen[after] = None
                queue.append(after)
    return True
