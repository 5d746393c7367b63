"""Dropping a reason only adds behaviour: on random protocols, and on what is shipped, for each protective element."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from refine.core.system import State, System
from refine.lang.edits import NO_EDITS
from refine.lang.load import Loaded, load, load_text
from refine.lang.lower import lower_whole
from refine.run.eval import initial, successors
from refine.text.diag import Reporter
from tests.oracle.programs import random_program

SHARES = 6
MOST_STATES = 400  # of the protocol as it is
MOST_RELAXED = 12_000
SPEC = Path(__file__).parents[1] / "spec"

Names = tuple[str, ...]
Seen = tuple[object, ...]


def behaviour(
    system: System, names: Names, most: int
) -> tuple[set[Seen], set[tuple[Seen, str, Seen]]] | None:
    """The states and steps of a system, as far as the named variables show them; None if they are too many."""
    at = [k for k, var in enumerate(system.vars) if var.name in names]

    def see(state: State) -> Seen:
        return tuple(state.values[k] for k in at)

    todo = [state for _, state in initial(system) if state.fault is None]
    reached, states, steps = set(todo), {see(s) for s in todo}, set()
    while todo:
        state = todo.pop()
        for rule, _, _, after in successors(system, state):
            if after.fault is not None:  # a condition that is gone is not undefined any more
                continue
            steps.add((see(state), rule.step, see(after)))
            if after not in reached:
                if len(reached) >= most:
                    return None
                reached.add(after)
                states.add(see(after))
                todo.append(after)
    return states, steps


def relaxed(loaded: Loaded, sizes: dict[str, int], outcomes: Counter[str]) -> None:
    """Hold each dropped element's behaviour against that of the protocol."""
    base = lower_whole(loaded, sizes, Reporter())
    assert base is not None
    names = tuple(var.name for var in base.system.vars if var.kind in ("shared", "ghost", "local"))
    if behaviour(base.system, names, MOST_STATES) is None:
        outcomes["too large"] += 1
        return
    for element in base.outline.elements:
        edits = NO_EDITS.and_dropping([element.key], base.outline)
        reporter = Reporter()
        edited = lower_whole(loaded, sizes, reporter, edits)
        if edited is None:
            assert {d.code for d in reporter.sorted()} & {"E0209", "E0901"}, reporter.sorted()
            outcomes["refused"] += 1
            continue
        if (
            element.kind == "hold" and "trylock" in loaded.file.span.source.text
        ):  # somebody asks whether it is taken
            outcomes["asked for"] += 1
            continue
        own = element.group.rpartition(".")[0] if element.kind == "hold" else ""
        # What a lock itself remembers is not as before: it has not been taken.
        shown = tuple(name for name in names if not own or not name.startswith(f"{own}."))
        after = behaviour(edited.system, shown, MOST_RELAXED)
        before = behaviour(base.system, shown, MOST_STATES)
        if after is None or before is None:
            outcomes["relaxed too large"] += 1
            continue
        where = f"{element.kind} {element.key}: {element.text}"
        assert before[0] <= after[0], f"a state is lost without {where}"
        assert before[1] <= after[1], f"a step is lost without {where}"
        outcomes[element.kind] += 1


@pytest.mark.parametrize("share", range(SHARES))
def test_dropping_an_element_of_a_random_protocol_only_adds_behaviour(share: int) -> None:
    outcomes: Counter[str] = Counter()
    count = int(os.environ.get("SPTE_SEEDS", "90").rpartition(":")[2])
    for seed in range(share, count, SHARES):
        made = random_program(seed)
        loaded = load_text(made.text, f"random{seed}.spte", (), Reporter())
        assert loaded is not None
        if lower_whole(loaded, made.sizes, Reporter()) is None:
            outcomes["no protocol"] += 1
            continue
        try:
            relaxed(loaded, made.sizes, outcomes)
        except (AssertionError, Exception) as error:
            error.add_note(f"seed {seed}, sizes {made.sizes}\n{made.text}")
            raise
    print(dict(outcomes))
    assert min(outcomes["guard"], outcomes["branch"]) > 0, outcomes


@pytest.mark.parametrize(
    "name", ["lib/clients/lock", "lib/clients/list", "lib/clients/rcu", "x86/tlb_shootdown"]
)
def test_dropping_an_element_of_a_shipped_protocol_only_adds_behaviour(name: str) -> None:
    loaded = load(SPEC / f"{name}.spte", (SPEC,), Reporter())
    assert loaded is not None
    outcomes: Counter[str] = Counter()
    smallest = {"lock": {"WORKERS": 1}, "list": {"NODES": 2}, "rcu": {"READERS": 1, "OBJECTS": 2}}
    relaxed(loaded, smallest.get(Path(name).stem, {"VCPUS": 1}), outcomes)
    print(dict(outcomes))
    assert sum(outcomes.values()) > outcomes["too large"], outcomes
