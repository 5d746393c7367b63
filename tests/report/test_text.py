"""Tables of verdicts: aligned, never more than was established, always with the sizes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from refine.engine.decide import Decision, Outcome
from refine.engine.verdict import Answer, Cause, HoldsUpTo, Proved, Tick, Unknown, Vacuous, Verdict, Violated
from refine.report import text
from refine.report.audit import Row
from refine.report.cells import leaders, width
from refine.report.result import FileResult, Finding, Origin, SizeResult, size_result, summed
from tests.report.golden import check
from tests.report.systems import stale_use, zap


def result(vcpus: int, **verdicts: Verdict) -> SizeResult:
    system = zap(vcpus)
    known: dict[str, Verdict] = {
        "no_stale_use": Proved("all 9 states"),
        "unmapped": Proved("all 9 states"),
        "freed": Vacuous("no reachable state satisfies it"),
        "ends": Unknown("no engine yet for liveness", Cause.NO_ENGINE),
        "defined": Proved("all 9 states"),
        "satisfiable": Proved("all 9 states"),
        "stuck": Proved("all 9 states"),
        **verdicts,
    }
    answer = Answer(known, states=9 * vcpus, complete=True, symmetry=("vcpu",) if vcpus > 1 else ())
    return size_result(
        system, Decision(answer, dict.fromkeys(known, "explore"), {}), ("spte", "check", "zap.spte")
    )


def file(*results: SizeResult) -> FileResult:
    audited = (
        Row("because", "acked", "needed", 0, "no_stale_use", steps=4),
        Row("because", "recheck", "not needed", 1, "no_stale_use"),
        Row("mutant", "free_first", "caught", 0, "no_stale_use", steps=1),
        Row("mutant", "yield_forgets", "survives", 1, "no_stale_use"),
    )
    return FileResult(
        "spec/zap.spte",
        "zap",
        "zap one SPTE",
        results,
        (),
        audited,
        Origin(uncovered=(("S1.6", "an equivalence"),)),
    )


def table(found: FileResult) -> str:
    sizes = "".join(map(text.size_line, found.results))
    return text.header(found.path, found.doc) + sizes + text.claims(found) + text.traces(found)


def test_all_is_well() -> None:
    check("table_proved.txt", table(file(*(result(n) for n in (1, 2, 3)))))


def test_a_violation_at_some_size() -> None:
    broken = Violated(stale_use(zap(2)))
    check("table_violated.txt", table(file(result(1), result(2, no_stale_use=broken), result(3))))


def test_what_was_not_established_is_not_said() -> None:
    unknown = Unknown("more than 5 states", Cause.LIMIT)
    found = file(
        result(1, no_stale_use=HoldsUpTo(20), defined=unknown),
        result(2, no_stale_use=HoldsUpTo(12)),
        result(3, unmapped=Unknown("out of time", Cause.TIMEOUT)),
    )
    check("table_open.txt", table(found))
    assert "up to 20 steps" not in table(found)


def test_a_size_without_a_result_is_unknown() -> None:
    whole = file(result(1), result(2))
    found = replace(whole, missing=(((("VCPUS", 3),), "interrupted"),))
    said = " ".join(text.claims(found).split())
    assert "claim no_stale_use .................. unknown (VCPUS 3): interrupted; proved (VCPUS 1..2)" in said
    assert "free claims (3) ..................... all unknown (VCPUS 3): interrupted; proved" in said
    [row] = [row for row in summed(found) if row.finding.name == "no_stale_use"]
    assert row.overall.outcome.word == "unknown"


SIZES = [(("A", 2), ("B", 1)), (("A", 2), ("B", 2)), (("A", 1), ("B", 2)), (("A", 3), ("B", 3))]


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (SIZES[:1], "A 2, B 1"),
        (SIZES[:2], "A 2, B 1..2"),
        (SIZES[:3], "3 of 4 sizes, as A 2, B 1"),
        (SIZES, "all 4 sizes"),
        ([()], ""),
        ([(("A", 1),), (("A", 3),)], "A 1, 3"),
    ],
)
def test_sizes_in_words(sizes: list[tuple[tuple[str, int], ...]], said: str) -> None:
    assert text.where(sizes, SIZES) == said


def test_the_summary_counts_what_is_not_as_declared() -> None:
    fine, bad = file(result(1)), file(result(2, no_stale_use=Violated(stale_use(zap(2)))))
    said = text.summary(text.totals([fine, bad], libraries=2, skipped=1), 1.25)
    assert said == (
        "2 specifications, 8 claims, 2 sizes, 4 reasons, 4 mutants, 2 libraries, 1.2 s:\n"
        "1 violated, 2 vacuous, 2 unknown, 2 reasons not needed, 2 mutants survive, 1\n"
        "file not checked\n"
    )
    proved = FileResult(
        "a.spte", "a", "", (SizeResult((), (Finding("c", "claim", "", "", Outcome("proved")),)),)
    )
    assert text.summary(text.totals([proved]), 0.04).endswith("1 claim, 1 size, 0.0 s: all as declared\n")


def test_hostile_text_is_escaped() -> None:
    finding = Finding("x\x1b[1m", "claim", "", "", Outcome("unknown", why="be\u202ecause\nspte: fine"))
    found = FileResult("a\rb.spte", "a", "d\x07oc", (SizeResult((("N\x1b", 1),), (finding,)),))
    said = table(found) + text.tick("\x1b.spte", (("\x1b", 1),), Tick("explore", 1, 2, 3))
    assert said.replace("\n", "").isprintable()
    assert "\nspte: fine" not in said


@pytest.mark.parametrize("label", ["x", "claim " + "y" * 33, "claim " + "y" * 60, "z" * 120])
@pytest.mark.parametrize("value", ["proved", "unknown: " + "because " * 20])
def test_leaders_fit(label: str, value: str) -> None:
    lines = leaders(label, value, 42, 79, "    ")
    assert all(width(line) <= 79 for line in lines)
    assert "".join("".join(lines).replace(".", "").split()).startswith("".join(label.split()))
