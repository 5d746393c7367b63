"""From text to the syntax tree: reads all of a file, and reports all that is wrong with its syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refine.lang import ast
from refine.lang.automaton import Automaton
from refine.lang.build import build
from refine.lang.tokens import BROKEN, END, MOST_ERRORS, Scanned, grammar, scan
from refine.lang.tree import Token, Tree
from refine.text.diag import Reporter
from refine.text.span import Source

if TYPE_CHECKING:
    from refine.lang.slips import Slip

_LOOKAHEAD = 6
_MISSED = (
    "SEMICOLON", "COMMA", "COLON", "EQUAL", "DOT", "RPAR", "RSQB", "LPAR", "LBRACE", "IN", "COMPARE", "NAME", "RBRACE",
)  # fmt: skip


def parse(source: Source, reporter: Reporter) -> ast.File | None:
    """Return the syntax tree of a text, or report what is wrong with it.

    After an error, reading goes on: with what was probably meant where that fits, otherwise with the next
    statement or declaration. So there is one report for each mistake, and not more than `MOST_ERRORS`.
    """
    found = Reporter()
    file = None
    scanned = scan(source, found)
    if scanned is not None:
        tree = _read(source, scanned, found)
        if tree is not None and not found.has_errors:
            file = build(tree, source, scanned.comments, found)
    for diagnostic in found.sorted()[:MOST_ERRORS]:
        reporter.add(diagnostic)
    return None if found.has_errors else file


def _read(source: Source, scanned: Scanned, reporter: Reporter) -> Tree | None:
    tokens = scanned.tokens
    automaton = Automaton()
    at, resumed = 0, -1
    while True:
        token = tokens[at]
        if automaton.feed(token):
            if token.type == END:
                return automaton.tree
            at += 1
            continue
        to_item, guess = False, token.type == BROKEN
        emptied = token.type == "RBRACE" and at == resumed  # all that stood in this list could not be read
        if token.type != BROKEN and not emptied:
            from refine.lang.slips import Place, find_slip  # what is right needs none of it

            slip = find_slip(Place(source, tokens, at, automaton))
            reporter.add(slip.diagnostic)
            if len(reporter.diagnostics) >= MOST_ERRORS:
                return None
            if _mend(automaton, tokens, at, slip):
                at += slip.instead
                continue
            to_item, guess = slip.to_item, slip.guess
        if token.type == END:
            return None
        if guess and (mended := _guess(automaton, tokens, at)) is not None:
            at = mended
            continue
        at = resumed = _skip(source, automaton, tokens, at, to_item)
        if tokens[at].type == END:
            return None


def _mend(automaton: Automaton, tokens: list[Token], at: int, slip: Slip) -> bool:
    """Go on as if what was meant stood there, if then the next token fits."""
    if slip.insert is None:
        return False
    terminals = [grammar().terminals.get(text, text) for text in slip.insert]
    if not automaton.accepts(*terminals, tokens[at + slip.instead].type):
        return False
    _insert(automaton, terminals, tokens[at])
    return True


def _guess(automaton: Automaton, tokens: list[Token], at: int) -> int | None:
    """Put one token in, leave one out, or read one as another, if then the next few fit; return where to go on."""
    following = [token.type for token in tokens[at : at + _LOOKAHEAD]]
    for terminal in _MISSED:
        if automaton.accepts(terminal, *following):
            _insert(automaton, [terminal], tokens[at])
            return at
    if automaton.accepts(*following[1:]):
        return at + 1
    for terminal in _MISSED:
        if automaton.accepts(terminal, *following[1:]):
            _insert(automaton, [terminal], tokens[at])
            return at + 1
    return None


def _insert(automaton: Automaton, terminals: list[str], before: Token) -> None:
    for terminal in terminals:
        text = grammar().shown.get(terminal, "")
        fits = automaton.feed(Token(terminal, text, before.start_pos, before.start_pos))
        assert fits, "it was tried before"


def _skip(source: Source, automaton: Automaton, tokens: list[Token], at: int, to_item: bool) -> int:
    """Leave out the rest of an element that cannot be read, and return where to go on.

    That is after its `;` or its block, before the end of the block around it, before a line that begins
    another element, or before a declaration at the margin; with `to_item` only the last.
    """
    from refine.lang.slips import begins_line

    depth = automaton.leave_element()
    if depth is None:
        depth = automaton.begin_items()
    while (token := tokens[at]).type != END:
        start = token.start_pos
        word = str(token).isidentifier() and token.type != "NAME" and begins_line(source.text, start)
        if word and source.span(start).col == 1 and automaton.begins_item(token.type):
            while automaton.leave_list():
                automaton.leave_element()
            return at
        at += 1
        if to_item:
            continue
        if word and depth == 0 and automaton.accepts(token.type):
            return at - 1
        if token.type == "LBRACE":
            depth += 1
        elif token.type == "RBRACE":
            if depth == 0:
                if automaton.accepts("RBRACE"):
                    return at - 1
                if automaton.leave_list():
                    depth = 1 + (automaton.leave_element() or 0)
            depth -= 1
            after = tokens[at].type
            if depth <= 0 and (after in (END, "RBRACE", "SEMICOLON") or automaton.accepts(after)):
                return at + (after == "SEMICOLON")  # otherwise that was a set
        elif token.type == "SEMICOLON" and depth == 0:
            return at
    return at
