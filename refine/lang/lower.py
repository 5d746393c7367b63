"""Lowering: a loaded file at one size becomes the transition system of the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from refine.core import expr as e
from refine.core import system as core
from refine.core.expr import Binder, Expr
from refine.core.fold import substitute, subterms
from refine.core.types import Array, Enum, default
from refine.lang import ast
from refine.lang.actions import Exec, Outcome
from refine.lang.context import MAX_DEPTH, Abort, Context, Term, domain_type
from refine.lang.declare import Declared, RuleSource, Stated, declare, parameters
from refine.lang.exprs import Typer, indexed_instance
from refine.lang.flow import Flow, Location, Point, StepPoint, Way, root_type
from refine.lang.load import Loaded
from refine.lang.library import client_of, dry_run
from refine.lang.paths import Steps
from refine.lang.scope import Bound, Family, Function, Instance, Scope, Variable
from refine.text.diag import Reporter, suggest
from refine.text.span import Span

MAX_NODES = 200_000  # distinct expression nodes of a system


@dataclass(frozen=True, slots=True)
class Sizes:
    """The values of the parameters: the default, and all that count for 'at all declared sizes'."""

    default: dict[str, int]
    all: tuple[dict[str, int], ...]


def sizes(loaded: Loaded, reporter: Reporter) -> Sizes | None:
    """The declared sizes of a file (docs/language.md, section 9); None where they have errors."""
    before = len(reporter.diagnostics)
    cx = Context(reporter)
    found = parameters(cx, loaded)
    usual = {name: start for name, (start, _, _, _) in found.items()}
    rows: list[dict[str, int]] = []
    declared = [item for item in loaded.file.items if isinstance(item, ast.Sizes)]
    for item in declared:
        for row in item.rows:
            made = dict(usual)
            for name, value in row:
                if name.name not in found:
                    guess = suggest(name.name, found)
                    reporter.error(
                        "E0201", f"there is no parameter '{name.name}'", name.span,
                        f"did you mean '{guess}'?" if guess else None,
                    )  # fmt: skip
                    continue
                made[name.name] = _literal(cx, value)
                _in_range(name.name, made[name.name], found, value.span, reporter)
            rows.append(made)
    if not declared:
        for name, (_, lo, hi, _) in found.items():
            rows += [{**usual, name: value} for value in range(lo, hi + 1)]
        rows.append({name: hi for name, (_, _, hi, _) in found.items()})
    unique = {tuple(row.items()): row for row in rows}
    return Sizes(usual, tuple(unique.values())) if len(reporter.diagnostics) == before else None


def _literal(cx: Context, node: ast.Expr) -> int:
    from refine.lang.exprs import constant_int

    try:
        return constant_int(cx, Scope(), node)
    except Abort:
        return 0


def _in_range(
    name: str, value: int, found: dict[str, tuple[int, int, int, Span]], span: Span | None, reporter: Reporter
) -> None:
    _, lo, hi, _ = found[name]
    if not lo <= value <= hi:
        reporter.error("E0512", f"{name} = {value} is outside its range {lo}..{hi}", span)


def lower(loaded: Loaded, sizes: Mapping[str, int], reporter: Reporter) -> core.System | None:
    """The system of a file at the given values of its parameters (the others at their defaults); None on errors."""
    before = sum(d.severity.name == "ERROR" for d in reporter.diagnostics)
    cx = Context(reporter)
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
            _in_range(name, value, found, loaded.file.name.span, reporter)
            values[name] = value
    if sum(d.severity.name == "ERROR" for d in reporter.diagnostics) > before:
        return None
    system = _Lowering(cx, loaded, values).system()
    if sum(d.severity.name == "ERROR" for d in reporter.diagnostics) > before:
        return None
    return system


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

    def system(self) -> core.System:
        cx, loaded = self.cx, self.loaded
        if loaded.file.role == "library":
            loaded = client_of(loaded)
        self.declared = declare(cx, loaded, self.values)
        for family, decl in self.declared.threads:
            self.flows[family.name] = self.flow(family, decl)
        for state in self.declared.state:
            cx.env[state.variable.name] = e.var(state.variable.name, state.type)
        for flow in self.flows.values():
            for variable, _ in flow.variables:
                cx.env[variable.name] = e.var(variable.name, root_type(variable))
        for flow in self.flows.values():
            flow.discover()
            cx.env[self.pc(flow).data] = self.pc(flow)  # type: ignore[index]
        steps = Steps(cx, self.flows, {r.name for r in self.declared.rules})
        cx.locations = steps
        init = self.init()
        for flow in self.flows.values():
            self.thread_rules(flow)
            flow.warn()
        for source in self.declared.rules:
            self.rule(source)
        dry_run(cx, self.declared, self.places)
        properties = [p for stated in self.declared.stated if (p := self.stated(stated, steps)) is not None]
        assumes = [a for stated in self.declared.stated if (a := self.assume(stated)) is not None]
        steps.check_edits(self.declared)
        self.unknown_names(properties)
        properties += self.free_claims()
        system = core.System(
            name=loaded.file.name.name,
            sizes=tuple(self.values.items()),
            vars=self.variables(),
            init=init,
            rules=tuple(self.rules),
            properties=tuple(properties),
            places=tuple(self.places),
            families=tuple(self.family(f) for f in self.flows.values()),
            assumes=tuple(assumes),
            doc=loaded.file.doc.value if loaded.file.doc else "",
            file=loaded.path,
        )
        self.limits(system)
        return system

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
        flow = Flow(family, self.cx, index, self_, binder, root)
        flow.build(decl.body)
        locals_ = {n: x for n, x in root.names.items() if isinstance(x, Variable)}
        self.cx.thread_locals[family.name] = Scope(None, dict(locals_))
        return flow

    def pc(self, flow: Flow) -> Expr:
        type_ = Enum(f"{flow.family.name}.pc", tuple(flow.names))
        full = type_ if flow.family.index is None else Array(flow.family.index, type_)
        return e.var(f"{flow.family.name}.pc", full)

    def at(self, flow: Flow, location: Location) -> Expr:
        """Whether the thread stands at a location."""
        pc = self.pc(flow)
        here = pc if flow.index is None else e.select(pc, flow.index)
        return e.eq(here, e.const(here.type, location.ordinal))

    def arrive(self, flow: Flow, ex: Exec, results: list[tuple[Exec, Point | None]]) -> None:
        """Joins the ways that local code may end; the program counter is where each leads."""
        arms = []
        for way, point in results:
            pc = self.pc(flow)
            here = pc.type.item if isinstance(pc.type, Array) else pc.type
            target = e.const(here, flow.locations[id(point)].ordinal)
            env = way.env
            before = env[str(pc.data)]
            env[str(pc.data)] = target if flow.index is None else e.store(before, flow.index, target)
            arms.append((_beyond(way.path, ex.path), env))
        ex.merge(arms)

    def init(self) -> core.Rule:
        """The initial action: declared values, then each thread's local code up to its first location."""
        out = Outcome(self.places)
        env: dict[str, Expr] = {}
        for state in self.declared.state:
            env[state.variable.name] = state.init
        for flow in self.flows.values():
            for variable, _ in flow.variables:
                env[variable.name] = e.const(root_type(variable), default(root_type(variable)))
        for flow in self.flows.values():
            pc = self.pc(flow)
            env[str(pc.data)] = e.const(pc.type, default(pc.type))
            ex = Exec(self.cx, f"{flow.family.name}.start", out, dict(env), local=True, me=flow.self_)
            self.arrive(flow, ex, flow.advance(ex, flow.entry))
            for name, value in ex.env.items():
                env[name] = _everywhere(flow, env.get(name), value) if name in self.cx.env else value
        faults = out.faults
        binders = {f.binder.name: f.binder for f in self.flows.values() if f.binder is not None}
        closed = tuple(replace(f, cond=_some(f.cond, binders)) for f in faults)
        updates = tuple((n, v) for n, v in env.items() if n in self.cx.env)
        return core.Rule("init", (), e.TRUE, faults=closed, updates=updates, step="init")

    def thread_rules(self, flow: Flow) -> None:
        for location in list(flow.locations.values()):
            if location.point is None:
                continue
            start = Exec(
                self.cx, flow.family.name, Outcome(self.places), dict(self.cx.env), local=True, me=flow.self_
            )
            for way in flow.ways(start, location.point):
                self.step_rule(flow, location, way)

    def step_rule(self, flow: Flow, location: Location, way: Way) -> None:
        """The rule of one way on from a location."""
        step = way.step
        name = f"{flow.family.name}.{step.name if step else 'end'}"
        before = way.exec.out
        out = Outcome(self.places, faults=list(before.faults))
        guard = [self.at(flow, location), way.exec.path]
        params = [*([flow.binder] if flow.binder else []), *way.params]
        ex = Exec(self.cx, name, out, dict(way.exec.env), me=flow.self_)
        if step is not None:
            scope = step.scope.child()
            for binder in step.step.binders:
                params.append(self.parameter(binder, scope))
            ex.entry = dict(ex.env)
            ex.wait(step.step.when, scope)
            ex.block(step.step.body.stmts, scope)
            guard += out.guards
            ex.local = True
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
            step.span if step else location.point.span,
            flow,
        )  # type: ignore[union-attr]
        if step is not None:
            flow.record(step, out.touched, ex.held, [point for _, point in results])

    def parameter(self, binder: ast.Binder, scope: Scope) -> Binder:
        assert binder.type is not None, "the grammar wants a type here"
        try:
            made = Binder(self.cx.fresh(binder.name.name), domain_type(self.cx, scope, binder.type))
        except Abort:
            made = Binder(self.cx.fresh(binder.name.name), e.BOOL)
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
        out = Outcome(self.places)
        scope = _inside(source).child()
        params = list(source.dims)
        for binder in source.decl.binders:
            params.append(self.parameter(binder, scope))
        ex = Exec(self.cx, source.name, out, dict(self.cx.env))
        ex.entry = dict(ex.env)
        ex.wait(source.decl.when, scope)
        ex.block(source.decl.body.stmts, scope)
        fair = {"": "", "fair": "weak", "strong": "strong"}[source.decl.fair]
        self.add(source.name, params, out.guards, out, ex.env, None, source.decl.span, None, fair)

    # --- properties -------------------------------------------------------------------------------------------

    def condition(self, node: ast.Expr, scope: Scope, old_ok: bool = False) -> Term:
        typer = Typer(self.cx, old_ok=old_ok)
        return typer.condition(node, scope)

    def stated(self, stated: Stated, steps: Steps) -> core.Property | None:
        decl = stated.decl
        scope = _inside(stated)
        try:
            match decl:
                case ast.AssumeItem():
                    return None
                case ast.Reach(_, doc, cond):
                    term = self.condition(cond, scope)
                    holds = e.and_(term.expr, *(e.not_(c.bad) for c in term.checks))
                    for binder in reversed(stated.dims):
                        holds = e.exists(binder, holds)
                    return core.Property(
                        stated.name, core.Kind.REACH, holds, "reach", doc.value if doc else "",
                        text=" ".join(cond.span.text.split()), span=decl.span,
                    )  # fmt: skip
                case ast.Claim():
                    return self.claim(stated, decl, scope, steps)
        except Abort:
            return None

    def claim(self, stated: Stated, decl: ast.Claim, scope: Scope, steps: Steps) -> core.Property:
        of: tuple[str, ...] | None = None
        kind = core.Kind.STATE
        match decl.property:
            case ast.Always(cond):
                term = self.condition(cond, scope)
            case ast.Never(cond):
                inner = self.condition(cond, scope)
                term = Term(e.not_(inner.expr), inner.checks)
            case ast.After(paths, cond) | ast.StepProperty(paths, cond):
                kind = core.Kind.STEP
                of = (
                    tuple(dict.fromkeys(s for p in paths for s in steps.resolve(p, stated.name)))
                    if paths
                    else None
                )
                term = self.condition(cond, scope, old_ok=True)
            case ast.Eventually(cond):
                kind = core.Kind.LIVENESS
                term = self.condition(cond, scope)
            case ast.LeadsTo(before, after):
                kind = core.Kind.LIVENESS
                first, then = self.condition(before, scope), self.condition(after, scope)
                term = Term(e.implies(first.expr, then.expr), (*first.checks, *then.checks))
        holds = e.and_(term.expr, *(e.not_(c.bad) for c in term.checks))
        for binder in reversed(stated.dims):
            holds = e.forall(binder, holds)
        prefix = stated.name.rpartition(".")[0]
        return core.Property(
            stated.name, kind, holds, decl.role, decl.doc.value if decl.doc else "", of,
            using=tuple(f"{prefix}.{p}" if prefix else str(p) for p in decl.using),
            because=tuple(str(p) for p in decl.because), cites=tuple(c.value for c in decl.cites),
            text=" ".join(decl.property.span.text.split()), span=decl.span,
        )  # fmt: skip

    def assume(self, stated: Stated) -> core.Assume | None:
        if not isinstance(stated.decl, ast.AssumeItem):
            return None
        try:
            term = self.condition(stated.decl.cond, _inside(stated))
        except Abort:
            return None
        holds = e.and_(term.expr, *(e.not_(c.bad) for c in term.checks))
        for binder in reversed(stated.dims):
            holds = e.forall(binder, holds)
        return core.Assume(stated.name, holds, stated.decl.span)

    def unknown_names(self, properties: list[core.Property]) -> None:
        """Every lemma that is used must exist."""
        names = {p.name for p in properties}
        for prop in properties:
            for used in prop.using:
                if used not in names and prop.span is not None:
                    guess = suggest(used, names)
                    self.cx.reporter.error(
                        "E0201", f"there is no lemma or claim '{used}'", prop.span,
                        f"did you mean '{guess}'?" if guess else None,
                    )  # fmt: skip

    def free_claims(self) -> list[core.Property]:
        made = [
            core.Property(
                "defined", core.Kind.FAULT, e.TRUE, "free", "nothing undefined is executed",
                places=tuple(range(len(self.places))),
            )
        ]  # fmt: skip
        balanced = self.balanced()
        if balanced is not e.TRUE:
            made.append(
                core.Property(
                    "balanced", core.Kind.STATE, balanced, "free", "a thread that has ended holds nothing",
                    text="a thread that has ended holds nothing",
                )
            )  # fmt: skip
        for rule in self.rules:
            if any(w.assume is None for w in rule.wheres):
                made.append(
                    core.Property(
                        f"satisfiable.{rule.name}", core.Kind.SATISFIABLE, e.TRUE, "free",
                        "every havoc has a value", of=(rule.name,), span=rule.span,
                    )
                )  # fmt: skip
        if self.flows:
            made.append(
                core.Property(
                    "stuck", core.Kind.STUCK, e.TRUE, "free", "no thread is for ever unable to move"
                )
            )
        return made

    def balanced(self) -> Expr:
        parts = []
        for flow in self.flows.values():
            end = flow.locations.get(id(None))
            if end is None:
                continue
            for instance, binders in self.declared.instances:
                inner = instance
                for binder in binders:
                    inner = indexed_instance(inner, e.param(binder.name, binder.type))
                for name, member in inner.scope.names.items():
                    if isinstance(member, Function) and isinstance(member.decl, ast.Hold):
                        held = Typer(self.cx).apply(
                            member, ["self"], [Term(flow.self_)], member.decl.name.span
                        )
                        part = e.implies(self.at(flow, end), e.not_(held.expr))
                        for binder in reversed((*binders, *([flow.binder] if flow.binder else []))):
                            part = e.forall(binder, part)
                        parts.append(part)
        return e.and_(*parts)

    # --- the rest ---------------------------------------------------------------------------------------------

    def variables(self) -> tuple[core.Var, ...]:
        made = [core.Var(s.variable.name, s.type, s.kind, s.span) for s in self.declared.state]
        for flow in self.flows.values():
            pc = self.pc(flow)
            made.append(core.Var(str(pc.data), pc.type, "pc"))
            for variable, span in flow.variables:
                kind = "local" if variable.storage == "local" else "hidden"
                made.append(core.Var(variable.name, root_type(variable), kind, span))
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
        nodes = 0
        for x in subterms(system.exprs()):
            nodes += 1
            if x.depth > 4 * MAX_DEPTH or nodes > MAX_NODES:
                self.cx.reporter.error(
                    "E0511", "the rules become too large when ops, functions and choices are expanded",
                    self.loaded.file.name.span,
                )  # fmt: skip
                return


def _inside(source: RuleSource | Stated) -> Scope:
    """The scope of a member, of an array of instances under the indices that it is stated for."""
    if not source.dims or source.instance is None:
        return source.scope
    instance: Instance = source.instance
    for binder in source.dims:
        instance = indexed_instance(instance, e.param(binder.name, binder.type))
    return instance.scope


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


__all__ = ["Sizes", "StepPoint", "lower", "sizes"]
