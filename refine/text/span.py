"""Where in a text something stands: `Source`, one named text, and `Span`, a stretch of it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """A named text. Lines end at a line feed; lines and columns count from 1, columns in characters."""

    name: str
    text: str
    # The offset at which each line starts: worked out at the first question, and no part of the value.
    _starts: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def line_col(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset; one past the end is a place too."""
        starts = self._line_starts()
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return one line without its end; empty for a line that the text does not have."""
        starts = self._line_starts()
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].removesuffix("\r")

    def span(self, start: int = 0, end: int | None = None) -> Span:
        """Return the stretch from `start` up to `end`, which is the end of the text when left out."""
        return Span(self, start, len(self.text) if end is None else end)

    def _line_starts(self) -> list[int]:
        if not self._starts:
            starts = [0]
            at = self.text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = self.text.find("\n", at + 1)
            self._starts[:] = starts
        return self._starts


@dataclass(frozen=True, slots=True)
class Span:
    """The characters of `source` from `start` up to, not including, `end`; an empty span is a place."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line of the first character."""
        return self.source.line_col(self.start)[0]

    @property
    def col(self) -> int:
        """The column of the first character."""
        return self.source.line_col(self.start)[1]

    @property
    def end_line(self) -> int:
        """The line of the place just after the last character."""
        return self.source.line_col(self.end)[0]

    @property
    def end_col(self) -> int:
        """The column of the place just after the last character."""
        return self.source.line_col(self.end)[1]

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.source.text[self.start : self.end]

    def join(self, other: Span) -> Span:
        """Return the smallest span that holds both."""
        assert self.source is other.source or self.source == other.source, "one span lies in one source"
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))

    def __str__(self) -> str:
        """Return `name:line:col`, which editors can jump to."""
        line, col = self.source.line_col(self.start)
        return f"{self.source.name}:{line}:{col}"
