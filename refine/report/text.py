"""Verdicts as text: a table for each file, with dotted leaders; never more than was established."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from refine.engine.decide import Outcome, Sizes
from refine.engine.verdict import Tick
from refine.report import audit, charts
from refine.report.cells import leaders, tidy, wrap
from refine.report.result import FileResult, SizeResult, Summed, summed
from refine.report.trace import steps
from refine.text.diag import escape

_COLUMN = 42  # where verdicts begin
_CELLS = 79
_SHORT = 24  # a reason that is longer is told once, not on every line
_INLINE = 16  # and so are sizes


# What is not as declared, in the summary: of one, of several.
_SAID = {
    "era": ("reason not as its era says", "reasons not as their eras say"),
    "holds": ("only up to so many steps", "only up to so many steps"),
    "not needed": ("reason not needed", "reasons not needed"),
    "needed": ("redundant reason needed", "redundant reasons needed"),
    "survives": ("mutant survives", "mutants survive"),
    "late": ("mutant caught late", "mutants caught late"),
    "breaks": ("variant breaks", "variants break"),
    "never happens": ("step never happens", "steps never happen"),
    "not modelled": ("observer not modelled", "observers not modelled"),
}


@dataclass(frozen=True, slots=True)
class Totals:
    """What a whole run amounts to."""

    files: int
    claims: int
    sizes: int
    words: tuple[tuple[str, int], ...]  # how many claims are not as declared, by verdict
    libraries: int = 0
    skipped: int = 0  # files that could not be read
    audited: tuple[tuple[str, int], ...] = ()  # how many reasons, mutants and variants


def header(path: str, doc: str) -> str:
    """The line that begins a file's table."""
    return tidy(wrap(f"{path}: {doc}" if doc else path, _CELLS, "", "  "))


def size_line(result: SizeResult) -> str:
    """How much was looked at, at one size."""
    label = _assigned(result.sizes) or "no parameters"
    return tidy(leaders(label, _extent(result), _COLUMN, _CELLS, "  "))


def claims(file: FileResult, brief: bool = False) -> str:
    """One line for each claim, over all sizes; free claims that all hold share one.

    `brief`: of what was audited, only what is not as declared has a line of its own.
    """
    everything = file.asked
    rows = summed(file)
    notes = _Footnotes(rows)
    lines = []
    for row in rows:
        if row.finding.role != "free":
            lines += _line(f"{row.finding.role} {row.finding.name}", verdict(row, everything, notes))
    lines += _free_claims([row for row in rows if row.finding.role == "free"], everything, notes)
    lines += [line for note in notes.lines() for line in wrap(note, _CELLS, "    ", "        ")]
    return tidy([*lines, *audit.lines(file.audit, brief), *charts.lines(file.audit), *_remarks(file)])


def _free_claims(rows: Sequence[Summed], everything: Sequence[Sizes], notes: _Footnotes) -> list[str]:
    told = {row.finding.name: verdict(row, everything, notes) for row in rows}
    if len(rows) > 1 and len(set(told.values())) == 1:
        return _line(f"free claims ({len(rows)})", f"all {told[rows[0].finding.name]}")
    fine = [row for row in rows if row.every and row.overall.outcome.word == "proved"]
    lines = []
    for row in rows:
        if row not in fine or len(fine) == 1:
            lines += _line(f"free claim {row.finding.name}", told[row.finding.name])
    if len(fine) > 1:
        label = "free claims" if len(fine) == len(rows) else "other free claims"
        lines += _line(f"{label} ({len(fine)})", f"all {verdict(fine[0], everything)}")
    return lines


def _remarks(file: FileResult) -> list[str]:
    """What is to be known beside the verdicts."""
    said = []
    assumed = list(dict.fromkeys(name for result in file.results for name in result.assumptions))
    if assumed:
        said.append(f"under {_count(len(assumed), 'assumption')}: {', '.join(assumed)}")
    said += [f"note: {note}" for note in dict.fromkeys(n for result in file.results for n in result.notes)]
    if file.warnings:
        kinds = ", ".join(dict.fromkeys(file.warnings))
        said.append(f"{_count(len(file.warnings), 'warning')} ({kinds}), shown by spte check {file.path}")
    lines = [line for text in said for line in wrap(text, _CELLS, "    ", "      ")]
    if file.origin.uncovered:
        names = ", ".join(name for name, _ in file.origin.uncovered)
        lines += wrap(f"not covered, as declared: {names}", _CELLS, "    ", "      ")
    return lines


