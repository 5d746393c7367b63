"""What a user is told."""

from __future__ import annotations

import json
import re
import unicodedata
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refine.text.diag import (
    Diagnostic,
    Failed,
    Note,
    Reporter,
    Severity,
    escape,
    render,
    suggest,
    to_json,
)
from refine.text.span import Source, Span

SOURCE = Source("zap.spte", "thread zapper {\n\tstep clear { spet = NONE; }\n}\n")
HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\x00\x1b\r\n\t\x7f\x9b\u202e\u2066\u200b\u2028\ufeff\ud800\U000e0041\u65e5\u0301\xa0"
        ),
    ),
    max_size=300,
)


def place(text: str, source: Source = SOURCE) -> Span:
    start = source.text.index(text)
    return Span(source, start, start + len(text))


def diagnostic(
    span: Span | None, message: str = "something", help: str | None = None, notes: tuple[Note, ...] = ()
) -> Diagnostic:
    return Diagnostic("E0101", message, span, help, notes)


def shown(text: str) -> str:
    return dedent(text).strip("\n")


def test_the_whole_of_a_diagnostic() -> None:
    told = Diagnostic(
        "E0101",
        "unknown name 'spet'",
        place("spet"),
        help="did you mean 'spte'?",
        notes=(Note("in this thread", place("zapper")), Note("names are case-sensitive")),
    )
    assert render(told) == shown(
        """
        zap.spte:2:15: error[E0101]: unknown name 'spet'
            2 |         step clear { spet = NONE; }
              |                      ^~~~
              = note: names are case-sensitive
              = help: did you mean 'spte'?
        zap.spte:1:8: note: in this thread
            1 | thread zapper {
              |        ^~~~~~
        """
    )


def test_without_a_place_there_is_no_excerpt() -> None:
    told = Diagnostic("W0001", "nothing to check", None, severity=Severity.WARNING)
    assert render(told) == "warning[W0001]: nothing to check"


def test_a_span_of_several_lines_is_marked_up_to_the_end_of_the_first() -> None:
    assert render(diagnostic(SOURCE.span())).splitlines()[1:] == [
        "    1 | thread zapper {",
        "      | ^~~~~~~~~~~~~~~",
    ]


def test_the_end_of_the_text_can_be_marked() -> None:
    assert render(diagnostic(SOURCE.span(len(SOURCE.text)))) == shown(
        """
        zap.spte:4:1: error[E0101]: something
            4 |
              | ^
        """
    )


def test_marks_stand_below_wide_and_escaped_characters() -> None:
    source = Source("a.spte", "\u65e5\u672c e\u0301 \x1b[31m here")
    assert render(diagnostic(place("here", source))).splitlines()[1:] == [
        "    1 | \u65e5\u672c e\u0301 \\x1b[31m here",
        "      |                 ^~~~",
    ]


@pytest.mark.parametrize("before", [0, 20, 34, 50, 1000, 100_000])
@pytest.mark.parametrize("after", [0, 20, 60, 1000, 100_000])
def test_a_long_line_is_clipped_around_the_place(before: int, after: int) -> None:
    source = Source("a.spte", "x" * before + "here" + "y" * after)
    _, line, marks = render(diagnostic(place("here", source))).splitlines()
    assert len(line) <= len(marks.partition("|")[0]) + 2 + 100
    assert line[marks.index("^") :].startswith("here")
    assert marks.endswith("^~~~")
    assert line.startswith("    1 | ...") == ("x" * before not in line)
    assert line.endswith("...") == ("y" * after not in line)
    if before + after < 90:
        assert "..." not in line


@given(HOSTILE, HOSTILE, st.integers(0, 300), st.integers(0, 300))
def test_nothing_hostile_is_shown(message: str, text: str, start: int, length: int) -> None:
    source = Source("a\x1b.spte\n", text)
    start = min(start, len(text))
    span = Span(source, start, min(start + length, len(text)))
    told = diagnostic(span, message, help=message, notes=(Note(text), Note(message, span)))
    output = render(told)
    assert all(char == "\n" or char.isprintable() for char in output)
    heads = [line for line in output.split("\n") if not line.startswith("    ")]
    assert len([line for line in heads if not re.match(r" *\d+ \| ", line + " ")]) == 2
    output.encode("utf-8")
    json.dumps(to_json(told)).encode("ascii")


