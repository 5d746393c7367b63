"""Types and expressions, as they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from refine.lang.ast.node import Ident, Path, spanned
from refine.text.span import Span

# --- types ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BoolType:
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class IntType:
    """`int`, or `int(lo..hi)`."""

    lo: Expr | None
    hi: Expr | None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class WordType:
    bits: int
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class ThreadType:
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class SetType:
    item: TypeExpr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class NamedType:
    """An enum, machine, struct, index, type parameter; with arguments: an instance's type."""

    name: Ident
    args: tuple[TypeExpr, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class OptionType:
    item: TypeExpr
    span: Span = spanned()


TypeExpr: TypeAlias = BoolType | IntType | WordType | ThreadType | SetType | NamedType | OptionType


@dataclass(frozen=True, slots=True)
class Dim:
    """`[vcpu]`, or `[v in vcpu]` where the name is bound in the initial value and in `alive when`."""

    name: Ident | None
    type: TypeExpr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Binder:
    """`v in vcpu`; in a quantifier the type may be left out and follows from the uses of the name."""

    name: Ident
    type: TypeExpr | None
    span: Span = spanned()


# --- expressions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    id: str
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Integer:
    value: int
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class NoneLiteral:
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Self:
    """The thread that takes the step."""

    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Old:
    """In an op: the value at the entry of the call. In a step claim: the value before the transition."""

    expr: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Call:
    """A function, op or procedure; an instance's is called with the instance as first argument."""

    name: Ident
    args: tuple[Expr, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Unary:
    """`op` is `!`, `-` or `~`."""

    op: str
    expr: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Binary:
    """`op` is `->`, a comparison, `in`, `!in`, or arithmetic: `& | ^ << >> + - * / %`."""

    op: str
    left: Expr
    right: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Logical:
    """A chain of `&&` or of `||`, at least two parts."""

    op: str
    parts: tuple[Expr, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Conditional:
    cond: Expr
    then: Expr
    other: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Quantified:
    """`kind` is `forall`, `exists` or `count`."""

    kind: str
    binders: tuple[Binder, ...]
    body: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class IndexOf:
    """`base[index]`."""

    base: Expr
    index: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class FieldOf:
    """`base.name`: a struct's field, an instance's variable, a thread's local."""

    base: Expr
    name: Ident
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class At:
    """`zapper at yield`, `guest[v] at {fault, fix}`: one of the steps is a possible next step of the thread."""

    thread: Expr
    steps: tuple[Path, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class SetLiteral:
    items: tuple[Expr, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class SetOf:
    """`{each v in vcpu where cond}`."""

    binder: Binder
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Element:
    """`vcpu#0`: one element of an index type by number; breaks the symmetry of the type."""

    type: Ident
    number: int
    span: Span = spanned()


Expr: TypeAlias = (
    Name | Integer | Boolean | NoneLiteral | Self | Old | Call | Unary | Binary | Logical | Conditional | Quantified
    | IndexOf | FieldOf | At | SetLiteral | SetOf | Element
)  # fmt: skip
