"""The core as text for people: expressions in the language's clothes, a system as its table of guarded rules.

What is printed is what the engines run. A prime marks a value after the step; an update that is not of the
form `x[i]' = e` is written with `with`. Operators that lowering adds to keep terms total leave no trace of
their own (`narrow`, dereferencing): the rule's `undefined when` lines say where they would matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from refine.core import expr as e
from refine.core.expr import BINDERS, Binder, Expr, Op
from refine.core.fold import subterms
from refine.core.system import Family, Kind, Property, Rule, System
from refine.core.types import (
    Array,
    Enum,
    Index,
    IndexKind,
    Int,
    Option,
    Set,
    Struct,
    Thread,
    Type,
    Value,
    Word,
    default,
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


def show_expr(x: Expr) -> str:
    """`x` as the language would write it, on one line, without needless parentheses."""
    text, lets = _show(x)
    return escape(text + "".join(f" where {name} = {body}" for name, body in lets))


def show_type(type_: Type) -> str:
    """`type_` as a declaration would name it."""
    return escape(str(type_))


def _show(x: Expr) -> tuple[str, list[tuple[str, str]]]:
    """The text of `x`, and names for parts that would be repeated too often otherwise: terms share parts."""
    nodes = list(subterms([x]))
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
        piece = _piece(y, pieces)
        if uses.get(y, 0) > 1 and len(piece.text) > _SHARED_SIZE:
            lets.append((f"${len(lets) + 1}", piece.text))
            piece = _Piece(lets[-1][0], _PRIMARY)
        pieces[y] = piece
    return pieces[x].text, lets


def _piece(x: Expr, pieces: dict[Expr, _Piece]) -> _Piece:
    args = [pieces[a] for a in x.args]
    if x.op in BINDERS:
        assert isinstance(x.data, Binder), "a binder node carries its binder"
        return _bound(x.op, x.data, args[0])
    if x.op in _INFIX:
        return _infix(x, args)
    if x.op in _COMPARISON:
        return _comparison(x, args, negated=False)
    match x.op:
        case Op.CONST:
            return _constant(x)
        case Op.VAR | Op.PARAM:
            return _Piece(str(x.data), _POSTFIX)
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


def _bound(op: Op, binder: Binder, body: _Piece) -> _Piece:
    over = f"{binder.name} in {binder.type}"
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


def assignments(name: str, x: Expr) -> Iterator[tuple[str, str]]:
    """The update of variable `name` to `x`, in parts `("tlb[v]'", "none")`: only what the term replaces."""
    yield from _assigned(e.var(name, x.type), x, "")


def _assigned(place: Expr, x: Expr, over: str) -> Iterator[tuple[str, str]]:
    match x.op:
        case Op.STORE if x.args[0] is place:
            yield from _assigned(e.select(place, x.args[1]), x.args[2], over)
        case Op.STORE if _distinct(place, x):
            yield from _assigned(place, x.args[0], over)
            yield from _assigned(e.select(place, x.args[1]), x.args[2], over)
        case Op.WITH if x.args[0] is place and isinstance(x.data, int):
            yield from _assigned(e.field_of(place, x.data), x.args[1], over)
        case Op.LAMBDA if isinstance(x.data, Binder):
            binder = x.data
            more = f"{over}, {binder.name} in {binder.type}" if over else f"{binder.name} in {binder.type}"
            yield from _assigned(e.select(place, e.param(binder.name, binder.type)), x.args[0], more)
        case _:
            text, lets = _show(x)
            where = "".join(f"  where {n} = {body}" for n, body in lets)
            every = f"  for all {over}" if over else ""
            yield escape(f"{_show(place)[0]}'"), escape(text + every + where)


def _distinct(place: Expr, x: Expr) -> bool:
    """Whether `x` is a chain of stores into `place` at indices that are certainly different."""
    seen: set[object] = set()
    while x.op is Op.STORE:
        if x.args[1].op is not Op.CONST or x.args[1].data in seen:
            return False
        seen.add(x.args[1].data)
        x = x.args[0]
    return x is place


def named_types(types: Iterable[Type]) -> list[Type]:
    """Every enum, index and struct among `types` and inside them, once, in order of appearance."""
    found: dict[Type, None] = {}
    stack = list(types)[::-1]
    while stack:
        match type_ := stack.pop():
            case Enum() | Index():
                found[type_] = None
            case Option(item) | Set(item):
                stack.append(item)
            case Array(dom, item):
                stack += [item, dom]
            case Struct(_, fields):
                stack += [t for _, t in reversed(fields)]
                found[type_] = None
            case Thread(parts):
                stack += [p.index for p in reversed(parts) if p.index]
            case _:
                assert isinstance(type_, Int | Word) or str(type_) == "bool", "only scalars have no parts"
    return list(found)


# --- systems ------------------------------------------------------------------------------------------------

_WIDTH = 100


def show_system(system: System) -> str:
    """The whole system: types, state with initial values, guarded rules, what is claimed."""
    sizes = ", ".join(f"{name} = {n}" for name, n in system.sizes)
    title = f"protocol {system.name}" + (f' "{system.doc}"' if system.doc else "")
    blocks = [[title + (f"   {sizes}" if sizes else "")], _types(system), _state(system)]
    if system.init.choices or system.init.wheres or system.init.faults:
        blocks.append(["init", *_body(system, system.init, system.init.guard, ())])
    blocks += [[show_family(system, family)] for family in system.families]
    blocks += [_rule(system, rule) for rule in system.rules]
    blocks.append([f"assume {a.name}: {show_expr(a.cond)}" for a in system.assumes])
    blocks.append([line for p in system.properties for line in show_property(system, p)])
    return "\n\n".join("\n".join(escape(line) for line in block) for block in blocks if block) + "\n"


def show_family(system: System, family: Family) -> str:
    """`thread guest[v in vcpu]: walk, fault | fix, end (done)`: its locations, the first one first."""
    type_ = system.var(family.pc).type
    locations = type_.item if isinstance(type_, Array) else type_
    assert isinstance(locations, Enum), "a program counter is an enum"
    marks = dict.fromkeys(family.idle, " (idle)") | dict.fromkeys(family.done, " (done)")
    shown = ", ".join(member + marks.get(n, "") for n, member in enumerate(locations.members))
    over = f"[{_over([family.index])}]" if family.index else ""
    fair = f"{family.fair} " if family.fair else ""
    return f"{fair}thread {family.name}{over} at {shown}"


def show_property(system: System, p: Property) -> list[str]:
    """A property, and what it was lowered to."""
    head = f"{p.role} {p.name}" + (f' "{p.doc}"' if p.doc else "") + ":"
    match p.kind:
        case Kind.STATE:
            return [head, f"  always {show_expr(p.cond)}"]
        case Kind.REACH:
            return [head, f"  {show_expr(p.cond)}"]
        case Kind.STEP:
            of = "" if p.of is None else f" of {', '.join(p.of)}:"
            return [head, f"  step{of} {show_expr(p.cond)}"]
        case Kind.SATISFIABLE:
            return [head, f"  some choice in {', '.join(p.of or ())} whenever its `when` holds"]
        case Kind.FAULT:
            return [head, *(f"  never {system.places[n]}" for n in p.places)]
        case Kind.STUCK:
            return [head, "  no thread that is neither done nor idle can never move again"]
        case Kind.LIVENESS:
            return [head, f"  {p.text}"]


def _over(binders: Iterable[Binder]) -> str:
    return ", ".join(f"{b.name} in {b.type}" for b in binders)


def _types(system: System) -> list[str]:
    pcs = {family.pc for family in system.families}
    binders = [b.type for rule in system.rules for b in (*rule.params, *rule.choices)]
    lines = []
    for type_ in named_types([*(v.type for v in system.vars if v.name not in pcs), *binders]):
        match type_:
            case Enum(name, members):
                lines.append(f"enum {name} {{ {', '.join(members)} }}")
            case Index(name, size, kind):
                lines.append(f"{kind.value} {name}[{size}]")
            case Struct(name, fields):
                lines.append(f"struct {name} {{ {' '.join(f'{t} {f};' for f, t in fields)} }}")
            case _:
                raise AssertionError("only these types have names")
    return lines


def _state(system: System) -> list[str]:
    init, pcs = dict(system.init.updates), {family.pc for family in system.families}
    rows = []
    for v in system.vars:
        x = init.get(v.name)
        value = _initial(v.type, default(v.type)) if x is None else _initial_expr(x)
        rows.append((v.kind, v.name, "" if v.name in pcs else str(v.type), value))
    if not rows:
        return []
    kinds, names, types = (max(len(row[k]) for row in rows) for k in range(3))
    shown = [f"  {k:<{kinds}}  {n:<{names}}  {t:<{types}}  = {value}" for k, n, t, value in rows]
    return ["state", *shown]


def _initial(type_: Type, value: Value) -> str:
    """The value, or the one value that all elements have."""
    while isinstance(type_, Array) and isinstance(value, tuple) and len(set(value)) == 1:
        type_, value = type_.item, value[0]
    return show_value(type_, value)


def _initial_expr(x: Expr) -> str:
    while x.op is Op.LAMBDA and not any(y is e.param(*_bound_name(x)) for y in subterms(x.args)):
        x = x.args[0]
    if x.op is Op.CONST and not isinstance(x.data, Binder | str):
        return _initial(x.type, x.data)
    return show_expr(x)


def _bound_name(x: Expr) -> tuple[str, Type]:
    assert isinstance(x.data, Binder), "a binder node carries its binder"
    return x.data.name, x.data.type


def _rule(system: System, rule: Rule) -> list[str]:
    family = None if rule.actor is None else system.families[rule.actor]
    name, params = rule.name, list(rule.params)
    if family and family.index and params and name.startswith(f"{family.name}."):
        name = f"{family.name}[{_over(params[:1])}]{name.removeprefix(family.name)}"
        params = params[1:]
    over = f"[{_over(params)}]" if params else ""
    guard, updates, edge = _edge(system, rule, family)
    fair = {"weak": "fair "}.get(rule.fair, f"{rule.fair} fair " if rule.fair else "")
    return [f"{fair}rule {name}{over}{edge}", *_body(system, rule, guard, updates)]


def _edge(
    system: System, rule: Rule, family: Family | None
) -> tuple[Expr, tuple[tuple[str, Expr], ...], str]:
    """The guard and updates without the program counter, and where it goes: `  [clear -> free]`."""
    if family is None:
        return rule.guard, rule.updates, ""
    pc: Expr = e.var(family.pc, system.var(family.pc).type)
    if family.index:
        pc = e.select(pc, e.param(rule.params[0].name, rule.params[0].type))
    assert isinstance(pc.type, Enum), "a program counter is an enum"
    parts = rule.guard.args if rule.guard.op is Op.AND else (rule.guard,)
    origin: Expr | None = None
    places: list[str] = []
    for part in parts:
        if not places and (places := _located(pc, part)):
            origin = part
    rest = e.and_(*(part for part in parts if part is not origin))
    target = places[0] if len(places) == 1 else None  # a step that does not move comes back to where it was
    kept = []
    for name, x in rule.updates:
        value = x.args[2] if x.op is Op.STORE and e.select(x.args[0], x.args[1]) is pc else x
        if name == family.pc and value.op is Op.CONST and isinstance(value.data, int):
            target = pc.type.members[value.data]
        else:
            kept.append((name, x))
            target = None if name == family.pc else target
    if not places and target is None:
        return rest, tuple(kept), ""
    start = "*" if not places else places[0] if len(places) == 1 else "{" + ", ".join(places) + "}"
    return rest, tuple(kept), f"  [{start}]" if target is None else f"  [{start} -> {target}]"


def _located(pc: Expr, part: Expr) -> list[str]:
    """The locations that a conjunct of a guard allows, if that is all it says."""
    assert isinstance(pc.type, Enum), "a program counter is an enum"
    places = []
    for x in part.args if part.op is Op.OR else (part,):
        if x.op is not Op.EQ or pc not in x.args:
            return []
        other = x.args[1] if x.args[0] is pc else x.args[0]
        if other.op is not Op.CONST or not isinstance(other.data, int):
            return []
        places.append(pc.type.members[other.data])
    return places


def _body(system: System, rule: Rule, guard: Expr, updates: Sequence[tuple[str, Expr]]) -> list[str]:
    lines = _when(guard)
    if rule.choices:
        lines.append(f"  any {_over(rule.choices)}")
    for where in rule.wheres:
        lines.append(f"  {f'assume {where.assume}:' if where.assume else 'where'} {show_expr(where.cond)}")
    for fault in rule.faults:
        lines.append(f"  undefined when {show_expr(fault.cond)}: {system.places[fault.place].what}")
    changes = [part for name, x in updates for part in assignments(name, x)]
    return [*lines, *(f"  {place} = {value}" for place, value in changes)]


def _when(guard: Expr) -> list[str]:
    if guard is e.TRUE:
        return []
    line = f"  when {show_expr(guard)}"
    if len(line) <= _WIDTH or guard.op is not Op.AND:
        return [line]
    first, *rest = (
        f"({show_expr(x)})" if x.op in (Op.OR, Op.IMPLIES, Op.ITE) else show_expr(x) for x in guard.args
    )
    return [f"  when {first}", *(f"    && {x}" for x in rest)]
