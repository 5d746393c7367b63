"""Of all runs that break a property in a given number of steps, the first in a fixed order.

Which of many models a solver finds depends on its whole history. The run that is shown must not: it is the
one whose choices are least, step by step (initial choices; then rule, params and choices of each step).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refine.smt.decode import Model
from refine.smt.shape import leaves
from refine.smt.solver import Solver, Status
from refine.smt.term import BIT, Term, unsigned
from refine.smt.unroll import Step, Unrolling


def least_model(
    unrolling: Unrolling, solver: Solver, first: Model, steps: Sequence[Step], goal: Sequence[Term]
) -> Model:
    """The model of `goal` whose decisions are least, from some model `first`, as far as the solver gets."""
    if unrolling.exact:
        return first  # integers have no least value
    model, fixed = first, list(goal)
    for step in steps:
        selector = () if step.selector is None else (step.selector,)
        for decision in selector:
            model = _minimise(unrolling, solver, model, decision, fixed)
        case = model.case(step)
        for binder in (*case.rule.params, *case.rule.choices):
            for decision in leaves(case.env[binder.name]):
                model = _minimise(unrolling, solver, model, decision, fixed)
    return model


def _minimise(unrolling: Unrolling, solver: Solver, model: Model, x: Term, fixed: list[Term]) -> Model:
    """The model under `fixed` with the least unsigned value of `x`; that value is added to `fixed`."""
    terms = unrolling.terms
    if x.constant:
        return model
    for bound in _bounds(x.width):
        value = model.constant(x)
        if x.width == BIT:
            smaller, now = terms.not_(x), not value.data
        else:
            limit = (unsigned(value) >> bound) << bound
            if limit == unsigned(value) >> (bound + 1) << (bound + 1):
                continue  # this bit is 0 already
            smaller, now = terms.ult(x, terms.number(limit, x.width)), False
        if now:
            continue
        outcome = solver.check([*fixed, smaller])
        if outcome.status is Status.SAT:
            model = Model.of(unrolling, outcome.model)
    fixed.append(terms.eq(x, model.constant(x)))
    return model


def _bounds(width: int) -> Iterator[int]:
    """The bits of a number, the highest first; a truth value has one."""
    return iter(range(max(width, 1) - 1, -1, -1))
