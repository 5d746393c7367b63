"""The grammar itself: free of conflicts, and each of its rules is used by a fixture."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark import Lark, UnexpectedInput
from lark import Token as LarkToken
from lark import Tree as LarkTree

from refine.lang import tables
from refine.lang.automaton import Automaton
from refine.lang.nodes import RULES
from refine.lang.tokens import END, grammar, scan
from refine.lang.tree import Token, Tree
from refine.resources import root
from refine.text.diag import Reporter
from refine.text.span import Source
from tests.tools.tables import made

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.spte"))


@pytest.fixture(scope="module")
def strict() -> Lark:
    text = (root("grammar") / "protocol.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="basic", strict=True, propagate_positions=True)


def test_there_are_no_conflicts(strict: Lark) -> None:
    assert strict.rules


def test_each_rule_is_used_by_a_fixture(strict: Lark) -> None:
    used = {
        str(node.data)
        for path in FIXTURES
        for node in strict.parse(path.read_text(encoding="utf-8")).iter_subtrees()
    }
    # Rules that begin with `_` are part of others, and so are those with `?` whose alternatives all have one part.
    made = {rule.alias or str(rule.origin.name) for rule in strict.rules}
    made = {name for name in made if not name.startswith("_")}
    transparent = {str(rule.origin.name) for rule in strict.rules if rule.options.expand1}
    assert made - transparent <= used
    assert used <= made


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_our_scanner_agrees_with_larks(strict: Lark, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    scanned = scan(Source(path.name, text), Reporter())
    assert scanned is not None
    ours = scanned.tokens
    theirs = list(strict.lex(text))
    assert [(t.type, str(t), t.start_pos, t.end_pos) for t in ours if t.type != END] == [
        (t.type, str(t), t.start_pos, t.end_pos) for t in theirs
    ]


def test_the_grammar_is_built_once() -> None:
    assert grammar() is grammar()


def test_each_rule_has_a_maker(strict: Lark) -> None:
    rules = {rule.alias or str(rule.origin.name) for rule in strict.rules}
    rules = {rule for rule in rules if not rule.startswith("_")}
    transparent = {str(rule.origin.name) for rule in strict.rules if rule.options.expand1} - {"stmt"}
    assert set(RULES) == rules - transparent


def test_tables_are_those_of_the_grammar() -> None:
    there = (root("grammar") / tables.NAME).read_text(encoding="utf-8")
    assert there == made(), "make them anew: python -m tests.tools.tables"


def test_other_tables_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grammar = (root("grammar") / "protocol.lark").read_text(encoding="utf-8")
    (tmp_path / "protocol.lark").write_text(grammar + "// another one\n")
    shipped = tables.tables()
    monkeypatch.setattr(tables, "root", lambda _kind: tmp_path)
    assert tables.tables() == shipped  # there are none
    (tmp_path / tables.NAME).write_text((root("grammar") / tables.NAME).read_text().replace("NAME", "EMAN"))
    assert tables.tables() == shipped  # there are those of another grammar


def ours(text: str) -> Tree | None:
    scanned = scan(Source("x.spte", text), Reporter())
    automaton = Automaton()
    for token in scanned.tokens if scanned is not None else ():
        if not automaton.feed(token):
            return None
    return automaton.tree


def plain(value: object) -> object:
    """A tree, ours or lark's: names, places, words, what is absent."""
    match value:
        case Tree():
            return value.data, value.span, [plain(part) for part in value.children]
        case LarkTree():
            span = None if value.meta.empty else (value.meta.start_pos, value.meta.end_pos)
            return str(value.data), span, [plain(part) for part in value.children]
        case Token() | LarkToken():
            return value.type, str(value), value.start_pos, value.end_pos
        case _:
            return value


def theirs(strict: Lark, text: str) -> object:
    try:
        return plain(strict.parse(text))
    except UnexpectedInput:
        return None


SPECIFICATIONS = [*FIXTURES, *sorted(root("spec").rglob("*.spte"))]


@pytest.mark.parametrize("path", SPECIFICATIONS, ids=lambda path: path.stem)
def test_our_parser_makes_the_trees_that_larks_makes(strict: Lark, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert plain(ours(text)) == theirs(strict, text)


@given(st.sampled_from(FIXTURES), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_and_takes_what_larks_takes(strict: Lark, path: Path, chance: random.Random) -> None:
    """Of texts with a word or sign that is lost, doubled, or exchanged with another."""
    text = path.read_text(encoding="utf-8")
    scanned = scan(Source(path.name, text), Reporter())
    assert scanned is not None
    tokens = [t for t in scanned.tokens if t.type != END]
    here, other = chance.choice(tokens), chance.choice(tokens)
    instead = chance.choice(["", f"{here} {here}", str(other), f"{here} {other}"])
    changed = f"{text[: here.start_pos]} {instead} {text[here.end_pos :]}"
    assert plain(ours(changed)) == theirs(strict, changed)
