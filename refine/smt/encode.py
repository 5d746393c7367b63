"""The solver reading of an expression: what each operator of the core means in terms, by ground expansion.

This states the meaning of every operator again, independently of `refine.run`: that the two agree is
evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from refine.core import types as t
from refine.core.expr import BINDERS, Binder, Expr, Op
from refine.core.fold import subterms
from refine.smt.shape import (
    Shape,
    Sym,
    bit,
    bit_vector,
    int_width,
    is_exact,
    is_signed,
    parts,
    scalar_width,
    within,
)
from refine.smt.term import UNBOUNDED, Term, TermOp, Terms

Env = Mapping[str, Sym]

_ARITH = {Op.ADD: TermOp.ADD, Op.SUB: TermOp.SUB, Op.MUL: TermOp.MUL}
_BITWISE = {Op.BITAND: TermOp.BITAND, Op.BITOR: TermOp.BITOR, Op.BITXOR: TermOp.BITXOR}


def needs_integers(types: Iterable[t.Type], exprs: Iterable[Expr]) -> bool:
    """Whether some value is an unbounded integer, so that bit-vectors cannot carry the question."""
    return any(map(is_exact, types)) or any(is_exact(x.type) for x in subterms(exprs))


class FreeNames:
    """For each expression, the parameters that are free in it; a cache shared by encoders."""

    def __init__(self) -> None:
        self._memo: dict[Expr, tuple[str, ...]] = {}

    def __call__(self, x: Expr) -> tuple[str, ...]:
        found = self._memo.get(x)
        if found is not None:
            return found
        for y in subterms((x,)):
            if y not in self._memo:
                names: set[str] = {str(y.data)} if y.op is Op.PARAM else set()
                names.update(*(self._memo[a] for a in y.args))
                if isinstance(y.data, Binder):
                    names.discard(y.data.name)
                self._memo[y] = tuple(sorted(names))
        return self._memo[x]


class Encoder:
    """Reads expressions in one frame: `values` are the variables there, `before` reads what is under OLD."""

    def __init__(
        self, shape: Shape, values: Mapping[str, Sym], free: FreeNames, before: Encoder | None = None
    ) -> None:
        self.shape = shape
        self.terms: Terms = shape.terms
        self.values = values
        self._free = free
        self._before = before
        self._memo: dict[object, Sym] = {}

    def __call__(self, root: Expr, env: Env | None = None) -> Sym:
        """The value of `root`, where `env` gives the parameters that are free in it."""
        memo = self._memo
        stack: list[tuple[Expr, Env]] = [(root, env or {})]
        while stack:
            x, here = stack[-1]
            key = self._key(x, here)
            if key in memo:
                stack.pop()
                continue
            below = self._below(x, here)
            missing = [item for item in below if self._key(*item) not in memo]
            if missing:
                stack.extend(reversed(missing))
                continue
            memo[key] = self._apply(x, here, [memo[self._key(*item)] for item in below])
            stack.pop()
        return memo[self._key(root, env or {})]

    def truth(self, root: Expr, env: Env | None = None) -> Term:
        """The value of a Bool."""
        return bit(self(root, env))

    def as_type(self, root: Expr, env: Env | None, type_: t.Type) -> Sym:
        """The value of `root` where a `type_` is wanted, which holds all numbers of its own type."""
        return self.shape.coerce(self(root, env), root.type, type_)

    def _key(self, x: Expr, env: Env) -> object:
        names = self._free(x)
        return (x, *[env[name] for name in names]) if names else x

    def _below(self, x: Expr, env: Env) -> list[tuple[Expr, Env]]:
        """What has to be known before `x`: the arguments, or a binder's body at each value of its domain."""
        if x.op in BINDERS:
            binder = x.data
            assert isinstance(binder, Binder), "a binder node carries its binder"
            body = x.args[0]
            if binder.name not in self._free(body):
                return [(body, env)] * len(t.domain_values(binder.type))
            return [
                (body, {**env, binder.name: self.shape.constant(binder.type, v)})
                for v in t.domain_values(binder.type)
            ]
        return [] if x.op is Op.OLD else [(a, env) for a in x.args]

    def _apply(self, x: Expr, env: Env, args: list[Sym]) -> Sym:
        """The value of `x` from those of what is below it."""
        terms, shape = self.terms, self.shape
        match x.op:
            case Op.CONST:
                assert not isinstance(x.data, Binder), "a constant carries a value"
                return shape.constant(x.type, x.data)  # type: ignore[arg-type]  # no name
            case Op.VAR:
                return self.values[str(x.data)]
            case Op.OLD:
                assert self._before is not None, "OLD stands only in step claims, which have a frame before"
                return self._before(x.args[0], env)
            case Op.PARAM:
                return env[str(x.data)]
            case Op.NOT:
                return terms.not_(bit(args[0]))
            case Op.AND | Op.FORALL:
                return terms.and_(map(bit, args))
            case Op.OR | Op.EXISTS:
                return terms.or_(map(bit, args))
            case Op.IMPLIES:
                return terms.implies(bit(args[0]), bit(args[1]))
            case Op.EQ:
                wide = join(x.args[0].type, x.args[1].type)
                left, right = (shape.coerce(a, y.type, wide) for a, y in zip(args, x.args, strict=True))
                return shape.equal(left, right)
            case Op.ITE:
                left = shape.coerce(args[1], x.args[1].type, x.type)
                return shape.ite(bit(args[0]), left, shape.coerce(args[2], x.args[2].type, x.type))
            case Op.LT:
                return self._less(x.args[0], x.args[1], args[0], args[1])
            case Op.LE:
                return terms.not_(self._less(x.args[1], x.args[0], args[1], args[0]))
            case Op.ADD | Op.SUB | Op.MUL | Op.DIV | Op.MOD:
                return self._arith(x, bit_vector(args[0]), bit_vector(args[1]))
            case Op.BITAND | Op.BITOR | Op.BITXOR:
                return terms.bitwise(_BITWISE[x.op], bit_vector(args[0]), bit_vector(args[1]))
            case Op.BITNOT:
                return terms.bitnot(bit_vector(args[0]))
            case Op.SHL | Op.SHR:
                return self._shift(x, bit_vector(args[0]), bit_vector(args[1]))
            case Op.NARROW:
                return self._narrow(x, bit_vector(args[0]))
            case Op.TO_INT:
                return self._to_int(x, args[0])
            case Op.TO_WORD:
                return self._to_word(x, bit_vector(args[0]))
            case Op.TO_INDEX:
                return self._to_index(x, bit_vector(args[0]))
            case Op.SOME:
                return (terms.true, args[0])
            case Op.IS_SOME:
                return parts(args[0])[0]
            case Op.GET:
                return parts(args[0])[1]  # of none: the default, by NOTE(none)
            case Op.MEMBER:
                hits = self._hits(x.args[0], args[0], _domain(x.args[1]))
                return terms.or_(terms.and_((h, bit(m))) for h, m in zip(hits, parts(args[1]), strict=True))
            case Op.INSERT:
                hits = self._hits(x.args[1], args[1], _domain(x.args[0]))
                return tuple(terms.or_((h, bit(m))) for h, m in zip(hits, parts(args[0]), strict=True))
            case Op.REMOVE:
                hits = self._hits(x.args[1], args[1], _domain(x.args[0]))
                pairs = zip(hits, parts(args[0]), strict=True)
                return tuple(terms.and_((terms.not_(h), bit(m))) for h, m in pairs)
            case Op.UNION:
                return tuple(terms.or_(map(bit, pair)) for pair in _pairs(args))
            case Op.INTER:
                return tuple(terms.and_(map(bit, pair)) for pair in _pairs(args))
            case Op.DIFF:
                return tuple(terms.and_((bit(a), terms.not_(bit(b)))) for a, b in _pairs(args))
            case Op.SUBSET:
                return terms.and_(terms.implies(bit(a), bit(b)) for a, b in _pairs(args))
            case Op.CARD:
                return self._count([bit(m) for m in parts(args[0])], x.type)
            case Op.COUNT:
                return self._count([bit(m) for m in args], x.type)
            case Op.COLLECT | Op.RECORD | Op.LAMBDA:
                return self._tuple(x, args)
            case Op.SELECT:
                return self._select(x, parts(args[0]), args[1])
            case Op.STORE:
                return self._store(x, parts(args[0]), args[1], args[2])
            case Op.FIELD:
                assert isinstance(x.data, int), "a field is given by its position"
                return parts(args[0])[x.data]
            case Op.WITH:
                assert isinstance(x.data, int) and isinstance(x.type, t.Struct), "a field of a struct"
                new = shape.coerce(args[1], x.args[1].type, x.type.fields[x.data][1])
                return tuple(new if k == x.data else old for k, old in enumerate(parts(args[0])))
            case Op.THREAD:
                return self._thread(x, args)
        assert_never(x.op)

    # --- numbers --------------------------------------------------------------------------------------------

    def _resize(self, x: Term, source: t.Int, width: int) -> Term:
        """A number of a bounded Int modulo two to the `width`."""
        if x.width <= width:
            return self.terms.extend(x, width, sign=is_signed(source))
        return self.terms.truncate(x, width)

    def _less(self, x: Expr, y: Expr, left: Sym, right: Sym) -> Term:
        a, b = bit_vector(left), bit_vector(right)
        if not (isinstance(x.type, t.Int) and isinstance(y.type, t.Int)):
            return self.terms.ult(a, b)
        if a.width == UNBOUNDED:
            return self.terms.slt(a, b)
        wide = _join_int(x.type, y.type)
        less = self.terms.slt if is_signed(wide) else self.terms.ult
        return less(self.shape.resize(a, x.type, wide), self.shape.resize(b, y.type, wide))

    def _arith(self, x: Expr, left: Term, right: Term) -> Term:
        """Words wrap around; for Ints the width is wide enough for both operands and the result."""
        terms = self.terms
        if isinstance(x.type, t.Word):
            if x.op in _ARITH:
                return terms.arith(_ARITH[x.op], left, right)
            zero = terms.number(0, left.width)
            done = terms.arith(TermOp.UDIV if x.op is Op.DIV else TermOp.UREM, left, right)
            return terms.ite(terms.eq(right, zero), zero, done)
        a, b = x.args[0].type, x.args[1].type
        assert isinstance(x.type, t.Int) and isinstance(a, t.Int) and isinstance(b, t.Int), "numbers"
        width = UNBOUNDED
        if left.width != UNBOUNDED:
            # A sum or product is exact in any width that it fits; a quotient needs its operands whole.
            width = int_width(x.type)
            if x.op not in _ARITH:
                width = 1 + max(int_width(a), int_width(b), width)
            left, right = self._resize(left, a, width), self._resize(right, b, width)
        if x.op in _ARITH:
            return terms.arith(_ARITH[x.op], left, right)
        divided = terms.arith(TermOp.FDIV if x.op is Op.DIV else TermOp.FMOD, left, right)
        nothing = terms.number(_default_number(x.type), width)
        done = terms.ite(terms.eq(right, terms.number(0, width)), nothing, divided)
        return done if width == UNBOUNDED else terms.truncate(done, int_width(x.type))

    def _shift(self, x: Expr, left: Term, amount: Term) -> Term:
        terms, width = self.terms, left.width
        op = TermOp.SHL if x.op is Op.SHL else TermOp.SHR
        if amount.width == UNBOUNDED:
            # No bit-vector holds the amount: one case for each that matters.
            done = terms.number(0, width)
            for k in range(width):
                shifted = terms.bitwise(op, left, terms.number(k, width))
                done = terms.ite(terms.eq(amount, terms.number(k, UNBOUNDED)), shifted, done)
            return done
        if amount.width <= width:
            return terms.bitwise(op, left, terms.extend(amount, width, sign=False))
        low = terms.truncate(amount, width)
        fits = terms.eq(terms.extend(low, amount.width, sign=False), amount)
        return terms.ite(fits, terms.bitwise(op, left, low), terms.number(0, width))

    def _narrow(self, x: Expr, value: Term) -> Term:
        source, target = x.args[0].type, x.type
        assert isinstance(source, t.Int) and isinstance(target, t.Int), "NARROW is for Ints"
        if target.lo is None or target.hi is None or within(source, target):
            return self.shape.resize(value, source, target)
        inside = self.terms.and_(
            (self.shape.at_least(source, value, target.lo), self.shape.at_most(source, value, target.hi))
        )
        kept = self.shape.resize(value, source, target)
        return self.terms.ite(inside, kept, bit_vector(self.shape.default(target)))

    def _to_int(self, x: Expr, value: Sym) -> Term:
        terms, target = self.terms, x.type
        width = scalar_width(target, exact=self.shape.exact)
        if isinstance(x.args[0].type, t.Bool):
            return terms.ite(bit(value), terms.number(1, width), terms.number(0, width))
        number = bit_vector(value)
        return terms.natural(number) if width == UNBOUNDED else terms.extend(number, width, sign=False)

    def _to_word(self, x: Expr, value: Term) -> Term:
        terms, source, target = self.terms, x.args[0].type, x.type
        assert isinstance(target, t.Word), "TO_WORD gives a word"
        if value.width == UNBOUNDED:
            return self._low_bits(value, target.bits)
        if target.bits <= value.width:
            return terms.truncate(value, target.bits)
        return terms.extend(value, target.bits, sign=isinstance(source, t.Int) and is_signed(source))

    def _low_bits(self, value: Term, bits: int) -> Term:
        """An integer modulo 2**bits, bit by bit."""
        terms, word = self.terms, self.terms.number(0, bits)
        two = terms.number(2, UNBOUNDED)
        for k in range(bits):
            odd = terms.eq(terms.arith(TermOp.FMOD, value, two), terms.number(1, UNBOUNDED))
            part = terms.ite(odd, terms.number(1 << k, bits), terms.number(0, bits))
            word = terms.bitwise(TermOp.BITOR, word, part)
            value = terms.arith(TermOp.FDIV, value, two)
        return word

    def _to_index(self, x: Expr, value: Term) -> Term:
        terms, source, target = self.terms, x.args[0].type, x.type
        assert isinstance(source, t.Int) and isinstance(target, t.Index), "TO_INDEX makes an index of an Int"
        width = scalar_width(target, exact=self.shape.exact)
        zero = terms.number(0, width)
        if value.width == UNBOUNDED:
            done = zero
            for k in range(1, target.size):
                done = terms.ite(terms.eq(value, terms.number(k, UNBOUNDED)), terms.number(k, width), done)
            return done
        inside = terms.and_(
            (self.shape.at_least(source, value, 0), self.shape.at_most(source, value, target.size - 1))
        )
        low = terms.truncate(value, width) if value.width >= width else self._resize(value, source, width)
        return terms.ite(inside, low, zero)

    def _count(self, bits: list[Term], type_: t.Type) -> Term:
        """How many of `bits` are true."""
        terms = self.terms
        width = scalar_width(type_, exact=self.shape.exact)
        one, zero = terms.number(1, width), terms.number(0, width)
        level = [terms.ite(b, one, zero) for b in bits]
        while len(level) > 1:
            sums = [terms.arith(TermOp.ADD, a, b) for a, b in zip(level[::2], level[1::2], strict=False)]
            level = sums + level[len(sums) * 2 :]
        return level[0] if level else zero

    # --- containers -----------------------------------------------------------------------------------------

    def _hits(self, x: Expr, sym: Sym, dom: t.Type) -> list[Term]:
        """For each value of the domain, whether `sym` is that value; outside an Int domain none is."""
        if isinstance(dom, t.Bool):
            return [self.terms.not_(bit(sym)), bit(sym)]
        value = bit_vector(sym)
        if not isinstance(dom, t.Int):
            return [self.terms.eq(value, self.terms.number(v, value.width)) for v in t.domain_values(dom)]
        assert isinstance(x.type, t.Int), "an Int domain is indexed by an Int"
        wide = _join_int(x.type, dom)
        value = self.shape.resize(value, x.type, wide)
        return [self.terms.eq(value, self.terms.number(v, value.width)) for v in t.domain_values(dom)]

    def _select(self, x: Expr, entries: tuple[Sym, ...], index: Sym) -> Sym:
        array, key = x.args[0].type, x.args[1]
        assert isinstance(array, t.Array), "only arrays are indexed"
        hits = self._hits(key, index, array.dom)
        if isinstance(array.dom, t.Int) and not (isinstance(key.type, t.Int) and within(key.type, array.dom)):
            found = self.shape.default(array.item)
        elif entries:
            found = entries[-1]
            hits, entries = hits[:-1], entries[:-1]
        else:
            return self.shape.default(array.item)
        for hit, entry in zip(reversed(hits), reversed(entries), strict=True):
            found = self.shape.ite(hit, entry, found)
        return found

    def _store(self, x: Expr, entries: tuple[Sym, ...], index: Sym, value: Sym) -> Sym:
        assert isinstance(x.type, t.Array), "only arrays have entries"
        new = self.shape.coerce(value, x.args[2].type, x.type.item)
        hits = self._hits(x.args[1], index, x.type.dom)
        return tuple(self.shape.ite(hit, new, old) for hit, old in zip(hits, entries, strict=True))

    def _tuple(self, x: Expr, args: list[Sym]) -> Sym:
        """A container made of its parts."""
        if isinstance(x.type, t.Struct):
            triples = zip(args, x.args, x.type.fields, strict=True)
            return tuple(self.shape.coerce(a, y.type, field) for a, y, (_, field) in triples)
        return tuple(args)

    def _thread(self, x: Expr, args: list[Sym]) -> Sym:
        assert isinstance(x.type, t.Thread) and isinstance(x.data, int), "a member of a thread family"
        width = scalar_width(x.type, exact=self.shape.exact)
        first = self.terms.number(x.type.offset(x.data), width)
        if not args:
            return first
        member = bit_vector(args[0])
        # There are as many threads as members of one family, or more: the width only grows.
        return self.terms.arith(TermOp.ADD, first, self.terms.extend(member, width, sign=False))


