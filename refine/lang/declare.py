"""Declarations: a file's names and those of its libraries become a scope, state variables, rules and claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.types import (
    Array,
    Enum,
    Index,
    IndexKind,
    Option,
    Part,
    Struct,
    Thread,
    Type,
    default,
    domain_values,
)
from refine.lang import ast
from refine.lang.context import MAX_PARTS, MAX_SIZE, Abort, Context, array_dims, core_type, needs_value, parts
from refine.lang.declared import FREE, Declared, RuleSource, Stated, StateVar
from refine.lang.exprs import Typer, constant_int
from refine.lang.ghosts import declare_ghosts
from refine.lang.load import Loaded
from refine.lang.scope import (
    Bound,
    Broken,
    Constant,
    Edge,
    Entity,
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


def declare(cx: Context, loaded: Loaded, sizes: Mapping[str, int]) -> Declared:
    """The declarations of a file at given values of its parameters."""
    declared = Declared(Scope())
    items = [(item, file is loaded.file) for file in (*loaded.libraries, loaded.file) for item in file.items]
    maker = _Maker(cx, declared, sizes, tuple(item for item, _ in items))
    kinds: tuple[tuple[type, ...], ...] = (
        (ast.Observer,),
        (ast.Without, ast.Param, ast.Const, ast.IndexDecl, ast.EnumDecl, ast.MachineDecl),
        (ast.ThreadDecl,),
        (ast.StructDecl, ast.TypeDecl, ast.Fn, ast.Op, ast.Proc),
        (ast.Variable, ast.Instance),
        (ast.RuleDecl, ast.Claim, ast.Reach, ast.AssumeItem, ast.Edited, ast.Requires, ast.Hold, ast.Era),
    )
    for group in kinds:
        for item, own in items:
            if isinstance(item, group):
                try:
                    maker.item(item, own)
                except Abort:
                    broken(declared.scope, item)
        if group == (ast.ThreadDecl,):
            maker.families(loaded.file.role == "library")
            for item, _ in items:
                maker.owners(item)
    declare_ghosts(cx, declared, loaded.file.name.span)
    return declared


@dataclass(slots=True)
class _Maker:
    cx: Context
    out: Declared
    sizes: Mapping[str, int]
    items: tuple[ast.Item, ...]
    taken: dict[tuple[str, str], ast.Ident | ast.Text] = field(default_factory=dict)

    def add(self, scope: Scope, name: ast.Ident, entity: Entity) -> None:
        if name.name in scope.names:
            self.cx.fail(
                "E0202", f"'{name.name}' is declared twice", name.span,
                f"the first is at {scope.spans[name.name].span}" if name.name in scope.spans else None,
            )  # fmt: skip
        scope.names[name.name] = entity
        scope.spans[name.name] = name

    def once(self, kind: str, name: ast.Ident | ast.Text, full: str) -> None:
        """Notes a name that is no entity of a scope, such as a claim's."""
        first = self.taken.setdefault((kind, full), name)
        if first is not name:
            self.cx.fail(
                "E0202", f"'{full}' is declared twice", name.span, f"the first is at {first.span}"
            )  # fmt: skip

    def distinct(self, names: Iterable[ast.Ident]) -> None:
        """Refuses a list that has a name twice."""
        seen: set[str] = set()
        for name in names:
            if name.name in seen:
                self.cx.fail("E0202", f"'{name.name}' is declared twice", name.span)
            seen.add(name.name)

    def item(self, item: ast.Item, own: bool) -> None:
        cx, scope = self.cx, self.out.scope
        match item:
            case ast.Param(name):
                self.add(scope, name, Constant(self.sizes[name.name]))
            case ast.Const(name, value):
                self.add(scope, name, Constant(constant_int(cx, scope, value)))
            case ast.Observer(name):
                self.once("observer", name, name.name)
                self.out.observers[name.name] = item
            case ast.Without(name):
                self.once("without", name, name.name)
                self.observer(name)
                self.out.left_out[name.name] = item
            case ast.ThreadDecl():
                if self.plays(item.adversary, item.name.name):
                    self.thread(item)
            case ast.TypeDecl(name):
                template = Template(item, scope)
                self.once("type", name, name.name)
                self.distinct(item.params)
                scope.templates[name.name] = template
            case ast.Variable() | ast.Instance():
                self.member(item, scope, "", (), ())
            case ast.RuleDecl(name):
                self.once("rule", name, name.name)
                if self.plays(item.adversary, name.name):
                    self.out.rules.append(RuleSource(name.name, item, scope))
            case ast.Claim(_, name) | ast.Reach(name) | ast.AssumeItem(name):
                if name.name in FREE:
                    cx.fail("E0202", f"'{name.name}' is a claim that every protocol makes", name.span)
                self.once("claim", name, name.name)
                self.out.stated.append(Stated(name.name, item, scope))
            case ast.Edited(_, name):
                self.once("edit", name, name.name)
                self.out.edits.append(item)
            case ast.Era(text):
                if own:
                    self.once("era", text, "era")
            case ast.Requires() | ast.Hold():
                cx.fail("E0404", "this belongs into a 'type { … }'", item.span)
            case ast.Fn(name) | ast.Op(name) | ast.Proc(name):
                function = self.function(item, scope)
                self.add(scope, name, function)
                if own:
                    self.out.functions.append(function)
            case ast.IndexDecl() | ast.EnumDecl() | ast.MachineDecl() | ast.StructDecl():
                self.type_item(item, scope)
            case _:
                raise AssertionError("the caller passes only items that declare something")

    def type_item(
        self, item: ast.IndexDecl | ast.EnumDecl | ast.MachineDecl | ast.StructDecl, scope: Scope
    ) -> None:
        cx = self.cx
        match item:
            case ast.IndexDecl(kind, name, size):
                count = constant_int(cx, scope, size)
                if not 1 <= count <= MAX_SIZE:
                    cx.fail(
                        "E0510",
                        f"'{name.name}' would have {count} values; 1 to {MAX_SIZE} are possible",
                        size.span,
                    )
                self.add(scope, name, TypeName(Index(name.name, count, IndexKind(kind))))
            case ast.EnumDecl(name, members):
                self.enum(name, list(members), scope, None, item.span)
            case ast.MachineDecl(name, edges):
                ends = [end for edge in edges for end in (edge.source, edge.target)]
                unique = list({end.name: end for end in ends}.values())
                order = [m.name for m in unique]
                made = tuple(
                    Edge(
                        order.index(x.source.name),
                        order.index(x.target.name),
                        x.owner.name if x.owner else None,
                    )
                    for x in edges
                )
                self.enum(name, unique, scope, made, item.span)
            case ast.StructDecl(name, fields):
                typed: list[tuple[str, Type]] = []
                for type_, field_name, dims in fields:
                    made_type = core_type(cx, scope, type_)
                    for dim in reversed(array_dims(cx, scope, dims)):
                        made_type = Array(dim, made_type)
                    if field_name.name in (f for f, _ in typed):
                        cx.fail("E0202", f"'{field_name.name}' is declared twice", field_name.span)
                    typed.append((field_name.name, made_type))
                made_struct = Struct(name.name, tuple(typed))
                if parts(made_struct) > MAX_PARTS:
                    cx.fail("E0510", f"'{name.name}' is made of more than {MAX_PARTS} types", name.span)
                self.add(scope, name, TypeName(made_struct))

    def enum(
        self,
        name: ast.Ident,
        members: list[ast.Ident],
        scope: Scope,
        edges: tuple[Edge, ...] | None,
        span: Span,
    ) -> None:
        names = [m.name for m in members]
        for k, member in enumerate(members):
            if member.name in names[:k]:
                self.cx.fail("E0202", f"'{member.name}' is a member twice", member.span)
        if len(names) > MAX_SIZE:
            self.cx.fail(
                "E0510", f"'{name.name}' has {len(names)} members; at most {MAX_SIZE} are possible", span
            )
        type_ = Enum(name.name, tuple(names))
        self.add(scope, name, TypeName(type_, edges))
        for k, member in enumerate(members):
            known = scope.names.get(member.name)
            if isinstance(known, Members):
                scope.names[member.name] = Members((*known.of, (type_, k)))
            else:
                self.add(scope, member, Members(((type_, k),)))

    def observer(self, name: ast.Ident) -> None:
        if name.name not in self.out.observers:
            known = self.out.observers
            near = suggest(name.name, known)
            names = f"it is one of {', '.join(known)}" if known else "import lib.adversaries"
            self.cx.fail(
                "E0201", f"there is no observer '{name.name}'", name.span, f"did you mean '{near}'?" if near else names
            )  # fmt: skip

    def plays(self, observer: ast.Ident | None, player: str) -> bool:
        """Whether a rule or thread is there: whoever plays an observer that is left out is not."""
        if observer is None:
            return True
        self.observer(observer)
        if observer.name in self.out.left_out:
            return False
        self.out.players.setdefault(observer.name, []).append(player)
        return True

    def thread(self, decl: ast.ThreadDecl) -> None:
        index = None
        if decl.binder is not None:
            assert decl.binder.type is not None, "the grammar wants a type here"
            type_ = core_type(self.cx, self.out.scope, decl.binder.type)
            if not isinstance(type_, Index):
                self.cx.fail("E0307", f"threads are numbered by an index, not by {type_}", decl.binder.span)
            index = type_
        number = len(self.out.threads)
        family = Family(number, decl.name.name, index, decl.binder.name.name if decl.binder else None)
        self.add(self.out.scope, decl.name, family)
        self.out.threads.append((family, decl))

    def owners(self, item: ast.Item) -> None:
        """Whoever may take an edge of a machine is a thread, or the `owner`."""
        known = {f.name for f, _ in self.out.threads} | {"owner"}
        inner = item.members if isinstance(item, ast.TypeDecl) else (item,)
        for edge in (edge for m in inner if isinstance(m, ast.MachineDecl) for edge in m.edges):
            if edge.owner is not None and edge.owner.name not in known:
                guess = suggest(edge.owner.name, known)
                self.cx.reporter.error(
                    "E0201", f"there is no thread '{edge.owner.name}'", edge.owner.span,
                    f"did you mean '{guess}'?" if guess else "write a thread, or 'owner': who led to this state",
                )  # fmt: skip

    def families(self, library: bool) -> None:
        parts = tuple(Part(f.name, f.index) for f, _ in self.out.threads)
        if library and not parts:
            parts = (Part("client", Index("client", 2)),)
        self.cx.threads = Thread(parts)
        count = sum(part.size for part in parts)
        if count > MAX_SIZE:
            message = f"there would be {count} threads; at most {MAX_SIZE} are possible"
            self.cx.too_large(message, self.out.threads[-1][1].name.span, "E0510")

    # --- state ------------------------------------------------------------------------------------------------

    def member(
        self, item: ast.Item, scope: Scope, owner: str, outer: tuple[Type, ...], binders: tuple[Binder, ...]
    ) -> None:
        """A variable or instance of the protocol (`owner` empty) or of an instance."""
        match item:
            case ast.Variable():
                self.variable(item, scope, owner, outer)
            case ast.Instance():
                self.instance(item, scope, owner, outer, binders)
            case _:
                raise AssertionError("only variables and instances are state")

    def variable(self, item: ast.Variable, scope: Scope, owner: str, outer: tuple[Type, ...]) -> None:
        cx = self.cx
        base = core_type(cx, scope, item.type)
        dims = array_dims(cx, scope, item.dims)
        type_ = base
        for dim in reversed((*outer, *dims)):
            type_ = Array(dim, type_)
        cx.take(type_, item.name.span)
        named = scope.find(item.type.name.name) if isinstance(item.type, ast.NamedType) else None
        edges = named.edges if isinstance(named, TypeName) else None
        name = f"{owner}{item.name.name}"
        owners = None
        if edges is not None and any(x.owner == "owner" for x in edges):
            owners = f"{name}.owner"
        alive = (
            (item.alive, tuple(d.name.name if d.name else None for d in item.dims)) if item.alive else None
        )
        if item.guarded_by is not None:
            self.guard(item.guarded_by, scope)
        variable = Variable(
            name, type_, item.storage, (), edges, owners, item.guarded_by, alive, scope if alive else None
        )
        self.add(scope, item.name, variable)
        try:
            init = self.initial(item, base, dims, outer, scope)
        except Abort:
            init = e.const(type_, default(type_))
        self.out.state.append(StateVar(variable, type_, init, item.storage, item.span))
        if owners is not None:
            kept: Type = Option(cx.threads)
            for dim in reversed((*outer, *dims)):
                kept = Array(dim, kept)
            hidden = Variable(owners, kept, "hidden")
            self.out.state.append(StateVar(hidden, kept, e.const(kept, default(kept)), "hidden", item.span))

    def guard(self, path: ast.Path, scope: Scope) -> None:
        """`guarded by lock` or `guarded by lock.hold`: the lock is an instance that is declared somewhere."""
        name = path.parts[0].name
        instances = {i.name.name: i for i in self.items if isinstance(i, ast.Instance)}
        known = instances.get(name)
        template = scope.template(known.type.name.name) if known is not None else None
        if template is None:
            guess = suggest(name, instances)
            self.cx.fail(
                "E0203", f"'{name}' is no instance that could guard", path.span,
                f"did you mean '{guess}'?" if guess else None,
            )  # fmt: skip
        holds = [m.name.name for m in template.decl.members if isinstance(m, ast.Hold)]
        if len(path.parts) > 1 and path.parts[1].name not in holds:
            self.cx.fail(
                "E0204",
                f"'{name}' has no hold '{path.parts[1].name}'",
                path.span,
                f"it has: {', '.join(holds)}",
            )

    def initial(
        self, item: ast.Variable, base: Type, dims: tuple[Type, ...], outer: tuple[Type, ...], scope: Scope
    ) -> Expr:
        cx = self.cx
        bound = [
            Binder(cx.fresh(d.name.name if d.name else "i"), t) for d, t in zip(item.dims, dims, strict=True)
        ]
        inner = scope.child()
        for d, made in zip(item.dims, bound, strict=True):
            if d.name is not None:
                inner.names[d.name.name] = Bound(e.param(made.name, made.type))
        if item.init is None:
            needs_value(cx, base, None, item.name)
            value = e.const(base, default(base))
        else:
            typer = Typer(cx)
            term = typer.value(item.init, inner, base)
            if typer.reads:
                cx.fail("E0306", "an initial value cannot read other variables", item.init.span)
            if term.checks:
                cx.fail("E0306", "an initial value must always be defined", item.init.span)
            value = term.expr
        for made in reversed(bound):
            value = _broadcast(made, value)
        for dim in reversed(outer):
            value = _broadcast(Binder(cx.fresh("i"), dim), value)
        return value

    # --- functions and instances ------------------------------------------------------------------------------

    def function(self, item: ast.Fn | ast.Op | ast.Proc | ast.Hold | ast.Requires, scope: Scope) -> Function:
        match item:
            case ast.Hold():
                return Function(item, scope)
            case ast.Fn() | ast.Op() | ast.Proc() | ast.Requires():
                self.distinct(f.name for f in item.formals)
                return Function(item, scope, item.formals, item.result)

    def instance(
        self,
        item: ast.Instance,
        scope: Scope,
        owner: str,
        outer: tuple[Type, ...],
        binders: tuple[Binder, ...],
    ) -> None:
        cx = self.cx
        found = scope.template(item.type.name.name)
        if found is None:
            wanted, known = item.type.name, scope.find(item.type.name.name)
            if known is not None:
                help_ = (
                    f"write: shared {wanted.name} {item.name.name};" if isinstance(known, TypeName) else None
                )
                cx.fail("E0203", f"'{wanted.name}' is no library type", wanted.span, help_)
            guess = suggest(wanted.name, scope.visible_templates())
            cx.fail(
                "E0201", f"there is no library type '{wanted.name}'", wanted.span,
                f"did you mean '{guess}'?" if guess else "it comes with the file that declares it: import lib.NAME;",
            )  # fmt: skip
        decl = found.decl
        if owner.count(".") > 8:
            cx.fail("E0407", "library types are nested too deeply, or contain themselves", item.span)
        if len(item.type.args) != len(decl.params):
            params = ", ".join(p.name for p in decl.params)
            cx.fail(
                "E0302", f"'{decl.name.name}' has {len(decl.params)} type parameters, not {len(item.type.args)}",
                item.type.span, f"write {decl.name.name}<{params}>" if params else None,
            )  # fmt: skip
        inner = Scope(found.scope)
        for param, arg in zip(decl.params, item.type.args, strict=True):
            named = scope.find(arg.name.name) if isinstance(arg, ast.NamedType) and not arg.args else None
            inner.names[param.name] = (
                named if isinstance(named, TypeName) else TypeName(core_type(cx, scope, arg))
            )
        dims = array_dims(cx, scope, item.dims)
        name = f"{owner}{item.name.name}"
        made = Instance(name, found, (*outer, *dims), (), inner)
        self.add(scope, item.name, made)
        own = tuple(Binder(cx.fresh("i"), d) for d in dims)
        self.fill(made, item, scope, (*binders, *own))
        self.out.instances.append((made, (*binders, *own)))

    def fill(self, made: Instance, item: ast.Instance, outside: Scope, binders: tuple[Binder, ...]) -> None:
        """The members of an instance."""
        cx, inner, decl = self.cx, made.scope, made.template.decl
        given = {b.name.name: b for b in item.bindings}
        for member in decl.members:
            try:
                match member:
                    case ast.EnumDecl() | ast.MachineDecl() | ast.IndexDecl() | ast.StructDecl():
                        self.type_item(member, inner)
                    case ast.Fn(name) | ast.Op(name) | ast.Proc(name) | ast.Hold(name):
                        self.add(inner, name, self.function(member, inner))
                    case ast.Requires(name, formals, result):
                        binding = given.pop(name.name, None)
                        if binding is None:
                            cx.fail(
                                "E0204", f"'{item.name.name}' must give '{name.name}'", item.name.span,
                                f"add {{ {name.name}({', '.join(f.name.name for f in formals)}) = …; }}",
                            )  # fmt: skip
                        if len(binding.params) != len(formals):
                            cx.fail("E0302", f"'{name.name}' has {len(formals)} parameters", binding.span)
                        self.add(inner, name, Function(binding, outside, formals, result, inner))
                    case _:
                        pass
            except Abort:
                broken(inner, member)
        for extra in given.values():
            cx.reporter.error("E0204", f"'{decl.name.name}' requires no '{extra.name.name}'", extra.span)
        outer, self.items = self.items, (*decl.members, *self.items)
        for member in decl.members:
            try:
                match member:
                    case ast.Variable() | ast.Instance():
                        self.member(member, inner, f"{made.name}.", made.dims, binders)
                    case ast.RuleDecl(name):
                        full = f"{made.name}.{name.name}"
                        self.once("rule", name, full)
                        if self.plays(member.adversary, full):
                            self.out.rules.append(RuleSource(full, member, inner, binders, made))
                    case ast.Claim(_, name) | ast.Reach(name) | ast.AssumeItem(name):
                        self.once("claim", name, f"{made.name}.{name.name}")
                        self.out.stated.append(
                            Stated(f"{made.name}.{name.name}", member, inner, binders, made)
                        )
                    case _:
                        pass
            except Abort:
                broken(inner, member)
        self.items = outer


def broken(scope: Scope, item: ast.Item) -> None:
    """Keeps the name of a declaration with errors, so that its uses are not errors too."""
    name = getattr(item, "name", None)
    if isinstance(name, ast.Ident):
        scope.names.setdefault(name.name, Broken())


def _broadcast(binder: Binder, value: Expr) -> Expr:
    """The array that holds `value`, which may speak of the binder, everywhere."""
    if value.op is Op.CONST:
        array = Array(binder.type, value.type)
        return e.const(array, (value.data,) * len(domain_values(binder.type)))  # type: ignore[arg-type]
    return e.bind(Op.LAMBDA, binder, value)
