"""The one interface behind which solvers stand, and Z3 behind it: the only file that touches Z3.

Z3's own stubs are incomplete, and its Python objects are slow to make: terms go through its C interface, in
a context that belongs to one `Z3Solver`. Nothing is shared between solvers, so equal questions give equal
answers.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from refine.smt.term import BIT, UNBOUNDED, Term, TermOp, below

Ast: TypeAlias = Any  # a node of Z3, owned by the context of its solver


class Status(enum.Enum):
    """What a solver says of the conditions it was given."""

    SAT = "sat"
    UNSAT = "unsat"
    UNKNOWN = "unknown"


class Reason(enum.Enum):
    """Why a solver has no answer."""

    INTERRUPTED = "interrupted"
    TIMEOUT = "out of time"
    LIMIT = "resource limit"
    INCOMPLETE = "solver answered unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer: a model for SAT, the assumptions that it rests on for UNSAT, the reason for UNKNOWN."""

    status: Status
    model: Mapping[str, bool | int] = field(default_factory=dict)  # by name of input; what is missing is free
    core: tuple[Term, ...] = ()
    reason: Reason = Reason.INCOMPLETE
    detail: str = ""


class Solver(Protocol):
    """Conditions are added for good; each check adds assumptions, for that check only."""

    def add(self, condition: Term) -> None:
        """Demand `condition` from now on."""

    def check(self, assumptions: Sequence[Term] = ()) -> Outcome:
        """Whether all conditions and `assumptions` hold together."""


class Budget:
    """What the solvers of one question may spend together.

    `resources` bounds the solver's own deterministic count (0: no bound), `deadline` is of `time.monotonic`.
    Whoever interrupts one check wants no other: after that there is nothing left to spend.
    """

    def __init__(self, resources: int = 0, deadline: float | None = None) -> None:
        self.resources = resources
        self.deadline = deadline
        self.spent = 0
        self.interrupted = False


