"""The ledger: what became of each statement that specifications cite, as one page in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from refine.report.audit import Row
from refine.report.result import Cited, FileResult, Origin, Summed, summed
from refine.report.text import verdict
from refine.report.trace import steps

_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_KERNEL = "https://git.kernel.org/linus/"


@dataclass(frozen=True, slots=True)
class Part:
    """Statements that belong together: those of one discussion, or real bugs. Words of whoever lists them."""

    title: str
    statements: Mapping[str, str]
    about: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    """What was found out about a file, where the page finds it, and its claims by name."""

    result: FileResult
    link: str
    claims: Mapping[str, Summed]

    @property
    def audit(self) -> tuple[Row, ...]:
        return self.result.audit

    @property
    def origin(self) -> Origin:
        return self.result.origin

    @property
    def protocol(self) -> str:
        return self.result.protocol


@dataclass(frozen=True, slots=True)
class Ledger:
    """The page, and what it lacks: statements that nothing answers, and names that are no statement."""

    text: str
    unanswered: tuple[str, ...]
    unknown: tuple[tuple[str, str], ...]  # file and name


def ledger(
    files: Sequence[FileResult], parts: Sequence[Part], links: Mapping[str, str], made_by: str
) -> Ledger:
    """Each statement of the parts with its answers; without parts, whatever is cited, in the order of the files.

    `links`: by path of a file, where the page finds it. `made_by`: the command.
    """
    known = {name for part in parts for name in part.statements}
    cited = [(file, name) for file in files for name in _names(file.origin)]
    unknown = [(file.path, name) for file, name in cited if known and name not in known and not _place(name)]
    if not parts:
        names = dict.fromkeys(name for _, name in cited if not _place(name))
        parts = [Part("What is cited", dict.fromkeys(names, ""))]
    told = [_File(file, links[file.path], {row.finding.name: row for row in summed(file)}) for file in files]
    body, unanswered = [], []
    for part in parts:
        body += ["", f"## {part.title}", "", *_about(part)]
        for name, words in part.statements.items():
            answers = list(_answers(told, name))
            body += ["", f"**{name}** {_plain(words)}".rstrip(), "", *(answers or ["- **no answer**"])]
            if not answers:
                unanswered.append(name)
    lines = [
        "# The ledger",
        "",
        f"Made by `{made_by}`: what became of each statement.",
        "",
        "*Proved* is proved for runs of any length, at the sizes that are listed with the protocol; where it says",
        "*any number*, for any number of those elements. A reason is *needed* if the claim breaks without it. The",
        "steps are those of the shortest run that shows it; `spte prove --runs` prints these runs.",
        *_eras(told),
        *body,
        "",
        "## The protocols",
        *(line for file in told for line in _protocol(file)),
    ]
    return Ledger("\n".join(lines) + "\n", tuple(unanswered), tuple(dict.fromkeys(unknown)))


def _names(origin: Origin) -> Iterator[str]:
    for one in origin.cited:
        yield from one.names
    yield from (name for name, _ in origin.uncovered)


def _place(name: str) -> bool:
    """Whether what is cited is a place where something can be read, rather than a statement."""
    return " " in name or name.startswith("CVE-") or _COMMIT.fullmatch(name) is not None


def _about(part: Part) -> Iterator[str]:
    if part.about:
        yield _plain(part.about)
    if part.source:
        yield from ["", f"<{part.source}>"] if part.about else [f"<{part.source}>"]


# --- eras -----------------------------------------------------------------------------------------------------------


def _eras(files: Sequence[_File]) -> Iterator[str]:
    """By era, whether a reason is needed."""
    some = [file for file in files if file.origin.eras]
    if not some:
        return
    yield from ["", "## Reasons by era"]
    for file in some:
        columns = [
            (file.origin.era or "as it stands", ""),
            *((era, variant) for variant, era in file.origin.eras),
        ]
        yield from ["", f"{_link(file)}: is it needed, of what is claimed and kept?", ""]
        yield f"| reason | {' | '.join(_plain(era) for era, _ in columns)} |"
        yield "|---" * (len(columns) + 1) + "|"
        rows = [row for row in file.audit if row.kind in ("because", "redundant", "era")]
        for name in dict.fromkeys(row.name for row in rows):
            found = [_in_era([r for r in rows if r.name == name and r.variant == v]) for _, v in columns]
            yield f"| `{name}` | {' | '.join(found)} |"


def _in_era(rows: Sequence[Row]) -> str:
    if not rows:
        return "not there"
    needed = [row for row in rows if row.verdict in ("needed", "jointly needed")]
    if needed:
        least = min((row.steps for row in needed if row.steps is not None), default=None)
        return "needed" if least is None else f"needed ({steps(least)})"
    return "not needed" if all(row.verdict == "not needed" for row in rows) else "unknown"


# --- statements -----------------------------------------------------------------------------------------------------


def _answers(files: Sequence[_File], name: str) -> Iterator[str]:
    """What answers a statement: claims, mutants and variants, or that it is left out; and where else it is told."""
    for file in files:
        own = [one for one in file.origin.cited if name in one.names]
        yield from (_claimed(file, one) for one in own if one.kind == "claim")
        yield from (_edit(file, one) for one in own if one.kind != "claim")
        commits = dict.fromkeys(n for one in own for n in one.names if _COMMIT.fullmatch(n))
        if commits:
            yield f"- see {', '.join(f'[{one}]({_KERNEL}{one})' for one in commits)}"
        for uncovered, why in file.origin.uncovered:
            if uncovered == name:
                yield f"- not covered, says {_link(file)}: {_plain(why)}"


def _claimed(file: _File, cited: Cited) -> str:
    row = file.claims.get(cited.name)
    told = "not asked" if row is None else _verdict(file, row)
    return f"- {file.protocol}: {_at(file, cited.name)}{_doc(cited.doc)}: **{told}**"


def _edit(file: _File, cited: Cited) -> str:
    """A mutant or a variant, and what came of it."""
    rows = [row for row in file.audit if row.kind == cited.kind and row.name == cited.name]
    told = "; ".join(_came_of(file, row) for row in rows) or "not asked"
    return f"- {file.protocol}: {cited.kind} `{cited.name}`{_doc(cited.doc)}: {told}"


def _came_of(file: _File, row: Row) -> str:
    what = ", ".join(_at(file, one) for one in row.claim.split(", ") if one)
    match row.verdict:
        case "caught":
            return f"{what} **breaks** in {steps(row.steps or 0)}"
        case "keeps":
            return f"**keeps** {what or 'all that is free'}"
        case word:
            return f"**{word}** {what}{f': {_plain(row.why)}' if row.why else ''}".rstrip()


# --- protocols ------------------------------------------------------------------------------------------------------


def _protocol(file: _File) -> Iterator[str]:
    """A protocol: at which sizes, before whom, and what is claimed of it, with its reasons and what breaks it."""
    yield from ["", f"### {file.protocol}", "", f"{_link(file)}{_doc(file.result.doc)}", ""]
    for result in file.result.results:
        at = ", ".join(f"{name} {n}" for name, n in result.sizes) or "its one size"
        over = f" up to symmetry ({', '.join(result.symmetry)})" if result.symmetry else ""
        counted = f": {result.states:,} states{over}" if result.states is not None and result.complete else ""
        yield f"- at {at}{counted}"
    observers = [row for row in file.audit if row.kind == "observer"]
    seen = [row.name for row in observers if row.verdict == "modelled"]
    if seen:
        yield f"- seen by {', '.join(seen)}"
    yield from (
        f"- left out: {row.name}, as {_plain(row.why)}" for row in observers if row.verdict == "left out"
    )
    for row in file.claims.values():
        if row.finding.role in ("claim", "lemma") and "." not in row.finding.name:
            yield from _claim(file, row)


def _claim(file: _File, row: Summed) -> Iterator[str]:
    name = row.finding.name
    yield ""
    anchor = f'<a id="{file.protocol}.{name}"></a>'
    told = f"{_verdict(file, row)}{_kinds(file, name)}"
    yield f"{anchor}`{name}`{_doc(row.finding.doc)}: {told}"
    reasons = [one for one in file.audit if one.kind in ("because", "redundant") and one.claim == name]
    broken = [one for one in file.audit if one.kind == "mutant" and one.claim == name]
    kept = [one for one in file.audit if one.kind == "variant" and name in one.claim.split(", ")]
    if reasons or broken or kept:
        yield ""
    yield from (f"- {one.kind} `{one.name}`: {_found(one)}" for one in reasons)
    yield from (f"- mutant `{one.name}`{_doc(one.doc)}: {_found(one)}" for one in broken)
    yield from (f"- variant `{one.name}`{_doc(one.doc)}: {one.verdict} it" for one in kept)


def _found(row: Row) -> str:
    return row.verdict if row.steps is None else f"{row.verdict}, {steps(row.steps)}"


def _verdict(file: _File, row: Summed) -> str:
    return verdict(row, file.result.asked, cached=False)


def _kinds(file: _File, name: str) -> str:
    """What more is known of a claim than its verdict: a certificate that was checked, and for any number of what."""
    found = [one for one in file.audit if one.kind in ("certificate", "any number") and not one.status]
    mine = [one for one in found if name in one.claim.split(", ")]
    said = dict.fromkeys(
        "any number of " + one.name.partition(" for any number of ")[2]
        for one in mine
        if one.kind == "any number"
    )
    certified = dict.fromkeys(
        f"certificate checked by {one.why}" for one in mine if one.kind == "certificate"
    )
    return "".join(f"; {text}" for text in (*said, *certified))


# --- Markdown -------------------------------------------------------------------------------------------------------


def _link(file: _File) -> str:
    return f"[{_plain(file.protocol)}]({file.link})"


def _at(file: _File, name: str) -> str:
    """A claim, and where the page tells of it."""
    return f"[`{name}`](#{file.protocol}.{name})" if "." not in name else f"`{name}`"


def _doc(text: str) -> str:
    return f" ({_plain(text)})" if text else ""


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", " ".join(text.split()))
