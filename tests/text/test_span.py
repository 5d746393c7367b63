"""Places in a text."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refine.text.span import Source, Span

TEXTS = st.text(alphabet="ab\n\r\t\u00e9\u65e5", max_size=40)


@given(TEXTS)
def test_line_and_column_count_what_stands_before(text: str) -> None:
    source = Source("a.spte", text)
    line, col = 1, 1
    for offset, char in enumerate(text):
        assert source.line_col(offset) == (line, col)
        line, col = (line + 1, 1) if char == "\n" else (line, col + 1)
    assert source.line_col(len(text)) == (line, col)


@given(TEXTS)
def test_lines_are_those_between_line_feeds(text: str) -> None:
    source = Source("a.spte", text)
    for number, line in enumerate(text.split("\n"), start=1):
        assert source.line(number) == line.removesuffix("\r")
    assert source.line(0) == source.line(text.count("\n") + 2) == ""


def test_offsets_outside_the_text_are_taken_to_its_ends() -> None:
    source = Source("a.spte", "ab\ncd")
    assert source.line_col(-5) == (1, 1)
    assert source.line_col(99) == (2, 3)


def test_a_span_knows_where_it_begins_and_ends() -> None:
    span = Span(Source("a.spte", "one\ntwo three\nfour"), 8, 15)
    assert span.text == "three\nf"
    assert (span.line, span.col, span.end_line, span.end_col) == (2, 5, 3, 2)
    assert str(span) == "a.spte:2:5"


def test_join_spans_both_whatever_their_order() -> None:
    source = Source("a.spte", "step enter { }")
    left, right = Span(source, 0, 4), Span(source, 11, 12)
    assert left.join(right) == right.join(left) == Span(source, 0, 12)
    assert source.span() == Span(source, 0, 14)
    with pytest.raises(AssertionError, match="one source"):
        left.join(Span(Source("b.spte", "x"), 0, 1))


def test_sources_and_spans_are_values() -> None:
    source, twin = Source("a.spte", "x\ny"), Source("a.spte", "x\ny")
    source.line_col(2)  # what is worked out on the way is no part of the value
    assert source == twin
    assert hash(source) == hash(twin)
    assert {Span(source, 0, 1)} == {Span(twin, 0, 1)}
    assert Span(source, 0, 1) != Span(Source("a.spte", "x\nz"), 0, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        source.name = "b"  # type: ignore[misc]
