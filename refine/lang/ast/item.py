"""Items: all that a file declares, and the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from refine.lang.ast.claim import AssumeItem, Claim, Edited, Observer, Reach, Uncovered, Without
from refine.lang.ast.expr import Binder, Dim, Expr, NamedType, TypeExpr
from refine.lang.ast.node import Ident, Path, Text, spanned
from refine.lang.ast.stmt import Block, Conjunct
from refine.text.span import Span


@dataclass(frozen=True, slots=True)
class Source:
    """`source "arch/x86/kvm/mmu/tdp_mmu.c" f, g;`."""

    file: Text
    functions: tuple[Ident, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Import:
    path: Path
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Cites:
    """`cites "…";` of the whole file."""

    text: Text
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Param:
    name: Ident
    default: Expr
    lo: Expr
    hi: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Sizes:
    """`sizes { A = 1, B = 2; … }`: the sizes that count, instead of the default list."""

    rows: tuple[tuple[tuple[Ident, Expr], ...], ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Const:
    name: Ident
    value: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class IndexDecl:
    """`kind` is `index`, `slot`, `ring` or `gfn`."""

    kind: str
    name: Ident
    size: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class EnumDecl:
    name: Ident
    members: tuple[Ident, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Edge:
    """`NONE -> PRESENT : map by owner;`. `owner` is `owner` or the name of a thread family."""

    source: Ident
    target: Ident
    name: Ident
    owner: Ident | None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class MachineDecl:
    """An enum whose members are the ends of its edges in order of appearance; assignments take only its edges."""

    name: Ident
    edges: tuple[Edge, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class StructDecl:
    name: Ident
    fields: tuple[tuple[TypeExpr, Ident, tuple[Dim, ...]], ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class TypeDecl:
    """`type rwlock<T> { members }`: what an instance of it brings along."""

    name: Ident
    params: tuple[Ident, ...]
    members: tuple[Item, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Variable:
    """`shared` or `ghost` state."""

    storage: str
    type: TypeExpr
    name: Ident
    dims: tuple[Dim, ...]
    init: Expr | None
    guarded_by: Path | None
    alive: Expr | None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Binding:
    """`walk(v, g) = pt[g];`: gives an instance a function that its type `requires`."""

    name: Ident
    params: tuple[Ident, ...]
    body: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Instance:
    """`rwlock mmu_lock;`, `refcount<root> ref;`, `spinlock lock[vcpu];`."""

    type: NamedType
    name: Ident
    dims: tuple[Dim, ...]
    bindings: tuple[Binding, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Formal:
    type: TypeExpr
    name: Ident
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Requires:
    """`requires walk(cpu v, key g) -> val?;` in a type: the instance gives its body."""

    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Hold:
    """`hold write = self in writers;` in a type: in which state the thread `self` holds it in that mode."""

    name: Ident
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Fn:
    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr
    body: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Op:
    """Actions that a step carries out as part of it.

    `effects`: `acquires` or `releases` and a hold, `protects` and what by, `weaker` and a neighbour that does less.
    """

    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr | None
    effects: tuple[tuple[str, Ident], ...]
    when: tuple[Conjunct, ...]
    body: Block
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class Proc:
    """Steps, carried out one after the other by the thread that calls it. `effects`: as of an op, but no holds."""

    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr | None
    effects: tuple[tuple[str, Ident], ...]
    body: Block
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class ThreadDecl:
    """`fair` is ``, `fair` or `strong`; `adversary` the observer that the thread plays."""

    name: Ident
    binder: Binder | None
    fair: str
    body: Block
    adversary: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class RuleDecl:
    """What hardware, guest or host do at any time; `adversary`: the observer that plays it."""

    name: Ident
    binders: tuple[Binder, ...]
    fair: str
    when: tuple[Conjunct, ...]
    body: Block
    adversary: Ident | None = None
    span: Span = spanned()


Item: TypeAlias = (
    Source | Import | Cites | Param | Sizes | Const | IndexDecl | EnumDecl | MachineDecl | StructDecl | TypeDecl
    | Variable | Instance | Requires | Hold | Fn | Op | Proc | ThreadDecl | RuleDecl | Claim | Reach | AssumeItem
    | Observer | Without | Uncovered | Edited
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, for `spte fmt`, which loses none."""

    text: str
    span: Span = spanned()


@dataclass(frozen=True, slots=True)
class File:
    """`role` is `protocol` or `library`."""

    role: str
    name: Ident
    doc: Text | None
    items: tuple[Item, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
    span: Span = spanned()
