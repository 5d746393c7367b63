"""A thread's body as a tree of points: procedures expanded, each point knowing what comes after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import assert_never

from refine.core import expr as e
from refine.core.expr import Expr
from refine.core.types import (
    Array,
    Index,
    IndexKind,
    Option,
    Set,
    Thread,
    Type,
    domain_values,
)
from refine.lang import ast
from refine.lang.calls import callee
from refine.lang.context import (
    MAX_CALLS,
    MAX_POINTS,
    Abort,
    Context,
    array_dims,
    core_type,
    domain_type,
    needs_value,
    without_default,
)
from refine.lang.edits import addresses
from refine.lang.elements import Element, Kind, Weaker, shown
from refine.lang.exprs import Typer
from refine.lang.scope import Bound, Broken, Family, Scope, Variable, instance_of
from refine.text.span import Span

SKIPPED = "skipped"  # the step in the place of a dropped call that does not take effect


@dataclass(slots=True, eq=False)
class Point:
    """A node of the tree. `after` is what comes when it has been carried out; None at the end of the thread."""

    span: Span
    scope: Scope
    path: tuple[str, ...]  # labels and procedures around it
    after: Point | None = None


@dataclass(slots=True, eq=False)
class StepPoint(Point):
    step: ast.Step = field(kw_only=True)
    instance: str = ""  # in whose procedure it stands

    @property
    def name(self) -> str:
        return ".".join((*self.path, self.step.name.name))


@dataclass(slots=True, eq=False)
class ChoosePoint(Point):
    branches: list[Point | None] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class EachPoint(Point):
    """`for each` over an index: the next round picks a value that is left."""

    seen: Variable = field(kw_only=True)
    cursor: Variable = field(kw_only=True)
    body: Point | None = None


@dataclass(slots=True, eq=False)
class IfPoint(Point):
    """`free`: its guard was dropped, so that either way may be taken; of `cond` only the tests for none count."""

    cond: ast.Expr = field(kw_only=True)
    free: bool = False
    then: Point | None = None
    other: Point | None = None


@dataclass(slots=True, eq=False)
class LoopPoint(Point):
    """The start of a `loop` or `while` round (`cond` None: for ever)."""

    cond: ast.Expr | None = field(kw_only=True)
    body: Point | None = None


@dataclass(slots=True, eq=False)
class CodePoint(Point):
    """Local code: one assignment or declaration."""

    stmt: ast.Assign = field(kw_only=True)


@dataclass(slots=True, eq=False)
class SetPoint(Point):
    """Hidden local code: variables set to given values (None: their default)."""

    sets: list[tuple[Variable, Expr | None]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class NextPoint(Point):
    """The end of a round of an ordered `for each`: the next value, or out."""

    cursor: Variable = field(kw_only=True)
    body: Point | None = None


@dataclass(slots=True)
class Loop:
    """Where `break` and `continue` lead, and how many scopes are open there."""

    again: Point | None
    out: Point | None
    depth: int


@dataclass(slots=True)
class Frame:
    """What is around a statement: the innermost loop, where `return` leads, and the scopes to close on the way."""

    loop: Loop | None = None
    back: Point | None = None
    back_depth: int = 0
    open: tuple[tuple[Variable, ...], ...] = ()


@dataclass(slots=True)
class Tree:
    """The tree of one family. `root` is the scope of its outermost block; `self_` the thread, `index` its number."""

    family: Family
    cx: Context
    index: Expr | None
    self_: Expr
    root: Scope
    entry: Point | None = None
    variables: list[tuple[Variable, Span]] = field(default_factory=list)
    steps: dict[str, StepPoint] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    used: dict[str, int] = field(default_factory=dict)
    count: int = 0
    calls: tuple[ast.Proc, ...] = ()
    instance: str = ""  # in whose procedure the statements at hand stand

    def build(self, body: ast.Block) -> None:
        """The tree of the thread's body; its outermost block is never closed."""
        self.root.names["self"] = Bound(self.self_)
        self.entry = self.sequence(body.stmts, self.root, (), None, Frame(), self.root)

    def local(self, name: str, type_: Type, span: Span, storage: str = "local") -> Variable:
        """A variable of this thread, under a name that no other has."""
        full = f"{self.family.name}.{name}"
        self.used[full] = self.used.get(full, 0) + 1
        if self.used[full] > 1:
            full = f"{full}~{self.used[full]}"
        boxed = not _has_default(type_)
        prefix = () if self.index is None else (self.index,)
        self.cx.take(type_ if self.index is None else Array(self.index.type, type_), span)
        made = Variable(full, type_, storage, prefix, boxed=boxed)
        self.variables.append((made, span))
        return made

    def sequence(
        self,
        stmts: tuple[ast.Stmt, ...],
        scope: Scope,
        path: tuple[str, ...],
        after: Point | None,
        frame: Frame,
        owner: Scope | None = None,
    ) -> Point | None:
        """The points of a block, which leads to `after`; its locals are reset on the way out."""
        around = (self.family.name, *path)
        stmts = self.cx.edits.rewrite(around, stmts)
        if not self.instance:
            known = [addresses(around, stmt) for stmt in stmts]
            self.cx.neighbours += [(a[0], b[0]) for a, b in pairwise(known) if a and b]
        declared: list[Variable] = []
        locals_: dict[int, Variable] = {}
        own: set[str] = set()
        inner = scope if owner is scope else scope.child()
        for stmt in stmts:
            if isinstance(stmt, ast.Local):
                name = stmt.name
                try:
                    if name.name in own:
                        self.cx.fail("E0202", f"'{name.name}' is declared twice in this block", name.span)
                    if name.name == "pc":
                        self.cx.fail("E0202", "'pc' is the name of a thread's program counter", name.span)
                    type_ = core_type(self.cx, inner, stmt.type)
                    for dim in reversed(array_dims(self.cx, inner, stmt.dims)):
                        type_ = Array(dim, type_)
                    if not isinstance(type_, Thread | Index):
                        needs_value(self.cx, type_, stmt.init, name)
                    made = self.local(".".join((*path, name.name)), type_, stmt.span)
                except Abort:
                    inner.names.setdefault(name.name, Broken())
                    continue
                own.add(name.name)
                inner.names[name.name] = made
                locals_[id(stmt)] = made
                declared.append(made)
        if owner is scope:
            end = after
        else:
            frame = Frame(frame.loop, frame.back, frame.back_depth, (*frame.open, tuple(declared)))
            end = self.reset(declared, inner, path, after, stmts)
        for stmt in reversed(stmts):
            try:
                end = self.statement(stmt, inner, path, end, frame, locals_)
            except Abort:
                continue
        return end

    def reset(
        self,
        variables: list[Variable],
        scope: Scope,
        path: tuple[str, ...],
        after: Point | None,
        stmts: tuple[ast.Stmt, ...],
    ) -> Point | None:
        if not variables:
            return after
        return SetPoint(stmts[0].span, scope, path, after, [(v, None) for v in variables])

    def leave(
        self, frame: Frame, depth: int, span: Span, scope: Scope, path: tuple[str, ...], to: Point | None
    ) -> Point | None:
        """A jump out of all scopes beyond `depth`."""
        closing = [v for group in frame.open[depth:] for v in group]
        return SetPoint(span, scope, path, to, [(v, None) for v in closing]) if closing else to

    def statement(
        self,
        stmt: ast.Stmt,
        scope: Scope,
        path: tuple[str, ...],
        after: Point | None,
        frame: Frame,
        locals_: dict[int, Variable],
    ) -> Point | None:
        self.count += 1
        if self.count > MAX_POINTS:
            self.cx.too_large("this thread becomes too large when procedures are expanded", stmt.span)
        label = getattr(stmt, "label", None)
        for address in addresses((self.family.name, *path), stmt):
            self.cx.statements.setdefault(address, stmt)
        if label is not None:
            path = (*path, label.name)
            self.labels.add(".".join(path))
        at = (stmt.span, scope, path, after)
        match stmt:
            case ast.Step():
                return self.step_point(stmt, scope, path[:-1] if label is not None else path, after)
            case ast.Local(_, name, _, init):
                if id(stmt) not in locals_:
                    raise Abort
                if init is None:
                    return SetPoint(*at, [(locals_[id(stmt)], None)])
                target = ast.Lvalue(name, (), span=name.span)
                return CodePoint(*at, stmt=ast.Assign(target, "=", init, span=stmt.span))
            case ast.Assign():
                return CodePoint(*at, stmt=stmt)
            case ast.If(cond, then, other):
                own = path if label is not None else (*path, f"if@{cond.span.line}:{cond.span.col}")
                free = self.relaxed("branch", own, cond.span, named=label is not None)
                if self.cx.negated(".".join((self.family.name, *own))):
                    cond = ast.Unary("!", cond, span=cond.span)
                point = IfPoint(*at, cond=cond, free=free)
                point.then = self.sequence(then.stmts, scope, path, after, frame)
                if isinstance(other, ast.If):
                    point.other = self.statement(other, scope, path, after, frame, {})
                else:
                    point.other = self.sequence(other.stmts, scope, path, after, frame) if other else after
                return point
            case ast.While() | ast.Loop():
                body = stmt.body
                loop = LoopPoint(*at, cond=stmt.cond if isinstance(stmt, ast.While) else None)
                inner = Frame(Loop(loop, after, len(frame.open)), frame.back, frame.back_depth, frame.open)
                loop.body = self.sequence(body.stmts, scope, path, loop, inner)
                return loop
            case ast.Choose(branches):
                choice = ChoosePoint(*at)
                choice.branches = [self.sequence(b.stmts, scope, path, after, frame) for b in branches]
                return choice
            case ast.Maybe(body):
                return ChoosePoint(*at, [self.sequence(body.stmts, scope, path, after, frame), after])
            case ast.ForEach(binder, body):
                return self.for_each(binder, body, stmt.span, scope, path, after, frame)
            case ast.CallStmt(call):
                return self.call(call, scope, path, after, frame, named=label is not None)
            case ast.Break() | ast.Continue():
                if frame.loop is None:
                    self.cx.fail("E0404", "there is no loop to leave here", stmt.span)
                to = frame.loop.out if isinstance(stmt, ast.Break) else frame.loop.again
                return self.leave(frame, frame.loop.depth, stmt.span, scope, path, to)
            case ast.Return(value):
                if value is not None and not self.calls:
                    self.cx.fail("E0404", "a thread returns nothing", stmt.span)
                if value is not None and self.calls[-1].result is None:
                    proc = self.calls[-1].name.name
                    self.cx.fail("E0404", f"'{proc}' declares no result to return", stmt.span)
                if value is not None:
                    self.cx.fail("E0901", "a procedure with a result is not implemented yet", stmt.span)
                return self.leave(frame, frame.back_depth, stmt.span, scope, path, frame.back)
            case ast.ForAll() | ast.Havoc() | ast.Assume() | ast.Require():
                self.cx.fail("E0404", "this is an action: it belongs in a step", stmt.span, "step NAME { … }")
            case _:
                assert_never(stmt)

    def step_point(self, stmt: ast.Step, scope: Scope, path: tuple[str, ...], after: Point | None) -> Point:
        point = StepPoint(stmt.span, scope, path, after, step=stmt, instance=self.instance)
        if point.name in self.steps:
            other = self.steps[point.name].step.name.span
            self.cx.reporter.error(
                "E0202",
                f"{self.family.name} has two steps named '{point.name}'",
                stmt.name.span,
                f"rename one, or label the calls of its procedure; the other is at line {other.line}",
            )
        if stmt.name.name == "end":
            self.cx.reporter.error("E0202", "'end' is the name of a thread's end", stmt.name.span)
        self.steps.setdefault(point.name, point)
        return point

    def for_each(
        self,
        binder: ast.Binder,
        body: ast.Block,
        span: Span,
        scope: Scope,
        path: tuple[str, ...],
        after: Point | None,
        frame: Frame,
    ) -> Point:
        assert binder.type is not None, "the grammar wants a type here"
        type_ = domain_type(self.cx, scope, binder.type)
        name = ".".join((*path, binder.name.name))
        cursor = self.local(name, Option(type_), span, "binder")
        view = Variable(cursor.name, type_, "binder", cursor.prefix, boxed=True)
        inner = scope.child(**{binder.name.name: view})
        if isinstance(type_, Thread) or (isinstance(type_, Index) and type_.kind is IndexKind.INDEX):
            seen = self.local(f"{name}.seen", Set(type_), span, "binder")
            point = EachPoint(span, inner, path, after, seen=seen, cursor=cursor)
            mark = SetPoint(span, inner, path, point, [(seen, _with(seen, view)), (cursor, None)])
            out: Point | None = SetPoint(span, inner, path, after, [(seen, None), (cursor, None)])
            loop = Loop(mark, out, len(frame.open) + 1)
            around = Frame(loop, frame.back, frame.back_depth, (*frame.open, (seen, cursor)))
            point.body = self.sequence(body.stmts, inner, path, mark, around)
            return SetPoint(span, inner, path, point, [(seen, None), (cursor, None)])
        again = NextPoint(span, inner, path, after, cursor=cursor)
        out = SetPoint(span, inner, path, after, [(cursor, None)])
        loop = Loop(again, out, len(frame.open) + 1)
        around = Frame(loop, frame.back, frame.back_depth, (*frame.open, (cursor,)))
        again.body = self.sequence(body.stmts, inner, path, again, around)
        first = e.some(e.const(type_, domain_values(type_)[0]))
        return SetPoint(span, inner, path, again.body, [(cursor, first)])

    def call(
        self,
        node: ast.Call,
        scope: Scope,
        path: tuple[str, ...],
        after: Point | None,
        frame: Frame,
        *,
        named: bool,
    ) -> Point | None:
        typer = Typer(self.cx)
        function, args = callee(typer, node, scope)
        for variable, span in typer.reads:
            if variable.storage not in ("local", "binder"):
                self.cx.fail(
                    "E0403", f"'{variable.name}' is not the thread's own: it can be read only in a step", span
                )
        decl = function.decl
        if not isinstance(decl, ast.Proc):
            self.cx.fail(
                "E0404",
                f"'{node.name.name}' is no procedure: call it inside a step",
                node.span,
                f"step NAME {{ {node.span.text}; }}",
            )
        if decl.result is not None:
            self.cx.fail("E0901", "a procedure with a result is not implemented yet", decl.span)
        if any(d is decl for d in self.calls):
            self.cx.fail("E0407", "a procedure cannot call itself", node.span)
        if len(self.calls) > MAX_CALLS:
            self.cx.too_large(f"procedures call each other more than {MAX_CALLS} deep", node.span)
        if len(args) != len(decl.formals):
            count = len(decl.formals)
            self.cx.fail(
                "E0302",
                f"'{decl.name.name}' takes {count} argument{'s' * (count != 1)}, not {len(args)}",
                node.span,
            )
        path = (*path, decl.name.name)
        self.labels.add(".".join(path))
        protects = " ".join(name.name for word, name in decl.effects if word == "protects")
        weaker = tuple(name for word, name in decl.effects if word == "weaker")
        if weaker:
            self.cx.weaker.setdefault(".".join((self.family.name, *path)), Weaker(weaker))
        free = bool(named or protects) and self.relaxed("call", path, node.span, protects, named=named)
        inner = function.scope.child(self=Bound(self.self_))
        fresh: list[Variable] = []
        starts: list[CodePoint] = []
        for formal, arg in zip(decl.formals, args, strict=True):
            type_ = core_type(self.cx, function.type_scope or function.scope, formal.type)
            known = self.immutable(arg, scope, type_)
            if known is not None:
                inner.names[formal.name.name] = known
                continue
            made = self.local(".".join((*path, formal.name.name)), type_, node.span)
            inner.names[formal.name.name] = made
            fresh.append(made)
            hidden = scope.child(**{f"{formal.name.name}'arg": made})
            target = ast.Lvalue(ast.Ident(f"{formal.name.name}'arg", span=arg.span), (), span=arg.span)
            starts.append(
                CodePoint(node.span, hidden, path, None, stmt=ast.Assign(target, "=", arg, span=arg.span))
            )
        out = SetPoint(node.span, inner, path, after, [(v, None) for v in fresh]) if fresh else after
        inner_frame = Frame(None, out, len(frame.open), frame.open)
        outer, self.calls, self.instance = (
            (self.calls, self.instance),
            (*self.calls, decl),
            instance_of(function.scope),
        )
        try:
            first = self.sequence(decl.body.stmts, inner, path, out, inner_frame)
        finally:
            self.calls, self.instance = outer
        for start in reversed(starts):
            start.after = first
            first = start
        if not free:
            return first
        # A step of its own, so that a loop of nothing else still takes one each round, and a run shows it.
        name = ast.Ident(SKIPPED, span=node.span)
        skip = ast.Step(name, False, (), (), ast.Block((), span=node.span), span=node.span)
        skipped = self.step_point(skip, scope, path, after)
        always = ast.Boolean(True, span=node.span)
        return IfPoint(node.span, scope, path, after, cond=always, free=True, then=first, other=skipped)

    def relaxed(
        self, kind: Kind, path: tuple[str, ...], span: Span, protects: str = "", *, named: bool
    ) -> bool:
        """Notes a protective element between steps; whether it has been dropped."""
        group = f"{self.instance}.{path[-1]}" if self.instance and named else ""
        key = ".".join((self.family.name, *path))
        library = bool(self.instance)
        return self.cx.relaxed(
            Element(key, kind, shown(span), span, group, protects, shared=named, named=named, library=library)
        )

    def immutable(self, arg: ast.Expr, scope: Scope, type_: Type) -> Bound | Variable | None:
        """An argument that cannot change during the call stands for itself; no copy splits states."""
        if isinstance(arg, ast.Name):
            found = scope.find(arg.id)
            if isinstance(found, Bound) and found.expr.type == type_:
                return found
            if isinstance(found, Variable) and found.storage == "binder" and found.type == type_:
                return found
        term = None
        if isinstance(arg, ast.Integer | ast.Boolean | ast.NoneLiteral | ast.Name | ast.Self):
            typer = Typer(self.cx)
            term = typer.value(arg, scope, type_)
            if term.checks or typer.reads:
                return None
        return Bound(term.expr) if term is not None else None


def _with(seen: Variable, cursor: Variable) -> Expr:
    """The set with the cursor's value added, in terms of the variables."""
    at, group = e.var(cursor.name, cursor.root_type), e.var(seen.name, seen.root_type)
    for index in cursor.prefix:
        at, group = e.select(at, index), e.select(group, index)
    return e.ite(e.is_some(at), e.insert(group, e.get(at)), group)


def _has_default(type_: Type) -> bool:
    """Whether a dead local of the type can hold its default without naming one of several identities."""
    return without_default(type_) is None
