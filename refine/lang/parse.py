"""From text to the syntax tree: reads all of a file, and reports all that is wrong with its syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refine.lang import ast
from refine.lang.build import build
from refine.lang.tokens import END, grammar
from refine.text.diag import Reporter
from refine.text.span import Source

if TYPE_CHECKING:
    from lark import Token


def parse(source: Source, reporter: Reporter) -> ast.File | None:
    """Return the syntax tree of a text, or report what is wrong with it."""
    from lark import Token
    from lark.exceptions import UnexpectedToken

    built = grammar()
    tokens: list[Token] = []
    comments: list[ast.Comment] = []
    text, at = source.text, 0
    while at < len(text):
        match = built.pattern.match(text, at)
        if match is None:
            reporter.error("E0101", "this character has no meaning here", source.span(at, at + 1))
            return None
        kind, value, end = match.lastgroup or "", match.group(), match.end()
        if kind == "NAME":
            kind = built.reserved.get(value, kind)
        if kind == "COMMENT":
            comments.append(ast.Comment(value.rstrip(), span=source.span(at, end)))
        elif kind[0] != "_" or kind.startswith("__ANON"):
            tokens.append(Token(kind, value, at, end_pos=end))
        at = end
    state = built.lark.parse_interactive().parser_state
    tree = None
    for token in [*tokens, Token(END, "", len(text), end_pos=len(text))]:
        try:
            tree = state.feed_token(token, is_end=token.type == END)
        except UnexpectedToken:
            span = source.span(token.start_pos, token.end_pos)
            reporter.error("E0101", f"`{token}` was not expected here", span)
            return None
    return build(tree, source, tuple(comments), reporter)
