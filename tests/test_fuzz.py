"""No input gives anything but diagnostics: broken specifications, resource bombs, hostile names, strings and paths.

SPTE_FUZZ=5000 tries that many broken specifications of each sort.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import pytest

from refine.lang.format import format as formatted
from refine.lang.load import Loaded, load, load_text
from refine.lang.lower import lower
from refine.lang.sizes import sizes
from refine.text.diag import Reporter, Severity, render
from tests.oracle.bombs import BOMBS
from tests.oracle.mutate import mutate_text, mutate_tree

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "spec"
EACH = int(os.environ.get("SPTE_FUZZ", "150"))
PATIENCE = 8.0  # seconds of the processor for one input; a second is usual, a busy machine is not


@cache
def bases() -> tuple[tuple[str, Loaded], ...]:
    """What is mutated: everything shipped."""
    found = []
    for path in sorted(SPEC.rglob("*.spte")):
        reporter = Reporter()
        loaded = load(path, (SPEC,), reporter)
        assert loaded is not None, reporter.sorted()
        found.append((path.read_text(encoding="utf-8"), loaded))
    return tuple(found)


def answered(name: str, run: Callable[[Reporter], object]) -> tuple[object, set[str]]:
    """What an input leads to, and the codes of the errors; anything else than diagnostics fails the test."""
    reporter, start = Reporter(), time.process_time()
    got = run(reporter)
    taken = time.process_time() - start
    assert taken < PATIENCE, f"{name} took {taken:.1f} s"
    assert (got is None) == reporter.has_errors, f"{name}: an answer, or errors"
    for diagnostic in reporter.sorted():
        text = render(diagnostic)
        assert text.replace("\n", "").isprintable(), f"{name}: {text!r}"
    return got, {d.code for d in reporter.sorted() if d.severity is Severity.ERROR}


def through(loaded: Loaded | None, reporter: Reporter) -> object:
    return None if loaded is None else lower(loaded, {}, reporter)


def stage(codes: set[str]) -> str:
    """How far an input came: `syntax`, `types`, or `lowered`."""
    if any(code < "E0200" or code.startswith(("E05", "E06")) for code in codes):
        return "syntax"
    return (
        "types" if any(code.startswith(("E02", "E03")) for code in codes) else "rules" if codes else "lowered"
    )


def report(outcomes: Counter[str], record: Callable[[str, object], None]) -> tuple[float, float, float]:
    """The shares that got through parsing, typing and lowering; printed, and kept with the test's result."""
    total = outcomes.total()
    parsed = (total - outcomes["syntax"]) / total
    typed = (outcomes["rules"] + outcomes["lowered"]) / total
    shares = parsed, typed, outcomes["lowered"] / total
    line = f"{total} inputs: {shares[0]:.0%} through parsing, {shares[1]:.0%} through typing, {shares[2]:.0%} lowered"
    print(line)
    record("fuzz", line)
    return shares


def test_broken_texts_are_answered_by_diagnostics(record_property: Callable[[str, object], None]) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(EACH):
        rng = Random(seed)
        (text, _), (other, _) = rng.choice(bases()), rng.choice(bases())
        broken = mutate_text(rng, text, other)
        _, codes = answered(
            f"seed {seed}",
            lambda r, t=broken: through(load_text(t, "broken.spte", (SPEC,), r), r),  # type: ignore[misc]
        )
        outcomes[stage(codes)] += 1
    parsed, typed, lowered = report(outcomes, record_property)
    assert parsed > 0.3
    assert typed > 0.12
    assert lowered > 0.1


def test_broken_trees_are_answered_by_diagnostics(record_property: Callable[[str, object], None]) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(EACH):
        rng = Random(seed)
        (_, loaded), (_, other) = rng.choice(bases()), rng.choice(bases())
        file = mutate_tree(rng, loaded.file, other.file)
        broken = Loaded(file, loaded.libraries, loaded.path)
        _, codes = answered(f"seed {seed}", lambda r, b=broken: through(b, r))  # type: ignore[misc]
        outcomes[stage(codes)] += 1
        if seed % 3 == 0:  # printing needs a tree of one text
            file = mutate_tree(rng, loaded.file, loaded.file)
            answered(
                f"seed {seed} printed",
                lambda r, f=file: through(load_text(formatted(f), "printed.spte", (SPEC,), r), r),  # type: ignore[misc]
            )
    parsed, typed, lowered = report(outcomes, record_property)
    assert parsed > 0.9, "a tree has no errors of syntax"
    assert typed > 0.1
    assert lowered > 0.1


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name: str) -> None:
    text, code = BOMBS[name]

    def run(reporter: Reporter) -> object:
        loaded = load_text(f"protocol bomb;\n{text}\n", "bomb.spte", (), reporter)
        every = None if loaded is None else sizes(loaded, reporter)
        return None if every is None else through(loaded, reporter)

    _, codes = answered(name, run)
    assert (code in codes) if code is not None else not codes, codes
