"""From core expressions to terms over packed states: what each operator means on the codes of `refine.run.layout`.

The value of an Int is its number; the value of anything else is its code. Quantifiers unfold into their instances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from refine.core.expr import BINDERS, Binder, Expr, Op
from refine.core.fold import subterms
from refine.core.types import (
    Array,
    Bool,
    Int,
    Option,
    Set,
    Struct,
    Thread,
    Type,
    Word,
    cardinality,
    default,
    domain_values,
)
from refine.run.code import Builder
from refine.run.eval import Refused
from refine.run.layout import code, field_offset, is_scalar, lowest, size_of, width
from refine.run.terms import Do, Term

WIDEST_BINDER = 4096


class Params:
    """Remembers which params a term depends on and does not bind."""

    def __init__(self) -> None:
        self._memo: dict[Expr, tuple[str, ...]] = {}

    def free(self, x: Expr) -> tuple[str, ...]:
        """Return their names, in a fixed order."""
        known = self._memo.get(x)
        if known is None:
            for y in subterms([x]):
                names = dict.fromkeys(name for a in y.args for name in self._memo[a])
                if y.op is Op.PARAM:
                    names[str(y.data)] = None
                if isinstance(y.data, Binder):
                    names.pop(y.data.name, None)
                self._memo[y] = tuple(names)
            known = self._memo[x]
        return known


class Translator:
    """Translates under one builder's certainties; `read` gives the value of a variable, `before` of an old term."""

    def __init__(
        self, builder: Builder, params: Params, read: Callable[[str], Term], before: Translator | None = None
    ) -> None:
        self.b = builder
        self.params = params
        self.read = read
        self.before = before
        self._memo: dict[tuple[Expr, tuple[Term, ...]], Term] = {}

    def term(self, x: Expr, env: Mapping[str, Term]) -> Term:
        """Return the term for `x` where its params are as in `env`."""
        memo, wanted = self._memo, self._key(x, env)
        stack = [wanted]
        while stack:
            key = stack[-1]
            top = key[0]
            if key in memo:
                stack.pop()
            elif top.op is Op.OLD:
                assert self.before is not None, "only the claims about steps speak of the old state"
                memo[key] = self.before.term(top.args[0], env)
            elif top.op in BINDERS:
                memo[key] = self._bound(top, env)
            elif top.op is Op.PARAM:
                memo[key] = env[str(top.data)]
            else:
                args = [self._key(a, env) for a in top.args]
                missing = [a for a in args if a not in memo]
                if missing:
                    stack.extend(reversed(missing))
                else:
                    memo[key] = self._apply(top, [memo[a] for a in args])
        return memo[wanted]

    def _key(self, x: Expr, env: Mapping[str, Term]) -> tuple[Expr, tuple[Term, ...]]:
        return x, tuple(env[name] for name in self.params.free(x))

    def _bound(self, x: Expr, env: Mapping[str, Term]) -> Term:
        binder, body = x.data, x.args[0]
        assert isinstance(binder, Binder), "a binder node carries its binder"
        values = domain_values(binder.type)
        if len(values) > WIDEST_BINDER:
            raise Refused(
                f"a term quantifies over {len(values)} values; explicit search unfolds at most {WIDEST_BINDER}"
            )
        bodies = [self.term(body, {**env, binder.name: self.b.const(v)}) for v in values]
        match x.op:
            case Op.FORALL:
                return self.b.all(bodies)
            case Op.EXISTS:
                return self.b.any(bodies)
            case Op.COUNT:
                total = self.b.const(0)
                for t in bodies:
                    total = self.b.add(total, t)
                return total
            case Op.COLLECT:
                return self.b.cat([(t, 1) for t in bodies])
            case Op.LAMBDA:
                return self.b.cat([(self.to_code(body.type, t), width(body.type)) for t in bodies])
            case _:
                raise AssertionError("BINDERS lists all binders")

    # --- codes ---------------------------------------------------------------------------------------------------

    def to_code(self, type_: Type, x: Term) -> Term:
        if isinstance(type_, Int):
            return self.b.add(x, self.b.const(-lowest(type_))) if type_.bounded else self._unbounded()
        return x

    def from_code(self, type_: Type, x: Term) -> Term:
        return self.b.add(x, self.b.const(lowest(type_))) if isinstance(type_, Int) else x

    def _unbounded(self) -> Term:
        raise Refused("a term keeps unbounded integers in a container; explicit search cannot pack them")

    def default(self, type_: Type) -> Term:
        """Return the value of `type_` that a total operator yields where it is undefined."""
        zero = default(type_)
        if isinstance(type_, Int):
            assert isinstance(zero, int), "a number's default is a number"
            return self.b.const(zero)
        return self.b.const(code(type_, zero))

    def recode(self, x: Term, source: Type, target: Type) -> Term:
        """Return the value of `x`, an expression of type `source`, as one of `target`: Int bounds may differ."""
        if source == target:
            return x
        b = self.b
        match source, target:
            case Int(), Int(lo, hi):
                assert (lo is None or lo <= x.lo) and (hi is None or x.hi <= hi), (
                    "lowering narrows what it stores"
                )
                return x
            case Option(item), Option(into) if is_scalar(item):
                moved = self.to_code(into, self.recode(self._payload(item, x), item, into))
                return b.ite(b.eq(x, b.const(0)), b.const(0), b.add(moved, b.const(1)))
            case Array(dom, item), Array(_, into):
                n, step = len(domain_values(dom)), width(item)
                entries = [self.from_code(item, b.part(x, k * step, step, top(item))) for k in range(n)]
                return b.cat([(self.to_code(into, self.recode(v, item, into)), width(into)) for v in entries])
            case _:
                raise AssertionError(f"a {source} is not stored as a {target}")

    def _payload(self, item: Type, x: Term) -> Term:
        """Return what an optional value holds, or the default."""
        b = self.b
        if is_scalar(item):
            some, held = b.not_(b.eq(x, b.const(0))), b.add(x, b.const(-1))
        else:
            some, held = b.part(x, 0, 1), b.part(x, 1, width(item))
        kept = b.ite(some, self.from_code(item, held), self.default(item))
        return b.within(kept, lowest(item), lowest(item) + size_of(item) - 1) if is_scalar(item) else kept

    def _const(self, x: Expr) -> Term:
        value = x.data
        assert not isinstance(value, (Binder, str)), "a constant is a value"
        if isinstance(x.type, Int):
            assert isinstance(value, int), "a number is a number"
            return self.b.const(value)
        return self.b.const(code(x.type, value))

    # --- operators -----------------------------------------------------------------------------------------------

    def _apply(self, x: Expr, args: Sequence[Term]) -> Term:
        b = self.b
        match x.op:
            case Op.CONST:
                return self._const(x)
            case Op.VAR:
                return self.read(str(x.data))
            case Op.OLD | Op.PARAM | Op.FORALL | Op.EXISTS | Op.COUNT | Op.COLLECT | Op.LAMBDA:
                raise AssertionError("term looks these up itself")
            case Op.NOT:
                return b.not_(args[0])
            case Op.AND:
                return b.all(args)
            case Op.OR:
                return b.any(args)
            case Op.IMPLIES:
                return b.any([b.not_(args[0]), args[1]])
            case Op.EQ:
                left, right = (a.type for a in x.args)
                same = left == right or isinstance(left, Int)
                return b.eq(args[0], args[1] if same else self.recode(args[1], right, left))
            case Op.ITE:
                if isinstance(x.type, Bool):
                    return b.ite_truth(*args)
                return b.ite(*args)
            case Op.LT:
                return b.lt(*args)
            case Op.LE:
                return b.le(*args)
            case Op.ADD:
                return self._wrapped(x.type, b.add(*args))
            case Op.SUB:
                return self._wrapped(x.type, b.sub(*args))
            case Op.MUL:
                return self._wrapped(x.type, b.mul(*args))
            case Op.DIV:
                return b.div(args[0], args[1], _number(x.type))
            case Op.MOD:
                return b.mod(args[0], args[1], _number(x.type))
            case Op.BITAND:
                return b.bitwise(Do.AND, *args)
            case Op.BITOR:
                return b.bitwise(Do.OR, *args)
            case Op.BITXOR:
                return b.bitwise(Do.XOR, *args)
            case Op.BITNOT:
                return b.bitwise(Do.XOR, args[0], b.const((1 << width(x.type)) - 1))
            case Op.SHL:
                return b.shift(Do.SHL, args[0], args[1], width(x.type))
            case Op.SHR:
                return b.shift(Do.SHR, args[0], args[1], width(x.type))
            case Op.NARROW | Op.TO_INDEX:
                return self._narrowed(x.type, args[0])
            case Op.TO_INT:
                return args[0]
            case Op.TO_WORD:
                return self._wrapped(x.type, args[0])
            case Op.SOME:
                inner = self.to_code(x.args[0].type, args[0])
                if is_scalar(x.args[0].type):
                    return b.add(inner, b.const(1))
                return b.cat([(b.const(1), 1), (inner, width(x.args[0].type))])
            case Op.IS_SOME:
                return b.not_(b.eq(args[0], b.const(0)))
            case Op.GET:
                return self._payload(x.type, args[0])
            case Op.SELECT:
                dom, item = _array(x.args[0].type)
                n, step = len(domain_values(dom)), width(item)
                zero = self.to_code(item, self.default(item)).lo
                entry = b.pick(args[0], self._position(dom, args[1]), step, n, zero, top(item))
                return self.from_code(item, entry)
            case Op.STORE:
                dom, item = _array(x.type)
                held = self.to_code(item, self.recode(args[2], x.args[2].type, item))
                return b.put(
                    args[0], self._position(dom, args[1]), held, width(item), len(domain_values(dom))
                )
            case Op.RECORD | Op.FIELD | Op.WITH:
                return self._struct(x, args)
            case Op.THREAD:
                assert isinstance(x.type, Thread) and isinstance(x.data, int), "a thread names its family"
                first = b.const(x.type.offset(x.data))
                return b.add(args[0], first) if args else first
            case _:
                return self._set(x, args)

    def _struct(self, x: Expr, args: Sequence[Term]) -> Term:
        b = self.b
        type_ = x.type if x.op is not Op.FIELD else x.args[0].type
        assert isinstance(type_, Struct), "only structs have fields"
        if x.op is Op.RECORD:
            given = zip(type_.fields, x.args, args, strict=True)
            return b.cat([(self.to_code(t, self.recode(v, a.type, t)), width(t)) for (_, t), a, v in given])
        assert isinstance(x.data, int), "a field is known by its position"
        at, item = field_offset(type_, x.data), type_.fields[x.data][1]
        if x.op is Op.FIELD:
            return self.from_code(item, b.part(args[0], at, width(item), top(item)))
        held = self.to_code(item, self.recode(args[1], x.args[1].type, item))
        after = at + width(item)
        rest = width(type_) - after
        return b.cat(
            [(b.part(args[0], 0, at), at), (held, width(item)), (b.part(args[0], after, rest), rest)]
        )

    def _set(self, x: Expr, args: Sequence[Term]) -> Term:
        b = self.b
        match x.op:
            case Op.MEMBER:
                dom = _members(x.args[1].type)
                return b.truth(b.pick(args[1], self._position(dom, args[0]), 1, size_of(dom), 0))
            case Op.INSERT | Op.REMOVE:
                dom = _members(x.type)
                bit = b.const(int(x.op is Op.INSERT))
                return b.put(args[0], self._position(dom, args[1]), bit, 1, size_of(dom))
            case Op.UNION:
                return b.bitwise(Do.OR, *args)
            case Op.INTER:
                return b.bitwise(Do.AND, *args)
            case Op.DIFF:
                return b.bitwise(Do.AND, args[0], self._complement(x.type, args[1]))
            case Op.SUBSET:
                left = x.args[0].type
                outside = b.bitwise(Do.AND, args[0], self._complement(left, args[1]))
                return b.eq(outside, b.const(0))
            case Op.CARD:
                return b.ones(args[0], size_of(_members(x.args[0].type)))
            case _:
                raise AssertionError(f"no meaning is given for {x.op}")

    def _complement(self, type_: Type, x: Term) -> Term:
        return self.b.bitwise(Do.XOR, x, self.b.const((1 << width(type_)) - 1))

    def _position(self, dom: Type, x: Term) -> Term:
        return self.b.add(x, self.b.const(-lowest(dom)))

    def _wrapped(self, type_: Type, x: Term) -> Term:
        return self.b.wrap(x, type_.bits) if isinstance(type_, Word) else x

    def _narrowed(self, type_: Type, x: Term) -> Term:
        b = self.b
        lo, hi = (type_.lo, type_.hi) if isinstance(type_, Int) else (0, size_of(type_) - 1)
        inside = b.const(1)
        if lo is not None and x.lo < lo:
            inside = b.all([inside, b.le(b.const(lo), x)])
        if hi is not None and x.hi > hi:
            inside = b.all([inside, b.le(x, b.const(hi))])
        kept = b.ite(inside, x, self.default(type_))
        if kept.const is None and lo is not None and hi is not None:
            return b.within(kept, lo, hi)
        return kept


def top(type_: Type) -> int | None:
    """Return the largest code where it is less than the bits would hold."""
    match type_:
        case Set() | Array() | Struct():
            return None
        case Option(item) if not is_scalar(item):
            return None
        case _:
            n = cardinality(type_)
            return None if n is None else n - 1


def _number(type_: Type) -> int:
    zero = default(type_)
    assert isinstance(zero, int), "arithmetic gives numbers"
    return zero


def _array(type_: Type) -> tuple[Type, Type]:
    assert isinstance(type_, Array), "only arrays are indexed"
    return type_.dom, type_.item


def _members(type_: Type) -> Type:
    assert isinstance(type_, Set), "only sets have members"
    return type_.item
