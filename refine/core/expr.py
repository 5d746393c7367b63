"""The one typed, hash-consed expression language that lowering produces and every semantics reads.

Every operator is total: where a specification is undefined (none dereferenced, a range left), lowering adds a
check that leads to the fault state, and the operator itself yields `types.default`. NOTE(total)
"""

from __future__ import annotations

import enum
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from refine.core.types import (
    BOOL,
    Array,
    Bool,
    Index,
    Int,
    Option,
    Set,
    Struct,
    Thread,
    Type,
    Value,
    Word,
    cardinality,
    default,
)


class Op(enum.Enum):
    """The operators, each with its arguments and its `data`; the constructors below state the types."""

    CONST = "const"  # data: a value of the type
    VAR = "var"  # data: name of a state variable
    OLD = "old"  # x: its value before the transition (step claims only)
    PARAM = "param"  # data: name bound by a rule's params or choices, or by a binder around it

    NOT = "not"  # bool
    AND = "and"  # bool, ... (at least two)
    OR = "or"  # bool, ... (at least two)
    IMPLIES = "implies"  # bool, bool
    EQ = "eq"  # x, y of equal type (Int types of any bounds)
    ITE = "ite"  # bool, x, y

    LT = "lt"  # x, y: both Int, both one Word, or both one Index of kind SLOT, RING or GFN
    LE = "le"
    ADD = "add"  # Int: exact, the type is the interval of the results; Word: wraps around
    SUB = "sub"
    MUL = "mul"
    DIV = "div"  # rounds down; by zero: the type's default
    MOD = "mod"  # x - y * DIV(x, y); by zero: the type's default
    BITAND = "bitand"  # Word
    BITOR = "bitor"
    BITXOR = "bitxor"
    BITNOT = "bitnot"
    SHL = "shl"  # Word by a Word or non-negative Int; by the width or more: 0
    SHR = "shr"
    NARROW = "narrow"  # Int to the bounds of the type; outside: the type's default
    TO_INT = "to_int"  # the number of a Bool, Word, Enum, Index
    TO_WORD = "to_word"  # Int or Word modulo 2**bits
    TO_INDEX = "to_index"  # Int to Index; outside: 0

    SOME = "some"  # x as an Option
    IS_SOME = "is_some"  # whether an Option has a value
    GET = "get"  # its value; of none: the item's default

    MEMBER = "member"  # x, set; outside an Int domain: false
    INSERT = "insert"  # set, x; outside an Int domain: unchanged
    REMOVE = "remove"  # set, x
    UNION = "union"  # set, set
    INTER = "inter"
    DIFF = "diff"
    SUBSET = "subset"  # set, set: is the first contained in the second
    CARD = "card"  # number of members
    COLLECT = "collect"  # data: binder; body bool: the set of those for which it holds

    SELECT = "select"  # array, index; outside an Int domain: the item's default
    STORE = (
        "store"  # array, index, value: the array with one entry replaced; outside an Int domain: unchanged
    )
    LAMBDA = "lambda"  # data: binder; body: the array of the body's values

    RECORD = "record"  # one argument a field
    FIELD = "field"  # struct; data: position of the field
    WITH = "with"  # struct, value; data: position: the struct with one field replaced

    THREAD = "thread"  # data: number of the family; its index, or no argument

    FORALL = "forall"  # data: binder; body
    EXISTS = "exists"
    COUNT = "count"  # data: binder; body: for how many it holds

    __hash__ = object.__hash__  # Enum's own hashes the name, in Python


BINDERS = frozenset({Op.COLLECT, Op.LAMBDA, Op.FORALL, Op.EXISTS, Op.COUNT})


