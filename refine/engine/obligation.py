"""What a certificate obliges to, in terms: that what it says holds at first, and survives each step.

For some k: every state of a run from an initial one satisfies all claims and sentences, if fewer than k steps lead to
it; and if k states one after the other, the first of them any state, satisfy all, so does each state that a step leads
to from the last of them. So all hold for ever: a shortest run that breaks something has at least k steps, so that the
k states before its last satisfy all. `simple`: these k states are different ones, as they are in a shortest run, from
which what lies between two equal ones could be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from refine.core.system import Kind, Property, System
from refine.engine.bmc import assumes
from refine.lang.invariant import Reader, Unreadable
from refine.smt.sat import MANY, SatSolver
from refine.smt.solver import Budget, Solver, Status, Z3Solver
from refine.smt.term import Term
from refine.smt.text import script
from refine.smt.unroll import Frame, Step, Unrolling

Outcome = Literal["holds", "fails", "unknown"]

SAFETY = (Kind.STATE, Kind.STEP, Kind.FAULT, Kind.SATISFIABLE)
MOST_STEPS = 16  # k of a certificate: each is a copy of all rules


def certifiable(system: System) -> list[Property]:
    """The claims that an invariant can prove."""
    return [
        p
        for p in system.properties
        if p.kind in SAFETY and not (p.kind is Kind.SATISFIABLE and assumes(system, p))
    ]


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be unsatisfiable; `where`: what is wrong where it is not, in words after 'what it says'."""

    where: str
    about: str
    given: tuple[Term, ...]
    bad: tuple[Term, ...]


class Obligation:
    """That claims and sentences together hold in the first `k` states of a run, and survive a step from `k` such."""

    def __init__(
        self,
        system: System,
        claims: Sequence[str],
        sentences: Sequence[str],
        k: int = 1,
        *,
        simple: bool = False,
    ) -> None:
        known = {p.name: p for p in certifiable(system)}
        missing = [name for name in claims if name not in known]
        if missing:
            raise Unreadable(f"no invariant proves '{missing[0]}'")
        if not 1 <= k <= MOST_STEPS:
            raise Unreadable(f"k is a number from 1 to {MOST_STEPS}, and not {k}")
        self._claims = [known[name] for name in claims]
        reader = Reader(system)
        self.sentences = tuple(reader.of(text) for text in sentences)
        self._texts = tuple(sentences)
        self._unrolling = Unrolling(system)
        self._terms = self._unrolling.terms
        self.exact = self._unrolling.exact
        self.first = self._begin(k)
        self.next = self._go_on(k, simple=simple)

    def solver(self, budget: Budget) -> Solver:
        """The fastest one for these questions."""
        return Z3Solver(budget, exact=True) if self.exact else SatSolver(budget, MANY)

    # --- questions --------------------------------------------------------------------------------------------

    def _begin(self, k: int) -> list[Question]:
        """That a state is bad to which 0, 1, … k - 1 steps lead: each by itself, since a run may end there."""
        where = "does not hold initially" if k == 1 else f"does not hold in the first {k} states"
        found, step = [], self._unrolling.initial()
        given = [*step.possible]
        for n in range(k):
            if n:
                step = self._unrolling.step(step.after, f"init{n}")
                given += step.possible
            about = f"something is false {'initially' if n == 0 else f'in state {n + 1}'}"
            found.append(
                Question(where, about, tuple(given), tuple(self._bad(step if n else None, step.after)))
            )
        return found

    def _go_on(self, k: int, *, simple: bool) -> Question:
        """That k states satisfy all, and the next one does not."""
        unrolling = self._unrolling
        frame, conds = unrolling.arbitrary("0")
        self._states, self._arbitrary = conds, self._say(frame)
        given, frames, step = [*conds], [frame], None
        said: list[list[Term]] = [
            [] for _ in self.sentences
        ]  # by each sentence, of all states before the last
        for n in range(1, k + 1):
            given += self._fine(step, frames[-1])
            for one, x in zip(said, self._say(frames[-1]), strict=True):
                one.append(x)
            if simple:
                given += [unrolling.differ(earlier, frames[-1]) for earlier in frames[:-1]]
            step = unrolling.step(frames[-1], str(n))
            given += step.possible
            frames.append(step.after)
        self._given = given
        self._said = [self._terms.and_(one) for one in said]
        where = "does not survive a step" + (f" from {k} states that satisfy it" if k > 1 else "")
        about = "a step makes something false" + (f" after {k} states in which all holds" if k > 1 else "")
        return Question(where, about, (*given, *self._said), tuple(self._bad(step, frames[-1])))

    def _bad(self, step: Step | None, frame: Frame) -> list[Term]:
        """What is bad of a state: a claim, then a sentence."""
        terms = self._terms
        lost = (terms.and_((terms.not_(frame.faulted), terms.not_(x))) for x in self._say(frame))
        return [*(self._unrolling.bad(p, step, frame) for p in self._claims), *lost]

    def _fine(self, step: Step | None, frame: Frame) -> list[Term]:
        return [self._terms.not_(self._unrolling.bad(p, step, frame)) for p in self._claims]

    def _say(self, frame: Frame) -> list[Term]:
        return [frame.encoder.truth(x) for x in self.sentences]

    # --- answers ----------------------------------------------------------------------------------------------

    def ask(self, solver: Solver) -> tuple[Outcome, str]:
        """Whether it all holds, and where it does not."""
        for question in (*self.first, self.next):
            found = solver.check([*question.given, self._terms.or_(question.bad)])
            if found.status is Status.SAT:
                return "fails", question.where
            if found.status is Status.UNKNOWN:
                return "unknown", question.where
        return "holds", ""

    def script(self, about: str) -> str:
        """All questions as SMT-LIB 2; each is unsatisfiable where the certificate is right."""
        return script(
            [(f"{about}: {q.about}", [*q.given, self._terms.or_(q.bad)]) for q in (*self.first, self.next)]
        )

    def says_nothing(self, budget: Budget) -> str | None:
        """A sentence that is true of every state, reachable or not."""
        solver = self.solver(budget)
        for text, x in zip(self._texts, self._arbitrary, strict=True):
            if solver.check([*self._states, self._terms.not_(x)]).status is Status.UNSAT:
                return text
        return None

    def begins(self, budget: Budget) -> bool:
        """Whether there is an initial state; if not, all is true of every run."""
        return self.solver(budget).check(self.first[0].given).status is not Status.UNSAT

    def idle_ones(self, budget: Budget) -> list[int]:
        """The numbers of sentences that can go, each by itself, with the rest still holding."""
        found = []
        count = len(self._claims)
        solver = self.solver(budget)
        for condition in self._given:
            solver.add(condition)
        for n in range(len(self.sentences)):
            kept = [x for k, x in enumerate(self._said) if k != n]
            bad = [x for k, x in enumerate(self.next.bad) if k != n + count]
            if solver.check([*kept, self._terms.or_(bad)]).status is Status.UNSAT:
                found.append(n)
        return found
