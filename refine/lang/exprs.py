"""Expressions: from the syntax tree to typed terms of the core, with the conditions under which they are undefined."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from refine.core import expr as e
from refine.core.expr import Binder, Op
from refine.core.types import BOOL, Index, IndexKind, Int, Option, Type, Word
from refine.lang import ast
from refine.lang.access import Cell, place, read, settle, thread_of
from refine.lang.calls import call
from refine.lang.context import MAX_DEPTH, Check, Context, Term, guarded, shown
from refine.lang.infer import binder_type
from refine.lang.operators import binary, conditional, logical, set_literal, unary
from refine.lang.scope import Bound, Constant, Family, Function, Members, Scope, TypeName, Variable
from refine.text.span import Span


def under(binder: Binder, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks of a binder's body."""
    return tuple(Check(e.exists(binder, c.bad), c.what, c.span) for c in checks)


@dataclass(slots=True)
class Typer:
    """Types expressions of one kind of place: `old_ok` says whether `old(e)` means something there.

    `in_step` says whether what it reads must be alive: a claim may speak of what is not.
    `reads` collects every variable read, for the rules about local code, ghosts and atomicity.
    """

    cx: Context
    old_ok: bool = False
    in_step: bool = False
    in_old: bool = False
    reads: list[tuple[Variable, Span]] = field(default_factory=list)
    sure: list[Check] = field(default_factory=list)  # of what is never undefined; symmetry wants to see them
    active: list[Function] = field(default_factory=list)
    memo: dict[tuple[object, ...], tuple[Term, list[tuple[Variable, Span]]]] = field(default_factory=dict)

    def anew(self) -> Typer:
        """Another one for the same lowering, whose reads nobody counts."""
        return Typer(self.cx, in_step=self.in_step)

    # --- entry points -----------------------------------------------------------------------------------------

    def value(self, node: ast.Expr, scope: Scope, want: Type) -> Term:
        """`node` as a value of `want`: dereferenced, made optional or narrowed as needed."""
        return self.coerce(self.expr(node, scope, want), want, node.span)

    def condition(self, node: ast.Expr, scope: Scope) -> Term:
        return self.value(node, scope, BOOL)

    def expr(self, node: ast.Expr, scope: Scope, want: Type | None = None) -> Term:
        term = self._expr(node, scope, want)
        if term.expr.depth > MAX_DEPTH:
            self.cx.fail("E0511", "this expression becomes too deep when functions are expanded", node.span)
        return term

    # --- coercion ---------------------------------------------------------------------------------------------

    def coerce(self, term: Term, want: Type, span: Span) -> Term:
        """`term` as a value of `want`; an error where there is no such reading."""
        x, have = term.expr, term.type
        if have == want:
            return term
        match want, have:
            case Option(item), Option(inner):
                if isinstance(item, Int | Index) and isinstance(inner, Int | Index):
                    got = self.coerce(Term(e.get(x)), item, span)
                    return Term(
                        e.ite(e.is_some(x), e.some(got.expr), e.none(want)),
                        (*term.checks, *guarded(e.is_some(x), got.checks)),
                    )
            case Option(item), _:
                inner_term = self.coerce(term, item, span)
                return Term(e.some(inner_term.expr), inner_term.checks)
            case _, Option():
                check = Check(e.not_(e.is_some(x)), "none dereferenced", span)
                return self.coerce(Term(e.get(x), (*term.checks, check)), want, span)
            case Int(lo, hi), Int(xlo, xhi):
                fits = lo is None or hi is None
                if not fits and xlo is not None and xhi is not None:
                    fits = lo <= xlo and xhi <= hi  # type: ignore[operator]
                if fits:
                    return Term(e.narrow(x, want), term.checks)
                assert lo is not None and hi is not None, "an unbounded range holds everything"
                below = e.FALSE if xlo is not None and xlo >= lo else e.lt(x, e.integer(lo))
                above = e.FALSE if xhi is not None and xhi <= hi else e.lt(e.integer(hi), x)
                outside = e.or_(below, above)
                if outside is e.TRUE:
                    self.cx.fail("E0305", f"{x.data} is outside {lo}..{hi}", span)
                return Term(e.narrow(x, want), (*term.checks, Check(outside, f"outside {lo}..{hi}", span)))
            case Word(bits), Int() if x.op is Op.CONST:
                assert isinstance(x.data, int), "an Int constant is a number"
                if not 0 <= x.data < 1 << bits:
                    self.cx.fail(
                        "E0305",
                        f"{x.data} does not fit into u{bits}",
                        span,
                        f"write trunc{bits}(…) to cut it",
                    )
                return Term(e.const(want, x.data))
            case Int(), Index(_, _, IndexKind.GFN):
                return self.coerce(Term(e.to_int(x), term.checks), want, span)
            case Index(_, size, IndexKind.GFN), Int():
                inside = self.coerce(term, Int(0, size - 1), span)
                return Term(e.to_index(inside.expr, want), inside.checks)
            case _:
                pass
        self.cx.fail("E0301", f"this is of type {shown(have)}, but {want} is needed", span)

    def plain(self, term: Term, span: Span) -> Term:
        """`term` dereferenced if it is optional, and a frame number as an Int."""
        if isinstance(term.type, Option):
            term = self.coerce(term, term.type.item, span)
        if isinstance(term.type, Index) and term.type.kind is IndexKind.GFN:
            term = Term(e.to_int(term.expr), term.checks)
        return term

    # --- the traversal ----------------------------------------------------------------------------------------

    def _expr(self, node: ast.Expr, scope: Scope, want: Type | None) -> Term:
        match node:
            case ast.Name(id):
                return self.name(id, scope, want, node.span)
            case ast.Integer(value):
                return Term(e.integer(value))
            case ast.Boolean(value):
                return Term(e.boolean(value))
            case ast.NoneLiteral():
                if not isinstance(want, Option):
                    if want is None:
                        self.cx.fail("E0304", "it does not show of which type this none is", node.span)
                    self.cx.fail(
                        "E0301", f"none is no value of type {want}", node.span, f"declare it as {want}?"
                    )
                return Term(e.none(want))
            case ast.Self():
                found = scope.find("self")
                if not isinstance(found, Bound):
                    self.cx.fail("E0408", "there is no 'self' here: no thread takes this step", node.span)
                return Term(found.expr)
            case ast.Old(inner):
                if not self.old_ok:
                    self.cx.fail(
                        "E0408", "'old' has no meaning here: only in steps, ops and step claims", node.span
                    )
                if self.in_old:  # one state before is all there is
                    return self.expr(inner, scope, want)
                self.in_old = True
                try:
                    term = self.expr(inner, scope, want)
                finally:
                    self.in_old = False
                return Term(e.old(term.expr), tuple(Check(e.old(c.bad), c.what, c.span) for c in term.checks))
            case ast.Call():
                return call(self, node, scope)
            case ast.Unary():
                return unary(self, node, scope, want)
            case ast.Binary():
                return binary(self, node, scope, want)
            case ast.Logical(op, parts):
                return logical(self, op, parts, scope)
            case ast.Conditional(cond, then, other):
                return conditional(self, cond, then, other, scope, want)
            case ast.Quantified():
                return self._quantified(node, scope)
            case ast.IndexOf() | ast.FieldOf():
                return settle(self, place(self, node, scope), node.span)
            case ast.At(thread, steps):
                family, index = thread_of(self, thread, scope)
                if self.cx.locations is None:
                    self.cx.fail(
                        "E0403", "local code cannot ask where a thread is", node.span, "ask in a step"
                    )
                here = self.cx.locations.at(family, index.expr if index else None, steps)
                self.reads.append((Variable(f"{family.name}.pc", BOOL, "pc"), node.span))
                return Term(here, index.checks if index else ())
            case ast.SetLiteral(items):
                return set_literal(self, items, scope, want, node.span)
            case ast.SetOf(binder, cond):
                type_ = binder_type(self, binder, cond, scope)
                bound = Binder(self.cx.fresh(binder.name.name), type_)
                body = self.condition(
                    cond, scope.child(**{binder.name.name: Bound(e.param(bound.name, type_))})
                )
                return Term(e.bind(Op.COLLECT, bound, body.expr), under(bound, body.checks))
            case ast.Element(type_name, number):
                found = self.cx.lookup(scope, type_name.name, type_name.span)
                if not (isinstance(found, TypeName) and isinstance(found.type, Index)):
                    self.cx.wrong_kind(found, type_name.name, "an index", type_name.span)
                if number >= found.type.size:
                    self.cx.fail("E0305", f"{found.type} has only {found.type.size} elements", node.span)
                return Term(e.const(found.type, number))
            case _:
                assert_never(node)

    def name(self, name: str, scope: Scope, want: Type | None, span: Span) -> Term:
        found = self.cx.lookup(scope, name, span)
        match found:
            case Constant(value):
                return Term(e.integer(value))
            case Members(of):
                if isinstance(want, Option):
                    want = want.item
                fitting = [(t, k) for t, k in of if t == want] or list(of)
                if len(fitting) > 1:
                    names = " and ".join(str(t) for t, _ in fitting)
                    self.cx.fail(
                        "E0205",
                        f"'{name}' is a member of {names}",
                        span,
                        "compare or assign it to a variable first",
                    )
                return Term(e.const(*fitting[0]))
            case Bound(expr):
                return Term(expr)
            case Variable():
                return read(self, Cell(found), span)
            case Family(number, _, index):
                if index is not None:
                    self.cx.fail("E0302", f"'{name}' is a family of threads: write {name}[…]", span)
                return Term(e.thread(self.cx.threads, number, None))
            case _:
                self.cx.wrong_kind(found, name, "a value", span)

    # --- binders ----------------------------------------------------------------------------------------------

    def _quantified(self, node: ast.Quantified, scope: Scope) -> Term:
        inner, bound = scope, []
        for binder in node.binders:
            type_ = binder_type(self, binder, node.body, inner)
            made = Binder(self.cx.fresh(binder.name.name), type_)
            bound.append(made)
            inner = inner.child(**{binder.name.name: Bound(e.param(made.name, type_))})
        body = self.condition(node.body, inner)
        term = body.expr
        if node.kind == "count":
            if len(bound) > 1:
                self.cx.fail("E0303", "'count' counts the values of one name", node.span)
            return Term(e.bind(Op.COUNT, bound[0], term), under(bound[0], body.checks))
        checks = body.checks
        for made in reversed(bound):
            term = e.bind(Op.FORALL if node.kind == "forall" else Op.EXISTS, made, term)
            checks = under(made, checks)
        return Term(term, checks)


def constant_int(cx: Context, scope: Scope, node: ast.Expr) -> int:
    """The number that a constant expression is."""
    term = Typer(cx).expr(node, scope)
    if term.expr.op is not Op.CONST or not isinstance(term.type, Int):
        cx.fail("E0306", "this must be a number that the parameters and constants alone give", node.span)
    assert isinstance(term.expr.data, int), "an Int constant is a number"
    return term.expr.data
