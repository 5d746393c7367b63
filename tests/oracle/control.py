"""Threads as small machines: where one stands in its text, its local code, the step it takes next."""

from __future__ import annotations

from refine.lang import ast
from tests.oracle import values as v
from tests.oracle.actions import Script, assign, declare, executions
from tests.oracle.evaluate import Ctx, bindings, callee, place, truth, value
from tests.oracle.program import Program, Scope
from tests.oracle.world import Frame, World

END = ("end",)
_PATIENCE = 10_000


def context(program: Program, world: World, me: v.Thr) -> Ctx:
    """What the text in which a thread stands can see."""
    scope = next(
        (f.scope for f in reversed(world.threads[me]) if f.scope is not None), Scope(program.top, ())
    )
    c = Ctx(program, world, scope, me, frames=True)
    for frame in world.threads[me]:
        if frame.kind == "call":
            c.names.clear()
        elif frame.kind == "each" and frame.now:
            c.names[program.node(frame.node).binder.name.name] = frame.now[0]
    return c


def start(program: Program, me: v.Thr) -> list[Frame]:
    """The beginning of a thread. The locals of its outermost block are there from the first, unset."""
    frame = _sequence(program, program.families[me.family].body)
    for name, (ty, outermost) in program.thread_locals(me.family).items():
        if outermost:
            frame.decls[name] = ty
            declare(frame.store, name, ty)
    return [frame]


def _sequence(program: Program, block: ast.Block, label: tuple[str, ...] = ()) -> Frame:
    return Frame("seq", program.number(block), label=label)


def at_end(program: Program, frames: list[Frame]) -> bool:
    return len(frames) == 1 and frames[0].pos == len(program.node(frames[0].node).stmts)


def settle(program: Program, world: World, me: v.Thr) -> ast.Stmt | None:
    """Carry out local code up to the next step or choice, which is given, or to the end of the thread."""
    frames = world.threads[me]
    for _ in range(_PATIENCE):
        frame = frames[-1]
        node = program.node(frame.node)
        match frame.kind:
            case "call":
                frames.pop()
            case "loop":
                frames.append(_sequence(program, node.body))
            case "while":
                if truth(node.cond, context(program, world, me)):
                    frames.append(_sequence(program, node.body))
                else:
                    frames.pop()
            case "each":
                frame.now = ()
                if not frame.left:
                    frames.pop()
                elif _ordered(program, node, world, me):
                    frame.now, frame.left = frame.left[:1], frame.left[1:]
                    frames.append(_sequence(program, node.body))
                else:
                    return node  # type: ignore[no-any-return]
            case _:
                if frame.pos < len(node.stmts):
                    stmt = node.stmts[frame.pos]
                    if isinstance(stmt, ast.Step | ast.Choose | ast.Maybe):
                        return stmt
                    frame.pos += 1
                    _local(program, world, me, stmt)
                elif len(frames) == 1:
                    return None
                else:
                    frames.pop()
    raise AssertionError("a loop comes round without a step")


def _ordered(program: Program, node: ast.ForEach, world: World, me: v.Thr) -> bool:
    ty = program.binder_type(node.binder, context(program, world, me).scope.module)
    return not isinstance(ty, v.Thread) and not (isinstance(ty, v.Index) and ty.kind == "index")


