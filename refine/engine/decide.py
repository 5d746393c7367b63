"""Which engine answers what, and what several answers amount to: over engines, and over sizes.

Explicit search comes first, because it is exact. What it leaves open goes to induction, which needs lemmas, to IC3,
which finds its own, and then to bounded checking. A verdict is only ever replaced by a stronger one, and two that
exclude each other stop everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, TypeAlias, assert_never

from refine.core.system import Kind, Property, System
from refine.engine.replay import Inconsistent
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

Mode = Literal["auto", "explore", "induct", "ic3", "bmc"]
MODES: tuple[Mode, ...] = ("auto", "explore", "induct", "ic3", "bmc")
Engine: TypeAlias = Callable[[System, Sequence[str], Limits, Progress | None], Answer]

_SHARE = 0.6  # of the time there is, for the first of several engines
_CONFLICTS = 200_000  # of one count of rounds, where nothing else bounds it
_BOUND = 20  # steps of bounded checking, where no number was given


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of all engines together, which engine gave each verdict, and why there is no better one."""

    answer: Answer
    engines: Mapping[str, str]
    reasons: Mapping[str, str]
    interrupted: bool = False
    cached: frozenset[str] = frozenset()  # what was decided before


def decide(
    system: System,
    names: Iterable[str],
    limits: Limits,
    progress: Progress | None = None,
    mode: Mode = "auto",
    symmetry: bool = True,
) -> Decision:
    """The verdicts on the properties called `names`, by the engines that `mode` allows."""
    everything = [system.property(name) for name in names]
    asked = [p for p in everything if p.kind is not Kind.LIVENESS]
    verdicts: dict[str, Verdict] = {}
    engines: dict[str, str] = {}
    reasons: dict[str, dict[str, str]] = {p.name: {} for p in everything}
    total = Answer({})
    interrupted = False
    several = _engines(mode, symmetry, limits)
    for n, (name, engine) in enumerate(several):
        # The first engine is asked everything: what it finds on the way is welcome.
        wanted = [p for p in asked if not n or not limits.enough or p.name in limits.enough]
        left = [p.name for p in wanted if _open(verdicts.get(p.name))]
        seen = total.depth if total.states is not None and total.depth is not None else -1
        if not left or interrupted or (mode == "auto" and name == "bmc" and seen >= (limits.steps or _BOUND)):
            break
        answer = _ask(engine, system, left, _limits(limits, mode, name, len(several) - n), progress)
        for prop, said in answer.verdicts.items():
            known = verdicts.get(prop)
            if isinstance(said, Unknown):
                interrupted |= said.cause == Cause.INTERRUPTED
                if said.cause != Cause.NO_ENGINE or known is None:
                    reasons[prop][name] = said.why
            found = _seen_so_far(system.property(prop), said, answer)
            verdicts[prop] = _stronger(prop, known, found, name)
            if verdicts[prop] is not known:
                engines[prop] = name
        total = _together(total, answer)
    ever = [p.name for p in everything if p.kind is Kind.LIVENESS]
    if ever:
        answer, by = _for_ever(system, ever, limits, progress, mode)
        verdicts |= answer.verdicts
        engines |= by
        interrupted |= any(
            isinstance(v, Unknown) and v.cause == Cause.INTERRUPTED for v in answer.verdicts.values()
        )
        total = _together(total, answer)
    why = {name: _said(given) for name, given in reasons.items()}
    final = {p.name: _final(verdicts[p.name], why[p.name]) for p in everything}
    return Decision(replace(total, verdicts=final), engines, why, interrupted)


def _engines(mode: Mode, symmetry: bool, limits: Limits) -> list[tuple[str, Engine]]:
    """The engines in order, each imported only when it is asked: a search needs no solver."""

    def explore(system: System, names: Sequence[str], limits: Limits, progress: Progress | None) -> Answer:
        from refine.engine.explore import explore

        return explore(system, names, limits, progress, symmetry=symmetry)

    def induct(system: System, names: Sequence[str], limits: Limits, progress: Progress | None) -> Answer:
        from refine.engine.induct import induct

        return induct(system, names, limits, progress)

    def bmc(system: System, names: Sequence[str], limits: Limits, progress: Progress | None) -> Answer:
        from refine.engine.bmc import bmc

        return bmc(system, names, limits, progress)

    def ic3(system: System, names: Sequence[str], limits: Limits, progress: Progress | None) -> Answer:
        from refine.engine.ic3 import ic3

        return ic3(system, names, limits, progress, symmetry=symmetry)

    known: dict[str, Engine] = {"explore": explore, "induct": induct, "ic3": ic3, "bmc": bmc}
    if mode != "auto":
        return [(mode, known[mode])]
    # Who asks for so many steps does not ask for a proof.
    proofs = ("induct", "ic3")
    return [(name, known[name]) for name in known if name not in proofs or limits.steps is None]


