"""Breadth-first search as plain as can be, over the reference semantics: what the compiled search must agree with."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from refine.core.symmetry import permute
from refine.core.system import Kind, Property, State, System
from refine.core.types import Index
from refine.run.eval import as_valuation, evaluate, havoc_fails, initial, successors


@dataclass(slots=True)
class Plain:
    """All states within some steps of the initial ones, by depth, and their transitions."""

    system: System
    depths: dict[State, int] = field(default_factory=dict)
    edges: dict[State, list[tuple[str, int | None, int | None, State]]] = field(default_factory=dict)
    complete: bool = False
    steps: int = 0

    @property
    def transitions(self) -> int:
        return sum(map(len, self.edges.values()))


def plain_search(system: System, most: int, steps: int | None = None) -> Plain:
    """Search until done, or to the last depth at which there are at most `most` states."""
    found = Plain(system)
    level = list(dict.fromkeys(state for _, state in initial(system)))
    found.depths.update(dict.fromkeys(level, 0))
    while True:
        following: dict[State, None] = {}
        edges: dict[State, list[tuple[str, int | None, int | None, State]]] = {}
        for state in level:
            edges[state] = []
            for rule, params, _, after in successors(system, state):
                family = None if rule.actor is None else system.families[rule.actor]
                member = params[0] if family is not None and family.index is not None else None
                assert member is None or isinstance(member, int)
                edges[state].append((rule.step, rule.actor, member, after))
                if after not in found.depths:
                    following[after] = None
        if not following:
            found.edges.update(edges)
            found.complete = True
            return found
        if len(found.depths) + len(following) > most or found.steps == steps:
            return found
        found.edges.update(edges)
        found.steps += 1
        found.depths.update(dict.fromkeys(following, found.steps))
        level = list(following)


def shortest(found: Plain, p: Property) -> int | None:
    """Return the number of steps of a shortest run that answers `p` (refutes it, or reaches it), if there is one."""
    system = found.system
    answers: list[int] = []
    for state, depth in found.depths.items():
        values = as_valuation(system, state)
        match p.kind:
            case Kind.FAULT:
                hit = state.fault is not None and state.fault in p.places
            case _ if state.fault is not None:
                hit = False
            case Kind.STATE:
                hit = not evaluate(p.cond, values)
            case Kind.REACH:
                hit = bool(evaluate(p.cond, values))
            case Kind.SATISFIABLE:
                assert p.of is not None
                hit = havoc_fails(system, system.rule(p.of[0]), state) is not None
            case Kind.STEP:
                hit = False
                for step, _, _, after in found.edges.get(state, ()):
                    asked = after.fault is None and (p.of is None or step in p.of)
                    if asked and not evaluate(p.cond, as_valuation(system, after), values):
                        answers.append(depth + 1)
            case _:
                raise AssertionError(p.kind)
        if hit:
            answers.append(depth)
    return min(answers, default=None)


def stuck_depth(found: Plain) -> int | None:
    """Return the depth of the first state in which a thread is stuck; the search must be complete."""
    assert found.complete
    system = found.system
    answers = []
    for k, family in enumerate(system.families):
        members = [None] if family.index is None else [*range(_size(family.index.type))]
        for member in members:
            free = {
                s for s, edges in found.edges.items() if any((a, m) == (k, member) for _, a, m, _ in edges)
            }
            while True:
                more = {
                    s
                    for s, edges in found.edges.items()
                    if s not in free and any(t in free for *_, t in edges)
                }
                if not more:
                    break
                free |= more
            for state, depth in found.depths.items():
                if state.fault is None and state not in free:
                    counter = as_valuation(system, state)[family.pc]
                    at = counter if member is None else counter[member]  # type: ignore[index]
                    if at not in family.done | family.idle:
                        answers.append(depth)
    return min(answers, default=None)


def _size(type_: object) -> int:
    assert isinstance(type_, Index)
    return type_.size


def orbits(states: Sequence[State] | Mapping[State, int], system: System, types: Sequence[Index]) -> int:
    """Count the orbits of a set of states by trying every renaming."""
    left = set(states)
    count = 0
    while left:
        state = next(iter(left))
        count += 1
        for orders in itertools.product(*(itertools.permutations(range(t.size)) for t in types)):
            left.discard(renamed(state, system, dict(zip(types, orders, strict=True))))
    return count


def renamed(state: State, system: System, orders: Mapping[Index, Sequence[int]]) -> State:
    values = []
    for var, before in zip(system.vars, state.values, strict=True):
        value = before
        for index, order in orders.items():
            value = permute(var.type, value, index, order)
        values.append(value)
    return State(tuple(values), state.fault)
