"""The words and signs of a specification: a text taken apart by the terminals of grammar/protocol.lark.

This is a scanner of our own over the grammar's terminals: lark's stops at the first character that fits none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from types import MappingProxyType

from refine.lang import ast
from refine.lang.tables import Tables, tables
from refine.lang.tree import Token
from refine.text.diag import Reporter
from refine.text.span import Source

END = "$END"
BROKEN = "$BROKEN"  # stands where something was that has been reported already; fits nowhere

MOST_CHARACTERS = 1 << 20
MOST_TOKENS = 50_000
DEEPEST_NESTING = 60
LARGEST_INTEGER = 1 << 128
MOST_ERRORS = 20  # in one file: whoever has more made one mistake that looks like many


_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_LENIENT_STRING = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_ESCAPE = re.compile(r"\\(.)")
_WORD = re.compile(r"\w+")
_AFTER_NUMBER = re.compile(r"\w+|\.\d\w*")

# Controls other than tab and line end, surrogates, and what hides or reorders the text around it.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]|\r(?!\n)"
)
# What was probably meant by signs from papers and word processors.
_MEANT = {
    "\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "\u2192": "->", "\u21d2": "->", "\u27f9": "->",
    "\u2227": "&&", "\u2228": "||", "\u00ac": "!", "\u2200": "forall", "\u2203": "exists", "\u2208": "in",
    "\u2209": "!in", "\u2205": "{}", "\u222a": "|", "\u2229": "&", "\u2286": "<=", "\u00d7": "*",
    "\u00f7": "/", "\u2026": "..",
    **dict.fromkeys("'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2013\u2014\u2212", "-"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grammar:
    """The grammar: its parser's tables, one pattern for all of its words and signs, and how they are written."""

    tables: Tables
    pattern: re.Pattern[str]
    ignored: frozenset[str]
    shown: Mapping[str, str]  # a terminal that is written in one way only -> that text
    terminals: Mapping[str, str]  # and back


@dataclass(frozen=True, slots=True)
class Scanned:
    """A text as tokens, the last of which is END, and the comments between them."""

    tokens: list[Token]
    comments: tuple[ast.Comment, ...]


@cache
def grammar() -> Grammar:
    """Load the grammar, once in a process."""
    made = tables()
    pattern = "|".join(
        f"(?P<{name}>{text})" for name, text in made.terminals if not made.words.get(name, "").isidentifier()
    )
    return Grammar(
        made,
        re.compile(pattern),
        made.ignored,
        MappingProxyType(made.words),
        MappingProxyType({text: name for name, text in made.words.items()}),
    )


def scan(source: Source, reporter: Reporter) -> Scanned | None:
    """Take a text apart; None where it is too large, or too wrong, to be looked at any further."""
    text = source.text
    if len(text) > MOST_CHARACTERS:
        message = f"this file has {len(text)} characters; a specification has at most {MOST_CHARACTERS}"
        reporter.error("E0501", message, source.span(0, 0), "divide it, and `import` the parts")
        return None
    _report_hidden(source, reporter)
    match, ignored, reserved = grammar().pattern.match, grammar().ignored, grammar().terminals
    tokens: list[Token] = []
    comments: list[ast.Comment] = []
    depth = 0
    at = 1 if text.startswith("\ufeff") else 0
    while at < len(text):
        found = match(text, at)
        if found is None or (found[0] == "/" and text.startswith("/*", at)):
            at = _stray(source, at, tokens, reporter)
            if len(reporter.diagnostics) >= MOST_ERRORS:
                return None
            continue
        kind, value, end = found.lastgroup, found[0], found.end()
        assert kind is not None, "each alternative of the pattern is named"
        if kind in ignored:
            if kind == "COMMENT":
                comments.append(
                    ast.Comment(_tidy(value, at - text.rfind("\n", 0, at) - 1), span=source.span(at, end))
                )
        else:
            if kind == "NAME":
                kind = reserved.get(value, kind)
            elif kind == "INT":
                value, end = _integer(source, at, value, end, reporter)
            elif value in _BRACKETS:
                depth = max(0, depth + _BRACKETS[value])
                if depth > DEEPEST_NESTING:
                    message = f"brackets are nested deeper than {DEEPEST_NESTING} levels here"
                    reporter.error("E0502", message, source.span(at, end))
                    return None
            tokens.append(Token(kind, value, at, end))
        at = end
        if len(tokens) + len(comments) > MOST_TOKENS:
            message = f"a specification has at most {MOST_TOKENS} words, signs and comments; this is one more"
            reporter.error("E0504", message, source.span(at, at), "divide it, and `import` the parts")
            return None
    tokens.append(Token(END, "", len(text), len(text)))
    return Scanned(tokens, tuple(comments))


