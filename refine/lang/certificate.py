"""Certificates as text: `grammar/proof.lark` read into plain records, and these written."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from refine import resources

if TYPE_CHECKING:
    from lark import Lark

_Tree: TypeAlias = Any  # of lark, whose trees have children of either kind
LANGUAGE = 1  # of certificates and of what they speak about; another one is stale
AGAIN = "write it anew: 'spte prove --reprove'"
_WIDTH = 100
_HELD = "\u00a0"  # a blank at which no line is broken

Sizes: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Inductive:
    """One invariant for all claims, at several sizes; `core` is the digest of the system at each."""

    engine: str
    cores: tuple[tuple[Sizes, str], ...]
    claims: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KInductive:
    """Claims and sentences that `k` states in a row hand on to the next one; `simple`: if these are different ones."""

    k: int
    simple: bool
    cores: tuple[tuple[Sizes, str], ...]
    claims: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exhaustive:
    """Claims that were looked at in all states, and how many these are: there is no invariant to read."""

    cores: tuple[tuple[Sizes, str, int], ...]
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unbounded:
    """One invariant for any number of elements of some types; at each size named, `core` is the skeleton."""

    types: tuple[str, ...]
    cores: tuple[tuple[Sizes, str], ...]
    claims: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rounds:
    """One invariant by which fewer than `most` rounds of fairness pass before what each claim of liveness promises."""

    most: int
    cores: tuple[tuple[Sizes, str], ...]
    claims: tuple[str, ...]
    sentences: tuple[str, ...]


Steps: TypeAlias = Inductive | KInductive | Rounds  # what is asked of a section is about steps at one size
Section: TypeAlias = Steps | Unbounded | Exhaustive


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the proof of one protocol rests on."""

    protocol: str
    checker: str
    language: int
    sections: tuple[Section, ...]


class Malformed(Exception):
    """A text that is no certificate, and why."""


@cache
def _parser() -> Lark:
    from lark import Lark

    text = (resources.root("grammar") / "proof.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="contextual")


def read(text: str) -> Certificate:
    """The certificate in a text. Raises `Malformed`."""
    from lark import UnexpectedInput

    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise Malformed(f"line {error.line} cannot be read") from None
    parts: list[_Tree] = list(tree.children)
    name, checker, *sections = parts
    said, language = (str(x) for x in checker.children)
    return Certificate(str(name), said[1:-1], int(language), tuple(_section(s) for s in sections))


def _section(tree: _Tree) -> Section:
    parts = list(tree.children)
    if tree.data == "exhaustive":
        *sizes, claims = parts
        cores = tuple((_pairs(s.children[0]), str(s.children[1]), int(str(s.children[2]))) for s in sizes)
        return Exhaustive(cores, _paths(claims))
    names = [str(x) for x in parts if isinstance(x, str)]
    rest = [x for x in parts if not isinstance(x, str)]
    sizes = [s for s in rest if s.data == "size"]
    claims = next(s for s in rest if s.data == "claims")
    sentences = tuple(" ".join(str(s.children[0]).split()) for s in rest if s.data == "invariant")
    cores2 = tuple((_pairs(s.children[0]), str(s.children[1])) for s in sizes)
    if tree.data == "k_inductive":
        simple = any(s.data == "simple" for s in rest)
        return KInductive(int(names[0]), simple, cores2, _paths(claims), sentences)
    if tree.data == "unbounded":
        return Unbounded(tuple(names), cores2, _paths(claims), sentences)
    if tree.data == "rounds":
        return Rounds(int(names[0]), cores2, _paths(claims), sentences)
    return Inductive(names[0][1:-1], cores2, _paths(claims), sentences)


def _pairs(tree: _Tree) -> Sizes:
    if tree is None:
        return ()
    words = [str(x) for x in tree.children]
    return tuple(zip(words[::2], map(int, words[1::2]), strict=True))


def _paths(tree: _Tree) -> tuple[str, ...]:
    return tuple(".".join(str(x) for x in path.children) for path in tree.children)


def write(certificate: Certificate, about: str) -> str:
    """The text of a certificate; `about` is the file that it is for."""
    lines = [
        f"// What the proof of {about} rests on. 'spte prove' checks it again, with two solvers,",
        "// and believes none of it; 'spte prove --reprove' writes it anew.",
        f"proof {certificate.protocol};",
        f'checker "{certificate.checker}" language {certificate.language};',
    ]
    for section in certificate.sections:
        lines.append("")
        if not isinstance(section, Exhaustive):
            lines.append(f"{_head(section)} {{")
            lines += [f"    size{_shown(sizes)}:\n        {core};" for sizes, core in section.cores]
            lines += _filled("claims ", ", ".join(section.claims))
            lines += [line for text in section.sentences for line in _filled("invariant ", text)]
        else:
            lines.append("exhaustive {")
            lines += [
                f"    size{_shown(sizes)}:\n        {core}, {count} states;"
                for sizes, core, count in section.cores
            ]
            lines += _filled("claims ", ", ".join(section.claims))
        lines.append("}")
    return "\n".join(lines) + "\n"


def _head(section: Steps | Unbounded) -> str:
    match section:
        case Inductive(engine):
            return f'inductive "{engine}"'
        case KInductive(k, simple):
            return f"k-inductive {k}{' without repetition' if simple else ''}"
        case Unbounded(types):
            return f"any number of {', '.join(types)}"
        case Rounds(most):
            return f"rounds {most}"


def _shown(sizes: Sizes) -> str:
    return "".join((" " if n == 0 else ", ") + f"{name} = {k}" for n, (name, k) in enumerate(sizes))


def _filled(word: str, text: str) -> list[str]:
    """Lines that are broken where a reader would, and not within a comparison."""
    whole = re.sub(r"(?<!&&|\|\||->)(?<![,.]) ", _HELD, text)
    lines = textwrap.wrap(
        f"{word}{whole};", _WIDTH, initial_indent="    ", subsequent_indent="        ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace(_HELD, " ") for line in lines]
