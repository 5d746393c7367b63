"""The words and signs of a specification: a text taken apart by the terminals of grammar/protocol.lark."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from refine.resources import root

if TYPE_CHECKING:
    from lark import Lark

END = "$END"


@dataclass(frozen=True, slots=True)
class Grammar:
    """The built grammar: its parser, one pattern for all of its words and signs, and its reserved words."""

    lark: Lark
    pattern: re.Pattern[str]
    reserved: Mapping[str, str]  # a word -> its terminal
    shown: Mapping[str, str]  # a terminal of fixed text -> that text


@cache
def grammar() -> Grammar:
    """Build the grammar, once in a process."""
    from lark import Lark
    from lark.lexer import Lexer, PatternStr

    class Elsewhere(Lexer):
        """Keeps lark from building a lexer of its own, which could not go on after an error."""

        def __init__(self, _conf: object) -> None:
            pass

        def lex(self, _state: Any, _parser: Any = None) -> Iterator[Any]:  # type: ignore[override]
            raise AssertionError("tokens are fed to the parser one by one")

    text = (root("grammar") / "protocol.lark").read_text(encoding="utf-8")
    built = Lark(text, parser="lalr", lexer=Elsewhere, propagate_positions=True)
    # The order in which lark's own lexer tries terminals.
    terminals = sorted(
        built.terminals, key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name)
    )
    fixed = {t.name: str(t.pattern.value) for t in terminals if isinstance(t.pattern, PatternStr)}
    words = {name: word for name, word in fixed.items() if word.isidentifier()}
    return Grammar(
        built,
        re.compile("|".join(f"(?P<{t.name}>{t.pattern.to_regexp()})" for t in terminals if t.name not in words)),
        MappingProxyType({word: name for name, word in words.items()}),
        MappingProxyType(fixed),
    )
