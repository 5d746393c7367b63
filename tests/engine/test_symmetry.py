"""Symmetry: what is symmetric, one state of each orbit, and the same answers as without it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from refine.core import expr as e
from refine.core.expr import Binder
from refine.core.symmetry import Symmetry, invariant, permute, symmetric_types
from refine.core.system import Fault, Kind, Property, System, Where
from refine.core.types import BOOL, Array, Index, Option, Part, Set, Struct, Thread, Type, Value
from refine.engine import explore as explore_module
from refine.engine.explore import explore
from refine.engine.replay import Inconsistent, replay
from refine.engine.verdict import Limits, Reached, Violated
from refine.run.canon import Canon
from refine.run.crowd import Crowd, together
from refine.run.layout import layout
from refine.run.rename import inverse
from tests.engine.random_systems import system_of
from tests.engine.systems import random_system, tlb_shootdown
from tests.engine.test_explore import MOST, compare
from tests.run.plain import orbits, plain_search, renamed

SOME = settings(max_examples=40, suppress_health_check=[*HealthCheck])
A, B = Index("a", 3), Index("b", 2)
CREW = Thread((Part("solo", None), Part("crew", A)))


# --- the same answers -------------------------------------------------------------------------------------------


def check_against_unreduced(system: System) -> None:
    found = plain_search(system, MOST)
    limits = Limits(steps=None if found.complete else found.steps)
    whole = explore(system, None, limits, symmetry=False)
    reduced = explore(system, None, limits)
    types = symmetric_types(system, system.properties).types
    assert reduced.symmetry == tuple(map(str, types))
    assert reduced.states == orbits(found.depths, system, types)
    assert {n: type(v) for n, v in whole.verdicts.items()} == {
        n: type(v) for n, v in reduced.verdicts.items()
    }
    compare(system, reduced, found.steps)


@given(random_system(symmetric=True))
@SOME
def test_a_reduced_search_gives_the_same_verdicts_and_counts_orbits(system: System) -> None:
    check_against_unreduced(system)


@given(random_system())
@SOME
def test_planted_asymmetry_changes_no_verdict(system: System) -> None:
    check_against_unreduced(system)


@pytest.mark.parametrize(("size", "states", "reduced"), [((2, 2, 2), 3225, 444), ((3, 2, 3), 203753, 3586)])
def test_tlb_shootdown_has_the_known_numbers_of_states(
    size: tuple[int, int, int], states: int, reduced: int
) -> None:
    system = tlb_shootdown(*size)
    whole, few = (explore(system, None, Limits(), symmetry=s) for s in (False, True))
    assert (whole.states, few.states) == (states, reduced)
    assert few.symmetry == ("vcpu", "gfn_t", "pfn")
    assert whole.depth == few.depth
    for answer in (whole, few):
        assert {type(v).__name__ for v in answer.verdicts.values()} == {"Proved"}


@pytest.mark.slow
def test_tlb_shootdown_at_the_largest_size() -> None:
    assert explore(tlb_shootdown(3, 3, 4), None, Limits()).states == 30753


@pytest.mark.parametrize("symmetry", [False, True])
def test_the_buggy_shootdown_is_refuted_in_thirteen_steps(symmetry: bool) -> None:
    answer = explore(tlb_shootdown(2, 2, 2, buggy=True), ("safe",), Limits(), symmetry=symmetry)
    safe = answer.verdicts["safe"]
    assert isinstance(safe, Violated)
    assert len(safe.trace.events) == 13
    assert replay(safe.trace) == []
    assert "tlb" in " ".join(safe.trace.why)


# --- canonical forms --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(2, 2, 2), (3, 2, 3)])
def test_all_states_of_an_orbit_have_one_canonical_form(size: tuple[int, int, int]) -> None:
    system = tlb_shootdown(*size)
    types = symmetric_types(system, system.properties).types
    canon, packed = Canon(system, types), layout(system)
    choose = random.Random(1)
    states = list(plain_search(system, 400).depths)
    for state in choose.sample(states, 60):
        form = canon(packed.encode(state))
        assert canon(form) == form
        orders = {t: choose.sample(range(t.size), t.size) for t in types}
        assert canon(packed.encode(renamed(state, system, orders))) == form


def test_a_canonical_form_says_where_each_thread_went() -> None:
    system = tlb_shootdown(3, 2, 2)
    canon = Canon(system, symmetric_types(system, system.properties).types)
    packed = layout(system)
    for state in plain_search(system, 300).depths:
        form, places = canon.placed(packed.encode(state))
        before, after = state.values[1], packed.decode(form).values[1]
        assert places[0] == 0
        assert isinstance(before, tuple)
        assert isinstance(after, tuple)
        assert all(before[v] == after[places[1 + v] - 1] for v in range(3))


def check_together(system: System, many: int) -> None:
    """Hold what is made canonical together against what is made so one by one."""
    types = symmetric_types(system, system.properties).types
    if not types:
        return
    canon, packed = Canon(system, types), layout(system)
    choose = random.Random(len(system.rules))
    states = []
    for state in plain_search(system, many).depths:
        orders = {t: choose.sample(range(t.size), t.size) for t in types}
        states.append(packed.encode(renamed(state, system, orders)))
    assert Crowd(canon)(states) == [canon(x) for x in states]


@given(random_system(symmetric=True))
@SOME
def test_many_states_together_get_the_forms_that_each_has(system: System) -> None:
    check_together(system, 300)


@pytest.mark.parametrize("size", [(2, 2, 2), (3, 2, 3), (4, 2, 4)])
@pytest.mark.parametrize("poor", [False, True])
def test_states_that_tie_get_the_forms_that_each_has(
    size: tuple[int, int, int], poor: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a poor hash nearly all elements tie, twins or not."""
    if poor:
        monkeypatch.setattr("refine.run.canon.crc32", lambda text: 1 + len(text) % 2)
    check_together(tlb_shootdown(*size), 800)


