"""Invariants: clauses that hold for ever, made irredundant, and asked again of a solver that has seen nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from refine.core.system import Property, System
from refine.engine.replay import Inconsistent
from refine.smt.cells import Cells
from refine.smt.relation import Relation, claimed
from refine.smt.sat import MANY, Clauses, SatSolver
from refine.smt.solver import Budget, Reason, Status
from refine.smt.term import Term
from refine.smt.unroll import Frame, Unrolling

Cube: TypeAlias = frozenset[int]  # literals of `Cells`: all of them hold


class NoAnswer(Exception):
    """The budget is used up, or somebody has interrupted."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Invariant:
    """What a proof consists of: clauses, each given by the cubes of its orbit, which it excludes."""

    orbits: tuple[tuple[Cube, ...], ...]


def thin(relation: Relation, properties: Sequence[Property], whole: Invariant, budget: Budget) -> Invariant:
    """A part of `whole` that proves the same and of which nothing can be left out, by orbits.

    Raises `NoAnswer` when the budget is used up.
    """
    return _Thinning(relation, properties, whole, budget).thin()


class _Thinning:
    """What each thing that is to be shown needs; things are numbers of orbits, or names of properties."""

    def __init__(
        self, relation: Relation, properties: Sequence[Property], whole: Invariant, budget: Budget
    ) -> None:
        self._relation = relation
        self._whole = whole
        self._clauses = Clauses(relation.blaster.gates, budget, MANY)
        for literal in (*relation.always, *(relation.good[p.name] for p in properties)):
            self._clauses.add([literal])
        self._active = [relation.blaster.gates.free() for _ in whole.orbits]
        self._number = {literal: n for n, literal in enumerate(self._active)}
        for active, orbit in zip(self._active, whole.orbits, strict=True):
            for cube in orbit:
                self._clauses.add([-active, *(relation.now[-x] for x in cube)])
        self._claims = [p.name for p in properties]
        self._needs: dict[int | str, frozenset[int]] = {}

    def thin(self) -> Invariant:
        kept = set(range(len(self._whole.orbits)))
        kept = self._used(kept)
        before = -1
        while before != len(kept):
            before = len(kept)
            for n in sorted(kept, key=lambda n: (-len(self._whole.orbits[n]), n)):
                kept = self._without(n, kept)
        return Invariant(tuple(self._whole.orbits[n] for n in sorted(kept)))

    def _used(self, kept: set[int]) -> set[int]:
        """What the claims need, and what that needs."""
        todo: list[int | str] = [*self._claims]
        used: set[int] = set()
        while todo:
            here = todo.pop()
            needs = self._ask(here, used) or self._ask(here, kept)
            if needs is None:
                raise Inconsistent("what IC3 ends with is no invariant")
            self._needs[here] = needs
            todo += sorted(needs - used)
            used |= needs
        return used

    def _without(self, n: int, kept: set[int]) -> set[int]:
        """What is left without `n`, if that is enough."""
        rest, needs = kept - {n}, dict(self._needs)
        del needs[n]
        for here, needed in self._needs.items():
            if n in needed and here != n:
                found = self._ask(here, rest)
                if found is None:
                    return kept
                needs[here] = found
        self._needs = needs
        return rest

    def _ask(self, here: int | str, given: set[int]) -> frozenset[int] | None:
        """What of `given` a claim, or a clause in the next state, follows from; None if it does not."""
        q = self._relation
        if isinstance(here, str):
            goal = [q.bad[here]]
        else:
            goal = [q.fair, *(q.after[x] for x in sorted(self._whole.orbits[here][0]))]
        found = self._clauses.solve([*(self._active[n] for n in sorted(given)), *goal])
        if isinstance(found, Reason):
            raise NoAnswer(found)
        if found:
            return None
        return frozenset(self._number[x] for x in self._clauses.core() if x in self._number)


def recheck(system: System, properties: Sequence[Property], cells: Cells, invariant: Invariant) -> None:
    """Ask a fresh solver whether an invariant holds initially, survives each step and excludes what is bad.

    Of each orbit one clause is asked about, where all hold: NOTE(orbit). Raises `Inconsistent` where it does not.
    """
    unrolling = Unrolling(system)
    terms, solver, first = unrolling.terms, SatSolver(Budget(), MANY), SatSolver(Budget(), MANY)
    frame, conds = unrolling.arbitrary("0")
    init, step = unrolling.initial(), unrolling.step(frame, "1")
    all_of_them = [cube for orbit in invariant.orbits for cube in orbit]
    each_orbit = [orbit[0] for orbit in invariant.orbits]

    def clauses(of: Frame, cubes: Iterable[Cube]) -> list[Term]:
        atoms = [terms.true, *(of.encoder.truth(cells.saying(a)) for a in range(1, len(cells)))]
        return [terms.or_(terms.not_(atoms[x]) if x > 0 else atoms[-x] for x in cube) for cube in cubes]

    for condition in init.possible:
        first.add(condition)
    at_once = [unrolling.bad(p, None, init.after) for p in properties]
    fine = terms.or_((init.after.faulted, terms.and_(clauses(init.after, all_of_them))))
    if any(first.check([x]).status is not Status.UNSAT for x in (*at_once, terms.not_(fine))):
        raise Inconsistent("the invariant that IC3 found does not hold of all initial states")

    good = (claimed(p, frame) for p in properties)
    for condition in (*conds, *good, *clauses(frame, all_of_them), *step.possible):
        solver.add(condition)
    bad = [unrolling.bad(p, step, step.after) for p in properties]
    lost = [
        terms.and_((terms.not_(step.after.faulted), terms.not_(c))) for c in clauses(step.after, each_orbit)
    ]
    if any(solver.check([x]).status is not Status.UNSAT for x in (*bad, *lost)):
        raise Inconsistent("the invariant that IC3 found does not survive a step")
