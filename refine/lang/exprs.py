"""Expressions: from the syntax tree to typed terms of the core, with the conditions under which they are undefined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import assert_never

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.types import (
    BOOL,
    Array,
    Bool,
    Enum,
    Index,
    IndexKind,
    Int,
    Option,
    Set,
    Struct,
    Thread,
    Type,
    Word,
)
from refine.lang import ast
from refine.lang.builtins import BUILTINS, call_builtin
from refine.lang.context import MAX_DEPTH, Abort, Check, Context, Term, core_type, domain_type, is_order
from refine.lang.scope import (
    Bound,
    Constant,
    Family,
    Function,
    Instance,
    Members,
    Scope,
    Template,
    TypeName,
    Variable,
)
from refine.text.diag import suggest
from refine.text.span import Span

ARITHMETIC = {"+": e.add, "-": e.sub, "*": e.mul, "/": e.div, "%": e.mod}
BITWISE = {"&": Op.BITAND, "|": Op.BITOR, "^": Op.BITXOR, "<<": Op.SHL, ">>": Op.SHR}
SET_OPS = {"|": Op.UNION, "&": Op.INTER, "-": Op.DIFF}


def guarded(cond: Expr, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks of something that is evaluated only where `cond` holds."""
    return tuple(Check(e.and_(cond, c.bad), c.what, c.span) for c in checks)


