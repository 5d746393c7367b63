"""Measure the editing loop: what a change to a specification costs, beside deciding everything, and print a table.

    python bench/editing.py

Whole processes of `spte prove` on spec/x86/tlb_shootdown.spte, with a cache that is empty at first; CPU time, the
best of three. The certificate stays beside the original, so that none is checked. All reasons and mutants of that file
are about the claim that is changed.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMES = 3
FILE = ROOT / "spec/x86/tlb_shootdown.spte"
EDITS = (
    ("nothing", "", ""),
    ("a comment", "protocol ", "// a remark\nprotocol "),
    ("one claim", "tlb[v][g] != spte[h]", "spte[h] != tlb[v][g]"),
    ("one lemma", "    && zapper !in mmu_lock.readers\n", ""),
    ("one step", "step yield { write_unlock", "step yield { frame = none; write_unlock"),
)


def prove(file: Path, cache: Path) -> float:
    """Run the command, and return its CPU time."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPTE_CACHE": str(cache), "CI": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [sys.executable, "-m", "refine", "prove", str(file), "--jobs", "1"]
    done = subprocess.run(words, env=environment, check=False, capture_output=True)
    assert done.returncode in (0, 1), "every edit can be checked"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def after(old: str, new: str) -> tuple[float, float]:
    """The CPU time of a first run, and of one after an edit."""
    with tempfile.TemporaryDirectory() as folder:
        file, cache = Path(folder, FILE.name), Path(folder, "cache")
        text = FILE.read_text()
        assert old in text, "the specification has what is to be changed"
        file.write_text(text)
        first = prove(file, cache)
        file.write_text(text.replace(old, new, 1))
        return first, prove(file, cache)


def main() -> int:
    print("the editing loop: CPU seconds of 'spte prove' anew, and after a change")
    for name, old, new in EDITS:
        first, second = min((after(old, new) for _ in range(TIMES)), key=lambda pair: pair[1])
        print(f"{name:<12} {first:>6.2f} {second:>6.2f}  {first / second:.1f} times as fast")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
