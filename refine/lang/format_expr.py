"""Types, expressions and properties as text, with no more parentheses than are needed or help a reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, assert_never

from refine.lang import ast
from refine.lang.layout import HARD, Doc, Fill, Line, Nest, Remark, group, join, render
from refine.lang.tokens import DEEPEST_NESTING
from refine.text.span import Span

# The comments between two places of the source: those on the line of the first, and all others.
Gap: TypeAlias = Callable[[Span, Span], tuple[list[Remark], list[Remark]]]


@dataclass(frozen=True, slots=True)
class Style:
    """How to print: where comments come from, and whether to help readers with parentheses that C would not need."""

    gap: Gap
    helpful: bool = True


def _no_comments(_first: Span, _second: Span) -> tuple[list[Remark], list[Remark]]:
    return [], []


_ALONE = Style(_no_comments)

# How tightly a construct binds: a lower one needs parentheses where a higher one is asked for.
_ANY, _OR, _AND, _COMPARISON, _BITS, _SHIFT, _SUM, _PRODUCT, _UNARY, _POSTFIX, _PRIMARY = range(11)
_LEVEL = {
    "->": _ANY,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in", "!in"), _COMPARISON),
    **dict.fromkeys("&|^", _BITS),
    **dict.fromkeys(("<<", ">>"), _SHIFT),
    **dict.fromkeys("+-", _SUM),
    **dict.fromkeys("*/%", _PRODUCT),
}


def format_expr(expr: ast.Expr) -> str:
    """Return an expression on one line."""
    return not_too_deep(lambda helpful: render(expression(expr, style=Style(_no_comments, helpful)), None))


def format_property(prop: ast.PropertyExpr) -> str:
    """Return what a claim says, on one line."""
    return not_too_deep(lambda helpful: render(property_(prop, Style(_no_comments, helpful)), None))


def not_too_deep(show: Callable[[bool], str]) -> str:
    """Print with parentheses that help, or without, if with them the text could not be read back."""
    text = show(True)
    depth = deepest = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    return text if deepest <= DEEPEST_NESTING else show(False)


def format_type(type_: ast.TypeExpr) -> str:
    """Return a type as it is written."""
    match type_:
        case ast.BoolType():
            return "bool"
        case ast.IntType(None, _) | ast.IntType(_, None):
            return "int"
        case ast.IntType(lo, hi):
            assert lo is not None and hi is not None, "the case before this one"
            return f"int({bound(lo)}..{bound(hi)})"
        case ast.WordType(bits):
            return f"u{bits}"
        case ast.ThreadType():
            return "thread"
        case ast.SetType(item):
            return f"set<{_closed(format_type(item))}>"
        case ast.NamedType(name, ()):
            return name.name
        case ast.NamedType(name, args):
            return f"{name.name}<{_closed(', '.join(map(format_type, args)))}>"
        case ast.OptionType(item):
            return f"{format_type(item)}?"
        case _:
            assert_never(type_)


def bound(expr: ast.Expr) -> str:
    """Return an end of a range."""
    return render(expression(expr, _BITS), None)


def binder(binder: ast.Binder) -> str:
    """Return `v in vcpu`, or just `v`."""
    return binder.name.name if binder.type is None else f"{binder.name.name} in {format_type(binder.type)}"


def _closed(args: str) -> str:
    """Keep `>>` from being read as a shift."""
    return f"{args} " if args.endswith(">") else args


def parted(gap: Gap, before: Span, after: Span, doc: Doc) -> Doc:
    """Break the line before something that may have comments before it."""
    here, own = gap(before, after)
    if not here and not own:
        return (Line(), doc)
    return (*here, *((HARD, remark) for remark in own), HARD, doc)


def listed(gap: Gap, parts: Sequence[tuple[Span, Doc]]) -> Doc:
    """Return parts with commas between them; with comments between them, one on each line."""
    gaps = [gap(before, after) for (before, _), (after, _) in pairwise(parts)]
    if not any(here or own for here, own in gaps):
        return Fill(tuple(doc for _, doc in parts))
    lines: list[Doc] = []
    for (_, doc), (here, own) in zip(parts, [*gaps, ([], [])], strict=True):
        comma = "," if len(lines) < len(parts) - 1 else ""
        lines.append((doc, comma, *here, *((HARD, remark) for remark in own)))
    return join(HARD, lines)


def property_(prop: ast.PropertyExpr, style: Style = _ALONE) -> Doc:
    """Return the document of what a claim says."""
    match prop:
        case ast.Always(cond, written):
            return ("always ", expression(cond, style=style)) if written else expression(cond, style=style)
        case ast.Never(cond):
            return ("never ", expression(cond, style=style))
        case ast.After(steps, cond):
            return (f"after {', '.join(map(str, steps))}: ", expression(cond, style=style))
        case ast.StepProperty((), cond):
            return ("step ", expression(cond, style=style))
        case ast.StepProperty(steps, cond):
            return (f"step of {', '.join(map(str, steps))}: ", expression(cond, style=style))
        case ast.Eventually(cond):
            return ("eventually ", expression(cond, style=style))
        case ast.EachLive(binders, inner):
            told = ", ".join(f"{b.name.name} in {format_type(b.type)}" for b in binders if b.type is not None)
            return (f"for each {told}: ", property_(inner, style))
        case ast.LeadsTo(before, after):
            second = ("leads to ", expression(after, style=style))
            return group(
                expression(before, style=style), Nest(parted(style.gap, before.span, after.span, second))
            )
        case _:
            assert_never(prop)


def expression(expr: ast.Expr, needed: int = _ANY, style: Style = _ALONE) -> Doc:
    """Return the document of an expression, in parentheses where it binds less tightly than is needed."""
    doc = _bare(expr, style)
    return ("(", doc, ")") if _level(expr) < needed else doc


def _level(expr: ast.Expr) -> int:
    match expr:
        case ast.Binary(op):
            return _LEVEL[op]
        case ast.Conditional() | ast.Quantified():
            return _ANY
        case ast.Logical(op, parts):
            if _ends_open(parts):
                return _ANY
            return _OR if op == "||" else _AND
        case ast.Unary():
            return _UNARY
        case ast.Integer(value) if value < 0:
            return _UNARY
        case ast.IndexOf() | ast.FieldOf() | ast.At():
            return _POSTFIX
        case _:
            return _PRIMARY


def _bare(expr: ast.Expr, style: Style) -> Doc:
    match expr:
        case ast.Name(name):
            return name
        case ast.Integer():
            return _integer(expr)
        case ast.Boolean(value):
            return "true" if value else "false"
        case ast.NoneLiteral():
            return "none"
        case ast.Self():
            return "self"
        case ast.Old(inner):
            return ("old(", expression(inner, style=style), ")")
        case ast.Call(name, args):
            return (f"{name.name}(", _arguments(args, style), ")")
        case ast.Unary(op, inner):
            double = isinstance(inner, ast.Unary) and inner.op == op == "-"  # would look like a decrement
            return (op, expression(inner, _PRIMARY if double and style.helpful else _UNARY, style))
        case ast.Binary(op, left, right):
            return _binary(op, left, right, style)
        case ast.Logical(op, parts):
            return _logical(op, parts, style)
        case ast.Conditional(cond, then, other):
            first, second = (expression(part, _choosing(part, style), style) for part in (then, other))
            return group(expression(cond, _OR, style), Nest((Line(), "? ", first, Line(), ": ", second)))
        case ast.Quantified(kind, binders, body):
            head = f"{kind} {', '.join(map(binder, binders))}."
            return group(head, Nest((Line(), expression(body, style=style))))
        case ast.IndexOf(base, index):
            return (expression(base, _POSTFIX, style), "[", expression(index, style=style), "]")
        case ast.FieldOf(base, name):
            return (expression(base, _POSTFIX, style), f".{name.name}")
        case ast.At(thread, steps):
            names = ", ".join(map(str, steps))
            single = len(steps) == 1 and len(steps[0].parts) == 1
            return (expression(thread, _POSTFIX, style), f" at {names}" if single else f" at {{{names}}}")
        case ast.SetLiteral(items):
            return ("{", _arguments(items, style), "}")
        case ast.SetOf(bound, cond):
            return (f"{{each {binder(bound)} where ", expression(cond, style=style), "}")
        case ast.Element(type_, number):
            return f"{type_.name}#{number}"
        case _:
            assert_never(expr)


def _ends_open(parts: tuple[ast.Expr, ...]) -> bool:
    """Tell whether a chain ends with a quantifier without parentheses: with its only one."""
    return [isinstance(part, ast.Quantified) for part in parts] == [False] * (len(parts) - 1) + [True]


def _choosing(part: ast.Expr, style: Style) -> int:
    """Ask for parentheses around `a ? b : c` where they are not needed, but help."""
    return _PRIMARY if isinstance(part, ast.Conditional) and style.helpful else _ANY


def _integer(literal: ast.Integer) -> str:
    """Return a number as its author wrote it, since a mask is easier to read in hexadecimal."""
    written = literal.span.text
    if written.isalnum() and written[:1].isdigit():
        try:
            if int(written, 0) == literal.value:
                return written
        except ValueError:
            pass
    return str(literal.value)


def _arguments(args: tuple[ast.Expr, ...], style: Style) -> Doc:
    docs = [group(expression(arg, style=style)) for arg in args]
    return group(Nest(join((",", Line()), docs)))


def _binary(op: str, left: ast.Expr, right: ast.Expr, style: Style) -> Doc:
    level = _LEVEL[op]
    if op == "->":
        first, second = _OR, _choosing(right, style)
    elif level == _COMPARISON:
        first = second = _BITS
    else:
        # C binds `&`, `^` and `|` differently.
        mixed = level == _BITS and isinstance(left, ast.Binary) and left.op != op and style.helpful
        first, second = level + mixed, level + 1
    after = (f"{op} ", expression(right, second, style))
    return group(expression(left, first, style), Nest(parted(style.gap, left.span, right.span, after)))


def _logical(op: str, parts: tuple[ast.Expr, ...], style: Style) -> Doc:
    """Return a chain, its parts in parentheses if they are chains themselves."""
    needed = _COMPARISON if style.helpful or op == "&&" else _AND
    docs: list[Doc] = [expression(parts[0], needed, style)]
    for at in range(1, len(parts)):
        last = at == len(parts) - 1 and _ends_open(parts)
        doc = (f"{op} ", expression(parts[at], _ANY if last else needed, style))
        docs.append(parted(style.gap, parts[at - 1].span, parts[at].span, doc))
    return group(docs[0], Nest(tuple(docs[1:])))
