"""What every node of the syntax tree has: names and texts with their spans, and the walk over a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass

from refine.text.span import Span


def spanned() -> Span:
    return field(compare=False, repr=False, kw_only=True)  # type: ignore[no-any-return]


class Node:
    """What all nodes have in common: two are equal if they say the same, wherever they stand.

    It is stated once: to generate it for each of a hundred classes takes a tenth of a small check.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Whether the other node says the same."""
        return isinstance(other, Node) and type(self) is type(other) and self._said() == other._said()

    def __hash__(self) -> int:
        """Equal for equal nodes."""
        return hash((type(self).__name__, self._said()))

    def __repr__(self) -> str:
        """The node without its place."""
        said = ", ".join(f"{name}={x!r}" for name, x in zip(self._names(), self._said(), strict=True))
        return f"{type(self).__name__}({said})"

    def _said(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self._names()])

    def _names(self) -> tuple[str, ...]:
        names = _NAMES.get(type(self).__name__)
        if names is None:
            found = fields(self)  # type: ignore[arg-type]  # all that are nodes are dataclasses
            names = _NAMES[type(self).__name__] = tuple(f.name for f in found if f.compare)
        return names


_NAMES: dict[str, tuple[str, ...]] = {}  # what is compared, by class


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ident(Node):
    """A name where it stands in the text."""

    name: str
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Path(Node):
    """`zapper.final_flush`."""

    parts: tuple[Ident, ...]
    span: Span = spanned()

    def __str__(self) -> str:
        return ".".join(p.name for p in self.parts)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Text(Node):
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
