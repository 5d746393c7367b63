"""What the passes of one lowering share: where diagnostics go, fresh names, limits, and the types by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from refine.core.expr import FALSE, Expr, Op, and_, not_
from refine.core.types import (
    BOOL,
    INT,
    Array,
    Index,
    IndexKind,
    Int,
    Option,
    Set,
    Struct,
    Thread,
    Type,
    Word,
    cardinality,
    is_domain,
)
from refine.lang import ast
from refine.lang.edits import NO_EDITS, Edits
from refine.lang.elements import Element, Weaker
from refine.lang.scope import WORDS, Broken, Entity, Family, Instance, Scope, TypeName
from refine.text.diag import Reporter, suggest
from refine.text.span import Span

MAX_SIZE = 256  # values of a type that arrays, sets or quantifiers range over
MAX_DEPTH = 300  # nesting of a lowered expression
MAX_CALLS = 40  # nesting of calls of functions, of ops, of procedures
MAX_STATE = 200_000  # scalars in all variables
MAX_PARTS = 1000  # types that a struct is made of, down to the last field
MAX_WAYS = 256  # ways from a location to the next steps
MAX_NUMBER = 1 << 128  # what a number may become before its range is checked
MAX_POINTS = 4000  # steps and choices of a thread, procedures expanded


class Abort(Exception):
    """Gives up the statement or item at hand; its error has been reported."""


class TooLarge(Exception):
    """Gives up the whole lowering; its error has been reported."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something undefined: the condition under which it is, over the state that the expression reads, and its words."""

    bad: Expr
    what: str
    span: Span


@dataclass(frozen=True, slots=True)
class Term:
    """A typed expression, and the conditions under which it is undefined, in the order of evaluation."""

    expr: Expr
    checks: tuple[Check, ...] = ()

    @property
    def type(self) -> Type:
        return self.expr.type