def join(x: t.Type, y: t.Type) -> t.Type:
    """The type that holds the values of both: they differ at most in the bounds of Ints."""
    if x == y:
        return x
    match x, y:
        case t.Int(), t.Int():
            return _join_int(x, y)
        case t.Option(a), t.Option(b):
            return t.Option(join(a, b))
        case t.Array(dom, a), t.Array(_, b):
            return t.Array(dom, join(a, b))
        case t.Struct(name, a), t.Struct(_, b):
            return t.Struct(name, tuple((f, join(s, u)) for (f, s), (_, u) in zip(a, b, strict=True)))
        case _:
            raise AssertionError(f"{x} and {y} are never compared")


def _join_int(x: t.Int, y: t.Int) -> t.Int:
    if x.lo is None or x.hi is None or y.lo is None or y.hi is None:
        return t.Int()
    return t.Int(min(x.lo, y.lo), max(x.hi, y.hi))


def _domain(x: Expr) -> t.Type:
    assert isinstance(x.type, t.Set), "only sets have members"
    return x.type.item


def _pairs(args: list[Sym]) -> Iterable[tuple[Sym, Sym]]:
    return zip(parts(args[0]), parts(args[1]), strict=True)


def _default_number(type_: t.Int) -> int:
    number = t.default(type_)
    assert isinstance(number, int), "the default of an Int is a number"
    return number
