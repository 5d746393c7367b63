"""The compiled meaning of every operator is the meaning that the reference semantics gives it."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refine.core import expr as e
from refine.core.expr import Expr, Op
from refine.core.fold import subterms
from refine.core.system import Rule, State, System, Var
from refine.core.types import (
    BOOL,
    Array,
    Enum,
    Index,
    Int,
    Option,
    Set,
    Struct,
    Thread,
    Type,
    Word,
    cardinality,
)
from refine.run.code import Builder
from refine.run.eval import as_valuation, evaluate, values_of
from refine.run.layout import code, is_scalar, layout, lowest, value, width
from refine.run.translate import Params, Translator, top
from refine.run.write import Writer
from tests.engine.random_systems import Maker, Scope

VARS = 4


def machine(vars_: tuple[Var, ...]) -> System:
    return System("terms", (), vars_, Rule("init", (), e.TRUE), (), (), (), ())


def compiled(system: System, terms: list[Expr]) -> Any:
    """Return a function from a packed state to the codes of the terms."""
    packed = layout(system)
    b = Builder()

    def read(name: str) -> Any:
        f = packed.field(name)
        raw = b.slice(f.offset, f.width, top(f.type))
        return b.add(raw, b.const(lowest(f.type))) if is_scalar(f.type) else raw

    translator = Translator(b, Params(), read)
    roots = [translator.to_code(x.type, translator.term(x, {})) for x in terms]
    out = Writer(packed.bits, 1)
    out.count(roots)
    names = []
    for k, root in enumerate(roots):
        out.line(f"r{k} = {out.number(root)}")
        names.append(f"r{k}")
    lines = [
        "def f(s):",
        *(f" {text}" for text in out.digit_lines()),
        *out.lines,
        f" return [{', '.join(names)}]",
    ]
    space: dict[str, Any] = {}
    exec("\n".join(lines), space)
    return space["f"]


def random_state(choose: random.Random, system: System) -> State:
    return State(tuple(value(v.type, _random_code(choose, v.type)) for v in system.vars))


def _random_code(choose: random.Random, type_: Type) -> int:
    match type_:
        case Set(item):
            n = cardinality(item)
            assert n is not None
            return choose.randrange(1 << n)
        case Array(dom, item):
            n = cardinality(dom)
            assert n is not None
            return sum(_random_code(choose, item) << k * width(item) for k in range(n))
        case Struct(_, fields):
            total = at = 0
            for _, t in fields:
                total |= _random_code(choose, t) << at
                at += width(t)
            return total
        case Option(item) if not is_scalar(item):
            return choose.choice([0, _random_code(choose, item) << 1 | 1])
        case _:
            n = cardinality(type_)
            assert n is not None
            return choose.randrange(n)


def _check(seed: int, used: Counter[Op] | None = None) -> None:
    choose = random.Random(seed)
    maker = Maker(choose, symmetric=False)
    maker.invent()
    vars_ = tuple(Var(f"x{k}", maker.type_(2), "shared") for k in range(VARS))
    system = machine(vars_)
    types = [*(v.type for v in vars_), BOOL, Word(3), Int(-1, 2)]
    terms = [maker.term(choose.choice(types), Scope(vars_), 4) for _ in range(6)]
    if used is not None:
        used.update(x.op for x in subterms(terms))
    f = compiled(system, terms)
    packed = layout(system)
    for _ in range(6):
        state = random_state(choose, system)
        assert packed.decode(packed.encode(state)) == state
        values = as_valuation(system, state)
        for x, got in zip(terms, f(packed.encode(state)), strict=True):
            assert got == code(x.type, evaluate(x, values)), (x, state)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=150)
def test_random_terms_have_one_meaning(seed: int) -> None:
    _check(seed)


def test_random_terms_use_every_operator() -> None:
    used: Counter[Op] = Counter()
    for seed in range(250):
        _check(seed, used)
    assert set(Op) - set(used) == {Op.OLD}


SMALL: list[Type] = [
    BOOL,
    Enum("E", ("A",)),
    Enum("F", ("A", "B", "C")),
    Int(-2, 1),
    Int(5, 5),
    Word(2),
    Index("i", 3),
]
NESTED: list[Type] = [
    *SMALL,
    Thread(()),
    *(Option(t) for t in SMALL),
    *(Set(t) for t in SMALL if not isinstance(t, Word)),
    Array(BOOL, Option(Int(-2, 1))),
    Option(Array(Int(-1, 1), BOOL)),
    Struct("S", (("a", Int(-2, 1)), ("b", Option(Index("i", 3))), ("c", Set(BOOL)))),
    Option(Struct("S", (("a", Int(1, 2)), ("b", BOOL)))),
]


@pytest.mark.parametrize("type_", NESTED, ids=str)
def test_every_value_has_one_code_and_back(type_: Type) -> None:
    values = list(values_of(type_))
    codes = [code(type_, v) for v in values]
    assert len(values) == cardinality(type_) == len(set(codes))
    assert [value(type_, c) for c in codes] == values
    assert all(0 <= c < 1 << width(type_) for c in codes)
