"""Which threads are stuck, against the definition: on random crews that wait for flags, owners and each other."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refine.core import expr as e
from refine.core.expr import Binder, Expr
from refine.core.system import Assume, Family, Kind, Property, Rule, System, Var
from refine.core.types import BOOL, Array, Enum, Index, Option, Set
from refine.engine.explore import explore
from refine.engine.verdict import HoldsUpTo, Limits, Proved, Unknown, Violated
from tests.run.plain import plain_search, stuck_depth

MOST = 1500
PC = Enum("Pc", ("a", "b", "c", "d"))
CREW = Index("crew", 3)
OWNER, PARTY = Option(CREW), Set(CREW)


def crew_of(seed: int) -> System:
    """Return three like threads and a single one, whose steps wait for each other."""
    choose = random.Random(seed)
    one, many = e.var("one", PC), e.var("many", Array(CREW, PC))
    flags = [e.var(f"flag{k}", BOOL) for k in range(2)]
    owner, party = e.var("owner", OWNER), e.var("party", PARTY)
    me = e.param("me", CREW)

    def tests(mine: bool) -> list[Expr]:
        other = Binder("o", CREW)
        there = e.eq(e.select(many, e.param("o", CREW)), e.const(PC, choose.randrange(4)))
        found = [
            *flags,
            e.is_some(owner),
            e.eq(one, e.const(PC, choose.randrange(4))),
            e.exists(other, there),
            e.forall(other, e.not_(there)),
            e.eq(party, e.const(PARTY, frozenset())),
        ]
        if mine:
            found += [e.eq(owner, e.some(me)), e.member(me, party)] * 2
        return [*found, *map(e.not_, found)]

    def effects(mine: bool) -> list[tuple[str, Expr]]:
        found = [(f"flag{choose.randrange(2)}", e.boolean(choose.random() < 0.5)), ("owner", e.none(OWNER))]
        if mine:
            found += [("owner", e.some(me)), ("party", e.insert(party, me)), ("party", e.remove(party, me))]
        return found

    def rule(number: int) -> Rule:
        mine = choose.random() < 0.7
        here, there = e.const(PC, choose.randrange(4)), e.const(PC, choose.randrange(4))
        at = e.eq(e.select(many, me), here) if mine else e.eq(one, here)
        guard = e.and_(at, *choose.sample(tests(mine), choose.choice([0, 1, 1, 2])))
        go = ("many", e.store(many, me, there)) if mine else ("one", there)
        updates = dict([go, *choose.sample(effects(mine), choose.choice([0, 1, 1, 2]))])
        if not mine and choose.random() < 0.04:
            updates["many"] = e.const(Array(CREW, PC), (choose.randrange(4),) * 3)
        name = f"rule{number}"
        params = (Binder("me", CREW),) if mine else ()
        return Rule(name, params, guard, updates=tuple(updates.items()), actor=int(mine), step=name)

    def rests() -> frozenset[int]:
        return frozenset(k for k in range(4) if choose.random() < 0.4)

    assumes = (Assume("fine", choose.choice(tests(False))),) if choose.random() < 0.1 else ()
    return System(
        name="crew",
        sizes=(),
        vars=(
            Var("one", PC, "pc"),
            Var("many", Array(CREW, PC), "pc"),
            Var("flag0", BOOL, "shared"),
            Var("flag1", BOOL, "shared"),
            Var("owner", OWNER, "shared"),
            Var("party", PARTY, "shared"),
        ),
        init=Rule("init", (), e.TRUE, updates=(("flag1", e.TRUE),)),
        rules=tuple(rule(k) for k in range(choose.randrange(4, 10))),
        properties=(Property("stuck", Kind.STUCK, e.TRUE, "free"),),
        places=(),
        families=(
            Family("single", None, "one", frozenset(), rests()),
            Family("crew", Binder("me", CREW), "many", rests(), rests()),
        ),
        assumes=assumes,
    )


def check_crew(seed: int) -> str:
    system = crew_of(seed)
    found = plain_search(system, MOST)
    if not found.complete or not found.depths:
        return "large"
    expected = stuck_depth(found)
    for symmetry in (False, True):
        answer = explore(system, None, Limits(), symmetry=symmetry)
        verdict = answer.verdicts["stuck"]
        assert isinstance(verdict, Proved if expected is None else Violated), seed
        if isinstance(verdict, Violated):
            assert len(verdict.trace.events) == expected, seed
        assert symmetry is (answer.symmetry != ())
    steps = seed % 6
    partial = explore(system, None, Limits(steps=steps)).verdicts["stuck"]
    if expected is None:
        assert isinstance(partial, HoldsUpTo | Unknown | Proved)
    elif expected <= steps:
        assert isinstance(partial, Violated | Unknown)
    else:
        assert isinstance(partial, HoldsUpTo | Unknown)
    return "proved" if expected is None else "violated"


def check_crews(n: int) -> None:
    for seed in range(n):
        check_crew(seed)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_the_same_threads_are_stuck_as_by_definition(seed: int) -> None:
    check_crew(seed)


def test_random_crews_are_of_both_sorts() -> None:
    sorts = [check_crew(seed) for seed in range(40)]
    assert min(sorts.count("proved"), sorts.count("violated")) > 5


@pytest.mark.parametrize("part", ["places", "families", "links"])
def test_a_wrong_analysis_is_caught(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: threads are not renamed on the way back, or not along the links; or every link is taken to free."""
    from refine.run import stuck

    if part == "places":
        monkeypatch.setattr(
            stuck,
            "_of_successor",
            lambda known, renaming: lambda t, d: known(renaming.form(t), d) if renaming else known(t, d),
        )
    elif part == "families":
        monkeypatch.setattr(stuck, "_mapped", lambda mask, _: mask)
    else:
        monkeypatch.setattr(stuck, "_along_links", lambda *_: {})
    with pytest.raises(AssertionError):
        check_crews(400)
