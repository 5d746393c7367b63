"""What was decided before: a question in all that an engine sees of it, and its answer as plain data.

An answer is kept only if it would be given again whatever the clock says. A run that was kept is replayed before it
is believed; what does not fit its question is refused, and the question is decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from refine.core.digest import digest
from refine.core.symmetry import symmetric_types
from refine.core.system import Kind, State, System
from refine.core.trace import Event, Trace
from refine.core.types import Value
from refine.engine.decide import Decision, Mode, Sizes, decide
from refine.engine.replay import replay
from refine.engine.verdict import (
    Answer,
    Cause,
    HoldsUpTo,
    Limits,
    Progress,
    Proved,
    Reached,
    Unknown,
    Vacuous,
    Verdict,
    Violated,
)
from refine.lang.certificate import Section

Data = Any  # of JSON, that nobody vetted

_SEARCHES = {"explore", "live"}
_BOUNDED = (Cause.LIMIT, Cause.NO_ENGINE)  # why there is no answer within limits, whatever the clock says


class Memory(Protocol):
    """Answers by their questions, as plain data. `missed`: how many questions had to be decided."""

    missed: int

    def recall(self, question: str) -> Data | None:
        """What was kept, if anything."""

    def keep(self, question: str, answer: Data) -> None:
        """Keep an answer."""

    def refuse(self, question: str, why: str) -> None:
        """Forget what was recalled last: it is no answer to its question."""


class _NoAnswer(Exception):
    """What was kept is no answer to the question."""


_NO_ANSWER = (_NoAnswer, KeyError, TypeError, ValueError, IndexError, AttributeError)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, _NoAnswer) else "it is no answer to its question"


def ask(
    system: System,
    names: Iterable[str],
    limits: Limits,
    progress: Progress | None = None,
    mode: Mode = "auto",
    symmetry: bool = True,
    memory: Memory | None = None,
) -> Decision:
    """What `decide` says: remembered, if it was asked before."""
    names = tuple(names)
    if memory is None:
        return decide(system, names, limits, progress, mode, symmetry)
    # A search sees what is asked, induction all that is claimed.
    alone = _question("search", system, names, limits, mode, symmetry)
    among = _question("engines", system, [p.name for p in system.properties], limits, mode, symmetry, names)
    for question in (alone, among):
        kept = memory.recall(question)
        if kept is not None:
            try:
                return _decoded(kept, system, names)
            except _NO_ANSWER as error:
                memory.refuse(question, _why(error))
    memory.missed += 1
    parts = _parts(system, names, limits, mode, symmetry)
    found = _known_parts(system, parts, memory)
    left = tuple(name for name in names if name not in found)
    if not found or not _searched_alike(system, names, left, symmetry):
        found, left = {}, names
    rest = decide(system, left, limits, progress, mode, symmetry) if left else None
    decision = _joined(names, found, rest)
    if _lasts(decision, limits, mode):
        _keep_parts(decision, parts, memory)
        searched = set(decision.engines.values()) <= _SEARCHES
        memory.keep(alone if searched else among, _encoded(decision))
    return decision


def _question(
    kind: str,
    system: System,
    seen: Iterable[str],
    limits: Limits,
    mode: Mode,
    symmetry: bool,
    names: Iterable[str] = (),
) -> str:
    """All that the answer depends on, but for what the tool itself is made of."""
    claims = [system.property(name) for name in seen]
    said = {
        "kind": kind,
        "system": digest(replace(system, properties=tuple(claims))),
        "claims": [[p.name, p.role, p.using] for p in claims],
        "names": list(names),
        "mode": mode,
        "symmetry": symmetry,
        "limits": [limits.states, limits.steps, limits.resources, sorted(limits.enough)],
    }
    return json.dumps(said)


def _lasts(decision: Decision, limits: Limits, mode: Mode) -> bool:
    """Whether the same would be said again with all the time in the world, and none of it by chance."""
    if decision.interrupted:
        return False
    verdicts = decision.answer.verdicts
    wanted = [v for name, v in verdicts.items() if not limits.enough or name in limits.enough]
    final = all(isinstance(v, Proved | Violated | Reached | Vacuous) for v in wanted)
    if limits.deadline is not None:
        return final and decision.answer.complete
    if any(isinstance(v, Unknown) and v.cti is not None for v in verdicts.values()):
        return False
    if final:
        return True
    bounded = mode == "explore" or limits.steps is not None
    return bounded and not any(isinstance(v, Unknown) and v.cause not in _BOUNDED for v in wanted)


# --- one claim of several ---------------------------------------------------------------------------------------
#
# What a search of all states says of a property depends on the property, the rules, and which identities it does not
# tell apart. So after a change to one property, the others need not be asked.


def _parts(
    system: System, names: tuple[str, ...], limits: Limits, mode: Mode, symmetry: bool
) -> dict[str, str]:
    """For each property, the question that it is alone, where search answers all of them one by one."""
    asked = [system.property(name) for name in names]
    bounded = bool(limits.enough) or limits.deadline is not None
    # What must happen is asked in one question: it would be a file for each step.
    other = any(p.kind is Kind.LIVENESS or p.role == "vacuity" for p in asked)
    if mode not in ("auto", "explore") or bounded or other:
        return {}
    rules = digest(replace(system, properties=()))
    said = {
        "kind": "claim",
        "rules": rules,
        "symmetry": _symmetric(system, names, symmetry),
        "mode": mode,
        "limits": [limits.states, limits.steps, limits.resources],
    }
    bare = replace(system, rules=(), assumes=(), places=(), families=())
    return {p.name: json.dumps({**said, "claim": digest(replace(bare, properties=(p,)))}) for p in asked}


def _symmetric(system: System, names: Iterable[str], symmetry: bool) -> Data:
    if not symmetry:
        return None
    found = symmetric_types(system, tuple(system.property(name) for name in names))
    return [repr(found.types), list(found.notes)]


def _searched_alike(system: System, names: Iterable[str], rest: Iterable[str], symmetry: bool) -> bool:
    """Whether a search for the rest counts the same states."""
    rest = tuple(rest)
    return not rest or _symmetric(system, names, symmetry) == _symmetric(system, rest, symmetry)


def _known_parts(system: System, parts: Mapping[str, str], memory: Memory) -> dict[str, Decision]:
    """What is known of each; nothing, where no proof among them says that all states were looked at."""
    found = {}
    for name, question in parts.items():
        kept = memory.recall(question)
        if kept is not None:
            try:
                found[name] = _decoded(kept, system, (name,))
            except _NO_ANSWER as error:
                memory.refuse(question, _why(error))
    proved = any(isinstance(one.answer.verdicts[name], Proved) for name, one in found.items())
    return found if proved else {}


def _joined(names: Iterable[str], known: Mapping[str, Decision], rest: Decision | None) -> Decision:
    """One decision, in the order of the question: the numbers are those of all states."""
    if rest is not None and not known:
        return rest
    first = next(iter(known.values())).answer
    said = [*known.values(), *([] if rest is None else [rest])]
    verdicts = {name: v for one in said for name, v in one.answer.verdicts.items()}
    engines = {name: engine for one in said for name, engine in one.engines.items()}
    reasons = {name: why for one in said for name, why in one.reasons.items()}
    answer = replace(first, verdicts={name: verdicts[name] for name in names})
    return Decision(answer, engines, reasons, rest is not None and rest.interrupted, frozenset(known))


def _keep_parts(decision: Decision, parts: Mapping[str, str], memory: Memory) -> None:
    """Keep what a search of all states said, of each property by itself."""
    if not decision.answer.complete:
        return
    for name, question in parts.items():
        final = isinstance(decision.answer.verdicts[name], Proved | Violated | Reached | Vacuous)
        if final and decision.engines.get(name) == "explore" and name not in decision.cached:
            answer = replace(decision.answer, verdicts={name: decision.answer.verdicts[name]})
            reasons = {n: why for n, why in decision.reasons.items() if n == name}
            memory.keep(question, _encoded(Decision(answer, {name: "explore"}, reasons)))


# --- as plain data ----------------------------------------------------------------------------------------------


def _encoded(decision: Decision) -> Data:
    answer = decision.answer
    return {
        "verdicts": [[name, *_verdict(verdict)] for name, verdict in answer.verdicts.items()],
        "engines": dict(decision.engines),
        "reasons": dict(decision.reasons),
        "states": answer.states,
        "transitions": answer.transitions,
        "depth": answer.depth,
        "symmetry": list(answer.symmetry),
        "complete": answer.complete,
        "notes": list(answer.notes),
    }


def _verdict(verdict: Verdict) -> list[Data]:
    match verdict:
        case Proved(how):
            return ["proved", how]
        case HoldsUpTo(steps):
            return ["holds", steps]
        case Violated(trace):
            return ["violated", _run(trace)]
        case Reached(trace):
            return ["reached", _run(trace)]
        case Vacuous(why):
            return ["vacuous", why]
        case Unknown(why, cause):
            return ["unknown", why, cause]


def _run(trace: Trace) -> Data:
    events = [[e.rule, _plain(e.params), _plain(e.choices), _state(e.state)] for e in trace.events]
    return {
        "choices": _plain(trace.init_choices),
        "init": _state(trace.init),
        "events": events,
        "why": list(trace.why),
        "loop": trace.loop,
    }


def _state(state: State) -> Data:
    return [_plain(state.values), state.fault]


def _plain(value: Value) -> Data:
    match value:
        case tuple():
            return [_plain(v) for v in value]
        case frozenset():
            return {"set": sorted((_plain(v) for v in value), key=json.dumps)}
        case _:
            return value


def _decoded(data: Data, system: System, names: tuple[str, ...]) -> Decision:
    """The decision, if it answers just what is asked, and its runs are runs. Raises `_NoAnswer`, or what data raise."""
    verdicts = {name: _answer(system, name, said) for name, *said in data["verdicts"]}
    if set(verdicts) != set(names) or len(data["verdicts"]) != len(names):
        raise _NoAnswer("it answers another question")
    answer = Answer(
        verdicts,
        _number(data["states"]),
        _number(data["transitions"]),
        _number(data["depth"]),
        tuple(map(_text, data["symmetry"])),
        data["complete"] is True,
        tuple(map(_text, data["notes"])),
    )
    return Decision(answer, _texts(data["engines"]), _texts(data["reasons"]), cached=frozenset(names))


def _answer(system: System, name: str, said: list[Data]) -> Verdict:
    kind = system.property(name).kind
    match said:
        case ["proved", str(how)] if kind is not Kind.REACH:
            return Proved(how)
        case ["holds", int(steps)] if kind is not Kind.REACH:
            return HoldsUpTo(steps)
        case ["violated", run] if kind is not Kind.REACH:
            return Violated(_replayed(system, name, run))
        case ["reached", run] if kind is Kind.REACH:
            return Reached(_replayed(system, name, run))
        case ["vacuous", str(why)]:
            return Vacuous(why)
        case ["unknown", str(why), str(cause)]:
            return Unknown(why, cause)
        case _:
            raise _NoAnswer("it is no answer to its question")


def _replayed(system: System, name: str, data: Data) -> Trace:
    events = tuple(
        Event(_text(rule), _values(params), _values(choices), _read_state(state))
        for rule, params, choices, state in data["events"]
    )
    why = tuple(map(_text, data["why"]))
    choices, init = _values(data["choices"]), _read_state(data["init"])
    trace = Trace(system, choices, init, events, name, why, _number(data["loop"]))
    if complaints := replay(trace):
        raise _NoAnswer(f"its run for `{name}` does not replay: {complaints[0]}")
    return trace


def _read_state(data: Data) -> State:
    values, fault = data
    return State(_values(values), _number(fault))


def _values(data: Data) -> tuple[Value, ...]:
    if not isinstance(data, list):
        raise _NoAnswer("a value is missing")
    return tuple(map(_value, data))


def _value(data: Data) -> Value:
    match data:
        case None | bool() | int():
            return data
        case list():
            return _values(data)
        case {"set": list(members)}:
            return frozenset(map(_value, members))
        case _:
            raise _NoAnswer("a value is none")


def _number(data: Data) -> int | None:
    if data is None or (isinstance(data, int) and not isinstance(data, bool)):
        return data
    raise _NoAnswer("a number is none")


def _text(data: Data) -> str:
    if isinstance(data, str):
        return data
    raise _NoAnswer("a text is none")


def _texts(data: Data) -> Mapping[str, str]:
    return {_text(name): _text(value) for name, value in data.items()}


# --- certificates -----------------------------------------------------------------------------------------------


def certificate(section: Section, sizes: Sizes, systems: Iterable[System]) -> str:
    """The question whether a section of a certificate is true of a size, or of any."""
    said = {
        "kind": "certificate",
        "section": repr(section),
        "sizes": sizes,
        "systems": [*map(digest, systems)],
    }
    return json.dumps(said)
