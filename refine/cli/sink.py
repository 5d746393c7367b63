"""Where a run is told: as text, or as JSON lines."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from refine.cli.live import Live
from refine.cli.status import CONTRADICTION
from refine.engine.decide import Sizes
from refine.engine.verdict import Tick
from refine.report import audit, text
from refine.report import json as as_json
from refine.report.audit import Row
from refine.report.data import sizes as sizes_data
from refine.report.result import FileResult, SizeResult, summed
from refine.text.diag import Diagnostic, escape, render, to_json

_FRESH = 2.0  # seconds until a process that is silent is not shown any more


class Sink(Protocol):
    """What a run has to say, in order. `brief`: where there are many files, their warnings are counted only."""

    brief: bool

    def start(self, words: Sequence[str], version: str) -> None:
        """The run begins."""

    def diagnostics(self, found: Iterable[Diagnostic]) -> None:
        """What the user can mend."""

    def note(self, message: str) -> None:
        """Something worth knowing, that is no diagnostic."""

    def library(self, path: str, doc: str) -> None:
        """A file without anything to decide."""

    def open(self, path: str, doc: str) -> None:
        """The results of a file follow."""

    def size(self, path: str, result: SizeResult) -> None:
        """A file is done at one size."""

    def trouble(self, path: str, sizes: Sizes, why: str, details: str) -> None:
        """A file has no result at one size."""

    def audited(self, path: str, rows: Sequence[Row]) -> None:
        """Something beside claims has been judged."""

    def close(self, result: FileResult) -> None:
        """A file is done."""

    def tick(self, path: str, sizes: Sizes, event: Tick) -> None:
        """Work goes on."""

    def annotations(self, lines: Sequence[str]) -> None:
        """What a workflow puts beside the lines of a change."""

    def summary(self, total: text.Totals, seconds: float, interrupted: bool, status: int) -> None:
        """The run ends."""


class TextSink:
    """Tables on standard output, diagnostics on standard error, a live line below them on a terminal."""

    brief = True

    def __init__(self, runs: bool, workflow: bool = False) -> None:
        """Show how each `reach` is reached, too, if `runs` is set.

        In a GitHub workflow, a line that a specification makes up is kept from being taken for a command.
        """
        self._runs = runs
        self._token = os.urandom(16).hex() if workflow else ""
        self._live = Live()
        self._closed: list[FileResult] = []
        self._ticks: dict[str, tuple[float, str]] = {}

    def start(self, words: Sequence[str], version: str) -> None:
        del words, version
        if self._token:
            self._out(f"::stop-commands::{self._token}\n")

    def diagnostics(self, found: Iterable[Diagnostic]) -> None:
        for diagnostic in found:
            self._err(render(diagnostic, colour=sys.stderr.isatty()) + "\n")

    def note(self, message: str) -> None:
        self._err(escape(message) + "\n")

    def library(self, path: str, doc: str) -> None:
        del doc
        self._out(text.header(path, "a library, checked in its clients"))

    def open(self, path: str, doc: str) -> None:
        self._out(text.header(path, doc))

    def size(self, path: str, result: SizeResult) -> None:
        del path
        self._out(text.size_line(result))

    def trouble(self, path: str, sizes: Sizes, why: str, details: str) -> None:
        del path
        self._out(text.trouble_line(sizes, why))
        if details:
            self._err(details)

    def audited(self, path: str, rows: Sequence[Row]) -> None:
        del path, rows

    def close(self, result: FileResult) -> None:
        self._closed.append(result)
        self._out(text.claims(result, result.one_of_many) + text.traces(result, self._runs) + "\n")

    def tick(self, path: str, sizes: Sizes, event: Tick) -> None:
        now = time.monotonic()
        self._ticks[f"{path} {sizes}"] = now, text.tick(path, sizes, event)
        self._ticks = {key: (at, line) for key, (at, line) in self._ticks.items() if now - at < _FRESH}
        self._live.show("\n".join(line for _, line in self._ticks.values()))

    def annotations(self, lines: Sequence[str]) -> None:
        go_on = [f"::{self._token}::"] if self._token else []
        self._out("".join(f"{line}\n" for line in [*go_on, *lines]))

    def summary(self, total: text.Totals, seconds: float, interrupted: bool, status: int) -> None:
        if len(self._closed) > 1:
            self._out(text.overview(self._closed))
        self._out(text.summary(total, seconds, interrupted, faulty=status == CONTRADICTION))

    def _out(self, what: str) -> None:
        self._live.clear()
        sys.stdout.write(what)
        sys.stdout.flush()

    def _err(self, what: str) -> None:
        self._live.clear()
        sys.stderr.write(what)
        sys.stderr.flush()


class PageSink(TextSink):
    """Diagnostics, and the live line; what was found goes into a page."""

    def __init__(self) -> None:
        """Tell nothing on standard output."""
        super().__init__(runs=False)

    def _out(self, what: str) -> None:
        del what


class JsonSink:
    """One object a line, complete when it is written: an interrupted run leaves valid JSON."""

    brief = False

    def __init__(self) -> None:
        """Remember the rows that have been told: what is concluded from all of them comes when a file closes."""
        self._told: dict[int, Row] = {}

    def start(self, words: Sequence[str], version: str) -> None:
        self._event(
            "start", {"schema": as_json.EVENTS, "version": version, "command": list(map(escape, words))}
        )

    def diagnostics(self, found: Iterable[Diagnostic]) -> None:
        for diagnostic in found:
            self._event("diagnostic", to_json(diagnostic))

    def note(self, message: str) -> None:
        self._event("note", {"message": escape(message)})

    def library(self, path: str, doc: str) -> None:
        self._event("library", {"file": escape(path), "doc": escape(doc)})

    def open(self, path: str, doc: str) -> None:
        self._event("file", {"file": escape(path), "doc": escape(doc)})

    def size(self, path: str, result: SizeResult) -> None:
        self._event("size", {"file": escape(path), **as_json.size(result)})

    def trouble(self, path: str, sizes: Sizes, why: str, details: str) -> None:
        said = {"file": escape(path), "sizes": sizes_data(sizes), "why": escape(why)}
        self._event("trouble", {**said, "details": details or None})

    def close(self, result: FileResult) -> None:
        for row in summed(result):
            self._event("verdict", {"file": escape(result.path), **as_json.verdict(row)})
        self.audited(result.path, [one for one in result.audit if id(one) not in self._told])
        for name, why in result.origin.uncovered:
            self._event("uncovered", {"file": escape(result.path), "name": escape(name), "why": escape(why)})

    def audited(self, path: str, rows: Sequence[Row]) -> None:
        for one in rows:
            self._told[id(one)] = one
            self._event("audit", {"file": escape(path), **audit.as_json(one)})

    def tick(self, path: str, sizes: Sizes, event: Tick) -> None:
        del path, sizes, event

    def annotations(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._event("annotation", {"line": line})

    def summary(self, total: text.Totals, seconds: float, interrupted: bool, status: int) -> None:
        said = as_json.summary(total, seconds)
        self._event("summary", {**said, "interrupted": interrupted, "status": status})

    def _event(self, kind: str, data: Mapping[str, object]) -> None:
        sys.stdout.write(json.dumps({"event": kind, **data}, ensure_ascii=True) + "\n")
        sys.stdout.flush()
