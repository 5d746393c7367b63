"""IC3: proves on its own, by clauses that no state reachable in so many steps breaks, until they hold for ever.

Frame i is a set of clauses that hold in all states reachable within i steps; frame 0 is the initial states themselves.
A cube, a conjunction of literals, that leads to a bad transition and cannot be reached from the frame before is
excluded, and with it as much as possible. Where the system is closed under renaming the elements of an index type, each
clause is learned together with all its renamings: frames are closed under renaming, too, so that what holds of one
clause holds of its orbit. NOTE(orbit)

Why a proof is one: when a frame equals its successor, its clauses hold initially, survive each step, and exclude each
bad transition. That is asked again, of a fresh solver, before anything is called proved.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

from refine.core.symmetry import mentions, symmetric_types
from refine.core.system import Kind, Property, State, System
from refine.core.trace import Event, Trace
from refine.core.types import Index
from refine.engine.bmc import CAUSES, Bounded, assumes, decline
from refine.engine.invariant import Cube, Invariant, NoAnswer, recheck, thin
from refine.engine.replay import Inconsistent, check
from refine.engine.verdict import (
    Answer,
    Cause,
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
from refine.run.eval import step as explicit_step
from refine.smt.cells import Cells, Unbounded
from refine.smt.decode import Model
from refine.smt.gates import NotBits
from refine.smt.relation import Relation
from refine.smt.sat import MANY, Clauses
from refine.smt.shape import constants
from refine.smt.solver import Budget, Reason

ORBIT = 20_000  # renamings of one clause that are learned with it, at most
HYPOTHESIS = 20  # renamings that a clause may rest on when it is asked whether it survives a step
SHORTER = 100_000  # conflicts that looking for a shorter run may cost


class _Scattered(Exception):
    """A clause with too many renamings to be learned together."""


@dataclass(frozen=True, slots=True, eq=False)
class Duty:
    """A cube to be excluded: from each of its states, `model` leads into `then`, or breaks `broken`."""

    cube: Cube
    model: Sequence[int]  # of the solver
    then: Duty | None
    broken: str


@dataclass(slots=True)
class _Frame:
    """The clauses that hold up to here and were not shown to hold further: by their least cube, all of the orbit."""

    active: int
    orbits: dict[Cube, tuple[Cube, ...]] = field(default_factory=dict)


def ic3(
    system: System,
    names: Iterable[str],
    limits: Limits,
    progress: Progress | None = None,
    *,
    symmetry: bool = True,
) -> Answer:
    """The verdicts on the properties called `names`, proved together."""
    asked = list(dict.fromkeys(names))
    properties = [system.property(name) for name in asked]
    verdicts: dict[str, Verdict] = {}
    for p in properties:
        declined = decline(p) or _decline(system, p)
        if declined is not None:
            verdicts[p.name] = declined
    left = [p for p in properties if p.name not in verdicts]
    if not left:
        return Answer(verdicts)
    try:
        search = Search(system, left, Budget(limits.resources, limits.deadline), progress, symmetry=symmetry)
    except (NotBits, Unbounded):
        why = "IC3 needs variables of finitely many values"
        return Answer(verdicts | {p.name: Unknown(why, Cause.NO_ENGINE) for p in left})
    try:
        search.run()
    except _Scattered:
        return ic3(system, asked, limits, progress, symmetry=False)
    return Answer(
        {name: (verdicts | search.verdicts)[name] for name in asked},
        depth=search.depth,
        symmetry=tuple(t.name for t in search.symmetric),
    )


def _decline(system: System, p: Property) -> Verdict | None:
    if p.kind is Kind.SATISFIABLE and assumes(system, p):
        return Unknown("IC3 does not see whether the assumptions of a step are ever met", Cause.NO_ENGINE)
    return None


class Search:
    """One run: the frames, and what is still to be decided."""

    def __init__(
        self,
        system: System,
        properties: Sequence[Property],
        budget: Budget,
        progress: Progress | None = None,
        *,
        symmetry: bool = True,
    ) -> None:
        self.verdicts: dict[str, Verdict] = {}
        self.depth = 0
        self.invariant: Invariant | None = None
        self.queries = 0
        self._system = system
        self._progress = progress
        self._budget = budget
        self._pending = {p.name: p for p in properties}
        self.cells = Cells(system)
        types = symmetric_types(system, ()).types if symmetry else ()
        self.symmetric: tuple[Index, ...] = tuple(t for t in types if self.cells.may_rename(t))
        self._swaps = [
            _both(self.cells.renamed(t, _swap(t, k))) for t in self.symmetric for k in range(t.size - 1)
        ]
        # A cell of two values, and one that names elements that may be renamed, is said to have its value; of any other
        # cell it is said which values it has not, so that clauses can leave some of them open.
        self._plain = [len(atoms) == 1 for atoms in self.cells.of]
        self._named = [any(mentions(c.type, t) for t in self.symmetric) for c in self.cells.cells]
        self._relation = Relation(system, self.cells, properties)
        for name, why in self._relation.refused.items():
            self.verdicts[name] = Unknown(why, Cause.LIMIT)
            del self._pending[name]
        self._clauses = Clauses(self._relation.blaster.gates, budget, MANY)
        self._frames: list[_Frame] = [_Frame(self._relation.start)]
        self._for_ever: dict[Cube, tuple[Cube, ...]] = {}
        self._uses: dict[int, int] = {}
        for literal in self._relation.always:
            self._clauses.add([literal])
        self._clauses.tell(self._relation.now[1:])

    # --- verdicts -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Decide everything, or as much as the budget allows."""
        try:
            if self._begin():
                self._search()
        except NoAnswer as stop:
            for name in self._pending:
                told = f"{stop.reason.value}; no run of {self.depth} steps or fewer breaks it"
                self.verdicts[name] = Unknown(told, CAUSES[stop.reason])
            self._pending.clear()

    def _begin(self) -> bool:
        """Look at the initial states; False where that is all there is to do."""
        q = self._relation
        if not self._solve([q.begins]):
            for p in self._pending.values():
                self.verdicts[p.name] = Vacuous(
                    "there is no initial state: nothing satisfies the conditions of the initial action"
                )
            self._pending.clear()
            return False
        for name in list(self._pending):
            if self._solve([q.bad_at_once[name]]):
                self._violated(name, Duty(frozenset(), self._clauses.model(), None, name))
        return bool(self._pending)

    def _search(self) -> None:
        while self._pending:
            self._tick()
            self._clear()
            if not self._pending:
                return
            if self._spread():
                self._proved()
                return
            self.depth += 1

    def _proved(self) -> None:
        asked = list(self._pending.values())
        whole = Invariant(tuple(self._for_ever.values()))
        self.invariant = thin(self._relation, asked, whole, self._budget)
        recheck(self._system, asked, self.cells, self.invariant)
        orbits = self.invariant.orbits
        clauses = sum(map(len, orbits))
        folded = f", {len(orbits)} under symmetry" if self.symmetric and clauses > len(orbits) else ""
        how = f"IC3, {clauses} clause{'' if clauses == 1 else 's'}{folded}"
        for p in self._pending.values():
            self.verdicts[p.name] = (
                Vacuous(f"no state satisfies it, by {how}") if p.kind is Kind.REACH else Proved(how)
            )
        self._pending.clear()

    def _violated(self, name: str, duty: Duty) -> None:
        """A run that breaks `name`: the chain of duties, carried out by the reference semantics."""
        p = self._pending.pop(name)
        trace = check(self._run(name, duty))
        steps = len(trace.events)
        if steps > 1:
            shorter = Bounded(self._system, [p], Budget(SHORTER, self._budget.deadline))
            shorter.run(steps - 1)
            found = shorter.verdicts.get(name)
            if isinstance(found, Violated | Reached):
                trace = found.trace
        self.verdicts[name] = Reached(trace) if p.kind is Kind.REACH else Violated(trace)

    def _run(self, name: str, duty: Duty) -> Trace:
        q, events = self._relation, []
        model = Model(q.unrolling, constants(q.inputs(duty.model), q.unrolling.terms), {})
        choices = model.binders(model.case(q.init))[1]
        here: State | None = model.state(q.init.after, model.state(q.init.before, None))
        assert here is not None, "the initial action leads somewhere"
        start, now = here, duty.then
        while now is not None:
            model = Model(q.unrolling, constants(q.inputs(now.model), q.unrolling.terms), {})
            case = model.case(q.step)
            params, chosen = model.binders(case)
            after = explicit_step(self._system, case.rule, here, params, chosen)
            if after is None:
                raise Inconsistent(f"IC3's run that breaks `{name}` cannot take `{case.rule.name}`")
            here = after
            events.append(Event(case.rule.name, params, chosen, here))
            now = now.then
        return Trace(self._system, choices, start, tuple(events), name)

    def _tick(self) -> None:
        if self._progress is not None:
            clauses = sum(len(f.orbits) for f in self._frames[1:]) + len(self._for_ever)
            self._progress(Tick("ic3", self.depth, clauses, len(self._pending)))

    # --- frames ---------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        """Exclude all that leads from the last frame to a bad transition, or find the run that it is."""
        q = self._relation
        for name in list(self._pending):
            while name in self._pending and self._solve([*self._within(self.depth), q.bad[name]]):
                model = self._clauses.model()
                cube = self._lift(q.bad[name])
                self._exclude(Duty(cube, model, None, name))

    def _exclude(self, first: Duty) -> None:
        """Show that no state within `depth` steps is in the cube, or that one is."""
        if self.depth == 0:
            self._violated(first.broken, Duty(frozenset(), first.model, first, first.broken))
            return
        order = count()
        heap: list[tuple[int, int, Duty]] = [(self.depth, next(order), first)]
        while heap:
            level, _, duty = heapq.heappop(heap)
            if self._initial(duty.cube):
                assert self._solve([self._relation.start, *(self._relation.now[x] for x in duty.cube)])
                self._violated(duty.broken, Duty(frozenset(), self._clauses.model(), duty, duty.broken))
                return
            if any(self._excluded(duty.cube, k) for k in range(level, self.depth + 1)):
                continue
            smaller = self._survives(duty.cube, level - 1)
            if smaller is None:
                model = self._clauses.model()
                cube = frozenset() if level == 1 else self._lift(self._relation.into(duty.cube))
                before = Duty(cube, model, duty, duty.broken)
                if level == 1:
                    self._violated(duty.broken, Duty(cube, model, before, duty.broken))
                    return
                heapq.heappush(heap, (level - 1, next(order), before))
                heapq.heappush(heap, (level, next(order), duty))
                continue
            cube = self._generalise(smaller, level - 1)
            while level < self.depth:
                further = self._survives(cube, level)
                if further is None:
                    break
                cube, level = further, level + 1
            self._learn(cube, level)
            if level < self.depth:
                heapq.heappush(heap, (level + 1, next(order), duty))

    def _spread(self) -> bool:
        """Carry clauses into later frames; True when some frame equals its successor."""
        while len(self._frames) <= self.depth + 1:
            self._frames.append(_Frame(self._relation.blaster.gates.free()))
        for level in range(1, self.depth + 1):
            frame = self._frames[level]
            for key, orbit in list(frame.orbits.items()):
                if key in frame.orbits and self._survives(orbit[0], level, itself=False) is not None:
                    del frame.orbits[key]
                    self._add(key, orbit, level + 1)
            if not frame.orbits:
                for later in self._frames[level + 1 :]:
                    self._for_ever |= later.orbits
                return True
        if self.depth == 0:
            return self._closed()
        return False

    def _closed(self) -> bool:
        """Whether, without any clause, nothing bad ever happens."""
        return not any(self._solve([self._relation.bad[name]]) for name in self._pending)

    def _learn(self, cube: Cube, level: int) -> None:
        orbit = self._orbit(cube, ORBIT)
        if len(orbit) > ORBIT:
            raise _Scattered
        key = min(orbit, key=sorted)
        for k in range(1, level + 1):
            for other in list(self._frames[k].orbits):
                if any(c <= other for c in orbit):
                    del self._frames[k].orbits[other]
        self._add(key, orbit, level)
        for literal in cube:
            self._uses[literal] = self._uses.get(literal, 0) + 1

    def _add(self, key: Cube, orbit: tuple[Cube, ...], level: int) -> None:
        frame = self._frames[level]
        frame.orbits[key] = orbit
        now = self._relation.now
        for cube in orbit:
            self._clauses.add([-frame.active, *(now[-x] for x in cube)])

    def _orbit(self, cube: Cube, most: int) -> tuple[Cube, ...]:
        """All renamings of a cube, itself first; more than `most` of them mean that there are too many."""
        found = {cube: None}
        todo = [cube]
        while todo:
            here = todo.pop()
            for swap in self._swaps:
                there = frozenset([swap[x] for x in here])
                if there not in found:
                    found[there] = None
                    if len(found) > most:
                        return tuple(found)
                    todo.append(there)
        return tuple(found)

    # --- cubes ----------------------------------------------------------------------------------------------

    def _excluded(self, cube: Cube, level: int) -> bool:
        """Whether some clause at this level excludes the cube, which is cheaper to see than to ask."""
        return level < len(self._frames) and any(
            other <= cube for orbit in self._frames[level].orbits.values() for other in orbit
        )

    def _initial(self, cube: Cube) -> bool:
        """Whether some initial state is in the cube."""
        q = self._relation
        if q.fixed is not None:
            return all(q.fixed[abs(x)] == (x > 0) for x in cube)
        return self._solve([q.start, *(q.now[x] for x in cube)])

    def _survives(self, cube: Cube, level: int, *, itself: bool = True) -> Cube | None:
        """Whether no step from frame `level` leads into the cube; then the part of it that this is true of, too.

        With `itself`, from outside of the cube (and its renamings). The part has no initial state.
        """
        q = self._relation
        assumed = [*self._within(level), q.fair]
        guard = 0
        if itself:
            guard = q.blaster.gates.free()
            orbit = self._orbit(cube, HYPOTHESIS) if len(cube) < 12 else (cube,)
            for other in orbit if len(orbit) <= HYPOTHESIS else (cube,):
                self._clauses.add([-guard, *(q.now[-x] for x in other)])
            assumed.append(guard)
        then = {q.after[x]: x for x in sorted(cube)}
        found = self._solve([*assumed, *then])
        if guard:
            self._clauses.add([-guard])
        if found:
            return None
        core = self._clauses.core()
        return self._apart(cube, frozenset(x for lit, x in then.items() if lit in core))

    def _apart(self, cube: Cube, part: Cube) -> Cube:
        """The part, with as many literals of the cube as keep it apart from the initial states."""
        if not self._initial(part):
            return part
        q = self._relation
        if q.fixed is not None:
            more = min((x for x in cube if q.fixed[abs(x)] != (x > 0)), key=self._rank)
            return part | {more}
        for x in sorted(cube - part, key=self._rank):
            part |= {x}
            if not self._initial(part):
                return part
        raise AssertionError("the whole cube has no initial state")

    def _generalise(self, cube: Cube, level: int) -> Cube:
        """Leave out what can be left out: whole cells first, then values one by one."""
        for n in dict.fromkeys(map(self.cells.cell, sorted(cube, key=self._rank))):
            rest = frozenset(x for x in cube if self.cells.cell(x) != n)
            if len(cube) - len(rest) > 1 and len(rest) < len(cube):
                cube = self._try(cube, rest, level)
        for x in sorted(cube, key=self._rank):
            if x in cube:
                cube = self._try(cube, cube - {x}, level)
        return cube

    def _try(self, cube: Cube, smaller: Cube, level: int) -> Cube:
        if not smaller or self._initial(smaller):
            return cube
        found = self._survives(smaller, level)
        return cube if found is None else found

    def _rank(self, literal: int) -> tuple[int, int, int]:
        """What is left out first: literals that clauses seldom have."""
        return (self._uses.get(literal, 0), abs(literal), literal)

    def _lift(self, target: int) -> Cube:
        """A cube around the state of the last answer, from each state of which the same choices reach `target`."""
        q = self._relation
        values = self._clauses.model()
        state: dict[int, int] = {}
        for atom in range(1, len(self.cells)):
            on = q.value(values, q.now[atom])
            if self._plain[self.cells.cell(atom)] or on is self._named[self.cells.cell(atom)]:
                said = atom if on else -atom
                state[q.now[said]] = said
        chosen = q.choices(values)
        found = self._solve([-target, *chosen, *state])
        assert not found, "what a state and choices lead to is certain"
        core = self._clauses.core()
        return frozenset(atom for literal, atom in state.items() if literal in core)

    # --- asking ---------------------------------------------------------------------------------------------

    def _within(self, level: int) -> list[int]:
        """What is assumed of a state that is reached within `level` steps."""
        if level == 0:
            return [self._relation.start]
        return [frame.active for frame in self._frames[level:]]

    def _solve(self, assumed: Sequence[int]) -> bool:
        self.queries += 1
        found = self._clauses.solve(assumed)
        if isinstance(found, Reason):
            raise NoAnswer(found)
        return found


def _both(renamed: Sequence[int]) -> list[int]:
    """By literal, counted from the end where it is negative, what it becomes."""
    return [*renamed, *(-x for x in reversed(renamed[1:]))]


def _swap(index: Index, k: int) -> list[int]:
    to = list(range(index.size))
    to[k], to[k + 1] = k + 1, k
    return to
