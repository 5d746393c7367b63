"""`spte` as a process of its own: what it loads, signals, pipes, and several processes at a time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.specs import broken, good, large

SPTE = (sys.executable, "-m", "refine")
HEAVY = {"cvc5", "lark", "numpy", "pysat", "pysmt", "rich", "z3"}


def spte(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        [*SPTE, *words], cwd=cwd, capture_output=True, text=True, check=False, env=environment, timeout=120
    )


def loaded(words: list[str], cwd: Path) -> set[str]:
    """Which of the heavy libraries a command loads."""
    program = (
        "import sys\nfrom refine.cli import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        f"print('loaded', *sorted({HEAVY!r} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, check=True, timeout=60
    )
    return set(result.stdout.splitlines()[-1].split()[1:])


def test_nothing_is_loaded_that_is_not_needed(tmp_path: Path) -> None:
    good(tmp_path)
    (tmp_path / "broken.spte").write_text("protocol broken;\nshared bool\n")
    assert loaded(["--help"], tmp_path) == set()
    assert loaded(["check", "--help"], tmp_path) == set()
    assert loaded(["--version"], tmp_path) == set()
    assert loaded(["explain", "E0101"], tmp_path) == set()
    assert loaded(["new", "other"], tmp_path) == set()
    assert loaded(["check", "toy.spte"], tmp_path) == set()
    assert loaded(["show", "toy.spte"], tmp_path) == set()
    assert loaded(["check", "broken.spte"], tmp_path) == set()
    for engine in ("bmc", "induct", "ic3"):
        assert loaded(["check", "toy.spte", "--engine", engine], tmp_path) == {"pysat"}


def test_the_order_of_results_does_not_depend_on_processes_or_hashes(tmp_path: Path) -> None:
    for name in "abc":
        good(tmp_path, name)
    broken(tmp_path)
    one = spte("prove", ".", "--jobs", "1", cwd=tmp_path, PYTHONHASHSEED="1")
    two = spte("prove", ".", "--jobs", "2", cwd=tmp_path, PYTHONHASHSEED="2")
    assert one.returncode == two.returncode == 1
    said = [re.sub(r"\d+\.\d s", "", run.stdout) for run in (one, two)]
    assert said[0] == said[1]
    assert one.stderr == two.stderr == ""


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_what_was_found(tmp_path: Path, jobs: str, number: signal.Signals) -> None:
    for name in ("apple", "zoo"):
        good(tmp_path, name)
    large(tmp_path)
    words = [*SPTE, "prove", "apple.spte", "large.spte", "zoo.spte", "--json", "--jobs", jobs]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        while json.loads(run.stdout.readline()).get("name") != "stuck":
            pass  # the last verdict on the first file
        time.sleep(2)
        began = time.monotonic()
        run.send_signal(number)
        rest = [json.loads(line) for line in run.stdout]
        assert run.wait(timeout=30) == 3
        assert time.monotonic() - began < 15
        assert run.stderr.read() == ""
    assert rest[-1]["event"] == "summary"
    assert rest[-1]["interrupted"]
    sizes = [event for event in rest if event["event"] == "size" and event["file"] == "large.spte"]
    assert sizes[0]["verdicts"]["bounded"]["verdict"] == "holds"
    assert sizes[0]["verdicts"]["bounded"]["steps"] > 3
    found = {event["name"]: event for event in rest if event["event"] == "verdict"}
    assert found["bounded"]["verdict"] == ("unknown" if jobs == "1" else "holds")  # one size was not begun
    assert found["some"]["verdict"] == "reached"


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(n) for n in listed if b"spawn_main" in Path(f"/proc/{n}/cmdline").read_bytes()]


def test_a_process_that_is_killed_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    large(tmp_path)
    good(tmp_path, "zoo")
    words = [*SPTE, "prove", "large.spte", "zoo.spte", "--jobs", "2", "--timeout", "8", "--engine", "explore"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 20
        while len(workers := children(run.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(2)
        os.kill(workers[0], signal.SIGKILL)
        assert run.stdout is not None
        said = run.stdout.read()
        assert run.wait(timeout=60) in (1, 3)
    assert "was killed, perhaps for want of memory" in " ".join(said.split())
    assert "claim unmapped ...................... proved (VCPUS 1..3)" in said


def test_a_reader_that_leaves_early_gets_no_traceback(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*SPTE, "explain"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        assert run.stderr.read() == ""
        assert run.wait(timeout=30) in (0, 3)


def test_a_terminal_that_knows_only_ascii(tmp_path: Path) -> None:
    file = good(tmp_path)
    file.write_text(file.read_text().replace("a page is freed", "eine Seite wird gelöscht → weg"))
    run = spte("check", "toy.spte", cwd=tmp_path, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert run.returncode == 0
    assert r"gel\xf6scht \u2192 weg" in run.stdout
