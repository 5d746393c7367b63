"""Sentences say what the clauses say that they are made of: read again, they are true of the same states."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refine.core.symmetry import symmetric_types
from refine.core.system import State, System
from refine.core.types import Index
from refine.engine.fold import fold
from refine.engine.invariant import Cube, Invariant
from refine.lang.invariant import Reader, Unreadable
from refine.run.eval import as_valuation, evaluate
from refine.smt.cells import Cells, Unbounded
from refine.smt.shape import all_values
from tests.engine.random_systems import system_of
from tests.engine.systems import tlb_shootdown


def some_state(rng: random.Random, system: System) -> State:
    return State(tuple(rng.choice(list(all_values(v.type))) for v in system.vars))


def orbit_of(cells: Cells, symmetric: list[Index], cube: Cube) -> tuple[Cube, ...]:
    found, todo = {cube}, [cube]
    while todo:
        here = todo.pop()
        for index in symmetric:
            for k in range(index.size - 1):
                to = list(range(index.size))
                to[k], to[k + 1] = k + 1, k
                renamed = cells.renamed(index, to)
                there = frozenset(renamed[x] if x > 0 else -renamed[-x] for x in here)
                if there not in found:
                    found.add(there)
                    todo.append(there)
    return tuple(found)


def some_cube(rng: random.Random, cells: Cells, state: State) -> Cube:
    """A part of what holds in a state: of some cells all, of others something."""
    said = cells.holding(state)[1:]
    return frozenset(rng.sample(said, min(len(said), rng.randint(1, 6))))


def agree(system: System, seed: int) -> None:
    rng, cells = random.Random(seed), Cells(system)
    symmetric = [t for t in symmetric_types(system, ()).types if cells.may_rename(t)]
    states = [some_state(rng, system) for _ in range(12)]
    cubes = [some_cube(rng, cells, rng.choice(states)) for _ in range(3)]
    orbits = tuple(orbit_of(cells, symmetric, cube) for cube in cubes)
    sentences = [Reader(system).of(text) for text in fold(system, cells, symmetric, Invariant(orbits))]
    for state in states:
        said = set(cells.holding(state))
        excluded = any(cube <= said for orbit in orbits for cube in orbit)
        assert all(evaluate(x, as_valuation(system, state)) for x in sentences) is not excluded


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_sentences_are_true_where_no_cube_of_the_orbit_holds(seed: int) -> None:
    try:
        agree(system_of(seed, symmetric=True), seed)
    except Unbounded:
        return


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_sentences_about_a_protocol_are_true_where_no_cube_holds(seed: int) -> None:
    agree(tlb_shootdown(3, 3, 2), seed)


def test_elements_that_are_all_alike_exist() -> None:
    system = tlb_shootdown(1, 3, 2)
    cells = Cells(system)
    pfn = next(t for t in symmetric_types(system, ()).types if t.name == "pfn")
    taken = frozenset(
        cells.literal(n, 0)
        for n, cell in enumerate(cells.cells)
        if cell.var == "pt" and cell.type == cells.cells[n].type
    )
    gfn = next(t for t in symmetric_types(system, ()).types if t.name == "gfn_t")
    [text] = fold(system, cells, [gfn, pfn], Invariant((orbit_of(cells, [gfn, pfn], taken),)))
    assert text == "forall p in pfn. (exists g in gfn_t. pt[g] != p)"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("true && nowhere", "has no 'nowhere'"),
        ("1 == none", "never none"),
        ("pt[g] == none", "has no 'g'"),
        ("forall g in gfn_t. pt[g]", "is no truth value"),
        ("forall g in nothing. true", "no index type"),
        ("forall v in vcpu. pt[v] == none", "is of type vcpu"),
        ("zapper.pc == clear; true", "expected a declaration"),
        ("forall g in gfn_t, (", "expected"),
        ("gfn_t#7 == gfn_t#0", "there is no gfn_t#7"),
        ("(count g in gfn_t. pt[g] == none) == 1", "counted"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, why: str) -> None:
    with pytest.raises(Unreadable) as found:
        Reader(tlb_shootdown(2, 2, 2)).of(text)
    assert why in str(found.value)
