"""Plain breadth-first search by the reference semantics: after how many steps each property is first broken."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from refine.core.system import Kind, Property, State, System
from refine.run.eval import as_valuation, evaluate, havoc_fails, initial, successors
from refine.smt.shape import all_values


@dataclass
class Facts:
    """All there is to know of a small system. `first` has no entry for what no run breaks (or reaches)."""

    states: int = 0
    depth: int = -1  # the greatest distance of a state from the initial ones
    longest: int | None = None  # steps of the longest run, where no run goes on for ever
    first: dict[str, int] = field(default_factory=dict)
    enabled: set[str] = field(default_factory=set)  # rules whose guard holds in some state
    met: set[str] = field(default_factory=set)  # and whose choices meet all conditions there


def search(system: System, most: int) -> Facts | None:
    """The facts; None where there are more than `most` states."""
    facts = Facts()
    seen = dict.fromkeys(state for _, state in initial(system))
    edges: dict[State, list[State]] = {}
    front = list(seen)
    while front:
        facts.depth += 1
        following: list[State] = []
        for state in front:
            for prop in system.properties:
                if _broken_in(system, prop, state):
                    facts.first.setdefault(prop.name, facts.depth)
            _note_enabled(system, state, facts)
            edges[state] = []
            for rule, _, _, after in successors(system, state):
                edges[state].append(after)
                for prop in system.properties:
                    if _broken_by(system, prop, state, rule.step, after):
                        facts.first.setdefault(prop.name, facts.depth + 1)
                if after not in seen:
                    seen[after] = None
                    following.append(after)
            if len(seen) > most:
                return None
        front = following
    facts.states = len(seen)
    facts.longest = _longest(edges)
    return facts


def _broken_in(system: System, prop: Property, state: State) -> bool:
    if prop.kind is Kind.FAULT:
        return state.fault is not None and state.fault in prop.places
    if state.fault is not None:
        return False
    match prop.kind:
        case Kind.STATE:
            return not evaluate(prop.cond, as_valuation(system, state))
        case Kind.REACH:
            return bool(evaluate(prop.cond, as_valuation(system, state)))
        case Kind.SATISFIABLE:
            assert prop.of is not None, "a SATISFIABLE property names its rule"
            return havoc_fails(system, system.rule(prop.of[0]), state) is not None
        case _:
            return False


def _note_enabled(system: System, state: State, facts: Facts) -> None:
    if state.fault is not None:
        return
    here = as_valuation(system, state)
    for rule in system.rules:
        binders = (*rule.params, *rule.choices)
        for row in product(*(list(all_values(b.type)) for b in binders)):
            env = {b.name: value for b, value in zip(binders, row, strict=True)}
            if evaluate(rule.guard, here, None, env):
                facts.enabled.add(rule.name)
                if all(evaluate(w.cond, here, None, env) for w in rule.wheres):
                    facts.met.add(rule.name)


def _broken_by(system: System, prop: Property, state: State, step: str, after: State) -> bool:
    if prop.kind is not Kind.STEP or after.fault is not None or (prop.of is not None and step not in prop.of):
        return False
    return not evaluate(prop.cond, as_valuation(system, after), as_valuation(system, state))


def _longest(edges: dict[State, list[State]]) -> int | None:
    """The length of the longest path; None where there is a cycle."""
    left = {state: len(set(after)) for state, after in edges.items()}
    into: dict[State, list[State]] = {state: [] for state in edges}
    for state, after in edges.items():
        for target in set(after):
            into[target].append(state)
    height = {state: 0 for state, n in left.items() if n == 0}
    queue = list(height)
    for state in queue:
        for source in into[state]:
            left[source] -= 1
            height[source] = max(height.get(source, 0), height[state] + 1)
            if left[source] == 0:
                queue.append(source)
    return max(height.values(), default=-1) if len(queue) == len(edges) else None
