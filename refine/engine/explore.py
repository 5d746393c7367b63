"""Explicit search: breadth first over packed states, one search for all properties, shortest runs, exact counts.

A state with a fault is counted and not expanded. The search goes on after a violation until every property has an
answer. Every run that it returns has been replayed by the reference semantics.

An assumption inside a rule need only be satisfiable in one reachable state: a SATISFIABLE property is about the
`havoc`s of its rule, and is vacuous where the rule's guard holds in some state but its assumptions never do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from refine.core.symmetry import Symmetry, symmetric_types
from refine.core.system import Kind, Property, System
from refine.engine.runs import Runs
from refine.engine.verdict import (
    Answer,
    Cause,
    HoldsUpTo,
    Limits,
    Progress,
    Proved,
    Reached,
    Tick,
    Unknown,
    Vacuous,
    Verdict,
    Violated,
)
from refine.run.canon import Canon
from refine.run.compile import Program, compile_system
from refine.run.eval import Refused
from refine.run.stuck import Renaming, stuck_threads

CHUNK, CHUNK_REDUCED = 8192, 2048  # states between two looks at the clock, at most
CROWD = 512  # states that are made canonical together, at least
TRIED = 1 << 20  # combinations of choices in between, about


def explore(
    system: System,
    names: Sequence[str] | None,
    limits: Limits,
    progress: Progress | None = None,
    *,
    symmetry: bool = True,
) -> Answer:
    """Decide the properties called `names`, or all, by looking at every reachable state."""
    asked = system.properties if names is None else tuple(system.property(name) for name in names)
    symmetric = symmetric_types(system, asked) if symmetry else Symmetry((), ())
    try:
        canon = Canon(system, symmetric.types) if symmetric.types else None
        program = compile_system(system, asked)
    except (Refused, KeyboardInterrupt) as stopped:
        refused = isinstance(stopped, Refused)
        no = Unknown(str(stopped), Cause.UNDECIDED) if refused else Unknown("interrupted", Cause.INTERRUPTED)
        return Answer({p.name: LIVENESS if p.kind is Kind.LIVENESS else no for p in asked})
    search = Search(program, asked, limits, progress, canon)
    search.run()
    return _Verdicts(search, symmetric.notes).answer()


LIVENESS = Unknown("what happens eventually, `refine.engine.live` decides", Cause.NO_ENGINE)


class OutOfTime(Exception):
    """The deadline has passed while something was worked out from a search."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a search ended before all was seen; no cause where there was nothing left to ask."""

    why: str
    cause: str = ""


