"""What a file declares, found by name: types, variables, instances, threads; nothing is executed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from refine.lang import ast
from tests.oracle import values as v


@dataclass(eq=False)
class Module:
    """The protocol itself (its name is empty), or one instance of a library type, with all its elements."""

    name: str
    parent: Module | None
    items: tuple[ast.Item, ...]
    dims: tuple[tuple[str | None, v.Ty], ...] = ()
    types: dict[str, v.Ty] = field(default_factory=dict)
    given: dict[str, ast.Binding] = field(default_factory=dict)
    subs: dict[str, Module] = field(default_factory=dict)
    members: dict[str, ast.Item] = field(default_factory=dict)
    vars: dict[str, v.Ty] = field(default_factory=dict)

    def path(self, name: str) -> str:
        return f"{self.name}.{name}" if self.name else name


class Scope(NamedTuple):
    """A module, and which of its elements: names are looked up here."""

    module: Module
    at: tuple[v.Value, ...]


class Program:
    """A protocol at one size."""

    def __init__(self, file: ast.File, libraries: Sequence[ast.File], sizes: Mapping[str, int]) -> None:
        items = tuple(i for f in (*libraries, file) for i in f.items)
        self.without = {i.observer.name for i in items if isinstance(i, ast.Without)}
        items = tuple(i for i in items if not (isinstance(i, ast.ThreadDecl) and self.left_out(i.adversary)))
        self.sizes = dict(sizes)
        self.top = Module("", None, items)
        self.consts: dict[str, ast.Param | ast.Const] = {}
        self.families: dict[str, ast.ThreadDecl] = {}
        self.family_types: dict[str, v.Ty | None] = {}
        self.structs: dict[str, ast.StructDecl] = {}
        self.type_decls: dict[str, ast.TypeDecl] = {}
        self.labels: dict[str, v.Elem] = {}  # members of all enums that are not inside a type
        self._labels: dict[tuple[str, Module], v.Elem | None] = {}
        self._nodes: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._blocks: dict[int, ast.Block] = {}
        for item in items:
            match item:
                case ast.Param() | ast.Const():
                    self.consts[item.name.name] = item
                case ast.TypeDecl():
                    self.type_decls[item.name.name] = item
                case ast.StructDecl():
                    self.structs[item.name.name] = item
                case ast.ThreadDecl():
                    self.families[item.name.name] = item
                case _:
                    pass
        self._declare_types(self.top)
        every = []
        for name, decl in self.families.items():
            ty = None if decl.binder is None else self.binder_type(decl.binder, self.top)
            self.family_types[name] = ty
            every += [v.Thr(name, k) for k in ([-1] if ty is None else range(len(v.domain(ty))))]
        self.threads = tuple(every)
        self._declare_members(self.top)

    def left_out(self, observer: ast.Ident | None) -> bool:
        """Whether whoever plays an observer is not there."""
        return observer is not None and observer.name in self.without

    # --- types

    def _declare_types(self, module: Module) -> None:
        for item in module.items:
            match item:
                case ast.IndexDecl(kind, name, size):
                    module.types[name.name] = v.Index(name.name, kind, self.constant(size))
                case ast.EnumDecl(name, members):
                    module.types[name.name] = v.Enum(name.name, tuple(m.name for m in members), None)
                case ast.MachineDecl(name, edges):
                    ends = dict.fromkeys(end.name for e in edges for end in (e.source, e.target))
                    owners = [e.owner.name if e.owner else None for e in edges]
                    named = zip(edges, owners, strict=True)
                    edge = tuple((e.source.name, e.target.name, owner) for e, owner in named)
                    module.types[name.name] = v.Enum(name.name, tuple(ends), edge)
                case _:
                    pass

    def type(self, te: ast.TypeExpr, module: Module) -> v.Ty:
        match te:
            case ast.BoolType():
                return v.Bool()
            case ast.IntType(None):
                return v.Int(None, None)
            case ast.IntType(lo, hi):
                assert lo is not None
                assert hi is not None
                return v.Int(self.constant(lo), self.constant(hi))
            case ast.WordType(bits):
                return v.WordT(bits)
            case ast.ThreadType():
                return v.Thread(self.threads)
            case ast.SetType(item):
                return v.Set(self.type(item, module))
            case ast.OptionType(item):
                return v.Option(self.type(item, module))
            case ast.NamedType(name):
                at: Module | None = module
                while at is not None:
                    if name.name in at.types:
                        return at.types[name.name]
                    at = at.parent
                struct = self.structs[name.name]
                fields = tuple((f.name, self.dims_type(d, t, self.top)) for t, f, d in struct.fields)
                return v.Struct(name.name, fields)
        raise v.Unsupported(f"type {te}")

    def dims_type(self, dims: Sequence[ast.Dim], te: ast.TypeExpr, module: Module) -> v.Ty:
        return v.arrays([self.type(d.type, module) for d in dims], self.type(te, module))

    def binder_type(self, binder: ast.Binder, module: Module) -> v.Ty:
        assert binder.type is not None
        return self.type(binder.type, module)

    def constant(self, x: ast.Expr) -> int:
        match x:
            case ast.Integer(value):
                return value
            case ast.Name(name):
                decl = self.consts[name]
                if isinstance(decl, ast.Const):
                    return self.constant(decl.value)
                return self.sizes.get(name, self.constant(decl.default))
            case ast.Unary("-", y):
                return -self.constant(y)
            case ast.Binary(op, left, right):
                a, b = self.constant(left), self.constant(right)
                match op:
                    case "+":
                        return a + b
                    case "-":
                        return a - b
                    case "*":
                        return a * b
                    case "/":
                        return a // b
                    case "%":
                        return a % b
                    case _:
                        pass
            case _:
                pass
        raise v.Unsupported(f"constant {x}")

    # --- members and instances

    def _declare_members(self, module: Module) -> None:
        for ty in module.types.values():
            if isinstance(ty, v.Enum) and (module is self.top or ty not in self.top.types.values()):
                labels = self.labels if module is self.top else None
                for elem in v.domain(ty):
                    if labels is not None:
                        labels[str(elem.label)] = elem
        for item in module.items:
            match item:
                case ast.Variable():
                    dims = [t for _, t in module.dims]
                    module.members[item.name.name] = item
                    own = self.dims_type(item.dims, item.type, module)
                    module.vars[item.name.name] = v.arrays(dims, own)
                case ast.Instance():
                    module.subs[item.name.name] = self._instance(item, module)
                case ast.Fn() | ast.Op() | ast.Proc() | ast.Hold() | ast.Requires() | ast.RuleDecl():
                    module.members[item.name.name] = item
                case _:
                    pass

    def _instance(self, item: ast.Instance, parent: Module) -> Module:
        decl = self.type_decls[item.type.name.name]
        dims = [(d.name.name if d.name else None, self.type(d.type, parent)) for d in item.dims]
        args = [self.type(a, parent) for a in item.type.args]
        module = Module(parent.path(item.name.name), parent, decl.members, (*parent.dims, *dims))
        module.types.update(zip((p.name for p in decl.params), args, strict=True))
        self._declare_types(module)
        module.given.update((b.name.name, b) for b in item.bindings)
        self._declare_members(module)
        return module

    def modules(self, start: Module | None = None) -> Iterator[Module]:
        start = start or self.top
        yield start
        for sub in start.subs.values():
            yield from self.modules(sub)

    def elements(self, module: Module) -> list[Scope]:
        """Every element of a module."""
        ways = [w for w, _ in v.ways(v.arrays([t for _, t in module.dims], v.Bool()))]
        return [Scope(module, w) for w in ways]

    def label(self, name: str, module: Module) -> v.Elem | None:
        """The member of an enum, of the module's own type first."""
        if (name, module) not in self._labels:
            self._labels[name, module] = self._label(name, module)
        return self._labels[name, module]

    def _label(self, name: str, module: Module) -> v.Elem | None:
        at: Module | None = module
        while at is not None:
            own = {i.name.name for i in at.items if isinstance(i, ast.EnumDecl | ast.MachineDecl)}
            for type_name in own:
                for elem in v.domain(at.types[type_name]):
                    if elem.label == name:
                        return elem  # type: ignore[no-any-return]
            at = at.parent
        return self.labels.get(name)

    # --- statements by number

    def as_block(self, stmt: ast.If) -> ast.Block:
        """An `else if` as the block that it stands for; always the same one."""
        if id(stmt) not in self._blocks:
            self._blocks[id(stmt)] = ast.Block((stmt,), span=stmt.span)
        return self._blocks[id(stmt)]

    def number(self, node: Any) -> int:
        """A number for a node by identity: two equal statements at two places are two."""
        if id(node) not in self._numbers:
            self._numbers[id(node)] = len(self._nodes)
            self._nodes.append(node)
        return self._numbers[id(node)]

    def node(self, number: int) -> Any:
        return self._nodes[number]

    def thread_locals(self, family: str) -> dict[str, tuple[v.Ty, bool]]:
        """The locals that a thread's own text declares: type, and whether in its outermost block."""
        found: dict[str, tuple[v.Ty, bool]] = {}

        def scan(stmts: tuple[ast.Stmt, ...], outermost: bool) -> None:
            for s in stmts:
                match s:
                    case ast.Local(te, name, dims):
                        if name.name not in found or outermost:
                            found[name.name] = self.dims_type(dims, te, self.top), outermost
                    case ast.While() | ast.Loop() | ast.Maybe() | ast.ForEach():
                        scan(s.body.stmts, False)
                    case ast.If(_, then, other):
                        scan(then.stmts, False)
                        if other is not None:
                            scan(other.stmts if isinstance(other, ast.Block) else (other,), False)
                    case ast.Choose(branches):
                        for b in branches:
                            scan(b.stmts, False)
                    case _:
                        pass

        scan(self.families[family].body.stmts, True)
        return found
