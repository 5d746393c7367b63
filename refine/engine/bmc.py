"""Bounded model checking: is a property broken within k = 0, 1, 2, … steps; counterexamples are shortest."""

from __future__ import annotations

from collections.abc import Iterable

from refine.core.system import Kind, Property, System
from refine.engine.replay import check
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
from refine.smt.canon import least_model
from refine.smt.decode import Model
from refine.smt.sat import solver_for
from refine.smt.solver import Budget, Reason, Solver, Status
from refine.smt.term import Term
from refine.smt.unroll import Step, TooLarge, Unrolling

DEFAULT_STEPS = 20

CAUSES = {
    Reason.INTERRUPTED: Cause.INTERRUPTED,
    Reason.TIMEOUT: Cause.TIMEOUT,
    Reason.LIMIT: Cause.LIMIT,
    Reason.INCOMPLETE: Cause.SOLVER,
}


def bmc(system: System, names: Iterable[str], limits: Limits, progress: Progress | None = None) -> Answer:
    """The verdicts on the properties called `names`, by runs of up to `limits.steps` transitions."""
    budget = Budget(limits.resources, limits.deadline)
    search = Bounded(system, [system.property(name) for name in names], budget, progress)
    try:
        search.run(DEFAULT_STEPS if limits.steps is None else limits.steps)
    except KeyboardInterrupt:
        search.give_up(Reason.INTERRUPTED)
    return Answer(search.verdicts, depth=search.depth, complete=search.exhausted)


class Bounded:
    """Runs of growing length from the initial states, and what is still to be decided about them."""

    def __init__(
        self, system: System, properties: list[Property], budget: Budget, progress: Progress | None = None
    ) -> None:
        self.verdicts: dict[str, Verdict] = {}
        self.depth = -1  # no property is undecided in a run of this many steps, or fewer
        self.exhausted = False
        self.pending: dict[str, Property] = {}
        # Rules whose choices are also under named assumptions: until a run has met these, nothing is claimed.
        self.unmet: dict[str, Property] = {}
        self._enabled: set[str] = set()
        for prop in properties:
            declined = decline(prop)
            if prop.kind is Kind.SATISFIABLE and assumes(system, prop):
                self.unmet[prop.name] = prop
            if declined is None:
                self.pending[prop.name] = prop
            else:
                self.verdicts[prop.name] = declined
        self._system = system
        self._progress = progress
        self._unrolling = Unrolling(system)
        self._solver: Solver = solver_for(self._unrolling, budget)
        self._steps: list[Step] = []

    def run(self, steps: int) -> None:
        """Decide what can be decided by runs of at most `steps` transitions."""
        while self.pending and self.depth < steps and self.deepen():
            pass
        if self.pending:
            for prop in self.pending.values():
                self.verdicts.setdefault(prop.name, up_to(prop, self.depth))

    def deepen(self) -> bool:
        """Look at the runs of one more transition; False when there is nothing more to find out."""
        terms = self._unrolling.terms
        self._extend()
        self._tick()
        bad = self._bad()
        while bad:
            outcome = self._solver.check([terms.or_(bad.values())])
            if outcome.status is Status.UNKNOWN:
                self.give_up(outcome.reason)
                return False
            if outcome.status is Status.UNSAT:
                break
            model = Model.of(self._unrolling, outcome.model)
            for name in [name for name, cond in bad.items() if model.holds(cond)]:
                self._found(self.pending.pop(name), model, bad.pop(name))
        for cond in bad.values():
            self._solver.add(terms.not_(cond))
        if self.pending and not (self._goes_on() and self._meet()):
            return False
        self.depth += 1
        return bool(self.pending)

    def _goes_on(self) -> bool:
        """Whether some run is as long as the frames that there are."""
        outcome = self._solver.check()
        match outcome.status:
            case Status.UNKNOWN:
                self.give_up(outcome.reason)
            case Status.UNSAT:
                self._exhaust()
            case Status.SAT:
                return True
        return False

    def _meet(self) -> bool:
        """See which assumptions within rules can be met in the last frame; False where the solver gives up."""
        frame = self._steps[-1].after
        for name, prop in list(self.unmet.items()):
            if name not in self.pending:
                continue
            for met in (False, True):
                outcome = self._solver.check([self._unrolling.enabled(prop, frame, met=met)])
                if outcome.status is Status.UNKNOWN:
                    self.give_up(outcome.reason)
                    return False
                if outcome.status is Status.UNSAT:
                    break
                self._enabled.add(name)
                if met:
                    del self.unmet[name]
        return True

    def give_up(self, reason: Reason) -> None:
        """Leave what is pending undecided."""
        found = f"; holds up to {self.depth} steps" if self.depth >= 0 else ""
        for name in self.pending:
            self.verdicts[name] = Unknown(f"{reason.value}{found}", CAUSES[reason])
        self.pending.clear()

    def _extend(self) -> None:
        unrolling = self._unrolling
        if self._steps:
            step = unrolling.step(self._steps[-1].after, str(len(self._steps)))
        else:
            step = unrolling.initial()
        for cond in step.possible:
            self._solver.add(cond)
        self._steps.append(step)

    def _bad(self) -> dict[str, Term]:
        """By name, what breaks each pending property in the last frame."""
        step = self._steps[-1]
        found: dict[str, Term] = {}
        for name, prop in list(self.pending.items()):
            try:
                cond = self._unrolling.bad(prop, step if len(self._steps) > 1 else None, step.after)
            except TooLarge as why:
                self.verdicts[name] = Unknown(str(why), Cause.LIMIT)
                del self.pending[name]
                continue
            if not (cond.constant and not cond.data):
                found[name] = cond
        return found

    def _found(self, prop: Property, model: Model, bad: Term) -> None:
        """A shortest run that breaks `prop`: the least of them is what is shown."""
        least = least_model(self._unrolling, self._solver, model, self._steps, [bad])
        trace = check(least.trace(self._steps[0].after, self._steps[0], self._steps[1:], prop.name))
        self.verdicts[prop.name] = Reached(trace) if prop.kind is Kind.REACH else Violated(trace)

    def _exhaust(self) -> None:
        """No run is as long as this one: what is pending was looked at in all states."""
        self.exhausted = True
        for name, prop in self.pending.items():
            never_met = name in self.unmet and name in self._enabled
            self.verdicts[name] = Vacuous(unmet(prop)) if never_met else ended(prop, self.depth)
        self.pending.clear()

    def _tick(self) -> None:
        if self._progress is not None:
            self._progress(Tick("bmc", self.depth + 1, len(self.verdicts), len(self.pending)))


