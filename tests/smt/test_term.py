"""Terms: how those below others are visited."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from refine.smt.term import BIT, Term, Terms, below
from tests.smt.test_gates import random_term


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_each_term_comes_once_and_after_its_arguments(seed: int) -> None:
    rng, terms = random.Random(seed), Terms()
    roots = [random_term(rng, terms, 0, 4) for _ in range(3)]
    done: set[Term] = set()
    for x in below(roots, done):
        assert x not in done
        assert done.issuperset(x.args)
        done.add(x)
    assert done.issuperset(roots)
    assert list(below(roots, done)) == []


def test_a_term_far_deeper_than_the_stack_is_visited() -> None:
    terms = Terms()
    x = terms.input("x", BIT)
    for n in range(20_000):
        x = terms.not_(terms.and_((x, terms.input(f"y{n}", BIT))))
    assert terms.substitute(x, {}) is x