def guarded(cond: Expr, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks of something that is evaluated only where `cond` holds."""
    return tuple(Check(both(cond, c.bad), c.what, c.span) for c in checks)


def both(cond: Expr, bad: Expr) -> Expr:
    """`cond && bad`; false where a part of `cond` rules `bad` out: `x != none && (x == none)`."""
    decided = cond.args if cond.op is Op.AND else (cond,)
    parts = bad.args if bad.op is Op.AND else (bad,)
    return FALSE if any(not_(part) in decided for part in parts) else and_(cond, bad)


class Locations(Protocol):
    """Answers `thread at step`; known only once every thread's flow is."""

    def at(self, family: Family, index: Expr | None, steps: tuple[ast.Path, ...]) -> Expr: ...


@dataclass(slots=True)
class Context:
    """One lowering of one file at one size."""

    reporter: Reporter
    threads: Thread = Thread(())
    locations: Locations | None = None
    thread_locals: dict[str, Scope] = field(default_factory=dict)
    env: dict[str, Expr] = field(default_factory=dict)  # every state variable, as itself
    declared: frozenset[str] = frozenset()  # what the file declares anywhere
    edits: Edits = NO_EDITS
    statements: dict[str, ast.Stmt] = field(default_factory=dict)  # by address: what edits may speak of
    elements: dict[str, Element] = field(default_factory=dict)  # by key
    weaker: dict[str, Weaker] = field(default_factory=dict)  # by address of the call
    neighbours: list[tuple[str, str]] = field(
        default_factory=list
    )  # statements of threads that follow one another
    instances: dict[str, Instance] = field(default_factory=dict)  # of which a hold is dropped
    taken: int = 0  # scalars in the variables so far
    _fresh: int = 0

    def fresh(self, name: str) -> str:
        """A name that nothing else has; no source name contains a quote."""
        self._fresh += 1
        return f"{name}'{self._fresh}"

    def negated(self, key: str) -> bool:
        """Whether a guard has been turned round."""
        return key in self.edits.negated

    def relaxed(self, element: Element) -> bool:
        """Notes a protective element; whether it has been dropped."""
        self.elements.setdefault(element.key, element)
        return self.edits.drops(element)

    def fail(self, code: str, message: str, span: Span, help: str | None = None) -> NoReturn:
        self.reporter.error(code, message, span, help)
        raise Abort

    def too_large(self, message: str, span: Span, code: str = "E0511") -> NoReturn:
        self.reporter.error(code, message, span)
        raise TooLarge

    def take(self, type_: Type, span: Span) -> None:
        """Counts a variable of the type; refuses what no machine could hold."""
        self.taken += scalars(type_)
        if self.taken > MAX_STATE:
            self.taken -= scalars(type_)
            self.fail(
                "E0510", f"with this the variables have more than {MAX_STATE} elements", span,
                "give its arrays smaller indices, or make the sizes of types parameters",
            )  # fmt: skip

    def lookup(self, scope: Scope, name: str, span: Span) -> Entity:
        found = scope.find(name)
        if found is None and name in self.declared:
            self.fail(
                "E0306",
                f"'{name}' has no value yet: only parameters and constants that are declared above have",
                span,
            )
        if found is None:
            guess = suggest(name, scope.visible())
            self.fail(
                "E0201",
                f"nothing is named '{name}' here",
                span,
                f"did you mean '{guess}'?" if guess else None,
            )
        if isinstance(found, Broken):
            raise Abort
        return found

    def wrong_kind(self, found: Entity, name: str, wanted: str, span: Span) -> NoReturn:
        self.fail("E0203", f"'{name}' is {WORDS[type(found)]}, not {wanted}", span)


def core_type(cx: Context, scope: Scope, node: ast.TypeExpr) -> Type:
    """The core type that a written type denotes."""
    from refine.lang.exprs import constant_int  # the bounds of a range are expressions, which have types

    match node:
        case ast.BoolType():
            return BOOL
        case ast.IntType(None, None):
            return INT
        case ast.IntType(lo, hi):
            assert lo is not None and hi is not None, "a range has both ends"
            low, high = constant_int(cx, scope, lo), constant_int(cx, scope, hi)
            if low > high:
                cx.fail("E0305", f"the range {low}..{high} is empty", node.span)
            return Int(low, high)
        case ast.WordType(bits):
            return Word(bits)
        case ast.ThreadType():
            return cx.threads
        case ast.SetType(item):
            return Set(domain_type(cx, scope, item))
        case ast.OptionType(item):
            inner = core_type(cx, scope, item)
            if isinstance(inner, Option):
                cx.fail("E0307", "an optional of an optional has two nones", node.span, "write one '?'")
            return Option(inner)
        case ast.NamedType(name, args):
            known = scope.find(name.name)
            if not isinstance(known, TypeName) and scope.template(name.name) is not None:
                cx.fail(
                    "E0307",
                    f"'{name.name}' is a library type: it has instances, not values",
                    node.span,
                    f"declare an instance: {name.name} NAME;",
                )
            found = cx.lookup(scope, name.name, name.span)
            if isinstance(found, TypeName):
                if args:
                    cx.fail("E0302", f"'{name.name}' has no type parameters", node.span)
                return found.type
            cx.wrong_kind(found, name.name, "a type", name.span)


def domain_type(cx: Context, scope: Scope, node: ast.TypeExpr) -> Type:
    """A type that arrays, sets and quantifiers may range over."""
    type_ = core_type(cx, scope, node)
    if not is_domain(type_):
        cx.fail(
            "E0307",
            f"{type_} is no type to range over",
            node.span,
            "use an index, enum, bool, thread or int(a..b)",
        )
    size = cardinality(type_)
    if size is not None and size > MAX_SIZE:
        cx.fail("E0510", f"{type_} has {size} values; at most {MAX_SIZE} can be ranged over", node.span)
    return type_


def shown(type_: Type) -> str:
    """A type in a message: of a number that is written there it need not be said between which bounds it lies."""
    return "int" if isinstance(type_, Int) and type_.lo == type_.hi else str(type_)


def without_default(type_: Type) -> Type | None:
    """The part of a type whose values are all alike, so that a variable cannot start as one of them."""
    match type_:
        case Thread() | Index(kind=IndexKind.INDEX):
            return type_
        case Array(_, item):
            return without_default(item)
        case Struct(_, fields):
            return next((found for _, inner in fields if (found := without_default(inner))), None)
        case _:
            return None


def needs_value(cx: Context, type_: Type, init: ast.Expr | None, name: ast.Ident) -> None:
    """Refuses a declaration without a value, of a type that has none to start with."""
    bare = without_default(type_) if init is None else None
    if bare is not None:
        why = f"the values of {bare} are" if bare == type_ else f"it holds values of {bare}, which are"
        cx.fail(
            "E0310", f"'{name.name}' needs a value to start with: {why} all alike", name.span,
            f"declare it as {bare}?, which starts as none" if bare == type_ else None,
        )  # fmt: skip


def scalars(type_: Type) -> int:
    """How many scalars a value of the type has."""
    match type_:
        case Array(dom, item):
            return (cardinality(dom) or 1) * scalars(item)
        case Struct(_, fields):
            return sum(scalars(field) for _, field in fields)
        case _:
            return 1


def parts(type_: Type) -> int:
    """How many types a type is made of."""
    match type_:
        case Array(_, item):
            return 1 + parts(item)
        case Struct(_, fields):
            return 1 + sum(parts(field) for _, field in fields)
        case _:
            return 1


def array_dims(cx: Context, scope: Scope, dims: tuple[ast.Dim, ...]) -> tuple[Type, ...]:
    return tuple(domain_type(cx, scope, d.type) for d in dims)


def is_order(type_: Type) -> bool:
    """Whether `<` compares values of the type."""
    return isinstance(type_, Int | Word) or (isinstance(type_, Index) and type_.kind is not IndexKind.INDEX)