@dataclass(frozen=True, slots=True)
class Binder:
    """A bound name and the domain type that it ranges over. Lowering never binds one name twice on a path."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True, repr=False)
class Expr:
    """A node. Nodes are interned: equal nodes are one object, so `==` is identity and a memo table is a dict."""

    op: Op
    type: Type
    args: tuple[Expr, ...]
    data: Value | str | Binder = None
    depth: int = field(default=0)

    def __repr__(self) -> str:
        inner = ", ".join([*([] if self.data is None else [repr(self.data)]), *map(repr, self.args)])
        return f"{self.op.value}({inner})"


# A cache without meaning: it only makes structural equality and identity coincide.
_interned: weakref.WeakValueDictionary[object, Expr] = weakref.WeakValueDictionary()


def node(op: Op, type_: Type, args: tuple[Expr, ...] = (), data: Value | str | Binder = None) -> Expr:
    """The interned node. Use the constructors below, which state the typing of each operator."""
    key = (op, type_, tuple(map(id, args)), type(data), data)
    found = _interned.get(key)
    if found is None:
        found = Expr(op, type_, args, data, 1 + max((a.depth for a in args), default=0))
        _interned[key] = found
    return found


# --- leaves -----------------------------------------------------------------------------------------------------


def const(type_: Type, value: Value) -> Expr:
    return node(Op.CONST, type_, (), value)


TRUE = const(BOOL, True)
FALSE = const(BOOL, False)


def boolean(value: bool) -> Expr:
    return TRUE if value else FALSE


def integer(value: int) -> Expr:
    return const(Int(value, value), value)


def none(type_: Option) -> Expr:
    return const(type_, None)


def var(name: str, type_: Type) -> Expr:
    return node(Op.VAR, type_, (), name)


def param(name: str, type_: Type) -> Expr:
    return node(Op.PARAM, type_, (), name)


def old(x: Expr) -> Expr:
    return node(Op.OLD, x.type, (x,))


# --- bool -------------------------------------------------------------------------------------------------------


def not_(x: Expr) -> Expr:
    if x.op is Op.CONST:
        return boolean(not x.data)
    return x.args[0] if x.op is Op.NOT else node(Op.NOT, BOOL, (x,))


def and_(*xs: Expr) -> Expr:
    return _join(Op.AND, TRUE, FALSE, xs)


def or_(*xs: Expr) -> Expr:
    return _join(Op.OR, FALSE, TRUE, xs)


def _join(op: Op, unit: Expr, zero: Expr, xs: Iterable[Expr]) -> Expr:
    flat: dict[Expr, None] = {}
    for x in xs:
        for part in x.args if x.op is op else (x,):
            if part is zero:
                return zero
            if part is not unit:
                flat[part] = None
    if len(flat) <= 1:
        return next(iter(flat), unit)
    return node(op, BOOL, tuple(flat))


def implies(x: Expr, y: Expr) -> Expr:
    if x is TRUE or y is TRUE:
        return y
    if x is FALSE:
        return TRUE
    return not_(x) if y is FALSE else node(Op.IMPLIES, BOOL, (x, y))


def eq(x: Expr, y: Expr) -> Expr:
    if x is y:
        return TRUE
    if x.op is Op.CONST and y.op is Op.CONST:
        return boolean(x.data == y.data)
    if isinstance(x.type, Bool):
        for this, other in ((x, y), (y, x)):
            if this.op is Op.CONST:
                return other if this.data else not_(other)
    return node(Op.EQ, BOOL, (x, y))


def ne(x: Expr, y: Expr) -> Expr:
    return not_(eq(x, y))


def ite(c: Expr, x: Expr, y: Expr) -> Expr:
    """`c ? x : y`; where x and y are Int of different bounds, the result's bounds hold both."""
    if c is TRUE or x is y:
        return x
    if c is FALSE:
        return y
    if c.op is Op.NOT:
        return ite(c.args[0], y, x)
    merged = _ite_store(c, x, y)
    if merged is not None:
        return merged
    if isinstance(x.type, Bool):
        if x is TRUE:
            return or_(c, y)
        if x is FALSE:
            return and_(not_(c), y)
        if y is TRUE:
            return or_(not_(c), x)
        if y is FALSE:
            return and_(c, x)
    return node(Op.ITE, _join_types(x.type, y.type), (c, x, y))


def _ite_store(c: Expr, x: Expr, y: Expr) -> Expr | None:
    """Two arms that differ from one array at one index at most are one store: keeps merged branches small."""
    for this, other, swap in ((x, y, False), (y, x, True)):
        if this.op is Op.STORE:
            array, index, value = this.args
            if other is array:
                kept = select(array, index)
                return store(array, index, ite(c, kept, value) if swap else ite(c, value, kept))
    if x.op is Op.STORE and y.op is Op.STORE and x.args[:2] == y.args[:2]:
        return store(x.args[0], x.args[1], ite(c, x.args[2], y.args[2]))
    return None


def _join_types(x: Type, y: Type) -> Type:
    if isinstance(x, Int) and isinstance(y, Int) and x != y:
        if x.lo is None or x.hi is None or y.lo is None or y.hi is None:
            return Int()
        return Int(min(x.lo, y.lo), max(x.hi, y.hi))
    assert x == y, f"both arms of an ite have one type, not {x} and {y}"
    return x


