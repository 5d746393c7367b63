"""A trace as data, in the shape `spte-trace/1`: the same content as its text, and the whole states.

Texts are escaped like everywhere else, values are written as a specification would write them, and a field is
never left out: what is not known is null.

    protocol, file, sizes   what was run; property: what it refutes or reaches
    supposed                whether the first state need not be reachable (a counterexample to induction)
    columns                 the headings of the text, in order
    initially               what does not have its type's default at the start; initial_state: everything
    steps                   step (from 1), thread (null: a rule of hardware, guest or host), column, name,
                            rule, params, choices, source and line, changes (place, old, new, ghost),
                            undefined, state
    loop                    the step after which a lasso repeats, or null
    at_start, at_end        where each thread stands
    why, fault              what is wrong at the end
    reproduce               the command, word by word
"""

from __future__ import annotations

from collections.abc import Sequence

from refine.core.trace import Trace
from refine.engine.decide import Outcome, Sizes
from refine.report.story import Move, Story, tell
from refine.text.diag import escape
from refine.text.span import Span

TRACE = "spte-trace/1"

Data = dict[str, object]


def trace(run: Trace, reproduce: Sequence[str] = (), *, supposed: bool = False) -> Data:
    """A trace, whole: each step with what it changed and the state after it."""
    story = tell(run)
    p, system = story.property, run.system
    return {
        "schema": TRACE,
        "supposed": supposed,
        "protocol": escape(system.name),
        "file": escape(system.file),
        "sizes": sizes(system.sizes),
        "property": {
            "name": escape(p.name),
            "role": p.role,
            "kind": p.kind.value,
            "doc": escape(p.doc),
            "text": escape(p.text),
            **_place(p.span),
        },
        "columns": [escape(name) for name in story.columns],
        "initially": [escape(text) for text in story.initial],
        "initial_state": _bindings(story.init_state),
        "steps": [_step(move) for move in story.moves],
        "loop": run.loop,
        "at_start": [escape(text) for text in story.at_start],
        "at_end": [escape(text) for text in story.at_end],
        "why": [escape(text) for text in run.why],
        "fault": _fault(story),
        "reproduce": [escape(word) for word in reproduce],
    }


def outcome(found: Outcome) -> Data:
    """A verdict without its trace."""
    return {
        "verdict": found.word,
        "steps": found.steps,
        "why": escape(found.why) or None,
        "cause": found.cause or None,
        "engine": found.engine or None,
        "cached": found.cached,
    }


def sizes(values: Sizes) -> Data:
    """`{"VCPUS": 2}`."""
    return {escape(name): n for name, n in values}


def _step(move: Move) -> Data:
    return {
        "step": move.number,
        "thread": None if move.thread is None else escape(move.thread),
        "column": escape(move.column),
        "name": escape(move.name),
        "rule": escape(move.rule),
        "params": _bindings(move.params),
        "choices": _bindings(move.choices),
        **_place(move.span),
        "changes": [
            {"place": escape(c.place), "old": escape(c.old), "new": escape(c.new), "ghost": c.ghost}
            for c in move.changes
        ],
        "undefined": None if move.fault is None else escape(move.fault.what),
        "state": _bindings(move.state),
    }


def _fault(story: Story) -> Data | None:
    fault = story.moves[-1].fault if story.moves else None
    if fault is None:
        return None
    return {"rule": escape(fault.rule), "what": escape(fault.what), **_place(fault.span)}


def _bindings(pairs: Sequence[tuple[str, str]]) -> Data:
    return {escape(name): escape(value) for name, value in pairs}


def _place(span: Span | None) -> Data:
    if span is None:
        return {"source": None, "line": None}
    return {"source": escape(span.source.name), "line": span.line}
