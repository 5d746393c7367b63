"""The reference semantics: what a core system does, said as plainly as possible and never fast.

Everything else of this room is checked against it: the compiled search on random systems, and every trace before
it is shown. It follows the words of `refine.core.system` and `refine.core.expr` one by one.

Two things those words leave open. `cond` of a STEP property is asked of transitions that do not fault, as the state
with a fault differs in nothing else. An initial state that faults is the state of all defaults with that fault.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, assert_never

from refine.core.expr import BINDERS, Binder, Expr, Op
from refine.core.fold import subterms
from refine.core.system import Rule, State, System, Where
from refine.core.types import (
    Array,
    Bool,
    Enum,
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
    domain_values,
    position,
)

Valuation: TypeAlias = Mapping[str, Value]
Transition: TypeAlias = tuple[Rule, tuple[Value, ...], tuple[Value, ...], State]

WIDEST_CHOICE = 1 << 20
MOST_CHOICES = 1 << 22


class Refused(Exception):
    """Explicit states cannot answer for this system; the message says why."""


# --- expressions ------------------------------------------------------------------------------------------------


def evaluate(
    x: Expr, state: Valuation, old: Valuation | None = None, params: Valuation | None = None
) -> Value:
    """Return the value of `x` where its variables, parameters and (under OLD) old variables are as given."""
    params = params or {}
    memo: dict[Expr, Value] = {}
    stack = [x]
    while stack:
        top = stack[-1]
        if top in memo:
            stack.pop()
        elif top.op is Op.OLD:
            assert old is not None, "only the claims about steps speak of the old state"
            memo[top] = evaluate(top.args[0], old, None, params)
        elif top.op in BINDERS:
            memo[top] = _bound(top, state, old, params)
        else:
            missing = [a for a in top.args if a not in memo]
            if missing:
                stack.extend(missing)
            elif top.op is Op.VAR:
                memo[top] = state[str(top.data)]
            elif top.op is Op.PARAM:
                memo[top] = params[str(top.data)]
            else:
                memo[top] = _apply(top, [memo[a] for a in top.args])
    return memo[x]


def _bound(x: Expr, state: Valuation, old: Valuation | None, params: Valuation) -> Value:
    binder = x.data
    assert isinstance(binder, Binder), "a binder node carries its binder"
    values = list(values_of(binder.type))
    bodies = [evaluate(x.args[0], state, old, {**params, binder.name: v}) for v in values]
    match x.op:
        case Op.FORALL:
            return all(bodies)
        case Op.EXISTS:
            return any(bodies)
        case Op.COUNT:
            return sum(map(bool, bodies))
        case Op.COLLECT:
            return frozenset(v for v, body in zip(values, bodies, strict=True) if body)
        case Op.LAMBDA:
            return tuple(bodies)
        case _:
            raise AssertionError("BINDERS lists all binders")


def _apply(x: Expr, args: Sequence[Any]) -> Any:  # `Any`: each operator knows what its arguments are
    """Return the value of a node that binds nothing, from the values of its arguments."""
    match x.op:
        case Op.CONST:
            return x.data
        case Op.VAR | Op.OLD | Op.PARAM | Op.FORALL | Op.EXISTS | Op.COUNT | Op.COLLECT | Op.LAMBDA:
            raise AssertionError("evaluate looks these up itself")
        case Op.NOT:
            return not args[0]
        case Op.AND:
            return all(args)
        case Op.OR:
            return any(args)
        case Op.IMPLIES:
            return bool(not args[0] or args[1])
        case Op.EQ:
            return bool(args[0] == args[1])
        case Op.ITE:
            return args[1] if args[0] else args[2]
        case Op.LT:
            return bool(args[0] < args[1])
        case Op.LE:
            return bool(args[0] <= args[1])
        case Op.ADD:
            return _wrap(x.type, args[0] + args[1])
        case Op.SUB:
            return _wrap(x.type, args[0] - args[1])
        case Op.MUL:
            return _wrap(x.type, args[0] * args[1])
        case Op.DIV:
            return default(x.type) if args[1] == 0 else args[0] // args[1]
        case Op.MOD:
            return default(x.type) if args[1] == 0 else args[0] - args[1] * (args[0] // args[1])
        case Op.BITAND:
            return args[0] & args[1]
        case Op.BITOR:
            return args[0] | args[1]
        case Op.BITXOR:
            return args[0] ^ args[1]
        case Op.BITNOT:
            return _wrap(x.type, ~args[0])
        case Op.SHL:
            return 0 if args[1] >= _bits(x.type) else _wrap(x.type, args[0] << args[1])
        case Op.SHR:
            return 0 if args[1] >= _bits(x.type) else args[0] >> args[1]
        case Op.NARROW:
            return args[0] if fits(x.type, args[0]) else default(x.type)
        case Op.TO_INT:
            return int(args[0])
        case Op.TO_WORD:
            return _wrap(x.type, args[0])
        case Op.TO_INDEX:
            return args[0] if fits(x.type, args[0]) else 0
        case Op.SOME:
            return args[0]
        case Op.IS_SOME:
            return args[0] is not None
        case Op.GET:
            return default(x.type) if args[0] is None else args[0]
        case Op.MEMBER:
            return args[0] in args[1]
        case Op.INSERT:
            assert isinstance(x.type, Set), "only sets are inserted into"
            return args[0] | {args[1]} if fits(x.type.item, args[1]) else args[0]
        case Op.REMOVE:
            return args[0] - {args[1]}
        case Op.UNION:
            return args[0] | args[1]
        case Op.INTER:
            return args[0] & args[1]
        case Op.DIFF:
            return args[0] - args[1]
        case Op.SUBSET:
            return bool(args[0] <= args[1])
        case Op.CARD:
            return len(args[0])
        case Op.SELECT:
            place = _position(x.args[0].type, args[1])
            return default(x.type) if place is None else args[0][place]
        case Op.STORE:
            place = _position(x.type, args[1])
            return args[0] if place is None else (*args[0][:place], args[2], *args[0][place + 1 :])
        case Op.RECORD:
            return tuple(args)
        case Op.FIELD:
            return args[0][x.data]
        case Op.WITH:
            return tuple(args[1] if k == x.data else v for k, v in enumerate(args[0]))
        case Op.THREAD:
            assert isinstance(x.type, Thread) and isinstance(x.data, int), "a thread names its family"
            return x.type.offset(x.data) + (args[0] if args else 0)
        case _:
            assert_never(x.op)


def _bits(type_: Type) -> int:
    assert isinstance(type_, Word), "only words have bits"
    return type_.bits


def _wrap(type_: Type, value: int) -> int:
    return value & ((1 << type_.bits) - 1) if isinstance(type_, Word) else value


def _position(array: Type, index: int) -> int | None:
    assert isinstance(array, Array), "only arrays are indexed"
    return position(array.dom, index) if fits(array.dom, index) else None


# --- values -----------------------------------------------------------------------------------------------------


def fits(type_: Type, value: Value) -> bool:
    """Tell whether `value` is a value of `type_`."""
    match type_:
        case Bool():
            return value in (False, True)
        case Int(lo, hi):
            return isinstance(value, int) and (lo is None or lo <= value) and (hi is None or value <= hi)
        case Word() | Enum() | Index() | Thread():
            n = cardinality(type_)
            return isinstance(value, int) and n is not None and 0 <= value < n
        case Option(item):
            return value is None or fits(item, value)
        case Set(item):
            return isinstance(value, frozenset) and all(fits(item, v) for v in value)
        case Array(dom, item):
            entries = isinstance(value, tuple) and len(value) == len(domain_values(dom))
            return entries and all(fits(item, v) for v in value)  # type: ignore[union-attr]
        case Struct(_, fields):
            entries = isinstance(value, tuple) and len(value) == len(fields)
            return entries and all(fits(t, v) for (_, t), v in zip(fields, value, strict=True))  # type: ignore[arg-type]
        case _:
            assert_never(type_)


def values_of(type_: Type) -> Iterator[Value]:
    """Yield all values of a finite type, in order."""
    match type_:
        case Bool():
            yield from (False, True)
        case Int() | Enum() | Index() | Thread():
            yield from domain_values(type_)
        case Word(bits):
            yield from range(1 << bits)
        case Option(item):
            yield None
            yield from values_of(item)
        case Set(item):
            members = list(values_of(item))
            for bits in range(1 << len(members)):
                yield frozenset(v for k, v in enumerate(members) if bits >> k & 1)
        case Array(dom, item):
            yield from itertools.product(values_of(item), repeat=len(domain_values(dom)))
        case Struct(_, fields):
            yield from itertools.product(*(values_of(t) for _, t in fields))
        case _:
            assert_never(type_)


# --- transitions ------------------------------------------------------------------------------------------------


def as_valuation(system: System, state: State) -> dict[str, Value]:
    """Return the values of a state by the names of the variables."""
    return {v.name: value for v, value in zip(system.vars, state.values, strict=True)}


def check_choices(rule: Rule) -> None:
    """Refuse a rule whose choices nobody could list."""
    total = 1
    for binder in rule.choices:
        n = cardinality(binder.type)
        if n is None:
            raise Refused(
                f"`{rule.name}` chooses among infinitely many values; explicit search cannot list them"
            )
        if n > WIDEST_CHOICE:
            raise Refused(
                f"`{rule.name}` chooses among {n} values; explicit search lists at most {WIDEST_CHOICE}"
            )
        total *= n
    if total > MOST_CHOICES:
        raise Refused(
            f"`{rule.name}` has {total} combinations of choices; explicit search lists at most {MOST_CHOICES}"
        )


def param_names(x: Expr) -> frozenset[str]:
    """Return all names of PARAM nodes in `x`, of bound ones too: names are never bound twice, so none is confused."""
    return frozenset(str(y.data) for y in subterms([x]) if y.op is Op.PARAM)


def choices_of(
    rule: Rule, wheres: Sequence[Where], state: Valuation, params: Valuation
) -> Iterator[dict[str, Value]]:
    """Yield `params` with each valuation of the rule's choices for which all of `wheres` hold, in order.

    A condition is asked as soon as all its choices have values.
    """
    check_choices(rule)
    names = [binder.name for binder in rule.choices]
    ready: list[list[Where]] = [[] for _ in range(len(names) + 1)]
    for where in wheres:
        used = param_names(where.cond)
        ready[max((k + 1 for k, name in enumerate(names) if name in used), default=0)].append(where)

    def extend(depth: int, chosen: dict[str, Value]) -> Iterator[dict[str, Value]]:
        if not all(evaluate(w.cond, state, params=chosen) for w in ready[depth]):
            return
        if depth == len(names):
            yield chosen
            return
        for value in values_of(rule.choices[depth].type):
            yield from extend(depth + 1, {**chosen, names[depth]: value})

    return extend(0, dict(params))


def params_of(rule: Rule) -> Iterator[dict[str, Value]]:
    """Yield each valuation of the rule's params, in order."""
    for values in itertools.product(*(list(values_of(b.type)) for b in rule.params)):
        yield {b.name: v for b, v in zip(rule.params, values, strict=True)}


