"""Broken variants of a specification, as text and as syntax trees: for finding input that is not answered properly."""

from __future__ import annotations

import dataclasses
import re
from itertools import pairwise
from random import Random
from typing import Any

from refine.lang import ast

_TOKEN = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|\s+|[-+<>=!&|]+|.', re.DOTALL
)
_NUMBERS = ["0", "1", "2", "7", "255", "256", "0x10", "65536", str(1 << 64), "9" * 40]
_WORDS = [
    "step", "when", "thread", "rule", "shared", "ghost", "op", "proc", "fn", "if", "else", "while", "loop", "choose",
    "or", "maybe", "for", "each", "all", "in", "none", "self", "old", "havoc", "where", "assume", "require", "return",
    "break", "continue", "index", "slot", "ring", "gfn", "enum", "machine", "struct", "type", "set", "int", "u8",
    "bool", "claim", "always", "never", "after", "forall", "exists", "count", "at", "end", "import", "param", "x",
]  # fmt: skip
_RESERVED = {
    *_WORDS, "protocol", "library", "source", "import", "cites", "sizes", "const", "guarded", "by", "alive", "requires",
    "hold", "acquires", "releases", "fair", "strong", "idle", "true", "false", "lemma", "reach", "because", "using",
    "mutant", "variant", "breaks", "keeps", "within", "leads", "to", "of", "eventually", "uncovered", "era",
}  # fmt: skip
_SIGNS = [
    "{", "}", "(", ")", "[", "]", ";", ",", ":", ".", "..", "->", "=", "==", "!=", "<", "<=", "&&", "||", "!", "+",
    "-", "*", "/", "%", "<<", "|", "&", "^", "~", "?", "#", "+=", "-=", '"', "'", "\\", "//", "/*", "*/", "@", "$",
    "\x00", "\x1b[31m", "\u202e", "\ufeff", "\u00e9", "\U0001f600", "\r", "\t", "\n",
]  # fmt: skip


_OPERATORS = [
    "==",
    "!=",
    "<",
    "<=",
    ">",
    "&&",
    "||",
    "->",
    "+",
    "-",
    "*",
    "/",
    "%",
    "&",
    "|",
    "^",
    "=",
    "+=",
    "-=",
]


def mutate_text(rng: Random, text: str, other: str) -> str:
    """A text with a few tokens deleted, doubled, swapped, replaced or put in; perhaps with a piece of another."""
    tokens = _TOKEN.findall(text)
    for _ in range(rng.choice([1, 1, 1, 1, 2, 3])):
        solid = [k for k, t in enumerate(tokens) if not t.isspace()]
        at = rng.choice(solid)
        names = [k for k in solid if tokens[k].isidentifier() and tokens[k] not in _RESERVED]
        match rng.randrange(28):
            case 0:
                del tokens[at]
            case 1:
                tokens.insert(at, tokens[at] + " ")
            case 2:
                to = rng.choice(solid)
                tokens[at], tokens[to] = tokens[to], tokens[at]
            case 3:
                alike = [t for t in tokens if t[0].isalpha() == tokens[at][0].isalpha() and not t.isspace()]
                tokens[at] = rng.choice(alike)
            case 4:
                tokens.insert(at, rng.choice(_SIGNS) + " ")
            case 5:
                tokens.insert(at, rng.choice(_WORDS) + " ")
            case 6 | 7 | 8 | 9 | 10:
                numbers = [k for k in solid if tokens[k].isdigit()]
                if numbers:
                    tokens[rng.choice(numbers)] = rng.choice(_NUMBERS)
            case 11 | 12 | 13 | 14:
                tokens[rng.choice(names)] = tokens[rng.choice(names)]
            case 15 | 16 | 17 | 18 | 19:
                signs = [k for k in solid if tokens[k] in _OPERATORS]
                if signs:
                    tokens[rng.choice(signs)] = rng.choice(_OPERATORS)
            case 20 | 21 | 22 | 23 | 24 | 25:
                ends = [k for k in solid if tokens[k] == ";"]
                plain = [(a + 1, b + 1) for a, b in pairwise(ends) if not {"{", "}"} & set(tokens[a:b])]
                start, end = rng.choice(plain or [(at, at + 1)])
                piece = tokens[start:end]
                if rng.random() < 0.5:
                    del tokens[start:end]
                else:
                    to = rng.choice(ends) + 1
                    tokens[to:to] = piece
            case 26:
                piece = _TOKEN.findall(other)
                start = rng.randrange(len(piece))
                tokens[at:at] = piece[start : start + rng.randint(1, 20)]
            case _:
                end = min(len(tokens), at + rng.randint(1, 30))
                if rng.random() < 0.5:
                    del tokens[at:end]
                else:
                    tokens[at:at] = tokens[at:end]
    return "".join(tokens)