# --- numbers ----------------------------------------------------------------------------------------------------


def lt(x: Expr, y: Expr) -> Expr:
    return _compare(Op.LT, x, y)


def le(x: Expr, y: Expr) -> Expr:
    return _compare(Op.LE, x, y)


def _compare(op: Op, x: Expr, y: Expr) -> Expr:
    if x.op is Op.CONST and y.op is Op.CONST:
        assert isinstance(x.data, int) and isinstance(y.data, int), "order is only for numbers"
        return boolean(x.data < y.data if op is Op.LT else x.data <= y.data)
    return node(op, BOOL, (x, y))


def add(x: Expr, y: Expr) -> Expr:
    return _arith(Op.ADD, x, y)


def sub(x: Expr, y: Expr) -> Expr:
    return _arith(Op.SUB, x, y)


def mul(x: Expr, y: Expr) -> Expr:
    return _arith(Op.MUL, x, y)


def div(x: Expr, y: Expr) -> Expr:
    return _arith(Op.DIV, x, y)


def mod(x: Expr, y: Expr) -> Expr:
    return _arith(Op.MOD, x, y)


def _arith(op: Op, x: Expr, y: Expr) -> Expr:
    if isinstance(x.type, Word):
        assert x.type == y.type, "word arithmetic is between words of one width"
        return node(op, x.type, (x, y))
    assert isinstance(x.type, Int) and isinstance(y.type, Int), "arithmetic is for Int and Word"
    xtype, ytype = x.type, y.type
    if x.op is Op.CONST and y.op is Op.CONST:
        assert isinstance(x.data, int) and isinstance(y.data, int), "an Int constant is a number"
        xtype, ytype = Int(x.data, x.data), Int(y.data, y.data)
    type_ = _interval(op, xtype, ytype)
    if x.op is Op.CONST and y.op is Op.CONST and type_.bounded and type_.lo == type_.hi:
        return const(type_, type_.lo)
    return node(op, type_, (x, y))


