"""Reasons of which none is needed alone are dropped together: two safety nets are not both superfluous."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from refine.engine.items import Dropped, Item, together
from refine.lang.elements import Outline
from refine.report.audit import Row

_IDLE = "not needed"
_ALONE = ("because", "redundant")


def may_change(one: Row) -> bool:
    """Whether what was judged may still turn out to be needed unless another reason is kept."""
    return one.kind in _ALONE and one.verdict == _IDLE


def idle_together(outline: Outline, rows: Iterable[Row], size: int = 2) -> list[Dropped]:
    """The pairs (or triples) that are still to be dropped, of each claim."""
    idle: dict[str, dict[str, None]] = {}
    for one in rows:
        if may_change(one):
            idle.setdefault(one.claim, {})[one.name] = None
    return [pair for claim, names in idle.items() for pair in together(outline, claim, names, size)]


def settled(rows: Sequence[Row]) -> list[Row]:
    """The rows, where a reason that is needed unless another is kept is said to be so."""
    partners: dict[tuple[str, str], list[str]] = {}
    for one in rows:
        if one.kind == "together" and one.verdict == "jointly needed":
            names = one.name.split(", ")
            for name in names:
                rest = ", ".join(n for n in names if n != name)
                partners.setdefault((one.claim, name), []).append(rest)
    made = []
    for one in rows:
        others = partners.get((one.claim, one.name), [])
        if one.kind == "because" and one.verdict == _IDLE and others:
            why = f"not needed alone, but {one.claim} breaks without it and {' or '.join(others)}"
            one = replace(one, verdict="jointly needed", status=0, why=why)  # noqa: PLW2901
        made.append(one)
    return made


def others(items: Iterable[Item], rows: Sequence[Row]) -> list[Dropped]:
    """The reasons not judged yet of those claims that have an idle one: without them no pair could be found."""
    judged = {(one.claim, one.name) for one in rows if one.kind in _ALONE}
    idle = {one.claim for one in rows if may_change(one)}
    reasons = [item for item in items if isinstance(item, Dropped)]
    return [
        r for r in reasons if any(use.claim in idle and (use.claim, use.name) not in judged for use in r.uses)
    ]
