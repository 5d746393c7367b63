"""Measure explicit search beside the prototypes it has to be ahead of, and print a table.

    python bench/run.py [--large] [--peers FOLDER]

Every row is the CPU time of a function call with everything in it: compiling, searching with parents kept, all free
claims (defined, satisfiable, stuck), verdicts. The best of three, the rivals taken in turn. The prototype is `packed`
of `peers/explicit.py`, which keeps no parents and asks for no free claims; it is read from the folder `shared/peers`
beside the checkout, and left out where that is missing.
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
from tests.engine.systems import tlb_shootdown  # noqa: E402

TIMES = 3
LIMITS = Limits(states=10**9)


@dataclass(frozen=True, slots=True)
class Result:
    """What one run found, and its CPU time."""

    states: int
    verdict: str
    seconds: float


def ours(size: tuple[int, int, int], *, symmetry: bool, buggy: bool = False) -> Result:
    """Run explicit search with all free claims on."""
    start = time.process_time()
    answer = explore(tlb_shootdown(*size, buggy=buggy), None, LIMITS, symmetry=symmetry)
    seconds = time.process_time() - start
    assert answer.states is not None, "a search counts"
    safe = answer.verdicts["safe"]
    others = [v for name, v in answer.verdicts.items() if name != "safe"]
    assert all(isinstance(v, Proved) for v in others), "the free claims hold"
    verdict = f"violated in {len(safe.trace.events)}" if isinstance(safe, Violated) else "proved"
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
        "--large", action="store_true", help="also 3,3,4 without symmetry (21,720,167 states, 5 GB)"
    )
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "shared" / "peers", help="the prototypes")
    options = parser.parse_args()
    there = (options.peers / "explicit.py").is_file()
    print("TLB shootdown: vCPUs, guest frames, host frames; states; CPU seconds, best of 3")
    for size in ((2, 2, 2), (3, 2, 3)):
        runs = [lambda size=size: ours(size, symmetry=False), lambda size=size: ours(size, symmetry=True)]
        if there:
            runs.append(lambda size=size: prototype(options.peers, size))
        plain, reduced, *rivals = best(*runs)
        for rival in rivals:
            assert rival.states == plain.states, "the prototype searches the same protocol"
            row("prototype `packed`", size, rival)
        ratio = f"{rivals[0].seconds / plain.seconds:.2f} times as fast as `packed`" if rivals else ""
        row("explore", size, plain, ratio)
        row("explore, symmetry", size, reduced)
    if not there:
        print(f"there are no prototypes in {options.peers}: nothing to compare with")
    row("explore, symmetry", (3, 3, 4), best(lambda: ours((3, 3, 4), symmetry=True))[0])
    row("explore, symmetry, buggy", (3, 3, 4), ours((3, 3, 4), symmetry=True, buggy=True))
    if options.large:
        row("explore", (3, 3, 4), ours((3, 3, 4), symmetry=False), "(1)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
