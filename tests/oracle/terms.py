"""Random typed expressions and actions, as text: what random programs are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple


class T(NamedTuple):
    """A type of a random program: its kind, its name as written, and what belongs to it."""

    kind: str  # bool, int, word, enum, machine, index, slot, ring, gfn, thread, opt, set, struct
    text: str
    data: tuple[
        object, ...
    ] = ()  # int: bounds; enum: members; index: size; opt, set: the item; struct: fields


BOOL = T("bool", "bool")
THREAD = T("thread", "thread")
U8 = T("word", "u8", (8,))
ORDERED = ("slot", "ring", "gfn")
INDICES = ("index", *ORDERED)


def int_t(lo: int, hi: int) -> T:
    return T("int", f"int({lo}..{hi})", (lo, hi))


def opt(item: T) -> T:
    return T("opt", f"{item.text}?", (item,))


def set_of(item: T) -> T:
    return T("set", f"set<{item.text}>", (item,))


def item_of(t: T) -> T:
    (item,) = t.data
    assert isinstance(item, T)
    return item


class Var(NamedTuple):
    """Something with a name that can be read: `storage` is shared, ghost, local, temp or const."""

    name: str
    type: T
    dims: tuple[T, ...] = ()
    storage: str = "shared"
    field: str = ""  # `.f` of a struct's field


class Callable(NamedTuple):
    """A function, op, procedure or hold; `on` is the instance that it is called with, and that one's dims."""

    kind: str  # fn, op, proc, hold
    name: str
    formals: tuple[T, ...]
    result: T | None = None
    on: tuple[str, tuple[T, ...]] | None = None
    blocks: bool = False
    effect: str = ""  # acquires, releases


@dataclass(frozen=True)
class Env:
    """What can be used at one place of a program."""

    vars: tuple[Var, ...] = ()
    calls: tuple[Callable, ...] = ()
    types: tuple[T, ...] = ()  # that quantifiers and havoc may range over
    threads: tuple[tuple[str, T | None], ...] = ()
    me: bool = False  # `self` has a meaning
    old: bool = False  # `old` has one
    ghosts: bool = False  # ghosts may be read
    local: bool = False  # only the thread's own things may be read
    extra: tuple[str, ...] = ()  # boolean expressions that fit here: `t at s`

    def with_vars(self, *more: Var) -> Env:
        return replace(self, vars=(*self.vars, *more))

    def readable(self) -> list[Var]:
        return [
            x
            for x in self.vars
            if (self.ghosts or x.storage != "ghost")
            and not (self.local and x.storage not in ("local", "const"))
        ]