def test_a_search_that_takes_states_together_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explore_module, "CROWD", 1)
    for seed in range(20):
        check_against_unreduced(system_of(seed, symmetric=True))


def test_types_of_many_elements_are_left_to_single_states() -> None:
    system = tlb_shootdown(5, 1, 1)
    canon = Canon(system, symmetric_types(system, system.properties).types)
    assert not isinstance(together(canon), Crowd)
    states = [layout(system).encode(state) for state in plain_search(system, 50).depths]
    assert together(canon)(states) == [canon(x) for x in states]


@pytest.mark.parametrize("part", ["twins", "lines"])
def test_wrong_forms_of_many_are_caught(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: whatever ties is taken for twins; or elements go to the places that they should come from."""
    if part == "twins":
        monkeypatch.setattr("refine.run.canon.crc32", lambda text: 1 + len(text) % 2)
        right = Crowd._renamed

        def unmoved(self: Crowd, k: int, lines: Any, states: Any) -> Any:
            return states.copy() if lines.strides[0] == 0 else right(self, k, lines, states)

        monkeypatch.setattr(Crowd, "_renamed", unmoved)
    else:
        numbers = Crowd._line_numbers
        monkeypatch.setattr(
            Crowd, "_line_numbers", lambda self, size, lines: numbers(self, size, [*map(inverse, lines)])
        )
    with pytest.raises(AssertionError):
        check_together(tlb_shootdown(3, 2, 3), 600)


def test_canonical_forms_do_not_depend_on_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    from refine.run import canon as module

    monkeypatch.setattr(module, "crc32", lambda _: 1)
    assert explore(tlb_shootdown(2, 2, 2), None, Limits()).states == 444


VALUES: list[tuple[Type, Value, Value]] = [
    (A, 0, 2),
    (Option(A), None, None),
    (Option(A), 1, 0),
    (Set(A), frozenset({0, 1}), frozenset({2, 0})),
    (Array(A, BOOL), (True, False, False), (False, False, True)),
    (Array(A, A), (0, 1, 1), (0, 0, 2)),
    (CREW, 0, 0),
    (CREW, 1, 3),
    (Array(CREW, BOOL), (True, True, False, False), (True, False, False, True)),
    (Struct("S", (("x", A), ("y", BOOL))), (2, True), (1, True)),
    (B, 1, 1),
]


@pytest.mark.parametrize(("type_", "value", "expected"), VALUES, ids=str)
def test_renaming_values(type_: Type, value: Value, expected: Value) -> None:
    assert permute(type_, value, A, (2, 0, 1)) == expected


def test_what_no_renaming_changes() -> None:
    assert invariant(Set(A), frozenset({0, 1, 2}), A)
    assert invariant(Array(A, BOOL), (True, True, True), A)
    assert invariant(CREW, 0, A)
    assert not invariant(CREW, 1, A)
    assert not invariant(Set(A), frozenset({0}), A)


# --- what is not symmetric --------------------------------------------------------------------------------------


def claim(cond: e.Expr) -> Property:
    return Property("safe", Kind.STATE, cond, "claim")


def types_of(system: System) -> Symmetry:
    return symmetric_types(system, system.properties)


def test_a_constant_in_a_claim_ends_symmetry() -> None:
    system = tlb_shootdown(2, 2, 2)
    free = e.var("free", system.var("free").type)
    pfn = Index("pfn", 2)
    named = replace(system, properties=(claim(e.member(e.const(pfn, 0), free)),))
    found = types_of(named)
    assert [t.name for t in found.types] == ["vcpu", "gfn_t"]
    assert found.notes == ("pfn is not symmetric: `pfn#0` tells them apart",)
    assert explore(named, None, Limits()).notes == found.notes


def test_numbers_of_elements_end_symmetry() -> None:
    system = tlb_shootdown(2, 2, 2)
    v = Binder("v", Index("vcpu", 2))
    number = e.to_int(e.param("v", v.type))
    assert "vcpu" not in {
        t.name
        for t in types_of(replace(system, properties=(claim(e.forall(v, e.lt(number, e.integer(2)))),))).types
    }
    back = e.eq(e.to_index(e.integer(1), Index("vcpu", 2)), e.param("v", v.type))
    assert "vcpu" not in {
        t.name for t in types_of(replace(system, properties=(claim(e.exists(v, back)),))).types
    }


def test_an_uninitialised_element_ends_symmetry() -> None:
    system = tlb_shootdown(2, 2, 2)
    extra = replace(system.vars[0], name="first", type=Index("pfn", 2), kind="shared")
    found = types_of(replace(system, vars=(*system.vars, extra)))
    assert found.notes == ("pfn is not symmetric: `first` is not initialised, and so is the first of them",)


def test_dereferencing_what_may_be_none_ends_symmetry() -> None:
    system = tlb_shootdown(2, 2, 2)
    careless = replace(system, rules=tuple(replace(r, faults=()) for r in system.rules))
    found = types_of(careless)
    assert "gfn_t" not in {t.name for t in found.types}
    assert any("may be none" in note for note in found.notes)


def test_a_fault_on_some_path_protects_what_is_dereferenced_there() -> None:
    system = tlb_shootdown(2, 2, 2)
    zpc, g = (e.var(v.name, v.type) for v in (system.vars[0], system.var("zapper.g")))
    pt = e.var("pt", system.var("pt").type)
    taken = e.and_(e.eq(zpc, e.const(zpc.type, 1)), e.eq(pt, pt))
    clear = system.rule("zapper.clear")
    update = ("pt", e.ite(taken, e.store(pt, e.get(g), e.none(Option(Index("pfn", 2)))), pt))
    fault = Fault(e.and_(taken, e.not_(e.is_some(g))), 0)

    def with_rule(faults: tuple[Fault, ...]) -> System:
        rule = replace(clear, guard=e.TRUE, faults=faults, updates=(update,))
        return replace(system, rules=(rule,))

    assert "gfn_t" in {t.name for t in types_of(with_rule((fault,))).types}
    assert "gfn_t" not in {t.name for t in types_of(with_rule(())).types}


def test_a_constant_in_a_choice_ends_symmetry() -> None:
    system = tlb_shootdown(2, 2, 2)
    havoc = replace(
        system.rule("guest.alloc"),
        wheres=(Where(e.eq(e.param("p", Index("pfn", 2)), e.const(Index("pfn", 2), 1))),),
    )
    assert "pfn" not in {t.name for t in types_of(replace(system, rules=(havoc,))).types}


# --- planted errors ---------------------------------------------------------------------------------------------


def test_an_asymmetric_type_taken_for_symmetric_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that is told a lie merges states that differ: runs do not replay, or verdicts change."""
    system = tlb_shootdown(2, 2, 2)
    pfn = Index("pfn", 2)
    free = e.var("free", system.var("free").type)
    reach = Property("one", Kind.REACH, e.eq(free, e.const(Set(pfn), frozenset({1}))), "reach")
    other = replace(reach, name="two", cond=e.eq(free, e.const(Set(pfn), frozenset({0}))))
    planted = replace(system, properties=(reach, other))
    honest = explore(planted, None, Limits())
    assert all(isinstance(v, Reached) for v in honest.verdicts.values())
    lie = Symmetry((pfn,), ())
    monkeypatch.setattr(explore_module, "symmetric_types", lambda *_: lie)
    try:
        answer = explore(planted, None, Limits())
    except Inconsistent:
        return
    assert {n: type(v) for n, v in answer.verdicts.items()} != {
        n: type(v) for n, v in honest.verdicts.items()
    }


def test_a_wrong_canonical_form_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that forgets a variable merges orbits: the verdicts or the numbers of orbits differ from plain search."""
    right = Canon.__call__

    def wrong(self: Canon, packed: int) -> int:
        return right(self, packed & ~1)

    monkeypatch.setattr(Canon, "__call__", wrong)
    with pytest.raises((AssertionError, Inconsistent)):
        check_against_unreduced(tlb_shootdown(2, 1, 1))