def _local(program: Program, world: World, me: v.Thr, stmt: ast.Stmt) -> None:
    """One statement of local code."""
    frames = world.threads[me]
    c = context(program, world, me)
    label = () if isinstance(stmt, ast.Local) or stmt.label is None else (stmt.label.name,)
    match stmt:
        case ast.Local(te, name, dims, init):
            ty = program.dims_type(dims, te, c.scope.module)
            frames[-1].decls[name.name] = ty
            declare(frames[-1].store, name.name, ty, None if init is None else (value(init, c),))
        case ast.Assign(target, op, x):
            assign(place(target, c), op, value(x, c), c)
        case ast.If(cond, then, other):
            if truth(cond, c):
                frames.append(_sequence(program, then, label))
            elif other is not None:
                if isinstance(other, ast.If):
                    other = program.as_block(other)
                frames.append(_sequence(program, other, label))
        case ast.While():
            frames.append(Frame("while", program.number(stmt), label=label))
        case ast.Loop():
            frames.append(Frame("loop", program.number(stmt), label=label))
        case ast.ForEach(binder):
            (name_,) = [binder.name.name]
            left = tuple(names[name_] for names in bindings((binder,), c))
            frames.append(Frame("each", program.number(stmt), label=label, left=left))
        case ast.CallStmt(call):
            scope, item, args = callee(call, c)
            assert isinstance(item, ast.Proc), "only procedures are called in local code"
            frame = Frame("call", program.number(stmt), label=(*label, item.name.name), scope=scope)
            for formal, arg in zip(item.formals, args, strict=True):
                frame.decls[formal.name.name] = ty = program.type(formal.type, scope.module)
                declare(frame.store, formal.name.name, ty, (value(arg, c),))
            frames += [frame, _sequence(program, item.body)]
        case ast.Break() | ast.Continue():
            while frames[-1].kind not in ("loop", "while", "each"):
                frames.pop()
            if isinstance(stmt, ast.Break):
                frames.pop()
        case ast.Return():
            while len(frames) > 1 and frames[-1].kind != "call":
                frames.pop()
            if len(frames) == 1:
                frames[0].pos = len(program.node(frames[0].node).stmts)
        case _:
            raise v.Unsupported(f"local {stmt}")


def advance(program: Program, world: World, me: v.Thr, script: Script) -> ast.Step | None:
    """Go on to a step, through choices; None at the end of the thread."""
    frames = world.threads[me]
    while True:
        stmt = settle(program, world, me)
        if stmt is None or isinstance(stmt, ast.Step):
            return stmt
        if isinstance(stmt, ast.ForEach):
            pick = script.choose(len(frames[-1].left))
            left = frames[-1].left
            frames[-1].now, frames[-1].left = (left[pick],), left[:pick] + left[pick + 1 :]
            frames.append(_sequence(program, stmt.body))
            continue
        frames[-1].pos += 1
        assert isinstance(stmt, ast.Choose | ast.Maybe), "threads stand before steps and choices"
        label = () if stmt.label is None else (stmt.label.name,)
        if isinstance(stmt, ast.Choose):
            branch = stmt.branches[script.choose(len(stmt.branches))]
            frames.append(_sequence(program, branch, label))
        elif script.choose(2) == 0:
            frames.append(_sequence(program, stmt.body, label))


def step_path(frames: list[Frame], step: ast.Step) -> tuple[str, ...]:
    """The full name of a step, as seen from the thread."""
    return (*(part for f in frames for part in f.label), step.name.name)


def _next_steps(program: Program, world: World, me: v.Thr) -> list[tuple[ast.Step | None, tuple[str, ...]]]:
    """The steps that may come next, with full names, one for each way; no step where the thread may end."""

    def run(script: Script) -> tuple[ast.Step | None, tuple[str, ...]] | None:
        frames = [Frame.thaw(f.freeze()) for f in world.threads[me]]
        trial = World(world.cells, {**world.threads, me: frames})
        try:
            step = advance(program, trial, me, script)
        except v.Undefined:
            return None
        return step, END if step is None else step_path(frames, step)

    return [way for way in executions(run) if way is not None]


def within(path: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether a step's full name ends with `wanted`, or lies in a label or procedure whose name does."""
    return any(path[:k][-len(wanted) :] == wanted for k in range(1, len(path) + 1))


def possible(program: Program, world: World, me: v.Thr) -> set[tuple[str, ...]]:
    """The names of the steps that a thread may take next, as far as its location and local code tell."""
    if at_end(program, world.threads[me]):
        return {END}
    return {path for step, path in _next_steps(program, world, me) if step is not None}


def may_rest(program: Program, world: World, me: v.Thr) -> bool:
    """Whether a thread has ended, or may end without a step, or one of its possible next steps is `idle`."""
    if at_end(program, world.threads[me]):
        return True
    return any(step is None or step.idle for step, _ in _next_steps(program, world, me))
