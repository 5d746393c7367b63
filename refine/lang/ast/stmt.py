"""Statements: of threads and of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from refine.lang.ast.expr import Binder, Call, Dim, Expr, TypeExpr
from refine.lang.ast.node import Ident, Node, spanned
from refine.text.span import Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Lvalue(Node):
    """`a[i].f[j]`: a name, then indices (Expr) and fields (Ident)."""

    name: Ident
    accessors: tuple[Expr | Ident, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Conjunct(Node):
    """One part of a `when`, perhaps named."""

    label: Ident | None
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Block(Node):
    stmts: tuple[Stmt, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Step(Node):
    name: Ident
    idle: bool
    binders: tuple[Binder, ...]
    when: tuple[Conjunct, ...]
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class If(Node):
    """`other` is the else-branch: a block, or one If for `else if`. `braces` is False for `if (c) simple;`."""

    cond: Expr
    then: Block
    other: Block | If | None
    braces: bool
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class While(Node):
    cond: Expr
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Loop(Node):
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Maybe(Node):
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Choose(Node):
    branches: tuple[Block, ...]
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ForEach(Node):
    """One after the other, in nondeterministic order."""

    binder: Binder
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ForAll(Node):
    """All at once: every right-hand side reads the state before."""

    binders: tuple[Binder, ...]
    body: Block
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CallStmt(Node):
    call: Call
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Assign(Node):
    """`op` is `=`, `+=` or `-=`."""

    target: Lvalue
    op: str
    value: Expr
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Havoc(Node):
    target: Lvalue
    where: Expr | None
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Assume(Node):
    """`assume name: cond` as a statement."""

    name: Ident
    cond: Expr
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Require(Node):
    """`require name: cond`: where it is false, the step is undefined."""

    name: Ident
    cond: Expr
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Break(Node):
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Continue(Node):
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Return(Node):
    value: Expr | None
    label: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Local(Node):
    type: TypeExpr
    name: Ident
    dims: tuple[Dim, ...]
    init: Expr | None
    span: Span = spanned()


Stmt: TypeAlias = (
    Step | If | While | Loop | Maybe | Choose | ForEach | ForAll | CallStmt | Assign | Havoc | Assume | Require
    | Break | Continue | Return | Local
)  # fmt: skip
