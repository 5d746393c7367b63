"""The fenced blocks of a page, and the parts of what `spte show` prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from refine.core.table import show_system
from refine.lang.load import load
from refine.lang.lower import lower
from refine.lang.sizes import sizes
from refine.text.diag import Diagnostic, Reporter

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADER = re.compile(r"(?:protocol|library) (\w+)")
_FOLD = 4  # a line of a rule is indented by less, what is folded from it by more
ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: the words behind its fence, its text, and where it stands."""

    info: tuple[str, ...]
    body: str
    line: int

    @property
    def kind(self) -> str:
        return self.info[0] if self.info else ""


def blocks(page: str) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    for match in _FENCE.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        yield Block(tuple(match["info"].split()), match["body"], line)


def raw_entries(shown: str) -> list[str]:
    """The parts of a printed system: a line at the margin, and the indented lines below it."""
    found: list[str] = []
    for line in filter(str.strip, shown.splitlines()):
        if line.startswith(" "):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


def entries(shown: str) -> list[tuple[str, ...]]:
    """The same parts by their lines, whatever the blanks and wherever a long line is folded."""
    folded = re.compile(rf"\n {{{_FOLD},}}")
    return [
        tuple(" ".join(line.split()) for line in folded.sub(" ", entry).split("\n"))
        for entry in raw_entries(shown)
    ]


def lowered(text: str, folder: Path) -> tuple[str, tuple[Diagnostic, ...]]:
    """What `spte show` prints of an example, and all that is found in it. An example may leave out its header."""
    if _HEADER.match(text) is None:
        text = f"protocol example;\n{text}"
    named = _HEADER.match(text)
    path = folder / f"{named[1] if named else 'example'}.spte"
    path.write_text(text, encoding="utf-8")
    reporter = Reporter()
    loaded = load(path, [], reporter)
    system = None
    if loaded is not None and sizes(loaded, reporter) is not None:
        system = lower(loaded, {}, reporter)
    return show_system(system) if system is not None else "", reporter.sorted()


def holds(written: tuple[str, ...], real: tuple[str, ...]) -> bool:
    """Whether an entry is as written, where `…` stands for any lines."""
    if not written:
        return not real
    if written[0] == ELLIPSIS:
        return any(holds(written[1:], real[k:]) for k in range(len(real) + 1))
    return bool(real) and written[0] == real[0] and holds(written[1:], real[1:])
