"""A thread's control flow: its body as a tree of points with procedures expanded, and the ways from point to point."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from refine.core import expr as e
from refine.core.expr import Binder, Expr
from refine.core.types import (
    BOOL,
    Array,
    Enum,
    Option,
    Set,
    cardinality,
    default,
    domain_values,
)
from refine.lang import ast
from refine.lang.actions import Exec, Outcome, Touch, holds_any
from refine.lang.context import MAX_WAYS, Abort, Context
from refine.lang.points import (
    ChoosePoint,
    CodePoint,
    EachPoint,
    IfPoint,
    LoopPoint,
    NextPoint,
    Point,
    SetPoint,
    StepPoint,
    Tree,
)
from refine.lang.scope import Family, Scope, Variable


@dataclass(slots=True)
class Record:
    """What lowering a step's rules found out about it, for the warnings."""

    step: StepPoint
    touched: list[Touch] = field(default_factory=list)
    held: dict[str, bool] = field(default_factory=dict)
    to: list[Point | None] = field(default_factory=list)


@dataclass(slots=True)
class Flow:
    """A family's flow. `locations` are filled in by `discover`."""

    cx: Context
    tree: Tree
    binder: Binder | None
    locations: dict[int, Location] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    records: dict[int, Record] = field(default_factory=dict)
    taken: int = 0  # ways from the location at hand
    sure: dict[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # before each step, the holds of every way there

    @property
    def family(self) -> Family:
        return self.tree.family

    # --- where a thread stands --------------------------------------------------------------------------------

    @property
    def pc(self) -> Expr:
        """The program counter's variable."""
        type_ = Enum(f"{self.family.name}.pc", tuple(self.names))
        return e.var(type_.name, type_ if self.family.index is None else Array(self.family.index, type_))

    def at(self, location: Location, index: Expr | None = None) -> Expr:
        """Whether the thread (of that index, or the one whose flow this is) stands at a location."""
        index = index or self.tree.index
        here = self.pc if index is None else e.select(self.pc, index)
        return e.eq(here, e.const(here.type, location.ordinal))

    # --- unprotected accesses ---------------------------------------------------------------------------------

    def record(
        self, step: StepPoint, touched: list[Touch], held: dict[str, bool], to: list[Point | None]
    ) -> None:
        """Remembers what a step touches, which holds it takes and gives up, and where it leads."""
        known = self.records.setdefault(id(step), Record(step))
        known.touched = touched
        known.held = held
        known.to += to

    def warn(self) -> None:
        """Warns of steps with several accesses that no hold protects: the holds are those of every way there."""
        sure: dict[int, frozenset[str]] = {}
        work: list[tuple[Point | None, frozenset[str]]] = [
            (at, frozenset()) for _, at in self.advance(self.exec({}), self.tree.entry)
        ]
        while work:
            point, held = work.pop()
            if point is None:
                continue
            for step in self.locations[id(point)].steps:
                before = sure.get(id(step))
                now = held if before is None else before & held
                record = self.records.get(id(step))
                if now == before or record is None:
                    continue
                sure[id(step)] = now
                after = (now | {h for h, v in record.held.items() if v}) - {
                    h for h, v in record.held.items() if not v
                }
                work += [(to, after) for to in record.to]
        for record in self.records.values():
            held_here = dict.fromkeys(sorted(sure.get(id(record.step), ())), True)
            self.sure[record.step.name] = tuple(held_here)
            open_ = {
                t.name: t
                for t in record.touched
                if not (t.held or (t.held is None and t.guard is not None and holds_any(t.guard, held_here)))
            }
            if len(open_) > 1:
                names = ", ".join(f"'{n}'" for n in open_)
                self.cx.reporter.warning(
                    "W0401",
                    f"step '{record.step.name}' accesses {names} at once, under no hold that their declarations name",
                    record.step.step.name.span,
                    "that this is atomic is an assumption: split the step, or declare 'guarded by' and hold the lock",
                )

    # --- locations --------------------------------------------------------------------------------------------

    def discover(self) -> None:
        """Finds the locations that can follow one another, and names them."""
        start = self.exec({})
        work = [at for _, at in self.advance(start, self.tree.entry)]
        while work:
            point = work.pop(0)
            if id(point) in self.locations:
                continue
            location = Location(point)
            self.locations[id(point)] = location
            for way in self.ways(self.exec({}), point):
                if way.step is None:
                    location.may_end = True
                    work.append(None)
                else:
                    location.steps.append(way.step)
                    # A way on which local code is undefined leads to no step.
                    cond = e.and_(way.exec.path, *(e.not_(f.cond) for f in way.exec.out.faults))
                    location.conds.append((way.step.name, _exists(way.params, cond)))
                    work += [at for _, at in self.advance(self.exec({}), way.step.after)]
        for location in self.locations.values():
            location.name = self.location_name(location)
            location.ordinal = len(self.names)
            self.names.append(location.name)

    def location_name(self, location: Location) -> str:
        names = [s.name for s in location.steps] + ["end"] * location.may_end
        name = "|".join(dict.fromkeys(names)) or "end"
        while name in self.names:
            name += "'"
        return name

    def exec(self, env: dict[str, Expr]) -> Exec:
        """Local code on the variables as they are."""
        out = Outcome({})
        return Exec(self.cx, self.family.name, out, {**self.cx.env, **env}, local=True, me=self.tree.self_)

    def advance(self, ex: Exec, point: Point | None) -> list[tuple[Exec, Point | None]]:
        """Local code from `point` on: where it leads, under which condition (the path of each result)."""
        results: list[tuple[Exec, Point | None]] = []
        self._run(ex, point, (), results, set(), 0)
        return results

    def _run(
        self,
        ex: Exec,
        point: Point | None,
        rounds: tuple[int, ...],
        results: list[tuple[Exec, Point | None]],
        reported: set[int],
        forks: int,
    ) -> None:
        while True:
            self._limit(max(len(results), forks), point)
            match point:
                case None | StepPoint() | ChoosePoint():
                    results.append((ex, point))
                    return
                case EachPoint():
                    full = self._all_seen(ex, point)
                    if full is e.FALSE:
                        results.append((ex, point))
                        return
                    if full is not e.TRUE:
                        results.append((ex.fork(e.not_(full)), point))
                        ex = ex.fork(full)
                    self._set(ex, [(point.seen, None), (point.cursor, None)])
                    point = point.after
                case IfPoint():
                    cond = _known(ex.path, self._cond(ex, point.cond, point.scope))
                    cond = ex.freely(cond, point.span) if point.free else cond
                    if cond is not e.FALSE and cond is not e.TRUE:
                        self._run(ex.fork(cond), point.then, rounds, results, reported, forks + 1)
                        ex = ex.fork(e.not_(cond))
                        point = point.other
                    else:
                        point = point.then if cond is e.TRUE else point.other
                case LoopPoint():
                    if id(point) in rounds:
                        self._endless(point, reported)
                        return
                    rounds = (*rounds, id(point))
                    if point.cond is None:
                        point = point.body
                        continue
                    cond = _known(ex.path, self._cond(ex, point.cond, point.scope))
                    if cond is not e.FALSE:
                        self._run(ex.fork(cond), point.body, rounds, results, reported, forks + 1)
                        ex = ex.fork(e.not_(cond))
                    if cond is e.TRUE:
                        return
                    point = point.after
                case CodePoint():
                    with suppress(Abort):
                        ex.action(point.stmt, point.scope)
                    point = point.after
                case SetPoint():
                    self._set(ex, point.sets)
                    point = point.after
                case NextPoint():
                    if id(point) in rounds:
                        self._endless(point, reported)
                        return
                    rounds = (*rounds, id(point))
                    assert isinstance(point.cursor.type, Option), "a cursor may be none"
                    type_ = point.cursor.type.item
                    values = domain_values(type_)
                    at = self._value(ex, point.cursor)
                    last = e.eq(at, e.some(e.const(type_, values[-1])))
                    step: Expr = e.none(point.cursor.type)
                    for this, following in reversed(list(pairwise(values))):
                        step = e.ite(
                            e.eq(at, e.some(e.const(type_, this))), e.some(e.const(type_, following)), step
                        )
                    if last is not e.TRUE:
                        more = ex.fork(e.not_(last))
                        self._set(more, [(point.cursor, step)])
                        self._run(more, point.body, rounds, results, reported, forks + 1)
                    if last is e.FALSE:
                        return
                    ex = ex.fork(last)
                    self._set(ex, [(point.cursor, None)])
                    point = point.after
                case _:
                    raise AssertionError("every kind of point is handled")

    def _limit(self, ways: int, point: Point | None) -> None:
        if ways > MAX_WAYS:
            span = point.span if point is not None else self.tree.entry.span  # type: ignore[union-attr]
            self.cx.too_large(
                f"more than {MAX_WAYS} ways lead from one step to the next: put a step between", span
            )

    def _endless(self, point: Point, reported: set[int]) -> None:
        if id(point) not in reported:
            reported.add(id(point))
            self.cx.reporter.error(
                "E0405",
                "this loop can come round without taking a step",
                point.span,
                "every way round needs a step",
            )

    def ways(self, ex: Exec, point: Point | None, rounds: tuple[int, ...] = ()) -> Iterator[Way]:
        """The next steps from a location: each under the path and after the local code that leads to it."""
        match point:
            case None:
                yield Way(ex, (), None)
            case StepPoint():
                yield Way(ex, (), point)
            case ChoosePoint() | EachPoint():
                if id(point) in rounds:
                    self._endless(point, set())
                    return
                self._limit(len(rounds), point)
                if not rounds:
                    self.taken = 0
                starts: list[tuple[Exec, Point | None, tuple[Binder, ...]]] = []
                if isinstance(point, ChoosePoint):
                    starts = [(ex.fork(e.TRUE), branch, ()) for branch in point.branches]
                else:
                    assert isinstance(point.seen.type, Set), "a set of those that had their turn"
                    binder = Binder(self.cx.fresh(point.cursor.name.rpartition(".")[2]), point.seen.type.item)
                    pick = e.param(binder.name, binder.type)
                    round_ = ex.fork(e.not_(e.member(pick, self._value(ex, point.seen))))
                    self._set(round_, [(point.cursor, e.some(pick))])
                    starts = [(round_, point.body, (binder,))]
                for start, first, params in starts:
                    # Local code of one branch is undefined on that branch alone.
                    start.out = Outcome(ex.out.places, faults=list(ex.out.faults))
                    for arrived, at in self.advance(start, first):
                        if isinstance(point, EachPoint) and at is point:
                            self._endless(point, set())
                            continue
                        # What is chosen on the way to a step is a parameter of its rule.
                        chosen = (*params, *(c for c in start.out.choices if c not in params))
                        arrived.path = e.and_(arrived.path, *(w.cond for w in start.out.wheres))
                        for way in self.ways(arrived, at, (*rounds, id(point))):
                            if not rounds:
                                self.taken += 1
                                self._limit(self.taken, point)
                            yield Way(way.exec, (*chosen, *way.params), way.step)
            case _:
                raise AssertionError("locations are steps and choices")

    def _cond(self, ex: Exec, node: ast.Expr, scope: Scope) -> Expr:
        try:
            return ex.value(node, scope, BOOL, ghost_ok=False)
        except Abort:
            return e.FALSE

    def _value(self, ex: Exec, variable: Variable) -> Expr:
        value = ex.env[variable.name]
        for index in variable.prefix:
            value = e.select(value, index)
        return value

    def _all_seen(self, ex: Exec, point: EachPoint) -> Expr:
        seen = self._value(ex, point.seen)
        assert isinstance(point.seen.type, Set), "a set of those that had their turn"
        item = point.seen.type.item
        if not cardinality(item):
            return e.TRUE
        binder = Binder(self.cx.fresh("each"), item)
        if seen.op is e.Op.CONST:
            return e.boolean(seen.data == frozenset(domain_values(item)))
        if seen.op is e.Op.INSERT and seen.args[0].op is e.Op.CONST and cardinality(item) == 1:
            return e.TRUE
        return e.forall(binder, e.member(e.param(binder.name, item), seen))

    def _set(self, ex: Exec, sets: list[tuple[Variable, Expr | None]]) -> None:
        for variable, value in sets:
            full = Option(variable.type) if variable.boxed else variable.type
            new = e.const(full, default(full)) if value is None else ex.close(value)
            array = ex.env[variable.name]
            ex.env[variable.name] = e.store(array, variable.prefix[0], new) if variable.prefix else new


@dataclass(slots=True)
class Location:
    """A place where a thread stands: before a step or a choice, or at its end."""

    point: Point | None
    steps: list[StepPoint] = field(default_factory=list)
    conds: list[tuple[str, Expr]] = field(
        default_factory=list
    )  # for each possible step, when local code leads to it
    may_end: bool = False
    name: str = ""
    ordinal: int = 0


@dataclass(slots=True)
class Way:
    """One way on from a location: local code carried out up to a step (None: to the end), with what it picked."""

    exec: Exec
    params: tuple[Binder, ...]
    step: StepPoint | None


def _known(path: Expr, cond: Expr) -> Expr:
    """A condition, or what the path that leads to it has already decided."""
    decided = path.args if path.op is e.Op.AND else (path,)
    if cond in decided:
        return e.TRUE
    return e.FALSE if e.not_(cond) in decided else cond


def _exists(params: tuple[Binder, ...], cond: Expr) -> Expr:
    for binder in reversed(params):
        cond = e.exists(binder, cond)
    return cond
