"""What would have fitted at a place, in the words of whoever writes specifications."""

from __future__ import annotations

from collections.abc import Iterable

_KINDS = {
    "NAME": "a name", "INT": "a number", "STRING": "a text in quotes", "$END": "the end of the file",
    "WORD": "a word type", "leads": "`leads to`",
}  # fmt: skip
_UNARY = {"!", "-", "~"}
_ATOMS = {"NAME", "INT", "true", "false", "none", "self", "old", "(", "{"}
_QUANTIFIERS = {"forall", "exists", "count"}
_TYPES = {"bool", "int", "WORD", "thread", "set"}
_OPERATORS = {
    "COMPARE", "BITOP", "SHIFT", "MULOP", "<", ">", "+", "-", "&&", "||", "->", "?", "in", "!", "[", ".",
    "at",
}  # fmt: skip
_STATEMENTS = {
    "step", "idle", "if", "while", "loop", "maybe", "choose", "for", "havoc", "assume", "require", "break",
    "continue", "return",
}  # fmt: skip
_ACTIONS = {"havoc", "assume", "require", "break", "continue", "return"}
_EDITS = {"delete", "swap", "replace", "insert", "weaken", "drop", "set"}
# A group stands for all of its members, where all of the first set would fit.
_GROUPS: tuple[tuple[set[str], set[str], str], ...] = (
    ({"shared", "claim", "param"}, set(), "a declaration (`shared`, `thread`, `claim`, …)"),
    ({"shared", "claim"}, set(), "a member of the type (`shared`, `op`, `hold`, …)"),
    (_STATEMENTS, _TYPES | {"NAME"}, "a statement (`step`, `if`, `x = …`, …)"),
    (_ACTIONS, {"NAME"}, "an action (`x = …`, a call, …)"),
    (_EDITS, set(), "an edit (`delete`, `swap`, `drop`, …)"),
    (_ATOMS | _UNARY, _QUANTIFIERS, "an expression"),
    (_TYPES, {"NAME"}, "a type"),
)
_MOST = 6
_PUNCTUATION = ";,:.()[]{}=?"


def expected(fits: frozenset[str]) -> str:
    """Return what would fit: `;` or an operator."""
    rest = set(fits)
    phrases = []
    for needed, more, phrase in _GROUPS:
        if needed <= rest:
            rest = rest & {"}"} if "shared" in needed else rest - needed - more
            phrases.append(phrase)
    operators = rest & _OPERATORS
    if len(operators) > 3:
        rest -= operators | {"#", "("}  # which may follow a name
        phrases.append("an operator")
    signs = sorted(rest, key=lambda kind: (len(kind) > 1, _PUNCTUATION.find(kind), kind))
    words = [_KINDS.get(kind, f"`{kind}`") for kind in signs]
    if len(words) > _MOST:
        words[_MOST:] = ["…"]
    return choice([*words, *phrases])


def choice(words: Iterable[str]) -> str:
    """Join phrases: a, b or c."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def found(kind: str, text: str) -> str:
    """Return what stands there instead."""
    match kind:
        case "NAME":
            return f"the name `{_short(text)}`"
        case "INT":
            return f"the number `{_short(text)}`"
        case "STRING":
            return "a text in quotes"
        case "$END":
            return "the end of the file"
        case _:
            return f"`{text}`"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
