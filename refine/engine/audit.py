"""The audit: what becomes of claims when a protocol is edited. Broken at some size, proved at all sizes, or unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from refine.core.system import Kind, Property, System
from refine.core.trace import Trace
from refine.engine.decide import Mode, Sizes, extent
from refine.engine.known import Memory, ask
from refine.engine.vacuity import Occurrence, with_occurrences
from refine.engine.verdict import Cause, Limits, Progress, Proved, Reached, Unknown, Vacuous, Violated
from refine.lang.edits import NO_EDITS, Edits
from refine.lang.load import Loaded
from refine.lang.lower import lower_whole
from refine.text.diag import Diagnostic, Reporter, Severity

LOOKS = (20_000, 200_000)  # states


@dataclass(frozen=True, slots=True)
class Case:
    """A protocol with edits, and the sizes at which it is asked."""

    loaded: Loaded
    rows: tuple[Sizes, ...]
    edits: Edits = NO_EDITS

    def system(self, row: Sizes) -> System:
        """The edited system at one size; `Misfit` where the edits do not fit."""
        reporter = Reporter()
        made = lower_whole(self.loaded, dict(row), reporter, self.edits)
        if made is None:
            raise Misfit(tuple(d for d in reporter.sorted() if d.severity is Severity.ERROR))
        return made.system


class Misfit(Exception):
    """The edited file has errors."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__()
        self.diagnostics = diagnostics


