"""The tables of grammar/protocol.lark's parser, made beforehand: lark takes a second to make them, and to load itself.

They are a generated file beside the grammar, held to it by a test, and name the grammar that they were made from; where
that is another one, they are made anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refine.resources import root

if TYPE_CHECKING:
    from lark import Lark
    from lark.grammar import Rule as LarkRule

NAME = "protocol.tables.json"


@dataclass(frozen=True, slots=True)
class Rule:
    """What the parser does with the last `length` values: they become a tree called `name`, an `origin`.

    Of them it `takes` those at some positions, spliced or not, each after some that are absent, and `absent` ones at
    the end. `alone`: a single one stays as it is.
    """

    origin: str
    name: str
    length: int
    takes: tuple[tuple[int, bool, int], ...]
    absent: int
    alone: bool


@dataclass(frozen=True, slots=True)
class Tables:
    """An LALR(1) parser. In a row: where a symbol leads, or `~n` for the rule `n`, by which values become one."""

    rows: tuple[Mapping[str, int], ...]
    rules: tuple[Rule, ...]
    end: int  # the state in which a text is read
    terminals: tuple[tuple[str, str], ...]  # with their patterns, in the order in which they are tried
    words: Mapping[str, str]  # terminals that are written in one way only, and how
    ignored: frozenset[str]  # what stands between tokens


def tables() -> Tables:
    """The tables of the grammar that is there."""
    text = (root("grammar") / "protocol.lark").read_text(encoding="utf-8")
    try:
        made = json.loads((root("grammar") / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        made = {}
    return _load(made if made.get("key") == _key(text) else json.loads(dump(text)))


def _load(made: Mapping[str, Any]) -> Tables:
    rules = (
        Rule(origin, name, length, tuple((at, splice, n) for at, splice, n in takes), absent, alone)
        for origin, name, length, takes, absent, alone in made["rules"]
    )
    terminals = tuple((name, pattern) for name, pattern in made["terminals"])
    return Tables(
        tuple(made["rows"]), tuple(rules), made["end"], terminals, made["words"], frozenset(made["ignored"])
    )


def _key(grammar: str) -> str:
    return hashlib.sha256(grammar.encode()).hexdigest()


# --- making them, by lark -------------------------------------------------------------------------------------------


def dump(grammar: str) -> str:
    """The tables of a grammar, as text: one line for each rule and each state, so that changes can be seen."""
    from lark import Lark
    from lark.lexer import PatternStr

    lark = Lark(grammar, parser="lalr", lexer=_no_lexer())
    start = lark.parse_interactive().parser_state
    states, order = _in_order(start.parse_conf.states, start.parse_conf.start_state)
    rules = sorted(
        {target for row in states for target in row.values() if not isinstance(target, int)}, key=_sort_key
    )
    numbers = {rule: n for n, rule in enumerate(rules)}
    rows = [
        {name: target if isinstance(target, int) else ~numbers[target] for name, target in row.items()}
        for row in states
    ]
    # The order in which lark's own lexer tries terminals; words are told from names afterwards.
    terminals = sorted(
        lark.terminals, key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name)
    )
    words = {t.name: str(t.pattern.value) for t in terminals if isinstance(t.pattern, PatternStr)}
    parts = {
        "key": _key(grammar),
        "end": order[start.parse_conf.end_state],
        "ignored": sorted(_ignored(lark)),
        "words": words,
    }
    head = "".join(f'"{name}":{_compact(value)},\n' for name, value in parts.items())
    listed: dict[str, Iterable[object]] = {
        "terminals": [[t.name, t.pattern.to_regexp()] for t in terminals],
        "rules": [*map(_told, rules)],
        "rows": rows,
    }
    body = ",\n".join(f'"{name}":[\n{_lines(values)}\n]' for name, values in listed.items())
    return f"{{{head}{body}}}\n"


def _lines(values: Iterable[object]) -> str:
    return ",\n".join(map(_compact, values))


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _ignored(lark: Lark) -> Iterator[str]:
    yield from map(str, lark.ignore_tokens)


def _in_order(
    states: Mapping[Any, Mapping[str, tuple[object, Any]]], start: Any
) -> tuple[list[dict[str, Any]], Any]:
    """The rows, with numbers that do not depend on the order in which lark met things; a rule stays as it is."""
    from lark.grammar import Rule as LarkRule

    order, todo = {start: 0}, [start]
    for here in todo:
        for _, (_, target) in sorted(states[here].items(), key=lambda entry: entry[0]):
            if not isinstance(target, LarkRule) and target not in order:
                order[target] = len(order)
                todo.append(target)
    rows = [
        {
            name: target if isinstance(target, LarkRule) else order[target]
            for name, (_, target) in sorted(states[here].items(), key=lambda entry: entry[0])
        }
        for here in todo
    ]
    return rows, order


def _sort_key(rule: LarkRule) -> tuple[str, str, list[str]]:
    return str(rule.origin.name), str(rule.alias or ""), [str(x.name) for x in rule.expansion]


def _told(rule: LarkRule) -> list[object]:
    """What lark's rule makes of its values: nameless signs are left out, `_rules` spliced in, `[…]` may be absent."""
    from lark.grammar import Terminal

    options, takes, absent = rule.options, [], 0
    gaps = "".join("01"[x] for x in options.empty_indices).split("0") if options.empty_indices else []
    missing = [len(gap) for gap in gaps] or [0] * (len(rule.expansion) + 1)
    for n, symbol in enumerate(rule.expansion):
        absent += missing[n]
        if options.keep_all_tokens or not (isinstance(symbol, Terminal) and symbol.filter_out):
            takes.append([n, not symbol.is_term and str(symbol.name).startswith("_"), absent])
            absent = 0
    absent += missing[len(rule.expansion)]
    alone = bool(options.expand1) and not rule.alias
    name = str(rule.alias or options.template_source or rule.origin.name)
    return [str(rule.origin.name), name, len(rule.expansion), takes, absent, alone]


def _no_lexer() -> Any:
    from lark.lexer import Lexer

    class NoLexer(Lexer):
        """Stands in for lark's own, which would be built in vain."""

        def __init__(self, _conf: object) -> None:
            pass

        def lex(self, _state: Any, _parser: Any = None) -> Iterator[Any]:
            raise AssertionError("only the tables are wanted")

    return NoLexer
