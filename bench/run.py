"""Measure explicit search beside the prototypes it has to be ahead of, and print a table.

    python bench/run.py [--small] [--peers FOLDER]

The protocol is spec/x86/tlb_shootdown.spte, and its buggy form among the tests' clients. Every row is the CPU time
of everything after parsing: lowering, compiling, searching with parents kept, the main claim and all free claims
(defined, balanced, satisfiable, stuck), verdicts. The best of three, the rivals taken in turn. The prototype is
`packed` of `peers/explicit.py`, which keeps no parents and asks for no free claims; it is read from the folder
`shared/peers` beside the checkout, and left out where that is missing.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from refine.engine.explore import explore  # noqa: E402
from refine.engine.verdict import Limits, Proved, Violated  # noqa: E402
from refine.lang.load import Loaded, load  # noqa: E402
from refine.lang.lower import lower  # noqa: E402
from refine.text.diag import Reporter  # noqa: E402

TIMES = 3
LIMITS = Limits(states=10**9)
MAIN = "no_stale_translation"
CORRECT = ROOT / "spec/x86/tlb_shootdown.spte"
BUGGY = ROOT / "tests/clients/tlb_shootdown_buggy.spte"


@dataclass(frozen=True, slots=True)
class Result:
    """What one run found, and its CPU time."""

    states: int
    verdict: str
    seconds: float


def parsed(path: Path) -> Loaded:
    reporter = Reporter()
    loaded = load(path, (), reporter)
    assert loaded is not None, "shipped protocols parse"
    return loaded


def ours(loaded: Loaded, size: tuple[int, int, int], *, symmetry: bool) -> Result:
    """Run explicit search for the main claim, with all free claims on."""
    start = time.process_time()
    system = lower(loaded, dict(zip(("VCPUS", "GFNS", "PFNS"), size, strict=True)), Reporter())
    assert system is not None, "shipped protocols have no errors"
    names = [p.name for p in system.properties if p.role == "free" or p.name == MAIN]
    answer = explore(system, names, LIMITS, symmetry=symmetry)
    seconds = time.process_time() - start
    assert answer.states is not None, "a search counts"
    main = answer.verdicts[MAIN]
    assert all(isinstance(v, Proved) for name, v in answer.verdicts.items() if name != MAIN), (
        "free claims hold"
    )
    verdict = f"violated in {len(main.trace.events)}" if isinstance(main, Violated) else "proved"
    return Result(answer.states, verdict, seconds)


def prototype(peers: Path, size: tuple[int, int, int]) -> Result:
    """Run `packed`, the prototype in generated Python."""
    if str(peers) not in sys.path:
        sys.path.insert(0, str(peers))
    explicit = importlib.import_module("explicit")
    start = time.process_time()
    verdict, states, _, _ = explicit.packed(*size, False)
    return Result(states, {"SAFE": "proved"}.get(verdict, verdict), time.process_time() - start)


def best(*runs: Callable[[], Result]) -> list[Result]:
    """Run each in turn, several times, and keep the best of each."""
    rounds = [[run() for run in runs] for _ in range(TIMES)]
    return [min(column, key=lambda r: r.seconds) for column in zip(*rounds, strict=True)]


def row(name: str, size: tuple[int, int, int], result: Result, note: str = "") -> None:
    shown = ",".join(map(str, size))
    print(f"{name:<34} {shown:>5} {result.states:>11,} {result.seconds:>8.2f}  {result.verdict:<14} {note}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--small", action="store_true", help="without 3,3,4 unreduced (21,720,167 states, 5 GB, minutes)"
    )
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "shared" / "peers", help="the prototypes")
    options = parser.parse_args()
    correct, buggy = parsed(CORRECT), parsed(BUGGY)
    there = (options.peers / "explicit.py").is_file()
    print("TLB shootdown: vCPUs, guest frames, host frames; states; CPU seconds, best of 3")
    for size in ((2, 2, 2), (3, 2, 3)):
        runs = [
            lambda size=size: ours(correct, size, symmetry=False),
            lambda size=size: ours(correct, size, symmetry=True),
        ]
        if there:
            runs.append(lambda size=size: prototype(options.peers, size))
        plain, reduced, *rivals = best(*runs)
        for rival in rivals:
            assert rival.states == plain.states, "the prototype searches the same protocol"
            row("prototype `packed`", size, rival)
        ratio = f"{rivals[0].seconds / plain.seconds:.2f} times as fast as `packed`" if rivals else ""
        row("explore", size, plain, ratio)
        row("explore, symmetry", size, reduced)
        row("explore, buggy", size, ours(buggy, size, symmetry=False))
    if not there:
        print(f"there are no prototypes in {options.peers}: nothing to compare with")
    row("explore, symmetry", (3, 3, 4), best(lambda: ours(correct, (3, 3, 4), symmetry=True))[0])
    row("explore, symmetry, buggy", (3, 3, 4), ours(buggy, (3, 3, 4), symmetry=True))
    if not options.small:
        row("explore", (3, 3, 4), ours(correct, (3, 3, 4), symmetry=False), "(1)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
