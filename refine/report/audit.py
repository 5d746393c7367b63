"""What the audit of a file found, as rows of plain data and as lines of its table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from refine.engine.decide import Sizes
from refine.engine.judge import Judgement
from refine.lang.elements import Element
from refine.report import data as as_data
from refine.report import trace as as_text
from refine.report.cells import leaders
from refine.report.trace import steps
from refine.text.diag import escape

_COLUMN = 42  # where verdicts begin
_CELLS = 79
ELSEWHERE = ("element", "group", "weaker", "systematic")  # told by refine.report.charts
_STATUS = {"as declared": 0, "not as declared": 1, "unknown": 3}
_NOUNS = {
    "because": "reason", "redundant": "redundant reason", "together": "pair", "mutant": "mutant", "variant": "variant",
    "observer": "observer", "certificate": "certificate",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One judgement as plain data: what reports print and processes exchange; the trace is there as text and JSON."""

    kind: str
    name: str
    verdict: str
    status: int
    claim: str = ""
    doc: str = ""
    why: str = ""
    steps: int | None = None  # of the run that shows it
    at: Sizes = ()  # the size of that run
    also: tuple[tuple[str, int], ...] = ()
    asked: tuple[Sizes, ...] = ()
    states: int = 0
    trace: str = ""
    trace_json: Mapping[str, object] | None = None
    place: str = ""  # of an element: the step, rule or instance where it stands
    line: int = 0
    what: str = ""  # what it is: a guard, a hold, a flush, …
    text: str = ""  # as the specification writes it
    seconds: float = 0.0  # its share of what all took that was judged with it
    cached: bool = False  # judged before, in another run
    variant: str = ""  # the era that is spoken of


def row(judgement: Judgement, reproduce: Sequence[str]) -> Row:
    """A judgement as plain data. `reproduce` is a command to which `--size …` and `--claim …` are added."""
    j, loss = judgement, judgement.loss
    trace, trace_json = "", None
    if loss is not None:
        sizes = [word for name, n in loss.sizes for word in ("--size", f"{name}={n}")]
        words = [*reproduce, *sizes, "--claim", j.of]
        trace, trace_json = as_text.render(loss.trace, words), as_data.trace(loss.trace, words)
    return Row(
        j.kind, j.name, j.verdict, _STATUS[j.standing], j.claim, j.doc, j.why, loss.steps if loss else None,
        loss.sizes if loss else (), j.also, j.asked, j.states, trace, trace_json, *_about(j.about, j.line),
        variant=j.variant,
    )  # fmt: skip


def _about(element: Element | None, line: int) -> tuple[str, int, str, str]:
    if element is None:
        return "", line, "", ""
    place, _, name = element.key.rpartition(".")
    what = element.protects or element.kind
    return place or name, element.span.line, f"{what} {name}" if element.named else what, element.text


def as_json(found: Row) -> as_data.Data:
    """A row as data."""
    return {
        "kind": found.kind,
        "name": escape(found.name),
        "claim": escape(found.claim) or None,
        "variant": escape(found.variant) or None,
        "doc": escape(found.doc) or None,
        "verdict": found.verdict,
        "as_declared": found.status == 0,
        "why": escape(found.why) or None,
        "steps": found.steps,
        "at": as_data.sizes(found.at) if found.steps is not None else None,
        "also_broken": {escape(name): n for name, n in found.also},
        "sizes": [as_data.sizes(values) for values in found.asked],
        "states": found.states,
        "element": {
            "place": escape(found.place),
            "line": found.line,
            "what": escape(found.what),
            "text": escape(found.text),
        }
        if found.what
        else None,
        "cached": found.cached,
        "trace": found.trace_json,
    }


def lines(rows: Sequence[Row], brief: bool) -> list[str]:
    """The rows as a part of a table; where it is brief, those as declared are only counted."""
    made: list[str] = []
    by_kind: dict[tuple[str, str], list[Row]] = {}
    for one in rows:
        if one.kind not in ELSEWHERE:
            by_kind.setdefault((one.kind, one.variant), []).append(one)
    for (kind, variant), found in by_kind.items():
        fine = [x for x in found if x.status == 0]
        counted_only = brief and kind not in ("together", "any number") and len(_names(fine)) > 1
        if counted_only:
            noun = f"reasons in {variant}" if variant else _noun(kind, 2)
            made += _line(f"{noun} ({len(_names(fine))})", _all_fine(kind) + said_before(fine))
        told = [x for x in found if x.status or not counted_only]
        for name in _names(told):
            alike = [x for x in told if x.name == name]
            label, value = _told(alike)
            made += _line(label, value + said_before(alike))
    return made


def bad_traces(rows: Iterable[Row], everything: bool = False) -> str:
    """The runs that show what is not as declared; with `everything`, all runs."""
    return "".join(f"\n{x.trace}" for x in rows if x.trace and (everything or x.status == 1))


