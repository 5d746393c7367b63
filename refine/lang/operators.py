"""Operators: what each means for which types, and how its operands' types are brought together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refine.core import expr as e
from refine.core.expr import Expr, Op
from refine.core.types import Enum, Index, IndexKind, Int, Option, Set, Type, Word
from refine.lang import ast
from refine.lang.context import MAX_NUMBER, Check, Term, guarded, is_order, shown
from refine.lang.infer import hint, needs_hint
from refine.lang.scope import Scope
from refine.text.span import Span

if TYPE_CHECKING:
    from refine.lang.exprs import Typer


ARITHMETIC = {"+": e.add, "-": e.sub, "*": e.mul, "/": e.div, "%": e.mod}
BITWISE = {"&": Op.BITAND, "|": Op.BITOR, "^": Op.BITXOR, "<<": Op.SHL, ">>": Op.SHR}
SET_OPS = {"|": Op.UNION, "&": Op.INTER, "-": Op.DIFF}


def unary(typer: Typer, node: ast.Unary, scope: Scope, want: Type | None) -> Term:
    if node.op == "!":
        term = typer.condition(node.expr, scope)
        return Term(e.not_(term.expr), term.checks)
    term = typer.plain(typer.expr(node.expr, scope, want), node.expr.span)
    if node.op == "-" and isinstance(term.type, Int):
        return Term(e.sub(e.integer(0), term.expr), term.checks)
    if node.op == "-" and isinstance(term.type, Word):
        return Term(e.sub(e.const(term.type, 0), term.expr), term.checks)
    if node.op == "~" and isinstance(term.type, Word):
        return Term(e.bitwise(Op.BITNOT, term.expr), term.checks)
    typer.cx.fail("E0303", f"'{node.op}' is not for values of type {shown(term.type)}", node.span)


def binary(typer: Typer, node: ast.Binary, scope: Scope, want: Type | None) -> Term:
    match node.op:
        case "->":
            left, right = typer.condition(node.left, scope), typer.condition(node.right, scope)
            return Term(e.implies(left.expr, right.expr), (*left.checks, *guarded(left.expr, right.checks)))
        case "in" | "!in":
            group = typer.expr(node.right, scope)
            if not isinstance(group.type, Set):
                typer.cx.fail("E0303", f"'in' needs a set on its right, not {group.type}", node.right.span)
            item = element(typer, node.left, scope, group.type)
            inside = e.member(item.expr, group.expr)
            return Term(e.not_(inside) if node.op == "!in" else inside, (*item.checks, *group.checks))
        case "==" | "!=":
            left, right = _pair(typer, node, scope)
            checks = (*left.checks, *right.checks)
            return Term(
                e.not_(_equal(typer, left, right, node))
                if node.op == "!="
                else _equal(typer, left, right, node),
                checks,
            )
        case "<" | "<=" | ">" | ">=":
            return _order(typer, node, scope)
        case _:
            return _arithmetic(typer, node, scope, want)


def element(typer: Typer, node: ast.Expr, scope: Scope, group: Set) -> Term:
    """A value that may be looked for in, added to or taken from a set: a number need not be in the set's range."""
    term = typer.expr(node, scope, group.item)
    if isinstance(group.item, Int):
        plain = typer.plain(term, node.span)
        if isinstance(plain.type, Int):
            return plain
    return typer.coerce(term, group.item, node.span)


def _pair(typer: Typer, node: ast.Binary, scope: Scope, want: Type | None = None) -> tuple[Term, Term]:
    """Both sides, each helping to tell the type of the other."""
    if needs_hint(node.left, scope) and not needs_hint(node.right, scope):
        right = typer.expr(node.right, scope, want)
        return typer.expr(node.left, scope, hint(right.type, node.left)), right
    left = typer.expr(node.left, scope, want)
    return left, typer.expr(node.right, scope, hint(left.type, node.right))


