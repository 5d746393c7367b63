"""Measure the start: what a small check costs beside `python -c 'import lark'`, and print the ratio.

    python bench/start.py

Whole processes, byte code compiled beforehand; CPU time, user and system, the best of fifteen, in turns. The check is
of what `spte new` writes, decided and not remembered.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMES = 15


def cost(words: list[str], folder: str) -> float:
    """Run Python, and return its CPU time."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(Path(folder, "code"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], cwd=folder, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        cost(["-m", "refine", "new", "zap"], folder)
        measured = {
            "import lark": ["-c", "import lark"],
            "spte --help": ["-m", "refine", "--help"],
            "spte check": ["-m", "refine", "check", "zap.spte", "--no-cache"],
        }
        rounds = [{name: cost(words, folder) for name, words in measured.items()} for _ in range(TIMES + 1)]
    best = {name: min(one[name] for one in rounds[1:]) for name in measured}  # the first one compiles
    print("the start: CPU milliseconds, and how many times 'import lark'")
    for name, seconds in best.items():
        print(f"{name:<12} {1000 * seconds:>5.0f}  {seconds / best['import lark']:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
