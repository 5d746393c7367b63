"""The exit status says what came of it: each value, and which of several wins."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from refine.cli import main
from refine.cli.status import worst
from refine.core.trace import Trace
from refine.engine import replay, runs
from refine.engine.decide import Decision
from refine.engine.verdict import Answer, Cause, Unknown
from tests.cli.specs import broken, good, ill, large

Capture = pytest.CaptureFixture[str]


def test_0_all_as_declared(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", str(good(tmp_path))]) == 0
    said = capsys.readouterr()
    assert "claim unmapped ...................... proved (VCPUS 2)\n" in said.out
    assert said.out.endswith("all as declared\n")
    assert said.err == ""


def test_1_violated(tmp_path: Path, capsys: Capture) -> None:
    file = broken(tmp_path)
    assert main(["check", str(file)]) == 1
    said = capsys.readouterr().out
    assert "claim unmapped ...................... violated in 4 steps (VCPUS 2)\n" in said
    assert "guest[0]" in said
    _, _, command = said.partition("  spte check ")
    words = shlex.split(command.partition("\n\n")[0].replace("\\\n", ""))
    assert words == [str(file), "--size", "VCPUS=2", "--claim", "unmapped"]


def test_1_vacuous(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "v.spte"
    file.write_text("protocol v;\nshared bool x = false;\nreach up: x;\n")
    assert main(["check", str(file)]) == 1
    assert "vacuous: no reachable state satisfies it" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "words",
    [
        [], ["chekc"], ["check"], ["check", "--engine", "magic", "x"], ["check", "x", "--size", "2"],
        ["check", "x", "--size", "A=b"], ["check", "x", "--steps", "-1"], ["check", "x", "--timeout", "soon"],
    ],
)  # fmt: skip
def test_2_usage(words: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("spte")


def test_2_errors_in_a_specification(tmp_path: Path, capsys: Capture) -> None:
    file = ill(tmp_path)
    assert main(["check", str(file)]) == 2
    said = capsys.readouterr()
    assert f"{file}:2:17: error[E0" in said.err
    assert f"{file}:3:17: error[E0" in said.err
    assert "1 file not checked" in said.out


@pytest.mark.parametrize("verb", ["check", "prove", "show", "fmt"])
def test_2_no_such_file(verb: str, capsys: Capture) -> None:
    assert main([verb, "no/such.spte"]) == 2
    assert "error[E0601]: cannot read 'no/such.spte'" in capsys.readouterr().err


def test_2_no_such_claim(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", str(good(tmp_path)), "--claim", "unmaped"]) == 2
    assert "did you mean 'unmapped'?" in capsys.readouterr().err


def test_2_no_such_parameter(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", str(good(tmp_path)), "--size", "VCPU=2"]) == 2
    assert "did you mean 'VCPUS'?" in capsys.readouterr().err
    good(tmp_path, "other")
    assert main(["check", str(tmp_path), "--size", "VCPU=2", "--jobs", "1"]) == 2
    assert "error[E0611]" in capsys.readouterr().err


def test_2_no_specification_in_a_folder(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert "error[E0610]" in capsys.readouterr().err


def test_3_too_many_states(tmp_path: Path, capsys: Capture) -> None:
    file = str(good(tmp_path))
    assert main(["check", file, "--engine", "explore", "--states", "5"]) == 3
    assert "more than" in capsys.readouterr().out


def test_3_only_up_to_k_where_a_proof_was_asked_for(tmp_path: Path, capsys: Capture) -> None:
    file = str(good(tmp_path))
    words = [file, "--engine", "explore", "--steps", "3", "--claim", "unmapped", "--jobs", "1"]
    assert main(["check", *words]) == 0
    assert "holds up to 3 steps (VCPUS 2)" in capsys.readouterr().out
    assert main(["prove", *words]) == 3


def test_3_no_engine_for_what_was_asked(tmp_path: Path, capsys: Capture) -> None:
    file = good(tmp_path)
    file.write_text(file.read_text() + "claim ends: eventually zapper at end;\n")
    assert main(["check", str(file), "--engine", "bmc", "--claim", "ends"]) == 3
    assert "'bmc' cannot decide what happens eventually" in " ".join(capsys.readouterr().out.split())


def test_1_who_may_stand_still_for_ever_need_not_arrive(tmp_path: Path, capsys: Capture) -> None:
    file = good(tmp_path)
    file.write_text(file.read_text() + "claim ends: eventually zapper at end;\n")
    assert main(["check", str(file), "--claim", "ends"]) == 1
    shown = capsys.readouterr().out
    assert "claim ends .......................... violated" in shown
    assert "nothing is declared fair" in shown


def test_a_check_types_mutants_and_a_proof_judges_them(tmp_path: Path, capsys: Capture) -> None:
    file = good(tmp_path)
    text = file.read_text()
    file.write_text(text + 'mutant hasty "leave at once" breaks unmapped { delete zapper.zap; }\n')
    assert main(["check", str(file)]) == 0
    assert "hasty" not in capsys.readouterr().out
    assert main(["prove", str(file)]) == 0
    assert "mutant hasty" in capsys.readouterr().out
    file.write_text(
        text + "mutant hasty breaks unmapped { replace zapper.zap { step zap { spite = 1; } } }\n"
    )
    assert main(["check", str(file)]) == 2
    assert "nothing is named 'spite'" in capsys.readouterr().err


def test_3_out_of_time(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", str(large(tmp_path)), "--engine", "explore", "--timeout", "0.3"]) == 3
    said = " ".join(capsys.readouterr().out.split())
    assert "claim bounded ....................... holds up to" in said
    assert "reach some .......................... reached in 2 steps" in said


def test_4_a_run_that_does_not_replay(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(trace: Trace) -> Trace:
        raise replay.Inconsistent(f"the run found for `{trace.property}` does not replay")

    monkeypatch.setattr(runs, "check", check)
    assert main(["check", str(broken(tmp_path))]) == 4
    assert "the tool contradicts itself" in " ".join(capsys.readouterr().out.split())


def test_4_an_error_that_is_not_the_users(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("planted\x1b[31m")

    monkeypatch.setattr("refine.cli.work.ask", fail)
    assert main(["check", str(good(tmp_path))]) == 4
    said = capsys.readouterr()
    assert "internal error (ZeroDivisionError: planted\\x1b[31m)" in " ".join(said.out.split())
    assert "Traceback" not in said.out + said.err
    monkeypatch.setenv("SPTE_DEBUG", "1")
    assert main(["check", str(good(tmp_path))]) == 4
    assert "Traceback" in capsys.readouterr().err


def test_4_an_error_anywhere_else(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("refine.cli.explain.explain", fail)
    assert main(["explain"]) == 4
    assert capsys.readouterr().err == "spte: internal error (RecursionError), please report it\n"


def test_3_memory(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("refine.cli.work.ask", fail)
    assert main(["check", str(good(tmp_path))]) == 3
    assert "unknown: out of memory" in capsys.readouterr().out


def test_3_a_solver_that_was_interrupted_itself(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answer({"unmapped": Unknown("interrupted", Cause.INTERRUPTED)})
    monkeypatch.setattr("refine.cli.work.ask", lambda *_: Decision(answer, {}, {}, interrupted=True))
    assert main(["prove", str(good(tmp_path)), "--jobs", "1"]) == 3
    said = capsys.readouterr().out
    assert "VCPUS 2 ............................... unknown: not begun" in said
    assert said.endswith("interrupted\n")


@pytest.mark.parametrize(
    ("found", "expected"),
    [([], 0), ([0, 0], 0), ([0, 3], 3), ([3, 1], 1), ([1, 2, 3], 2), ([1, 2, 3, 4, 0], 4)],
)
def test_precedence(found: list[int], expected: int) -> None:
    assert worst(found) == expected


def test_one_bad_file_does_not_keep_others_from_being_checked(tmp_path: Path, capsys: Capture) -> None:
    ill(tmp_path)
    broken(tmp_path)
    good(tmp_path)
    assert main(["check", str(tmp_path), "--jobs", "1"]) == 2
    said = capsys.readouterr().out
    assert "violated in 4 steps" in said
    assert "2 specifications, 6 claims, 2 sizes" in said