def _tidy(comment: str, column: int) -> str:
    """Return a comment without blanks at the ends of lines, as if it stood in the first column."""
    first, *rest = comment.split("\n")
    lines = [first, *(line[min(column, len(line) - len(line.lstrip())) :] for line in rest)]
    return "\n".join(line.rstrip() for line in lines)


def _integer(source: Source, at: int, value: str, end: int, reporter: Reporter) -> tuple[str, int]:
    """Look at an integer and what follows it at once; a wrong one is read as nought."""
    text = source.text
    tail = _AFTER_NUMBER.match(text, end)
    if tail is not None:
        span = source.span(at, tail.end())
        if tail[0].startswith("."):
            reporter.error("E0119", "there are whole numbers only", span)
        else:
            remedy = "numbers are written 12 or 0x1f; a name begins with a letter"
            reporter.error("E0119", "this is neither a number nor a name", span, remedy)
        return "0", tail.end()
    if len(value) > 60 or int(value, 16 if value[:2] in ("0x", "0X") else 10) > LARGEST_INTEGER:
        reporter.error("E0505", "this number is larger than 2 to the power of 128", source.span(at, end))
        return "0", end
    return value, end


def _report_hidden(source: Source, reporter: Reporter) -> None:
    for found in islice(_HIDDEN.finditer(source.text), MOST_ERRORS):
        at = found.start()
        if at == 0 and found[0] == "\ufeff":
            continue
        message = f"a control or invisible character, U+{ord(found[0]):04X}"
        reporter.error("E0105", message, source.span(at, at + 1), "delete it: a reader does not see it")


def _stray(source: Source, at: int, tokens: list[Token], reporter: Reporter) -> int:
    """Report what is no word or sign of the language, and return where to go on."""
    text = source.text
    char = text[at]
    if text.startswith("/*", at):
        reporter.error("E0103", "this comment is not closed", source.span(at, at + 2), "it ends with `*/`")
        end = len(text)
    elif char == '"' and (string := _LENIENT_STRING.match(text, at)):
        for escape in _ESCAPE.finditer(text, at, string.end()):
            if escape[1] not in '"\\':
                span = source.span(escape.start(), escape.end())
                remedy = 'there are `\\"` for a quotation mark and `\\\\` for a backslash'
                reporter.error("E0106", "this escape has no meaning", span, remedy)
        tokens.append(Token("STRING", '""', at, string.end()))
        return string.end()
    elif char == '"':
        line_end = text.find("\n", at)
        end = len(text) if line_end < 0 else line_end
        shown = at + len(text[at:end].rstrip())
        remedy = 'it ends with `"` on the same line'
        reporter.error("E0102", "this text is not closed", source.span(at, shown), remedy)
    elif _HIDDEN.match(char):
        return at + 1  # reported before
    elif (word := _WORD.match(text, at)) is not None:
        end = word.end()
        if tokens and tokens[-1].end_pos == at and tokens[-1].type == "NAME":
            at = tokens.pop().start_pos
        message = "a name is made of the letters a to z and A to Z, digits and `_`"
        reporter.error("E0104", message, source.span(at, end))
        tokens.append(Token("NAME", "_", at, end))
        return end
    else:
        end = at + 1
        hint = f"write `{_MEANT[char]}`" if char in _MEANT else None
        reporter.error("E0104", "this character has no meaning here", source.span(at, end), hint)
    if not tokens or tokens[-1].type != BROKEN:
        tokens.append(Token(BROKEN, "", at, end))
    return end
