"""Items: all that a file declares, and the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from refine.lang.ast.claim import AssumeItem, Claim, Edited, Observer, Reach, Uncovered, Without
from refine.lang.ast.expr import Binder, Dim, Expr, NamedType, TypeExpr
from refine.lang.ast.node import Ident, Node, Path, Text, spanned
from refine.lang.ast.stmt import Block, Conjunct
from refine.text.span import Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Source(Node):
    """`source "arch/x86/kvm/mmu/tdp_mmu.c" f, g;`."""

    file: Text
    functions: tuple[Ident, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Import(Node):
    path: Path
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cites(Node):
    """`cites "…";` of the whole file."""

    text: Text
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Era(Node):
    """`era "…";`: the kernels that the file speaks of as it stands."""

    text: Text
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Param(Node):
    name: Ident
    default: Expr
    lo: Expr
    hi: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sizes(Node):
    """`sizes { A = 1, B = 2; … }`: the sizes that count, instead of the default list."""

    rows: tuple[tuple[tuple[Ident, Expr], ...], ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Const(Node):
    name: Ident
    value: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class IndexDecl(Node):
    """`kind` is `index`, `slot`, `ring` or `gfn`."""

    kind: str
    name: Ident
    size: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EnumDecl(Node):
    name: Ident
    members: tuple[Ident, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Edge(Node):
    """`NONE -> PRESENT : map by owner;`. `owner` is `owner` or the name of a thread family."""

    source: Ident
    target: Ident
    name: Ident
    owner: Ident | None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MachineDecl(Node):
    """An enum whose members are the ends of its edges in order of appearance; assignments take only its edges."""

    name: Ident
    edges: tuple[Edge, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StructDecl(Node):
    name: Ident
    fields: tuple[tuple[TypeExpr, Ident, tuple[Dim, ...]], ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TypeDecl(Node):
    """`type rwlock<T> { members }`: what an instance of it brings along."""

    name: Ident
    params: tuple[Ident, ...]
    members: tuple[Item, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Variable(Node):
    """`shared` or `ghost` state."""

    storage: str
    type: TypeExpr
    name: Ident
    dims: tuple[Dim, ...]
    init: Expr | None
    guarded_by: Path | None
    alive: Expr | None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Binding(Node):
    """`walk(v, g) = pt[g];`: gives an instance a function that its type `requires`."""

    name: Ident
    params: tuple[Ident, ...]
    body: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Instance(Node):
    """`rwlock mmu_lock;`, `refcount<root> ref;`, `spinlock lock[vcpu];`."""

    type: NamedType
    name: Ident
    dims: tuple[Dim, ...]
    bindings: tuple[Binding, ...]
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Formal(Node):
    type: TypeExpr
    name: Ident
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Requires(Node):
    """`requires walk(cpu v, key g) -> val?;` in a type: the instance gives its body."""

    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Hold(Node):
    """`hold write = self in writers;` in a type: in which state the thread `self` holds it in that mode."""

    name: Ident
    cond: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fn(Node):
    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr
    body: Expr
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Op(Node):
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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Proc(Node):
    """Steps, carried out one after the other by the thread that calls it. `effects`: as of an op, but no holds."""

    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr | None
    effects: tuple[tuple[str, Ident], ...]
    body: Block
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ThreadDecl(Node):
    """`fair` is ``, `fair` or `strong`; `adversary` the observer that the thread plays."""

    name: Ident
    binder: Binder | None
    fair: str
    body: Block
    adversary: Ident | None = None
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RuleDecl(Node):
    """What hardware, guest or host do at any time; `adversary`: the observer that plays it."""

    name: Ident
    binders: tuple[Binder, ...]
    fair: str
    when: tuple[Conjunct, ...]
    body: Block
    adversary: Ident | None = None
    span: Span = spanned()


Item: TypeAlias = (
    Source | Import | Cites | Era | Param | Sizes | Const | IndexDecl | EnumDecl | MachineDecl | StructDecl | TypeDecl
    | Variable | Instance | Requires | Hold | Fn | Op | Proc | ThreadDecl | RuleDecl | Claim | Reach | AssumeItem
    | Observer | Without | Uncovered | Edited
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comment(Node):
    """A comment, for `spte fmt`, which loses none."""

    text: str
    span: Span = spanned()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class File(Node):
    """`role` is `protocol` or `library`."""

    role: str
    name: Ident
    doc: Text | None
    items: tuple[Item, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
    span: Span = spanned()