def traces(file: FileResult, everything: bool = False) -> str:
    """The counterexamples of a file; with `everything`, also how it reaches, and where induction fails."""
    shown = [
        row.finding.trace
        for row in summed(file)
        if row.finding.trace and (everything or row.overall.outcome.word == "violated")
    ]
    return "".join(f"\n{trace}" for trace in shown) + audit.bad_traces(file.audit, everything)


class _Footnotes:
    """Reasons that several rows have in common are told once, below them."""

    def __init__(self, rows: Sequence[Summed]) -> None:
        said = [_reason(one) for row in rows for one, _ in row.overall.groups]
        often = [text for text in dict.fromkeys(said) if len(text) > _SHORT and said.count(text) > 1]
        self._numbers = {text: n for n, text in enumerate(often, 1)}

    def of(self, one: Outcome) -> str:
        text = _reason(one)
        number = self._numbers.get(text)
        return f" [{number}]" if number else f": {text}" if text else ""

    def lines(self) -> list[str]:
        return [f"[{n}] {text}" for text, n in self._numbers.items()]


def verdict(
    row: Summed, everything: Sequence[Sizes], notes: _Footnotes | None = None, *, cached: bool = True
) -> str:
    """`proved (VCPUS 1..4)`; where sizes differ, the verdict that decides comes first.

    `cached`: say which ones come from the cache.
    """
    parts = []
    for one, sizes in row.overall.groups:
        at = where(sizes, everything)
        parts.append(
            word(one)
            + (", cached" if cached and one.cached else "")
            + (f" ({at})" if at else "")
            + (notes.of(one) if notes else "")
        )
        if one.word == "violated" or (one.word == "reached" and row.finding.role == "reach"):
            break  # one size settles it
    return "; ".join(parts)


def word(one: Outcome) -> str:
    """A verdict in words."""
    match one.word:
        case "holds":
            return f"holds up to {steps(one.steps or 0)}"
        case "violated" | "reached" if one.steps == 0:
            return f"{one.word} in the initial state"
        case "violated" | "reached":
            return f"{one.word} in {steps(one.steps or 0)}"
        case "proved" | "vacuous" | "unknown":
            return one.word


def _reason(one: Outcome) -> str:
    """Why, or how, where there is more to say than how many states there are."""
    match one.word:
        case "proved":
            return one.why if one.engine not in ("explore", "live") else ""
        case "unknown":
            return one.why or one.cause
        case _:
            return one.why


def where(sizes: Sequence[Sizes], everything: Sequence[Sizes]) -> str:
    """`VCPUS 1..4`, `VCPUS 2, ROOTS 1..3`, `all 7 sizes` (they are listed above), `2 of 7 sizes, as …`."""
    names = [name for name, _ in sizes[0]] if sizes else []
    values = {name: sorted({dict(row)[name] for row in sizes}) for name in names}
    if sum(len(v) > 1 for v in values.values()) <= 1:
        ranges = ", ".join(f"{name} {_range(v)}" for name, v in values.items())
        if len(ranges) <= _INLINE or len(sizes) < len(everything):
            return ranges
    if len(sizes) == len(everything):
        return {1: "this size", 2: "both sizes"}.get(len(sizes), f"all {len(sizes)} sizes")
    shown = ", ".join(f"{name} {n}" for name, n in sizes[0])
    return f"{len(sizes)} of {len(everything)} sizes, as {shown}"


