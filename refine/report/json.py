"""The events of a run as data, one object a line, in the shape `spte-events/1`.

    start       schema, version, command
    diagnostic  code, severity, message, file, line, col, end_line, end_col, help, notes
    note        message
    library     file, doc: a file without anything to decide
    file        file, doc: what follows is about this file
    size        file, sizes, states, transitions, depth, complete, symmetry, assumptions, notes, interrupted,
                verdicts
    trouble     file, sizes, why, details: there is no result at this size
    verdict     file, name, role, doc, text, verdict, steps, why, cause, engine, cached, sizes (of which it is said),
                elsewhere (verdicts at other sizes), trace (see refine/report/data.py, or null)
    audit       file, kind (because, redundant, together, mutant, variant, observer, vacuity, vacuous, …), name, claim,
                doc, verdict, as_declared, why, steps and at (of the run that shows it), also_broken, sizes (looked
                at), states, cached, trace
    uncovered   file, name, why
    summary     files, claims, sizes, libraries, audited, not_checked, counts, seconds, interrupted, status

`cached`: decided in an earlier run.
`verdict` is proved, holds (up to `steps`), violated or reached (in `steps`), vacuous, or unknown (`cause`).
"""

from __future__ import annotations

from refine.report.data import Data, outcome, sizes
from refine.report.result import SizeResult, Summed
from refine.report.text import Totals
from refine.text.diag import escape

EVENTS = "spte-events/1"


def size(result: SizeResult) -> Data:
    """What was found at one size, without traces."""
    return {
        "sizes": sizes(result.sizes),
        "states": result.states,
        "transitions": result.transitions,
        "depth": result.depth,
        "complete": result.complete,
        "symmetry": [escape(name) for name in result.symmetry],
        "assumptions": [escape(name) for name in result.assumptions],
        "notes": [escape(note) for note in result.notes],
        "interrupted": result.interrupted,
        "verdicts": {escape(f.name): outcome(f.outcome) for f in result.findings},
    }


def verdict(row: Summed) -> Data:
    """What was found over all sizes, with the trace that shows it."""
    found = row.finding
    return {
        "name": escape(found.name),
        "role": found.role,
        "doc": escape(found.doc),
        "text": escape(found.text),
        **outcome(row.overall.outcome),
        "sizes": [sizes(values) for values in row.overall.sizes],
        "elsewhere": [
            {**outcome(one), "sizes": [sizes(values) for values in at]} for one, at in row.overall.groups[1:]
        ],
        "trace": found.trace_json,
    }


def summary(total: Totals, seconds: float) -> Data:
    """The counts of a whole run."""
    return {
        "files": total.files,
        "claims": total.claims,
        "sizes": total.sizes,
        "libraries": total.libraries,
        "audited": dict(total.audited),
        "not_checked": total.skipped,
        "counts": dict(total.words),
        "seconds": round(seconds, 3),
    }