def _interval(op: Op, x: Int, y: Int) -> Int:
    """The tightest bounds of `x op y` that follow from the operands' bounds; 0 is in it where y may be 0."""
    if x.lo is None or x.hi is None or y.lo is None or y.hi is None:
        return Int()
    match op:
        case Op.ADD:
            return Int(x.lo + y.lo, x.hi + y.hi)
        case Op.SUB:
            return Int(x.lo - y.hi, x.hi - y.lo)
        case Op.MUL:
            ends = [a * b for a in (x.lo, x.hi) for b in (y.lo, y.hi)]
            return Int(min(ends), max(ends))
        case Op.DIV | Op.MOD:
            divisors = {d for d in (y.lo, y.hi, -1, 1) if d != 0 and y.lo <= d <= y.hi}
            zero = [0] if y.lo <= 0 <= y.hi else []
            if op is Op.DIV:
                ends = [a // d for a in (x.lo, x.hi) for d in divisors] + zero
                return Int(min(ends), max(ends))
            if x.lo == x.hi and y.lo == y.hi and y.lo != 0:
                return Int(x.lo % y.lo, x.lo % y.lo)
            return Int(min([0, *(d + 1 for d in divisors)]), max([0, *(d - 1 for d in divisors)]))
        case _:
            raise AssertionError("only arithmetic operators have intervals")


def bitwise(op: Op, *xs: Expr) -> Expr:
    """BITAND, BITOR, BITXOR, BITNOT, SHL, SHR on words."""
    assert isinstance(xs[0].type, Word), "bitwise operators are for words"
    return node(op, xs[0].type, xs)


def narrow(x: Expr, type_: Int) -> Expr:
    """`x` as a value of an Int type; the default where it is outside (a fault check goes with it)."""
    if not type_.bounded:
        return x  # nothing is outside, and the bounds that are known stay known
    if x.op is Op.CONST and type_.lo is not None and type_.hi is not None:
        assert isinstance(x.data, int), "an Int constant is a number"
        return const(type_, x.data if type_.lo <= x.data <= type_.hi else default(type_))
    return x if x.type == type_ else node(Op.NARROW, type_, (x,))


def to_int(x: Expr) -> Expr:
    if isinstance(x.type, Int):
        return x
    n = cardinality(x.type)
    assert n is not None, "only finite types have numbers"
    return node(Op.TO_INT, Int(0, n - 1), (x,))


def to_word(x: Expr, type_: Word) -> Expr:
    return x if x.type == type_ else node(Op.TO_WORD, type_, (x,))


def to_index(x: Expr, type_: Index) -> Expr:
    return node(Op.TO_INDEX, type_, (x,))


# --- options, sets, arrays, structs, threads ------------------------------------------------------------------------


def some(x: Expr) -> Expr:
    assert not isinstance(x.type, Option), "options do not nest"
    return const(Option(x.type), x.data) if x.op is Op.CONST else node(Op.SOME, Option(x.type), (x,))  # type: ignore[arg-type]


def is_some(x: Expr) -> Expr:
    if x.op is Op.CONST:
        return boolean(x.data is not None)
    return TRUE if x.op is Op.SOME else node(Op.IS_SOME, BOOL, (x,))


def get(x: Expr) -> Expr:
    assert isinstance(x.type, Option), "only an option has a value to get"
    if x.op is Op.SOME:
        return x.args[0]
    if x.op is Op.CONST:
        return const(x.type.item, default(x.type.item) if x.data is None else x.data)  # type: ignore[arg-type]
    return node(Op.GET, x.type.item, (x,))


def member(x: Expr, s: Expr) -> Expr:
    if s.op is Op.CONST and not s.data:
        return FALSE
    return node(Op.MEMBER, BOOL, (x, s))


def insert(s: Expr, x: Expr) -> Expr:
    return node(Op.INSERT, s.type, (s, x))


def remove(s: Expr, x: Expr) -> Expr:
    return node(Op.REMOVE, s.type, (s, x))


def set_op(op: Op, x: Expr, y: Expr) -> Expr:
    """UNION, INTER, DIFF (a set) or SUBSET (a bool)."""
    return node(op, BOOL if op is Op.SUBSET else x.type, (x, y))


def card(s: Expr) -> Expr:
    assert isinstance(s.type, Set), "only sets have a size"
    n = cardinality(s.type.item)
    return node(Op.CARD, Int(0, n), (s,))


def select(a: Expr, i: Expr) -> Expr:
    assert isinstance(a.type, Array), "only arrays are indexed"
    if a.op is Op.STORE and not isinstance(a.type.dom, Int):
        if a.args[1] is i:
            return a.args[2]
        if a.args[1].op is Op.CONST and i.op is Op.CONST:
            return select(a.args[0], i)
    return node(Op.SELECT, a.type.item, (a, i))


def store(a: Expr, i: Expr, v: Expr) -> Expr:
    if v.op is Op.SELECT and v.args[0] is a and v.args[1] is i:
        return a
    if a.op is Op.STORE and a.args[1] is i:
        return store(a.args[0], i, v)
    return node(Op.STORE, a.type, (a, i, v))


def record(type_: Struct, fields: Sequence[Expr]) -> Expr:
    return node(Op.RECORD, type_, tuple(fields))


def field_of(x: Expr, position: int) -> Expr:
    assert isinstance(x.type, Struct), "only structs have fields"
    return node(Op.FIELD, x.type.fields[position][1], (x,), position)


def with_field(x: Expr, position: int, v: Expr) -> Expr:
    return node(Op.WITH, x.type, (x, v), position)


def thread(type_: Thread, part: int, index: Expr | None) -> Expr:
    return node(Op.THREAD, type_, () if index is None else (index,), part)


def bind(op: Op, binder: Binder, body: Expr) -> Expr:
    """FORALL, EXISTS, COUNT, COLLECT or LAMBDA over `binder`."""
    match op:
        case Op.FORALL | Op.EXISTS:
            return (
                body if body.op is Op.CONST and cardinality(binder.type) else node(op, BOOL, (body,), binder)
            )
        case Op.COUNT:
            return node(op, Int(0, cardinality(binder.type)), (body,), binder)
        case Op.COLLECT:
            return node(op, Set(binder.type), (body,), binder)
        case Op.LAMBDA:
            return node(op, Array(binder.type, body.type), (body,), binder)
        case _:
            raise AssertionError("only binders bind")


def forall(binder: Binder, body: Expr) -> Expr:
    return bind(Op.FORALL, binder, body)


def exists(binder: Binder, body: Expr) -> Expr:
    return bind(Op.EXISTS, binder, body)
