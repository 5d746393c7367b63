"""Which index types are symmetric: renaming their elements changes neither the system nor what is asked of it.

The check is on the syntax, and it rather says no. What tells elements apart is a constant that names one, the number
of an element, an order, or a default (element 0) that a total operator yields where nothing shows that it does not:
`get` of what may be none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from refine.core.expr import Binder, Expr, Op, select
from refine.core.fold import subterms, variables
from refine.core.show import show_expr
from refine.core.system import Property, Rule, System
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
    Value,
    Word,
    default,
    domain_values,
)
from refine.text.diag import escape

MOST_VISITS = 200_000
DEEPEST = 40
Facts = tuple[tuple[Expr, bool], ...]


@dataclass(frozen=True, slots=True)
class Symmetry:
    """The symmetric types, in the order in which the system mentions them, and why others are not."""

    types: tuple[Index, ...]
    notes: tuple[str, ...]


def mentions(type_: Type, index: Index) -> bool:
    """Tell whether values of `type_` may hold elements of `index`, or be arranged by them."""
    match type_:
        case Bool() | Int() | Word() | Enum():
            return False
        case Index():
            return type_ == index
        case Thread(parts):
            return any(part.index == index for part in parts)
        case Option(item) | Set(item):
            return mentions(item, index)
        case Array(dom, item):
            return mentions(dom, index) or mentions(item, index)
        case Struct(_, fields):
            return any(mentions(t, index) for _, t in fields)
        case _:
            assert_never(type_)


def permute(type_: Type, value: Value, index: Index, to: Sequence[int]) -> Value:
    """Return `value` with each element k of `index` renamed to `to[k]`."""
    if not mentions(type_, index):
        return value
    match type_:
        case Bool() | Int() | Word() | Enum():
            return value
        case Index():
            assert isinstance(value, int), "an element is a number"
            return to[value]
        case Thread(parts):
            assert isinstance(value, int), "a thread is a number"
            part, member = type_.locate(value)
            return type_.offset(part) + to[member] if parts[part].index == index else value
        case Option(item):
            return None if value is None else permute(item, value, index, to)
        case Set(item):
            assert isinstance(value, frozenset), "a set is a frozenset"
            return frozenset(permute(item, v, index, to) for v in value)
        case Array(dom, item):
            assert isinstance(value, tuple), "an array is a tuple"
            places = (
                [permute(dom, k, index, to) for k in domain_values(dom)] if mentions(dom, index) else None
            )
            entries = [permute(item, v, index, to) for v in value]
            if places is None:
                return tuple(entries)
            moved = dict(zip(places, entries, strict=True))
            return tuple(moved[k] for k in range(len(entries)))
        case Struct(_, fields):
            assert isinstance(value, tuple), "a struct is a tuple"
            return tuple(permute(t, v, index, to) for (_, t), v in zip(fields, value, strict=True))
        case _:
            assert_never(type_)


def invariant(type_: Type, value: Value, index: Index) -> bool:
    """Tell whether no renaming of `index` changes `value`: it suffices to swap neighbours."""
    for k in range(index.size - 1):
        swap = [*range(index.size)]
        swap[k], swap[k + 1] = k + 1, k
        if permute(type_, value, index, swap) != value:
            return False
    return True


def symmetric_types(system: System, properties: Sequence[Property]) -> Symmetry:
    """Return the index types under whose renamings the system and the conditions of `properties` are closed."""
    candidates = _candidates(system, properties)
    reasons: dict[Index, str] = {}
    for index in candidates:
        reason = _defaults(system, index) or _operators(system, properties, index)
        if reason is not None:
            reasons[index] = reason
    left = tuple(index for index in candidates if index not in reasons)
    for index, reason in _Undefined(left).check(system, properties).items():
        reasons.setdefault(index, reason)
    notes = tuple(
        escape(f"{index} is not symmetric: {reasons[index]}") for index in candidates if index in reasons
    )
    return Symmetry(tuple(index for index in candidates if index not in reasons), notes)


def _roots(system: System, properties: Sequence[Property]) -> Iterator[Expr]:
    for rule in (system.init, *system.rules):
        yield from _rule_terms(rule)
    yield from (a.cond for a in system.assumes)
    yield from (p.cond for p in properties)


def _candidates(system: System, properties: Sequence[Property]) -> tuple[Index, ...]:
    types: list[Type] = [v.type for v in system.vars]
    for rule in (system.init, *system.rules):
        types += [b.type for b in (*rule.params, *rule.choices)]
    for x in subterms(_roots(system, properties)):
        types += [x.type, *([x.data.type] if isinstance(x.data, Binder) else [])]
    found: dict[Index, None] = {}
    for type_ in dict.fromkeys(types):
        for index in _indexes(type_):
            if index.kind is IndexKind.INDEX and index.size > 1:
                found[index] = None
    return tuple(found)


def _indexes(type_: Type) -> Iterator[Index]:
    match type_:
        case Bool() | Int() | Word() | Enum():
            return
        case Index():
            yield type_
        case Thread(parts):
            yield from (part.index for part in parts if part.index is not None)
        case Option(item) | Set(item):
            yield from _indexes(item)
        case Array(dom, item):
            yield from _indexes(dom)
            yield from _indexes(item)
        case Struct(_, fields):
            for _, t in fields:
                yield from _indexes(t)
        case _:
            assert_never(type_)


def _defaults(system: System, index: Index) -> str | None:
    """Say which variable starts as element 0."""
    assigned = set() if system.init.faults else {name for name, _ in system.init.updates}
    read = variables(_rule_terms(system.init))
    for v in system.vars:
        if (v.name in read or v.name not in assigned) and not invariant(v.type, default(v.type), index):
            return f"`{v.name}` is not initialised, and so is the first of them"
    return None


def _rule_terms(rule: Rule) -> Iterator[Expr]:
    yield from (rule.guard, *(w.cond for w in rule.wheres), *(f.cond for f in rule.faults))
    yield from (x for _, x in rule.updates)


def _operators(system: System, properties: Sequence[Property], index: Index) -> str | None:
    """Say which term names, counts or orders elements."""
    for x in subterms(_roots(system, properties)):
        match x.op:
            case Op.CONST:
                assert not isinstance(x.data, (Binder, str)), "a constant is a value"
                if mentions(x.type, index) and not invariant(x.type, x.data, index):
                    return f"`{show_expr(x)}` tells them apart"
            case Op.TO_INT | Op.LT | Op.LE if mentions(x.args[0].type, index):
                return f"`{show_expr(x)}` tells them apart"
            case Op.TO_INDEX if x.type == index:
                return f"`{show_expr(x)}` makes one from a number"
            case Op.SELECT:
                array, position = x.args
                assert isinstance(array.type, Array), "only arrays are indexed"
                if not _inside(position.type, array.type.dom) and not invariant(
                    x.type, default(x.type), index
                ):
                    return f"`{show_expr(x)}` may be outside the array"
            case _:
                pass
    return None


def _inside(position: Type, dom: Type) -> bool:
    if isinstance(dom, Int) and isinstance(position, Int):
        bounds = (dom.lo, dom.hi, position.lo, position.hi)
        return None not in bounds and dom.lo <= position.lo and position.hi <= dom.hi  # type: ignore[operator]
    return True


class _Undefined:
    """Looks for `get`s of what may be none: there it yields element 0, and that may matter."""

    def __init__(self, candidates: Sequence[Index]) -> None:
        self.candidates = candidates
        self.reasons: dict[Index, str] = {}
        self.risky: Mapping[Expr, bool] = {}
        self.visits = 0

    def check(self, system: System, properties: Sequence[Property]) -> dict[Index, str]:
        risky: dict[Expr, bool] = {}
        for x in subterms(_roots(system, properties)):
            risky[x] = self._at_risk(x) or any(risky[a] for a in x.args)
        self.risky = risky
        for rule in (system.init, *system.rules):
            self._rule(rule)
        for x in (*(a.cond for a in system.assumes), *(p.cond for p in properties)):
            self._walk(x, ())
        return self.reasons

    def _at_risk(self, x: Expr) -> bool:
        return x.op is Op.GET and any(not invariant(x.type, default(x.type), t) for t in self.candidates)

    def _rule(self, rule: Rule) -> None:
        """Walk the terms of a rule, each under what has been decided before its value matters."""
        self._walk(rule.guard, ())
        guard: Facts = ((rule.guard, True),)
        havocs = [w.cond for w in rule.wheres if w.assume is None]
        for x in havocs:
            self._walk(x, (*guard, *((y, True) for y in havocs if y is not x)))
        every = [w.cond for w in rule.wheres]
        for w in rule.wheres:
            if w.assume is not None:
                self._walk(w.cond, (*guard, *((y, True) for y in every if y is not w.cond)))
        facts = (*guard, *((y, True) for y in every))
        for fault in rule.faults:
            self._walk(fault.cond, facts)
            facts = (*facts, (fault.cond, False))
        for _, x in rule.updates:
            self._walk(x, facts)

    def _walk(self, x: Expr, facts: Facts) -> None:
        """Complain of each `get` below `x` whose argument is not known to be some where its value matters."""
        stack = [(x, facts)]
        while stack:
            y, known = stack.pop()
            if not self.risky.get(y, False):
                continue
            self.visits += 1
            if self.visits > MOST_VISITS:
                for index in self.candidates:
                    self.reasons.setdefault(index, "the system is too large to be checked")
                return
            if self._at_risk(y) and not _implied(y.args[0], known):
                for index in self.candidates:
                    if not invariant(y.type, default(y.type), index):
                        self.reasons.setdefault(
                            index, f"`{show_expr(y.args[0])}` may be none where it is used"
                        )
            if y.op is Op.STORE:
                stack.extend(_stored(y, known))
            else:
                stack.extend((a, _within(y, k, known)) for k, a in enumerate(y.args))


def _stored(x: Expr, facts: Facts) -> Iterator[tuple[Expr, Facts]]:
    """Yield the arguments of a STORE, each where it matters: not where an entry is stored into its own place."""
    array, index, value = x.args
    yield array, facts
    kept = select(array, index)
    while value.op is Op.ITE and kept in value.args[1:]:
        test, yes, no = value.args
        yield test, facts
        facts = (*facts, (test, no is kept))
        value = yes if no is kept else no
    yield index, facts
    yield value, facts


def _within(x: Expr, k: int, facts: Facts) -> Facts:
    """Return what is decided where the value of argument `k` of `x` matters to the value of `x`."""
    others = [a for j, a in enumerate(x.args) if j != k]
    match x.op:
        case Op.AND:
            return (*facts, *((a, True) for a in others))
        case Op.OR:
            return (*facts, *((a, False) for a in others))
        case Op.IMPLIES:
            return (*facts, (others[0], k == 1))
        case Op.ITE if k > 0:
            return (*facts, (x.args[0], k == 1))
        case Op.OLD:
            return tuple((f.args[0], truth) for f, truth in facts if f.op is Op.OLD)
        case _:
            return facts


def _implied(x: Expr, facts: Facts) -> bool:
    """Tell whether `x` is not none, by propagation from facts that are certain."""
    known: dict[Expr, bool] = {}
    some: set[Expr] = set()
    work = list(facts)
    clauses: list[list[tuple[Expr, bool]]] = []

    while work:
        while work:
            y, truth = work.pop()
            if y in known:
                continue
            known[y] = truth
            match y.op:
                case Op.NOT:
                    work.append((y.args[0], not truth))
                case Op.AND | Op.OR if truth is (y.op is Op.AND):
                    work += [(a, truth) for a in y.args]
                case Op.AND | Op.OR:
                    clauses.append([(a, truth) for a in y.args])
                case Op.IMPLIES if truth:
                    clauses.append([(y.args[0], False), (y.args[1], True)])
                case Op.IMPLIES:
                    work += [(y.args[0], True), (y.args[1], False)]
                case Op.IS_SOME if truth:
                    some.add(y.args[0])
                case Op.EQ:
                    some.update(_compared(y, truth))
                case _:
                    pass
        for clause in clauses:
            left = [(y, truth) for y, truth in clause if _truth(y, known) is not (not truth)]
            if len(left) == 1 and left[0][0] not in known:
                work.append(left[0])
    return x in some


def _truth(x: Expr, known: Mapping[Expr, bool], depth: int = 0) -> bool | None:
    """Return the truth value that follows from what is known, if any: not looking too deep."""
    if x in known or depth > DEEPEST:
        return known.get(x)
    match x.op:
        case Op.NOT:
            inner = _truth(x.args[0], known, depth + 1)
            return None if inner is None else not inner
        case Op.AND | Op.OR:
            parts = {_truth(a, known, depth + 1) for a in x.args}
            decisive = x.op is Op.OR
            return decisive if decisive in parts else None if None in parts else not decisive
        case _:
            return None


def _compared(x: Expr, truth: bool) -> Iterator[Expr]:
    """Yield the sides of a comparison that it shows to be some."""
    for this, other in (x.args, x.args[::-1]):
        if isinstance(this.type, Option):
            if other.op is Op.CONST and (other.data is not None) is truth and (truth or other.data is None):
                yield this
            if other.op is Op.SOME and truth:
                yield this
