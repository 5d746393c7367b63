"""From the parser's tree to the syntax tree of refine.lang.ast: bottom up, without recursion, with exact spans."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from refine.lang import ast
from refine.lang.nodes import RULES, Chain, Unchecked
from refine.lang.tokens import DEEPEST_NESTING
from refine.lang.tree import Token, Tree
from refine.text.diag import Reporter
from refine.text.span import Source, Span

DEEPEST_EXPRESSION = 100

# What counts as a level of an expression or a type.
_LEVELS = {
    "type", "set_type", "named_type", "old", "call", "set_literal", "set_of", "index_expr",
    "field_expr", "at_one", "at_any", "not_", "negate", "invert", "arith", "compare", "less", "greater",
    "in_", "not_in", "implies", "and_", "or_", "ite", "quantified",
}  # fmt: skip


def build(tree: Tree, source: Source, comments: Iterable[ast.Comment], reporter: Reporter) -> ast.File:
    """Return the syntax tree of a whole file."""
    built: dict[int, Any] = {}
    depths: dict[int, int] = {}
    for node in tree.subtrees():  # children come before their parents
        inner = [id(part) for part in node.children if isinstance(part, Tree)]
        parts: list[Any] = [
            built.pop(id(part)) if isinstance(part, Tree) else _leaf(part, source) for part in node.children
        ]
        goes_on = bool(parts) and isinstance(parts[0], Chain) and parts[0].rule == node.data
        for at in range(goes_on, len(parts)):
            if isinstance(parts[at], Chain):
                parts[at] = parts[at].done()
        start, end = node.span or (0, 0)
        span = Span(source, start, end)
        below = [depths.pop(part, 0) for part in inner]
        if node.data == "paren" or (node.data == "type" and len(parts) == 1):
            depths[id(node)] = below[0]  # these leave nothing in the tree
        elif node.data in _LEVELS:
            depth = max([0, *below[goes_on:], *(depth - 1 for depth in below[:goes_on])]) + 1
            if depth > DEEPEST_EXPRESSION >= max(below, default=0):
                message = f"this is nested deeper than {DEEPEST_EXPRESSION} levels"
                reporter.error("E0503", message, span)
            depths[id(node)] = depth
        elif node.data == "if_":  # each `else if` is a level
            depth = 1 + (below[-1] if isinstance(parts[-1], ast.If) else 0)
            if depth == DEEPEST_NESTING + 1:
                message = f"this is a chain of more than {DEEPEST_NESTING} branches"
                reporter.error("E0502", message, span)
            depths[id(node)] = depth
        made = RULES[node.data](parts, span)
        built[id(node)] = made.check(reporter) if isinstance(made, Unchecked) else made
    ((role, name, doc), *items) = built.pop(id(tree))
    return ast.File(role, name, doc, tuple(items), tuple(comments), span=source.span())


def _leaf(token: Token | None, source: Source) -> ast.Ident | ast.Text | Token | None:
    if token is None:
        return None
    span = Span(source, token.start_pos, token.end_pos)
    if token.type == "NAME":
        return ast.Ident(str(token), span=span)
    if token.type == "STRING":
        return ast.Text(re.sub(r'\\(["\\])', r"\1", token[1:-1]), span=span)
    return token
