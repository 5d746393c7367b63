"""A system at any number of elements: its induction in first-order logic, with a sort for each type of identities.

What a rule does is put in for the state after it, so that all is said of one state. Only what does not count, order or
name elements can be said: everything else is `Refused`. NOTE(number): what is read of a `none` is any value here, so a
proof holds whatever it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from refine.core.expr import Binder, Expr, Op
from refine.core.system import Kind, Property, Rule, System
from refine.core.types import Array, Bool, Enum, Index, Int, Option, Set, Thread
from refine.export.logic import FALSE, TRUE, Sentences, Term, alternations, cyclic, show, size
from refine.export.values import Refused, Sym, Values

MOST_NODES = 400_000  # of one obligation's text


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
        self._values = Values(self._s)
        self._free: dict[Expr, tuple[str, ...]] = {}
        self._known: dict[tuple[object, ...], Sym] = {}
        self._kept: list[object] = []
        self._vars = {v.name: self._values.variable(v.name, v.type, ()) for v in system.vars}
        self.obligations = tuple(self._obligations())
        steps = [*self._values.functions()]
        steps += [e for o in self.obligations for x in o.conditions for e in alternations(x, demanded=True)]
        edges = {(a, b) for a, b in steps if self._values.unbounded(a) and self._values.unbounded(b)}
        if cyclic(edges):
            raise Refused("elements lead to elements of the same type, so that solvers need not find an end")

    @property
    def types(self) -> tuple[str, ...]:
        """The types of identities of which there may be any number."""
        return self._values.types

    def text(self, obligation: Obligation) -> str:
        """SMT-LIB 2 that is unsatisfiable where the obligation is met."""
        if sum(map(size, obligation.conditions)) > MOST_NODES:
            raise Refused(f"{obligation.name} is too large to be written down")
        lines = ["(set-logic ALL)", *self._values.declarations()]
        lines += [f"(assert {show(x)})" for x in obligation.conditions]
        return "\n".join([*lines, "(check-sat)", ""])

    # --- obligations ----------------------------------------------------------------------------------------

    def _obligations(self) -> Iterator[Obligation]:
        s, system = self._s, self._system
        init = self._step(system.init, {v.name: self._values.default(v.type) for v in system.vars})
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
                    yield {**env, last.name: self._values.constant(last.name, last.type)}
                case Bool() | Enum():
                    for value in self._values.all_of(last.type):
                        yield {**env, last.name: value}
                case Int(lo, hi) if lo is not None and hi is not None and hi - lo < 20:
                    for value in self._values.all_of(last.type):
                        yield {**env, last.name: value}
                case Option(Index() as index):
                    yield {**env, last.name: (FALSE, self._values.any_(index))}
                    yield {**env, last.name: (TRUE, self._values.constant(last.name, index))}
                case _:
                    raise Refused(f"a choice of type {last.type}")

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
                return self._values.literal(x.type, x.data)
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
                return self._values.equal(x.args[0].type, of(x.args[0]), of(x.args[1]))
            case Op.ITE:
                return self._values.merge(x.type, of(x.args[0]), of(x.args[1]), of(x.args[2]))
            case Op.LT | Op.LE | Op.ADD | Op.SUB if isinstance(x.args[0].type, Int):
                sign = {Op.LT: "<", Op.LE: "<=", Op.ADD: "+", Op.SUB: "-"}[x.op]
                return s.app(sign, of(x.args[0]), of(x.args[1]))
            case Op.NARROW:
                return self._values.narrow(x.type, of(x.args[0]))
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
                    return lambda key: s.or_((self._values.equal(item, key, one), many(key)))
                return lambda key: s.and_((s.not_(self._values.equal(item, key, one)), many(key)))
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
                return self._values.for_all(x.args[0].type.item, lambda key: s.or_((s.not_(a(key)), b(key))))
            case Op.FORALL | Op.EXISTS | Op.COLLECT | Op.LAMBDA:
                binder, body = x.data, x.args[0]
                assert isinstance(binder, Binder), "a binder node carries its binder"
                if isinstance(binder.type, Int) and x.op in (Op.COLLECT, Op.LAMBDA):
                    raise Refused("a set or an array over numbers")
                if x.op is Op.FORALL:
                    return self._values.for_all(binder.type, lambda key: of(body, {binder.name: key}))
                if x.op is Op.EXISTS:
                    return s.not_(
                        self._values.for_all(binder.type, lambda key: s.not_(of(body, {binder.name: key})))
                    )
                return lambda key: of(body, {binder.name: key})
            case Op.SELECT:
                return of(x.args[0])(of(x.args[1]))
            case Op.STORE:
                array, at, new = (of(a) for a in x.args)
                assert isinstance(x.type, Array), "only arrays have entries"
                item, dom = x.type.item, x.args[1].type
                return lambda key: self._values.merge(item, self._values.equal(dom, key, at), new, array(key))
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
                    None if p.index is None else member if n == x.data else self._values.any_(p.index)
                    for n, p in enumerate(x.type.parts)
                )
                return (x.data, members)
            case _:
                raise Refused(f"'{x.op.value}' counts, orders or computes with elements")
