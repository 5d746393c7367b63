"""`refine.core.show`: parentheses, negations, updates, and a whole system."""

from __future__ import annotations

import pytest

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.show import assignments, show_expr
from refine.core.table import show_system
from refine.core.types import BOOL, Array, Index, IndexKind, Int, Option, Set, Struct, Word
from tests.report.golden import check
from tests.report.systems import Names, zap

A, B, C = (e.var(name, BOOL) for name in "abc")
N, M = (e.var(name, Int(0, 7)) for name in "nm")
W, X = (e.var(name, Word(8)) for name in "wx")
VCPU = Index("vcpu", 2)
G = Index("gfn", 4, IndexKind.GFN)
V = e.param("v", VCPU)
T = e.var("tlb", Array(VCPU, BOOL))
S = e.var("s", Set(VCPU))
R = Struct("pair", (("lo", BOOL), ("hi", BOOL)))
ALL = e.forall(Binder("v", VCPU), e.select(T, V))


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (e.and_(e.or_(A, B), C), "(a || b) && c"),
        (e.or_(e.and_(A, B), C), "a && b || c"),
        (e.implies(e.implies(A, B), C), "(a -> b) -> c"),
        (e.implies(A, e.implies(B, C)), "a -> b -> c"),
        (e.not_(e.and_(A, B)), "!(a && b)"),
        (e.ne(N, M), "n != m"),
        (e.not_(e.lt(N, M)), "n >= m"),
        (e.lt(e.integer(0), N), "n > 0"),
        (e.eq(e.integer(3), N), "n == 3"),
        (e.sub(N, e.sub(M, N)), "n - (m - n)"),
        (e.add(N, e.integer(-1)), "n + -1"),
        (e.mul(e.add(N, M), M), "(n + m) * m"),
        (e.bitwise(Op.BITOR, e.bitwise(Op.BITAND, W, X), X), "(w & x) | x"),
        (e.eq(e.bitwise(Op.BITAND, W, X), X), "w & x == x"),
        (e.bitwise(Op.BITNOT, e.bitwise(Op.BITOR, W, X)), "~(w | x)"),
        (e.and_(A, ALL), "a && forall v in vcpu. tlb[v]"),
        (e.and_(ALL, A), "(forall v in vcpu. tlb[v]) && a"),
        (e.or_(C, e.and_(A, ALL)), "c || a && forall v in vcpu. tlb[v]"),
        (e.or_(e.and_(A, ALL), C), "(a && forall v in vcpu. tlb[v]) || c"),
        (e.not_(ALL), "!(forall v in vcpu. tlb[v])"),
        (e.le(e.bind(Op.COUNT, Binder("v", VCPU), e.select(T, V)), N), "(count v in vcpu. tlb[v]) <= n"),
        (e.member(V, e.bind(Op.COLLECT, Binder("v", VCPU), A)), "v in {each v in vcpu where a}"),
        (e.not_(e.member(V, S)), "v !in s"),
        (e.card(e.insert(S, V)), "size(s | {v})"),
        (e.is_some(e.var("o", Option(VCPU))), "o != none"),
        (e.not_(e.is_some(e.var("o", Option(VCPU)))), "o == none"),
        (e.eq(e.get(e.var("o", Option(VCPU))), V), "o == v"),
        (e.old(e.select(T, V)), "old(tlb[v])"),
        (e.select(e.store(T, e.const(VCPU, 0), A), V), "(tlb with [vcpu#0] = a)[v]"),
        (e.node(Op.ITE, N.type, (A, N, M)), "a ? n : m"),
        (e.to_index(e.add(e.to_int(e.var("g", G)), e.integer(1)), G), "g + 1"),
        (e.field_of(e.var("r", R), 1), "r.hi"),
        (e.to_word(N, Word(16)), "trunc16(n)"),
    ],
)
def test_expressions(x: Expr, text: str) -> None:
    assert show_expr(x) == text


@pytest.mark.parametrize(
    ("x", "parts"),
    [
        (e.store(T, V, A), [("tlb[v]'", "a")]),
        (e.store(e.store(T, V, A), e.param("w", VCPU), B), [("tlb'", "(tlb with [v] = a) with [w] = b")]),
        (
            e.store(e.store(T, e.const(VCPU, 0), A), e.const(VCPU, 1), B),
            [("tlb[vcpu#0]'", "a"), ("tlb[vcpu#1]'", "b")],
        ),
        (
            e.bind(Op.LAMBDA, Binder("v", VCPU), e.not_(e.select(T, V))),
            [("tlb[v]'", "!tlb[v]  for all v in vcpu")],
        ),
    ],
)
def test_updates(x: Expr, parts: list[tuple[str, str]]) -> None:
    assert list(assignments("tlb", x)) == parts


def test_updates_of_fields_and_nested_arrays() -> None:
    r = e.var("r", Array(VCPU, R))
    x = e.store(r, V, e.with_field(e.select(r, V), 1, A))
    assert list(assignments("r", x)) == [("r[v].hi'", "a")]


def test_shared_terms_do_not_explode() -> None:
    x: Expr = A
    for n in range(200):
        x = e.node(Op.IMPLIES, BOOL, (e.node(Op.NOT, BOOL, (x,)), e.or_(x, e.var(f"v{n}", BOOL))))
    assert len(show_expr(x)) < 40_000


def test_deep_terms_do_not_overflow() -> None:
    x: Expr = A
    for n in range(5000):
        x = e.implies(e.var(f"v{n}", BOOL), x)
    assert show_expr(x).endswith("v0 -> a")


def test_a_system() -> None:
    check("show.txt", show_system(zap()))


def test_hostile_names_are_escaped() -> None:
    text = show_system(
        zap(names=Names("za\x1b[2Jp", "zap\nper", "gu\u202eest", "PRE\rSENT", "a\x07b\n  forged"))
    )
    assert text.replace("\n", "").isprintable()
    assert "forged" in text
    assert not any(line.startswith("  forged") for line in text.split("\n"))
