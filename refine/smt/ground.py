"""A system without params, choices and containers: scalars, guarded commands on them, and what must hold, in terms.

What other checkers are given is written from this. Each valuation of a rule's params and choices is a command of its
own; a scalar has the same values as in the state that it is a part of, so that all states correspond one to one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from refine.core.show import plain_names
from refine.core.system import Kind, Property, Rule, System
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
    Word,
    cardinality,
    show_value,
)
from refine.smt.encode import Encoder, FreeNames
from refine.smt.shape import Shape, Sym, all_values, parts
from refine.smt.term import BIT, Term, TermOp, Terms

MOST = 20_000  # commands
WIDEST = 16  # bits of a word
TEMPORARY = "new_"  # how the names of new values begin, in the models that are written
FAR = 1 << 31  # the numbers that are kept are nearer to 0
SMALLER = "try a smaller size"
BOUNDS = "declare its bounds, as in 'int(0..7)': other checkers keep each number in a few bits"


class Unfit(Exception):
    """What other checkers cannot be told, and why; `remedy` is what would help."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Scalar:
    """One of the numbers or truth values that a state consists of. `term` is the input that stands for it.

    `source` is what it is in the specification's words, with what its numbers stand for.
    """

    name: str
    term: Term
    lo: int
    hi: int
    source: str

    @property
    def truth(self) -> bool:
        return self.term.width == BIT


