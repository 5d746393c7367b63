"""The TLB shootdown beside the rival checkers that are installed: whole processes, from text to verdict.

    python bench/rivals.py [--peers FOLDER] [--limit S] [--rounds N] [SIZE…]

A SIZE is vCPUs, guest frames, host frames: `3,2,3`. Our rows are `spte check` of tlb_shootdown.spte, one claim,
one process, without its lemmas where IC3 is asked. The rivals' models of the same protocol are read from the folder
`shared/peers` beside the checkout; a rival that is not installed, or has no model there, has no row. CPU seconds
are user and system of the process and its children, compilers included, the best of some rounds taken in turn; `ratio`
is that of the best rival's to ours. What a rival says is checked: a wrong verdict is an error.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORRECT = ROOT / "spec/x86/tlb_shootdown.spte"
BUGGY = ROOT / "tests/clients/tlb_shootdown_buggy.spte"
SIZES = ("2,2,2", "3,2,3", "3,3,4", "4,3,5")
MAIN = "no_stale_translation"


@dataclass(frozen=True, slots=True)
class Rival:
    """A way to ask: its name, whether it is ours, and the commands, in which `{d}` is a folder of their own."""

    name: str
    ours: bool
    commands: tuple[str, ...]
    proved: str
    violated: str


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one run."""

    verdict: str  # "proved", "violated", or why there is none
    cpu: float
    wall: float


def rivals(size: Sequence[int], buggy: bool, peers: Path) -> list[Rival]:
    v, g, p = size
    bug = int(buggy)
    found = []
    sizes = f"--size VCPUS={v} --size GFNS={g} --size PFNS={p}"
    file = BUGGY if buggy else CORRECT
    for engine in ("explore", "ic3"):
        options = f"--claim {MAIN} --engine {engine} --jobs 1 --no-cache"
        command = f"{sys.executable} -m refine check {file} {sizes} {options}"
        found.append(Rival(f"spte, {engine}", True, (command,), r"all as declared", r"violated in"))
    if shutil.which("rumur") and shutil.which("gcc") and (peers / "tlb.m").is_file():
        for kind in ("heuristic", "exhaustive"):
            make = (
                f"sed 's/VV/{v}/;s/GG/{g}/;s/PP/{p}/;s/BB/{bug}/' {peers}/tlb.m > {{d}}/r.m && "
                f"rumur --threads 1 --symmetry-reduction {kind} --output {{d}}/r.c {{d}}/r.m && "
                "gcc -std=c11 -O2 -w -mcx16 -o {d}/r {d}/r.c -lpthread -latomic"
            )
            found.append(
                Rival(f"rumur, symmetry {kind}", False, (make, "{d}/r"), r"No error found", r"1 error")
            )
    if shutil.which("spin") and shutil.which("gcc") and (peers / "tlb.pml").is_file():
        flag = "-DBUG" if buggy else ""
        make = (
            f"cd {{d}} && spin -DV={v} -DG={g} -DP={p} {flag} -a {peers}/tlb.pml && "
            "gcc -O2 -DSAFETY -DNOCLAIM -w -o pan pan.c"
        )
        found.append(
            Rival("SPIN", False, (make, "cd {d} && ./pan -m3000000 -w24"), r"errors: 0", r"errors: 1")
        )
    if shutil.which("berkeley-abc") and (peers / "gen_aig.py").is_file():
        make = f"{sys.executable} {peers}/gen_aig.py {v} {g} {p} {bug} {{d}}/t.aig"
        prove = "berkeley-abc -c 'read_aiger {d}/t.aig; scorr; dc2; pdr'"
        found.append(Rival("abc scorr, dc2, pdr", False, (make, prove), r"Property proved", r"was asserted"))
    if (peers / "pdr.py").is_file():
        prove = f"{sys.executable} {peers}/pdr.py {v} {g} {p} {bug} glucose4"
        found.append(Rival("prototype of IC3", False, (prove,), r"SAFE", r"BUG"))
    return found


def run(rival: Rival, limit: float) -> Run:
    """One run, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        said, late = "", False
        for command in rival.commands:
            with subprocess.Popen(
                command.replace("{d}", folder), shell=True, cwd=ROOT, text=True, start_new_session=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            ) as process:  # fmt: skip
                try:
                    said += process.communicate(timeout=limit)[0]
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, 9)
                    process.communicate()
                    late = True
        after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if late:
        return Run(f"none in {limit:g} s", cpu, wall)
    if re.search(rival.violated, said):
        return Run("violated", cpu, wall)
    return Run("proved" if re.search(rival.proved, said) else "none", cpu, wall)


def compare(size: str, buggy: bool, entered: Sequence[Rival], limit: float, rounds: int) -> None:
    """The table of one size."""
    best: dict[str, Run] = {}
    for _ in range(rounds):
        for rival in entered:
            if rival.name in best and best[rival.name].verdict.startswith("none in"):
                continue
            found = run(rival, limit)
            known = best.get(rival.name)
            if known is None or found.cpu < known.cpu:
                best[rival.name] = found
    wanted = "violated" if buggy else "proved"
    wrong = [n for n, r in best.items() if r.verdict not in (wanted, "none") and "none in" not in r.verdict]
    if wrong:
        sys.exit(f"{', '.join(wrong)}: not {wanted} at {size}")
    ours = min((best[r.name].cpu for r in entered if r.ours and best[r.name].verdict == wanted), default=0.0)
    print(
        f"\n| {size}, {'buggy' if buggy else 'correct'} | verdict | CPU s | wall s | ratio to the best of ours |"
    )
    print("|---|---|---|---|---|")
    for rival in entered:
        one = best[rival.name]
        ratio = f"{one.cpu / ours:.2f}" if ours and one.verdict == wanted else ""
        print(f"| {rival.name} | {one.verdict} | {one.cpu:.2f} | {one.wall:.2f} | {ratio} |")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sizes", metavar="SIZE", nargs="*", help=f"default: {' '.join(SIZES)}")
    parser.add_argument(
        "--peers", type=Path, default=ROOT.parent / "shared" / "peers", help="the rivals' models"
    )
    parser.add_argument("--limit", type=float, default=120, help="seconds for each command")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", metavar="REGEX", default="", help="rows whose names match; ours always")
    options = parser.parse_args()
    for size in options.sizes or SIZES:
        for buggy in (False, True):
            entered = [
                r
                for r in rivals([int(n) for n in size.split(",")], buggy, options.peers.resolve())
                if r.ours or re.search(options.only, r.name)
            ]
            compare(size, buggy, entered, options.limit, options.rounds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
