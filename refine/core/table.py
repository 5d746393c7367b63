"""A system as text for people: types, state, and the table of guarded rules that the engines run.

A prime marks a value after the step; the program counter's part in a rule is its `[from -> to]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.fold import subterms
from refine.core.show import assignments, plain_names, show_binders, show_expr
from refine.core.system import Family, Kind, Property, Rule, System
from refine.core.types import (
    Array,
    Enum,
    Index,
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

_WIDTH = 100
_NAMES = 40  # a name that is longer does not widen the column
_FAIR = {"": "", "weak": "fair ", "strong": "strong fair "}


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
    return "\n\n".join("\n".join(map(_fold, block)) for block in blocks if block) + "\n"


def _fold(line: str) -> str:
    """A line, continued below itself where it is too long."""
    line = escape(line)
    blanks = len(line) - len(line.lstrip(" "))
    if len(line) <= _WIDTH:
        return line
    folded, now = [], line[:blanks]
    for word in line[blanks:].split(" "):
        if len(now) + 1 + len(word) > _WIDTH and now.strip():
            folded.append(now.rstrip(" "))
            now = " " * (blanks + 4)
        now += word if not now.strip() else f" {word}"
    return "\n".join([*folded, now])


def show_family(system: System, family: Family) -> str:
    """`thread guest[v in vcpu]: walk, fault | fix, end (done)`: its locations, the first one first."""
    type_ = system.var(family.pc).type
    locations = type_.item if isinstance(type_, Array) else type_
    assert isinstance(locations, Enum), "a program counter is an enum"
    marks = dict.fromkeys(family.idle, " (idle)") | dict.fromkeys(family.done, " (done)")
    shown = ", ".join(member + marks.get(n, "") for n, member in enumerate(locations.members))
    index = [family.index] if family.index else []
    over = f"[{show_binders(index, plain_names(b.name for b in index))}]" if index else ""
    return f"{_FAIR[family.fair]}thread {family.name}{over} at {shown}"


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
    kinds, names, types = (min(_NAMES, max(len(row[k]) for row in rows)) for k in range(3))
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
    names = plain_names(b.name for b in (*rule.params, *rule.choices))
    family = None if rule.actor is None else system.families[rule.actor]
    name, params = rule.name, list(rule.params)
    if family and family.index and params and name.startswith(f"{family.name}."):
        name = f"{family.name}[{show_binders(params[:1], names)}]{name.removeprefix(family.name)}"
        params = params[1:]
    over = f"[{show_binders(params, names)}]" if params else ""
    guard, updates, edge = _edge(system, rule, family)
    return [f"{_FAIR[rule.fair]}rule {name}{over}{edge}", *_body(system, rule, guard, updates)]


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
    names = plain_names(b.name for b in (*rule.params, *rule.choices))
    lines = _when(guard, names)
    if rule.choices:
        lines.append(f"  any {show_binders(rule.choices, names)}")
    for where in rule.wheres:
        lines.append(
            f"  {f'assume {where.assume}:' if where.assume else 'where'} {show_expr(where.cond, names)}"
        )
    for fault in rule.faults:
        lines.append(f"  undefined when {show_expr(fault.cond, names)}: {system.places[fault.place].what}")
    changes = [part for name, x in updates for part in assignments(name, x, names)]
    return [*lines, *(f"  {place} = {value}" for place, value in changes)]


def _when(guard: Expr, names: Mapping[str, str]) -> list[str]:
    if guard is e.TRUE:
        return []
    line = f"  when {show_expr(guard, names)}"
    if len(line) <= _WIDTH or guard.op is not Op.AND:
        return [line]
    loose = (Op.OR, Op.IMPLIES, Op.ITE, Op.FORALL, Op.EXISTS)
    first, *rest = (f"({show_expr(x, names)})" if x.op in loose else show_expr(x, names) for x in guard.args)
    return [f"  when {first}", *(f"    && {x}" for x in rest)]


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