@dataclass(frozen=True, slots=True)
class How:
    """How to answer."""

    limits: Limits
    mode: Mode = "auto"
    symmetry: bool = True
    progress: Progress | None = None
    memory: Memory | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """A claim that breaks: at which size, and the shortest run there."""

    sizes: Sizes
    trace: Trace

    @property
    def steps(self) -> int:
        return len(self.trace.events)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of the claims of an edited protocol."""

    broken: Mapping[str, Loss]
    proved: frozenset[str]  # at every size asked
    unknown: Mapping[str, str]  # why
    asked: tuple[Sizes, ...]  # the sizes looked at
    states: int = 0
    interrupted: bool = False

    def lost(self, names: Iterable[str]) -> dict[str, Loss]:
        return {name: self.broken[name] for name in names if name in self.broken}


@dataclass(slots=True)
class _Ledger:
    """What is known so far, over sizes."""

    broken: dict[str, Loss] = field(default_factory=dict)
    proved: dict[str, set[Sizes]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    states: int = 0
    interrupted: bool = False


def smallest_first(rows: Iterable[Sizes]) -> tuple[Sizes, ...]:
    """Sizes in the order in which a run is looked for."""
    return tuple(sorted(rows, key=extent))


def fate(
    case: Case,
    targets: Sequence[str],
    how: How,
    *,
    within: int | None = None,
    whole: bool = False,
    free: bool = False,
    patient: bool = True,
    one: bool = False,
) -> Fate:
    """Look for runs that break all targets, at one size after the other; what else breaks is told.

    `within`: runs of at most so many steps are wanted, so that a longer one does not end the search over sizes.
    `whole`: at each size all claims are decided, not only the targets, and the first size with a loss is the last.
    `one`: the first size at which a target is lost is the last. `free`: all free claims count as targets.
    `patient`: a run is expected at some size, more than a proof at all.
    """
    ledger = _Ledger()
    asked: dict[Sizes, System] = {}
    wanted = list(targets)
    for row, here in _visits(case.rows, how, patient=patient and not whole):
        system = asked.get(row) or case.system(row)
        names = _names(system, targets, free=free)
        wanted = names if whole else _targets(system, targets, free=free)
        left = [
            n
            for n in wanted
            if n not in ledger.broken or (within is not None and ledger.broken[n].steps > within)
        ]
        lost = ledger.broken if whole else ledger.broken.keys() & set(wanted)
        if not left or ledger.interrupted or ((whole or one) and lost):
            break
        asked[row] = system
        if all(row in ledger.proved.get(n, ()) for n in left):
            continue
        limits = here.limits if whole else replace(here.limits, enough=frozenset(left))
        decision = ask(system, names, limits, here.progress, here.mode, here.symmetry, here.memory)
        ledger.states += decision.answer.states or 0
        ledger.interrupted |= decision.interrupted
        _enter(ledger, row, decision.answer.verdicts, set(left))
    proved = {n for n, at in ledger.proved.items() if at >= asked.keys() and n not in ledger.broken}
    unknown = {
        n: ledger.unknown.get(n, "not asked at every size")
        for n in wanted
        if n not in proved | ledger.broken.keys()
    }
    return Fate(ledger.broken, frozenset(proved), unknown, tuple(asked), ledger.states, ledger.interrupted)


def _visits(rows: Iterable[Sizes], how: How, *, patient: bool) -> Iterator[tuple[Sizes, How]]:
    """Yield sizes, and how to ask there. Who is patient looks at a few states of each first, then at more, then at all.

    What is looked for at all sizes, and met at some, is then seldom looked for among all states of another.
    """
    rows = smallest_first(rows)
    if patient and len(rows) > 1 and how.mode in ("auto", "explore"):
        for states in LOOKS:
            if states < how.limits.states:
                look = replace(how, mode="explore", limits=replace(how.limits, states=states))
                yield from ((row, look) for row in rows)
    yield from ((row, how) for row in rows)


def _targets(system: System, targets: Sequence[str], *, free: bool) -> list[str]:
    return [
        p.name
        for p in system.properties
        if p.name in targets or _part(p, targets) or (free and p.role == "free")
    ]


def _part(p: Property, targets: Iterable[str]) -> bool:
    """Whether a property is one of several that a free claim consists of."""
    return p.kind is Kind.SATISFIABLE and "satisfiable" in targets


def _names(system: System, targets: Sequence[str], *, free: bool) -> list[str]:
    """What is asked: the targets, all claims, and what is undefined, since a fault ends a run."""
    return [
        p.name
        for p in system.properties
        if p.name in targets
        or _part(p, targets)
        or p.role == "claim"
        or p.kind is Kind.FAULT
        or (free and p.role == "free")
    ]


def _enter(ledger: _Ledger, row: Sizes, verdicts: Mapping[str, object], targets: set[str]) -> None:
    for name, verdict in verdicts.items():
        match verdict:
            case Violated(trace):
                known = ledger.broken.get(name)
                if known is None or len(trace.events) < known.steps:
                    ledger.broken[name] = Loss(row, trace)
            case Proved():
                ledger.proved.setdefault(name, set()).add(row)
            case Unknown() if name in targets:
                ledger.unknown[name] = verdict.why
            case Vacuous(why) if name in targets:
                ledger.unknown[name] = f"vacuous: {why}"
            case _ if name in targets:
                ledger.unknown[name] = "holds only up to some number of steps"
            case _:
                pass


# --- what no longer happens -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Happens:
    """Which occurrences were met in some run, which are proved never to be at any size, and which are open."""

    met: frozenset[str]
    never: tuple[Occurrence, ...]
    open: Mapping[str, str]
    interrupted: bool = False


def happenings(case: Case, how: How, must: Callable[[Occurrence], bool] = lambda _: True) -> Happens:
    """See whether all that `must` happens at some size; asked is also whatever the file wants reached."""
    met: set[str] = set()
    never: dict[str, set[Sizes]] = {}
    open_: dict[str, str] = {}
    known: dict[str, Occurrence] = {}
    there: dict[str, set[Sizes]] = {}  # at which sizes something might happen
    systems: dict[Sizes, System] = {}
    interrupted = False
    for row, here in _visits(case.rows, how, patient=True):
        if row not in systems:
            systems[row], occurrences = with_occurrences(case.system(row))
            for one in filter(must, (*occurrences, *_wanted(systems[row]))):
                known[one.name] = one
                there.setdefault(one.name, set()).add(row)
        left = [n for n in known if n not in met and row in there[n] - never.get(n, set())]
        if interrupted or (len(systems) == len(case.rows) and known.keys() <= met):
            break
        if not left:
            continue
        decision = ask(systems[row], left, here.limits, here.progress, here.mode, here.symmetry, here.memory)
        interrupted |= decision.interrupted
        for name, verdict in decision.answer.verdicts.items():
            match verdict:
                case Reached() | Violated():
                    met.add(name)
                case Vacuous() | Proved():
                    never.setdefault(name, set()).add(row)
                case Unknown(why):
                    open_[name] = why
                case _:
                    open_[name] = "not met within a bound"
    whole = len(systems) == len(case.rows)
    gone = tuple(o for n, o in known.items() if whole and n not in met and never.get(n) == there[n])
    rest = {
        n: open_.get(n, Cause.UNDECIDED) for n in known if n not in met and n not in {o.name for o in gone}
    }
    return Happens(frozenset(met), gone, rest, interrupted)


def _wanted(system: System) -> Iterator[Occurrence]:
    for p in system.properties:
        if p.kind is Kind.REACH and p.role == "reach":
            yield Occurrence(p.name, "reach", p.name)


def masked(case: Case, base: Case, fate_: Fate, how: How) -> tuple[str, ...]:
    """What happens in the protocol and no longer in the edited one, so that a proof there may say less than it seems.

    Also what the edited protocol executes that is undefined: runs end there.
    """
    lost = fate_.broken.get("defined")
    if lost is not None:
        return (f"a run ends at step {lost.trace.events[-1].rule}, which is undefined",)
    after = happenings(case, how, lambda one: one.what != "left side")
    suspects = {one.name for one in after.never} | after.open.keys()
    if not suspects and not after.interrupted:
        return ()
    before = happenings(base, how, lambda one: one.name in suspects)
    if after.interrupted or before.interrupted:
        return (Cause.INTERRUPTED,)
    return tuple(f"{name} no longer happens" for name in sorted(before.met))
