"""Gates mean what terms mean: each operator on all values of small widths, and terms of any shape on random ones."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refine.smt.gates import Blaster, NotBits
from refine.smt.sat import DEEP, MANY, SatSolver, evaluate
from refine.smt.shape import constants
from refine.smt.solver import Budget, Status, Z3Solver
from refine.smt.term import UNBOUNDED, Constant, Term, TermOp, Terms

ARITH = (
    TermOp.ADD, TermOp.SUB, TermOp.MUL, TermOp.UDIV, TermOp.UREM, TermOp.FDIV, TermOp.FMOD,
)  # fmt: skip
BITWISE = (TermOp.BITAND, TermOp.BITOR, TermOp.BITXOR, TermOp.SHL, TermOp.SHR)
DIVISIONS = (TermOp.UDIV, TermOp.UREM, TermOp.FDIV, TermOp.FMOD)


def value_of(blaster: Blaster, x: Term, model: dict[str, int]) -> int:
    """The number that the gates of `x` make of the inputs in `model`."""
    bits = blaster(x)
    literals = [0] * blaster.gates.nodes
    for term, nodes in blaster.inputs.items():
        for k, node in enumerate(nodes):
            literals[node - 1] = node if model.get(str(term.data), 0) >> k & 1 else -node
    values = evaluate(blaster.gates, literals, [bits])
    return sum(1 << k for k, b in enumerate(bits) if values[abs(b)] is (b > 0))


def folded(terms: Terms, x: Term, model: dict[str, int]) -> int:
    given: dict[str, Constant] = dict(model)
    found = terms.substitute(x, constants(given, terms))
    assert found.data is not None
    return int(found.data)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_each_operator_on_all_values(width: int) -> None:
    terms = Terms()
    x, y, c = terms.input("x", width), terms.input("y", width), terms.input("c", 0)
    made = [terms.arith(op, x, y) for op in ARITH] + [terms.bitwise(op, x, y) for op in BITWISE]
    made += [terms.bitnot(x), terms.eq(x, y), terms.ult(x, y), terms.slt(x, y), terms.ite(c, x, y)]
    made += [terms.extend(x, width + 2, sign=sign) for sign in (False, True)]
    made += [terms.truncate(x, 1), terms.and_((c, terms.eq(x, y))), terms.or_((c, terms.ult(x, y)))]
    blaster = Blaster()
    for t in made:
        for a, b, d in product(range(1 << width), range(1 << width), (0, 1)):
            if t.op in DIVISIONS and not b:
                continue
            model = {"x": a, "y": b, "c": d}
            assert value_of(blaster, t, model) == folded(terms, t, model), (t, model)


def random_term(rng: random.Random, terms: Terms, width: int, depth: int) -> Term:
    """Any term of a width: 0 is a truth value. A divisor is never 0."""
    if depth == 0 or rng.random() < 0.1:
        name = f"{rng.choice('abc')}{width}"
        if rng.random() < 0.8:
            return terms.input(name, width)
        return terms.number(rng.randrange(1 << width), width) if width else terms.bit(rng.random() < 0.5)

    def part(w: int = width) -> Term:
        return random_term(rng, terms, w, depth - 1)

    if width == 0:
        other = rng.randint(0, 4)
        made = [
            lambda: terms.not_(part()),
            lambda: terms.and_(part() for _ in range(rng.randint(2, 4))),
            lambda: terms.or_((part(), part())),
            lambda: terms.eq(part(other), part(other)),
            lambda: terms.ite(part(), part(), part()),
            lambda: terms.ult(part(max(1, other)), part(max(1, other))),
            lambda: terms.slt(part(max(1, other)), part(max(1, other))),
        ]
        return rng.choice(made)()
    choice = rng.randint(0, 5)
    if choice == 0:
        op = rng.choice(ARITH)
        divisor = part()
        if op in DIVISIONS:
            divisor = terms.bitwise(TermOp.BITOR, divisor, terms.number(1, width))
        return terms.arith(op, part(), divisor)
    if choice == 1:
        return terms.bitwise(rng.choice(BITWISE), part(), part())
    if choice == 2 and width > 1:
        return terms.extend(part(width - 1), width, sign=rng.random() < 0.5)
    if choice == 3:
        return terms.truncate(part(width + 1), width) if width < 4 else terms.bitnot(part())
    return terms.ite(part(0), part(), part())


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_terms_of_any_shape(seed: int) -> None:
    rng, terms = random.Random(seed), Terms()
    blaster = Blaster()
    for _ in range(4):
        x = random_term(rng, terms, rng.randint(0, 4), rng.randint(1, 5))
        blaster(x)
        for _ in range(8):
            model = {name: rng.randrange(1 << max(1, t.width)) for name, t in terms.inputs.items()}
            assert value_of(blaster, x, model) == folded(terms, x, model), (x, model)


@given(st.integers(0, 2**32 - 1), st.sampled_from([DEEP, MANY]))
@settings(max_examples=120, deadline=None)
def test_sat_and_z3_give_one_answer(seed: int, kind: str) -> None:
    rng, terms = random.Random(seed), Terms()
    budget = Budget()
    sat, z3 = SatSolver(budget, kind), Z3Solver(budget, exact=False)
    for step in range(5):
        name = terms.input(f"named {step}", rng.randint(0, 3))
        conds = [terms.eq(name, random_term(rng, terms, name.width, 3)), random_term(rng, terms, 0, 3)]
        if rng.random() < 0.7:
            for cond in conds:
                sat.add(cond)
                z3.add(cond)
        asked = [random_term(rng, terms, 0, 3) for _ in range(3)]
        one, two = sat.check(asked), z3.check(asked)
        assert one.status is two.status
        if one.status is Status.UNSAT:
            assert set(one.core) <= set(asked)
            assert z3.check(one.core).status is Status.UNSAT
        else:
            model = constants(one.model, terms)
            assert all(terms.substitute(a, model).data for a in asked)


def test_an_equation_defines_an_input_only_before_it_is_read() -> None:
    terms = Terms()
    x, y, z = (terms.input(n, 2) for n in "xyz")
    blaster = Blaster()
    assert blaster.define(terms.eq(x, terms.arith(TermOp.ADD, y, z)))
    assert blaster(x) == blaster(terms.arith(TermOp.ADD, y, z))
    assert not blaster.define(terms.eq(y, z))
    loop = terms.input("loop", 2)
    assert not blaster.define(terms.eq(loop, terms.arith(TermOp.ADD, loop, y)))


def test_unbounded_integers_are_no_bits() -> None:
    terms = Terms()
    x = terms.input("x", UNBOUNDED)
    with pytest.raises(NotBits):
        SatSolver(Budget()).add(terms.eq(x, terms.number(3, UNBOUNDED)))
