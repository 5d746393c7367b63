"""The solver reading of every operator: against rows worked out by hand, and against the reference semantics."""

from __future__ import annotations

import sys
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.fold import subterms
from refine.core.types import BOOL, INT, Array, Index, Int, Option, Set, Type, Value, Word
from refine.run.eval import evaluate
from refine.smt.shape import all_values
from tests.smt.asking import Question
from tests.smt.randoms import (
    COLOUR,
    FROM_ONE,
    GFN,
    NODE,
    PAIR,
    SMALL,
    THREAD,
    TYPES,
    U2,
    U3,
    Scope,
    exprs,
    values,
)


def v(name: str, type_: Type) -> Expr:
    return e.var(name, type_)


X, Y = v("x", SMALL), v("y", SMALL)
W, Z = v("w", U3), v("z", U3)
A, INDEX = v("a", Array(Int(0, 2), FROM_ONE)), v("i", SMALL)
S = v("s", Set(Int(-1, 1)))
MAYBE = v("o", Option(FROM_ONE))
N, M = v("n", NODE), Set(NODE)

# Expression, the values of its variables, and the value that the words of `core.expr` give it.
BY_HAND: list[tuple[Expr, dict[str, Value], Value]] = [
    (e.add(X, Y), {"x": 3, "y": 3}, 6),
    (e.sub(X, Y), {"x": -2, "y": 3}, -5),
    (e.mul(X, Y), {"x": -2, "y": 3}, -6),
    (e.div(X, Y), {"x": 3, "y": -2}, -2),
    (e.div(X, Y), {"x": -1, "y": 2}, -1),
    (e.div(X, Y), {"x": 3, "y": 0}, 0),
    (e.mod(X, Y), {"x": 3, "y": -2}, -1),
    (e.mod(X, Y), {"x": -1, "y": 3}, 2),
    (e.mod(X, Y), {"x": 3, "y": 0}, 0),
    (e.lt(X, Y), {"x": -1, "y": 0}, True),
    (e.le(X, Y), {"x": 1, "y": 1}, True),
    (e.add(W, Z), {"w": 7, "z": 2}, 1),
    (e.sub(W, Z), {"w": 0, "z": 1}, 7),
    (e.mul(W, Z), {"w": 5, "z": 3}, 7),
    (e.div(W, Z), {"w": 7, "z": 0}, 0),
    (e.mod(W, Z), {"w": 7, "z": 0}, 0),
    (e.lt(W, Z), {"w": 3, "z": 4}, True),
    (e.bitwise(Op.BITNOT, W), {"w": 5}, 2),
    (e.bitwise(Op.SHL, W, Z), {"w": 3, "z": 1}, 6),
    (e.bitwise(Op.SHL, W, Z), {"w": 1, "z": 3}, 0),
    (e.bitwise(Op.SHR, W, v("k", Int(0, 9))), {"w": 7, "k": 8}, 0),
    (e.narrow(e.add(X, Y), SMALL), {"x": 2, "y": 1}, 3),
    (e.narrow(e.add(X, Y), SMALL), {"x": 2, "y": 2}, 0),
    (e.narrow(X, FROM_ONE), {"x": 0}, 1),
    (e.to_int(v("c", COLOUR)), {"c": 2}, 2),
    (e.to_int(v("p", BOOL)), {"p": True}, 1),
    (e.to_word(X, U3), {"x": -2}, 6),
    (e.to_word(W, U2), {"w": 6}, 2),
    (e.to_index(X, GFN), {"x": 2}, 2),
    (e.to_index(X, GFN), {"x": 3}, 0),
    (e.to_index(X, GFN), {"x": -1}, 0),
    (e.get(MAYBE), {"o": None}, 1),
    (e.get(MAYBE), {"o": 4}, 4),
    (e.is_some(MAYBE), {"o": None}, False),
    (e.eq(MAYBE, e.some(X)), {"o": None, "x": 1}, False),
    (e.member(X, S), {"x": 3, "s": frozenset({-1, 0, 1})}, False),
    (e.insert(S, X), {"x": 3, "s": frozenset({0})}, frozenset({0})),
    (e.insert(S, X), {"x": -1, "s": frozenset({0})}, frozenset({-1, 0})),
    (e.remove(S, X), {"x": 0, "s": frozenset({0, 1})}, frozenset({1})),
    (e.card(S), {"s": frozenset({-1, 0, 1})}, 3),
    (e.select(A, INDEX), {"a": (4, 3, 2), "i": 1}, 3),
    (e.select(A, INDEX), {"a": (4, 3, 2), "i": 3}, 1),
    (e.select(A, INDEX), {"a": (4, 3, 2), "i": -1}, 1),
    (e.store(A, INDEX, e.integer(1)), {"a": (4, 3, 2), "i": 2}, (4, 3, 1)),
    (e.store(A, INDEX, e.integer(1)), {"a": (4, 3, 2), "i": 3}, (4, 3, 2)),
    (e.with_field(v("q", PAIR), 1, e.none(Option(COLOUR))), {"q": (True, 2)}, (True, None)),
    (e.thread(THREAD, 1, N), {"n": 2}, 3),
    (e.bind(Op.COUNT, Binder("b", NODE), e.eq(e.param("b", NODE), N)), {"n": 1}, 1),
    (e.bind(Op.COLLECT, Binder("b", NODE), e.ne(e.param("b", NODE), N)), {"n": 1}, frozenset({0, 2})),
    (e.add(v("big", INT), X), {"big": 10**30, "x": 3}, 10**30 + 3),
    (e.div(v("big", INT), X), {"big": 7, "x": -2}, -4),
    (e.mod(v("big", INT), X), {"big": 7, "x": -2}, -1),
    (e.to_word(v("big", INT), U3), {"big": -9}, 7),
]


