"""The pages of `spte explain`: each bad example raises its own code and nothing else, each good one nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from refine.lang.edited import check_edited
from refine.lang.load import load
from refine.lang.lower import lower_whole
from refine.lang.sizes import sizes
from refine.text import codes
from refine.text.diag import Diagnostic, Reporter, Severity

HEADER = re.compile(r"(?:protocol|library) (\w+)")


def diagnose(text: str, folder: Path) -> tuple[Diagnostic, ...]:
    """All that is found in a specification, which is saved under the name that it gives itself."""
    named = HEADER.match(text)
    path = folder / f"{named[1] if named else 'example'}.spte"
    path.write_text(text, encoding="utf-8")
    reporter = Reporter()
    loaded = load(path, [], reporter)
    known = sizes(loaded, reporter) if loaded is not None else None
    if loaded is not None and known is not None:
        made = lower_whole(loaded, {}, reporter)
        if made is not None:
            check_edited(loaded, reporter)
    return reporter.sorted()


def pages(with_examples: bool) -> list[str]:
    return [code for code in codes.codes() if (codes.entry(code).bad is not None) == with_examples]


@pytest.mark.parametrize("code", pages(with_examples=True))
def test_the_bad_example_raises_the_code(code: str, tmp_path: Path) -> None:
    bad = codes.entry(code).bad
    assert bad is not None
    found = diagnose(bad, tmp_path)
    assert {diagnostic.code for diagnostic in found} == {code}
    assert all(diagnostic.span is not None for diagnostic in found)
    severity = Severity.WARNING if code.startswith("W") else Severity.ERROR
    assert {diagnostic.severity for diagnostic in found} == {severity}


@pytest.mark.parametrize("code", pages(with_examples=True))
def test_the_good_example_passes(code: str, tmp_path: Path) -> None:
    good = codes.entry(code).good
    assert good is not None
    assert diagnose(good, tmp_path) == ()


@pytest.mark.parametrize("code", pages(with_examples=False))
def test_a_page_without_examples_shows_what_it_looks_like(code: str) -> None:
    text = codes.page(code)
    assert "```text\n" in text
    assert "To be written" not in text
