"""A file's proof as a suite of tests: each stands alone, has a lasting name, and fails with what a run would print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

from refine.cli import pool
from refine.cli.agenda import File, Proof
from refine.cli.files import Target
from refine.cli.joint import others, settled
from refine.cli.proofs import Proofs
from refine.cli.work import Done, Interrupts, Job, Options, perform
from refine.engine.decide import status
from refine.engine.items import Changed, Dropped, InEra, Item, Occurrences, Recheck, Reprove, Tried
from refine.engine.judge import kind_of, observers
from refine.lang.edited import check_edited, outline_of
from refine.lang.load import load
from refine.lang.lower import lower_whole
from refine.lang.sizes import sizes as declared_sizes
from refine.report import text
from refine.report.audit import Row, row
from refine.report.result import FileResult, Finding, SizeResult
from refine.text.diag import Diagnostic, Reporter, Severity, escape, render

CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a file; without a job, it is about the file itself: `errors`, `observers` or `certificate`."""

    name: str
    file: File | None = None
    job: Job | None = None
    errors: tuple[Diagnostic, ...] = ()

    def run(self) -> str:
        """What is not as declared, as text; nothing, if all is."""
        if self.file is None:
            return _told(self.errors)
        if self.name == CERTIFICATE:
            return _shown(self.file, [], list(Proofs().misfits(self.file.target, self.file.rows)))
        if self.job is None:
            known = self.file.outline.observers if self.file.outline else ()
            return _shown(self.file, [], [row(j, ()) for j in observers(known)])
        done = _perform(self.job)
        errors = [d for d in done.diagnostics if d.severity is Severity.ERROR]
        if errors or done.trouble:
            words = [_told(errors)] if errors else []
            words += [f"unknown: {escape(done.trouble)}", done.details] if done.trouble else []
            return "\n".join(words).rstrip()
        rows = _jointly(self.file, self.job, done.rows)
        if done.result is not None:
            rows = [*rows, *Proofs().left_out(self.file.target, done.result)]
        return _shown(self.file, [done.result] if done.result else [], rows)


def suite(path: Path, name: str, options: Options) -> tuple[Test, ...]:
    """The tests of a file, in the order of a proof."""
    reporter = Reporter()
    file = _planned(path, name, reporter)
    if file is None:
        return (Test("errors", errors=reporter.sorted()),)
    return tuple(_distinct(_tests(file, options)))


def _planned(path: Path, name: str, reporter: Reporter) -> File | None:
    loaded = load(path, (), reporter)
    sizes = declared_sizes(loaded, reporter) if loaded is not None else None
    if loaded is None or sizes is None:
        return None
    rows = tuple(dict.fromkeys(tuple(one.items()) for one in sizes.all or (sizes.default,)))
    file = File(Target(path, name), loaded, rows, tuple(sizes.default.items()))
    if file.library:
        return file
    made = lower_whole(loaded, dict(rows[0]), reporter)
    outline = outline_of(loaded, reporter) if made is not None else None
    if outline is not None and not reporter.has_errors:
        check_edited(loaded, reporter, made)  # here, or the same error would fail several tests
    return (
        None if outline is None or reporter.has_errors else file.with_outline(outline, Proof(proofs=Proofs()))
    )


def _tests(file: File, options: Options) -> Iterator[Test]:
    for sizes in file.rows[:1] if file.library else file.rows:
        given = ",".join(f"{name}={n}" for name, n in sizes)
        words = ["spte", "check", file.target.name]
        words += [word for name, n in sizes for word in ("--size", f"{name}={n}")]
        job = Job(file.loaded, file.target.name, sizes, options, tuple(words), file.rows, typed=file.library)
        name = "library" if file.library else f"claims[{given}]" if given else "claims"
        yield Test(name, file, job)
    for item in file.items:
        # A reach is settled by one size, so that no test of one size can fail for it.
        whole = replace(item, reaches=True) if isinstance(item, Occurrences) else item
        yield Test(_name(item), file, _item_job(file, whole, options))
    if file.outline is not None and file.outline.observers:
        yield Test("observers", file)
    if not file.library and Proofs().of(file.target) is not None:
        yield Test(CERTIFICATE, file)


def _item_job(file: File, item: Item, options: Options) -> Job:
    words = ("spte", "ask", file.target.name)
    return Job(file.loaded, file.target.name, (), options, words, Proof().rows(file, item), item)


def _name(item: Item) -> str:
    match item:
        case Dropped(uses=uses):
            kind = "redundant" if all(use.redundant for use in uses) else "because"
            return f"{kind}[{', '.join(f'{use.claim}: {use.name}' for use in uses)}]"
        case Changed(role, name) | Tried(role, name):
            return f"{role}[{name}]"
        case InEra(variant=variant, name=name):
            return f"era[{variant}: {name}]"
        case Occurrences():
            return "vacuity"
        case Recheck(section, sizes):
            return f"certificate[{', '.join([*(f'{n}={k}' for n, k in sizes), kind_of(section)])}]"
        case Reprove():
            raise AssertionError("a suite writes nothing")
        case _:
            assert_never(item)


def _distinct(tests: Iterator[Test]) -> Iterator[Test]:
    """The tests, where a name that comes again is numbered."""
    seen: dict[str, int] = {}
    for test in tests:
        name = escape(test.name)
        seen[name] = seen.get(name, 0) + 1
        yield replace(test, name=name if seen[name] == 1 else f"{name}#{seen[name]}")


def _perform(job: Job) -> Done:
    """Do a job: in a process that can be ended, if it has a timeout."""
    if job.options.timeout is None:
        done: Done | None = perform(job, lambda _: None)
    else:
        [done] = pool.run([job], 1, lambda *_: None, Interrupts())
    if done is None or done.interrupted:  # a solver catches the signal itself, and only says so
        raise KeyboardInterrupt
    return done


def _jointly(file: File, job: Job, rows: Sequence[Row]) -> list[Row]:
    """The rows; a reason that is not needed alone is tried with the other ones of its claim, as a proof does."""
    if file.outline is None or not isinstance(job.item, Dropped):
        return list(rows)
    found = list(rows)
    for item in others(file.items, rows):
        found += _perform(_item_job(file, item, job.options)).rows
    mine = {(one.claim, one.name) for one in rows}
    for pair in Proof().groups(file.outline, found):
        if any((use.claim, use.name) in mine for use in pair.uses):
            found += _perform(_item_job(file, pair, job.options)).rows
    return [one for one in settled(found) if (one.claim, one.name) in mine]


def _shown(file: File, results: Sequence[SizeResult], rows: Sequence[Row]) -> str:
    """What is not as declared, as a run would print it."""
    bad = [replace(one, findings=tuple(filter(_bad, one.findings))) for one in results]
    wrong = tuple(one for one in rows if one.status)
    if not wrong and not any(one.findings for one in bad):
        return ""
    name = file.loaded.file.name.name
    result = FileResult(file.target.name, name, file.doc, tuple(bad), audit=wrong)
    return (text.claims(result) + text.traces(result)).rstrip()


def _bad(finding: Finding) -> bool:
    return status(finding.outcome) != 0 and not (
        finding.role == "reach" and finding.outcome.word == "vacuous"
    )


def _told(found: Sequence[Diagnostic]) -> str:
    return "\n".join(map(render, found))