def under(binder: Binder, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks of a binder's body."""
    return tuple(Check(e.exists(binder, c.bad), c.what, c.span) for c in checks)


@dataclass(slots=True)
class Typer:
    """Types expressions of one kind of place: `old_ok` says whether `old(e)` means something there.

    `reads` collects every variable read, for the rules about local code, ghosts and atomicity.
    """

    cx: Context
    old_ok: bool = False
    reads: list[tuple[Variable, Span]] = field(default_factory=list)
    active: list[Function] = field(default_factory=list)
    memo: dict[tuple[object, ...], tuple[Term, list[tuple[Variable, Span]]]] = field(default_factory=dict)

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
                outside = e.or_(e.lt(x, e.integer(lo)), e.lt(e.integer(hi), x))
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
        self.cx.fail("E0301", f"this is of type {have}, but {want} is needed", span)

    def _plain(self, term: Term, span: Span) -> Term:
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
                return self._name(id, scope, want, node.span)
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
                term = self.expr(inner, scope, want)
                return Term(e.old(term.expr), tuple(Check(e.old(c.bad), c.what, c.span) for c in term.checks))
            case ast.Call():
                return self._call(node, scope, want)
            case ast.Unary():
                return self._unary(node, scope, want)
            case ast.Binary():
                return self._binary(node, scope, want)
            case ast.Logical(op, parts):
                return self._logical(op, parts, scope)
            case ast.Conditional(cond, then, other):
                return self._conditional(cond, then, other, scope, want)
            case ast.Quantified():
                return self._quantified(node, scope)
            case ast.IndexOf() | ast.FieldOf():
                return self._access(node, scope)
            case ast.At(thread, steps):
                family, index = self._thread(thread, scope)
                if self.cx.locations is None:
                    self.cx.fail(
                        "E0403", "local code cannot ask where a thread is", node.span, "ask in a step"
                    )
                here = self.cx.locations.at(family, index.expr if index else None, steps)
                self.reads.append((Variable(f"{family.name}.pc", BOOL, "pc"), node.span))
                return Term(here, index.checks if index else ())
            case ast.SetLiteral(items):
                return self._set_literal(items, scope, want, node.span)
            case ast.SetOf(binder, cond):
                type_ = self._binder_type(binder, cond, scope)
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

    def _name(self, name: str, scope: Scope, want: Type | None, span: Span) -> Term:
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
                return self._variable(found, (), span)
            case Family(number, _, index):
                if index is not None:
                    self.cx.fail("E0302", f"'{name}' is a family of threads: write {name}[…]", span)
                return Term(e.thread(self.cx.threads, number, None))
            case _:
                self.cx.wrong_kind(found, name, "a value", span)

    def _variable(self, found: Variable, written: tuple[Term, ...], span: Span) -> Term:
        """A variable under the indices of its instance and those that are written, where it is alive."""
        self.reads.append((found, span))
        x, checks = e.var(found.name, _root_type(found)), []
        for index in found.prefix:
            x = e.select(x, index)
        for term in written:
            checks += term.checks
            x = e.select(x, term.expr)
        if found.boxed:
            x = e.get(x)
        return Term(x, (*checks, *self.alive(found, tuple(t.expr for t in written), span)))

    def alive(self, found: Variable, indices: tuple[Expr, ...], span: Span) -> tuple[Check, ...]:
        """The check that an element may be used; none where not all indices of the declaration are given."""
        if found.alive is None or found.scope is None:
            return ()
        cond, names = found.alive
        if len(indices) < len(names):
            return ()
        bound = {n: Bound(i) for n, i in zip(names, indices, strict=False) if n is not None}
        quiet = Typer(self.cx)
        term = quiet.condition(cond, found.scope.child(**bound))
        return (*term.checks, Check(e.not_(term.expr), f"{found.name} used while it is not alive", span))

    # --- operators --------------------------------------------------------------------------------------------

    def _unary(self, node: ast.Unary, scope: Scope, want: Type | None) -> Term:
        if node.op == "!":
            term = self.condition(node.expr, scope)
            return Term(e.not_(term.expr), term.checks)
        term = self._plain(self.expr(node.expr, scope, want), node.expr.span)
        if node.op == "-" and isinstance(term.type, Int):
            return Term(e.sub(e.integer(0), term.expr), term.checks)
        if node.op == "-" and isinstance(term.type, Word):
            return Term(e.sub(e.const(term.type, 0), term.expr), term.checks)
        if node.op == "~" and isinstance(term.type, Word):
            return Term(e.bitwise(Op.BITNOT, term.expr), term.checks)
        self.cx.fail("E0303", f"'{node.op}' is not for values of type {term.type}", node.span)

    def _binary(self, node: ast.Binary, scope: Scope, want: Type | None) -> Term:
        match node.op:
            case "->":
                left, right = self.condition(node.left, scope), self.condition(node.right, scope)
                return Term(
                    e.implies(left.expr, right.expr), (*left.checks, *guarded(left.expr, right.checks))
                )
            case "in" | "!in":
                group = self.expr(node.right, scope)
                if not isinstance(group.type, Set):
                    self.cx.fail("E0303", f"'in' needs a set on its right, not {group.type}", node.right.span)
                item = self._element(node.left, scope, group.type)
                inside = e.member(item.expr, group.expr)
                return Term(e.not_(inside) if node.op == "!in" else inside, (*item.checks, *group.checks))
            case "==" | "!=":
                left, right = self._pair(node, scope)
                checks = (*left.checks, *right.checks)
                return Term(
                    e.not_(self._equal(left, right, node))
                    if node.op == "!="
                    else self._equal(left, right, node),
                    checks,
                )
            case "<" | "<=" | ">" | ">=":
                return self._order(node, scope)
            case _:
                return self._arithmetic(node, scope, want)

    def _element(self, node: ast.Expr, scope: Scope, group: Set) -> Term:
        """A value that may be looked for in, added to or taken from a set: a number need not be in the set's range."""
        term = self.expr(node, scope, group.item)
        if isinstance(group.item, Int):
            plain = self._plain(term, node.span)
            if isinstance(plain.type, Int):
                return plain
        return self.coerce(term, group.item, node.span)

    def _pair(self, node: ast.Binary, scope: Scope, want: Type | None = None) -> tuple[Term, Term]:
        """Both sides, each helping to tell the type of the other."""
        if _needs_hint(node.left, scope) and not _needs_hint(node.right, scope):
            right = self.expr(node.right, scope, want)
            return self.expr(node.left, scope, _hint(right.type, node.left)), right
        left = self.expr(node.left, scope, want)
        return left, self.expr(node.right, scope, _hint(left.type, node.right))

    def _equal(self, left: Term, right: Term, node: ast.Binary) -> Expr:
        x, y = left.expr, right.expr
        if isinstance(x.type, Option) and x.type == y.type:
            if x.op is Op.CONST and x.data is None:
                return e.not_(e.is_some(y))
            if y.op is Op.CONST and y.data is None:
                return e.not_(e.is_some(x))
            return e.eq(x, y)
        if isinstance(x.type, Option) and isinstance(y.type, Option):
            both = self._scalar_equal(e.get(x), e.get(y), node)
            return e.ite(e.is_some(x), e.and_(e.is_some(y), both), e.not_(e.is_some(y)))
        if isinstance(x.type, Option):
            return e.and_(e.is_some(x), self._scalar_equal(e.get(x), y, node))
        if isinstance(y.type, Option):
            return e.and_(e.is_some(y), self._scalar_equal(x, e.get(y), node))
        return self._scalar_equal(x, y, node)

    def _scalar_equal(self, x: Expr, y: Expr, node: ast.Binary) -> Expr:
        x, y = self._alike(x, y, node)
        return e.eq(x, y)

    def _alike(self, x: Expr, y: Expr, node: ast.Binary) -> tuple[Expr, Expr]:
        """Both sides in one type: constants become words, frame numbers become numbers beside numbers."""
        if x.type == y.type or (isinstance(x.type, Int) and isinstance(y.type, Int)):
            return x, y
        if isinstance(x.type, Word) and isinstance(y.type, Int) and y.op is Op.CONST:
            return x, self.coerce(Term(y), x.type, node.right.span).expr
        if isinstance(y.type, Word) and isinstance(x.type, Int) and x.op is Op.CONST:
            return self.coerce(Term(x), y.type, node.left.span).expr, y
        if _is_gfn(x.type) and isinstance(y.type, Int):
            return e.to_int(x), y
        if _is_gfn(y.type) and isinstance(x.type, Int):
            return x, e.to_int(y)
        self.cx.fail("E0301", f"{x.type} on the left, {y.type} on the right of '{node.op}'", node.span)

    def _order(self, node: ast.Binary, scope: Scope) -> Term:
        left, right = self._pair(node, scope)
        if isinstance(left.type, Set) and left.type == right.type and node.op in ("<=", ">="):
            x, y = (left.expr, right.expr) if node.op == "<=" else (right.expr, left.expr)
            return Term(e.set_op(Op.SUBSET, x, y), (*left.checks, *right.checks))
        if isinstance(left.type, Option):
            left = self.coerce(left, left.type.item, node.left.span)
        if isinstance(right.type, Option):
            right = self.coerce(right, right.type.item, node.right.span)
        x, y = self._alike(left.expr, right.expr, node)
        if not is_order(x.type):
            self.cx.fail("E0303", f"values of type {x.type} have no order", node.span)
        if node.op in (">", ">="):
            x, y = y, x
        return Term(e.lt(x, y) if node.op in ("<", ">") else e.le(x, y), (*left.checks, *right.checks))

    def _arithmetic(self, node: ast.Binary, scope: Scope, want: Type | None) -> Term:
        left, right = self._pair(node, scope, want if isinstance(want, Word | Set) else None)
        if isinstance(left.type, Set) and left.type == right.type and node.op in SET_OPS:
            return Term(e.set_op(SET_OPS[node.op], left.expr, right.expr), (*left.checks, *right.checks))
        left, right = self._plain(left, node.left.span), self._plain(right, node.right.span)
        checks = (*left.checks, *right.checks)
        if node.op in ("<<", ">>") and isinstance(left.type, Word) and isinstance(right.type, Word | Int):
            if isinstance(right.type, Int) and (right.type.lo is None or right.type.lo < 0):
                checks = (
                    *checks,
                    Check(e.lt(right.expr, e.integer(0)), "shift by a negative number", node.span),
                )
            return Term(e.bitwise(BITWISE[node.op], left.expr, right.expr), checks)
        x, y = self._alike(left.expr, right.expr, node)
        if node.op in BITWISE and isinstance(x.type, Word):
            return Term(e.bitwise(BITWISE[node.op], x, y), checks)
        if node.op in ARITHMETIC and isinstance(x.type, Int | Word):
            if node.op in ("/", "%"):
                zero = e.const(y.type, 0) if isinstance(y.type, Word) else e.integer(0)
                checks = (*checks, Check(e.eq(y, zero), "division by zero", node.span))
            return Term(ARITHMETIC[node.op](x, y), checks)
        self.cx.fail("E0303", f"'{node.op}' is not for values of type {x.type}", node.span)

    def _logical(self, op: str, parts: tuple[ast.Expr, ...], scope: Scope) -> Term:
        exprs: list[Expr] = []
        checks: list[Check] = []
        for part in parts:
            term = self.condition(part, scope)
            before = e.and_(*exprs) if op == "&&" else e.not_(e.or_(*exprs))
            checks += guarded(before, term.checks)
            exprs.append(term.expr)
        return Term(e.and_(*exprs) if op == "&&" else e.or_(*exprs), tuple(checks))

    def _conditional(
        self, cond: ast.Expr, then: ast.Expr, other: ast.Expr, scope: Scope, want: Type | None
    ) -> Term:
        test = self.condition(cond, scope)
        if _needs_hint(then, scope) and want is None:
            no = self.expr(other, scope, want)
            yes = self.expr(then, scope, _hint(no.type, then))
        else:
            yes = self.expr(then, scope, want)
            no = self.expr(other, scope, want or _hint(yes.type, other))
        if yes.type != no.type and not (isinstance(yes.type, Int) and isinstance(no.type, Int)):
            target = want or (yes.type if isinstance(yes.type, Option) else no.type)
            yes, no = self.coerce(yes, target, then.span), self.coerce(no, target, other.span)
        checks = (*guarded(test.expr, yes.checks), *guarded(e.not_(test.expr), no.checks))
        return Term(e.ite(test.expr, yes.expr, no.expr), (*test.checks, *checks))

    def _set_literal(self, items: tuple[ast.Expr, ...], scope: Scope, want: Type | None, span: Span) -> Term:
        if not isinstance(want, Set):
            if not items:
                self.cx.fail("E0304", "it does not show of which type this empty set is", span)
            first = self._plain(self.expr(items[0], scope), items[0].span)
            want = Set(first.type)
        result, checks = e.const(want, frozenset()), []
        for item in items:
            term = self.value(item, scope, want.item)
            checks += term.checks
            result = e.insert(result, term.expr)
        return Term(result, tuple(checks))

    # --- binders ----------------------------------------------------------------------------------------------

    def _quantified(self, node: ast.Quantified, scope: Scope) -> Term:
        inner, bound = scope, []
        for binder in node.binders:
            type_ = self._binder_type(binder, node.body, inner)
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

    def _binder_type(self, binder: ast.Binder, body: ast.Expr, scope: Scope) -> Type:
        if binder.type is not None:
            return domain_type(self.cx, scope, binder.type)
        name = binder.name.name
        for node in _walk(body):
            found = self._use(node, name, scope)
            if found is not None:
                return found
        self.cx.fail("E0304", f"no use of '{name}' tells its type", binder.span, f"write it: {name} in TYPE")

    def _use(self, node: object, name: str, scope: Scope) -> Type | None:
        """The type of `name` that one use of it shows, if it shows one."""
        match node:
            case ast.IndexOf(base, ast.Name(id)) if id == name:
                type_ = self._peek(base, scope)
                return type_.dom if isinstance(type_, Array) else None
            case ast.Call(callee, args):
                found = scope.find(callee.name)
                skip = 0
                if args and isinstance(instance := self._peek_instance(args[0], scope), Instance):
                    found, skip = instance.scope.names.get(callee.name), 1
                if isinstance(found, Function):
                    for k, arg in enumerate(args[skip:]):
                        if isinstance(arg, ast.Name) and arg.id == name and k < len(found.formals):
                            return core_type(self.cx, found.type_scope or found.scope, found.formals[k].type)
                    if isinstance(found.decl, ast.Hold) and any(
                        isinstance(a, ast.Name) and a.id == name for a in args
                    ):
                        return self.cx.threads
            case ast.Binary(op, left, right) if op in ("==", "!=", "in", "!in", "<", "<=", ">", ">="):
                for this, other in ((left, right), (right, left)):
                    if isinstance(this, ast.Name) and this.id == name:
                        type_ = self._peek(other, scope)
                        if isinstance(type_, Set | Option):
                            type_ = type_.item
                        return type_
            case _:
                pass
        return None

    def _peek_instance(self, node: ast.Expr, scope: Scope) -> Instance | None:
        while isinstance(node, ast.IndexOf):
            node = node.base
        found = scope.find(node.id) if isinstance(node, ast.Name) else None
        return found if isinstance(found, Instance) else None

    def _peek(self, node: ast.Expr, scope: Scope) -> Type | None:
        """The type of an expression where its names alone tell it; reports nothing."""
        match node:
            case ast.Name(id):
                match scope.find(id):
                    case Variable() as variable:
                        return variable.type
                    case Bound(expr):
                        return expr.type
                    case Family(_, _, index) if index is not None:
                        return Array(index, BOOL)
                    case Members(of) if len(of) == 1:
                        return of[0][0]
                    case Instance(_, _, dims) if dims:
                        return Array(dims[0], BOOL)
            case ast.IndexOf(base, _):
                type_ = self._peek(base, scope)
                return type_.item if isinstance(type_, Array) else None
            case ast.FieldOf(base, name):
                instance = self._peek_instance(base, scope)
                if instance is not None:
                    found = instance.scope.names.get(name.name)
                    return found.type if isinstance(found, Variable) else None
                root = base.base if isinstance(base, ast.IndexOf) else base
                if isinstance(root, ast.Name) and isinstance(scope.find(root.id), Family):
                    local = self.cx.thread_locals.get(root.id, Scope()).names.get(name.name)
                    return local.type if isinstance(local, Variable) else None
                type_ = self._peek(base, scope)
                if isinstance(type_, Struct) and (field := type_.field(name.name)):
                    return field[1]
            case ast.Self():
                return self.cx.threads
            case ast.Call(callee, args):
                found = scope.find(callee.name)
                if isinstance(found, Function) and found.result is not None:
                    return core_type(self.cx, found.type_scope or found.scope, found.result)
            case _:
                pass
        return None

    # --- access, calls ----------------------------------------------------------------------------------------

    def place(
        self, node: ast.Expr, scope: Scope
    ) -> tuple[Variable, tuple[Term, ...]] | Instance | tuple[Family, Term | None] | Term:
        """What `a[i][j]` or `a.b[i]` leads to: a variable with indices, an instance, a thread, or a plain value."""
        match node:
            case ast.Name(id):
                found = self.cx.lookup(scope, id, node.span)
                if isinstance(found, Variable):
                    return found, ()
                if isinstance(found, Instance):
                    return found
                if isinstance(found, Family):
                    return found, None
                return self._name(id, scope, None, node.span)
            case ast.FieldOf(base, name):
                target = self.place(base, scope)
                match target:
                    case Instance():
                        if target.dims:
                            self.cx.fail(
                                "E0302",
                                f"'{target.name}' is an array of instances: index it first",
                                base.span,
                            )
                        found = target.scope.names.get(name.name)
                        if isinstance(found, Variable):
                            return found, ()
                        if isinstance(found, Instance):
                            return found
                        self._no_member(name, target.name, target.scope.names)
                    case (Family() as family, index):
                        locals_ = self.cx.thread_locals.get(family.name, Scope()).names
                        local = locals_.get(name.name)
                        if not isinstance(local, Variable):
                            self._no_member(name, family.name, locals_)
                        if family.index is not None and not isinstance(index, Term):
                            self.cx.fail(
                                "E0302",
                                f"'{family.name}' is a family of threads: write {family.name}[…]",
                                base.span,
                            )
                        if not isinstance(index, Term):
                            return local, ()
                        there = Variable(
                            local.name, local.type, local.storage, (index.expr,), boxed=local.boxed
                        )
                        if not index.checks:
                            return there, ()
                        term = self._variable(there, (), node.span)
                        return Term(term.expr, (*index.checks, *term.checks))
                    case _:
                        term = self._settle(target, base.span)
                        if isinstance(term.type, Option):
                            term = self.coerce(term, term.type.item, base.span)
                        if not isinstance(term.type, Struct):
                            self.cx.fail("E0204", f"a value of type {term.type} has no fields", name.span)
                        field = term.type.field(name.name)
                        if field is None:
                            self._no_member(name, str(term.type), {f: None for f, _ in term.type.fields})
                        return Term(e.field_of(term.expr, field[0]), term.checks)
            case ast.IndexOf(base, index):
                target = self.place(base, scope)
                match target:
                    case Instance(_, _, dims):
                        if not dims:
                            self.cx.fail("E0302", f"'{target.name}' is one instance, not an array", node.span)
                        term = self.value(index, scope, dims[0])
                        if term.checks:
                            self.cx.fail(
                                "E0303", "the index of an instance must always be defined", index.span
                            )
                        return indexed_instance(target, term.expr)
                    case (Family() as family, given):
                        if family.index is None or given is not None:
                            self.cx.fail("E0302", f"'{family.name}' takes no further index", node.span)
                        return family, self.value(index, scope, family.index)
                    case (Variable() as variable, indices) if isinstance(
                        _item_after(variable, len(indices)), Array
                    ):
                        array = _item_after(variable, len(indices))
                        assert isinstance(array, Array), "just tested"
                        return variable, (*indices, self._index(index, scope, array))
                    case _:
                        term = self._settle(target, base.span)
                        if isinstance(term.type, Option):
                            term = self.coerce(term, term.type.item, base.span)
                        if not isinstance(term.type, Array):
                            self.cx.fail("E0302", f"a value of type {term.type} has no elements", node.span)
                        at = self._index(index, scope, term.type)
                        return Term(e.select(term.expr, at.expr), (*term.checks, *at.checks))
            case _:
                return self.expr(node, scope)

    def _index(self, node: ast.Expr, scope: Scope, array: Array) -> Term:
        return self.value(node, scope, array.dom)

    def _settle(
        self,
        target: tuple[Variable, tuple[Term, ...]] | Instance | tuple[Family, Term | None] | Term,
        span: Span,
    ) -> Term:
        match target:
            case Term():
                return target
            case Instance():
                self.cx.fail("E0203", f"'{target.name}' is an instance, not a value", span)
            case (Variable() as variable, indices):
                return self._variable(variable, indices, span)  # type: ignore[arg-type]
            case (Family() as family, index):
                if family.index is not None and not isinstance(index, Term):
                    self.cx.fail(
                        "E0302", f"'{family.name}' is a family of threads: write {family.name}[…]", span
                    )
                if isinstance(index, Term):
                    return Term(e.thread(self.cx.threads, family.number, index.expr), index.checks)
                return Term(e.thread(self.cx.threads, family.number, None))
        raise AssertionError("a place is one of the four kinds")

    def _access(self, node: ast.Expr, scope: Scope) -> Term:
        return self._settle(self.place(node, scope), node.span)

    def _thread(self, node: ast.Expr, scope: Scope) -> tuple[Family, Term | None]:
        target = self.place(node, scope)
        match target:
            case (Family() as family, index):
                assert index is None or isinstance(index, Term), "a family is indexed once"
                if family.index is not None and index is None:
                    self.cx.fail(
                        "E0302", f"'{family.name}' is a family of threads: write {family.name}[…]", node.span
                    )
                return family, index
            case _:
                self.cx.fail("E0203", "only a thread is 'at' a step", node.span)

    def _no_member(self, name: ast.Ident, of: str, names: object) -> None:
        guess = suggest(name.name, list(names))  # type: ignore[call-overload]
        self.cx.fail(
            "E0204", f"{of} has no '{name.name}'", name.span, f"did you mean '{guess}'?" if guess else None
        )

    def callee(self, node: ast.Call, scope: Scope) -> tuple[Function, tuple[ast.Expr, ...]]:
        """The function of a call and its arguments; the member of the instance that comes first, if one does."""
        if node.args:
            first: object = None
            if self._peek_instance(_root(node.args[0]), scope) is not None:
                first = self.place(node.args[0], scope)
            if isinstance(first, Instance):
                if first.dims:
                    self.cx.fail(
                        "E0302", f"'{first.name}' is an array of instances: index it", node.args[0].span
                    )
                found = first.scope.names.get(node.name.name)
                if not isinstance(found, Function):
                    members = [n for n, f in first.scope.names.items() if isinstance(f, Function)]
                    guess = suggest(node.name.name, members)
                    self.cx.fail(
                        "E0204",
                        f"the type of '{first.name}' has no '{node.name.name}'",
                        node.name.span,
                        f"did you mean '{guess}'?" if guess else f"it has: {', '.join(members)}",
                    )
                return found, node.args[1:]
        found = self.cx.lookup(scope, node.name.name, node.name.span)
        if not isinstance(found, Function):
            self.cx.wrong_kind(found, node.name.name, "something to call", node.name.span)
        return found, node.args

    def arguments(
        self, node: ast.Call, function: Function, args: tuple[ast.Expr, ...], scope: Scope
    ) -> list[Term]:
        if len(args) != len(function.formals):
            count = len(function.formals)
            self.cx.fail(
                "E0302",
                f"'{node.name.name}' takes {count} argument{'s' * (count != 1)}, not {len(args)}",
                node.span,
            )
        wanted = [core_type(self.cx, function.type_scope or function.scope, f.type) for f in function.formals]
        return [self.value(arg, scope, want) for arg, want in zip(args, wanted, strict=True)]

    def _call(self, node: ast.Call, scope: Scope, want: Type | None) -> Term:
        if node.name.name in BUILTINS and scope.find(node.name.name) is None:
            return call_builtin(self, node, scope, want)
        function, args = self.callee(node, scope)
        if isinstance(function.decl, ast.Op | ast.Proc):
            self.cx.fail(
                "E0404",
                f"'{node.name.name}' acts; it cannot stand inside an expression",
                node.span,
                f"assign its result first: x = {node.name.name}(…);",
            )
        if isinstance(function.decl, ast.Hold):
            if len(args) != 1:
                self.cx.fail("E0302", f"'{node.name.name}' takes a thread after the instance", node.span)
            terms = [self.value(args[0], scope, self.cx.threads)]
            names = ["self"]
        else:
            terms = self.arguments(node, function, args, scope)
            names = [n.name for n in function.decl.params] if isinstance(function.decl, ast.Binding) else []
            names = names or [f.name.name for f in function.formals]
        return self.apply(function, names, terms, node.span)

    def apply(self, function: Function, names: list[str], terms: list[Term], span: Span) -> Term:
        """A function's body for given arguments."""
        key = (function, *(t.expr for t in terms))
        if key not in self.memo:
            if any(f.decl is function.decl for f in self.active):
                self.cx.fail("E0407", "a function cannot call itself", span)
            if isinstance(function.decl, ast.Requires):
                self.cx.fail("E0204", f"this instance gives no '{function.decl.name.name}'", span)
            self.active.append(function)
            outer, self.reads = self.reads, []
            old_ok, self.old_ok = self.old_ok, False
            try:
                inner = function.scope.child(**{n: Bound(t.expr) for n, t in zip(names, terms, strict=True)})
                body = function.decl.cond if isinstance(function.decl, ast.Hold) else function.decl.body
                assert not isinstance(body, ast.Block), "ops and procs are not applied"
                if isinstance(function.decl, ast.Hold):
                    term = self.condition(body, inner)
                else:
                    assert function.result is not None, "a function has a result"
                    term = self.value(
                        body,
                        inner,
                        core_type(self.cx, function.type_scope or function.scope, function.result),
                    )
                self.memo[key] = (term, self.reads)
            finally:
                self.reads, self.old_ok = outer, old_ok
                self.active.pop()
        term, reads = self.memo[key]
        self.reads += [(v, span) for v, _ in reads]
        return Term(
            term.expr,
            (*(c for t in terms for c in t.checks), *(Check(c.bad, c.what, span) for c in term.checks)),
        )


def indexed_instance(instance: Instance, index: Expr) -> Instance:
    """One element of an array of instances: its members know the index."""
    prefix, dims = (*instance.prefix, index), instance.dims[1:]
    scope = Scope(instance.scope.parent)
    for name, member in instance.scope.names.items():
        scope.names[name] = _with_prefix(member, index, scope)
    return Instance(instance.name, instance.template, dims, prefix, scope)


def _with_prefix(member: object, index: Expr, scope: Scope):  # type: ignore[no-untyped-def]
    match member:
        case Variable():
            assert isinstance(member.type, Array), "a member of an array of instances is an array"
            return Variable(
                member.name, member.type.item, member.storage, (*member.prefix, index), member.edges,
                member.owners, member.guarded_by, member.alive, scope,
            )  # fmt: skip
        case Instance():
            return indexed_instance(member, index)
        case Function(ast.Binding()):
            return member
        case Function():
            return Function(member.decl, scope, member.formals, member.result, member.type_scope)
        case _:
            return member


def _root_type(variable: Variable) -> Type:
    type_: Type = Option(variable.type) if variable.boxed else variable.type
    for index in reversed(variable.prefix):
        type_ = Array(index.type, type_)
    return type_


def _item_after(variable: Variable, count: int) -> Type:
    type_ = variable.type
    for _ in range(count):
        assert isinstance(type_, Array), "only as many indices as dimensions"
        type_ = type_.item
    return type_


def _root(node: ast.Expr) -> ast.Expr:
    while isinstance(node, ast.FieldOf):
        node = node.base
    return node


def _is_gfn(type_: Type) -> bool:
    return isinstance(type_, Index) and type_.kind is IndexKind.GFN


def _needs_hint(node: ast.Expr, scope: Scope) -> bool:
    match node:
        case ast.NoneLiteral() | ast.SetLiteral(()):
            return True
        case ast.Name(id):
            found = scope.find(id)
            return isinstance(found, Members) and len(found.of) > 1
        case _:
            return False


def _hint(type_: Type, node: ast.Expr) -> Type:
    """What the other side of a comparison is expected to be."""
    if isinstance(node, ast.NoneLiteral) and not isinstance(type_, Option):
        return Option(type_)
    return type_


def _walk(node: object) -> Iterator[object]:
    """A syntax tree's nodes, the node itself first."""
    if is_dataclass(node) and not isinstance(node, Span):
        yield node
        for f in fields(node):
            yield from _walk(getattr(node, f.name))
    elif isinstance(node, tuple):
        for item in node:
            yield from _walk(item)


def constant_int(cx: Context, scope: Scope, node: ast.Expr) -> int:
    """The number that a constant expression is."""
    term = Typer(cx).expr(node, scope)
    if term.expr.op is not Op.CONST or not isinstance(term.type, Int):
        cx.fail("E0306", "this must be a number that the parameters and constants alone give", node.span)
    assert isinstance(term.expr.data, int), "an Int constant is a number"
    return term.expr.data
