"""The transition system that all engines see: variables, one initial action, guarded rules, and what is asked of it.

A state gives each variable a value of its type. `fault` is the place of the first undefined action, or none; a state
with a fault is absorbing. For a state without one, each rule, each valuation of its `params` that makes `guard` true,
and each valuation of its `choices` that makes every `where` true, give one successor: if some fault condition holds,
the same state with `fault` set to the place of the first that does; otherwise the state with `updates` carried out in
parallel, everything not assigned unchanged. A successor that breaks an `assume` of the system does not exist.
The initial states are the successors of the state of all defaults (`types.default`) under `init`, whose guard is true.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from refine.core.expr import Binder, Expr
from refine.core.types import Type, Value
from refine.text.span import Span


@dataclass(frozen=True, slots=True)
class Var:
    """One state variable. `kind` is for people: shared, ghost, local, pc, hidden."""

    name: str
    type: Type
    kind: str
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is undefined, and what: `guest.fix`, `none dereferenced`."""

    rule: str
    what: str
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on the choices of a rule: of a `havoc` (must be satisfiable) or a named `assume` (restricts)."""

    cond: Expr
    assume: str | None = None
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """A condition under which a rule leads to the fault state, and the number of its place in `System.places`."""

    cond: Expr
    place: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One guarded rule; a family of rules, one for each valuation of `params`."""

    name: str
    params: tuple[Binder, ...]
    guard: Expr
    choices: tuple[Binder, ...] = ()
    wheres: tuple[Where, ...] = ()
    faults: tuple[Fault, ...] = ()
    updates: tuple[tuple[str, Expr], ...] = ()
    # The number of the thread family that takes the step (its index is the first param), or None for a `rule`.
    actor: int | None = None
    # The step of the source that it comes from, as `zapper.clear`; several rules may come from one step.
    step: str = ""
    fair: str = ""  # "", "weak" or "strong"
    span: Span | None = field(default=None, compare=False)


class Kind(enum.Enum):
    """What a property speaks of."""

    STATE = "state"  # `cond` holds in each reachable state without fault
    STEP = (
        "step"  # `cond`, over OLD and new state, holds for each transition of the rules in `of` (None: all)
    )
    REACH = "reach"  # `cond` holds in some reachable state
    SATISFIABLE = "satisfiable"  # in each reachable state where rule `of[0]`'s guard holds, its choices exist
    FAULT = "fault"  # `fault` is none, or is a place outside `places`
    STUCK = "stuck"  # no thread is for ever unable to move while it is neither finished nor idle
    # Every fair run that has come to a state where `given` holds comes to one where `cond` does, then or later; where
    # `given` is None, every fair run does. What is fair, `refine.engine.live` says.
    LIVENESS = "liveness"


@dataclass(frozen=True, slots=True)
class Property:
    """A claim, lemma, reach or free claim."""

    name: str
    kind: Kind
    cond: Expr
    role: str  # claim, lemma, reach, free
    doc: str = ""
    of: tuple[str, ...] | None = (
        None  # STEP: steps by their `Rule.step`; SATISFIABLE: one rule by its `Rule.name`
    )
    places: tuple[int, ...] = ()  # FAULT: the places that count
    given: Expr | None = None  # LIVENESS
    each: tuple[
        Binder, ...
    ] = ()  # LIVENESS: params of `cond` and `given`; it is claimed for all their values
    using: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    text: str = ""  # the property as the specification writes it
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Assume:
    """A named restriction of all states: transitions into a state where `cond` is false do not exist."""

    name: str
    cond: Expr
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Family:
    """A thread family: where its program counter is, and the locations where a thread may rest."""

    name: str
    index: Binder | None
    pc: str  # name of the variable: an Enum, or an Array over the index of an Enum
    done: frozenset[int]  # ordinals of locations at which the thread has finished
    idle: frozenset[int]  # ordinals of locations at which it may stay for ever
    fair: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """A protocol at one size."""

    name: str
    sizes: tuple[tuple[str, int], ...]
    vars: tuple[Var, ...]
    init: Rule
    rules: tuple[Rule, ...]
    properties: tuple[Property, ...]
    places: tuple[Place, ...]
    families: tuple[Family, ...]
    assumes: tuple[Assume, ...] = ()
    doc: str = ""
    file: str = ""

    def var(self, name: str) -> Var:
        return next(v for v in self.vars if v.name == name)

    def rule(self, name: str) -> Rule:
        return next(r for r in self.rules if r.name == name)

    def property(self, name: str) -> Property:
        return next(p for p in self.properties if p.name == name)

    def exprs(self) -> Iterator[Expr]:
        """Every expression of the system and its properties, in a fixed order."""
        for rule in (self.init, *self.rules):
            yield rule.guard
            yield from (w.cond for w in rule.wheres)
            yield from (f.cond for f in rule.faults)
            yield from (x for _, x in rule.updates)
        yield from (a.cond for a in self.assumes)
        for p in self.properties:
            yield p.cond
            if p.given is not None:
                yield p.given


@dataclass(frozen=True, slots=True)
class State:
    """The values of `System.vars`, in order, and the number of the fault's place or None."""

    values: tuple[Value, ...]
    fault: int | None = None
