"""Plumbing over expressions: rebuild, substitute, walk; no meaning of any operator beyond the constructors'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.types import Int


def rebuild(x: Expr, args: tuple[Expr, ...]) -> Expr:
    """`x` with other arguments, through the smart constructors."""
    if all(a is b for a, b in zip(args, x.args, strict=True)):
        return x
    match x.op:
        case Op.NOT:
            return e.not_(*args)
        case Op.AND:
            return e.and_(*args)
        case Op.OR:
            return e.or_(*args)
        case Op.IMPLIES:
            return e.implies(*args)
        case Op.EQ:
            return e.eq(*args)
        case Op.ITE:
            return e.ite(*args)
        case Op.LT:
            return e.lt(*args)
        case Op.LE:
            return e.le(*args)
        case Op.ADD:
            return e.add(*args)
        case Op.SUB:
            return e.sub(*args)
        case Op.MUL:
            return e.mul(*args)
        case Op.DIV:
            return e.div(*args)
        case Op.MOD:
            return e.mod(*args)
        case Op.SOME:
            return e.some(*(_as_before(a, b) for a, b in zip(args, x.args, strict=True)))
        case Op.IS_SOME:
            return e.is_some(*args)
        case Op.GET:
            return e.get(*args)
        case Op.MEMBER:
            return e.member(*args)
        case Op.SELECT:
            return e.select(*args)
        case Op.STORE:
            return e.store(*args)
        case Op.FORALL | Op.EXISTS | Op.COUNT | Op.COLLECT | Op.LAMBDA:
            assert isinstance(x.data, Binder), "a binder node carries its binder"
            return e.bind(x.op, x.data, *(_as_before(a, b) for a, b in zip(args, x.args, strict=True)))
        case _:
            return e.node(x.op, x.type, args, x.data)


def _as_before(new: Expr, old: Expr) -> Expr:
    """`new` in the bounds of what it replaces, where those are part of the type of the whole."""
    if isinstance(old.type, Int) and old.type.bounded and isinstance(new.type, Int):
        return e.narrow(new, old.type)
    return new


def transform(x: Expr, leaf: Callable[[Expr], Expr | None], memo: dict[Expr, Expr] | None = None) -> Expr:
    """`x` with each node for which `leaf` gives a replacement replaced (and not descended into)."""
    memo = {} if memo is None else memo
    stack = [x]
    while stack:
        top = stack[-1]
        if top in memo:
            stack.pop()
            continue
        replacement = leaf(top)
        if replacement is not None:
            memo[top] = replacement
            stack.pop()
            continue
        missing = [a for a in top.args if a not in memo]
        if missing:
            stack.extend(missing)
            continue
        memo[top] = rebuild(top, tuple(memo[a] for a in top.args))
        stack.pop()
    return memo[x]


def substitute(
    x: Expr, params: Mapping[str, Expr] | None = None, vars: Mapping[str, Expr] | None = None
) -> Expr:
    """`x` with parameters and state variables replaced. What stands under OLD is left alone.

    Binders never capture: no name is bound twice on a path, and lowering gives each binder a name of its own.
    """
    params, vars = params or {}, vars or {}

    def leaf(y: Expr) -> Expr | None:
        match y.op:
            case Op.PARAM:
                assert isinstance(y.data, str), "a parameter has a name"
                return params.get(y.data, y)
            case Op.VAR:
                assert isinstance(y.data, str), "a variable has a name"
                return vars.get(y.data, y)
            case Op.OLD:
                return e.old(substitute(y.args[0], params))
            case _:
                return None

    return transform(x, leaf)


def subterms(roots: Iterable[Expr]) -> Iterator[Expr]:
    """Every node below `roots`, once, arguments before their parents, in a fixed order."""
    seen: set[Expr] = set()
    for root in roots:
        stack: list[tuple[Expr, bool]] = [(root, False)]
        while stack:
            x, done = stack.pop()
            if done:
                yield x
            elif x not in seen:
                seen.add(x)
                stack.append((x, True))
                stack.extend((a, False) for a in reversed(x.args))


def variables(roots: Iterable[Expr]) -> frozenset[str]:
    """The state variables read in `roots`, under OLD or not."""
    return frozenset(str(x.data) for x in subterms(roots) if x.op is Op.VAR)
