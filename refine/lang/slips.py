"""What a syntax error probably is: the common slips with their remedies, and what would have fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from refine.lang.automaton import Automaton
from refine.lang.expected import expected, found
from refine.lang.tokens import END, grammar
from refine.text.diag import Diagnostic, Note, suggest
from refine.text.span import Source, Span

if TYPE_CHECKING:
    from refine.lang.tree import Token


@dataclass(frozen=True, slots=True)
class Slip:
    """A report, and how to go on.

    As if `insert` stood before the token, or `instead` of it; or, where that does not fit, by leaving out
    what cannot be read, with `to_item` up to the next declaration. With `guess`, nobody knows what was meant.
    """

    diagnostic: Diagnostic
    insert: tuple[str, ...] | None = None
    instead: bool = False
    to_item: bool = False
    guess: bool = False


class Place:
    """The token that does not fit, and what is around it. Kinds of tokens are given as they are written."""

    def __init__(self, source: Source, tokens: list[Token], at: int, automaton: Automaton) -> None:
        """Look at the token `at`, which the automaton has refused."""
        self.source = source
        self.tokens = tokens
        self.at = at
        self.automaton = automaton
        self.token = tokens[at]
        self.kind = self.kind_at(0)

    def kind_at(self, offset: int) -> str:
        """Return the kind of a token near this one: its text, or the terminal if that has several texts."""
        at = self.at + offset
        if not 0 <= at < len(self.tokens):
            return ""
        return _kind(self.tokens[at])

    def joined(self, offset: int) -> bool:
        """Tell whether a token near this one follows the one before it without a gap."""
        at = self.at + offset
        return 0 < at < len(self.tokens) and self.tokens[at - 1].end_pos == self.tokens[at].start_pos

    @cached_property
    def fits(self) -> frozenset[str]:
        """What would fit instead."""
        shown = grammar().shown
        return frozenset(shown.get(name, name) for name in self.automaton.acceptable())

    @cached_property
    def begins_line(self) -> bool:
        return begins_line(self.source.text, self.token.start_pos or 0)

    @cached_property
    def is_word(self) -> bool:
        """Whether it is a reserved word."""
        return self.kind.isidentifier() and self.kind.islower()

    @cached_property
    def open(self) -> list[Token]:
        """The brackets that are open here, outermost first."""
        return self.automaton.open_brackets()

    def span(self, first: int = 0, last: int = 0) -> Span:
        """Return where some tokens stand; that of the end of the file is just after the last one."""
        low, high = self.tokens[self.at + first], self.tokens[self.at + last]
        if self.kind == END and first == 0:
            return self.gap
        return Span(self.source, low.start_pos or 0, high.end_pos or 0)

    @cached_property
    def gap(self) -> Span:
        """The place just after the token before."""
        end = self.tokens[self.at - 1].end_pos if self.at else 0
        return Span(self.source, end or 0, end or 0)

    def slip(
        self, code: str, message: str, help: str | None = None, *notes: Note, span: Span | None = None
    ) -> Diagnostic:
        """Return a diagnostic about the token, or about another place."""
        return Diagnostic(code, message, self.span() if span is None else span, help, notes)


def find_slip(place: Place) -> Slip:
    """Say what is wrong."""
    return next(slip for rule in _SLIPS for slip in [rule(place)] if slip is not None)


def begins_line(text: str, at: int) -> bool:
    """Tell whether only blanks stand before a place in its line."""
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()


_CLOSER = {"(": ")", "[": "]", "{": "}"}
_STATEMENTS = {
    "step", "idle", "if", "while", "loop", "maybe", "choose", "for", "havoc", "require", "break", "continue",
    "return",
}  # fmt: skip
_EDITS = {"delete", "swap", "replace", "insert", "weaken", "drop", "set"}
# Reserved words that nobody would mean as a name, unless it is clear that they declare something.
_CONNECTIVES = {
    "in", "else", "or", "when", "where", "by", "to", "of", "at", "within", "using", "because", "cites",
    "guarded", "alive", "leads", "if", "self", "true", "false", "none",
}  # fmt: skip
_DECLARATORS = {"=", ";", ",", ")", "[", "{", ":", "+=", "-="}
_FOREIGN_WORDS = {"and": "&&", "implies": "->", "iff": "==", "xor": "^", "mod": "%", "is": "=="}


def _kind(token: Token) -> str:
    return grammar().shown.get(token.type, token.type)


def _span(place: Place, token: Token) -> Span:
    return Span(place.source, token.start_pos or 0, token.end_pos or 0)


def _indentation(place: Place, token: Token) -> int:
    """Return how far the line is indented in which a token stands."""
    text, at = place.source.text, token.start_pos or 0
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return len(line) - len(line.lstrip())


# --- the start, brackets, and ends --------------------------------------------------------------------------


def _header(place: Place) -> Slip | None:
    if "protocol" not in place.fits:
        return None
    meant = suggest(str(place.token), ("protocol", "library"))
    remedy = "the first line is `protocol NAME;`, or `library NAME;` for what others import"
    if meant is not None:
        remedy = f"did you mean `{meant}`?"
    shown = "the file is empty" if place.kind == END else "the file does not begin with its name"
    return Slip(place.slip("E0118", shown, remedy), ("protocol", "NAME", ";"))


def _unclosed(place: Place) -> Slip | None:
    """A bracket that should have been closed before this token."""
    outer = list(place.open)
    inner = []
    if place.kind in (";", "{", "}", END) or (place.is_word and place.begins_line):
        while outer and outer[-1] != "{":
            inner.append(_CLOSER[outer.pop()])
    if inner:
        if inner[0] not in place.fits:
            return None
        note = Note(f"to close this `{place.open[-1]}`", _span(place, place.open[-1]))
        message = f"`{inner[0]}` is missing here"
        return Slip(place.slip("E0108", message, None, note, span=place.gap), tuple(inner))
    braces = 0
    if place.kind == END:
        braces = len(outer)
    elif place.is_word and place.begins_line and place.automaton.begins_item(place.token.type):
        braces = sum(_indentation(place, brace) >= place.span().col - 1 for brace in outer)
    if not braces:
        return None
    opened = _suspect(place) or outer[-1]
    note = Note("to close this `{`", _span(place, opened))
    missing = (*(() if "}" in place.fits else (";",)), *["}"] * braces)
    return Slip(place.slip("E0108", "`}` is missing here", None, note, span=place.gap), missing)


def _suspect(place: Place) -> Token | None:
    """Find the first brace that seems to be closed by another's: by one that is indented less."""
    opened: list[Token] = []
    for token in place.tokens[: place.at]:
        if (token.start_pos or 0) < (place.open[0].start_pos or 0):
            continue
        if token == "{":
            opened.append(token)
        elif token == "}" and opened:
            brace = opened.pop()
            alone = begins_line(place.source.text, token.start_pos or 0)
            if alone and _indentation(place, token) < _indentation(place, brace):
                return brace
    return None


