"""Sentences about the core's own variables, as certificates have them: from text to terms.

Everything that a system keeps has a name there, also what only lowering knows: the threads that a loop has visited, a
program counter. So this is a small language of its own: quantifiers, the logical operators, comparisons, sums,
membership, indices and fields, `at`, written as in specifications.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.system import System
from refine.core.types import (
    BOOL,
    Array,
    Bool,
    Enum,
    Index,
    IndexKind,
    Int,
    Option,
    Set,
    Struct,
    Thread,
    Type,
    Word,
)
from refine.lang import ast
from refine.lang.parse import parse
from refine.text.diag import Reporter
from refine.text.span import Source


class Unreadable(Exception):
    """A sentence that says nothing about this system, and why."""


class Reader:
    """Reads sentences about one system. `of` raises `Unreadable`."""

    def __init__(self, system: System) -> None:
        self._vars = {v.name: v.type for v in system.vars}
        self._families = {f.name: f for f in system.families}
        types = types_of(system)
        self._indexes = {t.name: t for t in types if isinstance(t, Index)}
        self._threads = next((t for t in types if isinstance(t, Thread)), None)

    def of(self, text: str) -> Expr:
        """What a sentence says."""
        reporter = Reporter()
        file = parse(Source("sentence", f"library sentence;\nlemma sentence: always {text};\n"), reporter)
        if file is None or len(file.items) != 1:
            first = next(iter(reporter.sorted()), None)
            raise Unreadable(first.message if first is not None else "it is more than one sentence")
        claim = file.items[0]
        if not isinstance(claim, ast.Claim) or not isinstance(claim.property, ast.Always):
            raise Unreadable("it speaks of more than one state")
        try:
            found = self._read(claim.property.cond, {}, BOOL)
        except RecursionError:
            raise Unreadable("it nests too deeply") from None
        if not isinstance(found.type, Bool):
            raise Unreadable("it is no truth value")
        return found

    def _truth(self, node: ast.Expr, env: Mapping[str, Expr]) -> Expr:
        found = self._read(node, env, BOOL)
        if not isinstance(found.type, Bool):
            raise Unreadable(f"'{_text(node)}' is no truth value")
        return found

    def _read(self, node: ast.Expr, env: Mapping[str, Expr], want: Type | None) -> Expr:
        """The term of a node; `want`: the type that names of constants are looked up in."""
        match node:
            case ast.Logical(op, parts):
                return (e.and_ if op == "&&" else e.or_)(*(self._truth(part, env) for part in parts))
            case ast.Unary("!", inner):
                return e.not_(self._truth(inner, env))
            case ast.Binary("->", left, right):
                return e.implies(self._truth(left, env), self._truth(right, env))
            case ast.Binary("==" | "!=" as op, left, right):
                same = self._equal(left, right, env)
                return same if op == "==" else e.not_(same)
            case ast.Binary("<" | "<=" | ">" | ">=" as op, left, right):
                x, y = self._integer(left, env), self._integer(right, env)
                x, y = (x, y) if op[0] == "<" else (y, x)
                return e.le(x, y) if op.endswith("=") else e.lt(x, y)
            case ast.Binary("+" | "-" as op, left, right):
                x, y = self._integer(left, env), self._integer(right, env)
                return e.add(x, y) if op == "+" else e.sub(x, y)
            case ast.Binary("in" | "!in" as op, left, right):
                many = self._read(right, env, None)
                many = e.get(many) if isinstance(many.type, Option) else many
                if not isinstance(many.type, Set):
                    raise Unreadable(f"'{_text(right)}' is no set")
                one = self._read(left, env, many.type.item)
                inside = e.member(_fitting(one, many.type.item, left), many)
                return inside if op == "in" else e.not_(inside)
            case ast.Quantified(kind, binders, body):
                return self._quantified(kind, binders, body, env)
            case ast.At():
                return self._at(node, env)
            case ast.Boolean(value):
                return e.boolean(value)
            case ast.NoneLiteral():
                if not isinstance(want, Option):
                    raise Unreadable("'none' is compared with what is never none")
                return e.none(want)
            case ast.Integer(value):
                return _number(value, want)
            case ast.Unary("-", ast.Integer(value)):
                return e.integer(-value)
            case ast.Element(name, number):
                index = self._indexes.get(name.name)
                if index is None or not 0 <= number < index.size:
                    raise Unreadable(f"there is no {_text(node)}")
                return e.const(index, number)
            case ast.Call(name, (x, ast.Integer(k))) if name.name == "bit":
                return _bit(self._read(x, env, None), k)
            case ast.Name() | ast.FieldOf() | ast.IndexOf():
                return self._place(node, env, want)
            case _:
                raise Unreadable(f"'{_text(node)}' cannot be said here")

    def _integer(self, node: ast.Expr, env: Mapping[str, Expr]) -> Expr:
        found = self._read(node, env, None)
        found = e.get(found) if isinstance(found.type, Option) else found
        if not isinstance(found.type, Int):
            raise Unreadable(f"'{_text(node)}' is no integer")
        return found

    def _equal(self, left: ast.Expr, right: ast.Expr, env: Mapping[str, Expr]) -> Expr:
        x = self._read(left, env, None)
        y = self._read(right, env, x.type)
        if isinstance(x.type, Option) and not isinstance(y.type, Option):
            y = e.some(_fitting(y, x.type.item, right))
        if isinstance(y.type, Option) and y is e.none(y.type):
            return e.not_(e.is_some(x))
        if isinstance(x.type, Int) and isinstance(y.type, Int):
            return e.eq(x, y)
        return e.eq(x, _fitting(y, x.type, right))

    def _quantified(
        self, kind: str, binders: tuple[ast.Binder, ...], body: ast.Expr, env: Mapping[str, Expr]
    ) -> Expr:
        if kind not in ("forall", "exists"):
            raise Unreadable("nothing is counted here")
        bound: list[Binder] = []
        for n, binder in enumerate(binders):
            index = (
                self._indexes.get(binder.type.name.name) if isinstance(binder.type, ast.NamedType) else None
            )
            if index is None:
                raise Unreadable(f"'{binder.name.name}' is of no index type of the protocol")
            made = Binder(f"{binder.name.name}'{len(env)}.{n}", index)
            bound.append(made)
            env = {**env, binder.name.name: e.param(made.name, index)}
        found = self._truth(body, env)
        for made in reversed(bound):
            found = (e.forall if kind == "forall" else e.exists)(made, found)
        return found

    def _at(self, node: ast.At, env: Mapping[str, Expr]) -> Expr:
        who, index = node.thread, None
        if isinstance(who, ast.IndexOf):
            index = who.index
            who = who.base
        family = self._families.get(who.id) if isinstance(who, ast.Name) else None
        if family is None or (index is None) is not (family.index is None):
            raise Unreadable(f"'{_text(node.thread)}' is no thread")
        pc: Expr = e.var(family.pc, self._vars[family.pc])
        if index is not None:
            assert family.index is not None, "both or none, as was looked at"
            pc = e.select(pc, _fitting(self._read(index, env, family.index.type), family.index.type, index))
        assert isinstance(pc.type, Enum), "a program counter is an enum"
        places = []
        for path in node.steps:
            found = [
                n for n, member in enumerate(pc.type.members) if str(path) in (member, *member.split("|"))
            ]
            if not found:
                raise Unreadable(f"'{family.name}' has no place '{path}'")
            places += found
        return e.or_(*(e.eq(pc, e.const(pc.type, n)) for n in dict.fromkeys(places)))

    # --- places -----------------------------------------------------------------------------------------------

    def _place(self, node: ast.Expr, env: Mapping[str, Expr], want: Type | None) -> Expr:
        """A variable with indices and fields, a bound name, a thread, or a constant."""
        names, steps = _chain(node)
        if len(steps) == 1 and names[0] in env:
            return env[names[0]]
        for length in range(len(names), 0, -1):
            name = ".".join(names[:length])
            if name in self._vars:
                return self._variable(node, e.var(name, self._vars[name]), steps, length, env)
        if names[0] in self._families and len(names) == 1:
            return self._thread(node, names[0], steps, env)
        item = want.item if isinstance(want, Option) else want
        if isinstance(item, Enum) and len(steps) == 1 and names[0] in item.members:
            return e.const(item, item.members.index(names[0]))
        raise Unreadable(f"the protocol has no '{_text(node)}'")

    def _variable(
        self, node: ast.Expr, x: Expr, steps: list[str | ast.Expr], length: int, env: Mapping[str, Expr]
    ) -> Expr:
        """`x` under the indices and fields that follow the first `length` names."""
        named = 0
        for step in steps:
            if isinstance(step, str):
                named += 1
                if named <= length:
                    continue
                x = e.get(x) if isinstance(x.type, Option) else x
                field = x.type.field(step) if isinstance(x.type, Struct) else None
                if field is None:
                    raise Unreadable(f"'{_text(node)}' has no such field")
                x = e.field_of(x, field[0])
                continue
            x = e.get(x) if isinstance(x.type, Option) else x
            if not isinstance(x.type, Array):
                raise Unreadable(f"'{_text(node)}' has too many indices")
            at = self._read(step, env, x.type.dom)
            x = e.select(x, _fitting(at, x.type.dom, step))
        return x

    def _thread(
        self, node: ast.Expr, name: str, steps: list[str | ast.Expr], env: Mapping[str, Expr]
    ) -> Expr:
        family = self._families[name]
        if self._threads is None or len(steps) != (1 if family.index is None else 2):
            raise Unreadable(f"'{_text(node)}' is no thread")
        part = next(n for n, p in enumerate(self._threads.parts) if p.name == name)
        index = None
        if family.index is not None:
            step = steps[1]
            assert not isinstance(step, str), "a thread has no fields here"
            index = _fitting(self._read(step, env, family.index.type), family.index.type, step)
        return e.thread(self._threads, part, index)


def _chain(node: ast.Expr) -> tuple[list[str], list[str | ast.Expr]]:
    """`guest[v].pfn` as its names, and as names and indices in their order."""
    steps: list[str | ast.Expr] = []
    while True:
        match node:
            case ast.IndexOf(base, index):
                steps.append(index)
                node = base
            case ast.FieldOf(base, name):
                steps.append(name.name)
                node = base
            case ast.Name(id):
                steps.append(id)
                break
            case _:
                raise Unreadable(f"'{_text(node)}' is no place")
    steps.reverse()
    return [s for s in steps if isinstance(s, str)], steps


def _fitting(x: Expr, type_: Type, node: ast.Expr) -> Expr:
    if x.type == type_:
        return x
    if isinstance(x.type, Int) and isinstance(type_, Int):
        if x.op is not Op.CONST or not type_.bounded:
            return x
        assert isinstance(x.data, int) and type_.lo is not None and type_.hi is not None, "numbers in bounds"
        if type_.lo <= x.data <= type_.hi:
            return e.const(type_, x.data)
    raise Unreadable(f"'{_text(node)}' is of type {x.type}, not {type_}")


def _number(value: int, want: Type | None) -> Expr:
    match want:
        case Option(item):
            return _number(value, item)
        case Word(bits) if value < 1 << bits:
            return e.const(want, value)
        case Index(_, size, IndexKind.GFN) if value < size:
            return e.const(want, value)
        case _:
            return e.integer(value)


def _bit(x: Expr, k: int) -> Expr:
    """Whether bit `k` of a number in two's complement is set."""
    match x.type:
        case Int(lo, hi) if lo is not None and hi is not None:
            word = Word(1 + max(hi.bit_length(), lo.bit_length()))
        case Word():
            word = x.type
        case _:
            raise Unreadable("only bounded numbers have bits")
    if k >= word.bits:
        raise Unreadable(f"a number of {word.bits} bits has no bit {k}")
    mask = e.const(word, 1 << k)
    return e.eq(e.bitwise(Op.BITAND, e.to_word(x, word), mask), mask)


def _text(node: ast.Expr) -> str:
    return " ".join(node.span.text.split())


def types_of(system: System) -> list[Type]:
    """All types of a system's variables, params and choices, and what they are made of."""
    binders = [b.type for r in (system.init, *system.rules) for b in (*r.params, *r.choices)]
    return list(_inside([*(v.type for v in system.vars), *binders]))


def _inside(types: Iterable[Type]) -> Iterator[Type]:
    """Types, and all that they are made of."""
    stack = list(types)
    while stack:
        type_ = stack.pop()
        yield type_
        match type_:
            case Option(item) | Set(item):
                stack.append(item)
            case Array(dom, item):
                stack += [dom, item]
            case Struct(_, fields):
                stack += [t for _, t in fields]
            case Thread(parts):
                stack += [p.index for p in parts if p.index is not None]
            case _:
                pass
