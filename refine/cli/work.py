"""One job, a file at one size: from the syntax tree to verdicts; both can be sent to another process."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import FrameType, TracebackType
from typing import Any, Self

from refine.cli.cache import Cache, Shelf
from refine.cli.status import CONTRADICTION, OK, UNKNOWN
from refine.cli.trouble import details, sentence
from refine.engine.audit import Case, How, Misfit
from refine.engine.decide import Mode, Sizes
from refine.engine.items import Changed, Dropped, InEra, Item, Tried
from refine.engine.judge import judge
from refine.engine.known import ask
from refine.engine.replay import Inconsistent
from refine.engine.verdict import Cause, Limits, Tick
from refine.lang.edited import check_edited
from refine.lang.load import Loaded
from refine.lang.lower import lower_whole
from refine.report.audit import Row, row
from refine.report.result import SizeResult, size_result
from refine.text.diag import Diagnostic, Reporter

Progress = Callable[[Tick], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How to answer."""

    mode: Mode = "auto"
    symmetry: bool = True
    states: int = 5_000_000
    steps: int | None = None
    timeout: float | None = None
    claims: tuple[str, ...] = ()  # none: everything


@dataclass(frozen=True, slots=True)
class Job:
    """What to answer: all claims of a file at one size, or one `item` of its audit at the sizes in `rows`.

    `reproduce` is the command that asks the same, without `--claim`. `typed`: mutants and variants are typed, too.
    """

    loaded: Loaded
    name: str
    sizes: Sizes
    options: Options
    reproduce: tuple[str, ...]
    rows: tuple[Sizes, ...] = ()
    item: Item | None = None
    typed: bool = False
    shelf: Shelf | None = None  # where answers of earlier runs are

    @property
    def audits(self) -> bool:
        return self.item is not None

    @property
    def library(self) -> bool:
        return self.loaded.file.role == "library"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job; `trouble` says why there is no result, `status` what it makes the exit status."""

    result: SizeResult | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    known: tuple[str, ...] = ()  # what could have been asked for
    trouble: str = ""
    status: int = OK
    details: str = ""
    rows: tuple[Row, ...] = ()
    text: str = ""  # a certificate that was made
    notes: tuple[str, ...] = ()  # what is to be told of the cache
    kept: bool = False  # whether something was written there

    @property
    def interrupted(self) -> bool:
        in_audit = any(row.verdict == "unknown" and row.why == Cause.INTERRUPTED for row in self.rows)
        return in_audit or (self.result is not None and self.result.interrupted)


class Interrupts:
    """Turns the first Ctrl-C into `seen`, and an exception only while work is done; the second one kills."""

    def __init__(self, again: bool = True) -> None:
        """Let a second signal have its usual effect where `again` is set, or else none."""
        self.seen = False
        self._armed = False
        self._again = again
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Take over from the handlers that are installed."""
        with contextlib.suppress(ValueError):  # only the main thread has handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.seen:
            return
        self.seen = True
        if self._again:
            signal.signal(number, signal.SIG_DFL)  # the next one is not even delivered to Python
        if self._armed:
            raise KeyboardInterrupt

    def perform(self, job: Job, progress: Progress) -> Done:
        """Do a job; an interruption ends it with what was found so far."""
        self._armed = True
        try:
            done = perform(job, progress)
        except KeyboardInterrupt:
            return Done(trouble="interrupted", status=UNKNOWN)
        finally:
            self._armed = False
        # A solver catches the signal itself, and only says so.
        self.seen |= done.interrupted
        return done


def perform(job: Job, progress: Progress) -> Done:
    """Lower, decide, and put the result into plain data. Nothing but an interruption leaves this function."""
    began = time.monotonic()
    memory = None if job.shelf is None else Cache(job.shelf)
    done = _guarded(job, progress, memory)
    if memory is not None:
        done = replace(done, notes=tuple(memory.notes), kept=memory.written > 0)
    seconds = time.monotonic() - began
    rows = tuple(replace(one, seconds=seconds / len(done.rows)) for one in done.rows)
    result = None if done.result is None else replace(done.result, seconds=seconds)
    return replace(done, result=result, rows=rows)


def _guarded(job: Job, progress: Progress, memory: Cache | None) -> Done:
    try:
        if job.item is None:
            return _perform(job, progress, memory)
        return _audit(job, job.item, progress, memory)
    except Misfit as misfit:
        if isinstance(job.item, Tried):  # nobody declared it: what does not even lower was no protocol
            return Done()
        return Done(diagnostics=misfit.diagnostics)
    except Inconsistent as error:
        return Done(trouble=f"the tool contradicts itself: {error}; please report it", status=CONTRADICTION)
    except MemoryError:
        return Done(trouble="out of memory", status=UNKNOWN)
    except Exception as error:  # noqa: BLE001  (the boundary: what no one expected becomes one sentence)
        return Done(trouble=sentence(error), status=CONTRADICTION, details=details(error))


def _perform(job: Job, progress: Progress, memory: Cache | None) -> Done:
    reporter, limits = Reporter(), _limits(job.options)
    made = lower_whole(job.loaded, dict(job.sizes), reporter)
    if made is not None and job.typed:
        check_edited(job.loaded, reporter, made)
    if made is None or job.library or reporter.has_errors:
        return Done(diagnostics=reporter.sorted())
    system, options = made.system, job.options
    known = tuple(p.name for p in system.properties)
    names = [name for name in known if not options.claims or name in options.claims]
    decision = ask(system, names, limits, progress, options.mode, options.symmetry, memory)
    return Done(size_result(system, decision, job.reproduce), reporter.sorted(), known)


def _audit(job: Job, item: Item, progress: Progress, memory: Cache | None) -> Done:
    """Judge one item of a file's audit."""
    options = job.options
    how = How(_limits(options), options.mode, options.symmetry, progress, memory)
    found = judge(Case(job.loaded, job.rows), item, how)
    cached = memory is not None and memory.answered_all
    rows = tuple(replace(row(j, (*job.reproduce, *_edit_words(item))), cached=cached) for j in found)
    return Done(rows=rows, text=next((j.text for j in found if j.text), ""))


def _limits(options: Options) -> Limits:
    deadline = None if options.timeout is None else time.monotonic() + options.timeout
    return Limits(options.states, options.steps, deadline=deadline)


def _edit_words(item: Item) -> tuple[str, ...]:
    """The options of `spte ask` that make an item's edits."""
    match item:
        case Dropped(uses=uses, kind="together"):
            return tuple(word for use in uses for word in ("--drop", use.name))
        case Dropped(uses=uses):
            return ("--drop", uses[0].name)
        case Changed(role, name):
            return (f"--{role}", name)
        case InEra(variant=variant, name=name):
            return ("--variant", variant, "--drop", name)
        case _:
            return ()
