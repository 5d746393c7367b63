"""What every node of the syntax tree has: names and texts with their spans, and the walk over a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass

from refine.text.span import Span


def spanned() -> Span:
    return field(compare=False, repr=False, kw_only=True)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Ident:
    """A name where it stands in the text."""

    name: str
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Path:
    """`zapper.final_flush`."""

    parts: tuple[Ident, ...]
    span: Span = spanned()

    def __str__(self) -> str:
        return ".".join(p.name for p in self.parts)


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal; `value` has its escapes resolved."""

    value: str
    span: Span = spanned()


def walk(node: object) -> Iterator[object]:
    """All nodes of a tree, the node itself first. The parser bounds the depth."""
    if is_dataclass(node) and not isinstance(node, Span):
        yield node
        for f in fields(node):
            yield from walk(getattr(node, f.name))
    elif isinstance(node, tuple):
        for item in node:
            yield from walk(item)
