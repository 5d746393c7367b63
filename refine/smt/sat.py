"""Ground questions by SAT: terms as gates, gates as clauses, for python-sat; the only file that knows it.

Only the gates below what was asked become clauses. An answer depends on nothing but the questions before it: effort is
counted in conflicts, and time is looked at between slices of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from refine.core.types import Array, Option, Struct, Type, Word
from refine.smt.gates import FALSE, TRUE, Blaster, Gates
from refine.smt.solver import Budget, Outcome, Reason, Solver, Status, Z3Solver
from refine.smt.term import BIT, Term
from refine.smt.unroll import Unrolling

_SLICE = 2_000  # conflicts between two looks at the clock
_NARROW = 16  # bits of the widest word that SAT is asked about

DEEP = "cadical195"  # few hard questions
MANY = "glucose4"  # thousands of easy ones


class Clauses:
    """A SAT solver that reads literals of some `Gates`."""

    def __init__(self, gates: Gates, budget: Budget, kind: str) -> None:
        from pysat.solvers import Solver as Sat

        self.gates = gates
        self.checks = 0
        self._budget = budget
        self._sat: Any = Sat(name=kind, bootstrap_with=[[TRUE]])
        self._told: set[int] = {TRUE}
        self._counted = 0

    def tell(self, roots: Iterable[int]) -> None:
        """Define all gates below `roots`."""
        told = self._told
        roots = [x for x in roots if abs(x) not in told]
        if not roots:
            return
        add = self._sat.add_clause
        for node in self.gates.cone(roots, self._told):
            if node not in self.gates.defined:
                continue
            kind, args = self.gates.defined[node]
            match kind:
                case "and":
                    for a in args:
                        add([-node, a])
                    add([node, *(-a for a in args)])
                case "xor":
                    a, b = args
                    for clause in ([-node, a, b], [-node, -a, -b], [node, -a, b], [node, a, -b]):
                        add(clause)
                case _:
                    c, a, b = args
                    for clause in ([-node, -c, a], [-node, c, b], [node, -c, -a], [node, c, -b]):
                        add(clause)
                    add([-node, a, b])
                    add([node, -a, -b])

    def add(self, clause: Sequence[int]) -> None:
        """Demand one of the literals."""
        self.tell(clause)
        self._sat.add_clause(list(clause))

    def solve(self, assumed: Sequence[int]) -> bool | Reason:
        """Whether there is a model under `assumed`, or why that is not known."""
        self.tell(assumed)
        self.checks += 1
        while True:
            stop = self._spend()
            if stop is not None:
                return stop
            try:
                found = self._sat.solve_limited(list(assumed))
            except KeyboardInterrupt:
                self._budget.interrupted = True
                return Reason.INTERRUPTED
            if found is not None:
                return bool(found)

    def _spend(self) -> Reason | None:
        """Allow one slice more; the reason for not going on where there is nothing left."""
        budget = self._budget
        if budget.interrupted:
            return Reason.INTERRUPTED
        if budget.deadline is not None and time.monotonic() >= budget.deadline:
            return Reason.TIMEOUT
        allowed = _SLICE
        if budget.resources:
            counted = int(self._sat.accum_stats()["conflicts"])
            budget.spent += counted - self._counted
            self._counted = counted
            allowed = min(allowed, budget.resources - budget.spent)
            if allowed <= 0:
                return Reason.LIMIT
        self._sat.conf_budget(allowed)
        return None

    def core(self) -> frozenset[int]:
        """The assumed literals that the last answer no rests on."""
        return frozenset(self._sat.get_core() or ())

    def model(self) -> list[int]:
        """The last answer yes: at position k - 1, k or -k. Nodes that were never told may be missing."""
        found: list[int] = self._sat.get_model()
        return found

    def close(self) -> None:
        """Free what the solver holds."""
        self._sat.delete()


class SatSolver:
    """The solver interface over `Clauses`. Raises `NotBits` where a term has unbounded integers."""

    def __init__(self, budget: Budget, kind: str = DEEP) -> None:
        self.blaster = Blaster()
        self.clauses = Clauses(self.blaster.gates, budget, kind)

    def add(self, condition: Term) -> None:
        if not self.blaster.define(condition):
            self.clauses.add([self.blaster.literal(condition)])

    def check(self, assumptions: Sequence[Term] = ()) -> Outcome:
        literals = [self.blaster.literal(a) for a in assumptions]
        if FALSE in literals:
            return Outcome(Status.UNSAT, core=(assumptions[literals.index(FALSE)],))
        found = self.clauses.solve(list(dict.fromkeys(x for x in literals if x != TRUE)))
        if isinstance(found, Reason):
            return Outcome(Status.UNKNOWN, reason=found)
        if found:
            return Outcome(Status.SAT, model=inputs(self.blaster, self.clauses.model()))
        core = self.clauses.core()
        by_literal = dict(reversed(list(zip(literals, assumptions, strict=True))))
        return Outcome(Status.UNSAT, core=tuple(a for x, a in by_literal.items() if x in core))


def inputs(blaster: Blaster, model: Sequence[int]) -> dict[str, bool | int]:
    """The values of all inputs in a model of `Clauses`, by name."""
    values = evaluate(blaster.gates, model, blaster.inputs.values())
    found: dict[str, bool | int] = {}
    for term, bits in blaster.inputs.items():
        on = [values[abs(b)] is (b > 0) for b in bits]
        number = sum(1 << k for k, b in enumerate(on) if b)
        found[str(term.data)] = on[0] if term.width == BIT else number
    return found


def solver_for(unrolling: Unrolling, budget: Budget) -> Solver:
    """The fastest solver for runs of a system: SAT where all are bits, Z3 for integers and for wide words.

    Measured on the shipped protocols: SAT takes a half to a quarter of the time; of words it has only the bits.
    """
    types = (v.type for v in unrolling.system.vars)
    if unrolling.exact or any(word.bits > _NARROW for word in words(types)):
        return Z3Solver(budget, exact=unrolling.exact)
    return SatSolver(budget)


def words(types: Iterable[Type]) -> Iterator[Word]:
    """All machine words in types."""
    for type_ in types:
        match type_:
            case Word():
                yield type_
            case Option(item) | Array(_, item):
                yield from words([item])
            case Struct(_, fields):
                yield from words(t for _, t in fields)
            case _:
                pass


def evaluate(gates: Gates, model: Sequence[int], wanted: Iterable[Sequence[int]]) -> dict[int, bool]:
    """The values of the nodes below `wanted`, where free nodes have the values of `model`, or are false."""
    values: dict[int, bool] = {TRUE: True}
    seen = {TRUE}

    def value(x: int) -> bool:
        return values[abs(x)] is (x > 0)

    for node in gates.cone((x for bits in wanted for x in bits), seen):
        kind, args = gates.defined.get(node, ("", ()))
        match kind:
            case "and":
                values[node] = all(map(value, args))
            case "xor":
                values[node] = value(args[0]) is not value(args[1])
            case "ite":
                values[node] = value(args[1]) if value(args[0]) else value(args[2])
            case _:
                values[node] = node <= len(model) and model[node - 1] > 0
    return values