# --- trees ------------------------------------------------------------------------------------------------------

# Where only some nodes of a kind fit: by class and field, a kind of its own.
_NARROW: dict[tuple[str, str], tuple[str, Any]] = {
    ("CallStmt", "call"): ("call", ast.Call),
    ("If", "other"): ("else", ast.Block | ast.If),
    ("Instance", "type"): ("instance", ast.NamedType),
}
_KINDS: dict[str, Any] = {
    "expression": ast.Expr,
    "statement": ast.Stmt,
    "type": ast.TypeExpr,
    "block": ast.Block,
    "name": ast.Ident,
    "property": ast.PropertyExpr,
}
Place = tuple[tuple[str, int | None], ...]  # fields and positions that lead to a node


def places(file: ast.File) -> dict[str, list[tuple[Place, Any]]]:
    """Every node of a tree by its kind, with the way to it."""
    kinds = (*_KINDS, "item", *(kind for kind, _ in _NARROW.values()))
    found: dict[str, list[tuple[Place, Any]]] = {kind: [] for kind in kinds}
    todo: list[tuple[Place, Any, Any]] = [((("items", k),), item, file) for k, item in enumerate(file.items)]
    found["item"] = [(place, item) for place, item, _ in todo]
    while todo:
        place, node, parent = todo.pop()
        narrow = _NARROW.get((type(parent).__name__, place[-1][0]))
        for kind, types in _KINDS.items() if narrow is None else [narrow]:
            if isinstance(node, types):
                found[kind].append((place, node))
        for field in dataclasses.fields(node):
            value = getattr(node, field.name)
            if field.name in ("span", "doc", "comments"):
                continue
            parts = enumerate(value) if isinstance(value, tuple) else [(None, value)]
            todo += [
                ((*place, (field.name, k)), part, node) for k, part in parts if dataclasses.is_dataclass(part)
            ]
    return found


def put(node: Any, place: Place, new: Any) -> Any:
    """A tree with one node replaced; `new` is a list of nodes where the place is in a tuple."""
    (field, at), rest = place[0], place[1:]
    value = getattr(node, field)
    if at is None:
        return dataclasses.replace(node, **{field: put(value, rest, new) if rest else new[0]})
    middle = [put(value[at], rest, new)] if rest else new
    return dataclasses.replace(node, **{field: (*value[:at], *middle, *value[at + 1 :])})


def _moved(node: Any, span: Any) -> Any:
    """A node of another text, as if it stood here."""
    if isinstance(node, tuple):
        return tuple(_moved(part, span) for part in node)
    if not dataclasses.is_dataclass(node):
        return node
    parts = {
        f.name: _moved(getattr(node, f.name), span) for f in dataclasses.fields(node) if f.name != "span"
    }
    return dataclasses.replace(node, **parts, span=span)  # type: ignore[type-var]


def mutate_tree(rng: Random, file: ast.File, other: ast.File) -> ast.File:
    """A tree with a few nodes replaced by others of their kind, deleted, doubled or swapped."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        source = rng.choice([file, file, file, other])
        here, there = places(file), places(source)
        kinds = ["expression"] * 4 + ["statement"] * 4 + ["name"] * 2
        kinds += ["type", "block", "property", "item", "call", "else", "instance"]
        kind = rng.choice([k for k in kinds if here[k] and there[k]])
        place, node = rng.choice(here[kind])
        _, donor = rng.choice(there[kind])
        if source is other:
            donor = _moved(donor, node.span)
        many = place[-1][1] is not None
        match rng.randrange(5):
            case 0 if kind in ("statement", "item") and many:
                new = []
            case 1 if kind in ("statement", "item") and many:
                new = [node, node]
            case 2 if kind == "expression" and isinstance(node, ast.Integer):
                new = [dataclasses.replace(node, value=int(rng.choice(_NUMBERS), 0))]
            case 3 if kind == "name":
                new = [
                    dataclasses.replace(
                        node, name=rng.choice(["x", "self_", "__class__", "lambda", node.name[:1]])
                    )
                ]
            case 4 if kind == "statement" and many:
                new = [donor, node]
            case _:
                new = [donor]
        file = put(file, place, new)
    return file
