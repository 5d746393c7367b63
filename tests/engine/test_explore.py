"""Explicit search agrees with plain search over the reference semantics."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from refine.core import expr as e
from refine.core.expr import Binder, Expr
from refine.core.system import Family, Fault, Kind, Place, Property, Rule, System, Var, Where
from refine.core.types import BOOL, Array, Enum, Index, Int, Word
from refine.engine.explore import explore
from refine.engine.verdict import (
    Answer,
    Cause,
    HoldsUpTo,
    Limits,
    Proved,
    Reached,
    Tick,
    Unknown,
    Vacuous,
    Verdict,
    Violated,
)
from tests.engine.systems import random_system, tlb_shootdown
from tests.run.plain import plain_search, shortest, stuck_depth

MOST = 250
RANDOM = settings(max_examples=60, suppress_health_check=[*HealthCheck])


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


# --- small systems ----------------------------------------------------------------------------------------------

COUNT = Int(0, 9)
N = e.var("n", COUNT)


def counter(*properties: Property, top: int = 5, **more: Any) -> System:
    """Return a system that counts from 0 to `top`, and stays there."""
    up = Rule(
        "up",
        (),
        e.lt(N, e.integer(top)),
        updates=(("n", e.narrow(e.add(N, e.integer(1)), COUNT)),),
        step="up",
    )
    rest: dict[str, Any] = {"rules": (up,), "places": (), "families": ()}
    rest |= more
    return System(
        name="counter",
        sizes=(),
        vars=(Var("n", COUNT, "shared"),),
        init=Rule("init", (), e.TRUE),
        properties=properties,
        **rest,
    )


def below(k: int, name: str = "low") -> Property:
    return Property(name, Kind.STATE, e.lt(N, e.integer(k)), "claim")


def reaches(k: int) -> Property:
    return Property("reach", Kind.REACH, e.eq(N, e.integer(k)), "reach")


def verdict(system: System, name: str, limits: Limits | None = None) -> Verdict:
    return explore(system, (name,), limits or Limits()).verdicts[name]


def test_the_shortest_run_to_a_violation_is_returned_with_the_reason() -> None:
    found = verdict(counter(below(3)), "low")
    assert isinstance(found, Violated)
    assert [event.rule for event in found.trace.events] == ["up"] * 3
    assert found.trace.states()[-1].values == (3,)
    assert found.trace.why == ("does not hold: n < 3 (n is 3)",)


def test_the_search_goes_on_after_a_violation_until_all_have_an_answer() -> None:
    answer = explore(counter(below(1, "a"), below(3, "b"), below(6, "c")), None, Limits())
    assert [type(v).__name__ for v in answer.verdicts.values()] == ["Violated", "Violated", "Proved"]
    assert (answer.states, answer.depth, answer.transitions, answer.complete) == (6, 5, 5, True)
    assert answer.verdicts["c"] == Proved("all 6 states")


def test_a_reach_that_no_state_satisfies_is_vacuous() -> None:
    assert isinstance(verdict(counter(reaches(5)), "reach"), Reached)
    assert verdict(counter(reaches(7)), "reach") == Vacuous("no reachable state satisfies it")


def test_within_some_steps_nothing_is_claimed_beyond_them() -> None:
    system = counter(below(3), below(9, "high"), reaches(3))
    at_two = explore(system, None, Limits(steps=2))
    assert at_two.verdicts["low"] == HoldsUpTo(2)
    assert isinstance(at_two.verdicts["reach"], Unknown)
    assert (at_two.states, at_two.complete) == (3, False)
    at_three = explore(system, None, Limits(steps=3))
    assert isinstance(at_three.verdicts["low"], Violated)
    assert at_three.verdicts["high"] == HoldsUpTo(3)
    assert isinstance(at_three.verdicts["reach"], Reached)


def test_steps_enough_to_see_everything_are_a_proof() -> None:
    assert verdict(counter(below(9)), "low", Limits(steps=4)) == HoldsUpTo(4)
    assert verdict(counter(below(9)), "low", Limits(steps=5)) == Proved("all 6 states")


def test_too_many_states_are_a_limit_and_what_was_found_stays() -> None:
    system = tlb_shootdown(2, 2, 2, buggy=True)
    many = explore(system, None, Limits(states=5000), symmetry=False)
    assert isinstance(many.verdicts["safe"], Violated)
    stuck = many.verdicts["stuck"]
    assert isinstance(stuck, Unknown)
    assert stuck.cause == Cause.LIMIT
    assert "every run of" in stuck.why
    assert not many.complete


def test_a_deadline_is_kept() -> None:
    answer = explore(tlb_shootdown(3, 2, 3), None, Limits(deadline=time.monotonic() - 1))
    assert {v.cause for v in answer.verdicts.values() if isinstance(v, Unknown)} == {Cause.TIMEOUT}
    assert len(answer.verdicts) == 4


def test_an_interrupt_leaves_what_was_found() -> None:
    def interrupt(tick: Tick) -> None:
        if tick.done > 3000:
            raise KeyboardInterrupt

    answer = explore(tlb_shootdown(2, 2, 2, buggy=True), None, Limits(), interrupt, symmetry=False)
    assert isinstance(answer.verdicts["safe"], Violated)
    assert {v.cause for v in answer.verdicts.values() if isinstance(v, Unknown)} == {Cause.INTERRUPTED}


def test_progress_is_told() -> None:
    ticks: list[Tick] = []
    answer = explore(tlb_shootdown(2, 2, 2), None, Limits(), ticks.append)
    assert ticks[-1].done == answer.states
    assert ticks[-1].engine == "explore"
    assert [t.depth for t in ticks] == sorted(t.depth for t in ticks)


def test_only_what_is_asked_is_answered() -> None:
    assert list(explore(counter(below(1, "a"), below(3, "b")), ("b",), Limits()).verdicts) == ["b"]


def test_a_search_for_states_does_not_decide_liveness() -> None:
    found = verdict(counter(Property("live", Kind.LIVENESS, e.TRUE, "claim")), "live")
    assert isinstance(found, Unknown)
    assert found.cause == Cause.NO_ENGINE


def test_without_an_initial_state_nothing_is_proved() -> None:
    none = Rule("init", (), e.TRUE, wheres=(Where(e.FALSE, "nothing"),))
    answer = explore(replace(counter(below(3), reaches(1)), init=none), None, Limits())
    assert set(answer.verdicts.values()) == {Vacuous("there is no initial state")}


def test_unbounded_integers_are_refused() -> None:
    answer = explore(replace(counter(below(3)), vars=(Var("n", Int(), "shared"),)), None, Limits())
    found = answer.verdicts["low"]
    assert isinstance(found, Unknown)
    assert found.cause == Cause.UNDECIDED
    assert "unbounded integers" in found.why


def test_choices_that_nobody_could_list_are_refused() -> None:
    wide = Rule("wide", (), e.TRUE, choices=(Binder("c", Word(64)),), step="wide")
    found = verdict(counter(below(3), rules=(wide,)), "low")
    assert isinstance(found, Unknown)
    assert "explicit search lists at most" in found.why
    endless = replace(wide, choices=(Binder("c", Int()),))
    found = verdict(counter(below(3), rules=(endless,)), "low")
    assert isinstance(found, Unknown)
    assert "infinitely many" in found.why


# --- steps, choices, faults -------------------------------------------------------------------------------------


def test_a_claim_about_steps_is_asked_of_the_steps_it_names() -> None:
    grows = e.lt(e.old(N), N)
    stay = Rule("stay", (), e.TRUE, step="stay")
    claims = (
        Property("all", Kind.STEP, grows, "claim"),
        Property("up", Kind.STEP, grows, "claim", of=("up",)),
    )
    system = counter(*claims)
    answer = explore(replace(system, rules=(*system.rules, stay)), None, Limits())
    broken = answer.verdicts["all"]
    assert isinstance(broken, Violated)
    assert [event.rule for event in broken.trace.events] == ["stay"]
    assert broken.trace.why == ("does not hold: old(n) < n (old(n) is 0, n is 0)",)
    assert isinstance(answer.verdicts["up"], Proved)


def chooser(*wheres: Where) -> System:
    c = Binder("c", COUNT)
    rule = Rule("pick", (), e.TRUE, (c,), wheres, updates=(("n", e.param("c", COUNT)),), step="pick")
    satisfiable = Property("sat", Kind.SATISFIABLE, e.TRUE, "free", of=("pick",))
    return counter(satisfiable, rules=(rule,))


C = e.param("c", COUNT)


def test_a_havoc_must_have_a_value_in_every_state() -> None:
    larger = Where(e.lt(N, C))
    found = verdict(chooser(larger), "sat")
    assert isinstance(found, Violated)
    assert len(found.trace.events) == 1
    assert found.trace.states()[-1].values == (9,)
    assert found.trace.why == ("no value can be chosen in `pick`",)
    assert isinstance(verdict(chooser(Where(e.le(N, C))), "sat"), Proved)


def test_an_assumption_need_not_be_met_everywhere_but_somewhere() -> None:
    assert isinstance(verdict(chooser(Where(e.lt(N, C), "larger")), "sat"), Proved)
    assert verdict(chooser(Where(e.FALSE, "never")), "sat") == Vacuous(
        "the assumptions of `pick` are never met"
    )


def test_a_fault_ends_a_run_and_names_its_place() -> None:
    up = replace(
        counter().rules[0], faults=(Fault(e.eq(N, e.integer(2)), 1), Fault(e.eq(N, e.integer(2)), 0))
    )
    places = (Place("up", "first"), Place("up", "second"))
    defined = Property("defined", Kind.FAULT, e.TRUE, "free", places=(0, 1))
    other = Property("other", Kind.FAULT, e.TRUE, "free", places=(0,))
    answer = explore(counter(defined, other, below(3), rules=(up,), places=places), None, Limits())
    broken = answer.verdicts["defined"]
    assert isinstance(broken, Violated)
    assert [s.fault for s in broken.trace.states()] == [None, None, None, 1]
    assert broken.trace.why == ("undefined: up: second",)
    assert isinstance(answer.verdicts["other"], Proved)
    assert isinstance(answer.verdicts["low"], Proved)
    assert answer.states == 4


# --- stuck threads ----------------------------------------------------------------------------------------------

PC = Enum("Pc", ("out", "wait", "in"))


def lockers(*, releases: bool, assume: str | None = None) -> System:
    """Return two threads that take turns in a critical section, whose lock the second never gives back unless told."""
    who = Index("who", 2)
    me, of_me = e.param("me", who), Binder("me", who)
    pc, lock = e.var("pc", Array(who, PC)), e.var("lock", BOOL)

    def at(k: int) -> Expr:
        return e.eq(e.select(pc, me), e.const(PC, k))

    def go(k: int) -> tuple[str, Expr]:
        return "pc", e.store(pc, me, e.const(PC, k))

    def step(name: str, guard: Expr, *updates: tuple[str, Expr], wheres: tuple[Where, ...] = ()) -> Rule:
        return Rule(name, (of_me,), guard, wheres=wheres, updates=updates, actor=0, step=name)

    free = Where(e.not_(lock), assume) if assume is not None else None
    enter = e.and_(at(1), e.not_(lock)) if free is None else at(1)
    rules = [
        step("want", at(0), go(1)),
        step("enter", enter, go(2), ("lock", e.TRUE), wheres=() if free is None else (free,)),
    ]
    rules.append(step("leave", at(2), go(0), *([("lock", e.FALSE)] if releases else [])))
    return System(
        name="lockers",
        sizes=(),
        vars=(Var("pc", Array(who, PC), "pc"), Var("lock", BOOL, "shared")),
        init=Rule("init", (), e.TRUE),
        rules=tuple(rules),
        properties=(Property("stuck", Kind.STUCK, e.TRUE, "free"),),
        places=(),
        families=(Family("locker", of_me, "pc", frozenset(), frozenset({0})),),
    )


@pytest.mark.parametrize("symmetry", [False, True])
def test_a_thread_is_stuck_if_it_can_never_move_again_though_others_can(symmetry: bool) -> None:
    assert isinstance(
        explore(lockers(releases=True), None, Limits(), symmetry=symmetry).verdicts["stuck"], Proved
    )
    answer = explore(lockers(releases=False), None, Limits(), symmetry=symmetry)
    found = answer.verdicts["stuck"]
    assert isinstance(found, Violated)
    assert len(found.trace.events) == stuck_depth(plain_search(lockers(releases=False), 100))
    assert found.trace.why[0].endswith("can never move again, and is at `wait`")
    assert bool(answer.symmetry) is symmetry


def test_the_stuck_thread_that_is_named_is_the_one_of_the_run_shown() -> None:
    found = explore(lockers(releases=False), None, Limits()).verdicts["stuck"]
    assert isinstance(found, Violated)
    name = found.trace.why[0].split()[0]
    counters = found.trace.states()[-1].values[0]
    assert isinstance(counters, tuple)
    assert counters[int(name.removeprefix("locker[").removesuffix("]"))] == 1


def test_an_assumption_is_no_excuse_for_being_stuck() -> None:
    answer = explore(lockers(releases=False, assume="never blocked"), None, Limits())
    assert isinstance(answer.verdicts["stuck"], Violated)


def test_whether_a_thread_is_stuck_may_be_open_within_some_steps() -> None:
    whole = {k: explore(lockers(releases=True), None, Limits(steps=k)).verdicts["stuck"] for k in range(12)}
    assert isinstance(whole[0], HoldsUpTo)
    assert {type(v) for v in whole.values()} <= {HoldsUpTo, Unknown, Proved}
    assert isinstance(whole[11], Proved)
    stuck = [explore(lockers(releases=False), None, Limits(steps=k)).verdicts["stuck"] for k in range(12)]
    assert isinstance(stuck[11], Violated)
    assert not any(isinstance(v, Proved) for v in stuck)


# --- determinism ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_question_has_the_same_answer_byte_for_byte(hash_seed: str, checkout: Path) -> None:
    program = (
        "from tests.engine.systems import tlb_shootdown\n"
        "from refine.engine.explore import explore\n"
        "from refine.engine.verdict import Limits\n"
        "for s in (False, True):\n"
        "    v = explore(tlb_shootdown(2, 2, 2, buggy=True), None, Limits(), symmetry=s).verdicts['safe']\n"
        "    print([(x.rule, x.params, x.choices) for x in v.trace.events], v.trace.why)\n"
    )
    here = [explore(tlb_shootdown(2, 2, 2, buggy=True), None, Limits(), symmetry=s) for s in (False, True)]
    expected = []
    for answer in here:
        found = answer.verdicts["safe"]
        assert isinstance(found, Violated)
        expected.append(f"{[(x.rule, x.params, x.choices) for x in found.trace.events]} {found.trace.why}")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=checkout,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == expected
