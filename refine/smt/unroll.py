"""The solver reading of a system: first frames, one transition, and what breaks a property.

A step is functional: a selector chooses the instance of a rule, free inputs stand for its choices, and each
variable's next value is an ite over the instances that assign it. What is measured, on the TLB shootdown:
instances with constant params are 2.5 times faster than params that are inputs (those remain for rules with
more instances than EXPAND); next values that are named by inputs of their own are 20 times faster than next
values that are put in for the variables of the next frame.

NOTE(fault): properties speak of states without fault, and a faulted state has no successor. So a frame that
has a successor is demanded to have no fault, and each run to a state without fault, or to the first fault,
visits only states without fault before. In induction the frames before the last are therefore fault-free by
the transition relation itself, not by a hypothesis: no claim rests on the absence of faults, and FAULT
properties are claims like the others, whose bad states are the last of a run. The values of a frame with a
fault are not used: by definition they are those of the frame before (`decode` fills them in), so that an
assumption that held there holds again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from refine.core.expr import Binder
from refine.core.system import Kind, Property, Rule, System
from refine.core.types import Type, Value, cardinality
from refine.smt.encode import Encoder, FreeNames, needs_integers
from refine.smt.shape import Shape, Sym, all_values
from refine.smt.term import Term, TermOp, Terms

EXPAND = 64  # instances of one rule that are told apart by constants; further params are inputs
TOO_MANY = 20_000  # combinations of params and choices that a SATISFIABLE property may be expanded to


class TooLarge(Exception):
    """A property whose expansion would not fit, and the sentence that says so."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One state in terms. `faults` gives for each place whether the first undefined action was there."""

    encoder: Encoder
    faults: Mapping[int, Term]
    faulted: Term

    @property
    def values(self) -> Mapping[str, Sym]:
        return self.encoder.values


@dataclass(frozen=True, slots=True)
class Case:
    """A rule with its params and choices, constants or inputs; `chosen`: the step is one of these."""

    rule: Rule
    env: Mapping[str, Sym]
    chosen: Term


@dataclass(frozen=True, slots=True)
class Step:
    """One transition in terms: from `before` to `after`, if `possible`."""

    before: Frame
    after: Frame
    cases: tuple[Case, ...]
    selector: Term | None
    possible: tuple[Term, ...]


