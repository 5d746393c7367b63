"""What the parser makes: tokens, and trees of them that know where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Self, TypeAlias

from refine.lang.tables import Rule

Value: TypeAlias = "Token | Tree"


class Token(str):
    """A word or sign: the name of its terminal, its text, and where that stands."""

    __slots__ = ("end_pos", "start_pos", "type")

    type: str
    start_pos: int
    end_pos: int

    def __new__(cls, type_: str, text: str, start_pos: int = 0, end_pos: int = 0) -> Self:
        """Make one."""
        made = super().__new__(cls, text)
        made.type, made.start_pos, made.end_pos = type_, start_pos, end_pos
        return made


class Tree:
    """What a rule of the grammar stands for, with its parts: trees, tokens, and what is absent.

    `span`: from the first to the last of its words and signs; None where it has none. `outer`: with the parentheses
    around it, of which nothing else is left.
    """

    __slots__ = ("children", "data", "outer", "span")

    def __init__(self, data: str, children: list[Value | None]) -> None:
        self.data = data
        self.children = children
        self.span: tuple[int, int] | None = None
        self.outer: tuple[int, int] | None = None

    def subtrees(self) -> Iterator[Tree]:
        """All trees in it, parts before what they are parts of."""
        found = [self]
        for tree in found:
            found += [part for part in reversed(tree.children) if isinstance(part, Tree)]
        return reversed(found)


def reduced(rule: Rule, values: Sequence[Value | None]) -> Value | None:
    """What a rule makes of its values."""
    kept: list[Value | None] = []
    for at, splice, absent in rule.takes:
        kept += [None] * absent
        value = values[at]
        if splice:
            assert isinstance(value, Tree), "what is spliced in is a rule's"
            kept += value.children
        else:
            kept.append(value)
    kept += [None] * rule.absent
    made = kept[0] if rule.alone and len(kept) == 1 else Tree(rule.name, kept)
    if isinstance(made, Tree):
        begin, end = _edge(values, 0), _edge(reversed(values), 1)
        if begin is not None and end is not None:
            made.outer = (begin, end)
            made.span = made.span or made.outer
    return made


def _edge(values: Iterable[Value | None], which: int) -> int | None:
    """Where the first of the values that stand somewhere begins or ends."""
    for value in values:
        if isinstance(value, Token):
            return value.end_pos if which else value.start_pos
        if isinstance(value, Tree) and value.outer is not None:
            return value.outer[which]
    return None
