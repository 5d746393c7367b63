"""The cache: what is told again is what would be found again, and says so; what is not whole is not believed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from refine.cli import main
from refine.cli.cache import Cache, Shelf
from refine.engine import known
from refine.engine.decide import Decision
from refine.engine.verdict import Answer, Cause, HoldsUpTo, Limits, Proved, Unknown
from tests.cli.specs import broken, good, ill

Capture = pytest.CaptureFixture[str]
Events = list[dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache is, of a user who is at no CI."""
    monkeypatch.delenv("CI")
    monkeypatch.setenv("SPTE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What was decided, and not remembered."""
    found: list[tuple[str, ...]] = []
    real = known.decide  # type: ignore[attr-defined]

    def decide(system: Any, names: tuple[str, ...], *more: Any) -> Decision:
        found.append(names)
        return real(system, names, *more)

    monkeypatch.setattr(known, "decide", decide)
    return found


def run(capsys: Capture, *words: str) -> tuple[int, Events]:
    status = main([*words, "--json", "--jobs", "1"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def plain(found: tuple[int, Events]) -> tuple[int, str]:
    """A run without what may differ: how long it took, and what was remembered."""
    text = json.dumps([event for event in found[1] if event["event"] != "note"])
    return found[0], re.sub(r'"seconds": [\d.]+|"cached": (true|false)', "", text)


def remembered(found: tuple[int, Events]) -> set[bool]:
    """Whether verdicts were remembered: all, none, or some."""
    told = [e for e in found[1] if e["event"] in ("verdict", "audit") and e.get("kind") != "observer"]
    return {event["cached"] for event in told}


def notes(found: tuple[int, Events]) -> list[str]:
    return [event["message"] for event in found[1] if event["event"] == "note"]


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/*") if path.is_file())


@pytest.mark.parametrize("verb", ["check", "prove", "audit"])
@pytest.mark.parametrize("make", [good, broken, ill])
def test_what_is_remembered_is_what_was_found(
    verb: str, make: Callable[[Path], Path], folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    file = str(make(tmp_path))
    anew, first, second = (run(capsys, verb, file, *more) for more in (["--no-cache"], [], []))
    assert plain(anew) == plain(first) == plain(second)
    if make is not ill:
        assert remembered(anew) == remembered(first) == {False}
        assert remembered(second) == {True}


def test_warnings_are_told_again(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "warned.spte"
    file.write_text(
        "protocol warned;\nshared bool a = false;\nshared bool b = false;\n"
        "thread t { loop { idle step both { a = b; } } }\nclaim fine: !a;\n"
    )
    for others in ([], [str(good(tmp_path))]):  # of several files, they are only counted
        found = []
        for _ in range(2):
            status = main(["check", str(file), *others, "--jobs", "1"])
            said = capsys.readouterr()
            found.append((status, said.err, re.findall(r".*warning.*", said.out)))
        assert found[0] == found[1]
        assert "W0401" in f"{found[0][1:]}"


def test_a_verdict_that_is_remembered_says_so(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    file, report = str(good(tmp_path)), tmp_path / "report.xml"
    main(["prove", file])
    assert "cached" not in capsys.readouterr().out
    main(["prove", file, "--junit", str(report)])
    assert re.search(r"claim unmapped \.+ proved, cached", capsys.readouterr().out)
    assert '<property name="cached" value="true" />' in report.read_text()


def test_a_comment_changes_no_answer(
    folder: Path, tmp_path: Path, capsys: Capture, asked: list[tuple[str, ...]]
) -> None:
    file = good(tmp_path)
    run(capsys, "prove", str(file))
    file.write_text(f"// a comment\n{file.read_text()}")
    asked.clear()
    again = run(capsys, "prove", str(file))
    assert remembered(again) == {True}
    assert asked == []
    assert plain(again) == plain(run(capsys, "prove", str(file), "--no-cache"))


def test_a_change_to_one_claim_asks_for_no_other(
    folder: Path, tmp_path: Path, capsys: Capture, asked: list[tuple[str, ...]]
) -> None:
    file = good(tmp_path)
    run(capsys, "check", str(file))
    file.write_text(
        file.read_text().replace("zapper at leave -> page == FREE", "zapper at leave -> page != MAPPED")
    )
    asked.clear()
    again = run(capsys, "check", str(file))
    assert asked == [("unmapped",)]
    assert {e["name"] for e in again[1] if e["event"] == "verdict" and not e["cached"]} == {"unmapped"}
    assert plain(again) == plain(run(capsys, "check", str(file), "--no-cache"))


def test_a_change_to_a_step_asks_for_all_claims(
    folder: Path, tmp_path: Path, capsys: Capture, asked: list[tuple[str, ...]]
) -> None:
    file = good(tmp_path)
    run(capsys, "check", str(file))
    names = asked.pop()
    file.write_text(file.read_text().replace("if (page == MAPPED) page = FREE;", "page = FREE;"))
    assert remembered(run(capsys, "check", str(file))) == {False}
    assert asked == [names]


def test_only_the_file_that_was_changed_is_asked_again(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    same, other = good(tmp_path, "same"), good(tmp_path, "other")
    run(capsys, "prove", str(same), str(other))
    other.write_text(broken(tmp_path, "other").read_text())
    _, events = found = run(capsys, "prove", str(same), str(other))
    of = {e["file"]: e["cached"] for e in events if e["event"] == "verdict"}
    assert of == {str(same): True, str(other): False}
    assert plain(found) == plain(run(capsys, "prove", str(same), str(other), "--no-cache"))


def test_edits_one_after_the_other_are_answered_as_if_nothing_were_remembered(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    file = good(tmp_path)
    text = file.read_text()
    edits = [
        ("", ""),
        ("idle step fault { spin_lock(mmu_lock); }", "idle step fault { }"),
        ("page == MAPPED) page = FREE", "page == MAPPED) page = MAPPED"),
        ("because mmu_lock.held", "redundant mmu_lock.held"),
        ("breaks unmapped", "breaks mmu_lock.exclusion"),
        ("zapper at leave -> page == FREE", "zapper at leave -> page == MAPPED"),
        ("reach zaps", "reach zapped"),
    ]
    assert all(old in text for old, _ in edits)
    texts = [text.replace(old, new) for old, new in edits]
    for text in (*texts, *texts[::-2]):
        file.write_text(text)
        assert plain(run(capsys, "prove", str(file))) == plain(run(capsys, "prove", str(file), "--no-cache"))


def test_a_library_that_changed_or_is_found_elsewhere_is_read(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "far").mkdir()
    library = "library small;\nfn start() -> bool = {};\n"
    (tmp_path / "far/small.spte").write_text(library.format("false"))
    file = tmp_path / "user.spte"
    file.write_text(
        "protocol user;\nimport small;\nshared bool b = start();\nrule keep when true { b = b; }\nclaim clear: !b;\n"
    )
    words = ["check", str(file), "-I", str(tmp_path / "far")]
    assert [run(capsys, *words)[0] for _ in range(2)] == [0, 0]
    assert remembered(run(capsys, *words)) == {True}
    (tmp_path / "far/small.spte").write_text(library.format("true"))
    assert run(capsys, *words)[0] == 1
    (tmp_path / "far/small.spte").write_text(library.format("false"))
    assert run(capsys, *words)[0] == 0
    (tmp_path / "small.spte").write_text(library.format("true"))  # beside the file: it comes first
    assert run(capsys, *words)[0] == 1


def test_shards_ask_each_question_whatever_is_known(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["prove", str(good(tmp_path))]
    run(capsys, *words)
    for part in ("1/2", "2/2"):
        anew, again = (run(capsys, *words, "--shard", part, *more) for more in (["--no-cache"], []))
        assert plain(anew) == plain(again)
        assert remembered(again) <= {True}


# --- what is not believed -------------------------------------------------------------------------------------------


def cut(text: str) -> str:
    return text[: len(text) // 2]


def flip(text: str) -> str:
    return text[:-10] + chr(ord(text[-10]) ^ 1) + text[-9:]


def lie(text: str) -> str:
    return text.replace("violated", "proved").replace("proved", "reached", 1)


@pytest.mark.parametrize("spoil", [cut, flip, lie, lambda _: "", lambda _: "{}"])
@pytest.mark.parametrize("make", [good, broken])
def test_a_damaged_entry_is_told_removed_and_asked_again(
    spoil: Callable[[str], str], make: Callable[[Path], Path], folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    words = ["check", str(make(tmp_path))]
    anew = run(capsys, *words)
    for path in entries(folder):
        path.write_text(spoil(path.read_text()) or "x")
    again = run(capsys, *words)
    assert plain(again) == plain(anew)
    assert remembered(again) == {False}
    assert all("not believed, and removed" in note for note in notes(again))
    assert notes(again)
    last = run(capsys, *words)
    assert remembered(last) == {True}
    assert notes(last) == []


def test_an_entry_in_the_place_of_another_is_not_believed(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    file = good(tmp_path)
    anew = run(capsys, "prove", str(file))
    paths = entries(folder)
    texts = [path.read_text() for path in paths]
    assert len(paths) > 2
    for (path, _), (_, text) in pairwise([*zip(paths, texts, strict=True), (paths[0], texts[0])]):
        path.write_text(text)
    again = run(capsys, "prove", str(file))
    assert plain(again) == plain(anew)
    assert "it answers another question" in notes(again)[0]
    assert remembered(again) == {False}


def test_a_run_that_does_not_replay_is_not_believed_whatever_its_sum(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    words = ["check", str(broken(tmp_path))]
    anew = run(capsys, *words)
    forged = 0
    for path in entries(folder):
        entry = json.loads(path.read_text().partition("\n")[2])
        question = entry["question"].partition(" ")[2]
        for verdict in entry["answer"].get("verdicts", ()):
            if verdict[1] == "violated":
                verdict[2]["events"].pop()
                forged += 1
        shelf = Shelf(folder, entry["question"].partition(" ")[0])
        Cache(shelf).keep(question, entry["answer"])
    assert forged
    again = run(capsys, *words)
    assert plain(again) == plain(anew)
    assert any("does not replay" in note for note in notes(again))
    assert {e["cached"] for e in again[1] if e["event"] == "verdict" and e["verdict"] == "violated"} == {
        False
    }


def test_another_tool_or_solver_believes_nothing(
    folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["check", str(good(tmp_path))]
    run(capsys, *words)
    monkeypatch.setattr("refine.cli.cache.made_by", lambda: "another")
    assert remembered(run(capsys, *words)) == {False}


# --- where it is, and when it is not used ---------------------------------------------------------------------------


def test_under_ci_and_without_a_cache_nothing_is_read_or_written(
    folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["check", str(good(tmp_path))]
    run(capsys, *words, "--no-cache")
    assert not folder.exists()
    run(capsys, *words)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert remembered(run(capsys, *words, "--no-cache")) == {False}
    monkeypatch.setenv("CI", "true")
    assert remembered(run(capsys, *words)) == {False}


def test_what_is_proved_anew_is_not_remembered(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    file = str(good(tmp_path))
    run(capsys, "prove", file)
    assert remembered(run(capsys, "prove", file, "--reprove")) == {False}


def test_a_folder_that_others_may_write_to_is_not_used(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    found = [run(capsys, "check", str(good(tmp_path))) for _ in range(2)]
    assert [remembered(one) for one in found] == [{False}, {False}]
    assert notes(found[0]) == [f"the cache in {folder} is not used: it can be written by others"]
    assert entries(folder) == []


def test_where_nothing_can_be_written_that_is_said_once(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder.write_text("a file")
    found = run(capsys, "prove", str(good(tmp_path)))
    assert found[0] == 0
    assert len(notes(found)) == 1
    assert "is not used" in notes(found)[0]


def test_the_cache_stays_small(folder: Path) -> None:
    cache = Cache(Shelf(folder, "me"))
    for n in range(10):
        cache.keep(f"question {n}", "x" * 1000)
    cache.trim(most=5000)
    assert 0 < sum(path.stat().st_size for path in entries(folder)) <= 5000
    kept = [cache.recall(f"question {n}") for n in range(10)]
    assert kept[-1] == "x" * 1000
    assert kept[0] is None


# --- what lasts -----------------------------------------------------------------------------------------------------


def lasts(verdict: Any, limits: Limits, mode: Any = "auto", **more: Any) -> bool:
    return known._lasts(Decision(Answer({"p": verdict}, **more), {}, {}), limits, mode)


def test_only_what_would_be_said_again_is_kept() -> None:
    late = Limits(deadline=1.0)
    assert lasts(Proved("all 3 states"), Limits())
    assert lasts(Proved("all 3 states"), late, complete=True)
    assert not lasts(Proved("IC3"), late)  # with more time, the search might have come to an end
    assert not lasts(HoldsUpTo(3), Limits())
    assert lasts(HoldsUpTo(3), Limits(steps=3))
    assert lasts(Unknown("more than 9 states", Cause.LIMIT), Limits(states=9), "explore")
    assert not lasts(Unknown("more than 9 states", Cause.LIMIT), Limits(states=9))
    for cause in (Cause.INTERRUPTED, Cause.TIMEOUT, Cause.SOLVER, Cause.UNDECIDED):
        assert not lasts(Unknown("?", cause), Limits(), "explore")
