"""Lowering: a loaded file at one size becomes the transition system of the core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from refine.core import expr as e
from refine.core import system as core
from refine.core.expr import Binder, Expr
from refine.core.fold import substitute, subterms
from refine.core.types import BOOL, Array, default
from refine.lang import ast
from refine.lang.actions import Exec, Outcome
from refine.lang.context import MAX_DEPTH, Abort, Context, TooLarge, domain_type
from refine.lang.declare import declare
from refine.lang.declared import Declared, RuleSource
from refine.lang.edits import NO_EDITS, Edits
from refine.lang.elements import Given, Observed, Outline
from refine.lang.flow import Flow, Location, Way
from refine.lang.library import client_of, dry_run
from refine.lang.load import Loaded
from refine.lang.paths import Steps
from refine.lang.points import Point, Tree
from refine.lang.properties import Properties, inside
from refine.lang.scope import Bound, Family, Scope, Variable
from refine.lang.sizes import in_range, parameters, set_sizes
from refine.text.diag import Reporter, suggest
from refine.text.span import Span

MAX_NODES = 200_000  # distinct expression nodes of a system


@dataclass(frozen=True, slots=True)
class Lowered:
    """A system, and what edits may speak of."""

    system: core.System
    outline: Outline


def lower(loaded: Loaded, sizes: Mapping[str, int], reporter: Reporter) -> core.System | None:
    """The system of a file at the given values of its parameters (the others at their defaults); None on errors."""
    made = lower_whole(loaded, sizes, reporter)
    return made.system if made is not None else None


def lower_whole(
    loaded: Loaded, sizes: Mapping[str, int], reporter: Reporter, edits: Edits = NO_EDITS
) -> Lowered | None:
    """Like `lower`, with edits, and with the outline that edits are looked up in."""
    before = sum(d.severity.name == "ERROR" for d in reporter.diagnostics)
    cx = Context(reporter, edits=edits)
    found = parameters(cx, loaded)
    values = {name: start for name, (start, _, _, _) in found.items()}
    for name, value in sizes.items():
        if name not in found:
            guess = suggest(name, found)
            reporter.error(
                "E0201", f"'{loaded.file.name.name}' has no parameter '{name}'", loaded.file.name.span,
                f"did you mean '{guess}'?" if guess else None,
            )  # fmt: skip
        else:
            in_range(name, value, found, loaded.file.name.span, reporter)
            values[name] = value
    values |= set_sizes(cx, edits.sizes, values, found)
    if sum(d.severity.name == "ERROR" for d in reporter.diagnostics) > before:
        return None
    if loaded.file.role == "library":
        return _library(loaded, values, reporter)
    made = _system(cx, loaded, values)
    if sum(d.severity.name == "ERROR" for d in reporter.diagnostics) > before:
        return None
    return made


def _system(cx: Context, loaded: Loaded, values: Mapping[str, int]) -> Lowered | None:
    try:
        return _Lowering(cx, loaded, values).system()
    except TooLarge:
        return None
    except RecursionError:
        cx.reporter.error("E0511", "what is declared here nests too deeply", loaded.file.name.span)
        return None


def _library(loaded: Loaded, values: Mapping[str, int], reporter: Reporter) -> Lowered | None:
    """A library is right if there is a kind of index for its type parameters under which it types."""
    attempts = []
    for kind in ("index", "ring", "slot", "gfn"):
        trial = Reporter()
        system = _system(Context(trial), client_of(loaded, kind), values)
        attempts.append((len(trial.diagnostics), trial, system))
        if not trial.has_errors:
            break
    _, best, system = min(attempts, key=lambda attempt: attempt[0])
    for diagnostic in best.diagnostics:
        reporter.add(diagnostic)
    return None if best.has_errors else system


class _Lowering:
    """The state of one lowering."""

    def __init__(self, cx: Context, loaded: Loaded, values: Mapping[str, int]) -> None:
        self.cx = cx
        self.loaded = loaded
        self.values = values
        self.places: dict[core.Place, int] = {}
        self.rules: list[core.Rule] = []
        self.taken: dict[str, int] = {}
        self.flows: dict[str, Flow] = {}
        self.declared: Declared = Declared(Scope())

    def system(self) -> Lowered:
        cx, loaded = self.cx, self.loaded
        self.declared = declare(cx, loaded, self.values)
        for family, decl in self.declared.threads:
            self.flows[family.name] = self.flow(family, decl)
        for state in self.declared.state:
            cx.env[state.variable.name] = e.var(state.variable.name, state.type)
        for flow in self.flows.values():
            for variable, _ in flow.tree.variables:
                cx.env[variable.name] = e.var(variable.name, variable.root_type)
        for flow in self.flows.values():
            flow.discover()
            cx.env[flow.pc.data] = flow.pc  # type: ignore[index]
        steps = Steps(cx, self.flows, {r.name for r in self.declared.rules})
        cx.locations = steps
        init = self.init()
        for flow in self.flows.values():
            self.thread_rules(flow)
            flow.warn()
        for source in self.declared.rules:
            self.rule(source)
        properties = Properties(cx, self.declared, self.flows, steps, self.places, self.rules)
        assumes = properties.assumes()
        outline = self.outline()
        dry_run(cx, self.declared)
        steps.check_names(self.declared)
        system = core.System(
            name=loaded.file.name.name,
            sizes=tuple(self.values.items()),
            vars=self.variables(),
            init=init,
            rules=tuple(self.rules),
            properties=tuple(properties.all()),
            places=tuple(self.places),
            families=tuple(self.family(f) for f in self.flows.values()),
            assumes=assumes,
            doc=loaded.file.doc.value if loaded.file.doc else "",
            file=loaded.path,
        )
        self.limits(system)
        return Lowered(system, outline)

    def outline(self) -> Outline:
        """What edits may speak of, and what the reasons of claims name."""
        cx = self.cx
        steps = frozenset(f"{f.family.name}.{name}" for f in self.flows.values() for name in f.tree.steps)
        elements = tuple(cx.elements.values())
        return Outline(
            dict(cx.statements),
            steps,
            frozenset(r.name for r in self.declared.rules),
            elements,
            weaker=dict(cx.weaker),
            neighbours=tuple(dict.fromkeys(cx.neighbours)),
            holds={f"{f.family.name}.{s}": h for f in self.flows.values() for s, h in f.sure.items()},
            given=dict(self.given()),
            observers=tuple(self.observed()),
        )

    def given(self) -> Iterator[tuple[str, tuple[Given, ...]]]:
        """The reasons of each claim, as they are written."""
        for stated in self.declared.stated:
            if isinstance(stated.decl, ast.Claim):
                owner = stated.instance.name if stated.instance is not None else ""
                because = [Given(path, owner, False) for path in stated.decl.because]
                redundant = [Given(path, owner, True) for path in stated.decl.redundant]
                yield stated.name, (*because, *redundant)

    def observed(self) -> Iterator[Observed]:
        for name, item in self.declared.observers.items():
            out = self.declared.left_out.get(name)
            yield Observed(
                name,
                item.doc.value if item.doc else "",
                tuple(self.declared.players.get(name, ())),
                item.inherent,
                out.why.value if out is not None else None,
            )

    # --- threads ----------------------------------------------------------------------------------------------

    def flow(self, family: Family, decl: ast.ThreadDecl) -> Flow:
        binder = None
        index = None
        root = self.declared.scope.child()
        if family.index is not None:
            assert family.binder is not None, "a family has a name for its index"
            binder = Binder(self.cx.fresh(family.binder), family.index)
            index = e.param(binder.name, binder.type)
            root.names[family.binder] = Bound(index)
        self_ = e.thread(self.cx.threads, family.number, index)
        tree = Tree(family, self.cx, index, self_, root)
        tree.build(decl.body)
        locals_ = {n: x for n, x in root.names.items() if isinstance(x, Variable)}
        self.cx.thread_locals[family.name] = Scope(None, dict(locals_))
        return Flow(self.cx, tree, binder)

    def arrive(self, flow: Flow, ex: Exec, results: list[tuple[Exec, Point | None]]) -> None:
        """Joins the ways that local code may end; the program counter is where each leads."""
        arms = []
        for way, point in results:
            pc = flow.pc
            here = pc.type.item if isinstance(pc.type, Array) else pc.type
            target = e.const(here, flow.locations[id(point)].ordinal)
            env = way.env
            before = env[str(pc.data)]
            env[str(pc.data)] = (
                target if flow.tree.index is None else e.store(before, flow.tree.index, target)
            )
            arms.append((_beyond(way.path, ex.path), env))
        ex.merge(arms)

    def init(self) -> core.Rule:
        """The initial action: declared values, then each thread's local code up to its first location."""
        out = Outcome(self.places)
        env: dict[str, Expr] = {}
        for state in self.declared.state:
            env[state.variable.name] = state.init
        for flow in self.flows.values():
            for variable, _ in flow.tree.variables:
                env[variable.name] = e.const(variable.root_type, default(variable.root_type))
        for flow in self.flows.values():
            pc = flow.pc
            env[str(pc.data)] = e.const(pc.type, default(pc.type))
            ex = Exec(self.cx, f"{flow.family.name}.start", out, dict(env), local=True, me=flow.tree.self_)
            chosen = len(out.choices)
            self.arrive(flow, ex, flow.advance(ex, flow.tree.entry))
            if flow.binder is not None and len(out.choices) > chosen:
                self.cx.reporter.error(
                    "E0209", f"a guard before the first step of '{flow.family.name}' cannot be dropped",
                    self.loaded.file.name.span,
                    "its threads would all choose alike: begin with a step, 'step begin { }'",
                )  # fmt: skip
            for name, value in ex.env.items():
                env[name] = _everywhere(flow, env.get(name), value) if name in self.cx.env else value
        faults = out.faults
        binders = {f.binder.name: f.binder for f in self.flows.values() if f.binder is not None}
        closed = tuple(replace(f, cond=_some(f.cond, binders)) for f in faults)
        updates = tuple((n, v) for n, v in env.items() if n in self.cx.env)
        wheres = tuple(w for w in out.wheres if w.cond is not e.TRUE)
        return core.Rule("init", (), e.TRUE, tuple(out.choices), wheres, closed, updates, step="init")

    def thread_rules(self, flow: Flow) -> None:
        for location in list(flow.locations.values()):
            point = location.point
            if point is None:
                continue
            start = Exec(
                self.cx,
                flow.family.name,
                Outcome(self.places),
                dict(self.cx.env),
                local=True,
                me=flow.tree.self_,
            )
            for way in flow.ways(start, point):
                self.step_rule(flow, location, way, point.span)

    def step_rule(self, flow: Flow, location: Location, way: Way, span: Span) -> None:
        """The rule of one way on from a location."""
        step = way.step
        name = f"{flow.family.name}.{step.name if step else 'end'}"
        before = way.exec.out
        out = Outcome(self.places, faults=list(before.faults))
        guard = [flow.at(location), way.exec.path]
        params = [*([flow.binder] if flow.binder else []), *way.params]
        ex = Exec(self.cx, name, out, dict(way.exec.env), me=flow.tree.self_)
        if step is not None:
            scope = step.scope.child()
            params += [self.parameter(binder, scope) for binder in step.step.binders]
            ex.entry = dict(ex.env)
            ex.address = (flow.family.name, *step.name.split("."))
            ex.instance = step.instance
            ex.sheltered = bool(step.instance)
            ex.wait(step.step.when, scope)
            ex.block(step.step.body.stmts, scope)
            guard += out.guards
            ex.local, ex.address, ex.sheltered = True, (), False
            results = flow.advance(ex, step.after)
        else:
            results = [(ex, None)]
        self.arrive(flow, ex, results)
        self.add(
            name,
            params,
            guard,
            out,
            ex.env,
            flow.family.number,
            step.span if step else span,
            flow,
        )
        if step is not None:
            flow.record(step, out.touched, ex.held, [point for _, point in results])

    def parameter(self, binder: ast.Binder, scope: Scope) -> Binder:
        assert binder.type is not None, "the grammar wants a type here"
        try:
            if binder.name.name in scope.names:
                self.cx.fail("E0202", f"'{binder.name.name}' is declared twice", binder.name.span)
            made = Binder(self.cx.fresh(binder.name.name), domain_type(self.cx, scope, binder.type))
        except Abort:
            made = Binder(self.cx.fresh(binder.name.name), BOOL)
        scope.names[binder.name.name] = Bound(e.param(made.name, made.type))
        return made

    def add(
        self, name: str, params: list[Binder], guard: list[Expr], out: Outcome, env: dict[str, Expr],
        actor: int | None, span: Span, flow: Flow | None, fair: str = "",
    ) -> None:  # fmt: skip
        cond = e.and_(*guard)
        if cond is e.FALSE:
            return
        self.taken[name] = self.taken.get(name, 0) + 1
        unique = name if self.taken[name] == 1 else f"{name}'{self.taken[name]}"
        updates = tuple((n, env[n]) for n, before in self.cx.env.items() if env[n] is not before)
        decl_fair = fair or (self.fairness(flow.family.name) if flow else "")
        self.rules.append(
            core.Rule(
                unique, tuple(params), cond, tuple(out.choices), tuple(w for w in out.wheres if w.cond is not e.TRUE),
                tuple(out.faults), updates, actor, name, decl_fair, span,
            )
        )  # fmt: skip

    def fairness(self, family: str) -> str:
        decl = next(d for f, d in self.declared.threads if f.name == family)
        return {"": "", "fair": "weak", "strong": "strong"}[decl.fair]

    # --- rules of the environment -----------------------------------------------------------------------------

    def rule(self, source: RuleSource) -> None:
        if self.cx.edits.deleted(source.name):
            return
        out = Outcome(self.places)
        scope = inside(source).child()
        params = [*source.dims, *(self.parameter(binder, scope) for binder in source.decl.binders)]
        ex = Exec(self.cx, source.name, out, dict(self.cx.env))
        ex.entry = dict(ex.env)
        ex.address = tuple(source.name.split("."))
        ex.instance = source.instance.name if source.instance is not None else ""
        ex.wait(source.decl.when, scope)
        ex.block(self.cx.edits.body(source.name, source.decl.body).stmts, scope)
        fair = {"": "", "fair": "weak", "strong": "strong"}[source.decl.fair]
        self.add(source.name, params, out.guards, out, ex.env, None, source.decl.span, None, fair)

    # --- the rest ---------------------------------------------------------------------------------------------

    def variables(self) -> tuple[core.Var, ...]:
        made = [core.Var(s.variable.name, s.type, s.kind, s.span) for s in self.declared.state]
        for flow in self.flows.values():
            pc = flow.pc
            made.append(core.Var(str(pc.data), pc.type, "pc"))
            for variable, span in flow.tree.variables:
                kind = "local" if variable.storage == "local" else "hidden"
                made.append(core.Var(variable.name, variable.root_type, kind, span))
        return tuple(made)

    def family(self, flow: Flow) -> core.Family:
        done = frozenset(x.ordinal for x in flow.locations.values() if x.may_end or x.point is None)
        idle = frozenset(x.ordinal for x in flow.locations.values() if any(s.step.idle for s in x.steps))
        return core.Family(
            flow.family.name,
            flow.binder,
            f"{flow.family.name}.pc",
            done,
            idle,
            self.fairness(flow.family.name),
        )

    def limits(self, system: core.System) -> None:
        for nodes, x in enumerate(subterms(system.exprs())):
            if x.depth > 4 * MAX_DEPTH or nodes > MAX_NODES:
                self.cx.reporter.error(
                    "E0511", "the rules become too large when ops, functions and choices are expanded",
                    self.loaded.file.name.span,
                )  # fmt: skip
                return


