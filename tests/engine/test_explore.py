"""Explicit search agrees with plain search over the reference semantics."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from refine.core.system import Kind, System
from refine.engine.explore import explore
from refine.engine.verdict import Answer, HoldsUpTo, Limits, Proved, Reached, Unknown, Vacuous, Violated
from tests.engine.systems import random_system, tlb_shootdown
from tests.run.plain import plain_search, shortest, stuck_depth

MOST = 250
RANDOM = settings(max_examples=150, suppress_health_check=[*HealthCheck])


def compare(system: System, answer: Answer, steps: int | None) -> None:
    """Compare verdicts and lengths of runs with those of plain search."""
    found = plain_search(system, MOST, steps)
    for p in system.properties:
        verdict = answer.verdicts[p.name]
        if p.kind is Kind.STUCK:
            if found.complete:
                expected = stuck_depth(found)
                assert (len(verdict.trace.events) if isinstance(verdict, Violated) else None) == expected
            continue
        expected = shortest(found, p)
        if expected is not None:
            assert isinstance(verdict, Violated | Reached), (p.name, verdict)
            assert len(verdict.trace.events) == expected
            assert isinstance(verdict, Reached) is (p.kind is Kind.REACH)
        elif not found.depths:
            assert isinstance(verdict, Vacuous)
        elif p.kind is Kind.REACH:
            assert isinstance(verdict, Vacuous if found.complete else Unknown)
        elif p.kind is Kind.SATISFIABLE:
            assert isinstance(verdict, Proved | Vacuous if found.complete else HoldsUpTo)
        else:
            assert isinstance(verdict, Proved if found.complete else HoldsUpTo)


@given(random_system())
@RANDOM
def test_the_same_states_and_verdicts_as_plain_search(system: System) -> None:
    found = plain_search(system, MOST)
    steps = None if found.complete else found.steps
    answer = explore(system, None, Limits(steps=steps), symmetry=False)
    assert answer.states == len(found.depths)
    assert answer.complete is found.complete
    if found.complete:
        assert answer.transitions == found.transitions
        assert answer.depth == found.steps
    compare(system, answer, found.steps)


def test_tlb() -> None:
    answer = explore(tlb_shootdown(2, 2, 2), None, Limits(), symmetry=False)
    assert answer.states == 3225
