"""The one interface of solvers: models, what an answer rests on, and every reason for having none."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from refine.smt.solver import Budget, Reason, Status, Z3Solver
from refine.smt.term import UNBOUNDED, Term, TermOp, Terms


def hard(terms: Terms) -> list[Term]:
    """Conditions that no resolution solver decides soon: seventeen different numbers of four bits."""
    pigeons = [terms.input(f"pigeon {n}", 4) for n in range(17)]
    return [terms.not_(terms.eq(x, y)) for n, x in enumerate(pigeons) for y in pigeons[:n]]


@pytest.fixture
def terms() -> Terms:
    return Terms()


def solver_of(conditions: list[Term], budget: Budget | None = None, *, exact: bool = False) -> Z3Solver:
    solver = Z3Solver(budget or Budget(), exact=exact)
    for condition in conditions:
        solver.add(condition)
    return solver


def test_model_gives_every_input_that_was_mentioned(terms: Terms) -> None:
    x, flag = terms.input("x", 3), terms.input("flag", 0)
    solver = solver_of([terms.ult(terms.number(5, 3), x), terms.eq(flag, terms.ult(x, terms.number(7, 3)))])
    assert solver.check([flag]).model == {"x": 6, "flag": True}


def test_negative_integers_come_back(terms: Terms) -> None:
    x = terms.input("x", UNBOUNDED)
    big = terms.number(-(10**30), UNBOUNDED)
    assert solver_of([terms.eq(x, big)], exact=True).check().model == {"x": -(10**30)}


def test_core_names_the_assumptions_that_matter(terms: Terms) -> None:
    a, b, c = (terms.input(name, 0) for name in "abc")
    outcome = solver_of([terms.not_(terms.and_((a, b)))]).check([c, a, b])
    assert outcome.status is Status.UNSAT
    assert set(outcome.core) == {a, b}


def test_assumption_holds_for_one_check_only(terms: Terms) -> None:
    a = terms.input("a", 0)
    solver = solver_of([])
    assert solver.check([a, terms.not_(a)]).status is Status.UNSAT
    assert solver.check([a]).model["a"] is True
    assert solver.check([terms.not_(a)]).model["a"] is False


def test_constants_are_decided_without_asking(terms: Terms) -> None:
    solver = solver_of([])
    assert solver.check([terms.false]).core == (terms.false,)
    assert solver.checks == 0
    solver.add(terms.false)
    assert solver.check().status is Status.UNSAT


def test_resource_limit_is_kept_over_all_checks(terms: Terms) -> None:
    budget = Budget(resources=200_000)
    solver = solver_of(hard(terms), budget)
    reasons = [solver.check().reason for _ in range(2)]
    assert reasons == [Reason.LIMIT, Reason.LIMIT]
    assert solver.checks == 1
    assert budget.spent >= budget.resources


def test_deadline_is_told_from_other_reasons(terms: Terms) -> None:
    solver = solver_of(hard(terms), Budget(deadline=time.monotonic() + 0.3))
    assert solver.check().reason is Reason.TIMEOUT
    assert solver.check().reason is Reason.TIMEOUT


def test_interrupt_ends_this_check_and_all_that_follow(terms: Terms) -> None:
    budget = Budget(deadline=time.monotonic() + 60)
    solver = solver_of(hard(terms), budget)
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    outcome = solver.check()
    timer.join()
    assert (outcome.status, outcome.reason) == (Status.UNKNOWN, Reason.INTERRUPTED)
    assert solver_of([], budget).check().reason is Reason.INTERRUPTED


def test_what_the_solver_cannot_decide_is_incomplete(terms: Terms) -> None:
    x, y, z = (terms.input(name, UNBOUNDED) for name in "xyz")

    def cube(t: Term) -> Term:
        return terms.arith(TermOp.MUL, t, terms.arith(TermOp.MUL, t, t))

    total = terms.arith(TermOp.ADD, cube(x), terms.arith(TermOp.ADD, cube(y), cube(z)))
    budget = Budget(resources=3_000_000)
    outcome = solver_of([terms.eq(total, terms.number(114, UNBOUNDED))], budget, exact=True).check()
    assert outcome.status is Status.UNKNOWN
    assert outcome.reason in {Reason.INCOMPLETE, Reason.LIMIT}


def test_equal_questions_get_equal_models() -> None:
    def ask() -> object:
        terms = Terms()
        bits = [terms.input(f"b{n}", 4) for n in range(12)]
        conds = [terms.not_(terms.eq(x, y)) for n, x in enumerate(bits) for y in bits[:n]]
        return solver_of(conds).check().model

    assert ask() == ask()
