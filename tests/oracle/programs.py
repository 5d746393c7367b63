"""Random protocols, as text: mostly well-typed, small, and fond of what is easily got wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from tests.oracle.paths import Paths, Proc
from tests.oracle.terms import BOOL, THREAD, U8, Callable, Env, T, Var, int_t, item_of, opt, set_of


@dataclass
class Made:
    """A random protocol, the sizes it is meant to be tried at, and the steps of each thread."""

    seed: int
    text: str
    sizes: dict[str, int]
    steps: dict[str, list[str]] = field(default_factory=dict)
    families: dict[str, T | None] = field(default_factory=dict)


@dataclass
class Library:
    """A type of instances: its text, parameter, and what an instance brings along."""

    name: str
    param: T | None
    lines: list[str]
    vars: list[Var]
    calls: list[Callable]
    procs: list[Proc]
    requires: str = ""


class Maker(Paths):
    """Makes one protocol."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.lines: list[str] = []
        self.sizes: dict[str, int] = {}
        self.indices: list[T] = []
        self.pool: list[T] = [BOOL, BOOL, int_t(0, 2)]
        self.structs: dict[T, list[tuple[str, T]]] = {}
        self.shared: list[Var] = []
        self.calls: list[Callable] = []
        self.procs: list[Proc] = []
        self.threads: list[tuple[str, T | None]] = []
        self.extra: list[str] = []
        self.alike = rng.random() < 0.3  # whether all indices are plain identities, so that symmetry applies

    def protocol(self, seed: int) -> Made:
        rng = self.rng
        self.lines.append(f'protocol p{seed} "random";')
        self.types()
        plan = [T("", "")] * rng.choice([1, 2, 2, 2, 3])
        for k in range(len(plan)):
            family = rng.choice(self.indices) if self.chance(0.6 if self.alike else 0.35) else None
            self.threads.append((f"t{k + 1}", family))
        for _ in range(rng.randint(2, 4)):
            self.variable("shared")
        if self.chance(0.4):
            self.variable("ghost")
        if self.chance(0.5):
            self.library()
        if self.chance(0.3):
            self.function()
        if self.chance(0.35):
            self.op()
        if self.chance(0.4):
            self.proc()
        made = Made(seed, "", self.sizes)
        fuel = rng.choice([4, 5, 6, 8])
        for name, family in self.threads:
            env = self.env(me=True)
            head = f"{rng.choice(['', '', 'fair ', 'strong fair '])}thread {name}"
            if family is not None:
                me = Var(self.fresh("me"), family, (), "const")
                env = env.with_vars(me, me)
                head += f"[{me.name} in {family.text}]"
            body = self.thread_body(env, self.shared, self.procs, max(1, fuel // len(self.threads)))
            self.lines.append(f"{head} {{ {' '.join(body)} }}")
            made.steps[name], made.families[name] = list(self.steps), family
            self.know(name, family)
        for _ in range(rng.choice([0, 0, 1])):
            self.rule()
        for _ in range(rng.randint(1, 3)):
            self.claim(made)
        for name, family in self.threads:
            self.locate(name, family, made.steps[name])
        made.text = "\n".join(self.lines) + "\n"
        return made

    # --- what is declared

    def env(self, **more: bool) -> Env:
        types = (*(t for t in self.pool if t.kind in ("bool", "enum")), *self.indices)
        return Env(
            tuple(self.shared), tuple(self.calls), types, tuple(self.threads), extra=tuple(self.extra), **more
        )

    def types(self) -> None:
        rng = self.rng
        for _ in range(rng.choice([1, 1, 2])):
            kind = "index" if self.alike else rng.choice(["index", "index", "slot", "ring", "gfn"])
            name, size = self.fresh("I"), rng.choice([2, 3] if self.alike else [1, 2, 2, 3])
            text = str(size)
            if self.chance(0.3):
                text = self.fresh("N")
                self.lines.append(f"param {text} = {size} in 1..3;")
                if self.chance(0.3):
                    size = rng.randint(1, 3)
                    self.sizes[text] = size
            self.lines.append(f"{kind} {name}[{text}];")
            self.indices.append(T(kind, name, (1,)))
        if self.chance(0.4):
            name = self.fresh("E")
            members = [self.fresh("A") for _ in range(rng.randint(1, 3))]
            self.lines.append(f"enum {name} {{ {', '.join(members)} }}")
            self.pool.append(T("enum", name, tuple(members)))
        if self.chance(0.4):
            self.machine()
        self.pool += [] if self.alike else self.indices
        self.pool += [*(opt(t) for t in self.indices), *(set_of(t) for t in self.indices)]
        self.pool += [
            rng.choice([int_t(1, 3), int_t(-1, 1), opt(int_t(0, 2)), set_of(int_t(0, 2)), opt(THREAD), U8])
        ]
        if self.chance(0.25):
            name = self.fresh("S")
            fields = [(self.fresh("f"), rng.choice(self.pool)) for _ in range(2)]
            fields = [(f, t) for f, t in fields if t.kind not in ("machine", "index")] or [("flag", BOOL)]
            self.lines.append(f"struct {name} {{ {' '.join(f'{t.text} {f};' for f, t in fields)} }}")
            self.structs[T("struct", name)] = fields
            self.pool.append(T("struct", name))

    def machine(self) -> None:
        name, owners = self.fresh("M"), self.chance(0.5)
        ends = [self.fresh("B") for _ in range(2)]
        edges = [(ends[0], ends[1]), (ends[1], ends[0])]
        if self.chance(0.3):
            edges.append((ends[0], ends[0]))
        text = ""
        for source, end in edges:
            by = self.rng.choice(["", " by owner", " by t1"]) if owners else ""
            text += f" {source} -> {end} : {self.fresh('e')}{by};"
        self.lines.append(f"machine {name} {{{text} }}")
        self.edges[name] = edges
        self.pool.append(T("machine", name, tuple(ends)))

    def variable(self, storage: str) -> None:
        rng = self.rng
        t = rng.choice(self.pool)
        name, dims, clause = self.fresh("g"), "", ""
        over: tuple[T, ...] = ()
        binder = None
        if t.kind in ("bool", "int", "enum", "machine", "opt", "struct") and self.chance(0.4):
            over = (rng.choice([*self.indices, *self.indices, BOOL, int_t(0, 1)]),)
            if t.kind == "bool" and self.chance(0.1):
                over = (*over, rng.choice(self.indices))
            binder = Var(self.fresh("d"), over[0], (), "const")
            dims = f"[{binder.name} in {over[0].text}]" + "".join(f"[{d.text}]" for d in over[1:])
            if self.chance(0.25) and len(over) == 1:
                flat = [x for x in self.shared if x.storage == "shared" and not x.field]
                if flat:
                    known = Env((binder, *flat), types=(), threads=tuple(self.threads))
                    clause = f" alive when {self.expr(BOOL, known, 1)}"
        known = Env((binder,) if binder else (), threads=tuple(self.threads))
        first = "" if t.kind == "struct" else f" = {self.literal(t, known)}"
        if storage == "shared" and t.kind == "bool" and self.chance(0.3):
            first = ""
        self.lines.append(f"{storage} {t.text} {name}{dims}{first}{clause};")
        if t.kind == "struct":
            self.shared += [Var(name, ft, over, storage, f".{f}") for f, ft in self.structs[t]]
            if not over:
                self.shared.append(Var(name, t, (), storage))
        else:
            self.shared.append(Var(name, t, over, storage))

    def function(self, where: str = "", env: Env | None = None) -> None:
        env = env or self.env()
        result = self.rng.choice([t for t in self.pool if t.kind not in ("struct", "machine")])
        formal = Var(
            self.fresh("a"), self.rng.choice([t for t in self.pool if t.kind != "struct"]), (), "const"
        )
        name = self.fresh("fn")
        body = self.expr(result, env.with_vars(formal))
        self.lines.append(f"fn {name}({formal.type.text} {formal.name}) -> {result.text} = {body};")
        self.calls.append(Callable("fn", name, (formal.type,), result))

    def op(self) -> None:
        rng = self.rng
        name = self.fresh("op")
        formal = Var(self.fresh("a"), rng.choice([t for t in self.pool if t.kind != "struct"]), (), "const")
        env = self.env(old=True).with_vars(formal)
        when = f" when {self.expr(BOOL, replace(env, old=False))}" if self.chance(0.4) else ""
        body = " ".join(self.body(env, self.shared, 1, first=True))
        blocks = bool(when) or any(f.name + "(" in body for f in self.calls if f.blocks)
        result, back = None, ""
        if self.chance(0.5):
            result = rng.choice([t for t in self.pool if t.kind != "struct"])
            body += f" return {self.expr(result, env)};"
            back = f" -> {result.text}"
        self.lines.append(f"op {name}({formal.type.text} {formal.name}){back}{when} {{ {body} }}")
        self.calls.append(Callable("op", name, (formal.type,), result, blocks=blocks))

    def proc(self) -> None:
        name = self.fresh("proc")
        formals = [Var(self.fresh("a"), self.rng.choice([BOOL, int_t(0, 2), *self.indices]), (), "const")]
        formals = formals[: self.rng.randint(0, 1)]
        lines, steps = self.proc_body(self.env(me=True).with_vars(*formals), self.shared)
        given = ", ".join(f"{a.type.text} {a.name}" for a in formals)
        self.lines.append(f"proc {name}({given}) {{ {' '.join(lines)} }}")
        self.procs.append(Proc(name, tuple(a.type for a in formals), steps))

    def know(self, name: str, family: T | None) -> None:
        """What later text may say about a thread: where it is."""
        if family is None:
            self.extra += [
                f"({name} at {{{s}}})" for s in self.rng.sample(self.steps, min(2, len(self.steps)))
            ]
            self.extra.append(f"({name} at end)")
        seen = self.own_locals if family is None else [x for x in self.own_locals if not x.dims]
        dims = () if family is None else (family,)
        self.watched += [Var(name, x.type, dims, "ghost", f".{x.name}") for x in seen if not x.dims]

    @property
    def watched(self) -> list[Var]:
        return self.__dict__.setdefault("_watched", [])  # type: ignore[no-any-return]

    @watched.setter
    def watched(self, value: list[Var]) -> None:
        self.__dict__["_watched"] = value

    def rule(self) -> None:
        t = self.rng.choice(self.indices)
        param = Var(self.fresh("p"), t, (), "const")
        env = self.env().with_vars(param)
        calls = tuple(f for f in env.calls if f.kind == "fn")
        when = f" when {self.expr(BOOL, env)}" if self.chance(0.8) else ""
        body = " ".join(self.body(replace(env, old=True, calls=calls), self.shared))
        self.lines.append(f"rule {self.fresh('r')}[{param.name} in {t.text}]{when} {{ {body} }}")

    # --- a type and its instances

    def library(self) -> None:
        lib = self.library_type()
        self.lines += [f"type {lib.name}{f'<{lib.param.text}>' if lib.param else ''} {{", *lib.lines, "}"]
        for _ in range(self.rng.choice([1, 1, 2])):
            name = self.fresh("i")
            dims: tuple[T, ...] = (self.rng.choice(self.indices),) if self.chance(0.35) else ()
            arg = self.rng.choice(self.indices)
            own = [Var(self.fresh("d"), d, (), "const") for d in dims]
            text = f"{lib.name}{f'<{arg.text}>' if lib.param else ''} {name}"
            text += "".join(f"[{x.name} in {x.type.text}]" for x in own)
            if lib.requires:
                k = Var(self.fresh("k"), arg if lib.param else BOOL, (), "const")
                env = replace(self.env().with_vars(k), calls=())
                text += f" {{ {lib.requires}({k.name}) = {self.expr(BOOL, env)}; }}"
            self.lines.append(text + ";")

            def real(t: T, arg: T = arg) -> T:
                if t == lib.param:
                    return arg
                if t.kind in ("opt", "set") and item_of(t) == lib.param:
                    return opt(arg) if t.kind == "opt" else set_of(arg)
                return t

            on = (name, dims)
            self.calls += [
                f._replace(on=on, formals=tuple(map(real, f.formals)), result=f.result and real(f.result))
                for f in lib.calls
            ]
            self.procs += [replace(p, on=on, formals=tuple(map(real, p.formals))) for p in lib.procs]
            if not dims:
                self.watched += [
                    Var(f"{name}.{x.name}", real(x.type), tuple(map(real, x.dims)), "ghost", x.field)
                    for x in lib.vars
                ]

    def library_type(self) -> Library:
        """A type with a lock of its own, some state, an op, a function, perhaps a rule and a procedure."""
        rng = self.rng
        param = T("index", "K", (1,)) if self.chance(0.6) else None
        lib = Library(self.fresh("type"), param, [], [], [], [])
        pool = [BOOL, int_t(0, 2), *([param, opt(param), set_of(param)] if param else [opt(int_t(0, 1))])]
        for _ in range(rng.randint(1, 2)):
            t = rng.choice([t for t in pool if t != param])
            dims = (param,) if param and t.kind in ("bool", "int") and self.chance(0.5) else ()
            x = Var(self.fresh("m"), t, dims)
            lib.vars.append(x)
            first = "" if t.kind == "opt" else f" = {self.literal(t, Env())}"
            lib.lines.append(f"    shared {t.text} {x.name}{''.join(f'[{d.text}]' for d in dims)}{first};")
        types = (BOOL, param) if param else (BOOL,)
        env = Env(tuple(lib.vars), (), types, (), me=True)
        inner: list[Callable] = []
        if self.chance(0.6):
            owner, hold = self.fresh("owner"), self.fresh("hold")
            lib.lines.append(f"    shared thread? {owner} = none;")
            lib.lines.append(f"    hold {hold} = {owner} == self;")
            take, drop = self.fresh("take"), self.fresh("drop")
            lib.lines.append(f"    op {take}() acquires {hold} when {owner} == none {{ {owner} = self; }}")
            need = f"require {self.fresh('r')}: {owner} == self; " if self.chance(0.7) else ""
            lib.lines.append(f"    op {drop}() releases {hold} {{ {need}{owner} = none; }}")
            lib.calls += [
                Callable("op", take, (), None, blocks=True, effect="acquires"),
                Callable("op", drop, (), None, effect="releases"),
                Callable("hold", hold, (THREAD,), BOOL),
            ]
        if self.chance(0.4):
            lib.requires = self.fresh("req")
            lib.lines.append(f"    requires {lib.requires}({(param or BOOL).text} k) -> bool;")
            inner.append(Callable("fn", lib.requires, (param or BOOL,), BOOL))
        env = replace(env, calls=tuple(inner))
        if self.chance(0.5):
            formal = Var(self.fresh("a"), rng.choice(pool), (), "const")
            result, name = rng.choice([BOOL, int_t(0, 2)]), self.fresh("fn")
            body = self.expr(result, replace(env, me=False).with_vars(formal))
            lib.lines.append(f"    fn {name}({formal.type.text} {formal.name}) -> {result.text} = {body};")
            lib.calls.append(Callable("fn", name, (formal.type,), result))
            env = replace(env, calls=(*env.calls, lib.calls[-1]))
        formal = Var(self.fresh("a"), rng.choice(pool), (), "const")
        name, known = self.fresh("op"), replace(env.with_vars(formal), old=True)
        when = f" when {self.expr(BOOL, replace(known, old=False), 1)}" if self.chance(0.4) else ""
        body = " ".join(self.body(known, lib.vars, 1))
        back = f" return {self.expr(BOOL, known, 1)};" if (returns := self.chance(0.5)) else ""
        arrow = " -> bool" if returns else ""
        lib.lines.append(f"    op {name}({formal.type.text} {formal.name}){arrow}{when} {{ {body}{back} }}")
        lib.calls.append(Callable("op", name, (formal.type,), BOOL if returns else None, blocks=bool(when)))
        if self.chance(0.4):
            name = self.fresh("proc")
            lines, steps = self.proc_body(replace(env, old=False), lib.vars)
            lib.lines.append(f"    proc {name}() {{ {' '.join(lines)} }}")
            lib.procs.append(Proc(name, (), steps))
        if self.chance(0.3):
            when = self.expr(BOOL, replace(env, me=False))
            body = " ".join(self.body(replace(env, me=False, old=True), lib.vars))
            lib.lines.append(f"    rule {self.fresh('r')} when {when} {{ {body} }}")
        if self.chance(0.5):
            claim = self.expr(BOOL, replace(env, me=False))
            lib.lines.append(f"    claim {self.fresh('c')}: always {claim};")
        return lib

    # --- what is claimed

    def claim(self, made: Made) -> None:
        env = replace(self.env(), ghosts=True)
        env = env.with_vars(*self.watched)
        name = self.fresh("c")
        word = self.rng.choice(["claim", "claim", "lemma"])
        roll = self.rng.random()
        thread = self.rng.choice(list(made.steps))
        steps = made.steps[thread]
        if roll < 0.35:
            text = f"{word} {name}: {self.rng.choice(['always ', '', 'never '])}{self.expr(BOOL, env)}"
        elif roll < 0.6 and steps:
            some = ", ".join(
                f"{thread}.{s}" for s in self.rng.sample(steps, min(len(steps), self.rng.randint(1, 2)))
            )
            kind = self.rng.choice(["after ", "step of "])
            text = f"{word} {name}: {kind}{some}: {self.expr(BOOL, replace(env, old=True))}"
        elif roll < 0.75:
            text = f"{word} {name}: step {self.expr(BOOL, replace(env, old=True))}"
        elif roll < 0.8 and not self.wild:
            text = f"assume {name}: {self.expr(BOOL, replace(env, ghosts=False))}"
        else:
            text = f"reach {name}: {self.expr(BOOL, env)}"
        self.lines.append(text + ";")

    def locate(self, name: str, family: T | None, steps: list[str]) -> None:
        """Asks, for each step of a thread, whether the thread comes to it."""
        for step in [*steps, "end"]:
            where = f"{name} at {{{step}}}"
            if family is not None:
                where = f"exists z in {family.text}. {name}[z] at {{{step}}}"
            self.lines.append(f"reach at_{name}_{step.replace('.', '_')}: {where};")


def random_program(seed: int) -> Made:
    """The protocol that belongs to a seed."""
    return Maker(Random(seed)).protocol(seed)