class Z3Solver:
    """Z3's incremental bit-vector solver, or its general one where integers are unbounded.

    Never the default `Solver()` for finite questions: it is 30 times slower there.
    """

    def __init__(self, budget: Budget, *, exact: bool) -> None:
        import z3

        self._z3: Any = z3
        self._budget = budget
        self._context: Any = z3.Context()
        self._ref: Any = self._context.ref()
        self._solver: Any = (
            z3.SimpleSolver(ctx=self._context) if exact else z3.SolverFor("QF_BV", ctx=self._context)
        )
        self._solver.set("random_seed", 0)
        self._asts: dict[Term, Ast] = {}
        self._sorts: dict[int, Any] = {}
        self._inputs: dict[str, Term] = {}
        self._names: dict[str, Ast] = {}
        self._literals: dict[Term, Any] = {}
        self._counted = 0
        self.checks = 0

    def add(self, condition: Term) -> None:
        if not (condition.constant and condition.data):
            self._solver.add(self._bool(condition))

    def check(self, assumptions: Sequence[Term] = ()) -> Outcome:
        z3 = self._z3
        if any(a.constant and not a.data for a in assumptions):
            return Outcome(Status.UNSAT, core=tuple(a for a in assumptions if a.constant and not a.data)[:1])
        wanted = [a for a in assumptions if not a.constant]
        literals = [self._literal(a) for a in wanted]
        exhausted = self._set_limits()
        if exhausted is not None:
            return Outcome(Status.UNKNOWN, reason=exhausted)
        self.checks += 1
        try:
            answer = self._solver.check(*literals)
        except z3.Z3Exception as error:
            return self._unknown(str(error))
        finally:
            self._account()
        if answer == z3.sat:
            return Outcome(Status.SAT, model=self._model())
        if answer == z3.unsat:
            core = {c.get_id() for c in self._solver.unsat_core()}
            kept = (a for a, lit in zip(wanted, literals, strict=True) if lit.get_id() in core)
            return Outcome(Status.UNSAT, core=tuple(kept))
        return self._unknown(str(self._solver.reason_unknown()))

    def _unknown(self, detail: str) -> Outcome:
        reason = self._reason(detail)
        self._budget.interrupted |= reason is Reason.INTERRUPTED
        return Outcome(Status.UNKNOWN, reason=reason, detail=detail)

    # --- limits ---------------------------------------------------------------------------------------------

    def _set_limits(self) -> Reason | None:
        """Tell Z3 what is left of the budget; the reason for not asking where nothing is."""
        if self._budget.interrupted:
            return Reason.INTERRUPTED
        if self._budget.deadline is not None:
            left = int((self._budget.deadline - time.monotonic()) * 1000)
            if left <= 0:
                return Reason.TIMEOUT
            self._solver.set("timeout", min(left, 0xFFFFFFFE))
        if self._budget.resources:
            rest = self._budget.resources - self._budget.spent
            if rest <= 0:
                return Reason.LIMIT
            self._solver.set("rlimit", rest)
        return None

    def _reason(self, detail: str) -> Reason:
        """Z3 says 'canceled' for several things: the limits tell which."""
        if "interrupted" in detail:
            return Reason.INTERRUPTED
        if "resource limit" in detail or (
            self._budget.resources and self._budget.spent >= self._budget.resources
        ):
            return Reason.LIMIT
        if "timeout" in detail:
            return Reason.TIMEOUT
        if "cancel" in detail:
            deadline = self._budget.deadline
            return (
                Reason.TIMEOUT
                if deadline is not None and time.monotonic() >= deadline
                else Reason.INTERRUPTED
            )
        return Reason.INCOMPLETE

    def _account(self) -> None:
        """Charge what the last check cost to the budget."""
        if self._budget.resources:
            found = self._solver.statistics()
            if "rlimit count" in set(found.keys()):
                counted = int(found.get_key_value("rlimit count"))
                self._budget.spent += counted - self._counted
                self._counted = counted

    # --- models ---------------------------------------------------------------------------------------------

    def _model(self) -> dict[str, bool | int]:
        z3, model = self._z3, self._solver.model()
        found: dict[str, bool | int] = {}
        for name, term in self._inputs.items():
            value = model.eval(z3.ExprRef(self._names[name], self._context), model_completion=True)
            if term.width == BIT:
                found[name] = bool(z3.is_true(value))
            else:
                found[name] = int(value.as_long())
        return found

    # --- terms ----------------------------------------------------------------------------------------------

    def _bool(self, x: Term) -> Any:
        return self._z3.BoolRef(self._ast(x), self._context)

    def _literal(self, x: Term) -> Any:
        """A name that implies `x`, to be assumed."""
        found = self._literals.get(x)
        if found is None:
            found = self._literals[x] = self._z3.Bool(f"assume!{len(self._literals)}", self._context)
            self._solver.add(self._z3.Implies(found, self._bool(x)))
        return found

    def _ast(self, root: Term) -> Ast:
        done = self._asts
        for x in below((root,), done):
            made = self._make(x, [done[a] for a in x.args])
            self._z3.Z3_inc_ref(self._ref, made)
            done[x] = made
        return done[root]

    def _sort(self, width: int) -> Any:
        found = self._sorts.get(width)
        if found is None:
            z3 = self._z3
            if width == BIT:
                found = z3.BoolSort(self._context)
            elif width == UNBOUNDED:
                found = z3.IntSort(self._context)
            else:
                found = z3.BitVecSort(width, self._context)
            self._sorts[width] = found
        return found.ast

    def _make(self, x: Term, args: list[Ast]) -> Ast:
        z3, ref, integer = self._z3, self._ref, bool(x.args) and x.args[0].width == UNBOUNDED
        match x.op:
            case TermOp.CONST:
                if x.width == BIT:
                    return z3.Z3_mk_true(ref) if x.data else z3.Z3_mk_false(ref)
                return z3.Z3_mk_numeral(ref, str(x.data), self._sort(x.width))
            case TermOp.INPUT:
                name = str(x.data)
                self._inputs[name] = x
                made = z3.Z3_mk_const(ref, z3.Z3_mk_string_symbol(ref, name), self._sort(x.width))
                self._names[name] = made
                return made
            case TermOp.NOT:
                inner = x.args[0]
                if inner.op is TermOp.AND and all(a.op is TermOp.NOT for a in inner.args):
                    # AND and NOT are all that terms have; a solver likes to see the OR.
                    return self._variadic(z3.Z3_mk_or, [self._asts_of_not(a) for a in inner.args])
                return z3.Z3_mk_not(ref, *args)
            case TermOp.AND:
                return self._variadic(z3.Z3_mk_and, args)
            case TermOp.EQ:
                return z3.Z3_mk_eq(ref, *args)
            case TermOp.ITE:
                return z3.Z3_mk_ite(ref, *args)
            case TermOp.ULT:
                return z3.Z3_mk_bvult(ref, *args)
            case TermOp.SLT:
                return z3.Z3_mk_lt(ref, *args) if integer else z3.Z3_mk_bvslt(ref, *args)
            case TermOp.ADD:
                return self._variadic(z3.Z3_mk_add, args) if integer else z3.Z3_mk_bvadd(ref, *args)
            case TermOp.SUB:
                return self._variadic(z3.Z3_mk_sub, args) if integer else z3.Z3_mk_bvsub(ref, *args)
            case TermOp.MUL:
                return self._variadic(z3.Z3_mk_mul, args) if integer else z3.Z3_mk_bvmul(ref, *args)
            case TermOp.UDIV:
                return z3.Z3_mk_bvudiv(ref, *args)
            case TermOp.UREM:
                return z3.Z3_mk_bvurem(ref, *args)
            case TermOp.FDIV | TermOp.FMOD:
                return self._floor(x, *args)
            case TermOp.BITAND:
                return z3.Z3_mk_bvand(ref, *args)
            case TermOp.BITOR:
                return z3.Z3_mk_bvor(ref, *args)
            case TermOp.BITXOR:
                return z3.Z3_mk_bvxor(ref, *args)
            case TermOp.BITNOT:
                return z3.Z3_mk_bvnot(ref, *args)
            case TermOp.SHL:
                return z3.Z3_mk_bvshl(ref, *args)
            case TermOp.SHR:
                return z3.Z3_mk_bvlshr(ref, *args)
            case TermOp.ZEXT:
                return z3.Z3_mk_zero_ext(ref, x.width - x.args[0].width, *args)
            case TermOp.SEXT:
                return z3.Z3_mk_sign_ext(ref, x.width - x.args[0].width, *args)
            case TermOp.TRUNC:
                return z3.Z3_mk_extract(ref, x.width - 1, 0, *args)
            case TermOp.NAT:
                return z3.Z3_mk_bv2int(ref, *args, False)

    def _variadic(self, make: Any, args: Sequence[Ast]) -> Ast:
        array = (self._z3.Ast * len(args))(*args)
        return make(self._ref, len(args), array)

    def _asts_of_not(self, x: Term) -> Ast:
        """The translation of what stands under a NOT, which is done by then, being below it."""
        return self._asts[x.args[0]]

    def _floor(self, x: Term, left: Ast, right: Ast) -> Ast:
        """Division that rounds down; Z3's own keeps the remainder positive, or rounds to zero."""
        z3, ctx = self._z3, self._context
        if x.width != UNBOUNDED:
            a, b = z3.BitVecRef(left, ctx), z3.BitVecRef(right, ctx)
            rest = z3.BitVecRef(z3.Z3_mk_bvsmod(self._ref, left, right), ctx)  # has the sign of the divisor
            found = rest if x.op is TermOp.FMOD else (a - rest) / b
        else:
            a, b = z3.ArithRef(left, ctx), z3.ArithRef(right, ctx)
            quotient = z3.If(b > 0, a / b, (-a) / (-b))
            found = quotient if x.op is TermOp.FDIV else a - b * quotient
        self._keep(found)
        return found.ast

    def _keep(self, found: Any) -> None:
        """Hold on to a reference until the caller has taken its own."""
        self._last = found


def all_of(conditions: Iterable[Term]) -> list[Term]:
    """The conditions that say something."""
    return [c for c in conditions if not (c.constant and c.data)]


def z3_says(text: str, budget: Budget) -> Status:
    """What Z3 says of SMT-LIB 2 text, of one question with quantifiers."""
    import z3

    context = z3.Context()
    solver = z3.Solver(ctx=context)
    left = 60_000 if budget.deadline is None else max(1, int((budget.deadline - time.monotonic()) * 1000))
    solver.set("timeout", min(left, 60_000))
    solver.set("random_seed", 0)
    try:
        solver.from_string(text.replace("(check-sat)", ""))
        found = str(solver.check())
    except z3.Z3Exception:
        return Status.UNKNOWN
    return {"sat": Status.SAT, "unsat": Status.UNSAT}.get(found, Status.UNKNOWN)