def _for_ever(
    system: System, names: Sequence[str], limits: Limits, progress: Progress | None, mode: Mode
) -> tuple[Answer, dict[str, str]]:
    """What happens eventually, and who says so: fair cycles among all states, and where these are too many, rounds."""
    engines = [(name, engine) for name, engine, modes in _FOR_EVER if mode in modes]
    if not engines:
        why = f"'{mode}' cannot decide what happens eventually: that takes all states"
        return Answer({name: Unknown(why, Cause.NO_ENGINE) for name in names}), dict.fromkeys(names, "live")
    asked = [name for name in names if not limits.enough or name in limits.enough]
    total = Answer({n: Unknown("not asked", Cause.LIMIT) for n in names if n not in asked})
    by = dict.fromkeys(names, engines[0][0])
    whys: dict[str, dict[str, str]] = {name: {} for name in asked}
    for n, (engine, function) in enumerate(engines):
        left = [name for name in asked if n == 0 or _too_large(total.verdicts[name])]
        if not left:
            break
        share = _limits(limits, mode, "explore" if n == 0 else engine, len(engines) - n)
        if mode == "auto" and n and limits.deadline is None:
            share = replace(share, resources=limits.resources or _CONFLICTS)
        answer = _ask(function, system, left, share, progress)
        for name, said in answer.verdicts.items():
            if isinstance(said, Unknown):
                whys[name][engine] = said.why
        found = {name: _final(v, _said(whys[name])) for name, v in answer.verdicts.items()}
        by |= dict.fromkeys(left, engine)
        total = replace(_together(total, answer), verdicts={**total.verdicts, **found})
    return total, by


def _too_large(verdict: Verdict) -> bool:
    return isinstance(verdict, Unknown) and verdict.cause in (Cause.LIMIT, Cause.TIMEOUT)


def _live(system: System, names: Sequence[str], limits: Limits, progress: Progress | None) -> Answer:
    from refine.engine.live import live

    return live(system, names, limits, progress)


def _rounds(system: System, names: Sequence[str], limits: Limits, progress: Progress | None) -> Answer:
    from refine.engine.rounds import rounds

    return rounds(system, names, limits, progress)


_FOR_EVER: tuple[tuple[str, Engine, tuple[Mode, ...]], ...] = (
    ("live", _live, ("auto", "explore")),
    ("rounds", _rounds, ("auto", "ic3")),
)


def _open(verdict: Verdict | None) -> bool:
    """Whether another engine may add something."""
    match verdict:
        case None | HoldsUpTo():
            return True
        case Unknown():
            return verdict.cause not in (Cause.NO_ENGINE, Cause.INTERRUPTED)
        case Proved() | Violated() | Reached() | Vacuous():
            return False
        case _:
            assert_never(verdict)


def _seen_so_far(p: Property, verdict: Verdict, answer: Answer) -> Verdict:
    """A search that was cut short has seen every run up to its depth: that is worth more than not knowing."""
    cut = isinstance(verdict, Unknown) and verdict.cause in (Cause.LIMIT, Cause.TIMEOUT, Cause.INTERRUPTED)
    searched = answer.states is not None and not answer.complete and answer.depth is not None
    if cut and searched and p.kind in (Kind.STATE, Kind.STEP, Kind.FAULT, Kind.SATISFIABLE):
        assert answer.depth is not None, "it was looked at in the line above"
        return HoldsUpTo(answer.depth)
    return verdict


def _limits(limits: Limits, mode: Mode, name: str, left: int) -> Limits:
    """What one of several engines may use: part of the time, and never endlessly many steps.

    The first has the greater part, and the `left` ones, this one among them, the rest in equal parts.
    """
    if mode != "auto":
        return limits
    if name == "bmc":
        return replace(limits, steps=_BOUND) if limits.steps is None else limits
    if limits.deadline is None:
        return limits
    now = time.monotonic()
    share = _SHARE if name == "explore" else 1 / left
    return replace(limits, deadline=now + max(0.0, limits.deadline - now) * share)


def _ask(
    engine: Engine, system: System, left: Sequence[str], limits: Limits, progress: Progress | None
) -> Answer:
    if limits.deadline is not None and time.monotonic() >= limits.deadline:
        return Answer({p: Unknown("no time was left to ask", Cause.TIMEOUT) for p in left})
    try:
        return engine(system, left, limits, progress)
    except KeyboardInterrupt:
        return Answer({p: Unknown("interrupted", Cause.INTERRUPTED) for p in left})


def _stronger(name: str, known: Verdict | None, found: Verdict, engine: str) -> Verdict:
    """What is known after `found`: never less than before."""
    match known, found:
        case None, _:
            return found
        case Unknown(), Unknown():
            return known if found.cause == Cause.NO_ENGINE else replace(found, cti=found.cti or known.cti)
        case Unknown(), _:
            return found
        case HoldsUpTo(steps), HoldsUpTo(more):
            return found if more > steps else known
        case HoldsUpTo(steps), Violated(trace) | Reached(trace):
            if len(trace.events) <= steps:
                raise Inconsistent(
                    f"{name} holds up to {steps} steps, and yet {engine} has a run of {len(trace.events)}"
                )
            return found
        case HoldsUpTo(), Unknown():
            return known
        case HoldsUpTo(), _:
            return found
        case _:
            raise AssertionError("a question that is answered is not asked again")


