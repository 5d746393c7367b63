"""The map of a protocol: step by step, what breaks without each element, what a weaker call would do; what follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from refine.lang.elements import Element, Outline
from refine.report.audit import Row
from refine.report.cells import leaders, wrap
from refine.report.result import SizeResult
from refine.report.trace import steps

_COLUMN, _CELLS = 42, 79


def lines(rows: Sequence[Row]) -> list[str]:
    """The map as a part of a table."""
    made: list[str] = []
    elements = [x for x in rows if x.kind == "element"]
    if elements:
        made += _title("map: what breaks without each", elements)
        for place, found in _by_place(elements):
            made.append(f"      {place}")
            for x in found:
                made += leaders(
                    f"{x.what}: {x.text}" if x.text else x.what, _fate(x), _COLUMN, _CELLS, " " * 8
                )
    groups = [x for x in rows if x.kind == "group"]
    if groups:
        made += _title("the same for what stands in several places, or in a library", groups)
        for x in groups:
            made += leaders(f"{x.what.partition(' ')[0]} {x.name}", _fate(x), _COLUMN, _CELLS, "      ")
    weaker = [x for x in rows if x.kind == "weaker"]
    if weaker:
        made += _title("would less do?", weaker)
        for x in weaker:
            made += leaders(
                x.name, "no: " + _fate(x) if x.steps is not None else _enough(x), _COLUMN, _CELLS, "      "
            )
    tried = [x for x in rows if x.kind == "systematic"]
    if tried:
        caught = [x for x in tried if x.steps is not None]
        made += _title(f"systematic mutants: {len(caught)} of {len(tried)} caught", tried)
        for x in tried:
            if x.steps is None:
                made += leaders(
                    x.name,
                    "survives" if x.verdict == "nothing breaks" else _fate(x),
                    _COLUMN,
                    _CELLS,
                    "      ",
                )
    return made


def _title(text: str, rows: Sequence[Row]) -> list[str]:
    asked = dict.fromkeys(sizes for x in rows for sizes in x.asked)
    where = "; ".join(", ".join(f"{name} {n}" for name, n in sizes) for sizes in asked)
    return wrap(f"{text} (at {where})" if where else text, _CELLS, "    ", "      ")


def _by_place(rows: Iterable[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each step, in the order of the file."""
    places: dict[str, list[Row]] = {}
    for x in sorted(rows, key=lambda x: x.line):
        places.setdefault(x.place, []).append(x)
    yield from places.items()


def _fate(x: Row) -> str:
    """What breaks, the shortest run first."""
    if x.steps is None:
        return {"nothing breaks": "nothing"}.get(x.verdict, f"{x.verdict}: {x.why}")
    broken = sorted([(x.claim, x.steps), *x.also], key=lambda pair: pair[1])
    first, *rest = [
        f"{name} in {steps(n)}" if not k else f"{name} in {n}" for k, (name, n) in enumerate(broken)
    ]
    return ", ".join([first, *rest])


def _enough(x: Row) -> str:
    return "yes: nothing breaks at these sizes" if x.verdict == "nothing breaks" else f"{x.verdict}: {x.why}"


# --- what follows ---------------------------------------------------------------------------------------------------


def unstated(outline: Outline, rows: Iterable[Row]) -> list[Row]:
    """Elements without which a claim breaks whose reasons do not speak of them; of claims that give any."""
    made = []
    for x in rows:
        if x.kind != "element" or x.steps is None:
            continue
        element = outline.element(x.name)
        broken = dict([(x.claim, x.steps), *x.also])
        for claim, reasons in outline.reasons.items():
            keys = [key for reason in reasons for key in reason.keys]
            if claim in broken and keys and not element.rule and not _covered(element, keys, outline):
                why = f"{claim} breaks without it in {steps(broken[claim])}"
                named = (
                    ""
                    if element.named
                    else f"; name it to list it (line {element.span.line}: {element.text})"
                )
                made.append(
                    Row(
                        "unstated",
                        x.name,
                        "unstated",
                        1,
                        claim,
                        why=why + named,
                        asked=x.asked,
                        cached=x.cached,
                    )
                )
    return made


def _covered(element: Element, keys: Sequence[str], outline: Outline) -> bool:
    """Whether a claim's reasons name an element: itself, what is around it or in it, or all takings of its hold."""
    for key in keys:
        if element.key == key or element.key.startswith(f"{key}.") or key.startswith(f"{element.key}."):
            return True
        if element.kind == "hold" and outline.element(key).group == element.group:
            return True
    return False


def unguarded(results: Iterable[SizeResult], rows: Sequence[Row]) -> list[Row]:
    """Claims of the file that no systematic mutant violates: perhaps they say nothing."""
    tried = [x for x in rows if x.kind == "systematic"]
    if not tried:
        return []
    broken = {name for x in tried for name in (x.claim, *(n for n, _ in x.also))}
    claims = dict.fromkeys(
        f.name for result in results for f in result.findings if f.role == "claim" and "." not in f.name
    )
    why = "no systematic mutant violates it: perhaps it says nothing"
    return [Row("toothless", name, "toothless", 1, name, why=why) for name in claims if name not in broken]
