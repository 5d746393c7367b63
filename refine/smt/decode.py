"""From a solver's model back to a run in core values, that any reader of traces understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from refine.core.system import State
from refine.core.trace import Event, Trace
from refine.core.types import Value
from refine.smt.shape import Sym, constants
from refine.smt.term import Term
from refine.smt.unroll import Case, Frame, Step, Unrolling


@dataclass(frozen=True, slots=True)
class Model:
    """A solver's model of one unrolling, completed: every term has a constant."""

    unrolling: Unrolling
    inputs: Mapping[Term, Term]
    memo: dict[Term, Term]

    @staticmethod
    def of(unrolling: Unrolling, found: Mapping[str, bool | int]) -> Model:
        """The completed model: inputs that the solver never saw are zero."""
        return Model(unrolling, constants(found, unrolling.terms), {})

    def constant(self, x: Term) -> Term:
        """The constant that `x` has in the model."""
        found = self.unrolling.terms.substitute(x, self.inputs, self.memo)
        assert found.constant, "a term without inputs folds to a constant"
        return found

    def holds(self, x: Term) -> bool:
        return bool(self.constant(x).data)

    def state(self, frame: Frame, before: State | None) -> State:
        """The state of `frame`; one with a fault has the values of the state before, by NOTE(fault)."""
        place = next((place for place, cond in frame.faults.items() if self.holds(cond)), None)
        if place is not None and before is not None:
            return State(before.values, place)
        shape = self.unrolling.shape
        vars_ = self.unrolling.system.vars
        return State(tuple(shape.value(v.type, frame.values[v.name], self.constant) for v in vars_), place)

    def case(self, step: Step) -> Case:
        """The rule that the step takes."""
        return next(c for c in step.cases if self.holds(c.chosen))

    def binders(self, case: Case) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        """The values of the rule's params and of its choices."""
        shape = self.unrolling.shape

        def value(name: str, sym: Sym) -> Value:
            type_ = next(b.type for b in (*case.rule.params, *case.rule.choices) if b.name == name)
            return shape.value(type_, sym, self.constant)

        params = tuple(value(b.name, case.env[b.name]) for b in case.rule.params)
        return params, tuple(value(b.name, case.env[b.name]) for b in case.rule.choices)

    def trace(self, first: Frame, init: Step | None, steps: Sequence[Step], property_: str) -> Trace:
        """The run from `first` by `steps`. Without `init` it starts in a state that need not be initial."""
        choices: tuple[Value, ...] = ()
        before: State | None = None
        if init is not None:
            choices = self.binders(self.case(init))[1]
            before = self.state(init.before, None)
        state = start = self.state(first, before)
        events = []
        for step in steps:
            case = self.case(step)
            params, chosen = self.binders(case)
            state = self.state(step.after, state)
            events.append(Event(case.rule.name, params, chosen, state))
        return Trace(self.unrolling.system, choices, start, tuple(events), property_)
