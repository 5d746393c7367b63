"""Program counters: where a thread takes a step, and whether others move it."""

from __future__ import annotations

from refine.core.expr import Expr, Op
from refine.core.system import Rule, System
from refine.core.types import Array, Enum


def locations(system: System, rule: Rule) -> frozenset[int]:
    """The locations at which a rule of a thread may be taken, as its guard says: one, or all of its family."""
    assert rule.actor is not None, "only a thread is somewhere"
    counter = system.var(system.families[rule.actor].pc)
    for x in rule.guard.args if rule.guard.op is Op.AND else (rule.guard,):
        if x.op is Op.EQ:
            for this, other in (x.args, x.args[::-1]):
                if other.op is Op.CONST and _reads(this, counter.name, rule):
                    assert isinstance(other.data, int), "a location is an ordinal"
                    return frozenset([other.data])
    type_ = counter.type.item if isinstance(counter.type, Array) else counter.type
    assert isinstance(type_, Enum), "a program counter is an enum"
    return frozenset(range(len(type_.members)))


def _reads(x: Expr, counter: str, rule: Rule) -> bool:
    """Whether `x` is where the thread is that takes the rule."""
    if x.op is Op.SELECT:
        array, index = x.args
        own = bool(rule.params) and index.op is Op.PARAM and index.data == rule.params[0].name
        return own and array.op is Op.VAR and array.data == counter
    return x.op is Op.VAR and x.data == counter


def moves_others(system: System) -> bool:
    """Whether some rule may change the program counter of a thread other than the one that takes the step."""
    counters = {family.pc: k for k, family in enumerate(system.families)}
    for rule in system.rules:
        for name, x in rule.updates:
            if name in counters:
                family = counters[name]
                one = system.families[family].index is None
                if rule.actor != family or not (one or _only_at(x, name, rule.params[0].name)):
                    return True
    return False


def _only_at(x: Expr, name: str, member: str) -> bool:
    """Whether `x` is variable `name` with no entry changed but that of `member`."""
    match x.op:
        case Op.VAR:
            return x.data == name
        case Op.STORE:
            array, index, _ = x.args
            return index.op is Op.PARAM and index.data == member and _only_at(array, name, member)
        case Op.ITE:
            return all(_only_at(a, name, member) for a in x.args[1:])
        case _:
            return False
