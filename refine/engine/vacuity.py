"""What must happen for a protocol to say anything: each step taken, the left side of each implication true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.show import show_expr
from refine.core.system import Kind, Property, Rule, System

STEP, LEFT = "step", "left side"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that must happen in some run. `name` is that of the property which answers for it."""

    name: str
    what: str  # "step", "rule", "left side" or "reach"
    of: str  # the step, rule, claim or reach
    text: str = ""


def with_occurrences(system: System) -> tuple[System, tuple[Occurrence, ...]]:
    """The system, asked also whether each step is taken, and each left side met.

    A property of kind REACH says so by being reached, one of kind STEP (a left side over two states) by being violated.
    """
    made = [*_steps(system), *_left_sides(system)]
    properties = (*system.properties, *(p for _, p in made))
    return replace(system, properties=properties), tuple(o for o, _ in made)


def _steps(system: System) -> Iterator[tuple[Occurrence, Property]]:
    by_step: dict[str, list[Rule]] = {}
    for rule in system.rules:
        by_step.setdefault(rule.step, []).append(rule)
    for step, rules in by_step.items():
        what = "rule" if rules[0].actor is None else STEP
        name = f"{what} {step}"
        cond = e.or_(*(_enabled(rule) for rule in rules))
        yield Occurrence(name, what, step), Property(name, Kind.REACH, cond, "vacuity", span=rules[0].span)


def _enabled(rule: Rule) -> Expr:
    """Whether a rule can be taken: for some params and choices, also under its assumptions."""
    chosen = e.and_(*(w.cond for w in rule.wheres))
    for binder in reversed(rule.choices):
        chosen = _some(binder, chosen)
    taken = e.and_(rule.guard, chosen)
    for binder in reversed(rule.params):
        taken = _some(binder, taken)
    return taken


def _some(binder: Binder, cond: Expr) -> Expr:
    return cond if cond.op is Op.CONST else e.exists(binder, cond)


def _left_sides(system: System) -> Iterator[tuple[Occurrence, Property]]:
    for p in system.properties:
        if p.role not in ("claim", "lemma") or p.kind not in (Kind.STATE, Kind.STEP):
            continue
        for k, (left, met) in enumerate(_premises(p.cond, (), ()), 1):
            name = f"{LEFT} {p.name}#{k}"
            over_steps = p.kind is Kind.STEP
            cond = e.not_(met) if over_steps else met
            kind = Kind.STEP if over_steps else Kind.REACH
            of = p.of if over_steps else None
            yield (
                Occurrence(name, LEFT, p.name, show_expr(left)),
                Property(name, kind, cond, "vacuity", of=of, span=p.span),
            )


def _premises(x: Expr, bound: tuple[Binder, ...], given: tuple[Expr, ...]) -> Iterator[tuple[Expr, Expr]]:
    """The left sides of the implications that a claim consists of, and when each is met."""
    match x.op:
        case Op.FORALL:
            assert isinstance(x.data, Binder), "a quantifier carries its binder"
            yield from _premises(x.args[0], (*bound, x.data), given)
        case Op.AND:
            for part in x.args:
                yield from _premises(part, bound, given)
        case Op.IMPLIES:
            left, right = x.args
            met = e.and_(*given, left)
            for binder in reversed(bound):
                met = _some(binder, met)
            if met.op is not Op.CONST:
                yield left, met
            yield from _premises(right, bound, (*given, left))
        case _:
            return
