"""Holds whose taking was dropped: the thread neither waits nor keeps others out, but believes that it has them.

For each such hold there is hidden state, the set of threads that believe so. It keeps releases legal, and answers
for the hold where the thread itself requires it or asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.fold import transform
from refine.core.types import Array, Bool, Set, Type, default
from refine.lang import ast
from refine.lang.calls import apply
from refine.lang.context import Context, Term
from refine.lang.declared import Declared, StateVar
from refine.lang.scope import Function, Instance, Scope, Variable, instance_of, prefix_of
from refine.text.span import Span

if TYPE_CHECKING:
    from refine.lang.actions import Exec


def declare_ghosts(cx: Context, declared: Declared, span: Span) -> None:
    """Adds the state that dropped holds need."""
    for group in sorted(cx.edits.holds):
        owner = group.rpartition(".")[0]
        instance = next(i for i, _ in declared.instances if i.name == owner)
        type_: Type = Set(cx.threads)
        for dim in reversed(instance.dims):
            type_ = Array(dim, type_)
        variable = Variable(_name(group), type_, "hidden")
        declared.state.append(StateVar(variable, type_, e.const(type_, default(type_)), "hidden", span))
        cx.instances[owner] = instance


def _name(group: str) -> str:
    return f"{group}.believed"


def acquire(ex: Exec, function: Function, decl: ast.Op, want: Type | None) -> Expr | None:
    """The taking of a hold that was dropped. An op that may fail to take it may still say so."""
    result = None
    if want is not None:
        choice = Binder(ex.cx.fresh("result"), want)
        ex.out.choices.append(choice)
        result = e.param(choice.name, want)
    taken = result if isinstance(want, Bool) and result is not None else e.TRUE
    for word, hold in decl.effects:
        if word == "acquires":
            _believe(ex, function, hold.name, taken, present=True)
    return result


def release(
    ex: Exec, function: Function, decl: ast.Op, want: Type | None, really: Callable[[Exec, Expr], Expr | None]
) -> Expr | None:
    """The release of a hold that may be believed in only; `really` carries it out, and waits unless that is so."""
    groups = [
        h.name
        for word, h in decl.effects
        if word == "releases" and _group(function, h.name) in ex.cx.edits.holds
    ]
    believed = e.and_(*(_believes(ex, function, hold) for hold in groups))
    only, real = ex.fork(believed), ex.fork(e.not_(believed))
    for hold in groups:
        _believe(only, function, hold, e.TRUE, present=False)
    result = really(real, believed)
    ex.join([(believed, only), (e.TRUE, real)])
    return None if want is None or result is None else e.ite(believed, e.const(want, default(want)), result)


def is_believed(ex: Exec, function: Function, decl: ast.Op) -> bool:
    """Whether an op releases a hold that may be believed in only."""
    return any(w == "releases" and _group(function, h.name) in ex.cx.edits.holds for w, h in decl.effects)


def supposing(ex: Exec, cond: Expr) -> Expr:
    """A condition in which what the thread believes to hold counts as held."""
    if ex.me is None:
        return cond
    for group in sorted(ex.cx.edits.holds):
        owner, _, hold = group.rpartition(".")
        scope = _scope(ex, owner)
        member = scope.names.get(hold) if scope is not None else None
        if isinstance(member, Function):
            held = ex.close(apply(ex.typer(), member, ["self"], [Term(ex.me)], member.decl.span).expr)
            cond = _or_believed(cond, held, _believes(ex, member, hold))
    return cond


def _scope(ex: Exec, owner: str) -> Scope | None:
    """The members of an instance; of one in an array, those of the one whose op is carried out."""
    for call in reversed(ex.calls):
        if instance_of(call.scope) == owner:
            return call.scope
    instance: Instance = ex.cx.instances[owner]
    return None if instance.dims else instance.scope


def _or_believed(cond: Expr, held: Expr, believed: Expr) -> Expr:
    parts = set(held.args) if held.op is Op.AND else {held}

    def leaf(x: Expr) -> Expr | None:
        if x is held:
            return e.or_(held, believed)
        if x.op is Op.AND and parts < set(x.args):
            return e.and_(e.or_(held, believed), *(y for y in x.args if y not in parts))
        return None

    return transform(cond, leaf)


def _group(function: Function, hold: str) -> str:
    return f"{instance_of(function.scope)}.{hold}"


def _believes(ex: Exec, function: Function, hold: str) -> Expr:
    assert ex.me is not None, "rules take no holds"
    group = ex.env[_name(_group(function, hold))]
    for index in prefix_of(function.scope):
        group = e.select(group, ex.close(index))
    return e.member(ex.me, group)


def _believe(ex: Exec, function: Function, hold: str, cond: Expr, *, present: bool) -> None:
    assert ex.me is not None, "rules take no holds"
    name = _name(_group(function, hold))
    indices = [ex.close(index) for index in prefix_of(function.scope)]
    ex.env[name] = _changed(ex.env[name], indices, ex.me, cond, present)


def _changed(at: Expr, indices: list[Expr], me: Expr, cond: Expr, present: bool) -> Expr:
    if indices:
        return e.store(at, indices[0], _changed(e.select(at, indices[0]), indices[1:], me, cond, present))
    return e.ite(cond, e.insert(at, me) if present else e.remove(at, me), at)
