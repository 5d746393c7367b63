"""The registry of diagnostic codes: what each means, read from the pages that `spte explain` prints.

A code is registered by its page, `pages/E0101.md`. The second and third character give the family:

    E01 syntax    E03 types                  E05 sizes and limits     E09 parsed, not implemented yet
    E02 names     E04 steps and atomicity    E06 files and imports    W0  warnings
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

PAGES = Path(__file__).parent / "pages"

_NAME = re.compile(r"[EW]\d{4}")
_TITLE = re.compile(r"# (?P<code>[EW]\d{4}): (?P<title>\S.*)")
_FENCE = re.compile(r"^```(?P<kind>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """What one code means: `bad` and `good` are specifications, absent where none can show the error."""

    code: str
    title: str
    text: str
    bad: str | None
    good: str | None


def codes() -> Mapping[str, str]:
    """Return the title of every registered code, in the order of the codes."""
    return _titles()


def page(code: str) -> str:
    """Return the page of a code as it is written; a code without a page is a KeyError."""
    if not is_registered(code):
        raise KeyError(code)
    return (PAGES / f"{code}.md").read_text(encoding="utf-8")


def entry(code: str) -> Page:
    """Return the page of a code, taken apart."""
    text = page(code)
    heading = _TITLE.fullmatch(text.partition("\n")[0])
    assert heading is not None, f"{code}.md must begin with '# {code}: ' and a title"
    assert heading["code"] == code, f"{code}.md explains {heading['code']}"
    blocks = {match["kind"].strip(): match["body"] for match in _FENCE.finditer(text)}
    return Page(code, heading["title"], text, blocks.get("spte bad"), blocks.get("spte good"))


@cache
def is_registered(code: str) -> bool:
    """Tell whether a code has a page."""
    return _NAME.fullmatch(code) is not None and (PAGES / f"{code}.md").is_file()


@cache
def _titles() -> Mapping[str, str]:
    names = sorted(path.stem for path in PAGES.glob("*.md") if _NAME.fullmatch(path.stem))
    return MappingProxyType({name: entry(name).title for name in names})
