"""Checking what nobody calls: libraries on their own, and functions, ops and procedures without a caller."""

from __future__ import annotations

from dataclasses import replace

from refine.core import expr as e
from refine.core.types import Array
from refine.lang import ast
from refine.lang.access import alive, indexed_instance
from refine.lang.actions import Exec, Outcome
from refine.lang.context import Abort, Context, core_type
from refine.lang.declared import Declared
from refine.lang.exprs import Typer
from refine.lang.load import Loaded
from refine.lang.points import Tree
from refine.lang.scope import Bound, Family, Function, Instance, Variable

CLIENT = "client"


def client_of(loaded: Loaded, kind: str) -> Loaded:
    """A library with one instance of each of its types, over small types of an index `kind`: to type it whole."""
    made: list[ast.Item] = []
    for item in loaded.file.items:
        if isinstance(item, ast.TypeDecl):
            args = []
            for param in item.params:
                name = ast.Ident(f"{item.name.name}'{param.name}", span=param.span)
                made.append(ast.IndexDecl(kind, name, ast.Integer(2, span=param.span), span=param.span))
                args.append(ast.NamedType(name, (), span=param.span))
            bindings = tuple(
                ast.Binding(m.name, tuple(f.name for f in m.formals), _any(item, m.result), span=m.span)
                for m in item.members
                if isinstance(m, ast.Requires)
            )
            type_ = ast.NamedType(item.name, tuple(args), span=item.span)
            name = ast.Ident(f"{item.name.name}'", span=item.name.span)
            made.append(ast.Instance(type_, name, (), bindings, span=item.span))
    return replace(loaded, file=replace(loaded.file, items=(*loaded.file.items, *made)))


def _any(decl: ast.TypeDecl, type_: ast.TypeExpr) -> ast.Expr:
    """Some value of a written type."""
    span = type_.span
    match type_:
        case ast.BoolType():
            return ast.Boolean(False, span=span)
        case ast.OptionType():
            return ast.NoneLiteral(span=span)
        case ast.SetType():
            return ast.SetLiteral((), span=span)
        case ast.NamedType(name) if name.name in {p.name for p in decl.params}:
            return ast.Element(ast.Ident(f"{decl.name.name}'{name.name}", span=span), 0, span=span)
        case ast.NamedType(name):
            for member in decl.members:
                if isinstance(member, ast.EnumDecl) and member.name.name == name.name:
                    return ast.Name(member.members[0].name, span=span)
                if isinstance(member, ast.MachineDecl) and member.name.name == name.name:
                    return ast.Name(member.edges[0].source.name, span=span)
            return ast.Integer(0, span=span)
        case _:
            return ast.Integer(0, span=span)


def dry_run(cx: Context, declared: Declared) -> None:
    """Types every function, op and procedure once with arguments of any value; what is found undefined is dropped."""
    functions = list(declared.functions)
    variables = [v for v in declared.scope.names.values() if isinstance(v, Variable)]
    for instance, binders in declared.instances:
        inner: Instance = instance
        for binder in binders:
            inner = indexed_instance(inner, e.param(binder.name, binder.type))
        functions += [f for f in inner.scope.names.values() if isinstance(f, Function)]
        variables += [v for v in inner.scope.names.values() if isinstance(v, Variable)]
    for variable in variables:
        try:
            _alive(cx, variable)
        except Abort:
            continue
    anyone = e.param(cx.fresh("self"), cx.threads)
    for function in functions:
        try:
            _try(cx, function, anyone)
        except Abort:
            continue


def _alive(cx: Context, variable: Variable) -> None:
    """Types the condition under which the elements of a variable may be used."""
    if variable.alive is None:
        return
    cond, names = variable.alive
    type_, indices = variable.type, list[e.Expr]()
    for _ in names:
        assert isinstance(type_, Array), "each name stands for a dimension"
        indices.append(e.param(cx.fresh("i"), type_.dom))
        type_ = type_.item
    alive(Typer(cx, in_step=True), variable, tuple(indices), cond.span)


def _try(cx: Context, function: Function, anyone: e.Expr) -> None:
    decl = function.decl
    inner = function.scope.child(self=Bound(anyone))
    if not isinstance(decl, ast.Hold):
        for formal in function.formals:
            type_ = core_type(cx, function.type_scope or function.scope, formal.type)
            inner.names[formal.name.name] = Bound(e.param(cx.fresh(formal.name.name), type_))
    match decl:
        case ast.Fn(_, _, result, body):
            Typer(cx).value(body, inner, core_type(cx, function.scope, result))
        case ast.Hold(_, cond):
            Typer(cx).condition(cond, inner)
        case ast.Op():
            ex = Exec(cx, f"op {decl.name.name}", Outcome({}), dict(cx.env), me=anyone)
            ex.entry = dict(ex.env)
            ex.wait(decl.when, inner)
            want = core_type(cx, function.type_scope or function.scope, decl.result) if decl.result else None
            if ex.tail(decl.body.stmts, inner.child(), want) is None and want is not None:
                cx.fail("E0404", f"'{decl.name.name}' must end with 'return'", decl.body.span)
        case ast.Proc():
            family = Family(0, f"proc {decl.name.name}", None, None)
            Tree(family, cx, None, anyone, inner, calls=(decl,)).build(decl.body)
        case _:
            pass
