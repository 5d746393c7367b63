"""Calls of functions: which one is meant, its arguments, and its body in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refine.lang import ast
from refine.lang.access import place
from refine.lang.builtins import BUILTINS, call_builtin
from refine.lang.context import MAX_CALLS, Check, Term, core_type
from refine.lang.infer import peek_instance
from refine.lang.scope import Bound, Function, Instance, Scope
from refine.text.diag import suggest
from refine.text.span import Span

if TYPE_CHECKING:
    from refine.lang.exprs import Typer


def callee(typer: Typer, node: ast.Call, scope: Scope) -> tuple[Function, tuple[ast.Expr, ...]]:
    """The function of a call and its arguments; the member of the instance that comes first, if one does."""
    if node.args:
        first: object = None
        if peek_instance(root_of(node.args[0]), scope) is not None:
            first = place(typer, node.args[0], scope)
        if isinstance(first, Instance):
            if first.dims:
                typer.cx.fail(
                    "E0302", f"'{first.name}' is an array of instances: index it", node.args[0].span
                )
            found = first.scope.names.get(node.name.name)
            if not isinstance(found, Function):
                members = [n for n, f in first.scope.names.items() if isinstance(f, Function)]
                guess = suggest(node.name.name, members)
                typer.cx.fail(
                    "E0204",
                    f"the type of '{first.name}' has no '{node.name.name}'",
                    node.name.span,
                    f"did you mean '{guess}'?" if guess else f"it has: {', '.join(members)}",
                )
            return found, node.args[1:]
    if node.args and scope.find(node.name.name) is None:
        _misspelt(typer, node, scope)
    found = typer.cx.lookup(scope, node.name.name, node.name.span)
    if not isinstance(found, Function):
        typer.cx.wrong_kind(found, node.name.name, "something to call", node.name.span)
    return found, node.args


def _misspelt(typer: Typer, node: ast.Call, scope: Scope) -> None:
    """Where the function is one of some instance's, it is the instance that is misspelt: `spin_lock(mmu_lok)`."""
    root = root_of(node.args[0])
    while isinstance(root, ast.IndexOf):
        root = root_of(root.base)
    known = (scope.find(name) for name in scope.visible())
    if (
        isinstance(root, ast.Name)
        and scope.find(root.id) is None
        and any(isinstance(x, Instance) and node.name.name in x.scope.names for x in known)
    ):
        typer.cx.lookup(scope, root.id, root.span)


def arguments(
    typer: Typer, node: ast.Call, function: Function, args: tuple[ast.Expr, ...], scope: Scope
) -> list[Term]:
    if len(args) != len(function.formals):
        count = len(function.formals)
        after = "" if len(args) == len(node.args) else " after the instance"
        typer.cx.fail(
            "E0302",
            f"'{node.name.name}' takes {count} argument{'s' * (count != 1)}{after}, not {len(args)}",
            node.span,
        )
    wanted = [core_type(typer.cx, function.type_scope or function.scope, f.type) for f in function.formals]
    return [typer.value(arg, scope, want) for arg, want in zip(args, wanted, strict=True)]


def call(typer: Typer, node: ast.Call, scope: Scope) -> Term:
    if node.name.name in BUILTINS and scope.find(node.name.name) is None:
        return call_builtin(typer, node, scope)
    function, args = callee(typer, node, scope)
    if isinstance(function.decl, ast.Op | ast.Proc):
        typer.cx.fail(
            "E0404",
            f"'{node.name.name}' acts; it cannot stand inside an expression",
            node.span,
            f"assign its result first: x = {node.name.name}(…);",
        )
    if isinstance(function.decl, ast.Hold):
        if len(args) != 1:
            typer.cx.fail("E0302", f"'{node.name.name}' takes a thread after the instance", node.span)
        terms = [typer.value(args[0], scope, typer.cx.threads)]
        names = ["self"]
    else:
        terms = arguments(typer, node, function, args, scope)
        names = [n.name for n in function.decl.params] if isinstance(function.decl, ast.Binding) else []
        names = names or [f.name.name for f in function.formals]
    return apply(typer, function, names, terms, node.span)


def apply(typer: Typer, function: Function, names: list[str], terms: list[Term], span: Span) -> Term:
    """A function's body for given arguments."""
    key = (function, *(t.expr for t in terms))
    if key not in typer.memo:
        if any(f.decl is function.decl for f in typer.active):
            typer.cx.fail("E0407", "a function cannot call itself", span)
        if len(typer.active) > MAX_CALLS:
            typer.cx.too_large(f"functions call each other more than {MAX_CALLS} deep", span)
        if isinstance(function.decl, ast.Requires):
            typer.cx.fail("E0204", f"this instance gives no '{function.decl.name.name}'", span)
        typer.active.append(function)
        outer, typer.reads = typer.reads, []
        old_ok, typer.old_ok = typer.old_ok, False
        try:
            inner = function.scope.child(**{n: Bound(t.expr) for n, t in zip(names, terms, strict=True)})
            body = function.decl.cond if isinstance(function.decl, ast.Hold) else function.decl.body
            assert not isinstance(body, ast.Block), "ops and procs are not applied"
            if isinstance(function.decl, ast.Hold):
                term = typer.condition(body, inner)
            else:
                assert function.result is not None, "a function has a result"
                term = typer.value(
                    body,
                    inner,
                    core_type(typer.cx, function.type_scope or function.scope, function.result),
                )
            once = {v.name: (v, at) for v, at in reversed(typer.reads)}  # each variable
            typer.memo[key] = (term, list(once.values()))
        finally:
            typer.reads, typer.old_ok = outer, old_ok
            typer.active.pop()
    term, reads = typer.memo[key]
    typer.reads += [(v, span) for v, _ in reads]
    inside = {(c.bad, c.what): Check(c.bad, c.what, span) for c in term.checks}  # each once
    return Term(term.expr, (*(c for t in terms for c in t.checks), *inside.values()))


def root_of(node: ast.Expr) -> ast.Expr:
    while isinstance(node, ast.FieldOf):
        node = node.base
    return node
