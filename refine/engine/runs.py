"""From packed states back to runs that people can follow: concrete states, params, choices, and what went wrong.

The search keeps one parent for each state, and under symmetry only one state of each orbit. A run is made by taking
the reference semantics from an initial state along that path, choosing the first successor that falls into the next
orbit: so what is shown is a real run, whatever was renamed on the way.
"""

from __future__ import annotations

from collections.abc import Mapping

from refine.core.system import Kind, Property, State, System
from refine.core.trace import Event, Trace
from refine.core.types import Value, show_value
from refine.engine.explain import why_false
from refine.engine.replay import Inconsistent, check, location
from refine.run.canon import Canon
from refine.run.compile import Program
from refine.run.eval import Transition, as_valuation, evaluate, havoc_fails, initial, successors
from refine.text.diag import escape


class Runs:
    """Makes the runs of one search."""

    def __init__(self, program: Program, seen: Mapping[int, int], canon: Canon | None) -> None:
        self.program = program
        self.system: System = program.system
        self.seen = seen
        self.canon = canon

    def to(self, packed: int, asked: Property, mask: int = 0) -> Trace:
        """Return the run to a state that answers a property; `mask` has the stuck threads."""
        path = self._path(packed)
        choices, state = self._first(path[0])
        start, events = state, []
        for orbit in path[1:]:
            rule, params, chosen, state = self._next(state, orbit)
            events.append(Event(rule, params, chosen, state))
        if asked.kind is Kind.STEP:
            rule, params, chosen, after = self._breaking(state, asked)
            events.append(Event(rule, params, chosen, after))
        run = Trace(self.system, choices, start, tuple(events), asked.name)
        why = self._why(run, asked, mask)
        return check(Trace(self.system, choices, start, tuple(events), asked.name, why))

    def _path(self, packed: int) -> list[int]:
        path = [packed]
        while (packed := self.seen[packed]) != -1:
            path.append(packed)
        return path[::-1]

    def _orbit(self, state: State) -> int:
        packed = self.program.layout.encode(state)
        return packed if self.canon is None else self.canon(packed)

    def _first(self, orbit: int) -> tuple[tuple[Value, ...], State]:
        for choices, state in initial(self.system):
            if self._orbit(state) == orbit:
                return choices, state
        raise Inconsistent("the search starts from a state that is not initial")

    def _next(self, state: State, orbit: int) -> tuple[str, tuple[Value, ...], tuple[Value, ...], State]:
        for transition in successors(self.system, state):
            if self._orbit(transition[3]) == orbit:
                return _named(transition)
        raise Inconsistent("the search takes a step that no rule allows")

    def _breaking(
        self, state: State, asked: Property
    ) -> tuple[str, tuple[Value, ...], tuple[Value, ...], State]:
        """Return a transition that breaks a claim about steps."""
        before = as_valuation(self.system, state)
        for transition in successors(self.system, state):
            rule, _, _, after = transition
            if after.fault is not None or (asked.of is not None and rule.step not in asked.of):
                continue
            if not evaluate(asked.cond, as_valuation(self.system, after), before):
                return _named(transition)
        raise Inconsistent(f"the search finds `{asked.name}` broken by a step that does not break it")

    # --- what went wrong --------------------------------------------------------------------------------------

    def _why(self, run: Trace, asked: Property, mask: int) -> tuple[str, ...]:
        states = run.states()
        values = as_valuation(self.system, states[-1])
        match asked.kind:
            case Kind.STATE:
                return why_false(asked.cond, values)
            case Kind.STEP:
                return why_false(asked.cond, values, as_valuation(self.system, states[-2]))
            case Kind.FAULT:
                fault = states[-1].fault
                assert fault is not None, "the run leads to a fault"
                return (escape(f"undefined: {self.system.places[fault]}"),)
            case Kind.SATISFIABLE:
                return (self._unsatisfiable(asked, states[-1]),)
            case Kind.STUCK:
                return (self._stuck(states[-1], mask),)
            case Kind.REACH | Kind.LIVENESS:
                return ()

    def _unsatisfiable(self, asked: Property, end: State) -> str:
        assert asked.of is not None, "a SATISFIABLE property names its rule"
        rule = self.system.rule(asked.of[0])
        params = havoc_fails(self.system, rule, end)
        if params is None:
            raise Inconsistent(f"the search finds no choices for `{rule.name}`, and there are some")
        given = [
            f"{binder.name} = {show_value(binder.type, v)}"
            for binder, v in zip(rule.params, params, strict=True)
        ]
        which = f" with {', '.join(given)}" if given else ""
        return escape(f"no value can be chosen in `{rule.step or rule.name}`{which}")

    def _stuck(self, end: State, mask: int) -> str:
        threads = self.program.threads
        places = tuple(range(len(threads)))
        if self.canon is not None:
            _, places = self.canon.placed(self.program.layout.encode(end))
        thread = next(t for t, place in zip(threads, places, strict=True) if mask >> place & 1)
        family = self.system.families[thread.family]
        member = None if family.index is None else thread.member
        at = location(self.system, end, thread.family, member)
        name = family.name if member is None else f"{family.name}[{member}]"
        return escape(f"{name} can never move again, and is at `{self._location_name(family.pc, at)}`")

    def _location_name(self, counter: str, at: int) -> str:
        type_ = self.system.var(counter).type
        return show_value(getattr(type_, "item", type_), at)


def _named(transition: Transition) -> tuple[str, tuple[Value, ...], tuple[Value, ...], State]:
    rule, params, choices, after = transition
    return rule.name, params, choices, after
