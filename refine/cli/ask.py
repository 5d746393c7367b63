"""`spte ask`: one 'what if', answered with a page that can be mailed: still proved, or the run that breaks it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from refine.cli.cache import shelf
from refine.cli.files import targets
from refine.cli.live import Live
from refine.cli.pool import run as run_jobs
from refine.cli.status import UNKNOWN, USAGE, worst
from refine.cli.wishes import wished
from refine.cli.work import Done, Interrupts, Job, Options
from refine.engine.decide import Sizes
from refine.engine.items import Item, Tried, reasons
from refine.engine.verdict import Tick
from refine.lang.edited import outline_of
from refine.lang.edits import Edits, resolve
from refine.lang.elements import Outline
from refine.lang.load import Loaded, load
from refine.lang.lower import lower_whole
from refine.lang.rest import type_rest
from refine.lang.sizes import sizes as declared_sizes
from refine.report import asked, text
from refine.report.audit import Row, as_json
from refine.text.diag import Reporter, render, suggest


def ask(args: argparse.Namespace) -> int:
    """Try the edits that are wished for: 0 if the claims are still proved, 1 if one breaks."""
    reporter = Reporter()
    question = _question(args, reporter)
    for diagnostic in reporter.sorted():
        sys.stderr.write(render(diagnostic, colour=sys.stderr.isatty()) + "\n")
    return USAGE if question is None else _Asking(args, question).run()


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked: a file, with edits, at some sizes. `said`: the edits as their author would write them."""

    name: str
    loaded: Loaded
    rows: tuple[Sizes, ...]
    claims: tuple[str, ...]
    edits: Edits
    said: tuple[str, ...]
    words: tuple[str, ...]  # as options
    outline: Outline  # of the edited file

    @property
    def title(self) -> str:
        doc = self.loaded.file.doc
        return f"{self.name}: {doc.value}" if doc is not None else self.name


def _question(args: argparse.Namespace, reporter: Reporter) -> _Question | None:
    found = targets([args.file], reporter)
    if reporter.has_errors:
        return None
    if len(found) != 1:
        reporter.error("E0610", f"'{args.file}' is a folder: ask about one specification", None)
        return None
    target = found[0]
    loaded = load(Path(target.path), args.include, reporter)
    sizes = declared_sizes(loaded, reporter) if loaded is not None else None
    if loaded is None:
        type_rest(Path(target.path), args.include, reporter)
    if loaded is None or sizes is None:
        return None
    rows = tuple(
        dict.fromkeys(tuple({**row, **dict(args.size)}.items()) for row in sizes.all or (sizes.default,))
    )
    trial = Reporter()
    base = lower_whole(loaded, dict(rows[0]), trial)
    for diagnostic in trial.sorted():
        if base is None:
            reporter.add(diagnostic)
    if base is None:
        return None
    known = [p.name for p in base.system.properties if p.role == "claim"]
    for name in args.claim:
        if name not in [p.name for p in base.system.properties]:
            near = suggest(name, known)
            reporter.error(
                "E0612", f"there is no claim '{name}'", None, f"did you mean '{near}'?" if near else None
            )
    outline = outline_of(loaded, reporter)
    if outline is None or reporter.has_errors:
        return None
    wish = wished(args, loaded, outline, reporter)
    edits = resolve(wish.edits, outline, reporter)
    if edits is None or reporter.has_errors:
        return None
    edited = lower_whole(loaded, dict(rows[0]), trial, edits)
    if edited is None:
        for diagnostic in trial.sorted():
            reporter.add(diagnostic)
        return None
    claims = tuple(args.claim) or tuple(known)
    return _Question(target.name, loaded, rows, claims, edits, wish.said, wish.words, edited.outline)


class _Asking:
    """Answering one question: first what breaks; where nothing does, which reasons carry the load now."""

    def __init__(self, args: argparse.Namespace, question: _Question) -> None:
        self._args = args
        self._question = question
        self._live = Live()

    def run(self) -> int:
        question = self._question
        tried = Tried("ask", "; ".join(question.said), question.edits, question.claims)
        with Interrupts() as interrupts:
            [done] = self._done([tried], interrupts)
            main = [*done.rows] or [Row("ask", tried.name, "unknown", UNKNOWN, why=done.trouble)]
            rest: list[Row] = []
            if main[0].verdict == "nothing breaks":
                for one in self._done(list(self._loads()), interrupts):
                    rest += one.rows
        self._live.clear()
        if self._args.json:
            for row in (*main, *rest):
                sys.stdout.write(json.dumps({"event": "audit", "file": question.name, **as_json(row)}) + "\n")
        else:
            sys.stdout.write(
                asked.page(question.title, question.said, question.rows, question.claims, main[0], rest)
            )
        broken = main[0].steps is not None
        return worst([1 if broken else main[0].status, *([UNKNOWN] if interrupts.seen else [])])

    def _loads(self) -> Iterator[Item]:
        """The reasons of the claims asked of, dropped beside the edits."""
        question = self._question
        wanted = frozenset(question.claims)
        yield from reasons(question.outline, wanted, question.edits)

    def _done(self, items: Sequence[Item], interrupts: Interrupts) -> list[Done]:
        args, question = self._args, self._question
        options = Options(args.engine, not args.no_symmetry, args.states, args.steps, args.timeout)
        words = ("spte", "ask", question.name, *question.words)
        kept = shelf(not args.no_cache)
        jobs = [
            Job(question.loaded, question.name, (), options, words, question.rows, item, shelf=kept)
            for item in items
        ]
        count = args.jobs or os.cpu_count() or 1
        found = run_jobs(jobs, count, self._tick, interrupts)
        return [done if done is not None else Done(trouble="not begun", status=UNKNOWN) for done in found]

    def _tick(self, job: Job, event: Tick) -> None:
        self._live.show(text.tick(job.name, job.sizes, event))