def _wrong_closer(place: Place) -> Slip | None:
    if place.kind not in _CLOSER.values():
        return None
    opened = place.open[-1] if place.open else None
    if opened is None or opened == "{":
        if place.kind == "}" and opened is not None:
            return None
        message = f"this `{place.kind}` closes nothing"
        return Slip(place.slip("E0116", message), (), instead=True)
    if place.kind == _CLOSER[opened]:
        return None
    note = Note(f"this is closed by `{_CLOSER[opened]}`", _span(place, opened))
    message = f"`{place.kind}` does not close a `{opened}`"
    return Slip(place.slip("E0116", message, None, note), (_CLOSER[opened],), instead=True)


# --- what other languages write -----------------------------------------------------------------------------


def _foreign_operator(place: Place) -> Slip | None:
    kind, text, before = place.kind, str(place.token), place.kind_at(-1)
    meant, first, last, mended = None, 0, 0, False
    if "&&" in place.fits and text in _FOREIGN_WORDS:
        meant, mended = _FOREIGN_WORDS[text], True
    elif "||" in place.fits and kind == "or" and not place.begins_line:
        meant, mended = "||", True
    elif text == "not" and place.kind_at(1) == "in" and "in" in place.fits:
        meant, last = "!in", 1
    elif before == "NAME" and place.tokens[place.at - 1] == "not" and kind not in (";", "=", ":"):
        meant, first, last = "!", -1, -1
    elif kind == "=" and place.kind_at(1) == ">" and place.joined(1):
        meant, last = "->", 1
    elif place.joined(0) and before in ("<", "COMPARE"):
        pair = str(place.tokens[place.at - 1]) + text
        meant, first = {"<->": "==", "<=>": "==", "===": "==", "!==": "!=", "<>": "!="}.get(pair), -1
    if meant is None:
        return None
    span = place.span(first, last)
    remedy = f"write `{meant}`"
    instead = grammar().terminals.get(meant, "COMPARE" if meant == "==" else "")
    return Slip(
        place.slip("E0112", f"`{span.text}` is no operator of this language", remedy, span=span),
        (instead,) if mended and instead else None,
        instead=True,
    )


