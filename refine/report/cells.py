"""Text in cells: how wide it is on a terminal, where it breaks, and how it is laid into columns."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterable, Sequence

from refine.text.diag import escape

WIDTH = 75  # a reviewer's mail is no wider


def width(text: str) -> int:
    """How many cells of a terminal printable text fills."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def pad(text: str, cells: int) -> str:
    """`text`, filled up with blanks."""
    return text + " " * max(0, cells - width(text))


def wrap(text: str, cells: int, first: str = "", later: str | None = None) -> list[str]:
    """`text` (escaped here) in lines of at most `cells`, broken at blanks, or anywhere where there are none.

    The first line is indented by `first`, the later ones by `later`.
    """
    later = first if later is None else later
    lines: list[str] = []
    line, used, empty = first, width(first), True
    for piece in escape(text).split(" "):
        word, size = piece, width(piece)
        if not empty and used + 1 + size > cells:
            lines.append(line)
            line, used, empty = later, width(later), True
        if not empty:
            line, used = line + " ", used + 1
        while used + width(word) > cells:
            head, word = _split(word, max(1, cells - used))
            lines.append(line + head)
            line, used = later, width(later)
        line, used, empty = line + word, used + width(word), False
    return [*lines, line]


def _split(word: str, cells: int) -> tuple[str, str]:
    """The longest beginning of `word` that fits, at least one character, and the rest."""
    at = 1
    while at < len(word) and width(word[: at + 1]) <= cells:
        at += 1
    return word[:at], word[at:]


def listed(title: str, items: Sequence[str], cells: int = WIDTH) -> list[str]:
    """`title item, item, …` in as many lines as it takes, the later ones under the first item."""
    return wrap(f"{title} {', '.join(items)}", cells, "", " " * min(width(title) + 1, 12))


def leaders(label: str, value: str, column: int, cells: int, indent: str = "") -> list[str]:
    """`label ........ value`: dots up to `column`, the value wrapped below itself where it is too long."""
    room = column - width(indent) - 1
    dots = "." * max(3, room - width(escape(label)) - 1)
    head = f"{indent}{escape(label)} {dots} "
    if width(head) > column and width(head + escape(value)) > cells:
        return [*wrap(label, cells, indent, indent + "  "), *wrap(value, cells, " " * column)]
    return wrap(value, cells, head, " " * column)


def command(words: Iterable[str], cells: int = WIDTH, first: str = "  ", later: str = "      ") -> list[str]:
    r"""A command in lines that can be pasted into a shell as they are: a `\` ends each but the last."""
    lines, line, empty = [], first, True
    ahead = list(words)
    for n, word in enumerate(ahead):
        rest = word
        # An option stays with its value.
        pair = word.startswith("--") and n + 1 < len(ahead) and not ahead[n + 1].startswith("-")
        needed = _quote(rest) + (f" {_quote(ahead[n + 1])}" if pair else "")
        if not empty and width(line) + 1 + width(needed) > cells - 2:
            lines.append(line + " \\")
            line, empty = later, True
        line, empty = (line if empty else line + " "), False
        while width(line) + width(_quote(rest)) > cells - 2 and len(rest) > 1:
            at = _fitting(rest, cells - 2 - width(line))
            lines.append(line + _quote(rest[:at]) + "\\")
            line, rest = "", rest[at:]
        line += _quote(rest)
    return [*lines, line]


def _quote(word: str) -> str:
    """`word` for a shell; what is not plain text in bash's own notation."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + escape(word.replace("\\", "\\\\").replace("'", "\\'")) + "'"


def _fitting(word: str, cells: int) -> int:
    """How many characters of `word`, at least one and not all, fit when quoted."""
    at = 1
    while at + 1 < len(word) and width(_quote(word[: at + 1])) <= cells:
        at += 1
    return at


def tidy(lines: Iterable[str]) -> str:
    """Lines as text: no blanks at their ends, and a line feed after each."""
    return "".join(f"{line.rstrip()}\n" for line in lines)
