"""The parser of grammar/protocol.lark, from tables that are made beforehand: building it anew takes a second.

The tables are a generated file beside the grammar, held to it by a test. They name the grammar and the version of lark
that they were made from; where either is another one, the parser is built from the grammar.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from refine.resources import root

if TYPE_CHECKING:
    from lark import Lark

NAME = "protocol.tables.json"


def parser() -> tuple[Lark, frozenset[str]]:
    """The parser, which is fed token by token, and the terminals that stand between tokens."""
    text = (root("grammar") / "protocol.lark").read_text(encoding="utf-8")
    try:
        made = json.loads((root("grammar") / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        made = {}
    return _load(made) if made.get("key") == key(text) else build(text)


def key(grammar: str) -> str:
    """What tables are made from."""
    import lark

    return f"{lark.__version__} {hashlib.sha256(grammar.encode()).hexdigest()}"


def build(grammar: str) -> tuple[Lark, frozenset[str]]:
    """The parser of a grammar."""
    from lark import Lark

    made = Lark(grammar, parser="lalr", lexer=_no_lexer(), propagate_positions=True)
    return made, frozenset(made.ignore_tokens)


def dump(grammar: str) -> str:
    """The tables of a grammar, as text: one line for each state, so that changes can be seen."""
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    made, ignored = build(grammar)
    data, memo = made.memo_serialize([TerminalDef, Rule])
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = None
    data, memo = _in_order(data, memo)
    states = data["parser"]["parser"].pop("states")
    parts = {"key": key(grammar), "ignored": sorted(ignored), "data": data}
    head = ",\n".join(f'"{name}":{_compact(value)}' for name, value in parts.items())
    memos = ",\n".join(f'"{name}":{_compact(value)}' for name, value in memo.items())
    rows = ",\n".join(f'"{name}":{_compact(value)}' for name, value in states.items())
    return f'{{{head},\n"memo":{{\n{memos}\n}},\n"states":{{\n{rows}\n}}}}\n'


def _in_order(data: Any, memo: dict[int, Any]) -> tuple[Any, dict[int, Any]]:
    """The same tables with numbers that do not depend on the order in which lark met things."""
    table = data["parser"]["parser"]
    names = table["tokens"]
    rows = {n: sorted((names[t], action) for t, action in row.items()) for n, row in table["states"].items()}
    [start] = table["start_states"].values()
    order, todo = {start: 0}, [start]
    for here in todo:
        for _, (reduces, target) in rows[here]:
            if not reduces and target not in order:
                order[target] = len(order)
                todo.append(target)
    tokens = {name: n for n, name in enumerate(sorted(names.values()))}
    ranks = {
        n: rank for rank, n in enumerate(sorted(memo, key=lambda n: json.dumps(memo[n], sort_keys=True)))
    }

    def renamed(x: Any) -> Any:
        match x:
            case {"@": n}:
                return {"@": ranks[n]}
            case dict():
                return {name: renamed(value) for name, value in x.items()}
            case list() | tuple():
                return [renamed(value) for value in x]
            case _:
                return x

    table["states"] = {}
    found = renamed(data)
    made = found["parser"]["parser"]
    made["tokens"] = {n: name for name, n in tokens.items()}
    made["states"] = {
        order[here]: {
            tokens[name]: [reduces, renamed(target) if reduces else order[target]]
            for name, (reduces, target) in rows[here]
        }
        for here in todo
    }
    for which in ("start_states", "end_states"):
        made[which] = {name: order[n] for name, n in table[which].items()}
    for listed in (
        found["rules"],
        found["parser"]["parser_conf"]["rules"],
        found["parser"]["lexer_conf"]["terminals"],
    ):
        listed.sort(key=lambda x: x["@"])
    found["parser"]["lexer_conf"]["ignore"].sort()
    return found, {ranks[n]: renamed(memo[n]) for n in sorted(memo, key=ranks.__getitem__)}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _load(made: dict[str, Any]) -> tuple[Lark, frozenset[str]]:
    from lark import Lark

    data, memo = made["data"], {int(n): x for n, x in made["memo"].items()}
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = _no_lexer()
    table = data["parser"]["parser"]
    table["tokens"] = {int(n): name for n, name in table["tokens"].items()}
    table["states"] = {
        int(n): {int(token): action for token, action in row.items()} for n, row in made["states"].items()
    }
    found: Lark = Lark._load_from_dict(data, memo)  # type: ignore[no-untyped-call]  # noqa: SLF001
    return found, frozenset(made["ignored"])


def _no_lexer() -> Any:
    from lark.lexer import Lexer

    class NoLexer(Lexer):
        """Stands in for lark's own, which would be built in vain."""

        def __init__(self, _conf: object) -> None:
            pass

        def lex(self, _state: Any, _parser: Any = None) -> Iterator[Any]:
            raise AssertionError("tokens are fed to the parser one by one")

    return NoLexer