def _foreign_assignment(place: Place) -> Slip | None:
    kind, after = place.kind, place.kind_at(1)
    target = "=" in place.fits or "havoc" in place.fits
    doubled = kind in ("+", "-") and after == kind
    if kind == "=" and place.kind_at(-1) == ":" and place.joined(0):
        span = place.span(-1)
    elif place.joined(1) and (
        (kind == ":" and after == "=")
        or (target and doubled)
        or (target and kind in ("MULOP", "BITOP", "SHIFT") and after == "=")
    ):
        span = place.span(0, 1)
    else:
        return None
    message, remedy = f"`{span.text}` is no assignment of this language", "there are `=`, `+=` and `-=`"
    return Slip(place.slip("E0111", message, remedy, span=span), () if kind == ":" else None, instead=True)


def _equals(place: Place) -> Slip | None:
    if place.kind == "=" and "COMPARE" in place.fits:
        diagnostic = place.slip("E0110", "`=` assigns, and this is an expression", "`==` compares")
        return Slip(diagnostic, ("COMPARE",), instead=True)
    if place.token == "==" and "=" in place.fits:
        diagnostic = place.slip("E0110", "`==` compares, and this is no expression", "`=` assigns")
        return Slip(diagnostic, ("=",), instead=True)
    return None


def _chained(place: Place) -> Slip | None:
    negated = place.kind == "!" and place.kind_at(1) == "in"
    compares = place.kind in ("COMPARE", "<", ">", "in") or negated
    if not compares or "&&" not in place.fits or "COMPARE" in place.fits:
        return None
    remedy = "write `a < b && b < c`; to compare truth values, put parentheses around one side"
    return Slip(place.slip("E0120", "comparisons cannot be chained", remedy), ("&&", "NAME"))


# --- braces, parentheses, names -----------------------------------------------------------------------------


def _braces(place: Place) -> Slip | None:
    """A body without braces, where they are needed."""
    before = place.kind_at(-1)
    if place.kind == "else":
        remedy = "write `if (…) { … } else { … }`: an `if` without braces has no `else`"
        return Slip(place.slip("E0113", "this `else` belongs to no `if` with braces", remedy))
    if before == "else":
        return Slip(place.slip("E0113", "an `else` needs braces", "write `else { … }`"))
    if "{" not in place.fits:
        return None
    body = place.kind in _STATEMENTS or place.kind in ("NAME", ";")
    if before in ("loop", "maybe") and body:
        remedy = f"write `{before} {{ … }}`"
        return Slip(place.slip("E0113", f"the body of a `{before}` needs braces", remedy))
    keyword = _kind(place.tokens[_opener(place.tokens, place.at - 1) - 1]) if before == ")" and body else None
    if keyword == "if":
        remedy = "without braces an `if` holds one action, such as an assignment or a call"
        return Slip(place.slip("E0113", "the body of this `if` needs braces", remedy))
    if keyword == "while":
        return Slip(place.slip("E0113", "the body of a `while` needs braces", "write `while (…) { … }`"))
    return None


def _opener(tokens: list[Token], at: int) -> int:
    """Return where the parenthesis is opened that is closed here."""
    depth = 0
    while at > 0:
        depth += {")": 1, "(": -1}.get(tokens[at], 0)
        if depth == 0:
            break
        at -= 1
    return at


def _quantifier(place: Place) -> Slip | None:
    if place.kind not in ("forall", "exists", "count") or "(" not in place.fits or place.kind_at(1) != "NAME":
        return None
    message = f"`{place.kind}` reaches as far right as it can, so here it needs parentheses"
    return Slip(place.slip("E0114", message, f"write `({place.kind} … . …)`"))


def _reserved(place: Place) -> Slip | None:
    if "NAME" not in place.fits or not (place.is_word or place.kind == "WORD"):
        return None
    after = place.kind_at(1)
    if "shared" in place.fits or "havoc" in place.fits or "delete" in place.fits:
        if after not in ("=", "+=", "-=", "[", "(", ".", ":"):
            return None
    elif place.kind in _CONNECTIVES:
        if after not in _DECLARATORS or place.fits - {"NAME"}:
            return None
    elif place.begins_line and _begins_element(place):
        return None  # what is before it ends too early
    elif place.kind_at(-1) == "{" and _misspelt(place) is not None:
        return None  # what is before it begins with another word
    remedy = f"choose another, such as `{place.token}_` or a word that says more"
    diagnostic = place.slip("E0109", f"`{place.token}` is a reserved word, and no name", remedy)
    return Slip(diagnostic, ("NAME",), instead=True)


