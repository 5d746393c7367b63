"""Random expressions over every operator and every type, and random systems made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.system import Assume, Fault, Kind, Place, Property, Rule, System, Var, Where
from refine.core.types import (
    BOOL,
    Array,
    Bool,
    Enum,
    Index,
    IndexKind,
    Int,
    Option,
    Part,
    Set,
    Struct,
    Thread,
    Type,
    Value,
    Word,
)
from refine.smt.shape import all_values

SMALL, FROM_ONE = Int(-2, 3), Int(1, 4)
U2, U3 = Word(2), Word(3)
COLOUR = Enum("Colour", ("RED", "GREEN", "BLUE"))
NODE = Index("node", 3)
GFN = Index("gfn", 3, IndexKind.GFN)
THREAD = Thread((Part("main", None), Part("guest", NODE)))
PAIR = Struct("Pair", (("on", BOOL), ("who", Option(COLOUR))))
SCALARS: tuple[Type, ...] = (BOOL, SMALL, FROM_ONE, U2, U3, COLOUR, NODE, GFN, THREAD)
CONTAINERS: tuple[Type, ...] = (
    Option(NODE),
    Option(FROM_ONE),
    Set(NODE),
    Set(Int(-1, 1)),
    Array(NODE, SMALL),
    Array(Int(0, 2), Option(NODE)),
    Array(BOOL, U2),
    PAIR,
)
TYPES = SCALARS + CONTAINERS
DOMAINS: tuple[Type, ...] = (BOOL, Int(-1, 1), Int(0, 2), COLOUR, NODE, GFN)


@dataclass(frozen=True)
class Scope:
    """What an expression may mention."""

    vars: Mapping[str, Type]
    params: Mapping[str, Type]
    steps: bool = False  # whether OLD may stand here
    inside_old: bool = False

    def bind(self, binder: Binder) -> Scope:
        return replace(self, params={**self.params, binder.name: binder.type})


def values(type_: Type) -> st.SearchStrategy[Value]:
    """Values of a type."""
    return st.sampled_from(list(all_values(type_)))


@st.composite
def exprs(draw: st.DrawFn, type_: Type, scope: Scope, depth: int) -> Expr:
    """An expression of exactly `type_` (an Int: narrowed to its bounds)."""
    leaves = [e.var(n, t) for n, t in scope.vars.items() if t == type_]
    leaves += [e.param(n, t) for n, t in scope.params.items() if t == type_]
    kind = draw(st.integers(0, 9))
    if depth <= 0 or kind == 0:
        if draw(st.integers(0, 4)) and leaves:
            return leaves[draw(st.integers(0, len(leaves) - 1))]
        return e.const(type_, draw(values(type_)))

    def sub(t: Type, inner: Scope | None = None) -> Expr:
        return draw(exprs(t, inner or scope, depth - 1))

    if kind == 1:
        return e.ite(sub(BOOL), sub(type_), sub(type_))
    if kind == 2:
        return e.get(sub(Option(type_))) if not isinstance(type_, Option) and type_ in SCALARS else sub(type_)
    if kind == 3:
        arrays = [t for t in CONTAINERS if isinstance(t, Array) and t.item == type_]
        if arrays:
            array = draw(st.sampled_from(arrays))
            return e.select(sub(array), _index(draw, array.dom, scope, depth))
    if kind == 4 and scope.steps and not scope.inside_old:
        return e.old(sub(type_, replace(scope, inside_old=True)))
    match type_:
        case Bool():
            return _bool(draw, scope, depth)
        case Int():
            return e.narrow(_number(draw, scope, depth), type_)
        case Word():
            return _word(draw, type_, scope, depth)
        case Index():
            return e.to_index(_number(draw, scope, depth), type_)
        case Thread():
            part = draw(st.integers(0, 1))
            return e.thread(type_, part, sub(NODE) if part else None)
        case Option(item):
            return e.some(sub(item))
        case Set(item):
            return _set(draw, type_, item, scope, depth)
        case Array(dom, item):
            if draw(st.booleans()):
                return e.store(sub(type_), _index(draw, dom, scope, depth), sub(item))
            binder = Binder(f"b{depth}", dom)
            return e.bind(Op.LAMBDA, binder, sub(item, scope.bind(binder)))
        case Struct(_, fields):
            if draw(st.booleans()):
                return e.record(type_, [sub(t) for _, t in fields])
            k = draw(st.integers(0, len(fields) - 1))
            return e.with_field(sub(type_), k, sub(fields[k][1]))
        case _:
            return e.ite(sub(BOOL), sub(type_), sub(type_))


def _index(draw: st.DrawFn, dom: Type, scope: Scope, depth: int) -> Expr:
    """What may index an array over `dom`: for an Int domain, a number that may be outside."""
    return _number(draw, scope, depth - 1) if isinstance(dom, Int) else draw(exprs(dom, scope, depth - 1))


def _number(draw: st.DrawFn, scope: Scope, depth: int) -> Expr:
    """An Int expression of any bounds."""
    if depth <= 0:
        return draw(exprs(draw(st.sampled_from((SMALL, FROM_ONE))), scope, 0))
    match draw(st.integers(0, 8)):
        case 0 | 1 | 2 | 3 | 4 as k:
            make = (e.add, e.sub, e.mul, e.div, e.mod)[k]
            return make(_number(draw, scope, depth - 1), _number(draw, scope, depth - 1))
        case 5:
            type_ = draw(st.sampled_from([t for t in SCALARS if not isinstance(t, Int | Thread)]))
            return e.to_int(draw(exprs(type_, scope, depth - 1)))
        case 6:
            binder = Binder(f"b{depth}", draw(st.sampled_from(DOMAINS)))
            return e.bind(Op.COUNT, binder, draw(exprs(BOOL, scope.bind(binder), depth - 1)))
        case 7:
            return e.card(draw(exprs(draw(st.sampled_from((Set(NODE), Set(Int(-1, 1))))), scope, depth - 1)))
        case _:
            return draw(exprs(draw(st.sampled_from((SMALL, FROM_ONE))), scope, depth - 1))


def _word(draw: st.DrawFn, type_: Word, scope: Scope, depth: int) -> Expr:
    def sub() -> Expr:
        return draw(exprs(type_, scope, depth - 1))

    match draw(st.integers(0, 8)):
        case 0 | 1 | 2 | 3 | 4 as k:
            return (e.add, e.sub, e.mul, e.div, e.mod)[k](sub(), sub())
        case 5:
            op = draw(st.sampled_from((Op.BITAND, Op.BITOR, Op.BITXOR)))
            return e.bitwise(op, sub(), sub())
        case 6:
            return e.bitwise(Op.BITNOT, sub())
        case 7:
            amounts: tuple[Type, ...] = (U2, U3, FROM_ONE)
            amount = draw(st.sampled_from(amounts))
            return e.bitwise(
                draw(st.sampled_from((Op.SHL, Op.SHR))), sub(), draw(exprs(amount, scope, depth - 1))
            )
        case _:
            if draw(st.booleans()):
                return e.to_word(_number(draw, scope, depth - 1), type_)
            return e.to_word(draw(exprs(U3 if type_ == U2 else U2, scope, depth - 1)), type_)


def _set(draw: st.DrawFn, type_: Set, item: Type, scope: Scope, depth: int) -> Expr:
    def sub() -> Expr:
        return draw(exprs(type_, scope, depth - 1))

    match draw(st.integers(0, 3)):
        case 0:
            return draw(st.sampled_from((e.insert, e.remove)))(sub(), _index(draw, item, scope, depth))
        case 1:
            return e.set_op(draw(st.sampled_from((Op.UNION, Op.INTER, Op.DIFF))), sub(), sub())
        case _:
            binder = Binder(f"b{depth}", item)
            return e.bind(Op.COLLECT, binder, draw(exprs(BOOL, scope.bind(binder), depth - 1)))


def _bool(draw: st.DrawFn, scope: Scope, depth: int) -> Expr:
    def sub(t: Type, inner: Scope | None = None) -> Expr:
        return draw(exprs(t, inner or scope, depth - 1))

    match draw(st.integers(0, 11)):
        case 0:
            return e.not_(sub(BOOL))
        case 1:
            return e.and_(sub(BOOL), sub(BOOL), sub(BOOL))
        case 2:
            return e.or_(sub(BOOL), sub(BOOL))
        case 3:
            return e.implies(sub(BOOL), sub(BOOL))
        case 4:
            type_ = draw(st.sampled_from(TYPES))
            return e.eq(sub(type_), sub(type_))
        case 5:
            make = draw(st.sampled_from((e.eq, e.lt, e.le)))
            return make(_number(draw, scope, depth - 1), _number(draw, scope, depth - 1))
        case 6:
            ordered: tuple[Type, ...] = (U2, U3, GFN)
            type_ = draw(st.sampled_from(ordered))
            return draw(st.sampled_from((e.lt, e.le)))(sub(type_), sub(type_))
        case 7:
            return e.is_some(sub(draw(st.sampled_from((Option(NODE), Option(FROM_ONE))))))
        case 8:
            set_ = draw(st.sampled_from((Set(NODE), Set(Int(-1, 1)))))
            return e.member(_index(draw, set_.item, scope, depth), sub(set_))
        case 9:
            set_ = draw(st.sampled_from((Set(NODE), Set(Int(-1, 1)))))
            return e.set_op(Op.SUBSET, sub(set_), sub(set_))
        case 10:
            binder = Binder(f"b{depth}", draw(st.sampled_from(DOMAINS)))
            quantifier = draw(st.sampled_from((e.forall, e.exists)))
            return quantifier(binder, sub(BOOL, scope.bind(binder)))
        case _:
            return e.field_of(sub(PAIR), 0)


# --- systems ----------------------------------------------------------------------------------------------------


STATEFUL: tuple[Type, ...] = (
    BOOL,
    SMALL,
    U3,
    U2,
    COLOUR,
    NODE,
    Option(NODE),
    Set(NODE),
    PAIR,
    Array(NODE, BOOL),
)


@st.composite
def systems(draw: st.DrawFn) -> System:
    """A system of few states: up to three variables and three rules, faults, choices, assumptions."""
    drawn = draw(st.lists(st.sampled_from(STATEFUL), min_size=1, max_size=3))
    types = {f"x{k}": t for k, t in enumerate(drawn)}
    scope = Scope(types, {})
    places = (Place("a", "undefined"), Place("b", "undefined"))
    rules = tuple(draw(_rules(f"r{k}", scope)) for k in range(draw(st.integers(1, 3))))
    assumes = [Assume("a", draw(_conditions(scope)))] if draw(st.integers(0, 7)) == 7 else []
    properties = (
        Property("state", Kind.STATE, draw(_conditions(scope)), "claim", using=("lemma",)),
        Property("lemma", Kind.STATE, draw(_conditions(scope)), "lemma"),
        Property(
            "step", Kind.STEP, _step_claim(draw, scope), "claim", of=draw(st.sampled_from((None, ("r0",))))
        ),
        Property("reach", Kind.REACH, e.not_(draw(_conditions(scope))), "reach"),
        Property("defined", Kind.FAULT, e.TRUE, "free", places=draw(st.sampled_from(((0, 1), (1,))))),
        Property("havoc", Kind.SATISFIABLE, e.TRUE, "free", of=("r0",)),
    )
    variables = tuple(Var(n, t, "shared") for n, t in types.items())
    init = draw(_initials(scope))
    return System("random", (), variables, init, rules, properties, places, (), tuple(assumes))


@st.composite
def _conditions(draw: st.DrawFn, scope: Scope) -> Expr:
    """What holds in most states: a variable is not some value; now and then, anything."""
    if draw(st.integers(0, 3)) == 3:
        return draw(exprs(BOOL, scope, 2))
    name = draw(st.sampled_from(sorted(scope.vars)))
    type_ = scope.vars[name]
    return e.ne(e.var(name, type_), e.const(type_, draw(values(type_))))


def _step_claim(draw: st.DrawFn, scope: Scope) -> Expr:
    before = e.old(draw(_conditions(scope)))
    return e.or_(before, draw(_conditions(scope)), draw(exprs(BOOL, replace(scope, steps=True), 2)))


def _next(draw: st.DrawFn, type_: Type, x: Expr, scope: Scope) -> Expr:
    """Mostly the value after `x` in some order, so that runs are long; now and then, anything."""
    if draw(st.integers(0, 3)) < 3:
        match type_:
            case Bool():
                return e.not_(x)
            case Int():
                return e.narrow(e.add(x, e.integer(1)), type_)
            case Word():
                return e.add(x, e.const(type_, 1))
            case Index():
                return e.to_index(e.add(e.to_int(x), e.integer(1)), type_)
            case Set(item):
                return e.insert(x, draw(exprs(item, scope, 1)))
            case Array(dom, item):
                return e.store(x, draw(exprs(dom, scope, 1)), draw(exprs(item, scope, 1)))
            case _:
                pass
    return draw(exprs(type_, scope, 3))


@st.composite
def _initials(draw: st.DrawFn, scope: Scope) -> Rule:
    chosen = Scope(scope.vars, {"initc0": NODE})
    choices = (Binder("initc0", NODE),) if draw(st.booleans()) else ()
    wheres = (Where(draw(exprs(BOOL, chosen, 1))),) if choices and draw(st.booleans()) else ()
    faults = (Fault(draw(exprs(BOOL, scope, 2)), 0),) if draw(st.integers(0, 7)) == 7 else ()
    inside = chosen if choices else scope
    written = draw(st.sets(st.sampled_from(sorted(scope.vars))))
    updates = tuple((v, draw(exprs(scope.vars[v], inside, 2))) for v in sorted(written))
    return Rule("init", (), e.TRUE, choices, wheres, faults, updates, step="init")


@st.composite
def _rules(draw: st.DrawFn, name: str, outer: Scope) -> Rule:
    params = [Binder(f"{name}p{k}", draw(st.sampled_from(DOMAINS))) for k in range(draw(st.integers(0, 2)))]
    choices = [Binder(f"{name}c{k}", draw(st.sampled_from(DOMAINS))) for k in range(draw(st.integers(0, 1)))]
    before = outer
    for binder in params:
        before = before.bind(binder)
    scope = before
    for binder in choices:
        scope = scope.bind(binder)
    wheres = tuple(
        Where(draw(exprs(BOOL, scope, 2)), draw(st.sampled_from((None, "named"))))
        for _ in range(draw(st.integers(0, len(choices))))
    )
    rare = st.sampled_from((0, 0, 0, 0, 1, 2))
    faults = tuple(
        Fault(e.not_(draw(_conditions(outer))), draw(st.integers(0, 1))) for _ in range(draw(rare))
    )
    written = sorted(draw(st.sets(st.sampled_from(sorted(outer.vars)), min_size=1)))
    updates = tuple((v, _next(draw, outer.vars[v], e.var(v, outer.vars[v]), scope)) for v in written)
    guard = draw(st.one_of(st.just(e.TRUE), _conditions(outer), _conditions(outer), exprs(BOOL, before, 2)))
    return Rule(name, tuple(params), guard, tuple(choices), wheres, faults, updates, step=name)