def types_of(x: Expr) -> dict[str, Type]:
    return {str(y.data): y.type for y in subterms((x,)) if y.op is Op.VAR}


@pytest.mark.parametrize(("x", "state", "value"), BY_HAND, ids=[repr(x)[:60] for x, _, _ in BY_HAND])
def test_operator_means_what_is_written(x: Expr, state: dict[str, Value], value: Value) -> None:
    question = Question(x, types_of(x))
    assert question.fold(state) == value
    assert question.disagreement([(state, value)]) == ""


def _binary() -> list[Expr]:
    found: list[Expr] = []
    for x, y in ((X, Y), (v("f", FROM_ONE), X), (X, v("f", FROM_ONE)), (W, Z), (v("t", U2), v("u", U2))):
        found += [make(x, y) for make in (e.add, e.sub, e.mul, e.div, e.mod, e.lt, e.le, e.eq)]
    for op in (Op.BITAND, Op.BITOR, Op.BITXOR, Op.SHL, Op.SHR):
        found.append(e.bitwise(op, W, Z))
    for op in (Op.SHL, Op.SHR):
        found += [e.bitwise(op, W, v("k", k)) for k in (U2, Word(5), Int(0, 9))]
        found.append(e.bitwise(op, v("t", U2), W))
    for op in (Op.UNION, Op.INTER, Op.DIFF, Op.SUBSET):
        found.append(e.set_op(op, v("s", M), v("r", M)))
    found += [e.insert(v("s", M), N), e.remove(v("s", M), N), e.member(N, v("s", M))]
    found += [e.insert(S, X), e.remove(S, X), e.member(X, S)]
    found += [e.lt(v("g", GFN), v("h", GFN)), e.le(v("g", GFN), v("h", GFN))]
    found += [e.eq(v("l", t), v("m", t)) for t in TYPES]
    found += [e.eq(MAYBE, v("wide", Option(Int(0, 5)))), e.eq(v("f", FROM_ONE), v("wide", Int(-3, 5)))]
    return found


def _unary() -> list[Expr]:
    found = [e.to_int(v("x", t)) for t in (BOOL, U2, U3, COLOUR, NODE, GFN)]
    found += [e.narrow(X, t) for t in (FROM_ONE, Int(0, 1), Int(-1, 9), Int(-9, 0), Int(5, 6))]
    found += [e.to_index(x, GFN) for x in (X, v("f", FROM_ONE), e.mul(X, Y))]
    found += [
        e.to_index(X, Index("one", 1)),
        e.to_word(X, Word(1)),
        e.to_word(X, Word(9)),
        e.to_word(W, Word(9)),
    ]
    found += [e.bitwise(Op.BITNOT, W), e.to_word(W, U2), e.not_(v("p", BOOL)), e.card(S)]
    found += [e.get(MAYBE), e.is_some(MAYBE), e.some(X), e.thread(THREAD, 1, N), e.field_of(v("q", PAIR), 1)]
    return found


@pytest.mark.parametrize("x", [*_binary(), *_unary()], ids=repr)
def test_operator_agrees_with_the_reference_on_all_arguments(x: Expr) -> None:
    types = types_of(x)
    question = Question(x, types)
    table = []
    most = 70  # of equality on large types, some rows will do
    columns = [list(all_values(t)) for t in types.values()]
    for row in product(*(column[:: 1 + len(column) // most] for column in columns)):
        state = dict(zip(types, row, strict=True))
        value = evaluate(x, state)
        assert question.fold(state) == value, state
        table.append((state, value))
    assert question.disagreement(table) == ""


@settings(max_examples=600)
@given(st.data())
def test_random_expression_agrees_with_the_reference(data: st.DataObject) -> None:
    types = dict(
        zip("abcde", data.draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=5)), strict=False)
    )
    type_ = data.draw(st.sampled_from(TYPES))
    x = data.draw(exprs(type_, Scope(types, {}), 4))
    states = [{n: data.draw(values(t)) for n, t in types.items()} for _ in range(4)]
    question = Question(x, types)
    table = [(state, evaluate(x, state)) for state in states]
    for state, value in table:
        assert question.fold(state) == value
    assert question.disagreement(table) == ""


@settings(max_examples=60)
@given(st.data())
def test_old_reads_the_frame_before(data: st.DataObject) -> None:
    types: dict[str, Type] = {"x": SMALL, "s": M}
    x = data.draw(exprs(BOOL, Scope(types, {}, steps=True), 4))
    now, then = ({n: data.draw(values(t)) for n, t in types.items()} for _ in range(2))
    assert Question(x, types, types).fold(now, then) == evaluate(x, now, then)


def test_deep_expression_needs_no_recursion() -> None:
    x: Expr = v("p", BOOL)
    for k in range(2000):
        x = e.not_(e.and_(x, e.ne(X, e.integer(k % 5 - 1))))
    state: dict[str, Value] = {"p": True, "x": 0}
    value = evaluate(x, state)
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(250)
        assert Question(x, types_of(x)).fold(state) == value
        assert Question(x, types_of(x)).disagreement([(state, value)]) == ""
    finally:
        sys.setrecursionlimit(limit)


def test_constants_never_reach_the_solver() -> None:
    state: dict[str, Value] = {"a": (4, 3, 2), "i": 1}
    question = Question(e.select(A, INDEX), types_of(e.select(A, INDEX)))
    before = len(question.terms.inputs)
    assert question.fold(state) == 3
    assert len(question.terms.inputs) == before
