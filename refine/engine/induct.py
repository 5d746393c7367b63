"""k-induction: claims and lemmas that together survive one more step, from any state, hold for ever.

All claims and lemmas of the system are proved together, whatever is asked, so that a verdict does not
depend on the rest of the question. What fails is dropped, until the rest stands by itself: what was proved
with smaller k, or in the same mutual induction, is all that a verdict rests on. It names what it rests on,
after everything was left out that it can do without, and of several ways the one with the lemmas that the
property itself is `using`.

Why that is sound: suppose that some of the properties that stand are broken by some run. Take a shortest
run that breaks one of them, with m transitions. The base case says that m >= k. So its last k+1 states are
a run whose states but the last satisfy all of them; and a shortest run visits no state twice before its
last. The step case, from any well-formed state that satisfies the assumptions, has excluded just that. That
these states have no fault is NOTE(fault) of `refine.smt.unroll`: the transition relation says so, not a
claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from refine.core.system import Kind, System
from refine.core.trace import Trace
from refine.engine.bmc import CAUSES, Bounded, decline, unmet
from refine.engine.replay import Inconsistent
from refine.engine.verdict import (
    Answer,
    Cause,
    Limits,
    Progress,
    Proved,
    Tick,
    Unknown,
    Vacuous,
    Verdict,
)
from refine.run.eval import step as explicit_step
from refine.smt.decode import Model
from refine.smt.sat import solver_for
from refine.smt.solver import Budget, Outcome, Reason, Solver, Status
from refine.smt.term import Term
from refine.smt.unroll import Frame, Step, TooLarge, Unrolling

MAX_K = 4


def induct(
    system: System,
    names: Iterable[str],
    limits: Limits,
    progress: Progress | None = None,
    lemmas: Sequence[str] | None = None,
    max_k: int = MAX_K,
    *,
    simple_path: bool = True,
) -> Answer:
    """The verdicts on the properties called `names`, by k-induction for k = 1 to `max_k`.

    Where `lemmas` are given, properties may rest on these and on nothing else. With `simple_path`, only runs
    without a repeated state are looked at, so that every property of a finite system is k-inductive for some k.
    """
    asked = list(dict.fromkeys(names))
    proof = Induction(system, asked, limits, progress, lemmas, simple_path=simple_path)
    try:
        while proof.undecided() and proof.k < max_k and proof.deepen():
            pass
    except KeyboardInterrupt:
        proof.give_up(Reason.INTERRUPTED)
    return Answer({name: proof.verdict(name) for name in asked}, depth=proof.k)


def standing(
    system: System, names: Sequence[str], limits: Limits, progress: Progress | None, *, simple_path: bool
) -> tuple[str, ...]:
    """Those of `names` that stand together for some k up to `MAX_K`, and rest on nothing else."""
    proof = Induction(system, names, limits, progress, names, simple_path=simple_path)
    while proof.undecided() and proof.k < MAX_K and proof.deepen():
        pass
    return proof.standing()


def used_by(system: System, name: str) -> frozenset[str]:
    """What the property is `using`, and what that is using."""
    found: set[str] = set()
    todo = list(system.property(name).using)
    while todo:
        here = todo.pop()
        if here not in found:
            found.add(here)
            todo.extend(system.property(here).using)
    return frozenset(found - {name})


@dataclass(frozen=True, slots=True)
class Stands:
    """A property that was proved: for which k, and what the step case needed directly."""

    k: int
    needs: tuple[str, ...]


class Induction:
    """What stands so far, for growing k."""

    def __init__(
        self,
        system: System,
        asked: Sequence[str],
        limits: Limits,
        progress: Progress | None,
        lemmas: Sequence[str] | None,
        *,
        simple_path: bool,
    ) -> None:
        self.k = 0
        self._system = system
        self._asked = asked
        self._progress = progress
        self._simple_path = simple_path
        allowed = (
            [p.name for p in system.properties if p.kind is not Kind.REACH] if lemmas is None else lemmas
        )
        self._allowed = frozenset(allowed)
        # In the order of the system, whatever the order of the question: equal questions, equal answers.
        pool = [p for p in system.properties if p.name in self._allowed or p.name in asked]
        self._given_up: dict[str, Verdict] = {}
        self._stands: dict[str, Stands] = {}
        self._ctis: dict[str, Trace] = {}
        budget = Budget(limits.resources, limits.deadline)
        self._base = Bounded(system, pool, budget, None)
        self._props = {p.name: p for p in pool if decline(p) is None}
        self._unrolling = Unrolling(system)
        self._solver: Solver = solver_for(self._unrolling, budget)
        self._frames: list[Frame] = []
        self._steps: list[Step] = []
        self._bad: dict[str, list[Term]] = {name: [] for name in self._props}

    # --- verdicts -------------------------------------------------------------------------------------------

    def undecided(self) -> list[str]:
        """The names asked for whose verdict is open."""
        return [name for name in self._asked if not self._closed(name)]

    def standing(self) -> tuple[str, ...]:
        """The names asked for that are proved by induction."""
        return tuple(n for n in self._asked if n in self._stands)

    def _closed(self, name: str) -> bool:
        stands = name in self._stands and name not in self._base.unmet
        return stands or name in self._base.verdicts or name in self._given_up

    def verdict(self, name: str) -> Verdict:
        """What is known of a property."""
        if name in self._stands:
            how = self._how(name)
            if self._props[name].kind is Kind.REACH:
                return Vacuous(f"no state satisfies it, by {how}")
            if name in self._base.unmet:
                met = unmet(self._props[name])
                return Unknown(f"{how}, but within {self._base.depth} steps {met}", Cause.LIMIT)
            return Proved(how)
        known = self._base.verdicts.get(name) or self._given_up.get(name)
        if known is not None:
            return known
        return Unknown(f"not k-inductive up to {self.k}", Cause.UNDECIDED, self._ctis.get(name))

    def _how(self, name: str) -> str:
        """The proof in words: which k, and all that it rests on."""
        rests: set[str] = set()
        todo = [name]
        while todo:
            for need in self._stands[todo.pop()].needs:
                if need not in rests and need != name:
                    rests.add(need)
                    todo.append(need)
        used = [p for p in self._system.properties if p.name in rests]
        k = max(self._stands[p].k for p in (name, *rests))
        lemma = "lemma" if len(used) == 1 else "lemmas"
        noun = f"{lemma} " if all(p.role == "lemma" for p in used) else ""
        return f"{k}-induction" + (f" with {noun}{', '.join(p.name for p in used)}" if used else "")

    def give_up(self, reason: Reason) -> None:
        """Leave what is open undecided."""
        tried = f"; not k-inductive up to {self.k}" if self.k else ""
        for name in self._props:
            if not self._closed(name):
                verdict = Unknown(f"{reason.value}{tried}", CAUSES[reason], self._ctis.get(name))
                self._given_up[name] = verdict

    # --- base and step --------------------------------------------------------------------------------------

    def deepen(self) -> bool:
        """Try the next k; False when there is nothing more to try."""
        if self._progress is not None:
            self._progress(Tick("induct", self.k + 1, len(self._stands), len(self.undecided())))
        if self._base.pending:
            self._base.deepen()  # runs of k transitions, after those of fewer: the base case for k + 1
        if not self.undecided():
            return False
        self._extend()
        failed = self._settle(self.k + 1)
        if failed is not None:
            self.give_up(failed)
            return False
        self.k += 1
        return True

    def _extend(self) -> None:
        """One more transition in front of the last state of the step case."""
        unrolling = self._unrolling
        if not self._frames:
            frame, conds = unrolling.arbitrary("0")
            for cond in conds:
                self._solver.add(cond)
            self._enter(None, frame)
        step = unrolling.step(self._frames[-1], str(len(self._frames)))
        for cond in step.possible:
            self._solver.add(cond)
        if self._simple_path:
            for earlier in self._frames[:-1]:
                self._solver.add(unrolling.differ(earlier, self._frames[-1]))
        self._steps.append(step)
        self._enter(step, step.after)

    def _enter(self, step: Step | None, frame: Frame) -> None:
        self._frames.append(frame)
        for name in list(self._bad):
            try:
                self._bad[name].append(self._unrolling.bad(self._props[name], step, frame))
            except TooLarge as why:
                self._given_up[name] = Unknown(str(why), Cause.LIMIT)
                del self._bad[name], self._props[name]

    def _settle(self, k: int) -> Reason | None:
        """Find the largest set that stands together for this k; the reason where the solver has no answer."""
        terms = self._unrolling.terms
        before = {n: terms.and_(map(terms.not_, self._bad[n])) for n in self._stands}
        left = [n for n in self._bad if n not in self._stands and not self._closed(n)]
        standing = {n: terms.and_(map(terms.not_, self._bad[n][:-1])) for n in left}
        needs: dict[str, tuple[str, ...]] = {}
        todo = list(standing)
        while todo:
            name = todo.pop(0)
            given = self._hypotheses(name, {**before, **standing})
            outcome = self._step_case(name, given)
            if outcome.status is Status.UNKNOWN:
                return outcome.reason
            if outcome.status is Status.SAT:
                self._ctis[name] = self._cti(name, outcome)
                del standing[name]
                shaken = [n for n, used in needs.items() if name in used]
                for other in shaken:
                    del needs[other]
                todo.extend(n for n in shaken if n not in todo)
                continue
            needs[name] = _core(given, outcome)
        for name in standing:
            needed = self._least(name, self._hypotheses(name, {**before, **standing}), needs[name])
            self._stands[name] = Stands(k, needed)
            if name not in self._base.unmet:
                del self._base.pending[name]
        return None

    def _hypotheses(self, name: str, known: Mapping[str, Term]) -> dict[str, Term]:
        """What `name` may rest on, of what is known."""
        return {n: term for n, term in known.items() if n == name or n in self._allowed}

    def _step_case(self, name: str, given: Mapping[str, Term]) -> Outcome:
        """Whether the last state may break `name`, where those before satisfy what is given."""
        return self._solver.check([*given.values(), self._bad[name][-1]])

    def _least(self, name: str, given: Mapping[str, Term], core: tuple[str, ...]) -> tuple[str, ...]:
        """What `name` cannot do without beside itself: what it is using, or else what the solver has used.

        One after the other is left out of that, as long as the rest is enough.
        """
        named = used_by(self._system, name) | {name}
        if not named.issuperset(core):
            trusted = {n: term for n, term in given.items() if n in named}
            outcome = self._step_case(name, trusted)
            if outcome.status is Status.UNSAT:
                core = _core(trusted, outcome)
        kept = [n for n in core if n != name]
        for candidate in tuple(kept):
            rest = {n: given[n] for n in (name, *kept) if n != candidate}
            if self._step_case(name, rest).status is Status.UNSAT:
                kept.remove(candidate)
        return tuple(kept)

    # --- counterexamples to induction -----------------------------------------------------------------------

    def _cti(self, name: str, outcome: Outcome) -> Trace:
        """A run from some state, reachable or not, that breaks `name` in spite of the hypotheses."""
        model = Model.of(self._unrolling, outcome.model)
        trace = model.trace(self._frames[0], None, self._steps, name)
        here = trace.init
        for event in trace.events:
            rule = self._system.rule(event.rule)
            if explicit_step(self._system, rule, here, event.params, event.choices) != event.state:
                raise Inconsistent(f"a counterexample to induction of `{name}` fails at `{rule.name}`")
            here = event.state
        return trace


def _core(given: Mapping[str, Term], outcome: Outcome) -> tuple[str, ...]:
    """The names of the hypotheses that the solver has used."""
    return tuple(n for n, term in given.items() if term in outcome.core)
