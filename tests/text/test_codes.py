"""Every code in use has a page, every page is in use, and every page is made the same way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from refine.text import codes

CODE = re.compile(r'"([EW]\d{4})"')
FENCE = re.compile(r"^```(.*)$", re.MULTILINE)
FAMILIES = re.compile(r"E0[1-69]\d\d|W0\d\d\d")


def used(checkout: Path) -> set[str]:
    files = (checkout / "refine").rglob("*.py")
    return {code for file in files for code in CODE.findall(file.read_text(encoding="utf-8"))}


def test_every_code_in_use_has_a_page(checkout: Path) -> None:
    assert used(checkout) - set(codes.codes()) == set()


def test_every_page_is_of_a_code_in_use(checkout: Path) -> None:
    assert set(codes.codes()) - used(checkout) == set()


def test_there_is_nothing_else_among_the_pages() -> None:
    assert sorted(path.name for path in codes.PAGES.iterdir()) == [f"{code}.md" for code in codes.codes()]


@pytest.mark.parametrize("code", codes.codes())
def test_a_page_has_a_title_a_reason_and_examples(code: str) -> None:
    assert FAMILIES.fullmatch(code)
    entry = codes.entry(code)
    title, blank, *rest = entry.text.split("\n")
    assert title == f"# {code}: {entry.title}" == f"# {code}: {codes.codes()[code]}"
    assert not entry.title.endswith(".")
    assert blank == ""
    assert re.match(r"[^#`]", rest[0]), "the reason comes before any example"
    assert re.search(r"\S\n\Z", entry.text), "one line feed ends the page"
    assert max(map(len, entry.text.split("\n"))) <= 120

    fences = FENCE.findall(entry.text)
    assert fences[1::2] == [""] * (len(fences) // 2)
    if entry.bad is None:
        assert fences[::2] == ["text"]
        assert entry.good is None
    else:
        assert fences[::2] == ["spte bad", "spte good"]
        assert entry.bad != entry.good
        assert entry.bad.strip()
        assert entry.good is not None
        assert entry.good.strip()


def test_an_unknown_code_has_no_page() -> None:
    for code in ("E9999", "", "../span", "README"):
        with pytest.raises(KeyError):
            codes.page(code)
