"""Liveness: fair cycles against their definition on random systems, and what fairness does and does not give."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refine.core import expr as e
from refine.core.expr import Binder
from refine.core.system import Family, Fault, Kind, Place, Property, Rule, State, System, Var
from refine.core.types import BOOL, Array, Enum, Index
from refine.engine import live as module
from refine.engine.decide import decide
from refine.engine.live import live
from refine.engine.replay import Inconsistent, replay
from refine.engine.verdict import Cause, Limits, Proved, Unknown, Vacuous, Verdict, Violated
from refine.lang.load import load_text
from refine.lang.lower import lower
from refine.report import trace as as_text
from refine.run.compile import compile_graph
from refine.run.eval import as_valuation, evaluate, initial, successors
from refine.text.diag import Reporter, render

PC = Enum("Pc", ("a", "b", "c"))
CREW = Index("crew", 2)
MOST = 11  # states away from the goal, whose subsets are all looked at


def crew_of(seed: int) -> System:
    """Two like threads, a single one, and a rule, each fair or not, who wait for flags and for each other."""
    choose = random.Random(seed)
    flag, one, many = e.var("flag", BOOL), e.var("one", PC), e.var("many", Array(CREW, PC))
    me = e.param("me", CREW)
    mine = Binder("me", CREW)
    fair = [choose.choice(["", "weak", "weak", "strong"]) for _ in range(3)]

    def tests() -> list[e.Expr]:
        other = Binder("o", CREW)
        there = e.eq(e.select(many, e.param("o", CREW)), e.const(PC, choose.randrange(3)))
        found = [
            flag,
            e.eq(one, e.const(PC, choose.randrange(3))),
            e.exists(other, there),
            e.forall(other, there),
        ]
        return [*found, *map(e.not_, found)]

    def rule(number: int) -> Rule:
        kind = choose.randrange(3)
        here, there = e.const(PC, choose.randrange(3)), e.const(PC, choose.randrange(3))
        extra = choose.sample(tests(), choose.choice([0, 0, 1, 1, 2]))
        updates = [("flag", choose.choice([e.TRUE, e.FALSE, e.not_(flag)]))] if choose.random() < 0.5 else []
        name = f"rule{number}"
        if kind == 0:
            if choose.random() < 0.3:
                return Rule(name, (mine,), e.and_(*extra), updates=tuple(updates), step=name, fair=fair[0])
            return Rule(name, (), e.and_(*extra), updates=tuple(updates), step=name, fair=fair[0])
        if kind == 1:
            updates.append(("one", there))
            step = f"one.{choose.randrange(3)}"
            return Rule(
                name,
                (),
                e.and_(e.eq(one, here), *extra),
                updates=tuple(updates),
                actor=0,
                step=step,
                fair=fair[1],
            )
        updates.append(("many", e.store(many, me, there)))
        return Rule(
            name, (mine,), e.and_(e.eq(e.select(many, me), here), *extra),
            updates=tuple(updates), actor=1, step=f"many.{choose.randrange(3)}", fair=fair[2],
        )  # fmt: skip

    some = Binder("some", CREW)

    def at() -> e.Expr:
        return e.eq(e.select(many, e.param("some", CREW)), e.const(PC, choose.randrange(3)))

    goals = tests()
    return System(
        name="crew",
        sizes=(),
        vars=(Var("one", PC, "pc"), Var("many", Array(CREW, PC), "pc"), Var("flag", BOOL, "shared")),
        init=Rule("init", (), e.TRUE, updates=(("flag", e.TRUE),)),
        rules=tuple(rule(k) for k in range(choose.randrange(2, 7))),
        properties=(
            Property("comes", Kind.LIVENESS, choose.choice(goals), "claim"),
            Property("follows", Kind.LIVENESS, choose.choice(goals), "claim", given=choose.choice(tests())),
            Property(
                "of_each", Kind.LIVENESS, e.and_(at(), choose.choice(goals)), "claim",
                given=choose.choice([None, at(), e.not_(at())]), each=(some,),
            ),
        ),
        places=(),
        families=(Family("one", None, "one", frozenset(), frozenset(range(3))),
                  Family("many", mine, "many", frozenset(), frozenset(range(3)))),
    )  # fmt: skip


Unit = tuple[str, tuple[object, ...]]


def unit(system: System, rule: Rule, params: tuple[object, ...]) -> Unit:
    if rule.actor is None:
        return rule.fair, ("rule", rule.name, *params)
    return rule.fair, ("step", rule.step, *(params[:1] if system.families[rule.actor].index else ()))


def by_definition(system: System, p: Property) -> bool | None:
    """Whether some fair run keeps away for some element."""
    found = [of_one(system, p, {b.name: v for b in p.each}) for v in (range(2) if p.each else [0])]
    return True if True in found else None if None in found else False


def of_one(system: System, p: Property, params: Mapping[str, int]) -> bool | None:
    """Whether some fair run keeps away, from the definition: some set of states in which it goes round.

    A run visits some states again and again; these are connected by steps among them, or it stands still in one. To
    take more of the steps among them only helps. None: there are too many sets.
    """
    states: dict[State, None] = dict.fromkeys(s for _, s in initial(system))
    steps: list[tuple[State, Unit, State]] = []
    for here in (queue := list(states)):
        for rule, given_, _, after in successors(system, here):
            steps.append((here, unit(system, rule, tuple(given_)), after))
            if after not in states:
                states[after] = None
                queue.append(after)
    goal = {s for s in states if evaluate(p.cond, as_valuation(system, s), params=params)}
    starts = [s for _, s in initial(system)] if p.given is None else [
        s for s in states if evaluate(p.given, as_valuation(system, s), params=params)
    ]  # fmt: skip
    away = set(starts) - goal
    grown = True
    while grown:
        new = {t for s, _, t in steps if s in away and t not in goal} - away
        away |= new
        grown = bool(new)
    if len(away) > MOST:
        return None
    able = {s: {u for here, u, _ in steps if here == s} for s in away}
    return any(
        fair(set(some), [x for x in steps if x[0] in some and x[2] in some], able)
        for size in range(1, len(away) + 1)
        for some in combinations(sorted(away, key=str), size)
    )


def fair(some: set[State], inside: list[tuple[State, Unit, State]], able: dict[State, set[Unit]]) -> bool:
    taken = {u for _, u, _ in inside}
    everywhere = {u for s in some for u in able[s] if u[0]}
    if any(u[0] == "strong" or all(u in able[s] for s in some) for u in everywhere - taken):
        return False
    return all(connected(s, some, inside) for s in some)


def connected(start: State, some: set[State], inside: Iterable[tuple[State, Unit, State]]) -> bool:
    seen, queue = {start}, [start]
    for here in queue:
        for s, _, t in inside:
            if s == here and t not in seen:
                seen.add(t)
                queue.append(t)
    return seen == some


def check_crew(seed: int) -> list[str]:
    system = crew_of(seed)
    answer = live(system, None, Limits())
    said = []
    for p in system.properties:
        verdict = answer.verdicts[p.name]
        expected = by_definition(system, p)
        if isinstance(verdict, Vacuous):
            assert expected is False, seed
        elif expected is not None:
            assert isinstance(verdict, Violated if expected else Proved), (seed, p.name)
        if isinstance(verdict, Violated):
            assert replay(verdict.trace) == []
        said.append(type(verdict).__name__ if expected is not None else "large")
    return said


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_fair_cycles_are_found_as_by_definition(seed: int) -> None:
    check_crew(seed)


def test_random_crews_are_of_all_sorts() -> None:
    said = [word for seed in range(150) for word in check_crew(seed)]
    assert min(said.count("Proved"), said.count("Violated")) > 20
    assert said.count("large") < len(said) // 2


# --- planted errors -------------------------------------------------------------------------------------------------


def plant_no_strong(patch: pytest.MonkeyPatch) -> None:
    """Strong fairness is taken for weak: runs are found that are not fair."""

    def planted(*args: object) -> object:
        graph = compile_graph(*args)  # type: ignore[arg-type]
        return replace(graph, units=tuple(replace(u, fair="weak") for u in graph.units))

    patch.setattr(module, "compile_graph", planted)


def plant_no_rest(patch: pytest.MonkeyPatch) -> None:
    """Nobody stands still: single states count only if a step leads back to them."""
    components = module._Graph.components

    def planted(self: module._Graph, states: set[int]) -> Iterable[set[int]]:
        for found in components(self, states):
            if len(found) > 1 or any(after in found for s in found for _, after in self.edges[s]):
                yield found

    patch.setattr(module._Graph, "components", planted)


def plant_given_up(patch: pytest.MonkeyPatch) -> None:
    """A component in which a strong unit is missed is given up, with all its parts."""
    fair = module._Graph.fair

    def planted(self: module._Graph, states: set[int]) -> Iterable[set[int]]:
        found = list(fair(self, states))
        return [c for c in found if any(set(whole) == c for whole in self.components(states))]

    patch.setattr(module._Graph, "fair", planted)


def plant_all_fair(patch: pytest.MonkeyPatch) -> None:
    """Who is not fair is taken to be."""

    def planted(system: System, conditions: object) -> object:
        rules = tuple(replace(r, fair=r.fair or "weak") for r in system.rules)
        return compile_graph(replace(system, rules=rules), conditions)  # type: ignore[arg-type]

    patch.setattr(module, "compile_graph", planted)


def check_crews() -> None:
    for seed in range(400):
        check_crew(seed)


def check_around() -> None:
    assert isinstance(verdict(AROUND, "inside"), Violated)


@pytest.mark.parametrize(
    ("plant", "test"),
    [
        (plant_no_strong, check_crews),
        (plant_no_rest, check_crews),
        (plant_given_up, check_around),
        (plant_all_fair, check_crews),
    ],
)
def test_a_planted_error_is_caught(
    plant: Callable[[pytest.MonkeyPatch], None], test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, Inconsistent)):
        test()


# --- what it means --------------------------------------------------------------------------------------------------


def system(text: str, sizes: dict[str, int] | None = None) -> System:
    reporter = Reporter()
    loaded = load_text(text, "x.spte", (), reporter)
    made = lower(loaded, sizes or {}, reporter) if loaded is not None else None
    assert made is not None, [render(d) for d in reporter.sorted()]
    return made


def verdict(text: str, name: str) -> Verdict:
    made = system(text)
    return decide(made, [name], Limits()).answer.verdicts[name]


COUNTER = """protocol counter;
shared int(0..3) n = 0;
FAIR thread up { loop { step go when n < 3 { n += 1; } } }
claim there: eventually n == 3;
claim one_by_one: n == 1 leads to n == 2;
claim never_met: n > 3 leads to n == 0;
"""


def test_who_is_not_fair_may_stand_still_for_ever() -> None:
    found = verdict(COUNTER.replace("FAIR ", ""), "there")
    assert isinstance(found, Violated)
    assert found.trace.loop == len(found.trace.events) == 0
    assert "nothing is declared fair" in found.trace.why[0]
    assert isinstance(verdict(COUNTER.replace("FAIR", "fair"), "there"), Proved)
    assert isinstance(verdict(COUNTER.replace("FAIR", "fair"), "one_by_one"), Proved)


def test_what_leads_to_something_and_never_happens_is_vacuous() -> None:
    assert isinstance(verdict(COUNTER.replace("FAIR", "fair"), "never_met"), Vacuous)


FLICKER = """protocol flicker;
shared bool open = false;
fair thread door { loop { step up { open = true; } step down { open = false; } } }
KIND thread guest { step enter when open { } }
claim inside: eventually guest at end;
"""


def test_a_guard_that_holds_now_and_then_takes_strong_fairness() -> None:
    starved = verdict(FLICKER.replace("KIND", "fair"), "inside")
    assert isinstance(starved, Violated)
    assert starved.trace.loop is not None
    assert len(starved.trace.events) > starved.trace.loop
    assert "door.up" in starved.trace.why[0]
    assert isinstance(verdict(FLICKER.replace("KIND", "strong fair"), "inside"), Proved)


# The door need not open: it may go another way for ever.
AROUND = """protocol around;
shared bool open = false;
fair thread door {
    loop {
        choose {
            step up { open = true; }
            step down { open = false; }
        or
            step aside { }
            step back { }
        }
    }
}
strong fair thread guest { step enter when open { } }
claim inside: eventually guest at end;
"""


def test_a_part_that_never_lets_a_strong_unit_move_is_fair_to_it() -> None:
    check_around()
    assert isinstance(
        verdict(AROUND.replace("fair thread door", "strong fair thread door"), "inside"), Proved
    )


TURNS = """protocol turns;
index vcpu[3];
shared vcpu? owner = none;
TAKE thread guest[v in vcpu] {
    loop {
        idle step take when owner == none { owner = v; }
        step give { owner = none; }
    }
}
claim served: eventually guest[vcpu#0] at give;
claim each_served: for each v in vcpu: eventually guest[v] at give;
claim each_returned: for each v in vcpu: owner == v leads to owner == none;
claim somebody: eventually exists v in vcpu. guest[v] at give;
claim returned: owner != none leads to owner == none;
"""


def test_whoever_starves_is_told_from_who_is_served() -> None:
    """One of three like threads may starve, though somebody is served: symmetry must not mix them up."""
    weak = TURNS.replace("TAKE", "fair")
    starved = verdict(weak, "served")
    assert isinstance(starved, Violated)
    assert starved.trace.loop is not None
    assert all(event.params[0] != 0 for event in starved.trace.events[starved.trace.loop :])
    assert isinstance(verdict(weak, "somebody"), Proved)
    assert isinstance(verdict(weak, "returned"), Proved)
    assert isinstance(verdict(TURNS.replace("TAKE", "strong fair"), "served"), Proved)
    each = verdict(weak, "each_served")
    assert isinstance(each, Violated)
    assert each.trace.why[0].startswith("with v = vcpu#")
    assert isinstance(verdict(weak, "each_returned"), Proved)
    assert isinstance(verdict(TURNS.replace("TAKE", "strong fair"), "each_served"), Proved)


def test_a_fair_rule_is_fair_to_each_of_its_instances() -> None:
    text = """protocol ipi;
index vcpu[2];
shared set<vcpu> asked = {each v in vcpu where true};
fair rule deliver[v in vcpu] when v in asked { asked -= v; }
rule ask[v in vcpu] { asked += v; }
claim delivered: eventually vcpu#1 !in asked;
"""
    assert isinstance(verdict(text, "delivered"), Proved)
    assert isinstance(verdict(text.replace("fair rule", "rule"), "delivered"), Violated)


def test_where_something_is_undefined_nothing_is_proved() -> None:
    text = """protocol ends;
index node[1];
shared node? here = none;
shared bool seen[node] = false;
fair thread t { step look { seen[here] = true; } }
claim done: eventually t at end;
"""
    assert isinstance(verdict(text, "done"), Unknown)
    made = system(text)
    assert isinstance(decide(made, ["defined"], Limits()).answer.verdicts["defined"], Violated)


def test_nor_where_the_beginning_is_undefined() -> None:
    made = system(COUNTER.replace("FAIR", "fair"))
    ends = replace(made.init, faults=(Fault(e.TRUE, 0),))
    lost = replace(made, init=ends, places=(Place("init", "nothing to begin with"), *made.places))
    answer = live(lost, None, Limits())
    assert all(isinstance(found, Unknown) for found in answer.verdicts.values())


def test_limits_and_engines_that_see_only_some_steps_leave_it_open() -> None:
    made = system(COUNTER.replace("FAIR", "fair"))
    for answer in (live(made, ["there"], Limits(steps=3)), live(made, ["there"], Limits(states=1))):
        found = answer.verdicts["there"]
        assert isinstance(found, Unknown)
        assert found.cause == Cause.LIMIT
    bounded = decide(made, ["there"], Limits(), mode="bmc").answer.verdicts["there"]
    assert isinstance(bounded, Unknown)


def test_a_run_that_repeats_says_so_and_what_is_fair_about_it() -> None:
    starved = verdict(FLICKER.replace("KIND", "fair"), "inside")
    assert isinstance(starved, Violated)
    shown = as_text.render(starved.trace)
    assert "~~~ from here on it repeats ~~~" in shown
    assert "claim inside fails if this goes on for ever:" in shown
    assert "fair: these move again and again: door.up, door.down" in shown
    still = verdict(COUNTER.replace("FAIR ", ""), "one_by_one")
    assert isinstance(still, Violated)
    assert "~~~ here it may stay for ever ~~~" in as_text.render(still.trace)