def _equal(typer: Typer, left: Term, right: Term, node: ast.Binary) -> Expr:
    x, y = left.expr, right.expr
    for plain, other, side in ((x, y, node.left), (y, x, node.right)):
        if other.op is Op.CONST and other.data is None and not isinstance(plain.type, Option):
            typer.cx.fail("E0301", f"a {plain.type} is never none", side.span)
    if isinstance(x.type, Option) and x.type == y.type:
        if x.op is Op.CONST and x.data is None:
            return e.not_(e.is_some(y))
        if y.op is Op.CONST and y.data is None:
            return e.not_(e.is_some(x))
        return e.eq(x, y)
    if isinstance(x.type, Option) and isinstance(y.type, Option):
        both = _scalar_equal(typer, e.get(x), e.get(y), node)
        return e.ite(e.is_some(x), e.and_(e.is_some(y), both), e.not_(e.is_some(y)))
    if isinstance(x.type, Option):
        return e.and_(e.is_some(x), _scalar_equal(typer, e.get(x), y, node))
    if isinstance(y.type, Option):
        return e.and_(e.is_some(y), _scalar_equal(typer, x, e.get(y), node))
    return _scalar_equal(typer, x, y, node)


def _scalar_equal(typer: Typer, x: Expr, y: Expr, node: ast.Binary) -> Expr:
    x, y = _alike(typer, x, y, node)
    return e.eq(x, y)


def _alike(typer: Typer, x: Expr, y: Expr, node: ast.Binary) -> tuple[Expr, Expr]:
    """Both sides in one type: constants become words, frame numbers become numbers beside numbers."""
    if x.type == y.type or (isinstance(x.type, Int) and isinstance(y.type, Int)):
        return x, y
    if isinstance(x.type, Word) and isinstance(y.type, Int) and y.op is Op.CONST:
        return x, typer.coerce(Term(y), x.type, node.right.span).expr
    if isinstance(y.type, Word) and isinstance(x.type, Int) and x.op is Op.CONST:
        return typer.coerce(Term(x), y.type, node.left.span).expr, y
    if is_gfn(x.type) and isinstance(y.type, Int):
        return e.to_int(x), y
    if is_gfn(y.type) and isinstance(x.type, Int):
        return x, e.to_int(y)
    enum = x.type if isinstance(x.type, Enum) else y.type
    typer.cx.fail(
        "E0301",
        f"{shown(x.type)} on the left, {shown(y.type)} on the right of '{node.op}'",
        node.span,
        f"{enum} is one of {', '.join(enum.members[:8])}" if isinstance(enum, Enum) else None,
    )


def _order(typer: Typer, node: ast.Binary, scope: Scope) -> Term:
    left, right = _pair(typer, node, scope)
    if isinstance(left.type, Set) and left.type == right.type and node.op in ("<=", ">="):
        x, y = (left.expr, right.expr) if node.op == "<=" else (right.expr, left.expr)
        return Term(e.set_op(Op.SUBSET, x, y), (*left.checks, *right.checks))
    if isinstance(left.type, Option):
        left = typer.coerce(left, left.type.item, node.left.span)
    if isinstance(right.type, Option):
        right = typer.coerce(right, right.type.item, node.right.span)
    x, y = _alike(typer, left.expr, right.expr, node)
    if not is_order(x.type):
        typer.cx.fail("E0303", f"values of type {x.type} have no order", node.span)
    if node.op in (">", ">="):
        x, y = y, x
    return Term(e.lt(x, y) if node.op in ("<", ">") else e.le(x, y), (*left.checks, *right.checks))