@dataclass(slots=True)
class Search:
    """One search, and all it finds."""

    program: Program
    asked: Sequence[Property]
    limits: Limits
    progress: Progress | None = None
    canon: Canon | None = None
    seen: dict[int, int] = field(default_factory=dict)  # each state's parent, in the order of discovery
    found: dict[int, int] = field(default_factory=dict)  # by question, the first state that answers it
    held: list[int] = field(default_factory=list)  # where threads are held up, as `expand` writes it
    failed: list[int] = field(default_factory=list)  # states with a fault, in the order of discovery
    transitions: int = 0
    depth: int = 0  # every state at this distance from the initial ones is known
    bounded: bool = False  # ended at `limits.steps`, with more to come
    halt: Halt | None = None
    _front: list[int] = field(default_factory=list)  # the states at this depth without a fault
    _position: int = 0  # how many of them have been expanded
    _following: list[int] = field(default_factory=list)  # states one step further
    _done: tuple[set[int], ...] = ()  # what the program remembers to have asked
    _forms: dict[int, int] = field(default_factory=dict)  # under symmetry, by successor
    _together: Callable[[Sequence[int]], list[int]] | None = None  # makes many states canonical

    @property
    def complete(self) -> bool:
        return self.halt is None and not self.bounded

    @property
    def waiting(self) -> list[int]:
        """The states that have not been expanded."""
        return self._front[self._position :] + self._following

    @property
    def renaming(self) -> Renaming | None:
        return None if self.canon is None else Renaming(self.canon, self._forms)

    def run(self) -> None:
        """Search until everything is known, nothing is left to ask, or a limit is met."""
        self._done = tuple(set() for _ in range(self.program.memories))
        try:
            self._search()
        except KeyboardInterrupt:
            self.halt = Halt("interrupted", Cause.INTERRUPTED)

    def _search(self) -> None:
        known = self.seen if self.canon is None else self._forms
        size = min(CHUNK if self.canon is None else CHUNK_REDUCED, max(1, TRIED // self.program.choices))
        expand, held = self.program.expand, self.held
        self._take(partial(self.program.init, known), self._front)
        while self._front:
            if self.depth == self.limits.steps:
                self._look_at_last(known)
                return
            faults = len(self.failed)
            while self._position < len(self._front):
                chunk = self._front[self._position : self._position + size]
                fired = self._take(partial(expand, chunk, known), self._following, held, self._done)
                self.transitions += fired
                self._position += len(chunk)
                if self.progress is not None:
                    self.progress(Tick("explore", self.depth, len(self.seen), len(self.waiting)))
                if self._halts():
                    return
            self.depth += bool(self._following) or len(self.failed) > faults
            self._front, self._following, self._position = self._following, [], 0

    def _take(self, find: Callable[..., int], front: list[int], *more: object) -> int:
        """Find new states, and put them at the end of a front; return the number of transitions."""
        if self.canon is None:
            return find(front.append, self.failed.append, self.found, *more)
        # Here what is found are new members of orbits, and each has its parent where its canonical form is to be.
        forms, seen, fault = self._forms, self.seen, self.program.layout.bits
        raw: list[int] = []
        try:
            fired = find(raw.append, raw.append, self.found, *more)
            for packed, least in zip(raw, self._canonical(raw), strict=True):
                if least not in seen:
                    seen[least] = forms[packed]
                    (self.failed if least >> fault else front).append(least)
                forms[packed] = least
        except KeyboardInterrupt:
            for packed in raw:
                forms.pop(packed, None)
            raise
        return fired

    def _canonical(self, states: list[int]) -> list[int]:
        """Return canonical forms, in order."""
        assert self.canon is not None, "there is symmetry"
        if len(states) < CROWD:
            return [self.canon(packed) for packed in states]
        if self._together is None:
            from refine.run.crowd import together  # its library takes longer to load than a small search

            self._together = together(self.canon)
        return self._together(states)

    def _halts(self) -> bool:
        if self._position == len(self._front) and not self._following:
            return False
        if self._all_answered():
            self.halt = Halt("everything that was to be known is")
        elif len(self.seen) > self.limits.states:
            self.halt = Halt(f"more than {self.limits.states} states", Cause.LIMIT)
        elif self.limits.deadline is not None and time.monotonic() > self.limits.deadline:
            self.halt = Halt("out of time", Cause.TIMEOUT)
        return self.halt is not None

    def _all_answered(self) -> bool:
        enough = self.limits.enough
        for k, p in enumerate(self.asked):
            if enough and p.name not in enough:
                continue
            if p.kind is Kind.STUCK or (p.kind is Kind.FAULT and self.failure(p) is None):
                return False
            if p.kind not in (Kind.FAULT, Kind.LIVENESS) and k not in self.found:
                return False
        return True

    def failure(self, p: Property) -> int | None:
        """Return the first state whose fault a FAULT property counts."""
        bits = self.program.layout.bits
        return next((s for s in self.failed if (s >> bits) - 1 in p.places), None)

    def _look_at_last(self, known: Container[int]) -> None:
        """Ask the questions about the states at the last depth allowed, and see whether there are more."""
        beyond = _Beyond(known, self.seen, self.canon)
        found: dict[int, int] = {}
        fired = self.program.expand(self._front, beyond, None, None, found, self.held, self._done)
        self.bounded = beyond.more
        steps = {k for k, p in enumerate(self.asked) if p.kind is Kind.STEP and self.bounded}
        for k, state in found.items():
            if k not in steps:
                self.found.setdefault(k, state)
        if not self.bounded:
            self.transitions += fired
            self._front = []


class _Beyond:
    """Stands in for the states that are known, keeps none, and remembers whether there was a new one."""

    def __init__(self, known: Container[int], seen: Container[int], canon: Canon | None) -> None:
        self.known = known
        self.seen = seen
        self.canon = canon
        self.more = False

    def __contains__(self, packed: int) -> bool:
        if not self.more and packed not in self.known:
            self.more = self.canon is None or self.canon(packed) not in self.seen
        return True


class _Verdicts:
    """Turns what a search has found into verdicts."""

    def __init__(self, search: Search, notes: tuple[str, ...]) -> None:
        self.search = search
        self.notes = notes
        self.runs = Runs(search.program, search.seen, search.canon)

    def answer(self) -> Answer:
        search = self.search
        verdicts = {p.name: self._unless_interrupted(k, p) for k, p in enumerate(search.asked)}
        types = () if search.canon is None else tuple(map(str, search.canon.types))
        return Answer(
            verdicts,
            states=len(search.seen),
            transitions=search.transitions,
            depth=search.depth,
            symmetry=types,
            complete=search.complete,
            notes=self.notes,
        )

    def _unless_interrupted(self, k: int, p: Property) -> Verdict:
        try:
            return self._verdict(k, p)
        except KeyboardInterrupt:
            return Unknown("interrupted", Cause.INTERRUPTED)

    def _verdict(self, k: int, p: Property) -> Verdict:
        search = self.search
        if p.kind is Kind.LIVENESS:
            return LIVENESS
        if p.kind is Kind.STUCK:
            return self._stuck(p)
        state = search.failure(p) if p.kind is Kind.FAULT else search.found.get(k)
        if state is not None:
            run = self.runs.to(state, p)
            return Reached(run) if p.kind is Kind.REACH else Violated(run)
        if search.complete and not search.seen:
            return Vacuous("there is no initial state")
        if search.complete and p.kind is Kind.REACH:
            return Vacuous("no reachable state satisfies it")
        if search.complete and p.kind is Kind.SATISFIABLE:
            program = search.program
            if program.reached.get(k) in search.found and program.met[k] not in search.found:
                assert p.of is not None, "a SATISFIABLE property names its rule"
                return Vacuous(f"the assumptions of `{p.of[0]}` are never met")
        return self._not_refuted(p)

    def _not_refuted(self, p: Property) -> Verdict:
        search = self.search
        if search.complete:
            types = () if search.canon is None else tuple(map(str, search.canon.types))
            renamed = f" up to renaming of {', '.join(types)}" if types else ""
            return Proved(f"all {len(search.seen)} states{renamed}")
        if search.halt is not None:
            done = f"after {len(search.seen)} states; every run of {search.depth} steps was seen"
            return Unknown(f"{search.halt.why}, {done}", search.halt.cause)
        if p.kind is Kind.REACH:
            return Unknown(f"not reached within {search.depth} steps", Cause.LIMIT)
        return HoldsUpTo(search.depth)

    def _stuck(self, p: Property) -> Verdict:
        """Decide whether some thread is stuck: surely, as what was not seen might free it."""
        search = self.search
        if search.complete and not search.seen:
            return Vacuous("there is no initial state")
        try:
            for state, mask in self._stuck_threads(hope=True):
                return Violated(self.runs.to(state, p, mask))
            if search.bounded:
                for _ in self._stuck_threads(hope=False):
                    why = f"a thread that is held up may go on after {search.depth} steps, or not"
                    return Unknown(why, Cause.LIMIT)
        except OutOfTime:
            return Unknown("out of time while looking for stuck threads", Cause.TIMEOUT)
        return self._not_refuted(p)

    def _stuck_threads(self, *, hope: bool) -> Iterator[tuple[int, int]]:
        search = self.search
        waiting = () if search.bounded else search.waiting
        return stuck_threads(
            search.program, search.seen, search.held, waiting, search.renaming, hope=hope, pause=self._pause
        )

    def _pause(self) -> None:
        deadline = self.search.limits.deadline
        if deadline is not None and time.monotonic() > deadline:
            raise OutOfTime
