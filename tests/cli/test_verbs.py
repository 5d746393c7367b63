"""The verbs in one process: what they print, and what they leave on disk."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from refine import resources
from refine.cli import main
from refine.cli.files import targets
from refine.text import codes
from refine.text.diag import Reporter
from tests.cli.specs import broken, good

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


# --- check and prove ------------------------------------------------------------------------------------------------


def test_prove_asks_for_every_size(here: Path, capsys: Capture) -> None:
    good(here)
    assert main(["prove", "toy.spte", "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert [line.split(" ...")[0] for line in said.splitlines()[1:4]] == [
        "  VCPUS 1",
        "  VCPUS 2",
        "  VCPUS 3",
    ]
    assert "claim unmapped ...................... proved (VCPUS 1..3)\n" in said
    assert "free claims (3) ..................... all proved (VCPUS 1..3)\n" in said


def test_a_size_that_is_given_is_the_only_one(here: Path, capsys: Capture) -> None:
    good(here)
    assert main(["prove", "toy.spte", "--size", "VCPUS=3", "--jobs", "1"]) == 0
    assert "proved (VCPUS 3)" in capsys.readouterr().out
    assert main(["check", "toy.spte", "--size", "VCPUS=1"]) == 0
    assert "proved (VCPUS 1)" in capsys.readouterr().out


def test_one_claim(here: Path, capsys: Capture) -> None:
    broken(here)
    assert main(["check", "broken.spte", "--claim", "mmu_lock.mutual_exclusion"]) == 0
    said = capsys.readouterr().out
    assert "unmapped" not in said
    assert "1 claim, 1 size" in said


def test_no_symmetry_gives_the_same_verdicts_over_more_states(here: Path, capsys: Capture) -> None:
    good(here)
    assert main(["check", "toy.spte"]) == 0
    reduced = capsys.readouterr().out
    assert main(["check", "toy.spte", "--no-symmetry"]) == 0
    whole = capsys.readouterr().out
    assert "up to symmetry (vcpu)" in reduced
    assert "symmetry" not in whole


def test_how_a_reach_is_reached_is_shown_on_request(here: Path, capsys: Capture) -> None:
    good(here)
    assert main(["check", "toy.spte"]) == 0
    assert "reach zaps is reached" not in capsys.readouterr().out
    assert main(["check", "toy.spte", "--runs"]) == 0
    assert "reach zaps is reached in 3 steps" in capsys.readouterr().out


def test_json_says_what_the_text_says(here: Path, capsys: Capture) -> None:
    broken(here)
    assert main(["prove", "broken.spte", "--jobs", "1"]) == 1
    text = capsys.readouterr().out
    assert main(["prove", "broken.spte", "--jobs", "1", "--json"]) == 1
    told = events(capsys.readouterr().out)
    assert [e["event"] for e in told[:2]] == ["start", "file"]
    assert told[0]["schema"] == "spte-events/1"
    assert told[-1]["event"] == "summary"
    assert told[-1]["status"] == 1
    sizes = [e for e in told if e["event"] == "size"]
    assert [e["sizes"] for e in sizes] == [{"VCPUS": n} for n in (1, 2, 3)]
    for size in sizes:
        assert f" {size['states']} states" in text
    verdicts = {e["name"]: e for e in told if e["event"] == "verdict"}
    for name, verdict in verdicts.items():
        if verdict["role"] != "free":
            line = re.search(rf"{verdict['role']} {re.escape(str(name))} \.+ (.*)", text)
            assert line is not None
            assert line[1].startswith(str(verdict["verdict"]))
    trace = verdicts["unmapped"]["trace"]
    assert isinstance(trace, dict)
    assert trace["schema"] == "spte-trace/1"
    assert [s["name"] for s in trace["steps"]] == ["fault", "enter", "zap", "fix"]
    for step in trace["steps"]:
        for change in step["changes"]:
            assert f"{change['place']}: {change['old']} -> {change['new']}" in text


def test_json_holds_diagnostics_and_nothing_is_on_standard_error(here: Path, capsys: Capture) -> None:
    (here / "x.spte").write_text("protocol x;\nshared bool x = 3;\n")
    assert main(["check", "x.spte", "gone.spte", "--json", "--jobs", "1"]) == 2
    said = capsys.readouterr()
    assert said.err == ""
    found = [e for e in events(said.out) if e["event"] == "diagnostic"]
    assert [(e["file"], e["line"]) for e in found] == [(None, None), ("x.spte", 2)]


def test_output_is_the_same_every_time(here: Path, capsys: Capture) -> None:
    broken(here)
    runs = []
    for _ in range(2):
        main(["check", "broken.spte"])
        runs.append(re.sub(r"\d+\.\d s", "", capsys.readouterr().out))
    assert runs[0] == runs[1]


def test_a_library_has_nothing_to_decide(here: Path, capsys: Capture) -> None:
    assert main(["check", "spec/lib/lock.spte"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("spec/lib/lock.spte: a library, checked in its clients\n")
    assert "1 library" in said.out
    assert said.err == "spec/lib/lock.spte: not here, but shipped with spte\n"


# --- files ----------------------------------------------------------------------------------------------------------


def names(*arguments: str) -> list[str]:
    reporter = Reporter()
    return [t.name for t in targets(arguments, reporter)] + [d.code for d in reporter.diagnostics]


def test_a_folder_is_all_below_it_sorted_and_each_once(here: Path) -> None:
    for name in ("b.spte", "a/z.spte", "a/b/y.spte", ".git/hidden.spte", "c.txt"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("")
    (here / "loop").symlink_to(here)
    assert names(".") == ["./b.spte", "./a/z.spte", "./a/b/y.spte"]
    assert names("a/", "a/z.spte", "./a") == ["a/z.spte", "a/b/y.spte"]


def test_what_is_shipped_is_found_by_name_from_anywhere(here: Path) -> None:
    assert names("lib/lock.spte") == ["lib/lock.spte"]
    assert names("spec/lib/lock.spte") == ["spec/lib/lock.spte"]
    assert "spec/lib/lock.spte" in names("spec")
    (here / "lib").mkdir()
    (here / "lib" / "lock.spte").write_text("")
    [mine] = targets(["lib/lock.spte"], Reporter())
    assert not mine.shipped


@pytest.mark.parametrize(
    "name", ["../pyproject.toml", "spec/../../pyproject.toml", "/etc/passwd/x", "a\0b", ""]
)
def test_what_is_not_shipped_is_not(here: Path, name: str) -> None:
    found = targets([name], Reporter())
    root = resources.root("spec").resolve()
    assert all(t.path.resolve().is_relative_to(root) or t.path.resolve().is_relative_to(here) for t in found)


def test_a_name_that_is_nearly_right(here: Path, capsys: Capture) -> None:
    good(here)
    assert main(["check", "toi.spte"]) == 2
    assert "did you mean toy.spte?" in capsys.readouterr().err
    assert main(["check", "lock.spte"]) == 2
    assert "did you mean spec/lib/" in capsys.readouterr().err


def test_hostile_names_are_escaped(here: Path, capsys: Capture) -> None:
    hostile = here / "a\x1b[2J\u202e\nb.spte"
    hostile.write_text(broken(here).read_text())
    for words in (["check"], ["check", "--json"], ["fmt", "--check"], ["show"]):
        main([words[0], str(hostile), *words[1:]])
        main([words[0], str(hostile) + "\x07", *words[1:]])
        said = capsys.readouterr()
        assert (said.out + said.err).replace("\n", "").isprintable()


# --- show, explain, new, fmt ----------------------------------------------------------------------------------------


def test_show_prints_the_rules(here: Path, capsys: Capture) -> None:
    good(here)
    assert main(["show", "toy.spte", "--size", "VCPUS=3"]) == 0
    said = capsys.readouterr().out
    assert "index vcpu[3]\n" in said
    assert "rule guest[v in vcpu].fault  [fault -> fix]\n  when mmu_lock.owner == none\n" in said


def test_explain(capsys: Capture) -> None:
    assert main(["explain", "e0601"]) == 0
    assert capsys.readouterr().out == codes.page("E0601")
    assert main(["explain"]) == 0
    assert capsys.readouterr().out.count("\n") == len(codes.codes())
    assert main(["explain", "E0600"]) == 2
    said = capsys.readouterr().err
    assert "there is no code 'E0600'" in said
    assert "did you mean E06" in said
    assert main(["explain", "../../x\x1b"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_new_writes_what_checks(here: Path, capsys: Capture) -> None:
    assert main(["new", "deep/my_lock"]) == 0
    assert (here / "deep/my_lock.spte").is_file()
    assert main(["prove", "deep/my_lock.spte", "--jobs", "1"]) == 0
    assert main(["fmt", "--check", "deep/my_lock.spte"]) == 0
    capsys.readouterr()


def test_new_overwrites_nothing(here: Path, capsys: Capture) -> None:
    (here / "toy.spte").write_text("mine")
    assert main(["new", "toy"]) == 2
    assert "error[E0615]" in capsys.readouterr().err
    assert (here / "toy.spte").read_text() == "mine"


@pytest.mark.parametrize("name", ["a b", "9", "", ".spte", "x/", "a\nb", "zap-one", "..", "é"])
def test_new_refuses_what_cannot_name_a_protocol(here: Path, capsys: Capture, name: str) -> None:
    assert main(["new", name]) == 2
    assert "error[E0614]" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_fmt(here: Path, capsys: Capture) -> None:
    file = good(here)
    text = file.read_text()
    file.write_text(text.replace("    step zap {", "  step   zap   {"))
    file.chmod(0o640)
    (here / "link.spte").symlink_to(file)
    assert main(["fmt", "--check", "toy.spte"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"toy\.spte:\d+: would be laid out anew\n  -   step   zap   \{", said)
    assert main(["fmt", "link.spte"]) == 0
    assert file.read_text() == text
    assert (here / "link.spte").is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in here.iterdir()) == ["link.spte", "toy.spte"]
    capsys.readouterr()
    assert main(["fmt", "."]) == 0
    assert capsys.readouterr().out == ""


def test_fmt_leaves_alone_what_it_cannot_read(here: Path, capsys: Capture) -> None:
    (here / "bad.spte").write_text("protocol bad\n")
    (here / "bytes.spte").write_bytes(b"\xff\xfe")
    assert main(["fmt", "."]) == 2
    said = capsys.readouterr().err
    assert "bad.spte:" in said
    assert "error[E0601]: cannot read './bytes.spte'" in said
    assert (here / "bad.spte").read_text() == "protocol bad\n"


def test_fmt_does_not_touch_what_is_shipped(here: Path, capsys: Capture) -> None:
    assert main(["fmt", "spec/lib/lock.spte"]) == 2
    assert "error[E0601]" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_what_cannot_be_written_is_said(here: Path, capsys: Capture) -> None:
    (here / "fixed").mkdir(mode=0o500)
    assert main(["new", "fixed/toy"]) == 2
    assert "error[E0613]" in capsys.readouterr().err


def test_the_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"spte \d+\.\d+\S*\n", capsys.readouterr().out)
