"""Rounds: on random systems, what they prove is what has no fair cycle; and identities are not mixed up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refine.core import expr as e
from refine.core.location import locations, moves_others
from refine.core.system import Family, Kind, Property, Rule, System, Var
from refine.core.types import BOOL, Enum
from refine.engine import rounds as module
from refine.engine.decide import decide
from refine.engine.explore import explore
from refine.engine.ic3 import ic3
from refine.engine.live import live
from refine.engine.rounds import DEFINED, FEW, counting, rounds
from refine.engine.verdict import Cause, Limits, Proved, Unknown, Vacuous, Verdict, Violated
from refine.lang.tokens import grammar
from tests.engine.test_live import AROUND, COUNTER, FLICKER, TURNS, crew_of, system


def by_rounds(text: str, name: str) -> Verdict:
    return rounds(system(text), [name], Limits()).verdicts[name]


def compare(seed: int) -> list[str]:
    """What is said of a random system by rounds, which must be what fair cycles say."""
    crew = crew_of(seed)
    names = [p.name for p in crew.properties]
    cycles = live(crew, names, Limits()).verdicts
    said = []
    for name, found in rounds(crew, names, Limits()).verdicts.items():
        if isinstance(cycles[name], Violated):
            assert isinstance(found, Unknown), (seed, name)
        else:
            assert type(found) is type(cycles[name]), (seed, name, found)
        said.append(type(found).__name__)
    return said


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 8)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_rounds_prove_what_has_no_fair_cycle_and_nothing_else(seed: int) -> None:
    compare(seed)


def test_the_random_systems_are_of_all_sorts() -> None:
    said = [word for seed in range(12) for word in compare(seed)]
    assert min(map(said.count, ("Proved", "Unknown", "Vacuous"))) > 3


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_a_search_of_the_system_that_counts_agrees_with_ic3(seed: int) -> None:
    crew = crew_of(seed)
    for claim in crew.properties:
        counted = counting(crew, claim, 2)
        by_search = explore(counted, [FEW, DEFINED], Limits()).verdicts
        by_clauses = ic3(counted, [FEW, DEFINED], Limits()).verdicts
        assert [type(by_search[n]) for n in (FEW, DEFINED)] == [type(by_clauses[n]) for n in (FEW, DEFINED)]


def test_what_is_counted_has_names_that_sentences_can_be_written_with() -> None:
    reserved = grammar().terminals
    crews = [crew_of(seed) for seed in range(12)]
    assert any(rule.fair == "strong" for crew in crews for rule in crew.rules)
    for crew in crews:
        for claim in crew.properties:
            added = counting(crew, claim, 2).vars[len(crew.vars) :]
            assert not [v.name for v in added if reserved.keys() & set(v.name.split("."))]


# --- planted errors -----------------------------------------------------------------------------------------------


def plant_nobody_stands_still(patch: pytest.MonkeyPatch) -> None:
    made = module._Counter.made

    def planted(self: module._Counter) -> System:
        found = made(self)
        return replace(found, rules=tuple(r for r in found.rules if not r.name.endswith("stand_still")))

    patch.setattr(module._Counter, "made", planted)


def plant_all_are_fair(patch: pytest.MonkeyPatch) -> None:
    def planted(crew: System, claim: Property, most: int) -> System:
        rules = tuple(replace(r, fair=r.fair or "weak") for r in crew.rules)
        return counting(replace(crew, rules=rules), claim, most)

    patch.setattr(module, "counting", planted)


def plant_all_are_strong(patch: pytest.MonkeyPatch) -> None:
    def planted(crew: System, claim: Property, most: int) -> System:
        rules = tuple(replace(r, fair=r.fair and "strong") for r in crew.rules)
        return counting(replace(crew, rules=rules), claim, most)

    patch.setattr(module, "counting", planted)


def plant_strong_ones_are_not_spared(patch: pytest.MonkeyPatch) -> None:
    """Who can never move again is owed a move all the same: nothing is fair, and all is proved."""
    patch.setattr(module._Counter, "_watch", lambda self, watching: Rule("watch", (), e.FALSE))


def some_crews() -> None:
    for seed in range(100):
        compare(seed)


def nothing_fair() -> None:
    assert isinstance(by_rounds(COUNTER.replace("FAIR ", ""), "there"), Unknown)


def weakly_fair() -> None:
    assert isinstance(by_rounds(FLICKER.replace("KIND", "fair"), "inside"), Unknown)


@pytest.mark.parametrize(
    ("plant", "test"),
    [
        (plant_nobody_stands_still, some_crews),
        (plant_all_are_fair, nothing_fair),
        (plant_all_are_strong, weakly_fair),
        (plant_strong_ones_are_not_spared, some_crews),
    ],
)
def test_a_planted_error_is_caught(
    plant: Callable[[pytest.MonkeyPatch], None], test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        test()


# --- what it means ------------------------------------------------------------------------------------------------


def test_what_is_proved_says_how_many_rounds_may_pass() -> None:
    found = by_rounds(COUNTER.replace("FAIR", "fair"), "there")
    assert found == Proved("fewer than 4 rounds of fairness pass without it, by IC3")
    assert isinstance(by_rounds(COUNTER.replace("FAIR", "fair"), "one_by_one"), Proved)
    assert isinstance(by_rounds(COUNTER.replace("FAIR", "fair"), "never_met"), Vacuous)
    unfair = by_rounds(COUNTER.replace("FAIR ", ""), "there")
    assert unfair == Unknown("8 rounds of fairness may pass without it; more were not tried", Cause.LIMIT)


@pytest.mark.parametrize(("text", "word"), [(FLICKER, "KIND"), (AROUND, "fair thread door")])
def test_strong_fairness_is_more_than_weak(text: str, word: str) -> None:
    weak, strong = ("fair", "strong fair") if word == "KIND" else (word, f"strong {word}")
    assert isinstance(by_rounds(text.replace(word, weak), "inside"), Unknown)
    assert isinstance(by_rounds(text.replace(word, strong), "inside"), Proved)


QUEUE = """protocol queue;
index vcpu[3];
shared vcpu? owner = none;
shared set<vcpu> waiting = {};
shared set<vcpu> ahead[v in vcpu] = {};
fair thread guest[v in vcpu] {
    loop {
        idle step join { ahead[v] = waiting; waiting += v; }
        step take when owner == none && ahead[v] == {} {
            owner = v;
            waiting -= v;
        }
        step give {
            owner = none;
            for all x in vcpu { ahead[x] = ahead[x] - {v}; }
        }
    }
}
claim each_served: for each v in vcpu: v in waiting leads to owner == v;
"""


def test_identities_are_kept_apart_though_states_are_taken_up_to_renaming() -> None:
    """Some guest waits at any time: to forget who it is would let one of three wait for ever, or nobody starve."""
    queue = system(QUEUE)
    counted = counting(queue, queue.property("each_served"), 16)
    found = explore(counted, [FEW, DEFINED], Limits())
    assert found.symmetry == ("vcpu",)
    assert all(isinstance(v, Proved) for v in found.verdicts.values())
    # Without the queue somebody is served all the time, but each of three may starve.
    turns = system(TURNS.replace("TAKE", "fair"))
    for name, starves in (("each_served", True), ("somebody", False)):
        counted = counting(turns, turns.property(name), 4)
        searched = explore(counted, [FEW], Limits()).verdicts[FEW]
        assert isinstance(searched, Violated) is starves


def test_where_something_undefined_is_reached_nothing_is_proved() -> None:
    text = """protocol x;
