"""Bounded model checking: shortest runs, honest bounds, and every way of having no answer."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings

from refine.core import expr as e
from refine.core.expr import Binder, Expr
from refine.core.system import Fault, Kind, Place, Property, Rule, System, Var, Where
from refine.core.types import BOOL, INT, Int, Value, Word
from refine.engine.bmc import bmc
from refine.engine.replay import Inconsistent
from refine.engine.verdict import (
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
from refine.smt.decode import Model
from refine.smt.unroll import Frame, Step, Unrolling
from tests.engine.systems import tlb_shootdown
from tests.smt.exhaustive import Facts, search
from tests.smt.randoms import systems

COUNT = Int(0, 9)
C, C_OLD = e.var("c", COUNT), e.old(e.var("c", COUNT))


def counting(
    *properties: Property, guard: Expr = e.TRUE, faults: tuple[Fault, ...] = (), rules: Sequence[Rule] = ()
) -> System:
    """A counter that goes up by one, and may fault on the way."""
    up = Rule(
        "up", (), guard, faults=faults, updates=(("c", e.narrow(e.add(C, e.integer(1)), COUNT)),), step="up"
    )
    return System(
        "counting",
        (),
        (Var("c", COUNT, "shared"),),
        Rule("init", (), e.TRUE, step="init"),
        (up, *rules),
        properties,
        (Place("up", "too far"), Place("up", "elsewhere")),
        (),
    )


def claim(name: str, cond: Expr, kind: Kind = Kind.STATE, role: str = "claim", **more: object) -> Property:
    return Property(name, kind, cond, role, **more)  # type: ignore[arg-type]


def verdicts(system: System, steps: int | None = None) -> Mapping[str, Verdict]:
    return bmc(system, [p.name for p in system.properties], Limits(steps=steps)).verdicts


def length(verdict: Verdict) -> int:
    assert isinstance(verdict, Violated | Reached), verdict
    return len(verdict.trace.events)


def below(n: int) -> Expr:
    return e.lt(C, e.integer(n))


def test_counterexample_is_shortest() -> None:
    found = verdicts(counting(claim("low", below(4)), claim("lower", below(2))))
    assert length(found["low"]) == 4
    assert length(found["lower"]) == 2


def test_initial_state_may_break_a_claim() -> None:
    assert length(verdicts(counting(claim("positive", below(0))))["positive"]) == 0


def test_claim_about_steps_sees_old_and_new() -> None:
    jump = Rule("jump", (), e.eq(C, e.integer(3)), updates=(("c", e.integer(7)),), step="jump")
    slow = e.or_(e.eq(C, e.integer(0)), e.le(C, e.add(C_OLD, e.integer(1))))
    system = counting(
        claim("slow", slow, Kind.STEP),
        claim("up only", slow, Kind.STEP, of=("up",)),
        guard=below(6),
        rules=[jump],
    )
    found = verdicts(system, 8)
    assert length(found["slow"]) == 4
    assert isinstance(found["slow"], Violated)
    assert found["slow"].trace.events[-1].rule == "jump"
    assert found["up only"] == Proved("every run ends within 6 steps")


def test_reach_is_reached_or_said_to_be_far() -> None:
    system = counting(claim("three", e.eq(C, e.integer(3)), Kind.REACH, "reach"))
    assert length(verdicts(system)["three"]) == 3
    assert verdicts(system, 2)["three"] == Unknown("not reached within 2 steps", Cause.LIMIT)


def test_bound_is_reported_and_no_more() -> None:
    system = counting(claim("low", below(4)))
    assert verdicts(system, 3)["low"] == HoldsUpTo(3)
    assert verdicts(counting(claim("fine", e.TRUE)))["fine"] == HoldsUpTo(20)


def test_fault_is_found_at_its_place_only() -> None:
    faults = (Fault(e.eq(C, e.integer(2)), 0),)
    system = counting(
        claim("first", e.TRUE, Kind.FAULT, places=(0,)),
        claim("second", e.TRUE, Kind.FAULT, places=(1,)),
        claim("low", below(3)),
        faults=faults,
    )
    found = verdicts(system)
    assert length(found["first"]) == 3
    assert isinstance(found["first"], Violated)
    last = found["first"].trace.states()[-1]
    assert (last.values, last.fault) == ((2,), 0)
    assert found["second"] == found["low"] == Proved("every run ends within 3 steps")


def test_runs_that_end_are_exhausted() -> None:
    system = counting(
        claim("low", below(4)),
        claim("far", e.eq(C, e.integer(5)), Kind.REACH, "reach"),
        guard=below(3),
    )
    answer = bmc(system, ["low", "far"], Limits())
    assert answer.complete
    assert answer.verdicts["low"] == Proved("every run ends within 3 steps")
    assert answer.verdicts["far"] == Vacuous("no state satisfies it: every run ends within 3 steps")


def test_without_an_initial_state_nothing_is_claimed() -> None:
    system = counting(claim("low", e.FALSE))
    choice = Binder("k", BOOL)
    never = Rule("init", (), e.TRUE, (choice,), (Where(e.FALSE),), step="init")
    impossible = replace(system, init=never)
    assert isinstance(verdicts(impossible)["low"], Vacuous)


def test_havoc_that_nothing_satisfies_is_found() -> None:
    chosen = e.param("k", COUNT)
    pick = Rule(
        "pick",
        (),
        e.TRUE,
        (Binder("k", COUNT),),
        (Where(e.lt(e.add(C, e.integer(7)), chosen)), Where(e.FALSE, "named")),
        step="pick",
    )
    system = counting(claim("pick", e.TRUE, Kind.SATISFIABLE, "free", of=("pick",)), rules=[pick])
    assert length(verdicts(system)["pick"]) == 2


def picking(guard: Expr, assumed: Expr) -> System:
    chosen = Binder("k", COUNT)
    pick = Rule("pick", (), guard, (chosen,), (Where(assumed, "named"),), step="pick")
    prop = claim("pick", e.TRUE, Kind.SATISFIABLE, "free", of=("pick",))
    return counting(prop, guard=below(3), rules=[pick])


def test_assumption_of_a_rule_that_nothing_meets_makes_it_vacuous() -> None:
    k = e.param("k", COUNT)
    two = e.eq(C, e.integer(2))
    never = e.and_(two, e.lt(e.add(C, e.integer(7)), k))
    assert verdicts(picking(two, never))["pick"] == Vacuous("the assumptions of `pick` are never met")
    assert verdicts(picking(e.eq(C, e.integer(5)), never))["pick"] == Proved("every run ends within 3 steps")
    assert verdicts(picking(two, e.lt(e.integer(8), k)))["pick"] == HoldsUpTo(20)


def test_havoc_over_too_many_choices_is_declined() -> None:
    word = Word(32)
    pick = Rule("pick", (), e.TRUE, (Binder("w", word),), (Where(e.FALSE),), step="pick")
    system = counting(claim("pick", e.TRUE, Kind.SATISFIABLE, "free", of=("pick",)), rules=[pick])
    found = verdicts(system)["pick"]
    assert isinstance(found, Unknown)
    assert "combinations of choices" in found.why


@pytest.mark.parametrize("kind", [Kind.STUCK, Kind.LIVENESS])
def test_what_speaks_of_whole_runs_is_declined(kind: Kind) -> None:
    found = verdicts(counting(claim("p", e.TRUE, kind), claim("low", below(4))))
    assert isinstance(found["p"], Unknown)
    assert found["p"].cause == Cause.NO_ENGINE
    assert length(found["low"]) == 4


def test_unbounded_integer_is_checked_by_the_general_solver() -> None:
    big = e.var("c", INT)
    up = Rule(
        "up", (), e.TRUE, updates=(("c", e.mul(e.add(big, e.integer(1)), e.integer(10**9))),), step="up"
    )
    low = claim("low", e.lt(big, e.integer(10**25)))
    system = replace(counting(low), vars=(Var("c", INT, "shared"),), rules=(up,))
    assert length(verdicts(system)["low"]) == 3


# --- no answer --------------------------------------------------------------------------------------------------


def test_resource_limit_gives_the_same_non_answer_each_time() -> None:
    system = tlb_shootdown(3, 2, 3)
    first, second = (bmc(system, ["safe"], Limits(resources=3_000)) for _ in range(2))
    assert first == second
    found = first.verdicts["safe"]
    assert isinstance(found, Unknown)
    assert found.cause == Cause.LIMIT
    assert first.depth is not None
    assert 3 < first.depth < 20


def test_deadline_is_kept() -> None:
    start = time.monotonic()
    found = bmc(tlb_shootdown(3, 3, 4), ["safe"], Limits(deadline=start + 0.5)).verdicts["safe"]
    assert isinstance(found, Unknown)
    assert found.cause == Cause.TIMEOUT
    assert time.monotonic() - start < 5


def test_interrupt_leaves_what_was_found() -> None:
    system = tlb_shootdown(3, 3, 4)
    low = claim(
        "odd", e.ne(e.var("zapper.pc", system.var("zapper.pc").type), e.const(system.vars[0].type, 1))
    )
    both = replace(system, properties=(*system.properties, low))
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    # Whoever runs tests side by side may have told this process to ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt_later(tick: Tick) -> None:
        if tick.depth == 10:  # "odd" was found by then, and what follows takes minutes
            timer.start()

    try:
        found = bmc(both, ["safe", "odd"], Limits(deadline=time.monotonic() + 120), interrupt_later).verdicts
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert isinstance(found["odd"], Violated)
    assert isinstance(found["safe"], Unknown)
    assert found["safe"].cause == Cause.INTERRUPTED


def test_progress_is_told_depth_by_depth() -> None:
    ticks: list[Tick] = []
    bmc(counting(claim("low", below(4))), ["low"], Limits(), ticks.append)
    assert [tick.depth for tick in ticks] == [0, 1, 2, 3, 4]


# --- shown runs -------------------------------------------------------------------------------------------------


def test_run_shown_is_the_least_whatever_else_is_asked() -> None:
    system = tlb_shootdown(2, 2, 2, buggy=True)
    alone = bmc(system, ["safe"], Limits()).verdicts["safe"]
    beside = bmc(system, ["satisfiable", "safe", "defined"], Limits()).verdicts["safe"]
    assert length(alone) == 13
    assert alone == beside


def test_run_takes_the_first_rule_and_the_least_choice() -> None:
    k = Binder("k", Int(0, 3))
    rules = [
        Rule(name, (), e.TRUE, (k,), (Where(e.lt(e.integer(1), e.param("k", k.type))),), step=name)
        for name in ("first", "second")
    ]
    seen = claim("seen", e.FALSE, Kind.STEP, of=("first", "second"))
    found = verdicts(counting(seen, rules=rules))["seen"]
    assert isinstance(found, Violated)
    assert [(x.rule, x.choices) for x in found.trace.events] == [("first", (2,))]


def test_planted_wrong_decoding_is_caught_by_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    value = Model.binders

    def off_by_one(self: Model, case: object) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        params, choices = value(self, case)  # type: ignore[arg-type]
        return params, tuple(int(c) + 1 for c in choices if isinstance(c, int))

    k = Binder("k", Int(0, 3))
    jump = Rule("jump", (), e.TRUE, (k,), updates=(("c", e.param("k", k.type)),), step="jump")
    system = counting(claim("low", below(3)), rules=[jump])
    assert length(verdicts(system)["low"]) == 1
    monkeypatch.setattr(Model, "binders", off_by_one)
    with pytest.raises(Inconsistent):
        verdicts(system)


# --- against exhaustive search ------------------------------------------------------------------------------------


def test_tlb_shootdown_breaks_after_thirteen_steps() -> None:
    assert length(verdicts(tlb_shootdown(2, 2, 2, buggy=True))["safe"]) == 13


STEPS = 7


@settings(max_examples=100)
@given(systems())
def test_depth_is_that_of_breadth_first_search(system: System) -> None:
    facts = search(system, 500)
    if facts is not None:
        for name, found in verdicts(system, STEPS).items():
            compare(system.property(name), found, facts)


def compare(prop: Property, found: Verdict, facts: Facts) -> None:
    first = facts.first.get(prop.name)
    if facts.states == 0:
        assert isinstance(found, Vacuous)
    elif first is not None and first <= STEPS:
        assert length(found) == first
        assert isinstance(found, Reached if prop.kind is Kind.REACH else Violated)
    elif facts.longest is not None and facts.longest < STEPS:
        ended = f"every run ends within {facts.longest} steps"
        if prop.kind is Kind.SATISFIABLE and "r0" in facts.enabled - facts.met:
            assert found == Vacuous("the assumptions of `r0` are never met")
        elif prop.kind is Kind.REACH:
            assert found == Vacuous(f"no state satisfies it: {ended}")
        else:
            assert found == Proved(ended)
    elif prop.kind is Kind.REACH:
        assert isinstance(found, Unknown)
    else:
        assert found == HoldsUpTo(STEPS)


def test_planted_ignored_guard_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    system = counting(claim("low", below(4)), guard=below(3))
    facts = search(system, 500)
    assert facts is not None
    compare(system.property("low"), verdicts(system, STEPS)["low"], facts)

    def unguarded(self: Unrolling, before: Frame, name: str) -> Step:
        return self._step(before, tuple(replace(r, guard=e.TRUE) for r in self.system.rules), name)

    monkeypatch.setattr(Unrolling, "step", unguarded)
    with pytest.raises(Inconsistent):
        verdicts(system, STEPS)
