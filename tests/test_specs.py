"""The shipped specifications: proved, exact in their states, broken where they are broken on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from refine.core import expr as e
from refine.core.system import Kind, System
from refine.engine.explore import explore
from refine.engine.live import live
from refine.engine.verdict import Answer, Limits, Proved, Reached, Vacuous, Violated
from refine.lang.format import format as laid_out
from refine.lang.load import load
from refine.lang.lower import lower
from refine.lang.parse import parse
from refine.text.diag import Reporter, Severity, render
from refine.text.span import Source

ROOT = Path(__file__).resolve().parents[1]
SHOOTDOWN = ROOT / "spec/x86/tlb_shootdown.spte"
LIBRARIES = sorted((ROOT / "spec/lib").glob("*.spte"))
PROTOCOLS = sorted(p for p in (ROOT / "spec").rglob("*.spte") if p not in LIBRARIES)
BAD = sorted((ROOT / "tests/clients").glob("*.spte"))


def name(path: Path) -> str:
    """Name a test by its file."""
    return path.relative_to(ROOT).as_posix()


def lowered(path: Path, sizes: Mapping[str, int] | None = None) -> System:
    """Load and lower a file, which has no errors."""
    reporter = Reporter()
    loaded = load(path, (), reporter)
    system = lower(loaded, sizes or {}, reporter) if loaded is not None else None
    errors = [render(d) for d in reporter.diagnostics if d.severity is Severity.ERROR]
    assert not errors, "\n".join(errors)
    assert system is not None, "it has no errors"
    return system


def searched(path: Path, sizes: Mapping[str, int] | None = None, *, symmetry: bool = True) -> Answer:
    """Look at every state, which is possible."""
    answer = explore(lowered(path, sizes), None, Limits(), symmetry=symmetry)
    assert answer.complete
    return answer


def _of_some_sizes(system: System, name: str) -> bool:
    """Whether a property may speak of other sizes only."""
    p = system.property(name)
    return p.role == "reach" or p.given is e.FALSE


@pytest.mark.parametrize("path", PROTOCOLS, ids=name)
def test_a_protocol_is_proved_at_its_default_size(path: Path) -> None:
    answer = searched(path)
    system = lowered(path)
    ever = [p.name for p in system.properties if p.kind is Kind.LIVENESS]
    verdicts = {**answer.verdicts, **(live(system, ever, Limits()).verdicts if ever else {})}
    others = {
        name: verdict
        for name, verdict in verdicts.items()
        if not isinstance(verdict, Proved | Reached)
        # That some size has it, the proof suite sees.
        and not (isinstance(verdict, Vacuous) and _of_some_sizes(system, name))
    }
    assert not others
    assert any(isinstance(verdict, Reached) for verdict in answer.verdicts.values())


@pytest.mark.parametrize("path", LIBRARIES, ids=name)
def test_a_library_is_typed_whole_and_has_a_good_and_a_bad_client(path: Path) -> None:
    lowered(path)
    if "\ntype " not in path.read_text(encoding="utf-8"):
        return  # it declares nothing that has clients
    assert path.parent / "clients" / path.name in PROTOCOLS
    assert ROOT / "tests/clients" / f"{path.stem}_bad.spte" in BAD


@pytest.mark.parametrize("path", BAD, ids=name)
def test_a_bad_client_violates_the_claim_that_it_names(path: Path) -> None:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert first.startswith("// violates: ")
    claim = first.removeprefix("// violates: ")
    assert isinstance(searched(path).verdicts[claim], Violated)


@pytest.mark.parametrize(
    ("sizes", "states", "orbits"),
    [((2, 2, 2), 3_225, 444), ((3, 2, 3), 203_753, 3_586), ((3, 3, 4), None, 30_753)],
    ids=str,
)
def test_the_shootdown_has_exactly_the_states_of_its_rivals(
    sizes: tuple[int, int, int], states: int | None, orbits: int
) -> None:
    named = dict(zip(("VCPUS", "GFNS", "PFNS"), sizes, strict=True))
    if states is not None:
        assert searched(SHOOTDOWN, named, symmetry=False).states == states
    assert searched(SHOOTDOWN, named).states == orbits


@pytest.mark.parametrize("path", [*LIBRARIES, *PROTOCOLS, *BAD], ids=name)
def test_a_specification_is_laid_out_as_fmt_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    file = parse(Source(str(path), text), Reporter())
    assert file is not None
    assert laid_out(file) == text


def test_the_shortest_run_to_the_bug_has_thirteen_steps() -> None:
    verdict = searched(ROOT / "tests/clients/tlb_shootdown_buggy.spte").verdicts["no_stale_translation"]
    assert isinstance(verdict, Violated)
    assert len(verdict.trace.events) == 13
