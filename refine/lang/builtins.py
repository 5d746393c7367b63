"""The few functions that the language itself has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refine.core import expr as e
from refine.core.expr import Expr, Op
from refine.core.types import Index, IndexKind, Int, Set, Word, cardinality
from refine.lang import ast
from refine.lang.context import Check, Term
from refine.lang.scope import Scope, TypeName

if TYPE_CHECKING:
    from refine.lang.exprs import Typer

BUILTINS = frozenset(
    {
        "size",
        "first",
        "last",
        "next",
        "to_int",
        "trunc8",
        "trunc16",
        "trunc32",
        "trunc64",
        "align_down",
        "align_up",
    }
)
ORDERED = (IndexKind.SLOT, IndexKind.RING, IndexKind.GFN)


def call_builtin(typer: Typer, node: ast.Call, scope: Scope) -> Term:
    """The value of a builtin's call."""
    name, args, cx = node.name.name, node.args, typer.cx
    arity = 2 if name.startswith("align") else 1
    if len(args) != arity:
        cx.fail("E0302", f"'{name}' takes {arity} argument{'s' * (arity != 1)}, not {len(args)}", node.span)
    if name in ("first", "last"):
        found = scope.find(args[0].id) if isinstance(args[0], ast.Name) else None
        if not (isinstance(found, TypeName) and isinstance(found.type, Index) and found.type.kind in ORDERED):
            cx.fail("E0303", f"'{name}' is for a slot, ring or gfn type", args[0].span)
        return Term(e.const(found.type, 0 if name == "first" else found.type.size - 1))
    term = typer.expr(args[0], scope)
    if hasattr(term.type, "item") and not isinstance(term.type, Set):
        term = typer.coerce(term, term.type.item, args[0].span)
    x = term.expr
    if name == "size":
        if not isinstance(x.type, Set):
            cx.fail("E0303", f"'size' is for sets, not for {x.type}", node.span)
        return Term(e.card(x), term.checks)
    if name == "next":
        if not (isinstance(x.type, Index) and x.type.kind in ORDERED):
            cx.fail("E0303", f"'next' is for a slot, ring or gfn, not for {x.type}", node.span)
        return _next(x, x.type, term, node)
    if name == "to_int":
        if not (isinstance(x.type, Word | Int) or (isinstance(x.type, Index) and x.type.kind in ORDERED)):
            cx.fail(
                "E0303", f"'to_int' is for words, slots, rings and frame numbers, not for {x.type}", node.span
            )
        return Term(e.to_int(x), term.checks)
    if isinstance(x.type, Index) and x.type.kind is IndexKind.GFN:
        x = e.to_int(x)
    if not isinstance(x.type, Word | Int):
        cx.fail("E0303", f"'{name}' is for numbers, not for {x.type}", node.span)
    if name.startswith("trunc"):
        return Term(e.to_word(x, Word(int(name.removeprefix("trunc")))), term.checks)
    by = typer.coerce(typer.expr(args[1], scope), x.type if isinstance(x.type, Word) else Int(), args[1].span)
    y = by.expr.args[0] if by.expr.op is Op.NARROW else by.expr
    zero = e.const(y.type, 0) if isinstance(y.type, Word) else e.integer(0)
    one = e.const(y.type, 1) if isinstance(y.type, Word) else e.integer(1)
    checks = (*term.checks, *by.checks, Check(e.eq(y, zero), "division by zero", node.span))
    if name == "align_up":
        x = e.add(x, e.sub(y, one))
    return Term(e.sub(x, e.mod(x, y)), checks)


def _next(x: Expr, type_: Index, term: Term, node: ast.Call) -> Term:
    size = cardinality(type_)
    assert size is not None, "an index has a size"
    after = e.add(e.to_int(x), e.integer(1))
    if type_.kind is IndexKind.RING:
        return Term(e.to_index(e.mod(after, e.integer(size)), type_), term.checks)
    last = Check(e.eq(e.to_int(x), e.integer(size - 1)), "next of the last", node.span)
    return Term(e.to_index(after, type_), (*term.checks, last))