shared int(0..2) n = 0;
fair thread up { step one { n += 1; } step two { n += 1; } step three { n += 1; } }
claim there: eventually n == 2;
"""
    assert by_rounds(text, "there") == Unknown("some runs end at what is undefined", Cause.UNDECIDED)


def test_the_steps_of_a_thread_that_others_move_are_units_of_their_own() -> None:
    """Each of two steps cannot move now and then, so that neither is owed a move; at any time one of them could."""
    at = Enum("at", ("a", "b", "done"))
    pc, turn = e.var("pc", at), e.var("turn", BOOL)
    there = [e.const(at, k) for k in range(3)]

    def step(k: int) -> Rule:
        name = f"one.{'ab'[k]}"
        guard = e.eq(pc, there[k])
        return Rule(name, (), guard, updates=(("pc", there[2]),), actor=0, step=name, fair="weak")

    moved = Rule(
        "move", (), e.ne(pc, there[2]), updates=(("pc", e.ite(turn, there[0], there[1])), ("turn", e.not_(turn))),
        fair="weak",
    )  # fmt: skip
    claim = Property("ends", Kind.LIVENESS, e.eq(pc, there[2]), "claim")
    ping = System(
        "ping", (), (Var("pc", at, "pc"), Var("turn", BOOL, "shared")), Rule("init", (), e.TRUE),
        (step(0), step(1), moved), (claim,), (), (Family("one", None, "pc", frozenset([2]), frozenset()),),
    )  # fmt: skip
    assert moves_others(ping)
    assert locations(ping, ping.rules[0]) == {0}
    assert isinstance(live(ping, None, Limits()).verdicts["ends"], Violated)
    assert isinstance(rounds(ping, ["ends"], Limits()).verdicts["ends"], Unknown)


def test_too_many_states_for_cycles_are_left_to_rounds() -> None:
    counter = system(COUNTER.replace("FAIR", "fair"))
    found = decide(counter, ["there"], Limits(states=2))
    assert found.answer.verdicts["there"] == Proved("fewer than 4 rounds of fairness pass without it, by IC3")
    assert found.engines["there"] == "rounds"
    assert decide(counter, ["there"], Limits(), mode="ic3").engines["there"] == "rounds"
    nothing = decide(counter, ["there"], Limits(), mode="bmc").answer.verdicts["there"]
    assert isinstance(nothing, Unknown)
    assert nothing.cause == Cause.NO_ENGINE