def _fire(system: System, rule: Rule, state: State, chosen: Valuation) -> State | None:
    """Return the successor under one valuation of params and choices; None where an assumption forbids it."""
    values = as_valuation(system, state)
    after = state
    for fault in rule.faults:
        if evaluate(fault.cond, values, params=chosen):
            after = State(state.values, fault.place)
            break
    else:
        assigned = {name: evaluate(x, values, params=chosen) for name, x in rule.updates}
        for var in system.vars:
            if var.name in assigned:
                assert fits(var.type, assigned[var.name]), (
                    f"{rule.name} gives {var.name} a value outside its type: lowering adds a fault for it"
                )
        after = State(tuple(assigned.get(v.name, values[v.name]) for v in system.vars))
    new = as_valuation(system, after)
    return after if all(evaluate(a.cond, new) for a in system.assumes) else None


def _transitions(system: System, rule: Rule, state: State) -> Iterator[Transition]:
    values = as_valuation(system, state)
    parts = rule.guard.args if rule.guard.op is Op.AND else (rule.guard,)
    for params in params_of(rule):
        if not all(evaluate(part, values, params=params) for part in parts):
            continue
        for chosen in choices_of(rule, rule.wheres, values, params):
            after = _fire(system, rule, state, chosen)
            if after is not None:
                choices = tuple(chosen[b.name] for b in rule.choices)
                yield rule, tuple(params.values()), choices, after


