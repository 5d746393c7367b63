"""Imports point downward, and the contract that says so has teeth."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLANTED = [
    ("core", "import refine.lang", "imports point downward"),
    ("smt", "import refine.run", "imports point downward"),
    ("run", "import refine.smt", "imports point downward"),
    ("text", "import refine.core", "imports point downward"),
    ("engine", "import z3", "only refine.smt knows Z3"),
    ("lang", "from z3 import z3util", "only refine.smt knows Z3"),
    ("engine", "import lark", "only the languages know lark"),
    ("core", "import rich.console", "only what faces a terminal knows rich"),
]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_layers_hold(checkout: Path) -> None:
    result = lint_imports(checkout)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("room", "statement", "contract"), PLANTED)
def test_a_planted_import_is_found(
    checkout: Path, tmp_path: Path, room: str, statement: str, contract: str
) -> None:
    shutil.copytree(checkout / "refine", tmp_path / "refine", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(checkout / "pyproject.toml", tmp_path)
    (tmp_path / "refine" / room / "planted.py").write_text(f'"""Planted."""\n\n{statement}\n')
    result = lint_imports(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{contract} BROKEN" in result.stdout
    assert f"refine.{room}.planted" in result.stdout


def test_a_room_without_a_layer_is_found(checkout: Path, tmp_path: Path) -> None:
    shutil.copytree(checkout / "refine", tmp_path / "refine", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(checkout / "pyproject.toml", tmp_path)
    (tmp_path / "refine" / "attic.py").write_text('"""Belongs nowhere."""\n')
    result = lint_imports(tmp_path)
    assert result.returncode == 1
    assert "attic" in result.stdout + result.stderr
