"""Terms as SMT-LIB text: solvers that read it answer as those that are handed the terms."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from refine.smt.second import cvc5_says
from refine.smt.solver import Budget, Status, Z3Solver, z3_says
from refine.smt.term import UNBOUNDED, TermOp, Terms
from refine.smt.text import script
from tests.smt.test_gates import random_term


def one(text: str) -> str:
    """A script of one question without levels, as those who read one question want it."""
    return text.replace("(push 1)\n", "").replace("(pop 1)\n", "")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_both_solvers_read_what_was_written(seed: int) -> None:
    rng, terms = random.Random(seed), Terms()
    given = [random_term(rng, terms, 0, 4) for _ in range(3)]
    text = one(script([("random", given)]))
    found = Z3Solver(Budget(), exact=False).check(given).status
    assert z3_says(text, Budget()) is found
    assert cvc5_says(text, Budget()) is found


def test_integers_are_divided_rounding_down() -> None:
    terms = Terms()
    for a in (-7, -6, 7):
        for b in (-3, 3):
            x, y = (terms.input(n, UNBOUNDED) for n in "xy")
            given = [terms.eq(x, terms.number(a, UNBOUNDED)), terms.eq(y, terms.number(b, UNBOUNDED))]
            wrong = terms.not_(
                terms.and_(
                    (
                        terms.eq(terms.arith(TermOp.FDIV, x, y), terms.number(a // b, UNBOUNDED)),
                        terms.eq(terms.arith(TermOp.FMOD, x, y), terms.number(a % b, UNBOUNDED)),
                    )
                )
            )
            text = one(script([("division", [*given, wrong])]))
            assert "(set-logic ALL)" in text
            assert z3_says(text, Budget()) is cvc5_says(text, Budget()) is Status.UNSAT
