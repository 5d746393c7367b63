"""Certificates on disk: written when asked, checked by each proof, beside the specification and nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from refine import resources
from refine.cli import main
from refine.engine import certify
from refine.smt.second import cvc5_says
from refine.smt.solver import Budget, Status, z3_says
from tests.cli.specs import broken, good
from tests.engine.test_certify import Liar
from tests.engine.test_k_inductive import FIB

Capture = pytest.CaptureFixture[str]


def said(capsys: Capture) -> str:
    return " ".join(capsys.readouterr().out.split())


@pytest.fixture
def proved(tmp_path: Path, capsys: Capture) -> Path:
    """A specification with its certificate."""
    file = good(tmp_path)
    assert main(["prove", str(file), "--reprove", "--jobs", "1"]) == 0
    assert "certificate ......................... written" in said(capsys)
    return file


def test_a_proof_leaves_a_certificate_only_when_asked(tmp_path: Path, capsys: Capture) -> None:
    file = good(tmp_path)
    assert main(["prove", str(file), "--jobs", "1"]) == 0
    assert "certificate" not in said(capsys)
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_a_certificate_is_checked_by_each_proof(proved: Path, capsys: Capture) -> None:
    assert proved.with_suffix(".proof").is_file()
    assert main(["prove", str(proved), "--jobs", "1"]) == 0
    assert "checked by z3 and cvc5" in said(capsys)


def test_writing_it_anew_changes_nothing(proved: Path) -> None:
    place = proved.with_suffix(".proof")
    before = place.read_text()
    assert main(["prove", str(proved), "--reprove", "--jobs", "1"]) == 0
    assert place.read_text() == before


def test_a_changed_protocol_makes_it_stale(proved: Path, capsys: Capture) -> None:
    text = proved.read_text()
    assert "step enter { spin_lock(mmu_lock); }" in text
    proved.write_text(text.replace("step enter {", "step ahead { }\n        step enter {", 1))
    assert main(["prove", str(proved), "--jobs", "1"]) == 1
    assert "refused" in (told := said(capsys))
    assert "stale" in told
    assert main(["check", str(proved), "--jobs", "1"]) == 0  # a check has no eye for certificates


def test_a_comment_does_not_make_it_stale(proved: Path) -> None:
    proved.write_text("// nothing new\n" + proved.read_text())
    assert main(["prove", str(proved), "--jobs", "1"]) == 0


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("\nproof ", "\nprove ", "is no certificate: line"),
        ("claims ", "claims nobody, ", "no invariant proves 'nobody'"),
        (" states;", "1 states;", "states at"),
        ("}\n\nexhaustive", "    invariant true;\n}\n\nexhaustive", "'true' says nothing"),
    ],
)
def test_a_tampered_certificate_is_refused(
    old: str, new: str, why: str, proved: Path, capsys: Capture
) -> None:
    place = proved.with_suffix(".proof")
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new, 1))
    assert main(["prove", str(proved), "--jobs", "1"]) == 1
    assert why in said(capsys)


def test_a_section_less_is_missed(proved: Path, capsys: Capture) -> None:
    place = proved.with_suffix(".proof")
    place.write_text(place.read_text().partition("exhaustive")[0])
    assert main(["prove", str(proved), "--jobs", "1"]) == 1
    assert "says nothing of stuck" in said(capsys)


def test_solvers_that_disagree_are_status_4(
    proved: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certify, "cvc5", lambda *_, **__: Liar(Status.SAT))
    assert main(["prove", str(proved), "--jobs", "1"]) == 4
    assert "disagree" in said(capsys)


def test_a_folder_of_its_own(tmp_path: Path, capsys: Capture) -> None:
    file, folder = good(tmp_path), tmp_path / "kept" / "here"
    assert main(["prove", str(file), "--reprove", "--proofs", str(folder), "--jobs", "1"]) == 0
    assert [p.name for p in folder.iterdir()] == ["toy.proof"]
    assert not file.with_suffix(".proof").exists()
    assert main(["prove", str(file), "--proofs", str(folder), "--jobs", "1"]) == 0
    assert "checked by z3 and cvc5" in said(capsys)


def test_nothing_is_written_into_the_package(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "refine"
    (package / "spec").mkdir(parents=True)
    (package / "proofs").mkdir()
    for kind in ("spec/lib", "grammar"):
        shutil.copytree(Path(resources.__file__).parents[1] / kind, package / kind)
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    file = good(package / "spec")
    assert main(["prove", str(file), "--reprove", "--jobs", "1"]) == 3
    assert "give a folder with --proofs" in said(capsys)
    assert not list((package / "proofs").iterdir())


def test_what_is_violated_has_no_certificate_but_the_rest_has(tmp_path: Path, capsys: Capture) -> None:
    file = broken(tmp_path)
    assert main(["prove", str(file), "--reprove", "--jobs", "1"]) == 1
    text = file.with_suffix(".proof").read_text()
    claims = text.partition("claims ")[2].partition(";")[0]
    assert "unmapped" not in claims.split(", ")
    assert "exclusion" in claims or "defined" in claims


def test_unbounded_integers_have_a_certificate_of_k_induction(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "fib.spte"
    file.write_text(FIB)
    assert main(["prove", str(file), "--reprove", "--jobs", "1"]) == 0
    place = file.with_suffix(".proof")
    text = place.read_text()
    assert "\nk-inductive 2 {\n" in text
    assert main(["prove", str(file), "--jobs", "1"]) == 0
    assert "2 claims by 2-induction, checked by z3 and cvc5" in said(capsys)
    place.write_text(text.replace("k-inductive 2", "k-inductive 1"))
    assert main(["prove", str(file), "--jobs", "1"]) == 1
    assert "refused: what it says does not survive a step" in said(capsys)
    place.write_text(text)
    assert main(["export", str(file)]) == 0
    assert capsys.readouterr().out.count("(check-sat)") == 3


# --- for other solvers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [["--claim", "unmapped"], ["--size", "VCPUS=1"], ["--shard", "1/2"], ["--engine", "ic3"], ["--no-symmetry"],
     ["--steps", "3"]],
)  # fmt: skip
def test_what_is_no_whole_proof_is_not_certified(options: list[str], tmp_path: Path, capsys: Capture) -> None:
    file = good(tmp_path)
    assert main(["prove", str(file), "--reprove", *options]) == 2
    assert f"error[E0619]: with {options[0]} there is no whole proof" in capsys.readouterr().err
    assert not file.with_suffix(".proof").exists()


def test_what_is_exported_is_unsatisfiable(proved: Path, capsys: Capture) -> None:
    for n in (1, 2, 3):
        assert main(["export", str(proved), "--size", f"VCPUS={n}"]) == 0
        text = capsys.readouterr().out
        head, *questions = text.split("(push 1)")
        assert len(questions) == 2
        for question in questions:
            asserted, _, rest = question.partition("(check-sat)\n(pop 1)\n")
            whole = head + asserted + "(check-sat)\n"
            assert z3_says(whole, Budget()) is cvc5_says(whole, Budget()) is Status.UNSAT
            head += rest


def test_nothing_is_exported_without_a_certificate(tmp_path: Path, capsys: Capture) -> None:
    file = good(tmp_path)
    assert main(["export", str(file)]) == 2
    assert "error[E0618]: there is no certificate of" in capsys.readouterr().err


def test_what_is_stale_is_not_exported(proved: Path, capsys: Capture) -> None:
    proved.write_text(proved.read_text().replace("step enter {", "step ahead { }\n        step enter {", 1))
    assert main(["export", str(proved)]) == 2
    assert "stale" in capsys.readouterr().err
    assert main(["export", "spec/x86/tlb_shootdown.spte", "--size", "VCPUS=4"]) == 2
    assert "says nothing of VCPUS 4" in capsys.readouterr().err
