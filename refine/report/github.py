"""What is not as declared as annotations of GitHub's workflows: commands that put a note beside a line of a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from refine.engine.decide import status
from refine.report.audit import ELSEWHERE
from refine.report.result import FileResult, summed, undecided
from refine.report.text import verdict
from refine.text.diag import Diagnostic, Severity, escape


def of_diagnostics(found: Iterable[Diagnostic]) -> Iterator[str]:
    """A line for each diagnostic."""
    for one in found:
        kind = "error" if one.severity is Severity.ERROR else "warning"
        where = [] if one.span is None else [("file", one.span.source.name), ("line", str(one.span.line))]
        yield _command(kind, [*where, ("title", one.code)], one.message)


def of_results(files: Iterable[FileResult]) -> Iterator[str]:
    """A line for everything that is not as declared, or not known."""
    for file in files:
        everything = file.asked
        for row in summed(file):
            if status(row.overall.outcome, file.steps):
                at = _at(row.finding.line)
                title = f"{row.finding.role} {row.finding.name}"
                text = verdict(row, everything) + (f"\n{row.finding.trace}" if row.finding.trace else "")
                yield _command("error", [("file", file.path), *at, ("title", title)], text)
        for name, why in undecided(file):
            yield _command("error", [("file", file.path), ("title", name)], why)
        for one in file.audit:
            if one.status and one.kind not in ELSEWHERE:
                text = f"{one.verdict}: {one.why or one.claim}" + (f"\n{one.trace}" if one.trace else "")
                title = f"{one.kind} {one.name}"
                yield _command("error", [("file", file.path), *_at(one.line), ("title", title)], text)


def _at(line: int) -> list[tuple[str, str]]:
    return [("line", str(line))] if line else []


def _command(kind: str, properties: Iterable[tuple[str, str]], message: str) -> str:
    """A workflow command; what would end it, or one of its parts, is written as GitHub reads it."""
    parts = ",".join(f"{name}={_part(escape(value))}" for name, value in properties)
    return f"::{kind} {parts}::{_text(chr(10).join(map(escape, message.split(chr(10)))))}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _part(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
