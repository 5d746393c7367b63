"""The three semantics agree: the plain interpreter of the syntax tree, the explicit reading, and the solver's.

Random protocols, small protocols about what is easily got wrong, and what is shipped, at its smallest sizes.
SPTE_SEEDS=1000 tries that many random protocols, SPTE_SEEDS=1000:1500 those of these seeds.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from refine.core.system import System
from refine.lang import ast
from refine.lang.format import format as formatted
from refine.lang.load import Loaded, load, load_text
from refine.lang.lower import lower
from refine.lang.parse import parse
from refine.text.diag import Reporter, Severity
from refine.text.span import Source
from tests.oracle import compare, interp, solved
from tests.oracle.corners import CORNERS, corner
from tests.oracle.program import Program
from tests.oracle.programs import Made, random_program

SHARES = 10  # tests that the random protocols are dealt out to
MOST_STATES = 150  # a larger protocol is left out
SOLVED_STATES = 6  # whose successors the solver lists
# What a random protocol may be refused for: a constant outside its range, an instance whose index may be undefined,
# a claim about a step that cannot be reached, shared state read between steps, what is not implemented yet.
REFUSED = {"E0305", "E0303", "E0206", "E0403", "E0901"}


def seeds() -> range:
    first, _, last = os.environ.get("SPTE_SEEDS", "150").rpartition(":")
    return range(int(first or 0), int(last))


def lowered(loaded: Loaded | None, sizes: Mapping[str, int], reporter: Reporter) -> System | None:
    system = lower(loaded, sizes, reporter) if loaded is not None else None
    assert (system is None) == reporter.has_errors, "there is a system, or there are errors"
    return system


def disagreements(
    loaded: Loaded, system: System, sizes: Mapping[str, int], *, solver: int, most: int
) -> list[str]:
    """In words, where the semantics differ. `interp.TooMany` if the protocol has too many states."""
    graph = interp.reachable(loaded.file, loaded.libraries, sizes, most)
    tree = compare.of_tree(graph)
    core = compare.of_system(system, graph)
    found = compare.differences(tree, core)
    if found or graph.bad_start:
        return found
    claims = interp.violations(graph)
    for symmetry in (False, True):
        answer = solved.searched(system, symmetry=symmetry)
        if not symmetry and answer.states != core.count + core.fault_states:
            found.append(
                f"{answer.states} states searched, {core.count} and {core.fault_states} faults listed"
            )
        for name, answered in solved.refuted(answer).items():
            # NOTE(idle): a thread rests at a location if an idle step is among its steps, even where the conditions
            # of local code tell that this one is not the next.
            coarse = name == "stuck" and claims[name] and _has_idle(loaded)
            if claims[name] != answered and not coarse:
                found.append(f"{name}: {claims[name]} in the tree, {answered} in the search ({symmetry=})")
    return found + solved.solver_differences(system, solver)


def _has_idle(loaded: Loaded) -> bool:
    return any("idle step" in item.span.text for item in loaded.file.items)


def try_seed(made: Made, outcomes: Counter[str]) -> None:
    reporter = Reporter()
    loaded = load_text(made.text, f"random{made.seed}.spte", (), reporter)
    assert loaded is not None, f"{made.text}\n{reporter.sorted()}"
    again = Reporter()
    assert parse(Source("printed", formatted(loaded.file)), again) == loaded.file, made.text
    system = lowered(loaded, made.sizes, reporter)
    if system is None:
        codes = {d.code for d in reporter.sorted() if d.severity is Severity.ERROR}
        assert codes & REFUSED, f"{codes} for {made.text}"
        outcomes["refused"] += 1
        return
    try:
        found = disagreements(loaded, system, made.sizes, solver=SOLVED_STATES, most=MOST_STATES)
    except interp.TooMany:
        outcomes["too large"] += 1
        return
    assert not found, "\n".join(found)
    outcomes["compared"] += 1


@pytest.mark.parametrize("share", range(SHARES))
def test_random_protocols_mean_the_same_in_all_semantics(
    share: int, record_property: pytest.FixtureRequest
) -> None:
    outcomes: Counter[str] = Counter()
    dealt = seeds()[share::SHARES]
    for seed in dealt:
        made = random_program(seed)
        try:
            try_seed(made, outcomes)
        except Exception as error:
            error.add_note(f"seed {seed}, sizes {made.sizes}\n{made.text}")
            raise
    print(dict(outcomes))
    assert outcomes["compared"] >= len(dealt) // 2, outcomes


@pytest.mark.parametrize("name", CORNERS)
def test_corners_mean_the_same_in_all_semantics(name: str) -> None:
    reporter = Reporter()
    loaded = load_text(corner(name), "corner.spte", (), reporter)
    system = lowered(loaded, {}, reporter)
    assert loaded is not None, reporter.sorted()
    assert system is not None, reporter.sorted()
    assert not disagreements(loaded, system, {}, solver=8, most=500)


SPEC = Path(__file__).parents[1] / "spec"
MOST = {"paging": 900}  # states
TOO_LARGE = {"pkvm_idmap", "root_walk", "zap_invalid_roots"}  # even at its smallest


@pytest.mark.parametrize("path", sorted(SPEC.rglob("*.spte")), ids=lambda p: p.stem)
def test_shipped_protocols_mean_the_same_in_all_semantics(path: Path) -> None:
    reporter = Reporter()
    loaded = load(path, (SPEC,), reporter)
    assert loaded is not None, reporter.sorted()
    if loaded.file.role == "library" or path.stem in TOO_LARGE:
        return
    program = Program(loaded.file, loaded.libraries, {})
    smallest = {i.name.name: program.constant(i.lo) for i in loaded.file.items if isinstance(i, ast.Param)}
    system = lowered(loaded, smallest, reporter)
    assert system is not None, reporter.sorted()
    assert not disagreements(loaded, system, smallest, solver=2, most=MOST.get(path.stem, 700))