def counted(rows: Iterable[Row]) -> dict[str, int]:
    """How many reasons, mutants and variants there are, each counted once."""
    found: dict[str, set[tuple[str, str]]] = {}
    for x in rows:
        if x.kind in ("because", "redundant"):
            found.setdefault("reason", set()).add((x.claim, x.name))
        elif x.kind in ("mutant", "variant"):
            found.setdefault(x.kind, set()).add(("", x.name))
    return {noun: len(names) for noun, names in found.items()}


def said_before(rows: Sequence[Row]) -> str:
    """What is added to a verdict that comes from the cache."""
    return ", cached" if rows and all(x.cached for x in rows) else ""


def _names(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(x.name for x in rows))


def _noun(kind: str, count: int) -> str:
    noun = _NOUNS.get(kind, kind)
    return noun if count == 1 else f"{noun}s"


def _all_fine(kind: str) -> str:
    return {
        "because": "all needed",
        "redundant": "all redundant, as declared",
        "mutant": "all caught",
        "variant": "all keep their claims",
        "observer": "modelled, or left out for a reason",
        "certificate": "all checked by z3 and cvc5",
    }.get(kind, "as declared")


def _told(rows: Sequence[Row]) -> tuple[str, str]:
    """The label and the text of one thing that was judged, for each claim that it speaks of."""
    one = rows[0]
    if one.kind == "certificate":
        return "certificate", _certified(rows)
    if one.kind == "any number":
        return "any number", f"{one.name}, checked by {one.why}: {one.claim}"
    if one.kind == "proof":
        return "certificate", f"{one.verdict}: {one.why}" if one.why else one.verdict
    label = {
        "together": f"one of {one.name}", "vacuity": "vacuity", "era": f"in {one.variant}, {one.name}",
    }.get(one.kind, f"{one.kind} {one.name}")  # fmt: skip
    words = [_words(x) for x in rows]
    verdicts = list(dict.fromkeys(x.verdict for x in rows))
    if len(rows) > 1 and len(verdicts) == 1 and all(x.steps is not None for x in rows):
        rest = [f"{x.claim} in {x.steps}" for x in rows[1:]]
        return label, ", ".join([words[0], *rest])
    return label, "; ".join(words)


def _words(x: Row) -> str:
    """One judgement in words."""
    breaks = f"{x.claim} breaks in {steps(x.steps)}" if x.steps is not None else ""
    match x.verdict:
        case "needed" if x.kind == "redundant":
            return f"needed, though declared redundant: {breaks}"
        case "needed" if x.kind == "era" and x.status:
            return f"needed, and not said to be: without it {breaks}"
        case "needed":
            return f"needed: without it {breaks}"
        case "not needed" if x.kind == "era":
            said = ", though it is said to be" * (x.status != 0)
            return f"not needed{said}: {x.claim} {'are' if ',' in x.claim else 'is'} proved without it"
        case "not needed":
            return f"not needed{', as declared' * (x.status == 0)}: {x.claim} is proved without it"
        case "jointly needed":
            return f"jointly needed: {x.why or f'without them {breaks}'}"
        case "caught":
            return f"caught: {breaks}{_others(x)}"
        case "happens":
            return f"{x.name} happens ({x.why})"
        case "late":
            return f"late: {breaks}, {x.why}"
        case "survives":
            return f"survives: {x.claim} is proved"
        case "keeps":
            return f"keeps {x.claim}" if x.claim else "keeps all that is free"
        case "breaks":
            return breaks
        case "unknown":
            return f"unknown{f' ({x.claim})' * bool(x.claim)}: {x.why}"
        case _:
            return f"{x.verdict}: {x.why}" if x.why else x.verdict


def _certified(rows: Sequence[Row]) -> str:
    """What came of one section of a certificate, at all its sizes."""
    fine = [x for x in rows if not x.status]
    said = []
    for verdict, why in dict.fromkeys((x.verdict, x.why) for x in rows if x.status):
        alike = [x for x in rows if (x.verdict, x.why) == (verdict, why)]
        said.append(f"{verdict}{_where(alike[0]) if len(alike) < len(rows) else ''}: {why}")
    if fine:
        at = f" at {len(fine)} sizes" if len(fine) > 1 else ""
        said.append(f"{fine[0].name}{at}, checked by {fine[0].why}")
    return "; ".join(said)


def _where(x: Row) -> str:
    shown = ", ".join(f"{name} {n}" for name, n in (x.asked[0] if x.asked else ()))
    return f" ({shown})" if shown else ""


def _others(x: Row) -> str:
    """What else was seen to break, until what was asked for was known."""
    return f" (also {', '.join(f'{name} in {n}' for name, n in x.also)})" if x.also else ""


def _line(label: str, value: str) -> list[str]:
    return leaders(label, value, _COLUMN, _CELLS, "    ")
