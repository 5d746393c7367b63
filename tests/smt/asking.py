"""Asking a solver about one expression: what it encodes to, by folding and by solving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refine.core.expr import Expr
from refine.core.types import Type, Value
from refine.smt.encode import Encoder, FreeNames, needs_integers
from refine.smt.shape import Shape, bit, constants
from refine.smt.solver import Budget, Status, Z3Solver
from refine.smt.term import Term, Terms


class Question:
    """One expression with its variables free, or with constants for them."""

    def __init__(self, x: Expr, types: Mapping[str, Type], old: Mapping[str, Type] | None = None) -> None:
        self.x = x
        self.types = dict(types)
        self.terms = Terms()
        self.shape = Shape(self.terms, exact=needs_integers(types.values(), (x,)))
        self._free = FreeNames()
        self.inputs = {n: self.shape.free(t, n) for n, t in self.types.items()}
        self.before = {n: self.shape.free(t, f"old {n}") for n, t in (old or {}).items()}
        self._encoder = Encoder(
            self.shape, self.inputs, self._free, Encoder(self.shape, self.before, self._free)
        )

    def fold(self, state: Mapping[str, Value], old: Mapping[str, Value] | None = None) -> Value:
        """The value by folding alone: no solver sees anything."""
        now = {n: self.shape.constant(self.types[n], v) for n, v in state.items()}
        then = {n: self.shape.constant(self.types[n], v) for n, v in (old or {}).items()}
        before = Encoder(self.shape, then, self._free)
        found = Encoder(self.shape, now, self._free, before)(self.x)
        return self.shape.value(self.x.type, found, lambda term: term)

    def disagreement(self, table: Sequence[tuple[Mapping[str, Value], Value]]) -> str:
        """What a solver says of the first row of `table` that it refutes; empty where it confirms all."""
        terms, found = self.terms, self._encoder(self.x)
        solver = Z3Solver(Budget(), exact=self.shape.exact)
        rows: list[Term] = []
        for state, value in table:
            here = [
                self.shape.equal(sym, self.shape.constant(self.types[n], state[n]))
                for n, sym in self.inputs.items()
            ]
            differs = terms.not_(self.shape.equal(found, self.shape.constant(self.x.type, value)))
            rows.append(terms.and_((*here, differs)))
        outcome = solver.check([terms.or_(rows)])
        if outcome.status is Status.UNSAT:
            return ""
        known = constants(outcome.model, terms)

        def read(term: Term) -> Term:
            return terms.substitute(term, known)

        state = {n: self.shape.value(self.types[n], sym, read) for n, sym in self.inputs.items()}
        return f"{outcome.status}: {state} gives {self.shape.value(self.x.type, found, read)}"

    def well_formed(self) -> Term:
        """What makes the free inputs values of their types."""
        conds = (c for n, sym in self.inputs.items() for c in self.shape.well_formed(self.types[n], sym))
        return bit(self.terms.and_(conds))