def assumes(system: System, prop: Property) -> bool:
    """Whether the rule of a SATISFIABLE property has named assumptions."""
    assert prop.of is not None, "SATISFIABLE names one rule"
    return any(w.assume is not None for r in system.rules if r.name == prop.of[0] for w in r.wheres)


def unmet(prop: Property) -> str:
    """Why a SATISFIABLE property says nothing though no run breaks it."""
    assert prop.of is not None, "SATISFIABLE names one rule"
    return f"the assumptions of `{prop.of[0]}` are never met"


def decline(prop: Property) -> Verdict | None:
    """The verdict on what this engine cannot decide."""
    match prop.kind:
        case Kind.STUCK:
            return Unknown(
                "bounded engines cannot decide whether a thread is stuck for ever: that needs all states",
                Cause.NO_ENGINE,
            )
        case Kind.LIVENESS:
            return Unknown("bounded engines cannot decide what happens eventually", Cause.NO_ENGINE)
        case _:
            return None


def up_to(prop: Property, steps: int) -> Verdict:
    """What is known of a property that no run of `steps` transitions decides."""
    if prop.kind is Kind.REACH:
        return Unknown(f"not reached within {steps} steps", Cause.LIMIT)
    return HoldsUpTo(steps)


def ended(prop: Property, steps: int) -> Verdict:
    """What is known where no run has more than `steps` transitions, and none broke the property."""
    if steps < 0:
        return Vacuous("there is no initial state: nothing satisfies the conditions of the initial action")
    if prop.kind is Kind.REACH:
        return Vacuous(f"no state satisfies it: every run ends within {steps} steps")
    return Proved(f"every run ends within {steps} steps")
