"""What a run leaves for machines: JUnit XML, annotations, and events as soon as something is known."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from refine.cli import main
from refine.report import github, junit
from refine.report.result import FileResult
from tests.cli.specs import broken, good, ill

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


def test_a_mutant_that_survives_fails_and_what_is_not_known_is_an_error(tmp_path: Path) -> None:
    file = good(tmp_path)
    file.write_text(
        file.read_text()
        + "mutant tame breaks defined { drop zapper.enter; }\nclaim ends: eventually page == FREE;\n"
    )
    report = tmp_path / "report.xml"
    assert main(["prove", str(file), "--junit", str(report)]) == 1
    found = cases(report)
    assert found["mutant tame (defined)"][0].tag == "failure"
    assert found["claim ends"][0].tag == "error"


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
