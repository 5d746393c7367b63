"""What is built, installed and set up: the wheel holds what git holds, and runs far from the checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from refine import resources

DATA = ("grammar", "spec", "proofs")


def run(*command: str | Path, cwd: Path) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command} gave {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


def tracked(checkout: Path) -> set[str]:
    """Whatever git holds or would take in: caches and other ignored files are not among it."""
    if not (checkout / ".git").exists():
        pytest.skip("this is no git checkout")
    listed = run(
        "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "refine", *DATA, cwd=checkout
    )
    return {name for name in listed.split("\0") if name and (checkout / name).is_file()}


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ".", cwd=checkout)
    [built] = folder.glob("*.whl")
    return built


@pytest.mark.parametrize("kind", DATA)
def test_data_lies_beside_the_package_not_in_it(checkout: Path, kind: resources.Kind) -> None:
    # A folder of that name inside the package would hide the real one.
    assert not (checkout / "refine" / kind).exists()
    assert resources.root(kind) == checkout / kind


def test_missing_data_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "refine" / "resources.py"))
    with pytest.raises(FileNotFoundError, match="grammar/"):
        resources.root("grammar")


@pytest.mark.slow
@pytest.mark.xdist_group("wheel")
def test_the_wheel_holds_what_git_holds(checkout: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {name if name.startswith("refine/") else f"refine/{name}" for name in tracked(checkout)}
    assert packed == expected


@pytest.mark.slow
@pytest.mark.xdist_group("wheel")
def test_the_installed_wheel_checks_a_shipped_spec(wheel: Path, tmp_path: Path) -> None:
    home, empty = tmp_path / "venv", tmp_path / "empty"
    empty.mkdir()
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=tmp_path)
    python = home / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps")
    run(*pip, wheel, cwd=tmp_path)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", ask, cwd=empty).strip())
    # The libraries come from the environment that runs this test; the checkout, installed there, does not.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    package = Path(run(python, "-c", "import refine; print(refine.__path__[0])", cwd=empty).strip())
    assert package == packages / "refine"

    spec = package / "spec" / "x86" / "tlb_shootdown.spte"
    assert spec.is_file()
    run(home / "bin" / "spte", "check", spec, cwd=empty)


def test_the_lock_file_names_hashes_and_no_place(checkout: Path) -> None:
    lock = (checkout / "requirements.lock").read_text()
    assert not re.search(r"https?:|file:|--index|--extra-index|--find-links|-e |(^|\s)/", lock, re.MULTILINE)
    pins = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^\s*#.*\n", "", lock).strip())
    assert len(pins) > 20
    for pin in pins:
        assert re.match(r"[a-z0-9-]+==\S+ ", pin), pin
        assert "--hash=sha256:" in pin


SHADOW = """#!/bin/sh
[ "$1" = -c ] || exit 99
exec {python} -c "import sys
{change}
$2"
"""


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ("sys.version_info = (3, 9, 2)", "needs Python 3.11 or later, and '{shadow}' is 3.9"),
        ("sys.modules['ensurepip'] = None", r"apt install python3.\d+-venv"),
    ],
)
def test_setting_up_says_what_to_install(checkout: Path, tmp_path: Path, change: str, advice: str) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(checkout / name, tmp_path)
    shadow = tmp_path / "shadow"
    shadow.write_text(SHADOW.format(python=sys.executable, change=change))
    shadow.chmod(0o755)
    result = subprocess.run(
        ["make", "setup", f"PYTHON={shadow}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode != 0
    assert re.search(advice.format(shadow=shadow), result.stderr)
    assert not (tmp_path / ".venv").exists()


def test_setting_up_without_any_python_says_what_to_install(checkout: Path, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(checkout / name, tmp_path)
    result = subprocess.run(
        ["make", "setup", "PYTHON=no-such-python"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode != 0
    assert "there is no 'no-such-python': install Python 3.11" in result.stderr