def _arithmetic(typer: Typer, node: ast.Binary, scope: Scope, want: Type | None) -> Term:
    left, right = _pair(typer, node, scope, want if isinstance(want, Word | Set) else None)
    if isinstance(left.type, Set) and left.type == right.type and node.op in SET_OPS:
        return Term(e.set_op(SET_OPS[node.op], left.expr, right.expr), (*left.checks, *right.checks))
    left, right = typer.plain(left, node.left.span), typer.plain(right, node.right.span)
    checks = (*left.checks, *right.checks)
    if node.op in ("<<", ">>") and isinstance(left.type, Word) and isinstance(right.type, Word | Int):
        if isinstance(right.type, Int) and (right.type.lo is None or right.type.lo < 0):
            checks = (
                *checks,
                Check(e.lt(right.expr, e.integer(0)), "shift by a negative number", node.span),
            )
        return Term(e.bitwise(BITWISE[node.op], left.expr, right.expr), checks)
    x, y = _alike(typer, left.expr, right.expr, node)
    if node.op in BITWISE and isinstance(x.type, Word):
        return Term(e.bitwise(BITWISE[node.op], x, y), checks)
    if node.op in ARITHMETIC and isinstance(x.type, Int | Word):
        if node.op in ("/", "%"):
            zero = e.const(y.type, 0) if isinstance(y.type, Word) else e.integer(0)
            checks = (*checks, Check(e.eq(y, zero), "division by zero", node.span))
        result = ARITHMETIC[node.op](x, y)
        lo, hi = (result.type.lo, result.type.hi) if isinstance(result.type, Int) else (None, None)
        if lo is not None and hi is not None and max(-lo, hi) > MAX_NUMBER:
            typer.cx.fail("E0510", "this number may become larger than any that is computed with", node.span)
        return Term(result, checks)
    typer.cx.fail("E0303", f"'{node.op}' is not for values of type {shown(x.type)}", node.span)


def logical(typer: Typer, op: str, parts: tuple[ast.Expr, ...], scope: Scope) -> Term:
    exprs: list[Expr] = []
    checks: list[Check] = []
    for part in parts:
        term = typer.condition(part, scope)
        before = e.and_(*exprs) if op == "&&" else e.not_(e.or_(*exprs))
        checks += guarded(before, term.checks)
        exprs.append(term.expr)
    return Term(e.and_(*exprs) if op == "&&" else e.or_(*exprs), tuple(checks))


def conditional(
    typer: Typer, cond: ast.Expr, then: ast.Expr, other: ast.Expr, scope: Scope, want: Type | None
) -> Term:
    test = typer.condition(cond, scope)
    if needs_hint(then, scope) and want is None:
        no = typer.expr(other, scope, want)
        yes = typer.expr(then, scope, hint(no.type, then))
    else:
        yes = typer.expr(then, scope, want)
        no = typer.expr(other, scope, want or hint(yes.type, other))
    if yes.type != no.type and not (isinstance(yes.type, Int) and isinstance(no.type, Int)):
        target = want or (yes.type if isinstance(yes.type, Option) else no.type)
        yes, no = typer.coerce(yes, target, then.span), typer.coerce(no, target, other.span)
    checks = (*guarded(test.expr, yes.checks), *guarded(e.not_(test.expr), no.checks))
    return Term(e.ite(test.expr, yes.expr, no.expr), (*test.checks, *checks))


def set_literal(
    typer: Typer, items: tuple[ast.Expr, ...], scope: Scope, want: Type | None, span: Span
) -> Term:
    if not isinstance(want, Set):
        if not items:
            typer.cx.fail("E0304", "it does not show of which type this empty set is", span)
        first = typer.plain(typer.expr(items[0], scope), items[0].span)
        want = Set(first.type)
    result, checks = e.const(want, frozenset()), list[Check]()
    for item in items:
        term = typer.value(item, scope, want.item)
        checks += term.checks
        if result.op is Op.CONST and term.expr.op is Op.CONST:
            result = e.const(want, frozenset([*result.data, term.expr.data]))  # type: ignore[misc, list-item]
        else:
            result = e.insert(result, term.expr)
    return Term(result, tuple(checks))


def is_gfn(type_: Type) -> bool:
    return isinstance(type_, Index) and type_.kind is IndexKind.GFN
