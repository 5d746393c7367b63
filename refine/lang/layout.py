"""Lines of bounded width: a small pretty-printer, for whatever is printed in the surface language.

A document is a text, a tuple of documents, or one of the classes below. A group is printed on one line if it
fits there and nothing in it forbids that, otherwise each of its own lines is broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

WIDTH = 100
INDENT = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A place to break: a blank, or another text, where it is not broken."""

    flat: str = " "
    hard: bool = False  # always broken


@dataclass(frozen=True, slots=True)
class Blank:
    """An empty line."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment, beside code at the column where it stood if there is room.

    Its width does not count, since nothing is gained by breaking the code before it.
    """

    text: str
    column: int = 0


@dataclass(frozen=True, slots=True)
class Nest:
    """What stands four columns further in."""

    doc: Doc


@dataclass(frozen=True, slots=True)
class Group:
    """What stands on one line if possible."""

    doc: Doc
    broken: bool


@dataclass(frozen=True, slots=True)
class Fill:
    """Parts with commas between them, as many on a line as fit."""

    parts: tuple[Doc, ...]


Doc: TypeAlias = "str | tuple[Doc, ...] | Line | Blank | Remark | Nest | Group | Fill"

HARD = Line(hard=True)


def group(*parts: Doc, broken: bool = False) -> Group:
    """Make a group; what has to be broken inside breaks it too."""
    return Group(parts, broken or _must_break(parts))


def join(separator: Doc, parts: Sequence[Doc]) -> Doc:
    """Put a separator between parts."""
    return tuple(piece for part in parts for piece in (separator, part))[1:]


def render(doc: Doc, width: int | None = WIDTH) -> str:
    """Print a document; without a width, all on one line where nothing forbids it."""
    out: list[str] = []
    column = 0
    todo: list[tuple[int, bool, Doc]] = [
        (0, False, doc)
    ]  # indentation, on one line?, what; the next one last
    while todo:
        indent, flat, here = todo.pop()
        match here:
            case str():
                out.append(here)
                column += len(here)
            case tuple():
                todo += [(indent, flat, part) for part in reversed(here)]
            case Nest():
                todo.append((indent + INDENT, flat, here.doc))
            case Group():
                one_line = flat or (not here.broken and _fits(here.doc, todo, width, column))
                todo.append((indent, one_line, here.doc))
            case Line():
                if flat and not here.hard:
                    out.append(here.flat)
                    column += len(here.flat)
                else:
                    out.append("\n" + " " * indent)
                    column = indent
            case Blank():
                out.append("\n")
            case Fill():
                pieces: list[Doc] = []
                at = column
                for number, part in enumerate(here.parts):
                    size = _flat_width(part) + 1  # with the comma
                    if number and not flat and width is not None and at + 1 + size > width:
                        pieces.append(HARD)
                        at = indent + size
                    else:
                        pieces.append(" " if number else "")
                        at += size + bool(number)
                    pieces.append((part, "," if number < len(here.parts) - 1 else ""))
                todo += [(indent, flat, piece) for piece in reversed(pieces)]
            case Remark():
                if column > indent:
                    room = max(2, here.column - column) if here.column <= WIDTH - 20 else 2
                    out.append(" " * room)
                    column += room
                first, *rest = here.text.split("\n")
                out.append(first)
                out += ["\n" + (" " * column + line if line else "") for line in rest]
                column += len(first)
    return "\n".join(line.rstrip() for line in "".join(out).split("\n"))


def _must_break(doc: Doc) -> bool:
    todo: list[Doc] = [doc]
    while todo:
        match todo.pop():
            case tuple() as parts:
                todo += parts
            case Nest(inner):
                todo.append(inner)
            case Fill(parts):
                todo += parts
            case Group(_, broken):
                if broken:
                    return True
            case Line(_, hard):
                if hard:
                    return True
            case Blank() | Remark():
                return True
            case str():
                pass
    return False


def _fits(doc: Doc, after: list[tuple[int, bool, Doc]], width: int | None, column: int) -> bool:
    """Tell whether a document fits on the line, with what follows it up to the next place to break."""
    if width is None:
        return True
    room = width - column
    todo: list[tuple[bool, Doc]] = [(True, doc)]
    next_after = len(after) - 1
    while room >= 0:
        if not todo:
            if next_after < 0:
                return True
            todo.append(after[next_after][1:])
            next_after -= 1
        flat, here = todo.pop()
        match here:
            case str():
                room -= len(here)
            case tuple():
                todo += [(flat, part) for part in reversed(here)]
            case Nest():
                todo.append((flat, here.doc))
            case Group():
                todo.append((flat or not here.broken, here.doc))
            case Line():
                if here.hard or not flat:
                    return True
                room -= len(here.flat)
            case Fill():
                if not flat:
                    return room >= (_flat_width(here.parts[0]) if here.parts else 0)
                room -= _flat_width(here)
            case Remark() | Blank():
                return True
    return False


def _flat_width(doc: Doc) -> int:
    size = 0
    todo: list[Doc] = [doc]
    while todo:
        match todo.pop():
            case str() as text:
                size += len(text)
            case tuple() as parts:
                todo += parts
            case Nest(inner) | Group(inner, _):
                todo.append(inner)
            case Line(flat, _):
                size += len(flat)
            case Fill(parts):
                todo += parts
                size += 2 * max(0, len(parts) - 1)
            case Blank() | Remark():
                pass
    return size