def totals(files: Iterable[FileResult], libraries: int = 0, skipped: int = 0) -> Totals:
    """Counts over all files. Free claims count where they are not proved."""
    counted = claims_ = sizes = 0
    words: dict[str, int] = {}
    audited: dict[str, int] = {}
    for file in files:
        counted += 1
        for noun, n in audit.counted(file.audit).items():
            audited[noun] = audited.get(noun, 0) + n
        for one in file.audit:
            if one.status:
                word_ = "era" if one.kind == "era" and one.verdict != "unknown" else one.verdict
                words[word_] = words.get(word_, 0) + 1
        sizes += len(file.results)
        for row in summed(file):
            found = row.overall.outcome.word
            claims_ += row.finding.role != "free"
            if found not in ("proved", "reached"):
                words[found] = words.get(found, 0) + 1
    order = ("violated", "vacuous", "unknown", "holds")
    counts = tuple((w, words[w]) for w in (*order, *(w for w in words if w not in order)) if w in words)
    return Totals(counted, claims_, sizes, counts, libraries, skipped, tuple(audited.items()))


def overview(files: Sequence[FileResult]) -> str:
    """A table of several files: how much each says, how long it took, and what is not as declared."""
    lines = ["claims  reasons  edits      time"]
    for file in files:
        total = totals([file])
        count = dict(total.audited)
        edits = count.get("mutant", 0) + count.get("variant", 0)
        first = f"{total.claims:>6}  {count.get('reason', 0):>7}  {edits:>5}  {file.seconds:>6.1f} s  "
        said = ", ".join([file.path, *_not_as_declared(total)])
        lines += wrap(said, _CELLS, first, " " * (len(first) + 2))
    return tidy(lines) + "\n"


def summary(total: Totals, seconds: float, interrupted: bool = False, faulty: bool = False) -> str:
    """The last line of a run; `faulty` where the tool itself failed."""
    parts = [_count(total.files, "specification"), _count(total.claims, "claim"), _count(total.sizes, "size")]
    parts += [_count(n, noun) for noun, n in total.audited]
    if total.libraries:
        parts.append(_count(total.libraries, "library", "libraries"))
    bad = _not_as_declared(total)
    if total.skipped:
        bad.append(f"{_count(total.skipped, 'file')} not checked")
    if interrupted:
        bad.append("interrupted")
    if faulty:
        bad.append("the tool failed")
    fine = "all as declared" if total.files or total.libraries else "nothing was checked"
    return tidy(wrap(f"{', '.join(parts)}, {seconds:.1f} s: {', '.join(bad) or fine}", _CELLS))


def _not_as_declared(total: Totals) -> list[str]:
    return [f"{n} {(_SAID.get(word, (word, word)))[n != 1]}" for word, n in total.words]


def _line(label: str, value: str) -> list[str]:
    return leaders(label, value, _COLUMN, _CELLS, "    ")


def _extent(result: SizeResult) -> str:
    over = f" up to symmetry ({', '.join(result.symmetry)})" if result.symmetry else ""
    if result.states is not None:
        found = f"{result.states:,} {'state' if result.states == 1 else 'states'}{over}"
        return found if result.complete else f"more than {found}"
    engines = dict.fromkeys(f.outcome.engine for f in result.findings if f.outcome.engine)
    return f"states not counted ({', '.join(engines)})" if engines else "not looked at"


def _assigned(sizes: Sizes) -> str:
    return ", ".join(f"{name} {n}" for name, n in sizes)


def _range(values: Sequence[int]) -> str:
    if len(values) > 1 and values[-1] - values[0] == len(values) - 1:
        return f"{values[0]}..{values[-1]}"
    return ", ".join(map(str, values))


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def tick(path: str, sizes: Sizes, event: Tick) -> str:
    """What is going on: for the live line."""
    label = f"{path} ({_assigned(sizes)})" if sizes else path
    what = "states" if event.engine == "explore" else "decided"
    waiting = f", {event.waiting:,} waiting" if event.waiting else ""
    return escape(f"{label}: {event.engine}, depth {event.depth}, {event.done:,} {what}{waiting}")


def trouble_line(sizes: Sizes, why: str) -> str:
    """Why there is no result at one size."""
    return tidy(leaders(_assigned(sizes) or "no parameters", f"unknown: {why}", _COLUMN, _CELLS, "  "))
