"""Which part of a claim failed: the conjunct, the instance, the two sides of a comparison, in words for a trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refine.core.expr import Binder, Expr, Op, const
from refine.core.fold import substitute
from refine.core.show import show_expr
from refine.core.types import Type, Value, show_value
from refine.run.eval import evaluate, values_of

MOST_LINES = 12
_NUMBER = "'"  # what lowering puts between a bound name and its number


@dataclass(frozen=True, slots=True)
class Setting:
    """The state that a claim is asked in, the one before it (claims about steps), and what is bound so far."""

    state: Mapping[str, Value]
    old: Mapping[str, Value] | None
    params: Mapping[str, Value]
    types: Mapping[str, Type]

    def value(self, x: Expr) -> Value:
        return evaluate(x, self.state, self.old, self.params)

    def with_param(self, binder: Binder, value: Value) -> Setting:
        params, types = {**self.params, binder.name: value}, {**self.types, binder.name: binder.type}
        return Setting(self.state, self.old, params, types)

    def filled(self, x: Expr) -> Expr:
        """Return `x` with what is bound filled in."""
        return substitute(x, {n: const(self.types[n], v) for n, v in self.params.items()})

    def show(self, x: Expr) -> str:
        return show_expr(self.filled(x))


def why_false(
    cond: Expr, state: Mapping[str, Value], old: Mapping[str, Value] | None = None
) -> tuple[str, ...]:
    """Return the lines that say why `cond` is false."""
    lines = _explain(cond, Setting(state, old, {}, {}), wanted=True)
    return tuple(lines[:MOST_LINES])


def _explain(x: Expr, here: Setting, *, wanted: bool) -> list[str]:
    """Say why `x` does not have the truth value that is wanted of it."""
    match x.op:
        case Op.NOT:
            return _explain(x.args[0], here, wanted=not wanted)
        case Op.AND | Op.OR:
            alone = wanted is (x.op is Op.AND)  # one part suffices to explain
            parts = [a for a in x.args if bool(here.value(a)) is not wanted]
            return [
                line for a in (parts[:1] if alone else parts) for line in _explain(a, here, wanted=wanted)
            ]
        case Op.IMPLIES if wanted:
            given, then = x.args
            premise = [] if here.filled(given).op is Op.CONST else [f"{here.show(given)}, but:"]
            return [*premise, *_explain(then, here, wanted=True)]
        case Op.FORALL | Op.EXISTS if wanted is (x.op is Op.FORALL):
            binder = x.data
            assert isinstance(binder, Binder), "a binder node carries its binder"
            for value in values_of(binder.type):
                one = here.with_param(binder, value)
                if bool(one.value(x.args[0])) is not wanted:
                    shown = f"with {binder.name.partition(_NUMBER)[0]} = {show_value(binder.type, value)}:"
                    return [shown, *_explain(x.args[0], one, wanted=wanted)]
            raise AssertionError("a universal claim fails for some value")
        case _ if here.filled(x).op is Op.CONST:
            return []  # it only says which instance this is
        case Op.EQ | Op.LT | Op.LE:
            return [f"{_truth(wanted)}: {here.show(x)}{_sides(x, here)}"]
        case _:
            return [f"{_truth(wanted)}: {here.show(x)}"]


def _truth(wanted: bool) -> str:
    return "does not hold" if wanted else "holds"


def _sides(x: Expr, here: Setting) -> str:
    """Return the values of the two sides of a comparison, where they are not written out."""
    shown = [
        f"{here.show(a)} is {show_value(a.type, here.value(a))}"
        for a in x.args
        if a.op not in (Op.CONST, Op.PARAM)
    ]
    return f" ({', '.join(shown)})" if shown else ""
