"""What a run leaves for machines: JUnit XML, annotations, and events as soon as something is known."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from refine.cli import main
from refine.cli.args import parser
from refine.cli.check import Run
from refine.report import github, junit
from refine.report.result import FileResult
from tests.cli.specs import broken, good, ill
from tests.engine.test_judge import NETS
from tests.tools.session import masked

Capture = pytest.CaptureFixture[str]


def cases(path: Path) -> dict[str, ET.Element]:
    return {case.get("name", ""): case for case in ET.parse(path).getroot().iter("testcase")}


def test_each_item_is_a_test_case(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert main(["prove", str(good(tmp_path)), "--junit", str(report)]) == 0
    found = cases(report)
    assert {"claim unmapped", "reach zaps", "free claim stuck", "because mmu_lock.held (unmapped)"} <= set(
        found
    )
    assert "mutant no_lock (unmapped)" in found
    assert all(len(case) == 0 for case in found.values())
    top = ET.parse(report).getroot()
    assert (top.get("tests"), top.get("failures"), top.get("errors")) == (str(len(found)), "0", "0")


def test_a_counterexample_is_the_text_of_its_failure(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert main(["prove", str(broken(tmp_path)), "--junit", str(report)]) == 1
    [failure] = cases(report)["claim unmapped"]
    assert failure.tag == "failure"
    assert "violated in 4 steps" in (failure.get("message") or "")
    assert "to see it again:" in (failure.text or "")


def test_a_mutant_that_survives_fails_and_what_is_not_known_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("refine.engine.live.MOST", 1)
    file = good(tmp_path)
    file.write_text(
        file.read_text()
        + "mutant tame breaks defined { drop zapper.enter; }\nclaim ends: eventually page == FREE;\n"
    )
    report = tmp_path / "report.xml"
    assert main(["prove", str(file), "--jobs", "1", "--engine", "explore", "--junit", str(report)]) == 1
    found = cases(report)
    assert found["mutant tame (defined)"][0].tag == "failure"
    assert found["claim ends"][0].tag == "error"


def test_the_times_of_cases_add_up_to_that_of_the_work(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert main(["prove", str(good(tmp_path)), "--jobs", "1", "--junit", str(report)]) == 0
    top = ET.parse(report).getroot()
    [suite] = top
    times = [float(case.get("time", "")) for case in suite]
    assert sum(time > 0 for time in times) > 5
    assert float(suite.get("time", "")) == pytest.approx(sum(times), abs=0.01)
    assert float(suite.get("time", "")) <= float(top.get("time", "")) + 0.01


def test_what_a_check_of_some_steps_leaves_open_fails_no_case(tmp_path: Path, capsys: Capture) -> None:
    report = tmp_path / "report.xml"
    words = [
        "check",
        str(good(tmp_path)),
        "--claim",
        "unmapped",
        "--steps",
        "2",
        "--github",
        "--junit",
        str(report),
    ]
    assert main(words) == 0
    found = cases(report)["claim unmapped"]
    assert [(part.tag, part.text) for part in found] == [("system-out", "holds up to 2 steps (VCPUS 2)")]
    top = ET.parse(report).getroot()
    assert (top.get("failures"), top.get("errors")) == ("0", "0")
    assert "::error" not in capsys.readouterr().out


def test_a_report_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = tmp_path / "report.xml"
    report.write_text("from before")

    def crash(*_: object) -> None:
        assert report.read_text() == "from before"
        raise RuntimeError

    monkeypatch.setattr("refine.cli.check.Run._run_files", crash)
    file = good(tmp_path)
    with pytest.raises(RuntimeError):
        Run(parser().parse_args(["prove", str(file), "--junit", str(report)]), every=True).run()
    assert report.read_text() == "from before"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([file.name, "report.xml"])


def test_a_report_may_go_to_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.extend(pipe.read_text() for _ in range(2)))
    reader.start()
    assert main(["check", str(good(tmp_path)), "--junit", str(pipe)]) == 0
    reader.join(30)
    assert "<testsuites" in "".join(got)


def test_files_that_were_not_begun_are_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(jobs: list[object], *_: object) -> list[None]:
        return [None for _ in jobs]

    monkeypatch.setattr("refine.cli.check.run_jobs", interrupted)
    report = tmp_path / "report.xml"
    assert main(["prove", str(good(tmp_path)), str(broken(tmp_path)), "--junit", str(report)]) == 3
    found = list(ET.parse(report).getroot().iter("testcase"))
    assert {Path(case.get("classname", "")).name for case in found} == {"toy.spte", "broken.spte"}
    assert all("not begun" in (case[0].get("message") or "") for case in found)


def test_a_file_with_errors_is_in_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert main(["prove", str(ill(tmp_path)), "--junit", str(report)]) == 2
    assert all(case[0].tag == "error" for case in cases(report).values())
    assert "E0201:2" in cases(report)


def test_hostile_text_leaves_a_report_well_formed(tmp_path: Path) -> None:
    file = good(tmp_path)
    file.write_text(file.read_text() + 'uncovered "S1.1" "]]> & <b>";\n')
    report = tmp_path / "report.xml"
    assert main(["prove", str(file), "--junit", str(report)]) == 0
    [case] = [case for name, case in cases(report).items() if name.startswith("uncovered")]
    assert case[0].get("message") == r"]]> & <b>"


def test_a_report_that_cannot_be_written_is_said_before_the_work(tmp_path: Path, capsys: Capture) -> None:
    assert main(["prove", str(good(tmp_path)), "--junit", str(tmp_path / "no" / "x.xml")]) == 2
    said = capsys.readouterr()
    assert "error[E0613]: cannot write" in said.err
    assert said.out == ""


@pytest.mark.parametrize("how", ["option", "environment"])
def test_annotations_say_where_and_what(
    how: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    if how == "environment":
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    words = ["prove", str(broken(tmp_path)), str(ill(tmp_path)), *(["--github"] if how == "option" else [])]
    assert main(words) == 2
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]
    [claim] = [line for line in lines if "title=claim unmapped::" in line]
    assert f"::error file={tmp_path}/broken.spte,line=" in claim
    assert "violated in 4 steps" in claim
    assert "%0A" in claim  # the run, in one line
    [name] = [line for line in lines if "title=E0201::" in line]
    assert "ill.spte,line=2" in name


def test_annotations_of_mutants_and_reasons_say_where_they_are(tmp_path: Path, capsys: Capture) -> None:
    file = good(tmp_path)
    text = file.read_text().replace("because mmu_lock.held", "redundant mmu_lock.held")
    file.write_text(text + "mutant tame breaks defined { drop zapper.enter; }\n")
    assert main(["prove", str(file), "--github"]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::error")]
    written = file.read_text().splitlines()
    for title, where in (("redundant mmu_lock.held", "redundant"), ("mutant tame", "mutant tame")):
        [line] = [line for line in lines if f"title={title}::" in line]
        number = int(line.partition("line=")[2].partition(",")[0])
        assert where in written[number - 1]


def test_a_specification_gives_no_commands_to_a_workflow(tmp_path: Path, capsys: Capture) -> None:
    file = good(tmp_path)
    evil = f"{'x' * 60} ::add-mask::all ::stop-commands::stop ##[add-mask]all"
    file.write_text(file.read_text() + f'uncovered "S1" "{evil}";\nclaim no "{evil}": false;\n')
    assert main(["prove", str(file), "--github"]) == 1
    lines = capsys.readouterr().out.splitlines()
    command, _, token = lines[0].rpartition("::")
    assert command == "::stop-commands"
    assert len(token) == 32
    assert any("::add-mask::" in line for line in lines)
    listening = False
    for line in lines[1:]:
        listening |= line == f"::{token}::"
        if listening and line.lstrip().startswith("::"):
            assert line == f"::{token}::" or line.startswith(("::error ", "::warning "))
    assert listening
    assert not any(token in line for line in lines[1:] if line != f"::{token}::")


def test_a_reason_is_told_once_it_is_final(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "nets.spte"
    file.write_text(NETS)
    assert main(["prove", str(file), "--json", "--jobs", "1"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [(e["name"], e["verdict"]) for e in events if e["event"] == "audit" and e["kind"] == "because"]
    assert told == [("one.held", "jointly needed"), ("two.held", "jointly needed")]


def test_several_files_end_with_a_table(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    good(tmp_path)
    broken(tmp_path)
    assert main(["prove", "toy.spte", "broken.spte"]) == 1
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("claims  reasons  edits      time")
    table = [masked(line) for line in lines[start + 1 : start + 3]]
    assert table == [
        "     3        1      1TIME  toy.spte",
        "     3        0      0TIME  broken.spte, 1 violated",
    ]


def test_events_come_as_soon_as_something_is_judged_and_once(tmp_path: Path, capsys: Capture) -> None:
    assert main(["prove", str(good(tmp_path)), "--json", "--jobs", "1"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds.index("audit") < kinds.index("verdict")  # verdicts speak of all sizes: they come at the end
    told = [(e["kind"], e["name"], e["claim"]) for e in events if e["event"] == "audit"]
    assert len(told) == len(set(told)) > 2


def test_a_file_without_any_result_is_no_empty_suite() -> None:
    ended = FileResult("a.spte", "a", "", (), (((("N", 1),), "out of time, and had to be ended"),))
    case = ET.fromstring(junit.document([ended], [], 1.0)).find(".//testcase")
    assert case is not None
    assert case.get("name") == "claims (N 1)"
    assert case.find("error") is not None
    assert list(github.of_results([ended])) == [
        "::error file=a.spte,title=claims (N 1)::unknown: out of time, and had to be ended"
    ]
