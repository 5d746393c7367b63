"""What an expression of the syntax tree is worth in a state."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from refine.lang import ast
from tests.oracle import values as v
from tests.oracle.operators import binary, unary
from tests.oracle.program import Program, Scope
from tests.oracle.world import World

_TRUNC = {f"trunc{bits}": bits for bits in (8, 16, 32, 64)}


class Ref(NamedTuple):
    """A variable or a part of one: where its scalars are kept, the way there, and its type."""

    store: dict[tuple[Any, ...], v.Value]
    key: tuple[Any, ...]
    type: v.Ty
    var: ast.Variable | None = None  # where it is a variable of a module
    scope: Scope | None = None


class Family(NamedTuple):
    """A thread family, not yet one of its members."""

    name: str


@dataclass
class Ctx:
    """Where an expression is evaluated."""

    program: Program
    world: World
    scope: Scope
    me: v.Thr | None = None
    old: World | None = None
    names: dict[str, Any] = field(default_factory=dict)  # binders, arguments, temporaries
    frames: bool = False  # whether the locals of `me` are in sight
    alive: bool = True  # whether `alive when` matters

    def with_names(self, names: dict[str, Any]) -> Ctx:
        names = {**self.names, **names}
        return Ctx(self.program, self.world, self.scope, self.me, self.old, names, self.frames, self.alive)


def value(x: ast.Expr, c: Ctx) -> v.Value:
    """The value of an expression; of a whole array or struct too."""
    found = look(x, c)
    return load(found) if isinstance(found, Ref) else found


def load(ref: Ref) -> v.Value:
    if v.is_scalar(ref.type):
        found = ref.store[ref.key]
        if isinstance(found, v.Unset):
            raise v.Undefined("used before it has a value")
        return found
    cells = tuple((way, ref.store[(*ref.key, *way)]) for way, _ in v.ways(ref.type))
    return v.Agg(ref.type, cells)


def truth(x: ast.Expr, c: Ctx) -> bool:
    found = value(x, c)
    if found is None:
        raise v.Undefined("none dereferenced")
    assert isinstance(found, bool), f"{x} is {found}, which is no truth value"
    return found


def look(x: ast.Expr, c: Ctx) -> Any:
    """The value of an expression, or the variable, instance (a Scope) or Family that it stands for."""
    match x:
        case ast.Name(name):
            return _name(name, c)
        case ast.Integer(n) | ast.Boolean(n):
            return n
        case ast.NoneLiteral():
            return None
        case ast.Self():
            assert c.me is not None, "self has a meaning here"
            return c.me
        case ast.Old(y):
            assert c.old is not None, "old has a meaning here"
            return value(y, replace(c, world=c.old))
        case ast.Call():
            return _call(x, c)
        case ast.Unary(op, y):
            return unary(op, value(y, c))
        case ast.Binary("->", left, right):
            return not truth(left, c) or truth(right, c)
        case ast.Binary(op, left, right):
            return binary(op, value(left, c), value(right, c))
        case ast.Logical("&&", parts):
            return all(truth(p, c) for p in parts)
        case ast.Logical(_, parts):
            return any(truth(p, c) for p in parts)
        case ast.Conditional(cond, then, other):
            return value(then if truth(cond, c) else other, c)
        case ast.Quantified(kind, binders, body):
            results = [truth(body, c.with_names(names)) for names in bindings(binders, c, body)]
            return sum(results) if kind == "count" else all(results) if kind == "forall" else any(results)
        case ast.SetOf(binder, cond):
            (name,) = [binder.name.name]
            chosen = [
                names[name] for names in bindings((binder,), c, cond) if truth(cond, c.with_names(names))
            ]
            return frozenset(chosen)
        case ast.SetLiteral(items):
            members = [value(i, c) for i in items]
            if None in members:
                raise v.Undefined("none dereferenced")
            return frozenset(members)
        case ast.IndexOf(base, index):
            return at_index(look(base, c), value(index, c), c)
        case ast.FieldOf(base, name):
            return at_field(look(base, c), name.name, c)
        case ast.Element(type_name, n):
            return v.domain(c.program.type(ast.NamedType(type_name, (), span=x.span), c.scope.module))[n]
        case ast.At(thread, steps):
            from tests.oracle import control

            where = control.possible(c.program, c.world, as_thread(look(thread, c)))
            wanted = [tuple(p.name for p in s.parts) for s in steps]
            return any(control.within(path, w) for w in wanted for path in where)
    raise v.Unsupported(f"expression {x}")


def as_thread(found: Any) -> v.Thr:
    if isinstance(found, Ref):
        found = load(found)
    if found is None:
        raise v.Undefined("none dereferenced")
    assert isinstance(found, v.Thr), f"{found} is no thread"
    return found


# --- names


def _name(name: str, c: Ctx, read: bool = True) -> Any:
    if name in c.names:
        found = c.names[name]
        return _scalar(found) if isinstance(found, Ref) and read else found
    if c.frames and c.me is not None:
        for frame in reversed(c.world.threads[c.me]):
            if name in frame.decls:
                ref = Ref(frame.store, (name,), frame.decls[name])
                return _scalar(ref) if read else ref
            if frame.kind == "call":
                break
        else:
            binder = c.program.families[c.me.family].binder
            ty = c.program.family_types[c.me.family]
            if binder is not None and ty is not None and binder.name.name == name:
                return v.domain(ty)[c.me.n]
    scope: Scope | None = c.scope
    while scope is not None:
        found = _member(name, scope, c, read)
        if found is not _MISSING:
            return found
        scope = outer(scope)
    if name in c.program.consts:
        return c.program.constant(ast.Name(name, span=c.program.consts[name].span))
    label = c.program.label(name, c.scope.module)
    if label is not None:
        return label
    assert name in c.program.families, f"{name} is known"
    return Family(name) if c.program.family_types[name] is not None else v.Thr(name, -1)


_MISSING = object()


def _member(name: str, scope: Scope, c: Ctx, read: bool = True) -> Any:
    module = scope.module
    if name in module.subs:
        return Scope(module.subs[name], scope.at)
    item = module.members.get(name)
    if isinstance(item, ast.Hold):
        return truth(item.cond, Ctx(c.program, c.world, scope, c.me, alive=c.alive))
    if not isinstance(item, ast.Variable):
        return _MISSING
    ref = Ref(c.world.cells, (module.path(name),), module.vars[name], item, scope)
    for at in scope.at:
        assert isinstance(ref.type, v.Array)
        ref = ref._replace(key=(*ref.key, at), type=ref.type.item)
    return _reached(ref, c, read)


def outer(scope: Scope) -> Scope | None:
    parent = scope.module.parent
    return None if parent is None else Scope(parent, scope.at[: len(parent.dims)])


def _scalar(ref: Ref) -> Any:
    return load(ref) if v.is_scalar(ref.type) else ref


def _reached(ref: Ref, c: Ctx, read: bool = True) -> Any:
    """`ref`, or its value if it is a scalar; an element that is read must be alive."""
    if not read or ref.var is None or ref.scope is None:
        return _scalar(ref) if read else ref
    if len(ref.key) - 1 - len(ref.scope.at) < len(ref.var.dims):
        return ref
    living(ref, c)
    return _scalar(ref._replace(var=None))


def living(ref: Ref, c: Ctx) -> None:
    """Undefined if `ref` is or lies in an element whose `alive when` is false."""
    if ref.var is not None and ref.var.alive is not None and ref.scope is not None and c.alive:
        index = ref.key[1 + len(ref.scope.at) :]
        names = {d.name.name: k for d, k in zip(ref.var.dims, index, strict=False) if d.name}
        if not truth(ref.var.alive, replace(c, scope=ref.scope, names=names, frames=False)):
            raise v.Undefined("not alive")


def at_index(base: Any, index: v.Value, c: Ctx, read: bool = True) -> Any:
    if index is None:
        raise v.Undefined("none dereferenced")
    if isinstance(base, Family):
        dom = c.program.family_types[base.name]
        assert dom is not None
        return v.Thr(base.name, v.number(_in_domain(index, dom)))
    if isinstance(base, Scope):
        k = _in_domain(index, base.module.dims[len(base.at)][1])
        return Scope(base.module, (*base.at, k))
    if isinstance(base, v.Agg):
        assert isinstance(base.type, v.Array)
        k = _in_domain(index, base.type.dom)
        return _part(base, k, base.type.item)
    assert isinstance(base, Ref), f"{base} is no array"
    assert isinstance(base.type, v.Array), f"{base} is no array"
    k = _in_domain(index, base.type.dom)
    return _reached(base._replace(key=(*base.key, k), type=base.type.item), c, read)


def _in_domain(index: v.Value, dom: v.Ty) -> v.Value:
    return v.fit(index, dom)


def _part(base: v.Agg, way: Any, ty: v.Ty) -> v.Value:
    cells = tuple((k[1:], x) for k, x in base.cells if k[0] == way)
    return cells[0][1] if v.is_scalar(ty) else v.Agg(ty, cells)


def at_field(base: Any, name: str, c: Ctx, read: bool = True) -> Any:
    if isinstance(base, Scope):
        found = _member(name, base, c, read)
        assert found is not _MISSING, f"{name} is a member"
        return found
    if isinstance(base, v.Thr):
        for frame in c.world.threads[base]:
            if frame.kind == "call":
                break
            if name in frame.decls:
                return _scalar(Ref(frame.store, (name,), frame.decls[name]))
        ty, _ = c.program.thread_locals(base.family)[name]
        dead = {(name, *way): v.unset(ty) if v.is_scalar(ty) else v.default(leaf) for way, leaf in v.ways(ty)}
        return _scalar(Ref(dead, (name,), ty))
    if base is None:
        raise v.Undefined("none dereferenced")
    assert isinstance(base, v.Agg | Ref), f"{base} is no struct"
    assert isinstance(base.type, v.Struct), f"{base} is no struct"
    ty = dict(base.type.fields)[name]
    if isinstance(base, v.Agg):
        return _part(base, f".{name}", ty)
    ref = base._replace(key=(*base.key, f".{name}"), type=ty)
    return _scalar(ref) if read else ref


def place(target: ast.Lvalue, c: Ctx) -> Ref:
    """The variable, element or field that is assigned to."""
    found = _name(target.name.name, c, read=False)
    for accessor in target.accessors:
        if isinstance(accessor, ast.Ident):
            found = at_field(found, accessor.name, c, read=False)
        else:
            found = at_index(found, value(accessor, c), c, read=False)
    assert isinstance(found, Ref), f"{target} can be assigned to"
    return found


# --- calls


def callee(call: ast.Call, c: Ctx) -> tuple[Scope, Any, tuple[ast.Expr, ...]]:
    """What a call names, in which scope its text stands, and the arguments without the instance."""
    name, args = call.name.name, call.args
    if args and isinstance(args[0], ast.Name | ast.IndexOf | ast.FieldOf):
        instance = _instance(args[0], c)
        if instance is not None and (name in instance.module.members):
            return instance, instance.module.members[name], args[1:]
    scope: Scope | None = c.scope
    while scope is not None:
        if name in scope.module.members:
            return scope, scope.module.members[name], args
        scope = outer(scope)
    raise v.Unsupported(f"call of {name}")


def _instance(x: ast.Expr, c: Ctx) -> Scope | None:
    """The instance that an expression names, if it names one."""
    root = x
    while isinstance(root, ast.IndexOf | ast.FieldOf):
        root = root.base
    if not isinstance(root, ast.Name) or root.id in c.names:
        return None
    scope: Scope | None = c.scope
    while scope is not None and root.id not in scope.module.subs:
        scope = outer(scope)
    if scope is None:
        return None
    found = look(x, c) if _is_instance(x, scope.module) else None
    return found if isinstance(found, Scope) else None


def _is_instance(x: ast.Expr, module: Any) -> bool:
    match x:
        case ast.Name():
            return True
        case ast.IndexOf(base, _):
            return _is_instance(base, module)
        case ast.FieldOf(base, name):
            return _is_instance(base, module) and any(name.name in m.subs for m in module.subs.values())
        case _:
            pass
    return False


def arguments(
    formals: tuple[ast.Formal, ...], args: tuple[ast.Expr, ...], at: Scope, c: Ctx
) -> dict[str, v.Value]:
    """The arguments of a call by the names of the formals."""
    return {
        f.name.name: v.fit(value(a, c), c.program.type(f.type, at.module))
        for f, a in zip(formals, args, strict=True)
    }


def _call(x: ast.Call, c: Ctx) -> v.Value:
    name = x.name.name
    if name in _BUILTIN:
        return _builtin(name, x.args, c)
    scope, item, args = callee(x, c)
    inner = replace(c, scope=scope, names={}, frames=False)
    match item:
        case ast.Fn(_, formals, result, body):
            inner.names = arguments(formals, args, scope, c)
            return v.fit(value(body, inner), c.program.type(result, scope.module))
        case ast.Hold(_, cond):
            return truth(cond, replace(inner, me=as_thread(look(args[0], c))))
        case ast.Requires(_, formals, result):
            given = scope.module.given[name]
            names = arguments(formals, args, scope, c)
            renamed = {p.name: n for p, n in zip(given.params, names.values(), strict=True)}
            own = {d: k for (d, _), k in zip(scope.module.dims, scope.at, strict=True) if d is not None}
            parent = outer(scope)
            assert parent is not None
            inner = replace(inner, scope=parent, names={**own, **renamed})
            return v.fit(value(given.body, inner), c.program.type(result, scope.module))
        case _:
            pass
    raise v.Unsupported(f"{name} in an expression")


_BUILTIN = {"size", "first", "last", "next", "to_int", "align_down", "align_up", *_TRUNC}


def _builtin(name: str, args: tuple[ast.Expr, ...], c: Ctx) -> v.Value:
    if name in ("first", "last"):
        (arg,) = args
        assert isinstance(arg, ast.Name)
        named = ast.NamedType(ast.Ident(arg.id, span=arg.span), (), span=arg.span)
        return v.domain(c.program.type(named, c.scope.module))[0 if name == "first" else -1]
    given = [value(a, c) for a in args]
    if None in given:
        raise v.Undefined("none dereferenced")
    match name, given:
        case "size", [s]:
            return len(s)
        case "next", [e]:
            ty = c.program.top.types[e.type]
            assert isinstance(ty, v.Index)
            if e.n + 1 == ty.size and ty.kind != "ring":
                raise v.Undefined("next of the last")
            return v.Elem(e.type, (e.n + 1) % ty.size, None)
        case "to_int", [e]:
            return v.number(e)
        case "align_down", [e, n]:
            return binary("*", binary("/", e, n), n)
        case "align_up", [e, n]:
            return binary("*", binary("/", binary("-", binary("+", e, n), 1), n), n)
        case _:
            pass
    bits = _TRUNC[name]
    return v.Word(bits, v.number(given[0]) % (1 << bits))


# --- quantifiers


def bindings(
    binders: tuple[ast.Binder, ...], c: Ctx, body: ast.Expr | None = None
) -> list[dict[str, v.Value]]:
    """Every way to bind the names, in order."""
    names = [b.name.name for b in binders]
    doms = []
    for b in binders:
        ty = c.program.type(b.type, c.scope.module) if b.type else _by_use(b.name.name, body, c)
        if ty is None:
            raise v.Unsupported(f"what {b.name.name} ranges over")
        doms.append(v.domain(ty))
    return [dict(zip(names, pick, strict=True)) for pick in itertools.product(*doms)]


def _by_use(name: str, x: Any, c: Ctx) -> v.Ty | None:
    """What `name` ranges over, from its first use as an index or as an argument."""
    match x:
        case ast.IndexOf(base, ast.Name(index)) if index == name:
            found = look(base, c)
            if isinstance(found, Family):
                return c.program.family_types[found.name]
            if isinstance(found, Scope):
                return found.module.dims[len(found.at)][1]
            if isinstance(found, Ref) and isinstance(found.type, v.Array):
                return found.type.dom  # type: ignore[no-any-return]
        case ast.Call():
            if x.name.name not in _BUILTIN:
                scope, item, args = callee(x, c)
                for formal, arg in zip(getattr(item, "formals", ()), args, strict=False):
                    if isinstance(arg, ast.Name) and arg.id == name:
                        return c.program.type(formal.type, scope.module)
        case _:
            pass
    for part in getattr(x, "__dataclass_fields__", ()):
        found = getattr(x, part)
        for y in found if isinstance(found, tuple) else (found,):
            ty = _by_use(name, y, c) if hasattr(y, "__dataclass_fields__") and part != "span" else None
            if ty is not None:
                return ty
    return None
