"""`spte check` and `spte prove`: from files and options to verdicts, told as they come."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from refine.cli.again import Again, Known, Part
from refine.cli.agenda import Agenda, File, Proof, untold
from refine.cli.args import version
from refine.cli.cache import Cache, Shelf, shelf
from refine.cli.files import Target, targets
from refine.cli.joint import may_change, settled
from refine.cli.place import Place, place
from refine.cli.pool import run as run_jobs
from refine.cli.proofs import Proofs, unwritten
from refine.cli.shard import Shard, mine
from refine.cli.sink import JsonSink, Sink, TextSink
from refine.cli.status import UNKNOWN, USAGE, worst
from refine.cli.work import Done, Interrupts, Job, Options
from refine.engine.decide import Sizes, status
from refine.engine.items import Item
from refine.engine.judge import observers
from refine.engine.verdict import Tick
from refine.lang.edited import outline_of
from refine.lang.load import load
from refine.lang.lower import lower_whole
from refine.lang.rest import type_rest
from refine.lang.sizes import sizes as declared_sizes
from refine.report import text
from refine.report.audit import Row, row
from refine.report.result import FileResult, Origin, SizeResult, summed
from refine.text.diag import Diagnostic, Reporter, Severity, suggest


def check(args: argparse.Namespace) -> int:
    """Check at the default sizes."""
    return Run(args, every=False).run()


def prove(args: argparse.Namespace) -> int:
    """Check at every size that counts."""
    # Who asks for steps asks for no proof.
    agenda = Proof(frozenset(args.claim), proofs(args)) if args.steps is None else None
    return Run(args, every=True, agenda=agenda).run()


def proofs(args: argparse.Namespace) -> Proofs | None:
    """The certificates that are looked at: of whole proofs only."""
    if partial(args):
        return None
    return Proofs(args.proofs, args.reprove, f"spte-refine {version()}")


def partial(args: argparse.Namespace) -> list[str]:
    """The options by which a run is no whole proof, as a certificate is."""
    given = {
        "--claim": args.claim,
        "--size": args.size,
        "--shard": not args.shard.whole,
        "--steps": args.steps is not None,
        "--engine": args.engine != "auto",
        "--no-symmetry": args.no_symmetry,
    }
    return [option for option, present in given.items() if present]


@dataclass(slots=True)
class Told:
    """What of a file has been told so far."""

    open: bool = False
    results: list[SizeResult] = field(default_factory=list)
    missing: list[tuple[Sizes, str]] = field(default_factory=list)
    seen: dict[Diagnostic, None] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    audit: list[Row] = field(default_factory=list)
    failed: bool = False
    parts: list[Part] = field(default_factory=list)
    first: bool = False  # whether the file's first job is among what was told


class Run:
    """One run over files: what there is to do, doing it, and telling it."""

    def __init__(
        self, args: argparse.Namespace, every: bool, agenda: Agenda | None = None, sink: Sink | None = None
    ) -> None:
        self._args = args
        self._shard: Shard = args.shard
        self._agenda = agenda
        self._every = every
        self._statuses: list[int] = []
        self._known: set[str] = set()
        self._finished: list[FileResult] = []
        self._libraries = 0
        self._failed = 0
        self._said: list[Diagnostic] = []
        self._unbegun: list[FileResult] = []
        self._github: bool = args.github or os.environ.get("GITHUB_ACTIONS") == "true"
        self._junit: Place | None = None
        self.interrupted = False
        told = JsonSink() if args.json else TextSink(args.runs, workflow=self._github)
        self._sink: Sink = told if sink is None else sink
        self._shelf: Shelf | None = shelf(_may_remember(args))
        cache = None if self._shelf is None else Cache(self._shelf)
        self._cache = cache
        # Parts of a run are dealt out whatever is known here; and what a clock cut short is not told again.
        whole = self._shard.whole and args.timeout is None
        self._again = Again(cache, args) if cache is not None and whole else None
        self._loud: set[str] = set()  # files that could be read, and something was to be said of that
        self._noted: set[str] = set()
        self._kept = False  # whether something was written to the cache
        self._many = False  # whether there are several files: then each is told in fewer words

    @property
    def finished(self) -> Sequence[FileResult]:
        """The files of which something was found out, in order."""
        return self._finished

    def run(self) -> int:
        began = time.monotonic()
        self._sink.start(_words(self._args, self._every), version() if self._args.json else "")
        if not self._shard.whole:
            self._sink.note(self._shard.told)
        if not self._can_certify() or not self._can_write():
            return USAGE
        try:
            with Interrupts() as interrupts:
                return self._work(began, interrupts)
        finally:
            if self._junit is not None:
                self._junit.leave()

    def _work(self, began: float, interrupts: Interrupts) -> int:
        files = self._files()
        self._run_files(files, interrupts)
        self._check_names(interrupts)
        if interrupts.seen:
            self.interrupted = True
            self._statuses.append(UNKNOWN)
        if self._cache is not None and (self._kept or self._cache.written):
            self._cache.trim()
        total = text.totals(self._finished, self._libraries, self._failed)
        result = worst(self._statuses)
        self._write_reports(time.monotonic() - began)
        self._sink.summary(total, time.monotonic() - began, interrupts.seen, result)
        return result

    def _can_certify(self) -> bool:
        """Whether this is a whole proof, if it is to leave certificates."""
        options = partial(self._args) if getattr(self._args, "reprove", False) else []
        if options:
            reporter = Reporter()
            reporter.error(
                "E0619", f"with {' and '.join(options)} there is no whole proof that could be certified", None,
                f"leave out {' and '.join(options)}, or --reprove",
            )  # fmt: skip
            self._report(reporter)
        return not options

    def _can_write(self) -> bool:
        """Whether the report that is asked for can be written; said before the work, not after."""
        path = self._args.junit
        if path is None:
            return True
        reporter = Reporter()
        self._junit = place(path, reporter)
        self._report(reporter)
        return self._junit is not None

    def _write_reports(self, seconds: float) -> None:
        """The other reports: JUnit's into its file, GitHub's between the lines of text."""
        files = [*self._finished, *self._unbegun]
        if self._junit is not None:
            from refine.report import junit

            self._junit.write(junit.document(files, self._said, seconds))
        if self._github:
            from refine.report import github

            self._sink.annotations([*github.of_diagnostics(self._said), *github.of_results(files)])

    # --- what there is to do ----------------------------------------------------------------------------

    def _files(self) -> list[File | Known]:
        reporter = Reporter()
        found = targets(self._args.files, reporter)
        self._many = len(found) > 1
        self._report(reporter)
        files: list[File | Known] = []
        shipped = [target.name for target in found if target.shipped]
        if shipped:
            more = f" and {len(shipped) - 1} more" if len(shipped) > 1 else ""
            self._sink.note(f"{shipped[0]}{more}: not here, but shipped with spte")
        for target in found:
            reporter = Reporter()
            file = self._load(target, reporter)
            self._report(reporter)
            if reporter.diagnostics:
                self._loud.add(target.name)
            if file is None:
                self._failed += 1
            else:
                files.append(file)
        if self._cache is not None:
            self._note(self._cache.notes)
        given = {name for name, _ in self._args.size}
        unknown = (
            sorted(given - {name for file in files for name in file.parameters}) if len(files) > 1 else []
        )
        reporter = Reporter()
        for name in unknown:
            near = suggest(name, {p for file in files for p in file.parameters})
            help_ = f"did you mean '{near}'?" if near else None
            reporter.error("E0611", f"none of these specifications has a parameter '{name}'", None, help_)
        self._report(reporter)
        return [] if unknown else files

    def _load(self, target: Target, reporter: Reporter) -> File | Known | None:
        known = None if self._again is None else self._again.recall(target, self._proof(target))
        if known is not None:
            return known
        loaded = load(target.path, self._args.include, reporter)
        if loaded is None:
            type_rest(target.path, self._args.include, reporter)
            return None
        sizes = declared_sizes(loaded, reporter)
        if sizes is None:
            return None
        # Of several files, each takes the parameters that it has; of one, lowering says which are missing.
        several = len(self._args.files) > 1 or target.name != self._args.files[0]
        given = {n: k for n, k in self._args.size if n in sizes.default or not several}
        rows = sizes.all if self._every and sizes.all else (sizes.default,)
        unique = dict.fromkeys(tuple({**row, **given}.items()) for row in rows)
        default = tuple({**sizes.default, **given}.items())
        return self._planned(File(target, loaded, tuple(unique), default))

    def _proof(self, target: Target) -> Path | None:
        """Where the certificate is that this run looks at."""
        proofs = None if self._agenda is None else self._agenda.proofs
        return None if proofs is None else proofs.place(target)

    def _planned(self, file: File) -> File:
        """The file with what is to be audited in it; errors are told by whoever lowers it for its claims."""
        if file.library or (self._agenda is None and self._shard.whole):
            return file
        if not self._shard.whole:  # another shard may look at the claim that is asked for
            made = lower_whole(file.loaded, dict(file.rows[0]), Reporter())
            if made is not None:
                self._known.update(p.name for p in made.system.properties)
        trial = Reporter()
        outline = outline_of(file.loaded, trial) if self._agenda is not None else None
        if self._agenda is None or outline is None or trial.has_errors:
            return file
        return file.with_outline(outline, self._agenda)

    def _jobs(self, file: File) -> Iterator[Job]:
        args, options = self._args, self._options()
        for sizes in file.rows if not file.library else file.rows[:1]:
            words = ["spte", "check", file.target.name]
            words += [word for name, n in sizes for word in ("--size", f"{name}={n}")]
            words += _unusual(args)
            first = sizes is file.rows[0]
            yield Job(
                file.loaded, file.target.name, sizes, options, tuple(words), file.rows,
                typed=first, shelf=self._shelf,
            )  # fmt: skip
        if self._agenda is not None:
            yield from (self._item_job(file, item, self._agenda) for item in file.items)

    def _item_job(self, file: File, item: Item, agenda: Agenda) -> Job:
        words = ("spte", "ask", file.target.name, *_unusual(self._args))
        rows = agenda.rows(file, item)
        return Job(file.loaded, file.target.name, (), self._options(), words, rows, item, shelf=self._shelf)

    def _options(self) -> Options:
        args = self._args
        return Options(
            args.engine, not args.no_symmetry, args.states, args.steps, args.timeout, tuple(args.claim)
        )

    # --- doing it ---------------------------------------------------------------------------------------

    def _run_files(self, files: Sequence[File | Known], interrupts: Interrupts) -> None:
        new = [file for file in files if isinstance(file, File)]
        planned = mine(self._shard, [(file, job) for file in new for job in self._jobs(file)])
        done = run_jobs([job for _, job in planned], self._count, self._ticked, interrupts)
        left = iter(files)
        told = Told()
        for n, ((file, job), result) in enumerate(zip(planned, done, strict=True)):
            if n == 0 or planned[n - 1][0] is not file:
                self._tell_known(left, file)
            self._tell(file, job, result, told)
            if n + 1 == len(planned) or planned[n + 1][0] is not file:
                self._conclude(file, told, interrupts)
                self._remember(file, told, self._close(file, told), interrupts)
                told = Told()
        self._tell_known(left)

    def _remember(self, file: File, told: Told, result: FileResult | None, interrupts: Interrupts) -> None:
        """Keep what was found out about a file of which all was read quietly, and all is as declared."""
        if self._again is None or interrupts.seen or told.failed or told.missing or file.name in self._loud:
            return
        rows = [] if result is None else summed(result)
        if (result is not None or file.library) and not any(
            status(r.overall.outcome, self._steps) for r in rows
        ):
            self._again.keep(file, self._proof(file.target), told.parts, told.audit)

    @property
    def _steps(self) -> int | None:
        return None if self._every else self._args.steps

    def _tell_known(self, files: Iterator[File | Known], until: File | None = None) -> None:
        """Tell of the files that did not change, up to one that did, or was not known."""
        for file in files:
            if file is until:
                return
            if isinstance(file, Known):
                told = Told()
                for part in file.parts:
                    self._tell(file, part, part.done, told)
                told.audit = file.rows
                self._close(file, told)

    @property
    def _count(self) -> int:
        return self._args.jobs or os.cpu_count() or 1

    def _ticked(self, job: Job, event: Tick) -> None:
        self._sink.tick(job.name, job.sizes, event)

    def _tell(self, file: File | Known, job: Job | Part, done: Done | None, told: Told) -> None:
        if done is None:
            done = Done(trouble="not begun", status=UNKNOWN)
            if not told.open:
                self._statuses.append(UNKNOWN)
                told.missing.append((job.sizes, done.trouble))
                return
        told.parts.append(Part(job.sizes, job.typed, job.audits, done))
        self._note(done.notes)
        self._kept |= done.kept
        fresh = [d for d in done.diagnostics if d not in told.seen]
        told.seen.update(dict.fromkeys(fresh))
        held = [d for d in fresh if self._many and self._sink.brief and d.severity is Severity.WARNING]
        told.warnings += [d.code for d in held]
        self._diagnostics([d for d in fresh if d not in held])
        told.failed |= any(d.severity is Severity.ERROR for d in fresh)
        self._known.update(done.known)
        told.first |= job.typed
        self._statuses.append(done.status)
        result = done.result
        told.audit += done.rows
        self._sink.audited(file.name, [one for one in done.rows if not may_change(one)])
        if job.audits:
            if done.trouble and isinstance(job, Job) and job.item is not None:
                told.audit += untold(job.item, done.trouble)
            if not told.open and not self._shard.whole and not told.failed:  # its claims may be elsewhere
                told.open = True
                self._sink.open(file.name, file.doc)
            return
        if done.trouble or (result is not None and result.findings):
            if not told.open:
                told.open = True
                self._sink.open(file.name, file.doc)
            if result is not None:
                told.results.append(result)
                self._sink.size(file.name, result)
            else:
                told.missing.append((job.sizes, done.trouble))
                self._sink.trouble(file.name, job.sizes, done.trouble, done.details)

    def _conclude(self, file: File, told: Told, interrupts: Interrupts) -> None:
        """Drop those reasons together of which none is needed alone; and say who is modelled, and what follows."""
        if self._agenda is None or file.outline is None or told.failed or not told.open:
            return
        if not self._args.claim and told.first:
            told.audit += [row(j, ()) for j in observers(file.outline.observers)]
        self._also(file, self._agenda.groups(file.outline, told.audit), told, interrupts)
        told.audit = settled(told.audit)
        results = told.results if self._shard.whole else []  # that nothing breaks a claim, no part can say
        told.audit += self._agenda.conclusions(file, results, told.audit)
        if self._agenda.proofs is not None and self._agenda.proofs.anew:
            self._certify(file, self._agenda.proofs, told, interrupts)

    def _certify(self, file: File, known: Proofs, told: Told, interrupts: Interrupts) -> None:
        """Make the certificate of what was proved, write it, and check what was written."""
        item = known.reprove(file.target, told.results)
        made = self._also(file, [item], told, interrupts)
        text = next((done.text for done in made if done is not None and done.text), "")
        if not text:
            return
        try:
            written = known.write(file.target, text)
        except OSError as error:
            told.audit = [one for one in told.audit if one.kind != "proof"]
            told.audit.append(unwritten(file.name, error.strerror or str(error)))
            return
        self._also(file, list(written.items(file.target, file.rows)), told, interrupts)

    def _also(
        self, file: File, items: Sequence[Item], told: Told, interrupts: Interrupts
    ) -> list[Done | None]:
        """Judge further items of a file."""
        assert self._agenda is not None, "only an agenda has items"
        jobs = [self._item_job(file, item, self._agenda) for item in items]
        found = []
        for job, done in zip(jobs, run_jobs(jobs, self._count, self._ticked, interrupts), strict=True):
            self._tell(file, job, done, told)
            found.append(done)
        return found

    def _close(self, file: File | Known, told: Told) -> FileResult | None:
        self._failed += told.failed
        if file.library and not told.failed and not told.open:
            self._libraries += 1
            self._sink.library(file.name, file.doc)
        name = file.protocol
        if not told.open:
            if told.missing and not file.library:
                missing = tuple(told.missing[:1])
                self._unbegun.append(FileResult(file.name, name, file.doc, (), missing))
            return None
        few = bool(self._args.claim)
        result = FileResult(
            file.name,
            name,
            file.doc,
            tuple(told.results),
            tuple(told.missing),
            audit=tuple(told.audit),
            origin=Origin() if few or not told.first else file.origin,
            warnings=tuple(told.warnings),
            one_of_many=self._many,
            steps=self._steps,
        )
        self._finished.append(result)
        self._statuses += [one.status for one in told.audit]
        self._statuses += [status(row.overall.outcome, result.steps) for row in summed(result)]
        self._sink.close(result)
        return result

    def _check_names(self, interrupts: Interrupts) -> None:
        """Every claim that was asked for must exist somewhere; unless not all was looked at."""
        if interrupts.seen or self._failed:
            return
        reporter = Reporter()
        for name in self._args.claim:
            if name not in self._known:
                near = suggest(name, self._known)
                help_ = f"did you mean '{near}'?" if near else None
                reporter.error(
                    "E0612", f"there is no claim, lemma, reach or free claim '{name}'", None, help_
                )
        self._report(reporter)

    def _note(self, notes: Iterable[str]) -> None:
        """Tell something of the cache, once."""
        for note in notes:
            if note not in self._noted:
                self._noted.add(note)
                self._sink.note(note)

    def _report(self, reporter: Reporter) -> None:
        self._diagnostics(reporter.sorted())

    def _diagnostics(self, found: Sequence[Diagnostic]) -> None:
        self._sink.diagnostics(found)
        self._said += found
        if any(d.severity is Severity.ERROR for d in found):
            self._statuses.append(USAGE)


def _may_remember(args: argparse.Namespace) -> bool:
    """Whether answers of earlier runs are wanted; who proves anew wants none."""
    return not args.no_cache and not getattr(args, "reprove", False)


def _unusual(args: argparse.Namespace) -> list[str]:
    """The options that change what is found, where they are not at their defaults."""
    words = []
    if args.engine != "auto":
        words += ["--engine", args.engine]
    if args.steps is not None:
        words += ["--steps", str(args.steps)]
    if args.no_symmetry:
        words.append("--no-symmetry")
    for folder in args.include:
        words += ["-I", str(folder)]
    return words


def _part(shard: Shard) -> list[str]:
    return [] if shard.whole else ["--shard", f"{shard.number}/{shard.of}"]


def _words(args: argparse.Namespace, every: bool) -> list[str]:
    sizes = [word for name, n in args.size for word in ("--size", f"{name}={n}")]
    claims = [word for name in args.claim for word in ("--claim", name)]
    return [
        "spte",
        "prove" if every else "check",
        *args.files,
        *sizes,
        *claims,
        *_unusual(args),
        *_part(args.shard),
    ]