def _said(reasons: Mapping[str, str]) -> str:
    """Why there is no better verdict, in the words of each engine that was asked."""
    if len(reasons) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{engine}: {why}" for engine, why in reasons.items())


def _final(verdict: Verdict, said: str) -> Verdict:
    return replace(verdict, why=said) if isinstance(verdict, Unknown) and said else verdict


def _together(one: Answer, two: Answer) -> Answer:
    """The costs of both; exact numbers come from the one that counts states."""
    first = one if one.states is not None else two
    depths = [a.depth for a in (one, two) if a.depth is not None]
    return Answer(
        {},
        first.states,
        first.transitions,
        first.depth if first.states is not None else max(depths, default=None),
        first.symmetry,
        one.complete or two.complete,
        (*one.notes, *two.notes),
    )


# --- plain outcomes, and what they amount to over sizes -----------------------------------------------------

Word = Literal["proved", "holds", "violated", "reached", "vacuous", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict without its trace: plain data, that can be compared, stored and sent."""

    word: Word
    steps: int | None = None  # holds: up to; violated, reached: after
    why: str = ""  # proved: how; vacuous, unknown: why; holds: why it is not proved
    cause: str = ""  # unknown: one of `Cause`
    engine: str = ""
    cached: bool = False  # decided before, in another run


Sizes: TypeAlias = tuple[tuple[str, int], ...]


def extent(sizes: Sizes) -> int:
    """How large a size is: the product of its parameters."""
    return prod(max(1, n) for _, n in sizes)


@dataclass(frozen=True, slots=True)
class Overall:
    """What holds over all sizes asked for: groups of sizes with one word each, the one that decides first."""

    groups: tuple[tuple[Outcome, tuple[Sizes, ...]], ...]

    @property
    def outcome(self) -> Outcome:
        return self.groups[0][0]

    @property
    def sizes(self) -> tuple[Sizes, ...]:
        """The sizes of which `outcome` speaks."""
        return self.groups[0][1]


def outcome(verdict: Verdict, engine: str = "", why: str = "") -> Outcome:
    """The plain data of a verdict; `why`: why it only holds up to so many steps."""
    match verdict:
        case Proved(how):
            return Outcome("proved", None, how, "", engine)
        case HoldsUpTo(steps):
            return Outcome("holds", steps, why, "", engine)
        case Violated(trace):
            return Outcome("violated", len(trace.events), "", "", engine)
        case Reached(trace):
            return Outcome("reached", len(trace.events), "", "", engine)
        case Vacuous(why):
            return Outcome("vacuous", None, why, "", engine)
        case Unknown():
            return Outcome("unknown", None, verdict.why, verdict.cause, engine)
        case _:
            assert_never(verdict)


# A claim holds at all sizes, so the worst decides; but one size that is not vacuous is enough for it to mean
# something. A reach is settled at some size.
_CLAIM: tuple[Word, ...] = ("violated", "unknown", "holds", "proved", "reached", "vacuous")
_REACH: tuple[Word, ...] = ("reached", "unknown", "holds", "vacuous", "proved", "violated")


def over_sizes(role: str, found: Sequence[tuple[Sizes, Outcome]]) -> Overall:
    """What verdicts at several sizes amount to."""
    order = _REACH if role == "reach" else _CLAIM
    groups = []
    for word in order:
        some = [(sizes, one) for sizes, one in found if one.word == word]
        if some:
            groups.append((_weakest([one for _, one in some]), tuple(sizes for sizes, _ in some)))
    return Overall(tuple(groups))


def shortest(found: Sequence[Outcome]) -> int:
    """The position of the run to show: the shortest, and of equals the first."""
    return min(range(len(found)), key=lambda n: (found[n].steps or 0, n))


def _weakest(same: Sequence[Outcome]) -> Outcome:
    """Of outcomes with one word, the one that is true of all; of violations, the shortest."""
    one = same[shortest(same)]
    one = replace(one, cached=all(x.cached for x in same))
    if one.word == "proved":
        searched = all(x.engine == "explore" for x in same)
        whys = dict.fromkeys("all states" if x.engine == "explore" else x.why for x in same)
        return one if len(same) == 1 else replace(one, why="all states" if searched else "; ".join(whys))
    return one


def status(overall: Outcome, steps: int | None = None) -> int:
    """The exit status of one outcome; `steps`: so many were asked for, and no proof."""
    match overall.word:
        case "proved" | "reached":
            return 0
        case "violated" | "vacuous":
            return 1
        case "holds":
            return 0 if steps is not None and (overall.steps or 0) >= steps else 3
        case "unknown":
            return 3
