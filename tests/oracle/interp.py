"""The third semantics: reachable states, faults and violated claims, from the syntax tree alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from refine.lang import ast
from tests.oracle import control
from tests.oracle import values as v
from tests.oracle.actions import OWNER, Script, executions, owned, run_block
from tests.oracle.evaluate import Ctx, bindings, truth, value
from tests.oracle.program import Program, Scope
from tests.oracle.world import Frame, World

Frozen = tuple[Any, ...]
Observed = frozenset[tuple[str, Any]]


class TooMany(Exception):
    """More states than were allowed."""


@dataclass
class Move:
    """A transition: from which state, by whom, with which step (its full name), to which (None: a fault)."""

    source: int
    actor: v.Thr | None
    step: tuple[str, ...]
    target: int | None


@dataclass
class Graph:
    """All reachable states of a program, in the order in which they were found, and the moves between."""

    program: Program
    keys: tuple[tuple[Any, ...], ...]
    states: list[Frozen] = field(default_factory=list)
    numbers: dict[Frozen, int] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    unsatisfiable: set[tuple[int, tuple[str, ...]]] = field(default_factory=set)
    bad_start: bool = False  # the initial state is undefined

    def freeze(self, world: World) -> Frozen:
        cells = tuple(world.cells[k] for k in self.keys)
        return cells, tuple(tuple(f.freeze() for f in world.threads[t]) for t in self.program.threads)

    def world(self, frozen: Frozen) -> World:
        threads = zip(self.program.threads, frozen[1], strict=True)
        return World(
            dict(zip(self.keys, frozen[0], strict=True)),
            {t: [Frame.thaw(f) for f in fs] for t, fs in threads},
        )

    def add(self, world: World) -> int:
        frozen = self.freeze(world)
        if frozen not in self.numbers:
            self.numbers[frozen] = len(self.states)
            self.states.append(frozen)
        return self.numbers[frozen]


def reachable(
    file: ast.File,
    libraries: Sequence[ast.File] = (),
    sizes: Mapping[str, int] | None = None,
    limit: int = 5000,
) -> Graph:
    """Every reachable state."""
    program = Program(file, libraries, sizes or {})
    world = World({}, {})
    try:
        world = _initial(program)
    except v.Undefined:
        return Graph(program, (), bad_start=True)
    graph = Graph(program, tuple(world.cells))
    if _assumed(program, world):
        graph.add(world)
    done = 0
    while done < len(graph.states):
        if len(graph.states) > limit:
            raise TooMany
        _expand(graph, done)
        done += 1
    return graph


def _initial(program: Program) -> World:
    world = World({}, {t: control.start(program, t) for t in program.threads})
    for module in program.modules():
        for name, item in module.members.items():
            if not isinstance(item, ast.Variable):
                continue
            for way, leaf in v.ways(module.vars[name]):
                key = (module.path(name), *way)
                world.cells[key] = v.default(leaf)
                if item.init is not None:
                    at = way[: len(module.dims)]
                    own = way[len(module.dims) : len(module.dims) + len(item.dims)]
                    names = {d.name.name: k for d, k in zip(item.dims, own, strict=True) if d.name}
                    first = value(item.init, Ctx(program, world, Scope(module, at), names=names, alive=False))
                    if isinstance(first, v.Agg):
                        first = dict(first.cells)[way[len(module.dims) + len(item.dims) :]]
                    world.cells[key] = v.fit(first, leaf)
                if owned(leaf):
                    world.cells[(*key, OWNER)] = None
    for thread in program.threads:
        control.settle(program, world, thread)
    return world


def _assumed(program: Program, world: World) -> bool:
    """Whether no assumption forbids the state; where one is undefined, it does."""
    return all(
        reached(program, world, scope, item.cond)
        for module in program.modules()
        for item in module.items
        if isinstance(item, ast.AssumeItem)
        for scope in program.elements(module)
    )


def _expand(graph: Graph, source: int) -> None:
    program, frozen = graph.program, graph.states[source]

    def finish(actor: v.Thr | None, script: Script, step: tuple[str, ...], world: World | None) -> None:
        if script.unsatisfiable:
            graph.unsatisfiable.add((source, step))
        elif world is None:
            graph.moves.append(Move(source, actor, step, None))
        elif _assumed(program, world):
            graph.moves.append(Move(source, actor, step, graph.add(world)))

    for thread in program.threads:
        if not control.at_end(program, graph.world(frozen).threads[thread]):
            for outcome in executions(lambda s, t=thread: _thread(program, graph.world(frozen), t, s)):  # type: ignore[misc]
                if outcome is not None:
                    finish(thread, *outcome)
    for scope, rule in _rules(program):
        for outcome in executions(lambda s, r=rule, at=scope: _rule(program, graph.world(frozen), at, r, s)):  # type: ignore[misc]
            if outcome is not None:
                finish(None, *outcome)


Outcome = (
    tuple[Script, tuple[str, ...], World | None] | None
)  # no world: a fault; nothing: it does not happen


def _thread(program: Program, world: World, me: v.Thr, script: Script) -> Outcome:
    name: tuple[str, ...] = (me.family,)
    try:
        step = control.advance(program, world, me, script)
        if step is None:
            return script, (*name, "end"), world
        name += control.step_path(world.threads[me], step)
        c = control.context(program, world, me)
        _step(c, step, script)
        world.threads[me][-1].pos += 1
        control.settle(program, world, me)
    except v.Undefined:
        return script, name, None
    except v.Blocked:
        return (script, name, None) if script.unsatisfiable else None
    return script, name, world


def _step(c: Ctx, step: ast.Step | ast.RuleDecl, script: Script) -> None:
    picks = bindings(step.binders, c)
    c = c.with_names(picks[script.choose(len(picks))])
    c.old = c.world.copy()
    for conjunct in step.when:
        if not truth(conjunct.cond, c):
            raise v.Blocked
    run_block(step.body, c, script)


def _rules(program: Program) -> Iterator[tuple[Scope, ast.RuleDecl]]:
    for module in program.modules():
        for item in module.items:
            if isinstance(item, ast.RuleDecl) and not program.left_out(item.adversary):
                for scope in program.elements(module):
                    yield scope, item


def _rule(program: Program, world: World, scope: Scope, rule: ast.RuleDecl, script: Script) -> Outcome:
    name = (*scope.module.path(rule.name.name).split("."),)
    try:
        _step(Ctx(program, world, scope), rule, script)
    except v.Undefined:
        return script, name, None
    except v.Blocked:
        return (script, name, None) if script.unsatisfiable else None
    return script, name, world


# --- what is seen


def observe(program: Program, world: World) -> Observed:
    """A state as plain values by name: variables, locals of threads, and where each thread is."""
    seen: dict[str, Any] = {v.shown(k): v.plain(x) for k, x in world.cells.items() if k[-1] != OWNER}
    for thread in program.threads:
        own = {} if thread.n < 0 else {"": v.Elem("", thread.n, None)}
        frames = world.threads[thread]
        for name, (ty, _) in program.thread_locals(thread.family).items():
            live = next((f for f in frames if f.kind != "call" and name in f.decls), None)
            for way, leaf in v.ways(ty):
                dead = v.default(leaf) if way else v.unset(leaf)
                x = dead if live is None else live.store[name, *way]
                seen[v.shown((f"{thread.family}.{name}", *own.values(), *way))] = v.plain(x)
        where = sorted(".".join(p) for p in control.possible(program, world, thread))
        seen[f"{v.plain(thread)} at"] = tuple(where)
    return frozenset(seen.items())


def observed(graph: Graph) -> list[Observed]:
    return [observe(graph.program, graph.world(s)) for s in graph.states]


def faults(graph: Graph) -> set[tuple[int, str]]:
    """From which state which step leads to the fault state."""
    return {(m.source, ".".join(m.step)) for m in graph.moves if m.target is None}


# --- what is claimed


def violations(graph: Graph) -> dict[str, bool]:
    """For each claim and lemma whether it is violated, for each reach whether it is reached.

    What happens eventually is no matter of single states, and is left out.
    """
    program = graph.program
    worlds = [graph.world(s) for s in graph.states]
    found: dict[str, bool] = {}
    for module in program.modules():
        for item in module.items:
            scopes = program.elements(module)
            match item:
                case ast.Claim(property=ast.Eventually() | ast.LeadsTo() | ast.EachLive()):
                    pass
                case ast.Claim(_, name, _, prop):
                    found[module.path(name.name)] = any(_violated(graph, worlds, s, prop) for s in scopes)
                case ast.Reach(name, _, cond):
                    found[module.path(name.name)] = any(
                        reached(program, w, s, cond) for w in worlds for s in scopes
                    )
                case _:
                    pass
    found["defined"] = graph.bad_start or any(m.target is None for m in graph.moves)
    found["satisfiable"] = bool(graph.unsatisfiable)
    found["balanced"] = any(_holds_something(program, w) for w in worlds)
    found["stuck"] = _stuck(graph, worlds)
    return found


def top(program: Program) -> Scope:
    """The protocol itself."""
    return Scope(program.top, ())


def reached(program: Program, world: World, scope: Scope, cond: ast.Expr) -> bool:
    try:
        return truth(cond, Ctx(program, world, scope, alive=False))
    except v.Undefined:
        return False


def fails(program: Program, world: World, old: World | None, scope: Scope, cond: ast.Expr) -> bool:
    try:
        return not truth(cond, Ctx(program, world, scope, old=old, alive=False))
    except v.Undefined:
        return True


def _violated(graph: Graph, worlds: list[World], scope: Scope, prop: ast.PropertyExpr) -> bool:
    program = graph.program
    match prop:
        case ast.Always(cond):
            return any(fails(program, w, None, scope, cond) for w in worlds)
        case ast.Never(cond):
            negated = ast.Unary("!", cond, span=prop.span)
            return any(fails(program, w, None, scope, negated) for w in worlds)
        case ast.After(steps, cond) | ast.StepProperty(steps, cond):
            return any(
                fails(program, worlds[m.target], worlds[m.source], scope, cond)
                for m in graph.moves
                if m.target is not None and (not steps or any(_named(m.step, s) for s in steps))
            )
        case _:
            pass
    raise v.Unsupported(f"claim {prop}")


def _named(step: tuple[str, ...], path: ast.Path) -> bool:
    parts = tuple(p.name for p in path.parts)
    return step == parts or (step[0] == parts[0] and (len(parts) == 1 or control.within(step[1:], parts[1:])))


def _holds_something(program: Program, world: World) -> bool:
    ended = [t for t in program.threads if control.at_end(program, world.threads[t])]
    return any(
        truth(item.cond, Ctx(program, world, scope, me=thread, alive=False))
        for module in program.modules()
        for item in module.items
        if isinstance(item, ast.Hold)
        for scope in program.elements(module)
        for thread in ended
    )


def _stuck(graph: Graph, worlds: list[World]) -> bool:
    """Is there a thread, in some state, that has not ended, may not idle, and from there on never moves?"""
    program = graph.program
    before: list[list[int]] = [[] for _ in graph.states]
    for m in graph.moves:
        if m.target is not None:
            before[m.target].append(m.source)
    for thread in program.threads:
        todo = [m.source for m in graph.moves if m.actor == thread]
        can_move = set(todo)
        while todo:
            for s in before[todo.pop()]:
                if s not in can_move:
                    can_move.add(s)
                    todo.append(s)
        for n, world in enumerate(worlds):
            if n not in can_move and not control.may_rest(program, world, thread):
                return True
    return False
