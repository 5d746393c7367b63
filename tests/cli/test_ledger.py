"""The ledger: each statement has its answers or is told to have none; what is cited is a statement; eras in a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from refine.cli import main
from tests.engine.test_judge import NETS

Capture = pytest.CaptureFixture[str]

_HEAD, _, _ = NETS.replace("protocol nets;", 'protocol locks "two locks";\nera "before";').partition(
    "claim alone"
)
LOCKS = (
    _HEAD.replace("1..3", "1..2")
    + """\
claim alone "never two": size(inside) <= 1 redundant one.held, two.held cites "S1";
variant with_one "the second is gone" cites "S2" keeps alone era "after" because one.held {
    delete guest.take_two, guest.give_two;
}
mutant free "no lock" cites "B-1", "0123456789ab" breaks alone {
    delete guest.take, guest.give, guest.take_two, guest.give_two;
}
uncovered "S3" "it is about [time]";
"""
)

LIST = """[[part]]
title = "Of locks"
source = "https://example.org/"
[part.statements]
"S1" = "there are never two"
"S2" = "one is enough"
"S3" = "it is fast"
[[part]]
title = "Bugs"
[part.statements]
"B-1" = "no lock was taken"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "locks.spte").write_text(LOCKS)
    (tmp_path / "statements.toml").write_text(LIST)
    return tmp_path


def page(folder: Path, *more: str) -> tuple[int, str]:
    out = folder / "claims.md"
    status = main(["report", str(folder), "-o", str(out), *more])
    return status, out.read_text() if out.exists() else ""


def test_each_statement_has_its_answers(folder: Path) -> None:
    status, text = page(folder)
    assert status == 0
    _, _, said = text.partition("## Of locks")
    assert "<https://example.org/>" in said
    assert (
        "**S1** there are never two\n\n- locks: [`alone`](#locks.alone) (never two): **proved (VCPUS 1..2)**"
        in said
    )
    assert "- locks: variant `with_one` (the second is gone): **keeps** [`alone`](#locks.alone)" in said
    assert "- not covered, says [locks](locks.spte): it is about \\[time\\]" in said
    assert "- locks: mutant `free` (no lock): [`alone`](#locks.alone) **breaks** in 2 steps" in said
    assert "- see [0123456789ab](https://git.kernel.org/linus/0123456789ab)" in said


def test_a_claim_is_told_with_its_reasons_and_what_breaks_it(folder: Path) -> None:
    _, text = page(folder)
    _, _, told = text.partition('<a id="locks.alone"></a>')
    assert told.startswith("`alone` (never two): proved (VCPUS 1..2)\n")
    assert "- redundant `one.held`: not needed\n" in told
    assert "- mutant `free` (no lock): caught, 2 steps\n" in told
    assert "- variant `with_one` (the second is gone): keeps it\n" in told


def test_a_reason_is_told_by_era(folder: Path) -> None:
    _, text = page(folder)
    assert "| reason | before | after |\n|---|---|---|\n" in text
    assert "| `one.held` | not needed | needed (4 steps) |" in text
    assert "| `two.held` | not needed | not there |" in text


def test_what_an_era_needs_is_held_to_what_it_says(folder: Path, capsys: Capture) -> None:
    file = folder / "locks.spte"
    file.write_text(LOCKS.replace(" because one.held {", " {"))
    assert main(["prove", str(file)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "in with_one, one.held ............... needed, and not said to be: without it alone breaks in 4 steps"
        in said
    )
    assert said.endswith("1 reason not as its era says")


def test_an_era_that_needs_what_it_does_not_have_is_an_error(folder: Path, capsys: Capture) -> None:
    file = folder / "locks.spte"
    file.write_text(LOCKS.replace("because one.held {", "because two.held {"))
    assert main(["check", str(file)]) == 2
    assert "E0206" in capsys.readouterr().err


def test_a_file_is_of_one_era(folder: Path, capsys: Capture) -> None:
    file = folder / "locks.spte"
    file.write_text(LOCKS.replace('era "before";', 'era "before"; era "long before";'))
    assert main(["check", str(file)]) == 2
    assert "'era' is declared twice" in capsys.readouterr().err


def test_a_reason_that_an_era_is_said_to_need_and_does_not(folder: Path, capsys: Capture) -> None:
    file = folder / "locks.spte"
    text = LOCKS.replace(
        "delete guest.take_two, guest.give_two;", "insert after guest.take_two { step more {} }"
    )
    file.write_text(text)
    assert main(["prove", str(file)]) == 1
    assert "though it is said to be" in " ".join(capsys.readouterr().out.split())


def test_a_statement_without_an_answer_is_not_as_declared(folder: Path, capsys: Capture) -> None:
    (folder / "statements.toml").write_text(LIST.replace('"S3"', '"S4"').replace("it is fast", "more"))
    (folder / "locks.spte").write_text(LOCKS.replace("uncovered", "//"))
    status, text = page(folder)
    assert status == 1
    assert "**S4** more\n\n- **no answer**" in text
    assert "without an answer: S4\n" in capsys.readouterr().err


def test_what_is_cited_and_is_no_statement_is_an_error(folder: Path, capsys: Capture) -> None:
    (folder / "locks.spte").write_text(LOCKS.replace('cites "S1"', 'cites "S11"'))
    assert page(folder)[0] == 2
    said = capsys.readouterr().err
    assert "E0621" in said
    assert "did you mean 'S1'?" in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[part", "is no list of statements"),
        ("[[part]]\n", "needs a title"),
        ("[[part]]\ntitle = 3\n", "something else than a text"),
        ("[[part]]\ntitle = 'x'\nbugs = 1\n", "part 1 says 'bugs'"),
        ("parts = []\n", "it says 'parts'"),
        ("part = [1]\n", "is no table"),
        (LIST + '"S1" = "twice"\n', "'S1' stands in it twice"),
    ],
)  # fmt: skip
def test_a_list_that_is_none_is_an_error(folder: Path, capsys: Capture, text: str, why: str) -> None:
    (folder / "statements.toml").write_text(text)
    assert page(folder) == (2, "")
    said = capsys.readouterr().err
    assert "E0620" in said
    assert why in said


def test_without_a_list_all_that_is_cited_is_told(folder: Path, capsys: Capture) -> None:
    (folder / "statements.toml").unlink()
    assert main(["report", str(folder / "locks.spte")]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("# The ledger\n")
    assert said.err == ""
    assert all(f"**{name}**" in said.out for name in ("S1", "S2", "S3", "B-1"))
    assert f"[locks]({folder}" in said.out or "[locks](" in said.out


def test_a_page_that_cannot_be_written_is_told_before_the_work(folder: Path, capsys: Capture) -> None:
    assert main(["report", str(folder), "-o", str(folder / "none" / "x.md")]) == 2
    said = capsys.readouterr()
    assert "E0613" in said.err
    assert said.out == ""


def test_a_broken_file_leaves_the_page_as_it_was(folder: Path) -> None:
    (folder / "claims.md").write_text("as it was")
    (folder / "locks.spte").write_text("protocol")
    assert page(folder) == (2, "as it was")
