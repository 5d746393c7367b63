"""Types and expressions, as they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from refine.lang.ast.node import Ident, Node, Path, spanned
from refine.text.span import Span

# --- types ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BoolType(Node):
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class IntType(Node):
    """`int`, or `int(lo..hi)`."""

    lo: Expr | None
    hi: Expr | None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WordType(Node):
    bits: int
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ThreadType(Node):
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SetType(Node):
    item: TypeExpr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NamedType(Node):
    """An enum, machine, struct, index, type parameter; with arguments: an instance's type."""

    name: Ident
    args: tuple[TypeExpr, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OptionType(Node):
    item: TypeExpr
    span: Span = spanned()


TypeExpr: TypeAlias = BoolType | IntType | WordType | ThreadType | SetType | NamedType | OptionType


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dim(Node):
    """`[vcpu]`, or `[v in vcpu]` where the name is bound in the initial value and in `alive when`."""

    name: Ident | None
    type: TypeExpr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Binder(Node):
    """`v in vcpu`; in a quantifier the type may be left out and follows from the uses of the name."""

    name: Ident
    type: TypeExpr | None
    span: Span = spanned()


# --- expressions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Name(Node):
    id: str
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Integer(Node):
    value: int
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Boolean(Node):
    value: bool
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NoneLiteral(Node):
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Self(Node):
    """The thread that takes the step."""

    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Old(Node):
    """In an op: the value at the entry of the call. In a step claim: the value before the transition."""

    expr: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Call(Node):
    """A function, op or procedure; an instance's is called with the instance as first argument."""

    name: Ident
    args: tuple[Expr, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Unary(Node):
    """`op` is `!`, `-` or `~`."""

    op: str
    expr: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Binary(Node):
    """`op` is `->`, a comparison, `in`, `!in`, or arithmetic: `& | ^ << >> + - * / %`."""

    op: str
    left: Expr
    right: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Logical(Node):
    """A chain of `&&` or of `||`, at least two parts."""

    op: str
    parts: tuple[Expr, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Conditional(Node):
    cond: Expr
    then: Expr
    other: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Quantified(Node):
    """`kind` is `forall`, `exists` or `count`."""

    kind: str
    binders: tuple[Binder, ...]
    body: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class IndexOf(Node):
    """`base[index]`."""

    base: Expr
    index: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FieldOf(Node):
    """`base.name`: a struct's field, an instance's variable, a thread's local."""

    base: Expr
    name: Ident
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class At(Node):
    """`zapper at yield`, `guest[v] at {fault, fix}`: one of the steps is a possible next step of the thread."""

    thread: Expr
    steps: tuple[Path, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SetLiteral(Node):
    items: tuple[Expr, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SetOf(Node):
    """`{each v in vcpu where cond}`."""

    binder: Binder
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Element(Node):
    """`vcpu#0`: one element of an index type by number; breaks the symmetry of the type."""

    type: Ident
    number: int
    span: Span = spanned()


Expr: TypeAlias = (
    Name | Integer | Boolean | NoneLiteral | Self | Old | Call | Unary | Binary | Logical | Conditional | Quantified
    | IndexOf | FieldOf | At | SetLiteral | SetOf | Element
)  # fmt: skip