@dataclass(frozen=True, slots=True)
class Command:
    """If `guard`, and none of the `undefined`, all of `updates` at once; of the claims of steps, `checks` must hold."""

    name: str
    guard: Term
    undefined: tuple[tuple[str, Term], ...]
    updates: tuple[tuple[Scalar, Term], ...]
    checks: tuple[tuple[str, Term], ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """All of a system that other checkers can be asked; `left_out`: the properties that they cannot, and why."""

    terms: Terms
    scalars: tuple[Scalar, ...]
    starts: tuple[tuple[int, ...], ...]  # the values of the scalars
    commands: tuple[Command, ...]
    invariants: tuple[tuple[str, Term], ...]
    left_out: tuple[tuple[str, str], ...]


def ground(system: System) -> Ground:
    """Lay a system out. Raises `Unfit`."""
    return _Ground(system).made()


class _Ground:
    def __init__(self, system: System) -> None:
        self._system = system
        self._terms = Terms()
        self._shape = Shape(self._terms, exact=True)
        self._free = FreeNames()
        for v in system.vars:
            _fits(v.name, v.type)
        self._vars = {v.name: self._shape.free(v.type, v.name) for v in system.vars}
        self._types = {v.name: v.type for v in system.vars}
        self.scalars = _named([s for v in system.vars for s in _scalars(v.type, self._vars[v.name])])
        self._by_term = {s.term: s for s in self.scalars}
        self._now = Encoder(self._shape, self._vars, self._free)

    def made(self) -> Ground:
        system = self._system
        total = sum(prod(_count(b.type, r.name) for b in (*r.params, *r.choices)) for r in system.rules)
        if total > MOST:
            raise Unfit(f"its rules have {total} instances, more than {MOST}", SMALLER)
        invariants, left_out = [], []
        for p in system.properties:
            match p.kind:
                case Kind.STATE:
                    invariants.append((p.name, self._now.truth(p.cond)))
                case Kind.SATISFIABLE if not _assumes(system, p):
                    invariants.append((p.name, self._satisfiable(p)))
                case Kind.SATISFIABLE:
                    left_out.append((p.name, "whether assumptions are ever met"))
                case Kind.REACH:
                    left_out.append((p.name, "that something can be reached"))
                case Kind.STUCK:
                    left_out.append((p.name, "that a thread is stuck while others move"))
                case Kind.LIVENESS:
                    left_out.append((p.name, "what happens eventually"))
                case Kind.STEP | Kind.FAULT:
                    pass
        commands = [c for r in system.rules for c in self._commands(r)]
        starts = tuple(dict.fromkeys(self._starts()))
        if not starts:
            raise Unfit(
                "it has no initial state",
                "other checkers need one: see what the initial action and the assumptions ask for",
            )
        return Ground(self._terms, self.scalars, starts, tuple(commands), tuple(invariants), tuple(left_out))

    # --- actions -------------------------------------------------------------------------------------------------

    def _valuations(self, rule: Rule, *, choices: bool = True) -> Iterator[tuple[dict[str, Sym], str]]:
        binders = (*rule.params, *rule.choices) if choices else rule.params
        names = plain_names(b.name for b in binders)
        for values in product(*(all_values(b.type) for b in binders)):
            env = {b.name: self._shape.constant(b.type, v) for b, v in zip(binders, values, strict=True)}
            told = [
                f"{names[b.name]} = {show_value(b.type, v)}" for b, v in zip(binders, values, strict=True)
            ]
            yield env, ", ".join(told)

    def _commands(self, rule: Rule) -> Iterator[Command]:
        terms = self._terms
        for env, told in self._valuations(rule):
            guard = self._possible(rule, env, self._now)
            if guard is terms.false:
                continue
            after = self._after(rule, env, self._now)
            then = Encoder(self._shape, after, self._free, self._now)
            undefined = [
                (str(self._system.places[f.place]), self._now.truth(f.cond, env)) for f in rule.faults
            ]
            faulted = terms.or_(x for _, x in undefined)
            allowed = terms.and_(then.truth(a.cond) for a in self._system.assumes)
            guard = terms.and_((guard, terms.or_((faulted, allowed))))
            if guard is terms.false:
                continue
            old = [x for v in self._vars.values() for x in _leaves(v)]
            new = [x for name in self._vars for x in _leaves(after[name])]
            updates = [
                (self._by_term[a], b) for a, b in zip(old, new, strict=True) if a is not b and not a.constant
            ]
            checks = [
                (p.name, then.truth(p.cond))
                for p in self._system.properties
                if p.kind is Kind.STEP and (p.of is None or rule.step in p.of)
            ]
            name = f"{rule.name}({told})" if told else rule.name
            yield Command(
                name,
                guard,
                tuple((place, x) for place, x in undefined if x is not terms.false),
                tuple(updates),
                tuple((claim, x) for claim, x in checks if x is not terms.true),
            )

    def _possible(self, rule: Rule, env: Mapping[str, Sym], read: Encoder) -> Term:
        return self._terms.and_(read.truth(c, env) for c in (rule.guard, *(w.cond for w in rule.wheres)))

    def _after(self, rule: Rule, env: Mapping[str, Sym], read: Encoder) -> dict[str, Sym]:
        new = {name: read.as_type(x, env, self._types[name]) for name, x in rule.updates}
        return {name: new.get(name, old) for name, old in read.values.items()}

    def _starts(self) -> Iterator[tuple[int, ...]]:
        init = self._system.init
        if prod(_count(b.type, "the initial action") for b in (*init.params, *init.choices)) > MOST:
            raise Unfit(f"it has more than {MOST} initial states to be listed", SMALLER)
        begin = {name: self._shape.default(type_) for name, type_ in self._types.items()}
        read = Encoder(self._shape, begin, self._free)
        for env, _ in self._valuations(init):
            if self._possible(init, env, read) is self._terms.false:
                continue
            if any(read.truth(f.cond, env) is not self._terms.false for f in init.faults):
                raise Unfit("its initial action is undefined", "'spte check' shows where")
            after = self._after(init, env, read)
            then = Encoder(self._shape, after, self._free, read)
            if all(then.truth(a.cond) is self._terms.true for a in self._system.assumes):
                found = [x for name in self._vars for x in _leaves(after[name])]
                place = [x for v in self._vars.values() for x in _leaves(v)]
                yield tuple(_number(x) for a, x in zip(place, found, strict=True) if not a.constant)

    def _satisfiable(self, p: Property) -> Term:
        """That a rule that is enabled has choices."""
        assert p.of is not None, "SATISFIABLE names one rule"
        terms = self._terms
        if p.of[0] == self._system.init.name:
            return terms.true
        rule, conds = self._system.rule(p.of[0]), []
        for env, _ in self._valuations(rule, choices=False):
            options = (
                {**env, **{b.name: self._shape.constant(b.type, v) for b, v in zip(rule.choices, values, strict=True)}}
                for values in product(*(all_values(b.type) for b in rule.choices))
            )  # fmt: skip
            some = terms.or_(terms.and_(self._now.truth(w.cond, one) for w in rule.wheres) for one in options)
            conds.append(terms.implies(self._now.truth(rule.guard, env), some))
        return terms.and_(conds)


def _assumes(system: System, p: Property) -> bool:
    return any(
        w.assume is not None for r in (system.init, *system.rules) if r.name in (p.of or ()) for w in r.wheres
    )


def _count(type_: Type, where: str) -> int:
    n = cardinality(type_)
    if n is None:
        raise Unfit(f"{where} chooses among all integers", BOUNDS)
    return n


# --- scalars --------------------------------------------------------------------------------------------------------


def _fits(name: str, type_: Type) -> None:
    match type_:
        case Int() if not type_.bounded:
            raise Unfit(f"'{name}' holds an unbounded integer", BOUNDS)
        case Int(lo, hi) if lo is not None and hi is not None and not -FAR < lo <= hi < FAR:
            raise Unfit(f"'{name}' holds numbers of more than 32 bits", BOUNDS)
        case Word(bits) if bits > WIDEST:
            raise Unfit(
                f"'{name}' holds a word of {bits} bits, more than {WIDEST}", "declare a narrower word"
            )
        case Option(item) | Array(_, item):
            _fits(name, item)
        case Struct(_, fields):
            for field, inner in fields:
                _fits(f"{name}.{field}", inner)
        case _:
            return


def _scalars(type_: Type, sym: Sym) -> Iterator[Scalar]:
    """The inputs of a value that is laid out freely, with their bounds; of one value there is none."""
    match type_:
        case Option(item):
            flag, held = parts(sym)
            yield from _scalars(Bool(), flag)
            yield from _scalars(item, held)
        case Set(item):
            for member in parts(sym):
                yield from _scalars(Bool(), member)
        case Array(_, item):
            for entry in parts(sym):
                yield from _scalars(item, entry)
        case Struct(_, fields):
            for (_, inner), entry in zip(fields, parts(sym), strict=True):
                yield from _scalars(inner, entry)
        case Bool() | Int() | Word() | Enum() | Index() | Thread():
            assert isinstance(sym, Term), "a scalar is one term"
            if sym.op is TermOp.INPUT:
                n = cardinality(type_)
                lo = type_.lo if isinstance(type_, Int) and type_.lo is not None else 0
                assert n is not None, "all types have been looked at"
                yield Scalar(str(sym.data), sym, lo, lo + n - 1, _source(str(sym.data), type_))


def _source(name: str, type_: Type) -> str:
    shown = name.replace("?", " is some").replace("!", "")
    if not isinstance(type_, Enum | Index | Thread):
        return shown
    n = cardinality(type_)
    assert n is not None, "enumerations are finite"
    return f"{shown}: {', '.join(f'{k} {show_value(type_, k)}' for k in range(n))}"


# Words of Promela, of Murphi, and of the C that both are compiled to; in lower case, as Murphi may read them.
_WORDS = """
active alias and arithmetic array assert assume atomic auto begin bit bool boolean break by byte c_code c_decl
c_expr c_state c_track case char chan check clear const continue cover d_proctype d_step default div do double else
elsif empty enabled end endalias endexists endfor endforall endfunction endif endprocedure endrecord endrule
endruleset endstartstate endswitch endwhile enum error eval exists extern false fi float flush for forall forward
full function goto hidden if implies in init inline int invariant isundefined len liveness local long ltl main
mtype mod multiset nempty never nfull none normal not notrace now of od of or pc_value pid print printf printm
priority procedure proctype property provided put record register return rule ruleset run scalarset select short
show signed sizeof skip smallest startstate static strong struct switch system then timeout to trace true type
typedef undefine union unless unsigned until var void volatile weak while xr xs
"""
_RESERVED = frozenset(_WORDS.split())


def _named(found: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """The scalars with names of letters, digits and underscores, no two alike."""
    taken: set[str] = set()
    named = []
    for scalar in found:
        text = scalar.name.replace("?", "_some").replace("!", "_value")
        text = re.sub(r"\W+", "_", text).strip("_")
        if not text[0].isalpha() or text.lower() in _RESERVED or text.startswith(TEMPORARY):
            text = f"v_{text}"
        name = next(n for k in range(len(found) + 1) if (n := f"{text}_{k}" if k else text) not in taken)
        taken.add(name)
        named.append(replace(scalar, name=name))
    return tuple(named)


def _leaves(sym: Sym) -> Iterator[Term]:
    if isinstance(sym, Term):
        yield sym
    else:
        for part in sym:
            yield from _leaves(part)


def _number(x: Term) -> int:
    assert x.constant, "from constants only constants are made"
    return int(x.data) if isinstance(x.data, bool | int) else 0
