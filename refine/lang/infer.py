"""Guessing types from names alone: of a quantifier's variable, and of the other side of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refine.core.types import BOOL, Array, Option, Set, Struct, Type
from refine.lang import ast
from refine.lang.context import core_type, domain_type
from refine.lang.scope import Bound, Family, Function, Instance, Members, Scope, Variable

if TYPE_CHECKING:
    from refine.lang.exprs import Typer


def binder_type(typer: Typer, binder: ast.Binder, body: ast.Expr, scope: Scope) -> Type:
    if binder.type is not None:
        return domain_type(typer.cx, scope, binder.type)
    name = binder.name.name
    for node in ast.walk(body):
        found = _use(typer, node, name, scope)
        if found is not None:
            return found
    typer.cx.fail("E0304", f"no use of '{name}' tells its type", binder.span, f"write it: {name} in TYPE")


def _use(typer: Typer, node: object, name: str, scope: Scope) -> Type | None:
    """The type of `name` that one use of it shows, if it shows one."""
    match node:
        case ast.IndexOf(base, ast.Name(id)) if id == name:
            type_ = _peek(typer, base, scope)
            return type_.dom if isinstance(type_, Array) else None
        case ast.Call(callee, args):
            found = scope.find(callee.name)
            skip = 0
            if args and isinstance(instance := peek_instance(args[0], scope), Instance):
                found, skip = instance.scope.names.get(callee.name), 1
            if isinstance(found, Function):
                for k, arg in enumerate(args[skip:]):
                    if isinstance(arg, ast.Name) and arg.id == name and k < len(found.formals):
                        return core_type(typer.cx, found.type_scope or found.scope, found.formals[k].type)
                if isinstance(found.decl, ast.Hold) and any(
                    isinstance(a, ast.Name) and a.id == name for a in args
                ):
                    return typer.cx.threads
        case ast.Binary(op, left, right) if op in ("==", "!=", "in", "!in", "<", "<=", ">", ">="):
            for this, other in ((left, right), (right, left)):
                if isinstance(this, ast.Name) and this.id == name:
                    type_ = _peek(typer, other, scope)
                    if isinstance(type_, Set | Option):
                        type_ = type_.item
                    return type_
        case _:
            pass
    return None


def peek_instance(node: ast.Expr, scope: Scope) -> Instance | None:
    while isinstance(node, ast.IndexOf):
        node = node.base
    found = scope.find(node.id) if isinstance(node, ast.Name) else None
    return found if isinstance(found, Instance) else None


def _peek(typer: Typer, node: ast.Expr, scope: Scope) -> Type | None:
    """The type of an expression where its names alone tell it; reports nothing."""
    match node:
        case ast.Name(id):
            match scope.find(id):
                case Variable() as variable:
                    return variable.type
                case Bound(expr):
                    return expr.type
                case Family(_, _, index) if index is not None:
                    return Array(index, BOOL)
                case Members(of) if len(of) == 1:
                    return of[0][0]
                case Instance(_, _, dims) if dims:
                    return Array(dims[0], BOOL)
        case ast.IndexOf(base, _):
            type_ = _peek(typer, base, scope)
            return type_.item if isinstance(type_, Array) else None
        case ast.FieldOf(base, name):
            instance = peek_instance(base, scope)
            if instance is not None:
                found = instance.scope.names.get(name.name)
                return found.type if isinstance(found, Variable) else None
            root = base.base if isinstance(base, ast.IndexOf) else base
            if isinstance(root, ast.Name) and isinstance(scope.find(root.id), Family):
                local = typer.cx.thread_locals.get(root.id, Scope()).names.get(name.name)
                return local.type if isinstance(local, Variable) else None
            type_ = _peek(typer, base, scope)
            if isinstance(type_, Struct) and (field := type_.field(name.name)):
                return field[1]
        case ast.Self():
            return typer.cx.threads
        case ast.Call(callee, _):
            found = scope.find(callee.name)
            if isinstance(found, Function) and found.result is not None:
                return core_type(typer.cx, found.type_scope or found.scope, found.result)
        case _:
            pass
    return None


def needs_hint(node: ast.Expr, scope: Scope) -> bool:
    match node:
        case ast.NoneLiteral() | ast.SetLiteral(()):
            return True
        case ast.Name(id):
            found = scope.find(id)
            return isinstance(found, Members) and len(found.of) > 1
        case _:
            return False


def hint(type_: Type, node: ast.Expr) -> Type:
    """What the other side of a comparison is expected to be."""
    if isinstance(node, ast.NoneLiteral) and not isinstance(type_, Option):
        return Option(type_)
    return type_