class Unrolling:
    """Frames of one system, in one `Terms`."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.terms = Terms()
        self.exact = needs_integers(_types(system), system.exprs())
        self.shape = Shape(self.terms, exact=self.exact)
        self._types = {v.name: v.type for v in system.vars}
        self._free = FreeNames()

    # --- frames ---------------------------------------------------------------------------------------------

    def defaults(self) -> Frame:
        """The state of all defaults, before the initial action."""
        return self._plain({name: self.shape.default(type_) for name, type_ in self._types.items()})

    def constant(self, values: tuple[Value, ...]) -> Frame:
        """A given state without fault."""
        pairs = zip(self._types.items(), values, strict=True)
        return self._plain({name: self.shape.constant(type_, v) for (name, type_), v in pairs})

    def arbitrary(self, name: str) -> tuple[Frame, list[Term]]:
        """Any state without fault, and what it takes to be well formed and to satisfy the assumptions."""
        frame = self._plain({v: self.shape.free(type_, f"{name}:{v}") for v, type_ in self._types.items()})
        conds = [
            c for v, type_ in self._types.items() for c in self.shape.well_formed(type_, frame.values[v])
        ]
        return frame, conds + [frame.encoder.truth(a.cond) for a in self.system.assumes]

    def differ(self, one: Frame, two: Frame) -> Term:
        """Whether two states, both without fault, are not the same."""
        pairs = ((one.values[v], two.values[v]) for v in self._types)
        return self.terms.not_(self.terms.and_(self.shape.equal(x, y) for x, y in pairs))

    def _plain(self, values: Mapping[str, Sym], before: Frame | None = None) -> Frame:
        encoder = Encoder(self.shape, values, self._free, None if before is None else before.encoder)
        return Frame(encoder, {}, self.terms.false)

    # --- steps ----------------------------------------------------------------------------------------------

    def initial(self) -> Step:
        """The initial action, as a step from the state of all defaults."""
        return self._step(self.defaults(), (self.system.init,), "init")

    def step(self, before: Frame, name: str) -> Step:
        """Any transition; inputs are named after `name`."""
        return self._step(before, self.system.rules, name)

    def _step(self, before: Frame, rules: tuple[Rule, ...], name: str) -> Step:
        terms = self.terms
        rules = tuple(r for r in rules if all(cardinality(b.type) != 0 for b in (*r.params, *r.choices)))
        pool = _Pool(self.shape, name)
        possible = [terms.not_(before.faulted)]
        selector, cases = self._cases(rules, pool, name)
        if selector is not None:
            last = terms.number(len(cases) - 1, selector.width)
            possible.append(terms.not_(terms.ult(last, selector)))
        else:
            possible.append(terms.bit(bool(cases)))
        possible += pool.well_formed()
        faults: dict[int, list[Term]] = {}
        writes: dict[str, list[tuple[Term, Sym]]] = {}
        for case in cases:
            read, rule = before.encoder, case.rule
            for cond in (rule.guard, *(w.cond for w in rule.wheres)):
                possible.append(terms.implies(case.chosen, read.truth(cond, case.env)))
            fine = case.chosen
            for fault in rule.faults:
                undefined = read.truth(fault.cond, case.env)
                faults.setdefault(fault.place, []).append(terms.and_((fine, undefined)))
                fine = terms.and_((fine, terms.not_(undefined)))
            for var, new in rule.updates:
                value = read.as_type(new, case.env, self._types[var])
                writes.setdefault(var, []).append((case.chosen, value))
        values = {
            v: self._name(self._next(old, writes[v]), f"{name}:{v}", possible) if v in writes else old
            for v, old in before.values.items()
        }
        places = {place: terms.or_(conds) for place, conds in sorted(faults.items())}
        faulted = terms.or_(places.values())
        encoder = Encoder(self.shape, values, self._free, before.encoder)
        after = Frame(encoder, places, faulted)
        possible += self._assumed(before, after)
        return Step(before, after, cases, selector, tuple(possible))

    def _cases(self, rules: tuple[Rule, ...], pool: _Pool, name: str) -> tuple[Term | None, tuple[Case, ...]]:
        terms = self.terms
        instances = [(rule, env) for rule in rules for env in self._instances(rule, pool)]
        if len(instances) <= 1:
            return None, tuple(Case(rule, env, terms.true) for rule, env in instances)
        selector = terms.input(f"{name}:rule", (len(instances) - 1).bit_length())
        numbers = (terms.number(k, selector.width) for k in range(len(instances)))
        chosen = zip(instances, numbers, strict=True)
        return selector, tuple(Case(rule, env, terms.eq(selector, n)) for (rule, env), n in chosen)

    def _instances(self, rule: Rule, pool: _Pool) -> Iterator[Mapping[str, Sym]]:
        """Valuations of the first params, as far as they are few; the others and the choices are inputs."""
        count, few = 1, 0
        for binder in rule.params:
            n = cardinality(binder.type)
            if n is None or count * n > EXPAND:
                break
            count, few = count * n, few + 1
        drawn = pool.draw((*rule.params[few:], *rule.choices))
        yield from self._valuations(rule.params[:few], drawn)

    def _name(self, new: Sym, name: str, definitions: list[Term]) -> Sym:
        """`new`, with inputs of their own for the terms that are more than a constant or an input."""
        if isinstance(new, tuple):
            return tuple(self._name(part, f"{name}.{k}", definitions) for k, part in enumerate(new))
        if new.op in {TermOp.CONST, TermOp.INPUT}:
            return new
        named = self.terms.input(name, new.width)
        definitions.append(self.terms.eq(named, new))
        return named

    def _next(self, old: Sym, writes: list[tuple[Term, Sym]]) -> Sym:
        """The value after the step: what the chosen rule writes, or the old one."""
        if isinstance(old, tuple):
            return tuple(
                self._next(part, [(c, new[k]) for c, new in writes if isinstance(new, tuple)])
                for k, part in enumerate(old)
            )
        groups: dict[Term, list[Term]] = {}
        for chosen, new in writes:
            assert isinstance(new, Term), "a value is laid out as its variable"
            if new is not old:
                groups.setdefault(new, []).append(chosen)
        found = old
        for new, chosen_by in reversed(groups.items()):
            found = self.terms.ite(self.terms.or_(chosen_by), new, found)
        return found

    def _assumed(self, before: Frame, after: Frame) -> Iterator[Term]:
        """All states satisfy the assumptions. One with a fault has the values of the state before."""
        for assume in self.system.assumes:
            kept = after.encoder.truth(assume.cond)
            yield self.terms.ite(after.faulted, before.encoder.truth(assume.cond), kept)

    # --- properties -----------------------------------------------------------------------------------------

    def bad(self, prop: Property, step: Step | None, frame: Frame) -> Term:
        """Whether `prop` is broken in `frame`, or by the `step` to it (None: a run's first frame).

        For REACH: whether it is reached. Kinds that speak of whole runs have no such term.
        """
        terms, sound = self.terms, self.terms.not_(frame.faulted)
        match prop.kind:
            case Kind.STATE:
                return terms.and_((sound, terms.not_(frame.encoder.truth(prop.cond))))
            case Kind.REACH:
                return terms.and_((sound, frame.encoder.truth(prop.cond)))
            case Kind.STEP:
                if step is None:
                    return terms.false
                ours = terms.or_(c.chosen for c in step.cases if prop.of is None or c.rule.step in prop.of)
                return terms.and_((sound, ours, terms.not_(frame.encoder.truth(prop.cond))))
            case Kind.FAULT:
                return terms.or_(frame.faults[place] for place in prop.places if place in frame.faults)
            case Kind.SATISFIABLE:
                return terms.and_((sound, self._unsatisfiable(prop, frame)))
            case Kind.STUCK | Kind.LIVENESS:
                raise AssertionError("engines decline what speaks of whole runs before they ask for terms")

    def _unsatisfiable(self, prop: Property, frame: Frame) -> Term:
        """Whether some instance of the rule is enabled and no valuation of its choices meets its havocs."""
        assert prop.of is not None and len(prop.of) == 1, "SATISFIABLE names one rule"
        if prop.of[0] == self.system.init.name:
            return self.terms.false  # where the initial action has no choice there is no run at all
        rule = self.system.rule(prop.of[0])
        havocs = [w.cond for w in rule.wheres if w.assume is None]
        combinations = 1
        for binder in (*rule.params, *rule.choices):
            n = cardinality(binder.type)
            combinations = TOO_MANY + 1 if n is None else combinations * n
            if combinations > TOO_MANY:
                raise TooLarge(f"{rule.name} has more than {TOO_MANY} combinations of choices to be listed")
        terms, read, broken = self.terms, frame.encoder, []
        for env in self._valuations(rule.params, {}):
            refused = [
                terms.not_(terms.and_(read.truth(c, full) for c in havocs))
                for full in self._valuations(rule.choices, env)
            ]
            broken.append(terms.and_((read.truth(rule.guard, env), *refused)))
        return terms.or_(broken)

    def enabled(self, prop: Property, frame: Frame, *, met: bool) -> Term:
        """Whether some instance of the rule of a SATISFIABLE property is enabled; `met`: and may be taken."""
        assert prop.of is not None, "SATISFIABLE names one rule"
        rule, terms, read = self.system.rule(prop.of[0]), self.terms, frame.encoder
        conds = (rule.guard, *(w.cond for w in rule.wheres)) if met else (rule.guard,)
        envs = self._valuations((*rule.params, *(rule.choices if met else ())), {})
        found = terms.or_(terms.and_(read.truth(c, env) for c in conds) for env in envs)
        return terms.and_((terms.not_(frame.faulted), found))

    def _valuations(self, binders: tuple[Binder, ...], env: Mapping[str, Sym]) -> Iterator[Mapping[str, Sym]]:
        for values in product(*(all_values(b.type) for b in binders)):
            found = {b.name: self.shape.constant(b.type, v) for b, v in zip(binders, values, strict=True)}
            yield {**env, **found}


class _Pool:
    """Inputs for params and choices: the n-th one of a type in any rule is the same input."""

    def __init__(self, shape: Shape, name: str) -> None:
        self._shape = shape
        self._name = name
        self._made: dict[tuple[Type, int], Sym] = {}

    def draw(self, binders: tuple[Binder, ...]) -> dict[str, Sym]:
        used: dict[Type, int] = {}
        env: dict[str, Sym] = {}
        for binder in binders:
            n = used[binder.type] = used.get(binder.type, 0) + 1
            found = self._made.get((binder.type, n))
            if found is None:
                found = self._shape.free(binder.type, f"{self._name}:{len(self._made)}")
                self._made[binder.type, n] = found
            env[binder.name] = found
        return env

    def well_formed(self) -> list[Term]:
        return [c for (type_, _), sym in self._made.items() for c in self._shape.well_formed(type_, sym)]


def _types(system: System) -> list[Type]:
    binders = [b for r in (system.init, *system.rules) for b in (*r.params, *r.choices)]
    return [*(v.type for v in system.vars), *(b.type for b in binders)]
