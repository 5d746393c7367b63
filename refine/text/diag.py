"""What a user is told: diagnostics with a place, an excerpt and a remedy; collected, and shown together.

NOTE(hostile-text): names, strings and paths come from files that nobody vetted. `escape` makes each character
visible that could move a cursor, hide, or reorder what surrounds it. Everything shown here passes through it,
and the second line of a remark is indented, so that no text can pass for a diagnostic of its own.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from refine.text import codes
from refine.text.span import Span

_EXCERPT_CELLS = 100
_TAB = 8
_ELLIPSIS = "..."
_LONGEST_NAME = 100


class Severity(Enum):
    """How bad it is: an error stops the work, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Note:
    """A further remark, with the place that it speaks of."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that the user can cause, and mend."""

    code: str
    message: str
    span: Span | None
    help: str | None = None
    notes: tuple[Note, ...] = ()
    severity: Severity = Severity.ERROR


class Failed(Exception):
    """A pass cannot go on; raised once, at its end, with all that was found."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Keep the diagnostics, in the order given."""
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        """Return every diagnostic as a user would see it."""
        return "\n".join(map(render, self.diagnostics))


@dataclass(slots=True)
class Reporter:
    """Collects the diagnostics of one or more passes."""

    diagnostics: list[Diagnostic] = field(default_factory=list)

    def error(
        self, code: str, message: str, span: Span | None, help: str | None = None, *notes: Note
    ) -> None:
        """Note an error."""
        self.add(Diagnostic(code, message, span, help, notes))

    def warning(
        self, code: str, message: str, span: Span | None, help: str | None = None, *notes: Note
    ) -> None:
        """Note a warning."""
        self.add(Diagnostic(code, message, span, help, notes, Severity.WARNING))

    def add(self, diagnostic: Diagnostic) -> None:
        """Note a diagnostic made elsewhere."""
        code = diagnostic.code
        assert codes.is_registered(code), f"{code} has no page in refine/text/pages"
        self.diagnostics.append(diagnostic)

    @property
    def has_errors(self) -> bool:
        """Whether anything found is an error."""
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """Return each different diagnostic once, by source and place; those without a place come first."""
        return tuple(sorted(dict.fromkeys(self.diagnostics), key=_place))

    def raise_errors(self) -> None:
        """Raise `Failed` with all that was found, if any of it is an error."""
        if self.has_errors:
            raise Failed(self.sorted())


def escape(text: str) -> str:
    r"""Make every character visible that is not plain text: `\x1b`, `\u202e`, `\n`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def render(diagnostic: Diagnostic, colour: bool = False) -> str:
    """Return a diagnostic as text: the line that editors know, the excerpt, notes and help below."""
    paint = _paint if colour else _plain
    tone = "1;31" if diagnostic.severity is Severity.ERROR else "1;35"
    kind = paint(tone, f"{diagnostic.severity.value}[{escape(diagnostic.code)}]")
    lines = [f"{_prefix(diagnostic.span)}{kind}: {paint('1', escape(diagnostic.message))}"]
    if diagnostic.span is not None:
        lines += _excerpt(diagnostic.span, paint, tone)
    for note in diagnostic.notes:
        if note.span is None:
            lines += _remark("note", note.message, paint)
    if diagnostic.help is not None:
        lines += _remark("help", diagnostic.help, paint)
    for note in diagnostic.notes:
        if note.span is not None:
            lines.append(f"{_prefix(note.span)}{paint('1;36', 'note')}: {escape(note.message)}")
            lines += _excerpt(note.span, paint, "1;36")
    return "\n".join(lines)


def to_json(diagnostic: Diagnostic) -> dict[str, object]:
    """Return a diagnostic as plain data; places count from 1 and end just after the last character."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": escape(diagnostic.message),
        **_json_place(diagnostic.span),
        "help": None if diagnostic.help is None else _escape_lines(diagnostic.help),
        "notes": [{"message": escape(note.message), **_json_place(note.span)} for note in diagnostic.notes],
    }


