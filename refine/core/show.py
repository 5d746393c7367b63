"""The core's expressions as text for people, in the language's clothes; `refine.core.table` shows systems.

What is printed is what the engines run. A prime marks a value after the step; an update that is not of the
form `x[i]' = e` is written with `with`. Operators that lowering adds to keep terms total leave no trace of
their own (`narrow`, dereferencing): the rule's `undefined when` lines say where they would matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from refine.core import expr as e
from refine.core.expr import BINDERS, Binder, Expr, Op
from refine.core.fold import subterms
from refine.core.types import (
    Index,
    IndexKind,
    Struct,
    Thread,
    Type,
    Word,
    show_value,
)
from refine.text.diag import escape

# How tightly each form binds; see the grammar.
_EXPR, _OR, _AND, _COMPARE, _BITS, _SHIFT, _SUM, _PRODUCT, _UNARY, _POSTFIX, _PRIMARY = range(11)

_INFIX = {
    Op.ADD: (" + ", _SUM), Op.SUB: (" - ", _SUM), Op.MUL: (" * ", _PRODUCT), Op.DIV: (" / ", _PRODUCT),
    Op.MOD: (" % ", _PRODUCT), Op.BITAND: (" & ", _BITS), Op.BITOR: (" | ", _BITS), Op.BITXOR: (" ^ ", _BITS),
    Op.SHL: (" << ", _SHIFT), Op.SHR: (" >> ", _SHIFT), Op.UNION: (" | ", _BITS), Op.INTER: (" & ", _BITS),
    Op.DIFF: (" - ", _SUM),
}  # fmt: skip
_COMPARISON = {Op.EQ: ("==", "!="), Op.LT: ("<", ">="), Op.LE: ("<=", ">"), Op.MEMBER: ("in", "!in")}
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", ">=": "<=", "<=": ">=", ">": "<"}
_QUANTIFIER = {Op.FORALL: "forall", Op.EXISTS: "exists", Op.COUNT: "count"}
_SHARED_SIZE = 80  # a repeated part that is longer than this gets a name, once the whole is too long
_WHOLE_SIZE = 4000


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text, how tightly it binds, and what stands open at its right end (a quantifier has no end)."""

    text: str
    level: int
    open: int = 0  # 0: nothing, 1: a quantifier, 2: an `&&` that ends in one, 3: an `||` that does

    def at(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"


def show_expr(x: Expr, names: Mapping[str, str] | None = None) -> str:
    """`x` as the language would write it, on one line, without needless parentheses.

    `names` says what to call what is bound outside of `x`; what is bound inside gets its plain name back.
    """
    text, lets = _show(x, names or {})
    return escape(text + "".join(f" where {name} = {body}" for name, body in lets))


def plain_names(bound: Iterable[str], taken: Mapping[str, str] | None = None) -> dict[str, str]:
    """What people call bound names: lowering makes `v'3` of `v`, and only where two meet it must be seen."""
    names = dict(taken or {})
    used = set(names.values())
    for name in bound:
        plain = name.partition("'")[0]
        if name not in names:
            names[name] = plain if plain not in used else name
            used.add(names[name])
    return names


def show_binders(binders: Iterable[Binder], names: Mapping[str, str]) -> str:
    """`v in vcpu, g in gfn`."""
    return ", ".join(f"{names[b.name]} in {b.type}" for b in binders)


def _show(x: Expr, outer: Mapping[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """The text of `x`, and names for parts that would be repeated too often otherwise: terms share parts."""
    nodes = list(subterms([x]))
    names = plain_names(_bound_names(nodes), outer)
    sizes: dict[Expr, int] = {}
    for y in nodes:
        sizes[y] = 1 + sum(sizes[a] for a in y.args)
    uses: dict[Expr, int] = {}
    if sizes[x] * 4 > _WHOLE_SIZE:
        for y in nodes:
            for a in y.args:
                uses[a] = uses.get(a, 0) + 1
    pieces: dict[Expr, _Piece] = {}
    lets: list[tuple[str, str]] = []
    for y in nodes:
        piece = _piece(y, pieces, names)
        if uses.get(y, 0) > 1 and len(piece.text) > _SHARED_SIZE:
            lets.append((f"${len(lets) + 1}", piece.text))
            piece = _Piece(lets[-1][0], _PRIMARY)
        pieces[y] = piece
    return pieces[x].text, lets


def _bound_names(nodes: Iterable[Expr]) -> Iterator[str]:
    for x in nodes:
        if isinstance(x.data, Binder):
            yield x.data.name
        elif x.op is Op.PARAM:
            yield str(x.data)


def _piece(x: Expr, pieces: dict[Expr, _Piece], names: Mapping[str, str]) -> _Piece:
    args = [pieces[a] for a in x.args]
    if x.op in BINDERS:
        assert isinstance(x.data, Binder), "a binder node carries its binder"
        return _bound(x.op, f"{names[x.data.name]} in {x.data.type}", args[0])
    if x.op in _INFIX:
        return _infix(x, args)
    if x.op in _COMPARISON:
        return _comparison(x, args, negated=False)
    match x.op:
        case Op.CONST:
            return _constant(x)
        case Op.VAR:
            return _Piece(str(x.data), _POSTFIX)
        case Op.PARAM:
            return _Piece(names[str(x.data)], _POSTFIX)
        case Op.NOT:
            inner = x.args[0]
            if inner.op in _COMPARISON:
                return _comparison(inner, [pieces[a] for a in inner.args], negated=True)
            if inner.op is Op.IS_SOME:
                return _Piece(f"{pieces[inner.args[0]].at(_BITS)} == none", _COMPARE)
            return _Piece(f"!{args[0].at(_UNARY)}", _UNARY)
        case Op.AND:
            return _chain(" && ", args, _AND, 2)
        case Op.OR:
            return _chain(" || ", args, _OR, 3)
        case Op.IMPLIES:
            return _Piece(f"{args[0].at(_OR)} -> {args[1].text}", _EXPR)
        case Op.ITE:
            return _Piece(f"{args[0].at(_OR)} ? {args[1].text} : {args[2].text}", _EXPR)
        case Op.IS_SOME:
            return _Piece(f"{args[0].at(_BITS)} != none", _COMPARE)
        case Op.SUBSET:
            return _Piece(f"{args[0].at(_BITS)} <= {args[1].at(_BITS)}", _COMPARE)
        case Op.BITNOT:
            return _Piece(f"~{args[0].at(_UNARY)}", _UNARY)
        case Op.NARROW | Op.SOME | Op.GET:
            return args[0]
        case Op.TO_INT:
            type_ = x.args[0].type
            plain = isinstance(type_, Index) and type_.kind is IndexKind.GFN
            return args[0] if plain else _call("to_int", args)
        case Op.TO_INDEX:
            plain = isinstance(x.type, Index) and x.type.kind is IndexKind.GFN
            return args[0] if plain else _call(str(x.type), args)
        case Op.TO_WORD:
            assert isinstance(x.type, Word), "to_word makes words"
            return _call(f"trunc{x.type.bits}", args)
        case Op.CARD:
            return _call("size", args)
        case Op.OLD:
            return _call("old", args)
        case Op.INSERT:
            return _Piece(f"{args[0].at(_BITS)} | {{{args[1].text}}}", _BITS)
        case Op.REMOVE:
            return _Piece(f"{args[0].at(_SUM)} - {{{args[1].text}}}", _SUM)
        case Op.SELECT:
            return _Piece(f"{args[0].at(_POSTFIX)}[{args[1].text}]", _POSTFIX)
        case Op.STORE:
            return _Piece(f"{args[0].at(_OR)} with [{args[1].text}] = {args[2].at(_OR)}", _EXPR)
        case Op.RECORD:
            assert isinstance(x.type, Struct), "records are of structs"
            fields = zip(x.type.fields, args, strict=True)
            return _Piece("{" + ", ".join(f"{f} = {a.text}" for (f, _), a in fields) + "}", _PRIMARY)
        case Op.FIELD:
            return _Piece(f"{args[0].at(_POSTFIX)}.{_field(x.args[0].type, x)}", _POSTFIX)
        case Op.WITH:
            return _Piece(f"{args[0].at(_OR)} with .{_field(x.type, x)} = {args[1].at(_OR)}", _EXPR)
        case Op.THREAD:
            assert isinstance(x.type, Thread) and isinstance(x.data, int), "a thread has a family"
            name = x.type.parts[x.data].name
            return _Piece(f"{name}[{args[0].text}]" if args else name, _POSTFIX)
        case _:
            raise AssertionError(f"{x.op} is infix, a comparison or a binder, and was dealt with above")


def _constant(x: Expr) -> _Piece:
    assert not isinstance(x.data, Binder | str), "a constant carries a value"
    text = show_value(x.type, x.data)
    return _Piece(text, _UNARY if text.startswith("-") else _PRIMARY)


def _bound(op: Op, over: str, body: _Piece) -> _Piece:
    if op is Op.COLLECT:
        return _Piece(f"{{each {over} where {body.text}}}", _PRIMARY)
    if op is Op.LAMBDA:
        return _Piece(f"[for all {over}: {body.text}]", _PRIMARY)
    return _Piece(f"{_QUANTIFIER[op]} {over}. {body.text}", _EXPR, 1)


def _infix(x: Expr, args: Sequence[_Piece]) -> _Piece:
    sign, level = _INFIX[x.op]
    # The bit operators share one level: a mixture of them is easier read with parentheses.
    mixed = level == _BITS and x.args[0].op in _INFIX and x.args[0].op is not x.op
    return _Piece(f"{args[0].at(level + 1 if mixed else level)}{sign}{args[1].at(level + 1)}", level)


def _comparison(x: Expr, args: Sequence[_Piece], negated: bool) -> _Piece:
    sign = _COMPARISON[x.op][negated]
    left, right = args
    if x.args[0].op is Op.CONST and x.args[1].op is not Op.CONST and sign in _FLIPPED:
        sign, left, right = _FLIPPED[sign], right, left
    return _Piece(f"{left.at(_BITS)} {sign} {right.at(_BITS)}", _COMPARE)


def _chain(sign: str, args: Sequence[_Piece], level: int, opened: int) -> _Piece:
    *first, last = args
    shown = [a.at(level + 1) for a in first]
    if 0 < last.open < opened:
        return _Piece(sign.join([*shown, last.text]), _EXPR, opened)
    return _Piece(sign.join([*shown, last.at(level + 1)]), level)


def _call(name: str, args: Iterable[_Piece]) -> _Piece:
    return _Piece(f"{name}({', '.join(a.text for a in args)})", _PRIMARY)


def _field(type_: Type, x: Expr) -> str:
    assert isinstance(type_, Struct) and isinstance(x.data, int), "fields are of structs, by position"
    return type_.fields[x.data][0]


def assignments(name: str, x: Expr, names: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """The update of variable `name` to `x`, in parts `("tlb[v]'", "none")`: only what the term replaces."""
    yield from _assigned(e.var(name, x.type), x, (), names or {})


def _assigned(
    place: Expr, x: Expr, over: tuple[Binder, ...], names: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    match x.op:
        case Op.STORE if x.args[0] is place:
            yield from _assigned(e.select(place, x.args[1]), x.args[2], over, names)
        case Op.STORE if _distinct(place, x):
            yield from _assigned(place, x.args[0], over, names)
            yield from _assigned(e.select(place, x.args[1]), x.args[2], over, names)
        case Op.WITH if x.args[0] is place and isinstance(x.data, int):
            yield from _assigned(e.field_of(place, x.data), x.args[1], over, names)
        case Op.LAMBDA if isinstance(x.data, Binder):
            element = e.select(place, e.param(x.data.name, x.data.type))
            yield from _assigned(element, x.args[0], (*over, x.data), names)
        case _:
            names = plain_names((b.name for b in over), names)
            text, lets = _show(x, names)
            where = "".join(f"  where {n} = {body}" for n, body in lets)
            every = f"  for all {show_binders(over, names)}" if over else ""
            yield escape(f"{_show(place, names)[0]}'"), escape(text + every + where)


def _distinct(place: Expr, x: Expr) -> bool:
    """Whether `x` is a chain of stores into `place` at indices that are certainly different."""
    seen: set[object] = set()
    while x.op is Op.STORE:
        if x.args[1].op is not Op.CONST or x.args[1].data in seen:
            return False
        seen.add(x.args[1].data)
        x = x.args[0]
    return x is place
