"""The syntax tree: one frozen dataclass a construct of grammar/protocol.lark, each with its span.

Spans do not take part in equality, so that a tree equals the tree of its own printed form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TypeAlias

from refine.text.span import Span


def _span() -> Span:
    return field(compare=False, repr=False, kw_only=True)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Ident:
    """A name where it stands in the text."""

    name: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Path:
    """`zapper.final_flush`."""

    parts: tuple[Ident, ...]
    span: Span = _span()

    def __str__(self) -> str:
        return ".".join(p.name for p in self.parts)


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal; `value` has its escapes resolved."""

    value: str
    span: Span = _span()


# --- types ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BoolType:
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class IntType:
    """`int`, or `int(lo..hi)`."""

    lo: Expr | None
    hi: Expr | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class WordType:
    bits: int
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ThreadType:
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SetType:
    item: TypeExpr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class NamedType:
    """An enum, machine, struct, index, type parameter; with arguments: an instance's type."""

    name: Ident
    args: tuple[TypeExpr, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class OptionType:
    item: TypeExpr
    span: Span = _span()


TypeExpr: TypeAlias = BoolType | IntType | WordType | ThreadType | SetType | NamedType | OptionType


@dataclass(frozen=True, slots=True)
class Dim:
    """`[vcpu]`, or `[v in vcpu]` where the name is bound in the initial value and in `alive when`."""

    name: Ident | None
    type: TypeExpr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Binder:
    """`v in vcpu`; in a quantifier the type may be left out and follows from the uses of the name."""

    name: Ident
    type: TypeExpr | None
    span: Span = _span()


# --- expressions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    id: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Integer:
    value: int
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class NoneLiteral:
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Self:
    """The thread that takes the step."""

    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Old:
    """In an op: the value at the entry of the call. In a step claim: the value before the transition."""

    expr: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Call:
    """A function, op or procedure; an instance's is called with the instance as first argument."""

    name: Ident
    args: tuple[Expr, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Unary:
    """`op` is `!`, `-` or `~`."""

    op: str
    expr: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Binary:
    """`op` is `->`, a comparison, `in`, `!in`, or arithmetic: `& | ^ << >> + - * / %`."""

    op: str
    left: Expr
    right: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Logical:
    """A chain of `&&` or of `||`, at least two parts."""

    op: str
    parts: tuple[Expr, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Conditional:
    cond: Expr
    then: Expr
    other: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Quantified:
    """`kind` is `forall`, `exists` or `count`."""

    kind: str
    binders: tuple[Binder, ...]
    body: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class IndexOf:
    """`base[index]`."""

    base: Expr
    index: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class FieldOf:
    """`base.name`: a struct's field, an instance's variable, a thread's local."""

    base: Expr
    name: Ident
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class At:
    """`zapper at yield`, `guest[v] at {fault, fix}`: one of the steps is a possible next step of the thread."""

    thread: Expr
    steps: tuple[Path, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SetLiteral:
    items: tuple[Expr, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SetOf:
    """`{each v in vcpu where cond}`."""

    binder: Binder
    cond: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Element:
    """`vcpu#0`: one element of an index type by number; breaks the symmetry of the type."""

    type: Ident
    number: int
    span: Span = _span()


Expr: TypeAlias = (
    Name | Integer | Boolean | NoneLiteral | Self | Old | Call | Unary | Binary | Logical | Conditional | Quantified
    | IndexOf | FieldOf | At | SetLiteral | SetOf | Element
)  # fmt: skip


# --- statements -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lvalue:
    """`a[i].f[j]`: a name, then indices (Expr) and fields (Ident)."""

    name: Ident
    accessors: tuple[Expr | Ident, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Conjunct:
    """One part of a `when`, perhaps named."""

    label: Ident | None
    cond: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Block:
    stmts: tuple[Stmt, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Step:
    name: Ident
    idle: bool
    binders: tuple[Binder, ...]
    when: tuple[Conjunct, ...]
    body: Block
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class If:
    """`other` is the else-branch: a block, or one If for `else if`. `braces` is False for `if (c) simple;`."""

    cond: Expr
    then: Block
    other: Block | If | None
    braces: bool
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class While:
    cond: Expr
    body: Block
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Loop:
    body: Block
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Maybe:
    body: Block
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Choose:
    branches: tuple[Block, ...]
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ForEach:
    """One after the other, in nondeterministic order."""

    binder: Binder
    body: Block
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ForAll:
    """All at once: every right-hand side reads the state before."""

    binders: tuple[Binder, ...]
    body: Block
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class CallStmt:
    call: Call
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Assign:
    """`op` is `=`, `+=` or `-=`."""

    target: Lvalue
    op: str
    value: Expr
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Havoc:
    target: Lvalue
    where: Expr | None
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Assume:
    """`assume name: cond` as a statement."""

    name: Ident
    cond: Expr
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Require:
    """`require name: cond`: where it is false, the step is undefined."""

    name: Ident
    cond: Expr
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Break:
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Continue:
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Return:
    value: Expr | None
    label: Ident | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Local:
    type: TypeExpr
    name: Ident
    dims: tuple[Dim, ...]
    init: Expr | None
    span: Span = _span()


Stmt: TypeAlias = (
    Step | If | While | Loop | Maybe | Choose | ForEach | ForAll | CallStmt | Assign | Havoc | Assume | Require
    | Break | Continue | Return | Local
)  # fmt: skip


# --- items ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """`source "arch/x86/kvm/mmu/tdp_mmu.c" f, g;`."""

    file: Text
    functions: tuple[Ident, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Import:
    path: Path
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Cites:
    """`cites "…";` of the whole file."""

    text: Text
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Param:
    name: Ident
    default: Expr
    lo: Expr
    hi: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Sizes:
    """`sizes { A = 1, B = 2; … }`: the sizes that count, instead of the default list."""

    rows: tuple[tuple[tuple[Ident, Expr], ...], ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Const:
    name: Ident
    value: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class IndexDecl:
    """`kind` is `index`, `slot`, `ring` or `gfn`."""

    kind: str
    name: Ident
    size: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class EnumDecl:
    name: Ident
    members: tuple[Ident, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Edge:
    """`NONE -> PRESENT : map by owner;`. `owner` is `owner` or the name of a thread family."""

    source: Ident
    target: Ident
    name: Ident
    owner: Ident | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class MachineDecl:
    """An enum whose members are the ends of its edges in order of appearance; assignments take only its edges."""

    name: Ident
    edges: tuple[Edge, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class StructDecl:
    name: Ident
    fields: tuple[tuple[TypeExpr, Ident, tuple[Dim, ...]], ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class TypeDecl:
    """`type rwlock<T> { members }`: what an instance of it brings along."""

    name: Ident
    params: tuple[Ident, ...]
    members: tuple[Item, ...]
    span: Span = _span()


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
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Binding:
    """`walk(v, g) = pt[g];`: gives an instance a function that its type `requires`."""

    name: Ident
    params: tuple[Ident, ...]
    body: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Instance:
    """`rwlock mmu_lock;`, `refcount<root> ref;`, `spinlock lock[vcpu];`."""

    type: NamedType
    name: Ident
    dims: tuple[Dim, ...]
    bindings: tuple[Binding, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Formal:
    type: TypeExpr
    name: Ident
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Requires:
    """`requires walk(cpu v, key g) -> val?;` in a type: the instance gives its body."""

    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Hold:
    """`hold write = self in writers;` in a type: in which state the thread `self` holds it in that mode."""

    name: Ident
    cond: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Fn:
    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr
    body: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Op:
    """Actions that a step carries out as part of it. `effects`: (`acquires` or `releases`, name of a hold)."""

    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr | None
    effects: tuple[tuple[str, Ident], ...]
    when: tuple[Conjunct, ...]
    body: Block
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Proc:
    """Steps, carried out one after the other by the thread that calls it."""

    name: Ident
    formals: tuple[Formal, ...]
    result: TypeExpr | None
    body: Block
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ThreadDecl:
    """`fair` is ``, `fair` or `strong`."""

    name: Ident
    binder: Binder | None
    fair: str
    body: Block
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class RuleDecl:
    """What hardware, guest or host do at any time."""

    name: Ident
    binders: tuple[Binder, ...]
    fair: str
    when: tuple[Conjunct, ...]
    body: Block
    span: Span = _span()


# --- what is claimed --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Always:
    cond: Expr
    written: bool  # whether the word `always` stands there
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Never:
    cond: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class After:
    """`after zapper.flush: cond`: holds in the state that one of the steps leads to."""

    steps: tuple[Path, ...]
    cond: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class StepProperty:
    """`step cond`, `step of zapper.flush: cond`: holds between `old` and new state of each transition."""

    steps: tuple[Path, ...]
    cond: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Eventually:
    cond: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class LeadsTo:
    before: Expr
    after: Expr
    span: Span = _span()


PropertyExpr: TypeAlias = Always | Never | After | StepProperty | Eventually | LeadsTo


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim or a lemma (`role`)."""

    role: str
    name: Ident
    doc: Text | None
    property: PropertyExpr
    because: tuple[Path, ...]
    using: tuple[Path, ...]
    cites: tuple[Text, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Reach:
    name: Ident
    doc: Text | None
    cond: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class AssumeItem:
    """`assume name "doc": cond;` outside of steps: restricts every state."""

    name: Ident
    doc: Text | None
    cond: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Uncovered:
    id: Text
    why: Text
    span: Span = _span()


# --- edits ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delete:
    paths: tuple[Path, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Swap:
    first: Path
    second: Path
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Replace:
    path: Path
    body: Block
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Insert:
    """`where` is `before` or `after`."""

    where: str
    path: Path
    body: Block
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Weaken:
    path: Path
    to: Path
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Drop:
    path: Path
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SetParam:
    name: Ident
    value: Expr
    span: Span = _span()


Edit: TypeAlias = Delete | Swap | Replace | Insert | Weaken | Drop | SetParam


@dataclass(frozen=True, slots=True)
class Edited:
    """A `mutant` (which `breaks` claims) or a `variant` (which `keeps` them)."""

    role: str
    name: Ident
    doc: Text | None
    cites: tuple[Text, ...]
    claims: tuple[Ident, ...]
    within: int | None
    edits: tuple[Edit, ...]
    span: Span = _span()


Item: TypeAlias = (
    Source | Import | Cites | Param | Sizes | Const | IndexDecl | EnumDecl | MachineDecl | StructDecl | TypeDecl
    | Variable | Instance | Requires | Hold | Fn | Op | Proc | ThreadDecl | RuleDecl | Claim | Reach | AssumeItem
    | Uncovered | Edited
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, for `spte fmt`, which loses none."""

    text: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class File:
    """`role` is `protocol` or `library`."""

    role: str
    name: Ident
    doc: Text | None
    items: tuple[Item, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
    span: Span = _span()


def walk(node: object) -> Iterator[object]:
    """All nodes of a tree, the node itself first. The parser bounds the depth."""
    if is_dataclass(node) and not isinstance(node, Span):
        yield node
        for f in fields(node):
            yield from walk(getattr(node, f.name))
    elif isinstance(node, tuple):
        for item in node:
            yield from walk(item)
