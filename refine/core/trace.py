"""One immutable trace format for all engines: an initial state, the steps taken, and what went wrong at the end."""

from __future__ import annotations

from dataclasses import dataclass

from refine.core.system import State, System
from refine.core.types import Value

NO_EFFECT = " has no effect"  # ends the name of a choice that says so of a call which was dropped


@dataclass(frozen=True, slots=True)
class Event:
    """One transition: the rule's name, the values of its params and choices in order, and the state after it."""

    rule: str
    params: tuple[Value, ...]
    choices: tuple[Value, ...]
    state: State


@dataclass(frozen=True, slots=True)
class Trace:
    """A run of `system` from an initial state. `loop` is the position a lasso returns to (None: a finite run)."""

    system: System
    init_choices: tuple[Value, ...]
    init: State
    events: tuple[Event, ...]
    property: str  # the name of the property that it refutes, or reaches
    why: tuple[str, ...] = ()  # which part of the property failed, a line each
    loop: int | None = None

    def states(self) -> tuple[State, ...]:
        """All states in order, the initial one first."""
        return (self.init, *(event.state for event in self.events))