@given(HOSTILE)
def test_an_excerpt_stays_narrow(text: str) -> None:
    source = Source("a.spte", text)
    for offset in range(0, len(text) + 1, 7):
        for line in render(diagnostic(Span(source, offset, len(text)))).splitlines()[1:]:
            cells = sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in line)
            assert cells <= 8 + 100 + 1


def test_colour_changes_nothing_but_colour() -> None:
    told = diagnostic(place("spet"), help="h", notes=(Note("n", place("zapper")), Note("m")))
    painted = render(told, colour=True)
    assert "\x1b[1;31merror[E0101]\x1b[0m" in painted
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == render(told)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("plain text, \u00e9 and \u65e5", "plain text, \u00e9 and \u65e5"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\r\n\tb", r"a\r\n\tb"),
        ("\u202egnp\u2066", r"\u202egnp\u2066"),
        ("\ud800\udcff", r"\ud800\udcff"),
        ("\U000e0041", r"\U000e0041"),
        ("no\xa0break\x9b\x7f", r"no\xa0break\x9b\x7f"),
    ],
)
def test_escape(text: str, visible: str) -> None:
    assert escape(text) == visible


def test_json_places_count_from_one() -> None:
    told = diagnostic(place("spet"), "bad \x1b", help="try\nthis", notes=(Note("n"),))
    assert to_json(told) == {
        "code": "E0101",
        "severity": "error",
        "message": "bad \\x1b",
        "file": "zap.spte",
        "line": 2,
        "col": 15,
        "end_line": 2,
        "end_col": 19,
        "help": "try\nthis",
        "notes": [
            {"message": "n", "file": None, "line": None, "col": None, "end_line": None, "end_col": None}
        ],
    }


def test_a_reporter_sorts_by_place_and_says_nothing_twice() -> None:
    reporter = Reporter()
    reporter.error("E0101", "late", place("spet"))
    reporter.error("E0101", "early", place("zapper"), "help", Note("a note"))
    reporter.error("E0101", "late", place("spet"))
    reporter.error("E0601", "nowhere", None)
    found = reporter.sorted()
    assert [told.message for told in found] == ["nowhere", "early", "late"]
    assert found[1] == Diagnostic("E0101", "early", place("zapper"), "help", (Note("a note"),))


def test_only_errors_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refine.text.codes.is_registered", lambda _code: True)
    warned, reporter = Reporter(), Reporter()
    warned.warning("W0001", "odd", place("spet"))
    assert not warned.has_errors
    warned.raise_errors()
    reporter.add(warned.diagnostics[0])
    reporter.error("E0101", "wrong", place("zapper"))
    assert reporter.has_errors
    with pytest.raises(Failed, match="wrong") as failed:
        reporter.raise_errors()
    assert [told.message for told in failed.value.diagnostics] == ["wrong", "odd"]


@pytest.mark.parametrize("code", ["E9999", "E01", "", "../codes", "E0101.md"])
def test_a_code_without_a_page_is_refused(code: str) -> None:
    with pytest.raises(AssertionError, match="has no page"):
        Reporter().error(code, "message", None)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("need_flsh", "need_flush"),
        ("needflush", "need_flush"),
        ("zaper", "zapper"),
        ("SPTE", "spte"),
        ("spet", "spte"),
        ("mmulock", "mmu_lock"),
        ("guest", None),
        ("x", None),
        ("", None),
        ("spte", None),
        ("z" * 100_000, None),
    ],
)
def test_suggest(name: str, meant: str | None) -> None:
    known = ["zapper", "need_flush", "spte", "mmu_lock", "y", "zappers", "w" * 100_000]
    assert suggest(name, known) == meant
    assert suggest(name, reversed(known)) == meant
