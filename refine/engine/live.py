"""Liveness, by looking for fair cycles among all reachable states; without symmetry, which would mix up who waits.

A run is infinite: a thread that is not fair may stand still for ever, so that every state may also repeat itself.
Fairness counts units: each step of each `fair` thread, and each `fair rule` with values for its params. Weak: a unit
that can move from some state of the run on, always, does so again and again. Strong: so does one that can move again
and again. A run that comes to something undefined ends there: where there is one, nothing is proved.

A run keeps away from what is to come if it stays, from some state on, among states without it. All states that it
visits for ever lie on a cycle; so a component of the graph of such states is searched for, strongly connected, in
which every unit can do what fairness asks. Where a weak unit can always move and never does, no part of the component
is fair; where a strong one can move somewhere and never does, only the part without those states may be.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import product
from operator import and_, or_

from refine.core import expr as e
from refine.core.expr import Expr
from refine.core.fold import substitute
from refine.core.show import plain_names
from refine.core.system import Kind, Property, State, System
from refine.core.trace import Event, Trace
from refine.core.types import show_value
from refine.engine.replay import Inconsistent, check
from refine.engine.verdict import (
    Answer,
    Cause,
    Limits,
    Progress,
    Proved,
    Tick,
    Unknown,
    Vacuous,
    Verdict,
    Violated,
)
from refine.run.compile import Graph, compile_graph
from refine.run.eval import Refused, initial, successors, values_of

CHUNK = 2048  # states between two looks at the clock
MOST = 1_000_000  # states, whose steps are all kept

_NEVER = Vacuous("what should lead to it never happens")

Edge = tuple[int, int]  # unit, or -1; successor
Inside = Callable[[int], bool]


def live(
    system: System, names: Sequence[str] | None, limits: Limits, progress: Progress | None = None
) -> Answer:
    """Decide the claims of liveness called `names`, or all."""
    asked = [p for p in system.properties if p.kind is Kind.LIVENESS and (names is None or p.name in names)]
    if limits.steps is not None:
        why = Unknown("what happens eventually takes all states, not those of some steps", Cause.LIMIT)
        return Answer({p.name: why for p in asked})
    elements = [one for p in asked for one in _elements(p)]
    conditions = [x for one in elements for x in (one.goal, one.given)]
    try:
        if all(one.given is e.FALSE for one in elements):  # nothing is said at this size
            return Answer({p.name: _NEVER for p in asked})
        graph = _Graph(compile_graph(system, conditions), limits, progress)
        graph.explore()
        found = [_verdict(graph, one, 1 << 2 * k, 2 << 2 * k) for k, one in enumerate(elements)]
        verdicts = {
            p.name: _all_of([v for one, v in zip(elements, found, strict=True) if one.property is p])
            for p in asked
        }
        edges = sum(map(len, graph.edges.values()))
        return Answer(verdicts, len(graph.parents), edges, graph.depth, complete=True)
    except Refused as refused:
        return Answer({p.name: Unknown(str(refused), Cause.UNDECIDED) for p in asked})
    except _Halt as halt:
        return Answer({p.name: Unknown(halt.why, halt.cause) for p in asked})


@dataclass(frozen=True, slots=True)
class _Element:
    """What a claim says of one element, or of nothing in particular."""

    property: Property
    goal: Expr
    given: Expr
    told: str  # `v = vcpu#0`


def _elements(p: Property) -> Iterator[_Element]:
    names = plain_names(b.name for b in p.each)
    for values in product(*(values_of(b.type) for b in p.each)):
        bound = list(zip(p.each, values, strict=True))
        params = {b.name: e.const(b.type, value) for b, value in bound}
        given = e.TRUE if p.given is None else substitute(p.given, params)
        told = ", ".join(f"{names[b.name]} = {show_value(b.type, value)}" for b, value in bound)
        yield _Element(p, substitute(p.cond, params), given, told)


def _all_of(found: Sequence[Verdict]) -> Verdict:
    """What holds of each element: violated if it is for one, proved if for all; vacuous if it says nothing of any."""
    for kind in (Violated, Unknown, Proved):
        first = next((v for v in found if isinstance(v, kind)), None)
        if first is not None:
            return first
    return found[0] if found else Vacuous("there is no element of which it could speak")


class _Halt(Exception):
    """A limit was met."""

    def __init__(self, why: str, cause: str) -> None:
        super().__init__()
        self.why = why
        self.cause = cause


@dataclass(slots=True)
class _Graph:
    """All reachable states without a fault: which conditions hold there, who can move, and where that leads."""

    program: Graph
    limits: Limits
    progress: Progress | None
    starts: list[int] = field(default_factory=list)
    parents: dict[int, int] = field(default_factory=dict)  # -1: an initial state
    holds: dict[int, int] = field(default_factory=dict)
    able: dict[int, int] = field(default_factory=dict)
    edges: dict[int, list[Edge]] = field(default_factory=dict)
    depth: int = 0
    faulty: bool = False  # whether some step is undefined

    def explore(self) -> None:
        """See all there is; `_Halt` at a limit."""
        undefined: list[int] = []
        self.program.init(self.parents, self.starts.append, undefined.append, {})
        self.faulty = bool(undefined)
        front = list(self.starts)
        while front:
            following: list[int] = []
            for position in range(0, len(front), CHUNK):
                chunk = front[position : position + CHUNK]
                told: list[list[int]] = []
                self.program.graph(chunk, told.append)
                for state, found in zip(chunk, told, strict=True):
                    following += self._enter(state, found)
                self.look(len(front) - position - len(chunk))
            front = following
            self.depth += bool(following)

    def _enter(self, state: int, found: Sequence[int]) -> list[int]:
        new, edges, able = [], [], 0
        for unit, after in zip(found[1::2], found[2::2], strict=True):
            if unit >= 0:
                able |= 1 << unit
            self.faulty |= after < 0
            if after >= 0:
                edges.append((unit, after))
                if after not in self.parents:
                    self.parents[after] = state
                    new.append(after)
        self.holds[state], self.able[state], self.edges[state] = found[0], able, list(dict.fromkeys(edges))
        return new

    def look(self, waiting: int) -> None:
        """Tell how far it is, and see whether to go on."""
        if self.progress is not None:
            self.progress(Tick("live", self.depth, len(self.parents), waiting))
        most = min(self.limits.states, MOST)
        if len(self.parents) > most:
            raise _Halt(f"more than {most} states, whose steps would all be kept", Cause.LIMIT)
        if self.limits.deadline is not None and time.monotonic() > self.limits.deadline:
            raise _Halt("out of time", Cause.TIMEOUT)

    # --- parts of it -------------------------------------------------------------------------------------------

    def closure(self, starts: Iterable[int], inside: Inside) -> dict[int, int]:
        """Return the states that are reached from some without leaving, each with the one before it, or -1."""
        found = {s: -1 for s in starts if inside(s)}
        queue = deque(found)
        while queue:
            here = queue.popleft()
            for _, after in self.edges[here]:
                if after not in found and inside(after):
                    found[after] = here
                    queue.append(after)
        return found

    def components(self, states: set[int]) -> Iterator[set[int]]:
        """Yield the strongly connected components of a part of the graph (Tarjan)."""
        number: dict[int, int] = {}
        low: dict[int, int] = {}
        open_: list[int] = []
        on: set[int] = set()
        for root in states:
            if root in number:
                continue
            work = [(root, self._inner(root, states))]
            number[root] = low[root] = len(number)
            open_.append(root)
            on.add(root)
            while work:
                here, rest = work[-1]
                after = next(rest, None)
                if after is None:
                    work.pop()
                    if work:
                        low[work[-1][0]] = min(low[work[-1][0]], low[here])
                    if low[here] == number[here]:
                        component = set()
                        while here not in component:
                            member = open_.pop()
                            on.discard(member)
                            component.add(member)
                        yield component
                elif after not in number:
                    number[after] = low[after] = len(number)
                    open_.append(after)
                    on.add(after)
                    work.append((after, self._inner(after, states)))
                elif after in on:
                    low[here] = min(low[here], number[after])

    def _inner(self, state: int, states: set[int]) -> Iterator[int]:
        return (after for _, after in self.edges[state] if after in states)

    def fair(self, states: set[int]) -> Iterator[set[int]]:
        """Yield the components in which a run can stay for ever, fairly."""
        weak, strong = (
            sum(1 << k for k, unit in enumerate(self.program.units) if unit.fair == fair)
            for fair in ("weak", "strong")
        )
        todo = [states]
        while todo:
            self.look(len(todo))
            for component in self.components(todo.pop()):
                able = [self.able[s] for s in component]
                taken = reduce(or_, self._taken(component), 0)
                if weak & reduce(and_, able) & ~taken:
                    continue
                missed = strong & reduce(or_, able) & ~taken
                if not missed:
                    yield component
                elif rest := {s for s in component if not self.able[s] & missed}:
                    todo.append(rest)

    def _taken(self, component: set[int]) -> Iterator[int]:
        for state in component:
            for unit, after in self.edges[state]:
                if unit >= 0 and after in component:
                    yield 1 << unit


def _verdict(graph: _Graph, one: _Element, goal: int, given: int) -> Verdict:
    p = one.property
    if not graph.starts and not graph.faulty:
        return Vacuous("there is no initial state")
    holds = graph.holds

    def away(state: int) -> bool:
        return not holds[state] & goal

    begins = [s for s in (holds if p.given is not None else graph.starts) if s in holds and holds[s] & given]
    if p.given is not None and not begins and not graph.faulty:
        return _NEVER
    reached = graph.closure(begins, away)
    order = {state: n for n, state in enumerate(reached)}
    nearest = min(graph.fair(set(reached)), key=lambda part: min(map(order.__getitem__, part)), default=None)
    if nearest is not None:
        return Violated(_Lasso(graph, one, reached, nearest).trace())
    if graph.faulty:
        return Unknown("some runs end at what is undefined", Cause.UNDECIDED)
    return Proved(f"no fair run of all {len(holds)} states keeps away from it")


# --- the run that shows it ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Lasso:
    """A run into a component, and round in it, so that every unit gets what fairness asks."""

    graph: _Graph
    element: _Element
    reached: Mapping[int, int]
    component: set[int]

    def trace(self) -> Trace:
        entry = next(s for s in self.reached if s in self.component)
        path = [entry]
        while (before := self.reached[path[-1]]) != -1:
            path.append(before)
        while (before := self.graph.parents[path[-1]]) != -1:
            path.append(before)
        path.reverse()
        steps = [(-1, after) for after in path[1:]]
        return self._told(path[0], steps, self._round(entry))

    def _round(self, entry: int) -> list[Edge]:
        """A way through the component and back, as short as it comes."""
        made: list[Edge] = []
        here = entry
        while missing := self._missing(entry, made):
            way = self._way(here, partial(self._serves, missing))
            made += way
            here = made[-1][1]
        if made and here != entry:
            made += self._way(here, lambda *step: step[-1] == entry)
        return made

    def _missing(self, entry: int, made: Sequence[Edge]) -> int:
        """The units that a run round this way would be unfair to."""
        graph, units = self.graph, self.graph.program.units
        states = [entry, *(after for _, after in made)]
        taken = {unit for unit, _ in made}
        # On the way back more states may be visited: a strong unit that can move in any of them has to.
        everywhere = reduce(or_, (graph.able[s] for s in (self.component if made else states)), 0)
        always = reduce(and_, (graph.able[s] for s in states))
        return sum(
            1 << k
            for k, unit in enumerate(units)
            if k not in taken and (always if unit.fair == "weak" else everywhere) >> k & 1
        )

    def _serves(self, missing: int, unit: int, before: int, after: int) -> bool:
        """Whether a step gives one of these units what it is owed: it moves, or (a weak one) it could not."""
        del after
        if unit >= 0 and missing >> unit & 1:
            return True
        units = self.graph.program.units
        idle = missing & ~self.graph.able[before]
        return any(idle >> k & 1 and units[k].fair == "weak" for k in range(len(units)))

    def _way(self, start: int, wanted: Callable[[int, int, int], bool]) -> list[Edge]:
        """The shortest way in the component whose last step is wanted, or begins where that is enough."""
        before: dict[int, tuple[int, Edge]] = {}
        queue = deque([start])
        seen = {start}
        while queue:
            here = queue.popleft()
            for unit, after in self.graph.edges[here]:
                if after not in self.component:
                    continue
                if wanted(unit, here, after):
                    way: list[Edge] = [(unit, after)]
                    while here != start:
                        here, edge = before[here]
                        way.append(edge)
                    return way[::-1]
                if after not in seen:
                    seen.add(after)
                    before[after] = here, (unit, after)
                    queue.append(after)
        raise Inconsistent("a component that was found fair is not")

    def _told(self, start: int, stem: Sequence[Edge], round_: Sequence[Edge]) -> Trace:
        system, layout = self.graph.program.system, self.graph.program.layout
        choices, state = next((c, s) for c, s in initial(system) if layout.encode(s) == start)
        first, events = state, []
        for unit, after in (*stem, *round_):
            event = self._event(state, unit, after)
            events.append(event)
            state = event.state
        run = Trace(
            system,
            choices,
            first,
            tuple(events),
            self.element.property.name,
            tuple(self._why(round_)),
            len(stem),
        )
        return check(run)

    def _event(self, state: State, unit: int, after: int) -> Event:
        graph = self.graph.program
        for rule, params, choices, new in successors(graph.system, state):
            taken = unit < 0 or graph.units[unit].takes(rule.name, params)
            if taken and new.fault is None and graph.layout.encode(new) == after:
                return Event(rule.name, params, choices, new)
        raise Inconsistent("the search takes a step that no rule allows")

    def _why(self, round_: Sequence[Edge]) -> Iterator[str]:
        """What fairness is relied upon: what each fair unit gets."""
        if self.element.told:
            yield f"with {self.element.told}"
        units = self.graph.program.units
        taken = [units[k].name for k in sorted({unit for unit, _ in round_ if unit >= 0})]
        if not units:
            yield "nothing is declared fair: whoever could move may stand still for ever"
        elif taken:
            yield f"fair: these move again and again: {', '.join(taken)}"
            yield "fair: whatever else is declared so cannot always move"
        else:
            yield "fair: nothing that is declared so can always move"