def _begins_element(place: Place) -> bool:
    return place.kind in _STATEMENTS or place.automaton.begins_item(place.token.type)


def _misplaced(place: Place) -> Slip | None:
    """A statement among declarations, or the other way round."""
    kind, fits = place.kind, place.fits
    declares = place.automaton.begins_item(place.token.type) and kind != "NAME"
    if "shared" in fits:
        if kind in _STATEMENTS:
            message = f"`{kind}` does not stand by itself"
            remedy = (
                "it stands in a `thread`, `rule`, `op` or `proc`; perhaps there is a `}` too many before it"
            )
            return Slip(place.slip("E0117", message, remedy), to_item="param" in fits)
        if kind in _EDITS and place.kind_at(1) != "<":
            return Slip(place.slip("E0117", f"`{kind}` stands in a `mutant` or `variant`"))
        if kind in ("bool", "int", "set", "WORD"):
            remedy = "state is declared with `shared`, or with `ghost` if only claims depend on it"
            return Slip(place.slip("E0117", "a variable is `shared` or `ghost`", remedy), ("shared",))
        if declares:
            remedy = "it belongs to the whole file"
            return Slip(place.slip("E0117", f"`{kind}` cannot stand in a type", remedy))
    elif "havoc" in fits and declares:
        remedy = "it stands outside of threads, rules, ops and procs"
        return Slip(place.slip("E0117", f"`{kind}` is no statement", remedy))
    elif kind == "=" and {"{", ";"} <= fits:
        remedy = "write `shared` before its type, or `ghost` if only claims depend on it"
        return Slip(place.slip("E0117", "a variable is `shared` or `ghost`", remedy))
    elif fits == {"NAME", "<"} and kind in ("=", "+=", "-=", "(", "[", ".", ":"):
        remedy = "statements stand in a `thread`, `rule`, `op` or `proc`"
        return Slip(place.slip("E0117", "a statement does not stand by itself", remedy, span=place.span(-1)))
    return None


# --- semicolons, and the rest -------------------------------------------------------------------------------


def _semicolon(place: Place) -> Slip | None:
    if place.kind == ";" and place.kind_at(-1) in ("}", ";"):
        remedy = "a block ends without one" if place.kind_at(-1) == "}" else None
        return Slip(place.slip("E0101", "this `;` is one too many", remedy), (), instead=True)
    ends = place.begins_line or place.is_word or place.kind in ("}", END)
    if ends and ";" in place.fits and place.automaton.accepts("SEMICOLON", place.token.type):
        return Slip(place.slip("E0107", "`;` is missing here", span=place.gap), (";",))
    return None


def _anything(place: Place) -> Slip:
    message = f"expected {expected(place.fits)}, found {found(place.kind, str(place.token))}"
    kind, before = place.kind, place.kind_at(-1)
    remedy: str | None = None
    mended: tuple[str, ...] | None = None
    if kind == "#" and place.begins_line:
        remedy = "there is no preprocessor: `import` brings in a library, `const` names a number"
    elif place.token == ">>" and ">" in place.fits:
        remedy, mended = "write `> >`", (">", ">")
    elif kind == ":" and {".", ","} <= place.fits:
        remedy, mended = "what is quantified follows a `.`", (".",)
    elif before in ("if", "while") or (before == ")" and kind in ("&&", "||")):
        remedy = "the whole condition stands in parentheses"
    elif (note := _misspelt(place)) is not None:
        at_margin = note.span is not None and note.span.col == 1
        return Slip(place.slip("E0101", message, None, note), to_item=at_margin)
    return Slip(place.slip("E0101", message, remedy), mended, instead=True, guess=mended is None)


def _misspelt(place: Place) -> Note | None:
    """Find a word at the beginning of what cannot be read, that resembles one that could stand there."""
    at = place.at - 1
    if at >= 0 and place.tokens[at] == "{":
        at -= 1
    while at >= 0 and place.tokens[at] not in (";", "{", "}"):
        at -= 1
    lead = place.tokens[at + 1]
    words = {text for text, name in grammar().terminals.items() if place.automaton.begins_item(name)}
    meant = suggest(str(lead), words | _STATEMENTS | _EDITS) if lead.type == "NAME" else None
    return None if meant is None else Note(f"did you mean `{meant}`?", _span(place, lead))


_SLIPS: tuple[Callable[[Place], Slip | None], ...] = (
    _header,
    _unclosed,
    _wrong_closer,
    _foreign_operator,
    _foreign_assignment,
    _equals,
    _chained,
    _braces,
    _quantifier,
    _reserved,
    _misplaced,
    _semicolon,
    _anything,
)
