"""Liveness as safety: a fair run that never comes to what it should goes through rounds without end.

While something is awaited, a *round* is over when every unit of fairness got what it is owed. A weak one could not
move at some time, or moved. A strong one moved, or is one of those that cannot move any more, since somebody began to
watch: who these are is chosen then, and a run in which one of them could move is none. Of a fair run that waits for
ever some choice is right, and it has rounds without end. So where no run has `most` rounds, every fair run comes to
what is awaited. That is a claim of safety, for any engine.

Steps of one thread that have their locations to themselves are one unit: while the thread stays, at most one of them
can move, and when it has moved, by whatever step, none of them has waited. The element of which a claim speaks is
chosen at the start and kept in a variable: what is symmetric stays so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.fold import substitute
from refine.core.location import locations, moves_others
from refine.core.show import plain_names
from refine.core.system import Kind, Property, Rule, System, Var
from refine.core.types import BOOL, Array, Int, Type
from refine.engine.ic3 import ic3
from refine.engine.verdict import (
    Answer,
    Cause,
    Limits,
    Progress,
    Proved,
    Unknown,
    Vacuous,
    Verdict,
    Violated,
)

FEW = "few_rounds"
DEFINED = "defined"
AWAITED = "awaited"
MOST = 32  # rounds


def rounds(system: System, names: Iterable[str], limits: Limits, progress: Progress | None = None) -> Answer:
    """Prove claims of liveness called `names`: that so many rounds are never over, for a number that doubles.

    It refutes none: a run that counts more rounds than it was asked for may still come to what is awaited.
    """
    verdicts: dict[str, Verdict] = {}
    for name in names:
        claim = system.property(name)
        assert claim.kind is Kind.LIVENESS, "of other claims nothing is awaited"
        verdicts[name] = _bounded(system, claim, limits, progress)
    return Answer(verdicts)


def _bounded(system: System, claim: Property, limits: Limits, progress: Progress | None) -> Verdict:
    most = 1
    while most <= MOST:
        found = ic3(counting(system, claim, most), (FEW, DEFINED, AWAITED), limits, progress).verdicts
        few, defined, awaited = (found[name] for name in (FEW, DEFINED, AWAITED))
        if isinstance(awaited, Vacuous):
            return Vacuous(
                "what should lead to it never happens" if claim.given else "there is no initial state"
            )
        unknown = next((v for v in (few, defined, awaited) if isinstance(v, Unknown)), None)
        if isinstance(defined, Violated):
            return Unknown("some runs end at what is undefined", Cause.UNDECIDED)
        if isinstance(few, Proved) and unknown is None:
            passed = (
                "no round of fairness passes" if most == 1 else f"fewer than {most} rounds of fairness pass"
            )
            return Proved(f"{passed} without it, by IC3")
        if not isinstance(few, Violated):
            assert unknown is not None, "one of them was not decided"
            return unknown
        most *= 2
    return Unknown(f"{MOST} rounds of fairness may pass without it; more were not tried", Cause.LIMIT)


# --- the system that counts ----------------------------------------------------------------------------------------


def counting(system: System, claim: Property, most: int) -> System:
    """A system that counts rounds while it waits for what `claim`, of liveness, promises.

    Of it is claimed that there are never `most` of them, and that nothing undefined is reached; and that something
    is awaited, be it that it comes at once.
    """
    assert claim.kind is Kind.LIVENESS, "of other claims nothing is awaited"
    return _Counter(system, claim, most).made()


@dataclass(frozen=True, slots=True)
class _Group:
    """Like units, one for each of the values of `binders`: steps of the threads of a family, or one rule."""

    binders: tuple[Binder, ...]
    able: Expr  # whether the unit can move
    movers: frozenset[str]  # the rules by which it does
    served: Var
    halted: Var | None  # strong: it is taken not to move any more


class _Counter:
    def __init__(self, system: System, claim: Property, most: int) -> None:
        self._system = system
        self._prefix = _unused(system)
        self._fresh = count()
        plain = plain_names(b.name for b in claim.each)
        self._who = {b.name: self._var(plain[b.name], b.type) for b in claim.each}
        chosen = {name: _read(v) for name, v in self._who.items()}
        self._goal = substitute(claim.cond, chosen)
        self._given = None if claim.given is None else substitute(claim.given, chosen)
        self._waiting = self._var("waiting", BOOL)
        self._most = most
        self._over = self._var("over", Int(0, most))
        self._groups = tuple(self._grouped())
        strong = any(g.halted is not None for g in self._groups)
        self._watching = self._var("watching", BOOL) if strong else None

    def _var(self, name: str, type_: Type) -> Var:
        return Var(f"{self._prefix}.{name}", type_, "hidden")

    def made(self) -> System:
        system = self._system
        rules = [self._counted(r) for r in system.rules]
        rules.append(self._counted(Rule(f"{self._prefix}.stand_still", (), e.TRUE)))
        if self._watching is not None:
            rules.append(self._watch(self._watching))
        owed = [v for g in self._groups for v in (g.served, g.halted) if v is not None]
        watching = [] if self._watching is None else [self._watching]
        extra = (*self._who.values(), self._waiting, *watching, self._over, *owed)
        few = Property(FEW, Kind.STATE, e.lt(_read(self._over), e.integer(self._most)), "claim")
        defined = Property(DEFINED, Kind.FAULT, e.TRUE, "free", places=tuple(range(len(system.places))))
        awaited = Property(AWAITED, Kind.REACH, e.TRUE if self._given is None else self._given, "reach")
        return replace(
            system,
            vars=(*system.vars, *extra),
            init=self._begun(),
            rules=tuple(rules),
            properties=(few, defined, awaited),
        )

    # --- units ---------------------------------------------------------------------------------------------------

    def _grouped(self) -> Iterator[_Group]:
        alone = _alone(self._system)
        found: dict[tuple[int | None, str], list[Rule]] = {}
        for rule in self._system.rules:
            if rule.fair:
                step = "" if rule.step in alone else rule.step
                found.setdefault((rule.actor, rule.name if rule.actor is None else step), []).append(rule)
        for (actor, name), rules in found.items():
            binders, movers = rules[0].params, frozenset(r.name for r in rules)
            if actor is not None:
                family = self._system.families[actor]
                binders = () if family.index is None else binders[:1]
                if not name:
                    movers = frozenset(r.name for r in self._system.rules if r.actor == actor)
            own = tuple(Binder(self._named(), b.type) for b in binders)
            able = e.or_(*(self._able(rule, own) for rule in rules))
            strong = rules[0].fair == "strong"
            about = name or self._system.families[actor or 0].name
            halted = self._var(f"halted.{about}", _table(own)) if strong else None
            yield _Group(own, able, movers, self._var(f"served.{about}", _table(own)), halted)

    def _named(self) -> str:
        return f"{self._prefix}#{next(self._fresh)}"

    def _able(self, rule: Rule, own: Sequence[Binder]) -> Expr:
        """Whether a rule can move for the values of `own` of its first params."""
        new = [Binder(self._named(), b.type) for b in (*rule.params[len(own) :], *rule.choices)]
        names = (*rule.params, *rule.choices)
        params = {b.name: _bound(n) for b, n in zip(names, (*own, *new), strict=True)}
        after = dict(rule.updates)
        allowed = e.and_(*(substitute(a.cond, vars=after) for a in self._system.assumes))
        undefined = e.or_(*(f.cond for f in rule.faults))
        found = e.and_(rule.guard, *(w.cond for w in rule.wheres), e.or_(undefined, allowed))
        found = substitute(found, params)
        for b in reversed(new):
            found = e.exists(b, found)
        return found

    # --- actions -------------------------------------------------------------------------------------------------

    def _begun(self) -> Rule:
        init = self._system.init
        chosen = [Binder(self._named(), v.type) for v in self._who.values()]
        who = {v.name: _bound(b) for v, b in zip(self._who.values(), chosen, strict=True)}
        after = dict(init.updates) | who
        waits = e.TRUE if self._given is None else substitute(self._given, vars=after)
        waits = e.and_(waits, e.not_(substitute(self._goal, vars=after)))
        updates = (*init.updates, *who.items(), (self._waiting.name, waits))
        return replace(init, choices=(*init.choices, *chosen), updates=updates)

    def _counted(self, rule: Rule) -> Rule:
        after = dict(rule.updates)
        waiting = _read(self._waiting)
        waits = waiting if self._given is None else e.or_(waiting, substitute(self._given, vars=after))
        waits = e.and_(waits, e.not_(substitute(self._goal, vars=after)))
        watching = waiting if self._watching is None else _read(self._watching)
        goes_on = e.and_(watching, waits)
        served = [self._served(g, rule) for g in self._groups]
        over = e.and_(*(_all(g.binders, x) for g, x in zip(self._groups, served, strict=True)))
        n = _read(self._over)
        more = e.narrow(e.add(n, e.integer(1)), Int(0, self._most))
        n_after = e.ite(e.and_(over, e.lt(n, e.integer(self._most))), more, n)
        zero = e.const(self._over.type, 0)
        updates = [(self._waiting.name, waits), (self._over.name, e.ite(goes_on, n_after, zero))]
        if self._watching is not None:
            updates.append((self._watching.name, goes_on))
        for g, x in zip(self._groups, served, strict=True):
            updates.append((g.served.name, _tabled(g.binders, e.and_(goes_on, e.not_(over), x))))
            if g.halted is not None:
                updates.append(
                    (g.halted.name, _tabled(g.binders, e.and_(goes_on, _entry(g.halted, g.binders))))
                )
        return replace(
            rule,
            guard=e.and_(rule.guard, *self._right()),
            updates=(*rule.updates, *updates),
            fair="",
        )

    def _served(self, g: _Group, rule: Rule) -> Expr:
        """Whether a unit of the group has what it is owed, after a step by `rule`."""
        own = zip(g.binders, rule.params, strict=False)
        moved = e.and_(*(e.eq(_bound(a), _bound(b)) for a, b in own)) if rule.name in g.movers else e.FALSE
        spared = e.not_(g.able) if g.halted is None else _entry(g.halted, g.binders)
        return e.or_(_entry(g.served, g.binders), spared, moved)

    def _right(self) -> Iterator[Expr]:
        """That who is taken not to move any more cannot."""
        for g in self._groups:
            if g.halted is not None:
                yield _all(g.binders, e.implies(_entry(g.halted, g.binders), e.not_(g.able)))

    def _watch(self, watching: Var) -> Rule:
        """Somebody begins to watch, and chooses who cannot move from now on."""
        choices, updates = [], [(watching.name, e.TRUE)]
        for g in self._groups:
            if g.halted is not None:
                choices.append(Binder(self._named(), g.halted.type))
                updates.append((g.halted.name, _bound(choices[-1])))
        guard = e.and_(_read(self._waiting), e.not_(_read(watching)))
        return Rule(f"{self._prefix}.watch", (), guard, choices=tuple(choices), updates=tuple(updates))


def _alone(system: System) -> frozenset[str]:
    """The steps at whose locations no other step of the thread can be; none where threads move each other."""
    if moves_others(system):
        return frozenset()
    there: dict[tuple[int, int], set[str]] = {}
    for rule in system.rules:
        if rule.actor is not None:
            for location in locations(system, rule):
                there.setdefault((rule.actor, location), set()).add(rule.step)
    crowded = {step for steps in there.values() if len(steps) > 1 for step in steps}
    return frozenset(step for steps in there.values() for step in steps) - crowded


def _unused(system: System) -> str:
    """A prefix that no variable and no rule of the system has."""
    taken = {v.name.split(".")[0] for v in system.vars} | {r.name.split(".")[0] for r in system.rules}
    return next(name for n in count() if (name := f"rounds{n or ''}") not in taken)


def _read(v: Var) -> Expr:
    return e.var(v.name, v.type)


def _bound(b: Binder) -> Expr:
    return e.param(b.name, b.type)


def _table(binders: Sequence[Binder]) -> Type:
    """The type of a truth value for each value of some binders."""
    made: Type = BOOL
    for b in reversed(binders):
        made = Array(b.type, made)
    return made


def _entry(v: Var, binders: Sequence[Binder]) -> Expr:
    found = _read(v)
    for b in binders:
        found = e.select(found, _bound(b))
    return found


def _tabled(binders: Sequence[Binder], x: Expr) -> Expr:
    for b in reversed(binders):
        x = e.bind(Op.LAMBDA, b, x)
    return x


def _all(binders: Sequence[Binder], x: Expr) -> Expr:
    for b in reversed(binders):
        x = e.forall(b, x)
    return x
