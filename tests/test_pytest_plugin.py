"""pytest as a way to run proofs: what is collected, how it is named, and what a failure prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from refine.cli import main
from tests.cli.specs import broken, good, ill, large

CHECKOUT = Path(__file__).resolve().parents[1]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the plugin, installed or not."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(CHECKOUT)}
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-p", "refine.pytest_plugin", "-p", "no:cacheprovider", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def ids(folder: Path, *words: str) -> list[str]:
    said = run(folder, "--collect-only", "-q", *words).stdout
    return [line for line in said.splitlines() if "::" in line]


def test_a_file_is_a_suite(tmp_path: Path) -> None:
    good(tmp_path)
    found = ids(tmp_path, ".")
    assert [name for name in found if "claims" in name] == [f"toy.spte::claims[VCPUS={n}]" for n in (1, 2, 3)]
    assert "toy.spte::because[unmapped: mmu_lock.held]" in found
    assert "toy.spte::mutant[no_lock]" in found
    assert "toy.spte::vacuity" in found
    result = run(tmp_path, "toy.spte", "-q")
    assert result.returncode == 0, result.stdout
    assert "passed" in run(tmp_path, "toy.spte::claims[VCPUS=2]", "-q").stdout
    assert "1 passed" in run(tmp_path, ".", "-q", "-k", "mutant and no_lock").stdout


def test_a_failure_is_the_counterexample(tmp_path: Path) -> None:
    broken(tmp_path)
    result = run(tmp_path, ".", "-x")
    assert result.returncode == 1
    assert "is violated in" in result.stdout
    assert "to see it again:" in result.stdout
    assert "Traceback" not in result.stdout
    assert "suite.py" not in result.stdout


def test_a_file_with_errors_is_one_item(tmp_path: Path) -> None:
    ill(tmp_path)
    assert ids(tmp_path, ".") == ["ill.spte::errors"]
    result = run(tmp_path, ".")
    assert result.returncode == 1
    assert "ill.spte:2" in result.stdout
    assert "error[E" in result.stdout


def test_an_error_within_an_edit_is_one_item(tmp_path: Path) -> None:
    file = good(tmp_path)
    text = file.read_text()
    assert "{ drop zapper.enter; }" in text
    file.write_text(text.replace("{ drop zapper.enter; }", "{ replace zapper.leave { mmu_lok = 3; } }"))
    result = run(tmp_path, ".", "-q")
    assert result.returncode == 1
    assert "toy.spte::errors" in result.stdout
    assert "nothing is named 'mmu_lok'" in result.stdout
    assert "1 failed in" in result.stdout


def test_a_certificate_that_cannot_be_read_or_leaves_something_out_fails(tmp_path: Path) -> None:
    file = good(tmp_path)
    assert main(["prove", str(file), "--reprove"]) == 0
    proof = file.with_suffix(".proof")
    text = proof.read_text()
    assert run(tmp_path, ".", "-q", "-k", "certificate or claims").returncode == 0
    proof.write_text(re.sub(r"inductive .*?\n}\n", "", text, flags=re.DOTALL))
    assert "it says nothing of" in run(tmp_path, ".", "-q", "-k", "claims").stdout
    proof.write_text(text.replace("proof toy", "poof toy"))
    assert "is no certificate" in run(tmp_path, ".", "-q", "-k", "certificate").stdout


def test_the_plugin_may_be_named_where_it_is_installed(tmp_path: Path) -> None:
    good(tmp_path)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "refine.pytest_plugin",
        "--collect-only",
        "-q",
        "toy.spte",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "toy.spte::vacuity" in done.stdout, done.stdout + done.stderr


def test_a_library_is_one_item(tmp_path: Path) -> None:
    lib = CHECKOUT / "spec" / "lib" / "lock.spte"
    assert [name.rpartition("::")[2] for name in ids(tmp_path, str(lib))] == ["library"]


def test_out_of_time_is_a_sentence(tmp_path: Path) -> None:
    file = large(tmp_path)
    file.write_text(file.read_text() + "claim hard: a + b + c + d != 390;\n")  # neither inductive nor near
    result = run(tmp_path, file.name, "--spte-timeout", "0.5", "-k", "claims", "-x")
    assert result.returncode == 1
    assert "out of time" in result.stdout or "holds up to" in result.stdout
    assert run(tmp_path, file.name, "--spte-states", "many").returncode == 4


@pytest.mark.parametrize("xdist", [[], ["-p", "xdist.plugin", "-n", "2"]])
def test_only_what_is_meant_is_collected(tmp_path: Path, xdist: list[str]) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    good(folder)
    ini = tmp_path / "pytest.ini"
    ini.write_text("[pytest]\ntestpaths = tests\n")
    assert run(tmp_path, *xdist).returncode == 5
    assert run(tmp_path, *xdist, "tests", "-q").returncode == 0
    ini.write_text("[pytest]\ntestpaths = tests\nspte = true\n")
    assert run(tmp_path, *xdist).returncode == 0
    ini.write_text("[pytest]\nspte = true\nspte_ignore = tests\n")
    assert run(tmp_path, *xdist).returncode == 5
    assert run(tmp_path, *xdist, "tests").returncode == 5
    assert run(tmp_path, *xdist, "tests/toy.spte").returncode == 0


def test_nothing_heavy_is_loaded_with_the_plugin() -> None:
    program = "import sys, refine.pytest_plugin\nprint({'lark', 'z3', 'rich', 'refine.cli.suite'} & set(sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "set()"
