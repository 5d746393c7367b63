"""IC3: what it proves and what it refutes is what all states say, and its invariants hold of all of them."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings

from refine.core import expr as e
from refine.core.symmetry import permute, symmetric_types
from refine.core.system import Kind, Property, System
from refine.core.types import Index
from refine.engine import ic3 as engine
from refine.engine.ic3 import Search, ic3
from refine.engine.invariant import Invariant, recheck
from refine.engine.replay import Inconsistent
from refine.engine.verdict import Cause, Limits, Proved, Reached, Unknown, Vacuous, Verdict, Violated
from refine.run.eval import defaults, initial, successors
from refine.smt.cells import Cells
from refine.smt.relation import Relation
from refine.smt.solver import Budget
from tests.engine.random_systems import random_system
from tests.engine.systems import tlb_shootdown
from tests.engine.test_induct import claim, flagging, stepping
from tests.smt.exhaustive import Facts, search
from tests.smt.randoms import systems

SAFETY = (Kind.STATE, Kind.STEP, Kind.REACH, Kind.FAULT, Kind.SATISFIABLE)


def searched(system: System, *, symmetry: bool = True) -> Search:
    asked = [p for p in system.properties if p.kind in SAFETY]
    found = Search(system, asked, Budget(), symmetry=symmetry)
    found.run()
    return found


# --- against all states -------------------------------------------------------------------------------------------


def agree(prop: Property, found: Verdict, facts: Facts) -> None:
    match found:
        case Proved():
            assert prop.kind is not Kind.REACH
            assert prop.name not in facts.first
        case Vacuous():
            assert facts.states == 0 or (prop.kind is Kind.REACH and prop.name not in facts.first)
        case Violated(trace) | Reached(trace):
            assert len(trace.events) == facts.first[prop.name]
        case Unknown():
            assert found.cause in (Cause.NO_ENGINE, Cause.LIMIT)
            assert prop.kind in (Kind.SATISFIABLE, Kind.STUCK, Kind.LIVENESS)
        case _:
            raise AssertionError("IC3 has no other answers")


def compare(system: System) -> None:
    facts = search(system, 400)
    if facts is not None:
        answer = ic3(system, [p.name for p in system.properties], Limits())
        for name, found in answer.verdicts.items():
            agree(system.property(name), found, facts)


@settings(max_examples=150)
@given(systems())
def test_verdicts_are_those_of_all_states(system: System) -> None:
    compare(system)


@settings(max_examples=30)
@given(random_system(symmetric=True))
def test_verdicts_of_symmetric_systems_are_those_of_all_states(system: System) -> None:
    compare(system)


def holds_of_all_states(system: System, found: Search) -> bool:
    """Whether no state that can be reached is in a cube that the invariant excludes."""
    assert found.invariant is not None
    seen = dict.fromkeys(state for _, state in initial(system))
    todo = list(seen)
    while todo:
        state = todo.pop()
        if state.fault is None:
            said = set(found.cells.holding(state))
            if any(cube <= said for orbit in found.invariant.orbits for cube in orbit):
                return False
        for _, _, _, after in successors(system, state):
            if after not in seen:
                seen[after] = None
                todo.append(after)
    return True


@settings(max_examples=30)
@given(random_system(symmetric=True))
def test_invariant_holds_of_all_states_and_with_each_clause_its_renamings(system: System) -> None:
    if search(system, 400) is None:
        return
    found = searched(system)
    if found.invariant is None:
        return
    assert holds_of_all_states(system, found)
    cubes = {cube for orbit in found.invariant.orbits for cube in orbit}
    for index in found.symmetric:
        to = [*range(1, index.size), 0]
        renamed = found.cells.renamed(index, to)
        assert {frozenset(renamed[x] if x > 0 else -renamed[-x] for x in cube) for cube in cubes} == cubes


@settings(max_examples=100)
@given(random_system(symmetric=True))
def test_an_atom_renamed_says_of_the_renamed_state_what_it_said_before(system: System) -> None:
    cells = Cells(system)
    for index in symmetric_types(system, ()).types:
        if not cells.may_rename(index):
            continue
        to = [*range(1, index.size), 0]
        renamed = cells.renamed(index, to)
        for _, state in [*initial(system)][:20]:
            there = replace(
                state,
                values=tuple(
                    permute(v.type, x, index, to) for v, x in zip(system.vars, state.values, strict=True)
                ),
            )
            said = set(cells.holding(there))
            before = cells.holding(state)
            assert {renamed[x] if x > 0 else -renamed[-x] for x in before[1:]} == said - {0}


# --- protocols ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(2, 2, 2), (3, 2, 3)])
def test_tlb_shootdown_is_proved_without_lemmas(size: tuple[int, int, int]) -> None:
    system = tlb_shootdown(*size)
    found = ic3(system, ["safe"], Limits())
    assert isinstance(found.verdicts["safe"], Proved)
    assert found.symmetry == ("vcpu", "gfn_t", "pfn")


def test_symmetry_only_saves_work() -> None:
    system = tlb_shootdown(2, 2, 2)
    with_, without = searched(system), searched(system, symmetry=False)
    assert isinstance(with_.verdicts["safe"], Proved)
    assert isinstance(without.verdicts["safe"], Proved)
    assert with_.queries < without.queries


def test_buggy_tlb_shootdown_breaks_after_thirteen_steps() -> None:
    found = ic3(tlb_shootdown(2, 2, 2, buggy=True), ["safe"], Limits()).verdicts["safe"]
    assert isinstance(found, Violated)
    assert len(found.trace.events) == 13


def test_equal_questions_have_equal_answers() -> None:
    one, two = (ic3(tlb_shootdown(2, 2, 2), ["safe"], Limits()) for _ in range(2))
    assert one == two


def test_a_claim_that_is_broken_does_not_keep_others_from_being_proved() -> None:
    low = claim("low", e.lt(e.var("c", stepping().vars[0].type), e.integer(4)))
    even = claim("even", e.eq(e.mod(e.var("c", stepping().vars[0].type), e.integer(2)), e.integer(0)))
    found = ic3(stepping(low, even), ["low", "even"], Limits()).verdicts
    assert isinstance(found["low"], Violated)
    assert isinstance(found["even"], Proved)


def test_limits_give_no_answer() -> None:
    found = ic3(tlb_shootdown(3, 2, 3), ["safe"], Limits(resources=20)).verdicts["safe"]
    assert isinstance(found, Unknown)
    assert found.cause == Cause.LIMIT
    assert "no run of" in found.why
    found = ic3(tlb_shootdown(3, 2, 3), ["safe"], Limits(deadline=time.monotonic())).verdicts["safe"]
    assert isinstance(found, Unknown)
    assert found.cause == Cause.TIMEOUT


# --- planted errors -----------------------------------------------------------------------------------------------


def test_an_invariant_that_is_none_is_refused() -> None:
    system = tlb_shootdown(2, 2, 2)
    found = searched(system)
    assert found.invariant is not None
    asked = [p for p in system.properties if isinstance(found.verdicts.get(p.name), Proved | Vacuous)]
    recheck(system, asked, found.cells, found.invariant)
    orbits = found.invariant.orbits
    for less in (*(orbits[:n] + orbits[n + 1 :] for n in range(len(orbits))), ()):
        with pytest.raises(Inconsistent):
            recheck(system, asked, found.cells, Invariant(less))
    said = next(found.cells.holding(state) for _, state in initial(system))
    with pytest.raises(Inconsistent):
        recheck(system, asked, found.cells, Invariant((*orbits, (frozenset(said[1:3]),))))


def breaks(system: System) -> bool:
    """Whether somebody notices: the re-check, the replay, or the comparison with all states."""
    try:
        compare(system)
    except (AssertionError, Inconsistent, ValueError):
        return True
    return False


def test_planted_symmetry_that_is_none_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    flagged = stepping(claim("not seven", e.ne(e.var("c", stepping().vars[0].type), e.integer(7))))
    assert not breaks(flagged)
    system = tlb_shootdown(2, 2, 2)
    vcpu = next(t for t in symmetric_types(system, ()).types if t.name == "vcpu")
    first = e.const(vcpu, 0)
    guard = e.and_(system.rules[-1].guard, e.eq(e.param(system.rules[-1].params[0].name, vcpu), first))
    lame = replace(system, rules=(*system.rules[:-1], replace(system.rules[-1], guard=guard)))
    assert vcpu not in symmetric_types(lame, ()).types
    assert isinstance(searched(lame).verdicts["safe"], Proved)

    def every(*_: object) -> object:
        return symmetric_types(system, ())

    monkeypatch.setattr(engine, "symmetric_types", every)
    found = searched(lame)
    assert isinstance(found.verdicts["safe"], Proved)  # wrong symmetry or not, what was re-checked holds
    assert holds_of_all_states(lame, found)


@pytest.mark.parametrize("buggy", [False, True])
def test_planted_forgotten_beginning_proves_nothing_wrong(
    buggy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tlb_shootdown(2, 2, 2, buggy=buggy)
    monkeypatch.setattr(Search, "_initial", lambda _self, _cube: False)
    try:
        found = searched(system)
    except (Inconsistent, AssertionError):
        return
    assert not buggy or not isinstance(found.verdicts["safe"], Proved)


def test_planted_lifting_that_forgets_the_guard_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    into = Relation.into

    def careless(self: Relation, cube: frozenset[int]) -> int:
        kept, self.fair = self.fair, 1
        found = into(self, cube)
        self.fair = kept
        return found

    monkeypatch.setattr(Relation, "into", careless)
    noticed = 0
    for size in ((2, 2, 2), (1, 2, 2)):
        try:
            found = searched(tlb_shootdown(*size))
            noticed += not isinstance(found.verdicts["safe"], Proved)
        except (Inconsistent, AssertionError):
            noticed += 1
    assert noticed


def test_values_that_no_state_has_prove_nothing_wrong() -> None:
    colour = Index("colour", 3)
    x = e.var("x", colour)
    fourth = e.and_(*(e.ne(x, e.const(colour, n)) for n in range(3)))
    from refine.core.system import Var

    found = ic3(flagging(fourth, Var("x", colour, "shared")), ["never"], Limits()).verdicts["never"]
    assert isinstance(found, Proved)
    assert defaults(tlb_shootdown(1, 2, 2)).fault is None
