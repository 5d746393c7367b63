"""A system at any number of elements: its induction in first-order logic, with a sort for each type of identities.

What a rule does is put in for the state after it, so that all is said of one state. Only what does not count, order or
name elements can be said: everything else is `Refused`. NOTE(number): what is read of a `none` is any value here, so a
proof holds whatever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from refine.core.expr import Binder, Expr, Op
from refine.core.system import Kind, Property, Rule, System
from refine.core.types import (
    Array,
    Bool,
    Enum,
    Index,
    IndexKind,
    Int,
    Option,
    Set,
    Struct,
    Thread,
    Type,
    default,
    domain_values,
)
from refine.export.logic import FALSE, TRUE, Sentences, Term, alternations, cyclic, show, size

MOST_NODES = 400_000  # of one obligation's text

# A term for a scalar; a pair for an option; a function for a set or an array; a tuple for a struct or a thread.
Sym: TypeAlias = Any


class Refused(Exception):
    """Something that is not the same for any number of elements, in words."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing that must be impossible: its name, and the conditions that no state may meet together."""

    name: str
    conditions: tuple[Term, ...]


class Many:
    """The obligations of a system's claims and sentences, as text."""

    def __init__(self, system: System, claims: Sequence[Property], sentences: Sequence[Expr]) -> None:
        self._s = Sentences()
        self._system = system
        self._claims = claims
        self._sentences = [*(p.cond for p in claims if p.kind is Kind.STATE), *sentences]
        self._declared: dict[str, tuple[tuple[str, ...], str]] = {}
        self._enums: dict[str, Enum] = {}
        self._sorts: dict[str, Index] = {}
        self._fresh = 0
        self._free: dict[Expr, tuple[str, ...]] = {}
        self._known: dict[tuple[object, ...], Sym] = {}
        self._kept: list[object] = []
        self._vars = {v.name: self._variable(v.name, v.type, ()) for v in system.vars}
        self.obligations = tuple(self._obligations())
        edges = {
            (a, b) for args, result in self._declared.values() for a in args for b in (result,)
            if a in self._sorts and b in self._sorts
        }  # fmt: skip
        for o in self.obligations:
            for x in o.conditions:
                edges |= {
                    (a, b) for a, b in alternations(x, demanded=True) if a in self._sorts and b in self._sorts
                }
        if cyclic(edges):
            raise Refused("elements lead to elements of the same type, so that solvers need not find an end")

    @property
    def types(self) -> tuple[str, ...]:
        """The types of identities of which there may be any number."""
        return tuple(index.name for index in self._sorts.values())

    def text(self, obligation: Obligation) -> str:
        """SMT-LIB 2 that is unsatisfiable where the obligation is met."""
        if sum(map(size, obligation.conditions)) > MOST_NODES:
            raise Refused(f"{obligation.name} is too large to be written down")
        lines = ["(set-logic ALL)"]
        lines += [f"(declare-sort {sort} 0)" for sort in self._sorts]
        for name, enum in self._enums.items():
            members = " ".join(f"({_quoted(f'{enum.name}.{m}')})" for m in enum.members)
            lines.append(f"(declare-datatypes (({name} 0)) (({members})))")
        lines += [
            f"(declare-fun {n} ({' '.join(args)}) {result})" for n, (args, result) in self._declared.items()
        ]
        lines += [f"(assert {show(x)})" for x in obligation.conditions]
        return "\n".join([*lines, "(check-sat)", ""])

    # --- obligations ----------------------------------------------------------------------------------------

    def _obligations(self) -> Iterator[Obligation]:
        s, system = self._s, self._system
        init = self._step(system.init, {v.name: self._default(v.type) for v in system.vars})
        for guard, after, faults in init:
            for n, x in enumerate(self._sentences):
                yield Obligation(f"initially, {n}", (*guard, s.not_(self._truth(x, after, None))))
            yield from self._faults("initially", guard, faults)
        given = [self._truth(x, self._vars, None) for x in self._sentences]
        assumed = [self._truth(a.cond, self._vars, None) for a in system.assumes]
        for rule in system.rules:
            for guard, after, faults in self._step(rule, self._vars):
                kept = [self._truth(a.cond, after, None) for a in system.assumes]
                before = (*given, *assumed, *guard)
                fine = (*before, *(s.not_(f) for f in faults.values()), *kept)
                lost = s.or_(s.not_(self._truth(x, after, None)) for x in self._sentences)
                yield Obligation(rule.name, (*fine, lost))
                for p in self._claims:
                    if p.kind is Kind.STEP and (p.of is None or rule.step in p.of):
                        broken = s.not_(self._truth(p.cond, after, self._vars))
                        yield Obligation(f"{rule.name}, {p.name}", (*fine, broken))
                yield from self._faults(rule.name, before, faults)

    def _faults(self, name: str, given: Sequence[Term], faults: Mapping[int, Term]) -> Iterator[Obligation]:
        for p in self._claims:
            if p.kind is Kind.FAULT:
                found = self._s.or_(x for place, x in faults.items() if place in p.places)
                if found != FALSE:
                    yield Obligation(f"{name}, {p.name}", (*given, found))

    def _step(
        self, rule: Rule, before: Mapping[str, Sym]
    ) -> Iterator[tuple[tuple[Term, ...], dict[str, Sym], dict[int, Term]]]:
        """Guard, next values and faults of a rule; its params and choices are any elements."""
        for env in self._choices((*rule.params, *rule.choices)):
            conds = (rule.guard, *(w.cond for w in rule.wheres))
            guard = tuple(self._bool(c, env, before, None) for c in conds)
            faults: dict[int, Term] = {}
            for f in rule.faults:
                found = self._bool(f.cond, env, before, None)
                faults[f.place] = self._s.or_((faults.get(f.place, FALSE), found))
            after = dict(before)
            for name, x in rule.updates:
                after[name] = self._value(x, env, before, None)
            yield guard, after, faults

    def _choices(self, binders: Sequence[Binder]) -> Iterator[dict[str, Sym]]:
        """Constants for binders; where there are few values, one case for each."""
        if not binders:
            yield {}
            return
        *rest, last = binders
        for env in self._choices(rest):
            match last.type:
                case Index():
                    yield {**env, last.name: self._constant(last.name, last.type)}
                case Bool() | Enum():
                    for value in self._values(last.type):
                        yield {**env, last.name: value}
                case Int(lo, hi) if lo is not None and hi is not None and hi - lo < 20:
                    for value in self._values(last.type):
                        yield {**env, last.name: value}
                case Option(Index() as index):
                    yield {**env, last.name: (FALSE, self._any(index))}
                    yield {**env, last.name: (TRUE, self._constant(last.name, index))}
                case _:
                    raise Refused(f"a choice of type {last.type}")

    # --- declarations ---------------------------------------------------------------------------------------

    def _sort(self, type_: Type) -> str:
        match type_:
            case Bool():
                return "Bool"
            case Int():
                return "Int"
            case Enum(name, _):
                self._enums[_quoted(name)] = type_
                return _quoted(name)
            case Index(name, _, IndexKind.INDEX):
                self._sorts[_quoted(name)] = type_
                return _quoted(name)
            case _:
                raise Refused(f"{type_}, whose elements have an order or a number")

    def _constant(self, name: str, type_: Type) -> Term:
        self._fresh += 1
        text = _quoted(f"{name}!{self._fresh}")
        self._declared[text] = ((), self._sort(type_))
        return text

    def _any(self, type_: Type) -> Sym:
        """Some value, which nothing depends on."""
        match type_:
            case Bool():
                return FALSE
            case Enum() | Int():
                return next(iter(self._values(type_)))
            case Index():
                sort = self._sort(type_)
                name = _quoted(f"any {type_.name}")
                self._declared[name] = ((), sort)
                return name
            case Option(item):
                return (FALSE, self._any(item))
            case Set():
                return lambda _key: FALSE
            case Array(_, item):
                return lambda _key: self._any(item)
            case Struct(_, fields):
                return tuple(self._any(t) for _, t in fields)
            case Thread(parts):
                return (0, tuple(None if p.index is None else self._any(p.index) for p in parts))
            case _:
                raise Refused(f"values of type {type_}")

    def _default(self, type_: Type) -> Sym:
        """The value before the initial action. What would be a first element is never read: types are symmetric."""
        return self._any(type_)

    def _variable(self, name: str, type_: Type, over: tuple[Term, ...], sorts: tuple[str, ...] = ()) -> Sym:
        """A variable under the indices `over`, of the sorts `sorts`."""
        match type_:
            case Bool() | Int() | Enum() | Index():
                text = _quoted(name)
                self._declared.setdefault(text, (sorts, self._sort(type_)))
                return self._s.app(text, *over)
            case Option(item):
                flag = self._variable(f"{name}?", Bool(), over, sorts)
                return (flag, self._variable(f"{name}!", item, over, sorts))
            case Set(item):
                return lambda key: self._under(f"{name}", item, Bool(), over, sorts, key)
            case Array(dom, item):
                return lambda key: self._under(f"{name}", dom, item, over, sorts, key)
            case Struct(_, fields):
                return tuple(self._variable(f"{name}.{f}", t, over, sorts) for f, t in fields)
            case Thread(parts):
                tags = tuple(self._variable(f"{name}:{p.name}", Bool(), over, sorts) for p in parts[1:])
                members = tuple(
                    None if p.index is None else self._variable(f"{name}:{p.name}!", p.index, over, sorts)
                    for p in parts
                )
                return (tags, members)
            case _:
                raise Refused(f"`{name}` of type {type_}")

    def _under(
        self, name: str, dom: Type, item: Type, over: tuple[Term, ...], sorts: tuple[str, ...], key: Sym
    ) -> Sym:
        """An entry: of an array over threads, one function for each family."""
        if not isinstance(dom, Thread):
            if isinstance(dom, Int):
                raise Refused(f"`{name}` is arranged by numbers")
            return self._variable(name, item, (*over, key), (*sorts, self._sort(dom)))
        cases = []
        for n, part in enumerate(dom.parts):
            below = (*over, key[1][n]) if part.index is not None else over
            under = (*sorts, self._sort(part.index)) if part.index is not None else sorts
            cases.append(self._variable(f"{name}@{part.name}", item, below, under))
        found = cases[-1]
        for n in reversed(range(len(cases) - 1)):
            found = self._merge(item, self._is(key, n), cases[n], found)
        return found

    def _is(self, who: Sym, part: int) -> Term:
        """Whether a thread is of a family. Tags are exclusive from the last one on: the first that holds counts."""
        tags = who[0]
        if isinstance(tags, int):
            return TRUE if tags == part else FALSE
        mine = TRUE if part == 0 else tags[part - 1]
        later = tags[part:]
        return self._s.and_((mine, *(self._s.not_(t) for t in later)))

    def _values(self, type_: Type) -> list[Term]:
        match type_:
            case Bool():
                return [FALSE, TRUE]
            case Enum(name, members):
                self._sort(type_)
                return [_quoted(f"{name}.{m}") for m in members]
            case Int(lo, hi) if lo is not None and hi is not None:
                return [_number(n) for n in range(lo, hi + 1)]
            case _:
                raise Refused(f"all values of type {type_}")

    # --- terms ----------------------------------------------------------------------------------------------

    def _truth(self, x: Expr, state: Mapping[str, Sym], old: Mapping[str, Sym] | None) -> Term:
        return self._bool(x, {}, state, old)

    def _bool(
        self, x: Expr, env: Mapping[str, Sym], state: Mapping[str, Sym], old: Mapping[str, Sym] | None
    ) -> Term:
        found: Term = self._value(x, env, state, old)
        return found

    def _value(
        self, x: Expr, env: Mapping[str, Sym], state: Mapping[str, Sym], old: Mapping[str, Sym] | None
    ) -> Sym:
        """The value of a term, once for each state and for what its free names stand for."""
        key = (x, id(state), id(old), *(env[name] for name in self._free_names(x)))
        if key not in self._known:
            self._kept += [state, old]  # so that no other state gets its number
            self._known[key] = self._apply(x, env, state, old)
        return self._known[key]

    def _free_names(self, x: Expr) -> tuple[str, ...]:
        found = self._free.get(x)
        if found is None:
            names = {str(x.data)} if x.op is Op.PARAM else {n for a in x.args for n in self._free_names(a)}
            if isinstance(x.data, Binder):
                names.discard(x.data.name)
            found = self._free[x] = tuple(sorted(names))
        return found

    def _apply(
        self, x: Expr, env: Mapping[str, Sym], state: Mapping[str, Sym], old: Mapping[str, Sym] | None
    ) -> Sym:
        s = self._s

        def of(y: Expr, more: Mapping[str, Sym] | None = None) -> Sym:
            return self._value(y, {**env, **more} if more else env, state, old)

        match x.op:
            case Op.CONST:
                return self._literal(x.type, x.data)
            case Op.VAR:
                return state[str(x.data)]
            case Op.OLD:
                assert old is not None, "OLD stands only in step claims"
                return self._value(x.args[0], env, old, None)
            case Op.PARAM:
                return env[str(x.data)]
            case Op.NOT:
                return s.not_(of(x.args[0]))
            case Op.AND:
                return s.and_(of(a) for a in x.args)
            case Op.OR:
                return s.or_(of(a) for a in x.args)
            case Op.IMPLIES:
                return s.or_((s.not_(of(x.args[0])), of(x.args[1])))
            case Op.EQ:
                return self._equal(x.args[0].type, of(x.args[0]), of(x.args[1]))
            case Op.ITE:
                return self._merge(x.type, of(x.args[0]), of(x.args[1]), of(x.args[2]))
            case Op.LT | Op.LE | Op.ADD | Op.SUB if isinstance(x.args[0].type, Int):
                sign = {Op.LT: "<", Op.LE: "<=", Op.ADD: "+", Op.SUB: "-"}[x.op]
                return s.app(sign, of(x.args[0]), of(x.args[1]))
            case Op.NARROW:
                return self._narrow(x.type, of(x.args[0]))
            case Op.SOME:
                return (TRUE, of(x.args[0]))
            case Op.IS_SOME:
                return of(x.args[0])[0]
            case Op.GET:
                return of(x.args[0])[1]  # of none any value: NOTE(number)
            case Op.MEMBER:
                return of(x.args[1])(of(x.args[0]))
            case Op.INSERT | Op.REMOVE:
                many, one = of(x.args[0]), of(x.args[1])
                item = x.args[1].type
                if x.op is Op.INSERT:
                    return lambda key: s.or_((self._equal(item, key, one), many(key)))
                return lambda key: s.and_((s.not_(self._equal(item, key, one)), many(key)))
            case Op.UNION | Op.INTER | Op.DIFF:
                a, b = of(x.args[0]), of(x.args[1])
                if x.op is Op.UNION:
                    return lambda key: s.or_((a(key), b(key)))
                if x.op is Op.INTER:
                    return lambda key: s.and_((a(key), b(key)))
                return lambda key: s.and_((a(key), s.not_(b(key))))
            case Op.SUBSET:
                a, b = of(x.args[0]), of(x.args[1])
                assert isinstance(x.args[0].type, Set), "only sets are contained in each other"
                return self._all(x.args[0].type.item, lambda key: s.or_((s.not_(a(key)), b(key))))
            case Op.FORALL | Op.EXISTS | Op.COLLECT | Op.LAMBDA:
                binder, body = x.data, x.args[0]
                assert isinstance(binder, Binder), "a binder node carries its binder"
                if isinstance(binder.type, Int) and x.op in (Op.COLLECT, Op.LAMBDA):
                    raise Refused("a set or an array over numbers")
                if x.op is Op.FORALL:
                    return self._all(binder.type, lambda key: of(body, {binder.name: key}))
                if x.op is Op.EXISTS:
                    return s.not_(self._all(binder.type, lambda key: s.not_(of(body, {binder.name: key}))))
                return lambda key: of(body, {binder.name: key})
            case Op.SELECT:
                return of(x.args[0])(of(x.args[1]))
            case Op.STORE:
                array, at, new = (of(a) for a in x.args)
                assert isinstance(x.type, Array), "only arrays have entries"
                item, dom = x.type.item, x.args[1].type
                return lambda key: self._merge(item, self._equal(dom, key, at), new, array(key))
            case Op.RECORD:
                return tuple(of(a) for a in x.args)
            case Op.FIELD:
                return of(x.args[0])[x.data]
            case Op.WITH:
                new = of(x.args[1])
                return tuple(new if n == x.data else v for n, v in enumerate(of(x.args[0])))
            case Op.THREAD:
                assert isinstance(x.type, Thread) and isinstance(x.data, int), "a thread has a family"
                member = of(x.args[0]) if x.args else None
                members = tuple(
                    None if p.index is None else member if n == x.data else self._any(p.index)
                    for n, p in enumerate(x.type.parts)
                )
                return (x.data, members)
            case _:
                raise Refused(f"'{x.op.value}' counts, orders or computes with elements")

    def _narrow(self, type_: Type, value: Term) -> Term:
        assert isinstance(type_, Int) and type_.lo is not None and type_.hi is not None, "bounds"
        first = default(type_)
        assert isinstance(first, int), "the default of a number is one"
        lo, hi = _number(type_.lo), _number(type_.hi)
        inside = self._s.and_((self._s.app("<=", lo, value), self._s.app("<=", value, hi)))
        return self._s.ite(inside, value, _number(first))

    def _literal(self, type_: Type, value: object) -> Sym:
        """A constant; one that tells elements apart is refused."""
        match type_:
            case Bool():
                return TRUE if value else FALSE
            case Int() if isinstance(value, int):
                return _number(value)
            case Enum() if isinstance(value, int):
                return self._values(type_)[value]
            case Option(item):
                return (FALSE, self._any(item)) if value is None else (TRUE, self._literal(item, value))
            case Set(item) if isinstance(value, frozenset):
                return self._literal_set(item, value)
            case Array(_, item) if isinstance(value, tuple) and len(set(value)) == 1:
                entry = self._literal(item, value[0])
                return lambda _key: entry
            case Struct(_, fields) if isinstance(value, tuple):
                return tuple(self._literal(t, v) for (_, t), v in zip(fields, value, strict=True))
            case Thread(parts) if isinstance(value, int):
                part, _ = type_.locate(value)
                if parts[part].index is None:
                    return (part, tuple(None if p.index is None else self._any(p.index) for p in parts))
                raise Refused("a constant that names a thread by its number")
            case _:
                raise Refused(f"a constant of type {type_}")

    def _literal_set(self, item: Type, value: frozenset[Any]) -> Sym:
        if not value:
            return lambda _key: FALSE
        match item:
            case Index(_, n) if len(value) == n and n > 1:
                return lambda _key: TRUE
            case Enum() | Bool():
                chosen = [self._literal(item, v) for v in sorted(value)]
                return lambda key: self._s.or_(self._equal(item, key, c) for c in chosen)
            case Thread(parts):
                whole = []
                for n, part in enumerate(parts):
                    first = item.offset(n)
                    mine = [v for v in value if first <= v < first + part.size]
                    if mine and (len(mine) < part.size or (part.index is not None and part.size == 1)):
                        raise Refused("a constant set that tells threads apart")
                    whole.append(bool(mine))
                return lambda key: self._s.or_(self._is(key, n) for n, w in enumerate(whole) if w)
            case _:
                raise Refused(f"a constant set of {item}")

    def _equal(self, type_: Type, x: Sym, y: Sym) -> Term:
        s = self._s
        match type_:
            case Bool() | Int() | Enum() | Index():
                return s.eq(x, y)
            case Option(item):
                same = s.or_((s.not_(x[0]), self._equal(item, x[1], y[1])))
                return s.and_((s.eq(x[0], y[0]), same))
            case Set(item):
                return self._all(item, lambda key: s.eq(x(key), y(key)))
            case Array(dom, item):
                return self._all(dom, lambda key: self._equal(item, x(key), y(key)))
            case Struct(_, fields):
                return s.and_(self._equal(t, a, b) for (_, t), a, b in zip(fields, x, y, strict=True))
            case Thread(parts):
                cases = []
                for n, part in enumerate(parts):
                    both = [self._is(x, n), self._is(y, n)]
                    if part.index is not None:
                        both.append(s.eq(x[1][n], y[1][n]))
                    cases.append(s.and_(both))
                return s.or_(cases)
            case _:
                raise Refused(f"a comparison of values of type {type_}")

    def _merge(self, type_: Type, c: Term, x: Sym, y: Sym) -> Sym:
        """`c ? x : y` of any type."""
        if c in (TRUE, FALSE):
            return x if c == TRUE else y
        s = self._s
        match type_:
            case Bool() | Int() | Enum() | Index():
                return s.ite(c, x, y)
            case Option(item):
                return (s.ite(c, x[0], y[0]), self._merge(item, c, x[1], y[1]))
            case Set():
                return lambda key: s.ite(c, x(key), y(key))
            case Array(_, item):
                return lambda key: self._merge(item, c, x(key), y(key))
            case Struct(_, fields):
                triples = zip(fields, x, y, strict=True)
                return tuple(self._merge(t, c, a, b) for (_, t), a, b in triples)
            case Thread(parts):
                tags = [s.ite(c, self._is(x, n), self._is(y, n)) for n in range(1, len(parts))]
                members = tuple(
                    None if p.index is None else s.ite(c, a, b)
                    for p, a, b in zip(parts, x[1], y[1], strict=True)
                )
                return (tags, members)
            case _:
                raise Refused(f"a choice between values of type {type_}")

    def _all(self, type_: Type, body: Callable[[Sym], Term]) -> Term:
        """Whether `body` is true of all values of a type."""
        s = self._s
        match type_:
            case Index():
                self._fresh += 1
                name, sort = _quoted(f"{type_.name}${self._fresh}"), self._sort(type_)
                return s.forall(((name, sort),), body(name))
            case Bool() | Enum():
                return s.and_(body(v) for v in self._values(type_))
            case Int():
                return s.and_(body(_number(n)) for n in domain_values(type_))
            case Thread(parts):
                made = []
                for n, part in enumerate(parts):
                    others = [None if p.index is None else self._any(p.index) for p in parts]
                    if part.index is None:
                        made.append(body((n, tuple(others))))
                        continue

                    def one(key: Sym, n: int = n, others: Sequence[Sym] = tuple(others)) -> Term:
                        members = tuple(key if k == n else other for k, other in enumerate(others))
                        return body((n, members))

                    made.append(self._all(part.index, one))
                return s.and_(made)
            case _:
                raise Refused(f"all values of type {type_}")


def _quoted(name: str) -> str:
    return f"|{name.replace('|', '/')}|"


def _number(n: int) -> str:
    return str(n) if n >= 0 else f"(- {-n})"
