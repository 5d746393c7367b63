"""A second opinion: terms for cvc5, through pySMT; the only file that knows either."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from refine.smt.gates import NotBits
from refine.smt.solver import Budget, Outcome, Reason, Status
from refine.smt.term import BIT, UNBOUNDED, Term, TermOp, below
from refine.smt.text import script

_LONGEST = 60_000  # milliseconds for one question with quantifiers


class Cvc5Solver:
    """The solver interface over cvc5, for truth values and bit-vectors; answers without models and cores.

    Raises `NotBits` where a term has unbounded integers.
    """

    def __init__(self) -> None:
        os.environ.setdefault("PYSMT_CYTHON", "False")  # with it, the first start takes most of a minute
        from pysmt.environment import Environment
        from pysmt.typing import BOOL, BVType

        environment = Environment()
        self._make_type: Any = BVType
        self._bool: Any = BOOL
        self._terms: Any = environment.formula_manager
        # Measured on the certificates here, its internal bit-vector solver takes a seventh of the default one's time.
        options = {"bv-solver": "bitblast-internal"}
        self._solver: Any = environment.factory.Solver(name="cvc5", logic="QF_BV", solver_options=options)
        self._done: dict[Term, Any] = {}

    def add(self, condition: Term) -> None:
        self._solver.add_assertion(self._formula(condition))

    def check(self, assumptions: Sequence[Term] = ()) -> Outcome:
        from pysmt.exceptions import SolverReturnedUnknownResultError

        self._solver.push()
        try:
            for assumption in assumptions:
                self._solver.add_assertion(self._formula(assumption))
            found = self._solver.solve()
        except SolverReturnedUnknownResultError:
            return Outcome(Status.UNKNOWN, reason=Reason.INCOMPLETE)
        finally:
            self._solver.pop()
        return Outcome(Status.SAT if found else Status.UNSAT)

    def _formula(self, root: Term) -> Any:
        done = self._done
        for x in below((root,), done):
            done[x] = self._make(x, [done[a] for a in x.args])
        return done[root]

    def _make(self, x: Term, args: list[Any]) -> Any:
        t = self._terms
        if x.width == UNBOUNDED or any(a.width == UNBOUNDED for a in x.args):
            raise NotBits
        match x.op:
            case TermOp.CONST:
                return t.Bool(x.data) if x.width == BIT else t.BV(x.data, x.width)
            case TermOp.INPUT:
                return t.Symbol(str(x.data), self._bool if x.width == BIT else self._make_type(x.width))
            case TermOp.NOT:
                return t.Not(*args)
            case TermOp.AND:
                return t.And(args)
            case TermOp.EQ:
                return t.Iff(*args) if x.args[0].width == BIT else t.Equals(*args)
            case TermOp.ITE:
                return self._choose(x, *args)
            case TermOp.ULT:
                return t.BVULT(*args)
            case TermOp.SLT:
                return t.BVSLT(*args)
            case TermOp.ADD:
                return t.BVAdd(*args)
            case TermOp.SUB:
                return t.BVSub(*args)
            case TermOp.MUL:
                return t.BVMul(*args)
            case TermOp.UDIV:
                return t.BVUDiv(*args)
            case TermOp.UREM:
                return t.BVURem(*args)
            case TermOp.FDIV | TermOp.FMOD:
                return self._floor(x, *args)
            case TermOp.BITAND:
                return t.BVAnd(*args)
            case TermOp.BITOR:
                return t.BVOr(*args)
            case TermOp.BITXOR:
                return t.BVXor(*args)
            case TermOp.BITNOT:
                return t.BVNot(*args)
            case TermOp.SHL:
                return t.BVLShl(*args)
            case TermOp.SHR:
                return t.BVLShr(*args)
            case TermOp.ZEXT:
                return t.BVZExt(args[0], x.width - x.args[0].width)
            case TermOp.SEXT:
                return t.BVSExt(args[0], x.width - x.args[0].width)
            case TermOp.TRUNC:
                return t.BVExtract(args[0], 0, x.width - 1)
            case TermOp.NAT:
                raise NotBits

    def _choose(self, x: Term, c: Any, left: Any, right: Any) -> Any:
        t = self._terms
        if x.width == BIT:
            return t.And(t.Implies(c, left), t.Or(c, right))
        return t.Ite(c, left, right)

    def _floor(self, x: Term, left: Any, right: Any) -> Any:
        """Division that rounds down, from the one that rounds to zero."""
        t = self._terms
        zero = t.BV(0, x.width)
        rest = t.BVSRem(left, right)  # has the sign of the dividend
        lower = t.And(t.Not(t.Equals(rest, zero)), t.Not(t.Iff(t.BVSLT(rest, zero), t.BVSLT(right, zero))))
        if x.op is TermOp.FMOD:
            return t.Ite(lower, t.BVAdd(rest, right), rest)
        quotient = t.BVSDiv(left, right)
        return t.Ite(lower, t.BVSub(quotient, t.BV(1, x.width)), quotient)


class Cvc5Integers:
    """The solver interface over cvc5 for terms with unbounded integers, which it is told as SMT-LIB 2 text."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._added: list[Term] = []

    def add(self, condition: Term) -> None:
        self._added.append(condition)

    def check(self, assumptions: Sequence[Term] = ()) -> Outcome:
        text = script([("", [*self._added, *assumptions])])
        return Outcome(cvc5_says(text, self._budget), reason=Reason.INCOMPLETE)


def cvc5_says(text: str, budget: Budget) -> Status:
    """What cvc5 says of SMT-LIB 2 text that ends with one `(check-sat)`."""
    import cvc5

    solver = cvc5.Solver()
    solver.setOption("enum-inst", "true")  # instances in order, where matching of terms finds none
    left = _LONGEST if budget.deadline is None else max(1, int((budget.deadline - time.monotonic()) * 1000))
    solver.setOption("tlimit-per", str(min(left, _LONGEST)))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "obligation")
    symbols, said = parser.getSymbolManager(), ""
    while not (command := parser.nextCommand()).isNull():
        said = command.invoke(solver, symbols) or said
    return {"sat": Status.SAT, "unsat": Status.UNSAT}.get(said.strip(), Status.UNKNOWN)