def suggest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that was probably meant, if one is near enough to be worth a question."""
    if not 1 < len(name) <= _LONGEST_NAME:  # one letter resembles nothing, and the comparison is quadratic
        return None
    known = sorted({other for other in candidates if other != name and len(other) <= _LONGEST_NAME})
    folded = name.casefold()
    for other in known:
        if other.casefold() == folded:
            return other
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return near[0] if near else None


def _place(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
    span = diagnostic.span
    if span is None:
        return ("", -1, -1, diagnostic.code, diagnostic.message)
    return (span.source.name, span.start, span.end, diagnostic.code, diagnostic.message)


def _plain(_tone: str, text: str) -> str:
    return text


def _paint(tone: str, text: str) -> str:
    return f"\x1b[{tone}m{text}\x1b[0m"


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    number = ord(char)
    if char in "\n\r\t":
        return {"\n": r"\n", "\r": r"\r", "\t": r"\t"}[char]
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _escape_lines(text: str) -> str:
    return "\n".join(escape(line) for line in text.split("\n"))


def _prefix(span: Span | None) -> str:
    return "" if span is None else f"{escape(str(span))}: "


def _remark(kind: str, message: str, paint: Callable[[str, str], str]) -> list[str]:
    first, *rest = _escape_lines(message).split("\n")
    return [f"      = {paint('1', kind)}: {first}", *(f"              {line}" for line in rest)]


def _excerpt(span: Span, paint: Callable[[str, str], str], tone: str) -> list[str]:
    """Return the first line of a span under its number, and a line of marks below it."""
    number, column = span.source.line_col(span.start)
    text = span.source.line(number)
    first = min(column - 1, len(text))
    last = first + min(span.end - span.start, len(text) - first)
    low, high = _window(text, first)
    shown = _ELLIPSIS if low > 0 else ""
    at = mark = stop = len(shown)  # in cells: where we are, where the marks begin and end
    for index in range(low, high):
        char = text[index]
        piece = " " * (_TAB - at % _TAB) if char == "\t" else _visible(char)
        shown += piece
        at += _width(piece)
        if index < first:
            mark = at
        if index < last:
            stop = at
    shown += _ELLIPSIS if high < len(text) else ""
    marks = " " * mark + paint(tone, "^" + "~" * (stop - mark - 1))
    return [f"{number:>5} | {shown}".rstrip(), f"      | {marks}"]


def _window(text: str, first: int) -> tuple[int, int]:
    """Choose which characters of a line to show around one of them; the rest of a long line is left out."""
    room = _EXCERPT_CELLS - 2 * len(_ELLIPSIS)
    low, room_before = _fit(text, first, -1, room // 3)
    high, room = _fit(text, first, 1, room - room // 3 + room_before)
    low, _ = _fit(text, low, -1, room)
    return low, high


def _fit(text: str, at: int, towards: int, room: int) -> tuple[int, int]:
    """Move from one character to the next while cells are left; return where that ends, and the rest."""
    while 0 <= (index := at if towards > 0 else at - 1) < len(text):
        needed = _TAB if text[index] == "\t" else max(1, _width(_visible(text[index])))
        if needed > room:
            break
        at += towards
        room -= needed
    return at, room


def _width(piece: str) -> int:
    """How many cells of a terminal a printable piece of text fills."""
    if piece.isascii():
        return len(piece)
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else not unicodedata.combining(char) for char in piece
    )


def _json_place(span: Span | None) -> dict[str, object]:
    if span is None:
        return {"file": None, "line": None, "col": None, "end_line": None, "end_col": None}
    line, col = span.source.line_col(span.start)
    end_line, end_col = span.source.line_col(span.end)
    name = escape(span.source.name)
    return {"file": name, "line": line, "col": col, "end_line": end_line, "end_col": end_col}
