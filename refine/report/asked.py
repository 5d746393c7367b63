"""The page that answers one 'what if': plain text that a reviewer can be sent, no wider than a mail."""

from __future__ import annotations

from collections.abc import Sequence

from refine.engine.decide import Sizes
from refine.report.audit import Row
from refine.report.cells import WIDTH, leaders, tidy, wrap
from refine.report.trace import steps

_COLUMN = 38


def page(
    title: str,
    said: Sequence[str],
    rows: Sequence[Sizes],
    claims: Sequence[str],
    main: Row,
    reasons: Sequence[Row],
) -> str:
    """What was asked, what came of it, and where nothing broke: which reasons carry the load now."""
    lines = [*wrap(f"what if: {'; '.join(said)}", WIDTH, "", "  "), *wrap(f"in {title}", WIDTH, "  ")]
    if main.steps is not None:
        lines += ["", *wrap(_broken(main), WIDTH)]
        return tidy(lines) + f"\n{main.trace}"
    if main.verdict != "nothing breaks":
        return tidy([*lines, "", *wrap(f"unknown: {main.why}", WIDTH)])
    lines += ["", *wrap(f"still proved: {', '.join(claims)}", WIDTH, "", "  ")]
    lines += wrap(f"at {_sizes(rows)}; {main.states:,} states", WIDTH, "  ", "  ")
    if main.also:
        others = ", ".join(f"{name} in {steps(n)}" for name, n in main.also)
        lines += wrap(f"but this breaks: {others}", WIDTH, "  ")
    if reasons:
        lines += ["", "what carries the load now:"]
        for claim in dict.fromkeys(x.claim for x in reasons):
            lines.append(f"  {claim}")
            for x in reasons:
                if x.claim == claim:
                    lines += leaders(x.name, _load(x), _COLUMN, WIDTH, "    ")
    return tidy(lines)


def _broken(main: Row) -> str:
    others = ", ".join(f"{name} in {n}" for name, n in main.also)
    return f"{main.claim} breaks in {steps(main.steps or 0)}" + (f"; also {others}" if others else "")


def _load(x: Row) -> str:
    match x.verdict:
        case "needed":
            return f"needed: without it, broken in {steps(x.steps or 0)}"
        case "not needed":
            return "not needed"
        case _:
            return f"{x.verdict}: {x.why}"


def _sizes(rows: Sequence[Sizes]) -> str:
    return "; ".join(", ".join(f"{name} {n}" for name, n in row) or "its only size" for row in rows)