def _beyond(path: Expr, base: Expr) -> Expr:
    """The part of a path condition that was added to `base`: the arms of a join are told apart by it."""
    if path is base:
        return e.TRUE
    known = set(base.args) if base.op is e.Op.AND else {base}
    parts = path.args if path.op is e.Op.AND else (path,)
    return e.and_(*(p for p in parts if p not in known))


def _everywhere(flow: Flow, before: Expr | None, value: Expr) -> Expr:
    """An initial value computed for one thread of a family, for all of them."""
    if flow.binder is None or before is None or value is before:
        return value
    assert isinstance(value.type, Array), "a family's variables are arrays"
    index = e.param(flow.binder.name, flow.binder.type)
    fresh = Binder(f"{flow.binder.name}'init", flow.binder.type)
    body = substitute(e.select(value, index), {flow.binder.name: e.param(fresh.name, fresh.type)})
    if body.op is e.Op.CONST:
        return e.const(value.type, (body.data,) * flow.binder.type.size)  # type: ignore[union-attr, arg-type]
    return e.bind(e.Op.LAMBDA, fresh, body)


def _some(cond: Expr, binders: Mapping[str, Binder]) -> Expr:
    """A fault of the initial state for some thread."""
    free = {str(x.data) for x in subterms([cond]) if x.op is e.Op.PARAM}
    for name, binder in binders.items():
        if name in free:
            cond = e.exists(binder, cond)
    return cond