def step(
    system: System, rule: Rule, state: State, params: Sequence[Value], choices: Sequence[Value]
) -> State | None:
    """Return where `rule` leads with these params and choices; None where it cannot be taken with them."""
    if len(params) != len(rule.params) or len(choices) != len(rule.choices) or state.fault is not None:
        return None
    given = list(zip((*rule.params, *rule.choices), (*params, *choices), strict=True))
    if not all(fits(binder.type, value) for binder, value in given):
        return None
    chosen = {binder.name: value for binder, value in given}
    values = as_valuation(system, state)
    if not evaluate(rule.guard, values, params=chosen):
        return None
    if not all(evaluate(where.cond, values, params=chosen) for where in rule.wheres):
        return None
    return _fire(system, rule, state, chosen)


def defaults(system: System) -> State:
    """Return the state of all defaults, which `init` starts from."""
    return State(tuple(default(v.type) for v in system.vars))


def initial(system: System) -> Iterator[tuple[tuple[Value, ...], State]]:
    """Yield the initial states, each with the choices of `init` that lead to it."""
    for _, _, choices, state in _transitions(system, system.init, defaults(system)):
        yield choices, state


def successors(system: System, state: State) -> Iterator[Transition]:
    """Yield every transition from `state`: rule, params, choices, next state."""
    if state.fault is None:
        for rule in system.rules:
            yield from _transitions(system, rule, state)


def havoc_fails(system: System, rule: Rule, state: State) -> tuple[Value, ...] | None:
    """Return params for which the rule's guard holds and no choice satisfies its `havoc` conditions, if any."""
    values = as_valuation(system, state)
    havocs = [w for w in rule.wheres if w.assume is None]
    for params in params_of(rule):
        if (
            evaluate(rule.guard, values, params=params)
            and next(choices_of(rule, havocs, values, params), None) is None
        ):
            return tuple(params.values())
    return None
