"""Which comments stand where: each is handed out once, and none is lost."""

from __future__ import annotations

import re
from bisect import bisect_left

from refine.lang import ast
from refine.lang.layout import Remark
from refine.text.span import Span

_OR = re.compile(r"\bor\b")


class Comments:
    """The comments of one file, to be handed out by place."""

    def __init__(self, file: ast.File) -> None:
        """Begin with all of them."""
        self.text = file.span.source.text
        self._all = sorted(file.comments, key=lambda comment: comment.span.start)
        self._starts = [comment.span.start for comment in self._all]
        self._left = [True] * len(self._all)
        self._masked: str | None = None

    def take(self, start: int, end: int) -> list[ast.Comment]:
        """Hand out what begins between two places."""
        found = []
        for at in range(bisect_left(self._starts, start), bisect_left(self._starts, end)):
            if self._left[at]:
                self._left[at] = False
                found.append(self._all[at])
        return found

    def beside(self, start: int, end: int) -> list[Remark]:
        """Hand out what begins between two places and on the line of the first."""
        line_end = self.text.find("\n", start)
        found = self.take(start, end if line_end < 0 else min(end, line_end))
        columns = [comment.span.start - self.text.rfind("\n", 0, comment.span.start) - 1 for comment in found]
        return [Remark(comment.text, column) for comment, column in zip(found, columns, strict=True)]

    def gap(self, before: Span, after: Span) -> tuple[list[Remark], list[Remark]]:
        """Hand out what stands between two parts of an expression."""
        return self.beside(before.end, after.start), remarks(self.take(before.end, after.start))

    def blank_before(self, at: int) -> bool:
        """Tell whether an empty line precedes a place."""
        start = at
        while start > 0 and self.text[start - 1].isspace():
            start -= 1
        return self.text.count("\n", start, at) > 1

    def find(self, sign: str, start: int, end: int) -> int:
        """Return the place after the first such sign that is in no comment, or `start` if there is none."""
        at = self._code().find(sign, start, end)
        return start if at < 0 else at + len(sign)

    def branches(self, choose: ast.Choose) -> list[tuple[int, int]]:
        """Return where each branch of a `choose` begins and ends, between its `or`s."""
        code = list(self._code()[choose.span.start : choose.span.end])
        for branch in choose.branches:
            for stmt in branch.stmts:
                low, high = (place - choose.span.start for place in (stmt.span.start, stmt.span.end))
                code[low:high] = " " * (high - low)
        found = list(_OR.finditer("".join(code)))
        if len(found) != len(choose.branches) - 1:
            return [(branch.span.start, branch.span.end) for branch in choose.branches]
        starts = [self.find("{", choose.span.start, choose.span.end)]
        starts += [match.end() + choose.span.start for match in found]
        ends = [match.start() + choose.span.start for match in found]
        return list(zip(starts, [*ends, choose.span.end - 1], strict=True))

    def _code(self) -> str:
        """Return the text with its comments blanked out."""
        if self._masked is None:
            pieces, at = [], 0
            for comment in self._all:
                pieces += [self.text[at : comment.span.start], " " * (comment.span.end - comment.span.start)]
                at = comment.span.end
            self._masked = "".join([*pieces, self.text[at:]])
        return self._masked


def remarks(comments: list[ast.Comment]) -> list[Remark]:
    """Return comments that stand on lines of their own."""
    return [Remark(comment.text) for comment in comments]
