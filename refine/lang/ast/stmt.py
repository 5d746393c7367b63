"""Statements: of threads and of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from refine.lang.ast.expr import Binder, Call, Dim, Expr, TypeExpr
from refine.lang.ast.node import Ident, spanned
from refine.text.span import Span


@dataclass(frozen=True, slots=True)
class Lvalue:
    """`a[i].f[j]`: a name, then indices (Expr) and fields (Ident)."""

    name: Ident
    accessors: tuple[Expr | Ident, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Conjunct:
    """One part of a `when`, perhaps named."""

    label: Ident | None
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Block:
    stmts: tuple[Stmt, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Step:
    name: Ident
    idle: bool
    binders: tuple[Binder, ...]
    when: tuple[Conjunct, ...]
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class If:
    """`other` is the else-branch: a block, or one If for `else if`. `braces` is False for `if (c) simple;`."""

    cond: Expr
    then: Block
    other: Block | If | None
    braces: bool
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class While:
    cond: Expr
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Loop:
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Maybe:
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Choose:
    branches: tuple[Block, ...]
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class ForEach:
    """One after the other, in nondeterministic order."""

    binder: Binder
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class ForAll:
    """All at once: every right-hand side reads the state before."""

    binders: tuple[Binder, ...]
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class CallStmt:
    call: Call
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Assign:
    """`op` is `=`, `+=` or `-=`."""

    target: Lvalue
    op: str
    value: Expr
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Havoc:
    target: Lvalue
    where: Expr | None
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Assume:
    """`assume name: cond` as a statement."""

    name: Ident
    cond: Expr
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Require:
    """`require name: cond`: where it is false, the step is undefined."""

    name: Ident
    cond: Expr
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Break:
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Continue:
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Return:
    value: Expr | None
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Local:
    type: TypeExpr
    name: Ident
    dims: tuple[Dim, ...]
    init: Expr | None
    span: Span = spanned()


Stmt: TypeAlias = (
    Step | If | While | Loop | Maybe | Choose | ForEach | ForAll | CallStmt | Assign | Havoc | Assume | Require
    | Break | Continue | Return | Local
)  # fmt: skip