class Terms:
    """Makes expressions and actions from a source of chance."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.count = 0
        self.wild = rng.random() < 0.4  # whether undefined values are sought
        self.alike = False

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    # --- expressions

    def expr(self, t: T, env: Env, depth: int = 2) -> str:
        """An expression of type `t`, or one that fits into it most of the time."""
        options = [self._leaf]
        if depth > 0:
            options += [self._leaf, self._compound, self._compound]
            if self.chance(0.15):
                options.append(self._shared)
        return self.rng.choice(options)(t, env, depth)

    def _leaf(self, t: T, env: Env, depth: int) -> str:
        known = [x for x in env.readable() if x.type == t and (depth >= 0 or not x.dims)]
        if self.wild and t.kind != "opt" and not env.local:
            known += [x for x in env.readable() if x.type == opt(t) and not x.dims and self.chance(0.3)]
        if known and (self.chance(0.9 if t == BOOL else 0.75) or t.kind == "struct"):
            return self.access(self.rng.choice(known), env, depth)
        return self.literal(t, env)

    def access(self, x: Var, env: Env, depth: int = 1) -> str:
        text = x.name + "".join(f"[{self.expr(d, env, min(depth - 1, 1))}]" for d in x.dims) + x.field
        if env.old and x.storage not in ("const", "temp") and self.chance(0.2):
            return f"old({text})"
        return text

    def literal(self, t: T, env: Env) -> str:
        rng = self.rng
        match t.kind:
            case "bool":
                return rng.choice(["true", "false"])
            case "int":
                lo, hi = t.data
                assert isinstance(lo, int)
                assert isinstance(hi, int)
                return str(rng.randint(lo, hi)) if lo >= 0 else f"({rng.randint(lo, hi)})"
            case "word":
                return str(rng.choice([0, 1, 2, 127, 128, 200, 254, 255]))
            case "enum" | "machine":
                return str(rng.choice(t.data))
            case "gfn":
                size = t.data[0]
                assert isinstance(size, int)
                return rng.choice([str(rng.randrange(size)), f"first({t.text})"])
            case "slot" | "ring":
                return rng.choice([f"first({t.text})", f"last({t.text})"])
            case "index":
                own = [x.name + x.field for x in env.readable() if x.type == t and not x.dims]
                if self.alike and not own:
                    own = [x.name + x.field for x in env.readable() if x.type == opt(t) and not x.dims]
                return rng.choice(own) if own else f"{t.text}#0"
            case "opt":
                if not env.readable() or self.chance(0.5):
                    return "none"
                return self._leaf(item_of(t), env, 0)
            case "set":
                return "{}" if self.chance(0.4) else "{" + self.literal(item_of(t), env) + "}"
            case "thread":
                single = [n for n, d in env.threads if d is None]
                options = [*single, *(["self"] if env.me else [])]
                family = next((n, d) for n, d in env.threads if d is not None) if not options else None
                if family is not None:
                    assert family[1] is not None
                    return f"{family[0]}[{self.literal(family[1], env)}]"
                return rng.choice(options)
            case _:
                pass
        raise AssertionError(f"a literal of type {t}")

    def _shared(self, t: T, env: Env, depth: int) -> str:
        """What fits any type: a conditional, or a call."""
        calls = [f for f in env.calls if f.kind == "fn" and f.result == t and not env.local]
        if calls:
            return self.call(self.rng.choice(calls), env, depth - 1)
        if t.kind in ("struct", "word", "opt", "set"):
            return self._leaf(t, env, depth)
        cond, one, two = self.expr(BOOL, env, depth - 1), *(self.expr(t, env, depth - 1) for _ in range(2))
        return f"({cond} ? {one} : {two})"

    def call(self, f: Callable, env: Env, depth: int = 1) -> str:
        args = []
        if f.on is not None:
            name, dims = f.on
            args.append(name + "".join(f"[{self.total(d, env)}]" for d in dims))
        args += [self.expr(t, env, depth) for t in f.formals]
        return f"{f.name}({', '.join(args)})"

    def total(self, t: T, env: Env) -> str:
        """An expression that is always defined."""
        own = [x.name + x.field for x in env.readable() if x.type == t and not x.dims]
        return self.rng.choice(own) if own and self.chance(0.7) else self.literal(t, env)

    def _compound(self, t: T, env: Env, depth: int) -> str:
        rng, d = self.rng, depth - 1
        match t.kind:
            case "bool":
                return self._bool(env, d)
            case "int":
                return self._int(t, env, d)
            case "word":
                a, b, k = self._word(env, d), self.expr(t, env, d), rng.randint(0, 9)
                small = self.expr(int_t(0, 3), env, d)
                two = [f"({a} {op} {b})" for op in ("+", "-", "*", "&", "|", "^")]
                one = [f"({a} << {k})", f"({a} >> {k})", f"~{a}", f"(-{a})", f"({a} & 3)", f"({a} % 3)"]
                one += [f"align_down({a}, 64)", f"align_up({a}, 64)", f"({a} / 16)", f"trunc8({small} * 100)"]
                return rng.choice([*two, *one])
            case "slot" | "ring":
                return (
                    f"next({self.expr(t, env, d)})"
                    if self.wild or t.kind == "ring"
                    else self._leaf(t, env, d)
                )
            case "gfn":
                a = self.expr(t, env, d)
                return (
                    rng.choice([f"({a} + 1)", f"align_down({a}, 2)"]) if self.wild else self._leaf(t, env, d)
                )
            case "opt":
                return self.expr(item_of(t), env, d)
            case "set":
                a, b, item = self.expr(t, env, d), self.expr(t, env, d), item_of(t)
                if self.chance(0.4):
                    x = Var(self.fresh("e"), item, (), "const")
                    return f"{{each {x.name} in {item.text} where {self.expr(BOOL, env.with_vars(x), d)}}}"
                if a.startswith("{}") and b.startswith("{}"):
                    return a
                return f"({a} {rng.choice(['|', '&', '-'])} {b})"
            case _:
                return self._leaf(t, env, d)

    def _bool(self, env: Env, d: int) -> str:
        rng = self.rng
        options = [
            lambda: f"!{self.expr(BOOL, env, d)}",
            lambda: f"({self.expr(BOOL, env, d)} {rng.choice(['&&', '||', '->'])} {self.expr(BOOL, env, d)})",
            lambda: self._comparison(env, d),
            lambda: self._comparison(env, d),
            lambda: self._comparison(env, d),
        ]
        if env.types and not env.local:
            options.append(lambda: self._quantified(env, d))
        if env.extra:
            options += [lambda: rng.choice(env.extra)] * 3
        holds = [f for f in env.calls if f.kind == "hold"]
        if holds and env.threads and not env.local:
            options.append(lambda: self.call(rng.choice(holds), env, 0))
        return rng.choice(options)()

    def _comparison(self, env: Env, d: int) -> str:
        rng = self.rng
        known = [x for x in env.readable() if x.type.kind != "bool"]
        if not known:
            return self._leaf(BOOL, env, d)
        x = rng.choice(known)
        a, t = self.access(x, env, d), x.type
        match t.kind:
            case "int" | "word" | "slot" | "ring" | "gfn":
                op = rng.choice(["==", "!=", "<", "<=", ">", ">="])
                return f"({a} {op} {self.expr(t, env, d)})"
            case "opt":
                item = item_of(t)
                if self.wild and item.kind in ("int", *ORDERED) and self.chance(0.3):
                    return f"({a} < {self.expr(item, env, d)})"
                other = rng.choice(["none", self.expr(item, env, d)])
                return f"({a} {rng.choice(['==', '!='])} {other})"
            case "set":
                return rng.choice(
                    [f"({self.expr(item_of(t), env, d)} {rng.choice(['in', '!in'])} {a})",
                     f"(size({a}) {rng.choice(['==', '<', '>'])} {rng.randint(0, 2)})",
                     f"({a} {rng.choice(['==', '<='])} {self.access(x, env, d)})"]
                )  # fmt: skip
            case _:
                return f"({a} {rng.choice(['==', '!='])} {self.expr(t, env, d)})"

    def _quantified(self, env: Env, d: int) -> str:
        x = Var(self.fresh("q"), self.rng.choice(env.types), (), "const")
        body = self.expr(BOOL, env.with_vars(x), d)
        if self.chance(0.2) and d > 0:
            op, n = self.rng.choice(["<", "=="]), self.rng.randint(0, 2)
            return f"((count {x.name} in {x.type.text}. {body}) {op} {n})"
        return f"({self.rng.choice(['forall', 'exists'])} {x.name} in {x.type.text}. {body})"

    def _int(self, t: T, env: Env, d: int) -> str:
        rng = self.rng
        lo, hi = t.data
        assert isinstance(lo, int)
        assert isinstance(hi, int)
        near = [x for x in env.readable() if x.type.kind == "int"]
        a = self.access(rng.choice(near), env, d) if near else self.literal(t, env)
        options = (
            [f"({a} + 1)", f"({a} - 1)", f"({a} * 2)", f"({a} + {self.expr(t, env, d)})"] if self.wild else []
        )
        if lo == 0:
            options += [f"({a} % {hi + 1})", f"(({a} + 1) % {hi + 1})"]
        if self.wild and near:
            b = self.access(rng.choice(near), env, d)
            options += [f"({a} / {b})", f"(7 % {b})"]
        sets = [x for x in env.readable() if x.type.kind == "set"]
        if sets:
            options.append(f"size({self.access(rng.choice(sets), env, d)})")
        slots = [x for x in env.readable() if x.type.kind in ORDERED]
        if slots:
            options.append(f"to_int({self.access(rng.choice(slots), env, d)})")
        if not options:
            return self._leaf(t, env, d)
        text = rng.choice(options)
        return text if self.wild else f"(({text} - {lo}) % {hi - lo + 1} + {lo})"

    def _word(self, env: Env, d: int) -> str:
        words = [x for x in env.readable() if x.type == U8]
        return self.access(self.rng.choice(words), env, d) if words else f"trunc8({self.rng.randint(0, 300)})"
