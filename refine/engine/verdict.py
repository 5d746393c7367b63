"""What an engine may answer, and the bounds that it is given; a verdict never claims more than was established."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from refine.core.trace import Trace


@dataclass(frozen=True, slots=True)
class Proved:
    """Holds in every reachable state, for an unbounded number of steps, at the system's size."""

    how: str  # "all 3225 states", "2-induction with lemmas a, b"


@dataclass(frozen=True, slots=True)
class HoldsUpTo:
    """Holds in every state reachable within `steps` steps; nothing is known beyond."""

    steps: int


@dataclass(frozen=True, slots=True)
class Violated:
    """Refuted by a run that the explicit semantics has replayed."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Reached:
    """A `reach` is satisfied by a run that the explicit semantics has replayed."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Vacuous:
    """Proved to say nothing: a `reach` that no state satisfies, an assumption that nothing can meet."""

    why: str


class Cause:
    """Why an answer is unknown, where programs want to tell."""

    NO_ENGINE = "no engine yet"
    INTERRUPTED = "interrupted"
    TIMEOUT = "out of time"
    LIMIT = "resource limit"
    SOLVER = "solver answered unknown"
    UNDECIDED = "not decided"


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer, and why not. `cause` is one of `Cause`; `cti` is a counterexample to induction where there is one."""

    why: str
    cause: str = Cause.UNDECIDED
    cti: Trace | None = None


Verdict: TypeAlias = Proved | HoldsUpTo | Violated | Reached | Vacuous | Unknown


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one question. `resources` is a solver's own deterministic count; `deadline` is of `time.monotonic`.

    `enough`: where it names properties, their answers are enough, and what else is found by then is welcome.
    """

    states: int = 5_000_000
    steps: int | None = None
    resources: int = 0  # 0: none
    deadline: float | None = None
    enough: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tick:
    """Progress of an engine: the depth reached, and how much is done and waiting (states, or queries)."""

    engine: str
    depth: int
    done: int
    waiting: int = 0


Progress: TypeAlias = Callable[[Tick], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdicts of one engine run on one system, by property name, and what it cost."""

    verdicts: Mapping[str, Verdict]
    states: int | None = None  # exact number of reachable states, or of orbits under `symmetry`
    transitions: int | None = None
    depth: int | None = None
    symmetry: tuple[str, ...] = ()  # index types whose permutations were factored out
    complete: bool = False
    notes: tuple[str, ...] = field(default=())
