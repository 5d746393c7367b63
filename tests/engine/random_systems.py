"""Random small core systems, with all types and operators, for comparing the readings of the core with each other."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from hypothesis import strategies as st

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.symmetry import invariant, mentions
from refine.core.system import Assume, Family, Fault, Kind, Place, Property, Rule, System, Var, Where
from refine.core.types import (
    BOOL,
    Array,
    Bool,
    Enum,
    Index,
    IndexKind,
    Int,
    Option,
    Part,
    Set,
    Struct,
    Thread,
    Type,
    Word,
    cardinality,
    default,
)
from refine.run.eval import values_of

COLOUR = Enum("Colour", ("RED", "GREEN", "BLUE"))
PC = Enum("Pc", ("start", "middle", "end"))
SLOT = Index("slot_t", 2, IndexKind.SLOT)
FRAME = Index("frame", 3, IndexKind.GFN)
SMALL = Int(-1, 2)
MOST_VALUES = 600
MOST_CHOICES = 40


def random_system(*, symmetric: bool = False) -> st.SearchStrategy[System]:
    """Systems of a few variables and rules, with properties of every kind.

    With `symmetric`, hardly a term tells the elements of index types apart (nor can undefined ones matter).
    """
    return st.integers(0, 2**32 - 1).map(lambda seed: system_of(seed, symmetric=symmetric))


def system_of(seed: int, *, symmetric: bool = False) -> System:
    return Maker(random.Random(seed), symmetric=symmetric).system()


@dataclass(slots=True)
class Scope:
    """What a term may mention."""

    vars: tuple[Var, ...]
    params: tuple[Binder, ...] = ()
    old: bool = False
    entries: bool = True  # whether arrays may be indexed


@dataclass(slots=True)
class Maker:
    random: random.Random
    symmetric: bool
    names: itertools.count[int] = field(default_factory=itertools.count)
    indexes: tuple[Index, ...] = ()
    threads: Thread = field(default_factory=lambda: Thread(()))

    # --- systems ---------------------------------------------------------------------------------------------

    def invent(self) -> Index | None:
        """Make up index types and thread families; return the index of the second family."""
        self.indexes = tuple(Index(name, self.pick(2, 3, 2)) for name in ("a", "b")[: self.pick(1, 2, 1)])
        crew: Index | None = self.pick(None, self.indexes[0], self.indexes[0])
        parts = (Part("solo", None), Part("crew", crew)) if crew is not None else (Part("solo", None),)
        self.threads = Thread(parts)
        return crew

    def system(self) -> System:
        crew = self.invent()
        variables = [Var("solo.pc", PC, "pc")]
        families = [Family("solo", None, "solo.pc", frozenset(self.subset(3)), frozenset(self.subset(3)))]
        if crew is not None:
            variables.append(Var("crew.pc", Array(crew, PC), "pc"))
            binder = Binder("me", crew)
            rest = frozenset(self.subset(3)), frozenset(self.subset(3))
            families.append(Family("crew", binder, "crew.pc", *rest))
        variables += [Var(f"x{k}", self.type_(2), "shared") for k in range(self.pick(1, 2, 3))]
        vars_ = tuple(variables)
        places = (Place("rule", "first"), Place("rule", "second"))
        rules = [self.rule(k, vars_, families) for k in range(self.pick(2, 3, 4, 5))]
        properties = [
            Property("always", Kind.STATE, self.boolean(Scope(vars_), 3), "claim"),
            Property("step", Kind.STEP, self.boolean(Scope(vars_, old=True), 3), "claim"),
            Property(
                "step0", Kind.STEP, self.boolean(Scope(vars_, old=True), 2), "claim", of=(rules[0].step,)
            ),
            Property("reach", Kind.REACH, self.boolean(Scope(vars_), 3), "reach"),
            Property("defined", Kind.FAULT, e.TRUE, "free", places=(0,)),
            Property("stuck", Kind.STUCK, e.TRUE, "free"),
            *(
                Property(f"sat{k}", Kind.SATISFIABLE, e.TRUE, "free", of=(r.name,))
                for k, r in enumerate(rules)
            ),
        ]
        assumes = (
            (Assume("fine", self.boolean(Scope(vars_), 2)),) if self.pick(False, False, False, True) else ()
        )
        return System(
            name="random",
            sizes=(),
            vars=vars_,
            init=self.init(vars_),
            rules=tuple(rules),
            properties=tuple(properties),
            places=places,
            families=tuple(families),
            assumes=assumes,
        )

    def init(self, vars_: tuple[Var, ...]) -> Rule:
        """Some variables start anywhere, some at a term; those whose default would name an element must not."""
        choices, updates = [], []
        for var in vars_:
            if self.symmetric and not all(invariant(var.type, default(var.type), i) for i in self.indexes):
                choice = Binder(f"c{next(self.names)}", var.type)
                choices.append(choice)
                updates.append((var.name, e.param(choice.name, choice.type)))
        scope = Scope(tuple(v for v in vars_ if v.name not in dict(updates)), tuple(choices))
        for var in vars_:
            if var.name not in dict(updates) and var.kind != "pc" and self.pick(False, True):
                updates.append((var.name, self.term(var.type, scope, 2)))
        wheres = (Where(self.boolean(scope, 1)),) if choices and self.pick(False, False, True) else ()
        return Rule("init", (), e.TRUE, tuple(choices), wheres, updates=tuple(updates), step="init")

    def rule(self, number: int, vars_: tuple[Var, ...], families: list[Family]) -> Rule:
        actor = self.pick(None, *range(len(families)))
        params: list[Binder] = []
        guards: list[Expr] = []
        updates: dict[str, Expr] = {}
        if actor is not None:
            family = families[actor]
            counter = next(e.var(v.name, v.type) for v in vars_ if v.name == family.pc)
            at_pc = self.pick(0, 0, 1, 2)
            here, there = (
                e.const(PC, at_pc),
                e.const(PC, self.pick((at_pc + 1) % 3, (at_pc + 1) % 3, 0, 1, 2)),
            )
            if family.index is None:
                guards.append(e.eq(counter, here))
                updates[family.pc] = there
            else:
                me = Binder(f"p{next(self.names)}", family.index.type)
                params.append(me)
                at = e.param(me.name, me.type)
                guards.append(e.eq(e.select(counter, at), here))
                updates[family.pc] = e.store(counter, at, there)
        if self.pick(False, True):
            params.append(Binder(f"p{next(self.names)}", self.domain()))
        scope = Scope(vars_, tuple(params))
        if self.pick(True, False):
            guards.append(self.boolean(scope, 2))
        choices = [Binder(f"c{next(self.names)}", self.type_(1)) for _ in range(self.pick(0, 0, 1, 1, 2))]
        anything = self.pick(
            None, *(v for v in vars_ if v.kind != "pc" and (cardinality(v.type) or 99) <= 16)
        )
        if anything is not None:
            choices.append(Binder(f"c{next(self.names)}", anything.type))
            updates[anything.name] = e.param(choices[-1].name, anything.type)
        while math.prod(cardinality(b.type) or 1 for b in choices) > MOST_CHOICES:
            dropped = choices.pop()
            updates = {name: x for name, x in updates.items() if x.data != dropped.name}
        inner = Scope(vars_, (*params, *choices))
        wheres = [
            Where(self.boolean(inner, 2), self.pick(None, None, "assumed"))
            for _ in range(self.pick(0, 1, 1, 2) if choices else self.pick(0, 0, 0, 1))
        ]
        faults = [Fault(self.boolean(inner, 2), k) for k in range(self.pick(0, 0, 0, 0, 1, 2))]
        for var in vars_:
            rarely = var.kind == "pc"
            if var.name not in updates and self.pick(*[False] * (19 if rarely else 1), True, not rarely):
                updates[var.name] = self.term(var.type, inner, 3)
        return Rule(
            f"rule{number}",
            tuple(params),
            e.and_(*guards),
            tuple(choices),
            tuple(wheres),
            tuple(faults),
            tuple(updates.items()),
            actor,
            f"step{number}",
        )

    # --- types -----------------------------------------------------------------------------------------------

    def pick(self, *options: Any) -> Any:
        return self.one(options)

    def one(self, options: Sequence[Any]) -> Any:
        return self.random.choice(options)

    def subset(self, n: int) -> list[int]:
        return [k for k in range(n) if self.pick(False, False, True)]

    def domain(self) -> Any:
        return self.pick(BOOL, COLOUR, SMALL, SLOT, self.threads, *self.indexes, *self.indexes)

    def scalar(self) -> Any:
        return self.pick(
            BOOL, COLOUR, SMALL, Word(2), SLOT, FRAME, self.threads, *self.indexes, *self.indexes
        )

    def type_(self, depth: int) -> Any:
        """Return a type of no more values than a test can list."""
        while True:
            found = self.any_type(depth)
            if (cardinality(found) or 0) <= MOST_VALUES:
                return found

    def any_type(self, depth: int) -> Any:
        if depth == 0:
            return self.scalar()
        match self.pick("scalar", "scalar", "option", "set", "array", "struct"):
            case "option":
                item = self.type_(depth - 1)
                return item if isinstance(item, Option) else Option(item)
            case "set":
                return Set(self.domain())
            case "array":
                return Array(self.domain(), self.type_(depth - 1))
            case "struct":
                return Struct("Pair", (("left", self.type_(depth - 1)), ("right", self.scalar())))
            case _:
                return self.scalar()

    # --- terms -----------------------------------------------------------------------------------------------

    def const(self, type_: Type) -> Expr:
        """Return a constant; a symmetric one where that is asked for."""
        values = list(itertools.islice(values_of(type_), 40))
        if self.symmetric:
            values = [v for v in values if all(invariant(type_, v, i) for i in self.indexes)]
        assert values, "callers ask for constants of types that have some"
        return e.const(type_, self.one(values))

    def has_const(self, type_: Type) -> bool:
        match type_:
            case Index() | Thread() if self.symmetric:
                return not any(mentions(type_, i) for i in self.indexes) or isinstance(type_, Thread)
            case Array(_, item):
                return self.has_const(item)
            case Struct(_, fields):
                return all(self.has_const(t) for _, t in fields)
            case _:
                return True

    def leaves(self, type_: Type, scope: Scope) -> list[Callable[[], Expr]]:
        """Return what makes the terms of this type that are at hand."""
        found: list[Callable[[], Expr]] = []
        for v in scope.vars:
            x = e.var(v.name, v.type)
            if v.type == type_:
                found.append(partial(e.var, v.name, v.type))
                if scope.old:
                    found.append(partial(e.old, x))
            elif isinstance(v.type, Array) and v.type.item == type_ and scope.entries:
                found.append(partial(self.entry, x, v.type.dom, scope))
            elif isinstance(v.type, Struct):
                found += [partial(e.field_of, x, k) for k, (_, t) in enumerate(v.type.fields) if t == type_]
        return found + [partial(e.param, b.name, b.type) for b in scope.params if b.type == type_]

    def entry(self, array: Expr, dom: Type, scope: Scope) -> Expr:
        return e.select(array, self.term(dom, replace(scope, entries=False), 0))

    def term(self, type_: Type, scope: Scope, depth: int) -> Any:
        """Return a term of exactly this type."""
        leaves = self.leaves(type_, scope)
        if depth <= 0 or self.pick(False, False, False, True):
            if self.has_const(type_) and (not leaves or self.pick(False, False, True)):
                leaves.append(lambda: self.const(type_))
            if leaves:
                return self.one(leaves)()
        if depth <= -6:
            return self.smallest(type_, scope)
        return self.compound(type_, scope, depth - 1)

    def smallest(self, type_: Type, scope: Scope) -> Expr:
        """Return some term where nothing at hand has the type: symmetric elements are chosen by a binder around."""
        match type_:
            case Array(dom, item):
                binder = self.binder(dom)
                return e.bind(Op.LAMBDA, binder, self.term(item, self.within(scope, binder), 0))
            case Struct(_, fields):
                return e.record(type_, [self.term(t, scope, 0) for _, t in fields])
            case Thread():
                return e.thread(type_, 0, None)
            case _:
                # No symmetric element can be named here: an arbitrary one, told apart by all engines alike.
                return e.const(type_, default(type_))

    def binder(self, dom: Type) -> Binder:
        return Binder(f"q{next(self.names)}", dom)

    def within(self, scope: Scope, binder: Binder) -> Scope:
        return replace(scope, params=(*scope.params, binder))

    def compound(self, type_: Type, scope: Scope, depth: int) -> Any:
        if isinstance(type_, Bool):
            return self.boolean(scope, depth)
        if self.pick(False, False, False, True):
            return e.ite(
                self.boolean(scope, depth), self.term(type_, scope, depth), self.term(type_, scope, depth)
            )
        match type_:
            case Int():
                return e.narrow(self.number(scope, depth), type_)
            case Word():
                return self.word(type_, scope, depth)
            case Index() if not self.symmetric or type_ not in self.indexes:
                return e.to_index(self.number(scope, depth), type_)
            case Index():
                return self.element(type_, scope, depth)
            case Thread(parts):
                k = self.one(range(len(parts)))
                index = parts[k].index
                return e.thread(type_, k, None if index is None else self.term(index, scope, depth))
            case Option(item):
                return e.some(self.term(item, scope, depth))
            case Set(item):
                return self.set_(type_, item, scope, depth)
            case Array(dom, item):
                if self.pick(True, False):
                    parts_ = (self.term(type_, scope, depth), self.index_of(dom, scope, depth))
                    return e.store(*parts_, self.term(item, scope, depth))
                binder = self.binder(dom)
                return e.bind(Op.LAMBDA, binder, self.term(item, self.within(scope, binder), depth))
            case Struct(_, fields):
                if self.pick(True, False):
                    k = self.one(range(len(fields)))
                    return e.with_field(
                        self.term(type_, scope, depth), k, self.term(fields[k][1], scope, depth)
                    )
                return e.record(type_, [self.term(t, scope, depth) for _, t in fields])
            case Enum():
                return self.term(type_, scope, 0)
            case _:
                raise AssertionError(f"{type_} has terms of its own")

    def element(self, type_: Index, scope: Scope, depth: int) -> Any:
        """Return an element of a symmetric type, dereferencing only what is some."""
        x = self.term(Option(type_), scope, depth)
        other = self.leaves(type_, scope)
        if not other or x.op is Op.CONST:
            return self.smallest(type_, scope) if not other else self.one(other)()
        return e.ite(e.is_some(x), e.get(x), self.one(other)())

    def index_of(self, dom: Type, scope: Scope, depth: int) -> Any:
        """Return a position in an array or set: of an Int domain, perhaps outside."""
        return self.number(scope, depth) if isinstance(dom, Int) else self.term(dom, scope, depth)

    def set_(self, type_: Set, item: Type, scope: Scope, depth: int) -> Any:
        match self.pick("insert", "remove", "binary", "collect"):
            case "insert":
                return e.insert(self.term(type_, scope, depth), self.index_of(item, scope, depth))
            case "remove":
                return e.remove(self.term(type_, scope, depth), self.index_of(item, scope, depth))
            case "binary":
                op = self.pick(Op.UNION, Op.INTER, Op.DIFF)
                return e.set_op(op, self.term(type_, scope, depth), self.term(type_, scope, depth))
            case _:
                binder = self.binder(item)
                return e.bind(Op.COLLECT, binder, self.boolean(self.within(scope, binder), depth))

    def word(self, type_: Word, scope: Scope, depth: int) -> Any:
        x = self.term(type_, scope, depth)
        match self.pick("arith", "bits", "not", "shift", "from"):
            case "arith":
                return self.pick(e.add, e.sub, e.mul, e.div, e.mod)(x, self.term(type_, scope, depth))
            case "bits":
                op = self.pick(Op.BITAND, Op.BITOR, Op.BITXOR)
                return e.bitwise(op, x, self.term(type_, scope, depth))
            case "not":
                return e.bitwise(Op.BITNOT, x)
            case "shift":
                by = self.pick(type_, Int(0, 3))
                return e.bitwise(self.pick(Op.SHL, Op.SHR), x, self.term(by, scope, depth))
            case _:
                return e.to_word(self.pick(self.number(scope, depth), self.term(Word(4), scope, 0)), type_)

    def number(self, scope: Scope, depth: int) -> Any:
        """Return an Int, of whatever bounds its operators give it."""
        if depth <= 0:
            return self.pick(e.integer(self.pick(-1, 0, 1, 2, 3)), self.term(SMALL, scope, 0))
        match self.pick("arith", "arith", "to_int", "card", "count", "ite", "get", "leaf"):
            case "arith":
                op = self.pick(e.add, e.sub, e.mul, e.div, e.mod)
                return op(self.number(scope, depth - 1), self.number(scope, depth - 1))
            case "to_int":
                kinds = [BOOL, Word(2), COLOUR, SLOT, *(() if self.symmetric else self.indexes)]
                return e.to_int(self.term(self.one(kinds), scope, depth - 1))
            case "card":
                return e.card(self.term(Set(self.domain()), scope, depth - 1))
            case "count":
                binder = self.binder(self.domain())
                return e.bind(Op.COUNT, binder, self.boolean(self.within(scope, binder), depth - 1))
            case "ite":
                arms = self.number(scope, depth - 1), self.number(scope, depth - 1)
                return e.ite(self.boolean(scope, depth - 1), *arms)
            case "get":
                return e.get(self.term(Option(SMALL), scope, depth - 1))
            case _:
                return self.number(scope, 0)

    def boolean(self, scope: Scope, depth: int) -> Any:
        if depth <= 0:
            leaves = [*self.leaves(BOOL, scope), lambda: self.test(scope)]
            return self.one(leaves)()
        kinds = ("test", "test", "not", "and", "or", "implies", "ite", "quantified", "eq", "member", "subset")
        d = depth - 1
        match self.pick(*kinds):
            case "not":
                return e.not_(self.boolean(scope, d))
            case "and":
                return e.and_(self.boolean(scope, d), self.boolean(scope, d))
            case "or":
                return e.or_(self.boolean(scope, d), self.boolean(scope, d))
            case "implies":
                return e.implies(self.boolean(scope, d), self.boolean(scope, d))
            case "ite":
                return e.ite(self.boolean(scope, d), self.boolean(scope, d), self.boolean(scope, d))
            case "quantified":
                binder = self.binder(self.domain())
                return e.bind(
                    self.pick(Op.FORALL, Op.EXISTS), binder, self.boolean(self.within(scope, binder), d)
                )
            case "eq":
                type_ = self.one([v.type for v in scope.vars] or [SMALL])
                return e.eq(self.term(type_, scope, d), self.term(type_, scope, d))
            case "member":
                item = self.domain()
                return e.member(self.index_of(item, scope, d), self.term(Set(item), scope, d))
            case "subset":
                type_ = Set(self.domain())
                return e.set_op(Op.SUBSET, self.term(type_, scope, d), self.term(type_, scope, d))
            case _:
                return self.test(scope)

    def test(self, scope: Scope) -> Any:
        """Return a small test, of a variable where there is one."""
        type_ = self.one([v.type for v in scope.vars] or [SMALL])
        x = self.term(type_, scope, 0)
        match type_:
            case Bool():
                return x
            case Option():
                return e.is_some(x)
            case Set(item):
                return e.member(self.term(item, scope, 0), x)
            case Int() | Word():
                return self.pick(e.lt, e.le)(x, self.term(type_, scope, 0))
            case Index(_, _, kind) if kind is not IndexKind.INDEX:
                return self.pick(e.lt, e.le)(x, self.term(type_, scope, 0))
            case _:
                return e.eq(x, self.term(type_, scope, 0))
