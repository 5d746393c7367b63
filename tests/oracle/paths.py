"""Random thread bodies, as text: steps, local code, branches, loops, calls of procedures."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.oracle.deeds import Deeds
from tests.oracle.terms import BOOL, U8, Env, T, Var, int_t, opt


@dataclass
class Proc:
    """A procedure that can be called: on which instance (and its dims), with what, and the steps it takes."""

    name: str
    formals: tuple[T, ...]
    steps: tuple[str, ...]
    on: tuple[str, tuple[T, ...]] | None = None


@dataclass
class Spot:
    """Where in a thread something is generated."""

    env: Env
    targets: list[Var]  # shared and ghost variables
    locals: list[Var]
    procs: list[Proc]
    depth: int
    loop: bool = False
    jumps: bool = True  # whether a jump may come: not before the first step of a loop


class Paths(Deeds):
    """Makes the bodies of threads and procedures. `steps` are those made, `fuel` how many may follow."""

    steps: list[str]
    own_locals: list[Var]
    fuel: int

    def thread_body(self, env: Env, targets: list[Var], procs: list[Proc], fuel: int) -> list[str]:
        self.steps, self.own_locals, self.fuel = [], [], fuel
        spot = Spot(env, targets, [], procs, 2)
        lines = [self.local(spot) for _ in range(self.rng.randint(0, 2))]
        self.own_locals = list(spot.locals)
        if self.chance(0.6):
            lines += self.sequence(spot)
        if self.chance(0.5):
            lines += self.loop(replace(spot, depth=1), forever=True)
        elif self.chance(0.75) or not self.steps:
            lines += self.head(replace(spot, depth=0))
        return lines

    def proc_body(self, env: Env, targets: list[Var]) -> tuple[list[str], tuple[str, ...]]:
        self.steps, self.fuel = [], 2
        spot = Spot(env, targets, [], [], 1)
        lines = [self.local(spot)] if self.chance(0.5) else []
        lines += self.head(spot)
        if self.chance(0.3):
            lines.append(f"if ({self.local_cond(spot)}) {{ return; }}")
        if self.chance(0.5):
            lines += self.sequence(spot)
        return lines, tuple(self.steps)

    # --- local code

    def own(self, spot: Spot) -> Env:
        return replace(spot.env.with_vars(*spot.locals), local=True, old=False, extra=())

    def local(self, spot: Spot) -> str:
        """Declares a local; it is known from there on."""
        rng = self.rng
        indices = [t for t in spot.env.types if t.kind in ("index", "slot", "ring", "gfn")]
        known = {x.type for x in self.own(spot).readable()}
        named = [t for t in indices if t in known] if self.alike else indices
        options = [BOOL, BOOL, int_t(0, 2), *named, *(opt(t) for t in indices)]
        if self.chance(0.2):
            options.append(U8)
        if self.edges and self.chance(0.3):
            name, edges = rng.choice(list(self.edges.items()))
            options = [T("machine", name, tuple(dict.fromkeys(end for e in edges for end in e)))]
        t = rng.choice(options)
        made = Var(self.fresh("x"), t, (), "local")
        init = f" = {self.expr(t, self.own(spot), 1)}" if t.kind == "index" or self.chance(0.7) else ""
        dims = ""
        if indices and t.kind == "bool" and self.chance(0.15):
            made = made._replace(dims=(rng.choice(indices),))
            dims, init = f"[{made.dims[0].text}]", ""
        spot.locals.append(made)
        return f"{t.text} {made.name}{dims}{init};"

    def local_code(self, spot: Spot) -> str:
        if not spot.locals or self.chance(0.25):
            return self.local(spot)
        env = self.own(spot)
        targets = [x for x in spot.locals if x.type.kind != "machine"]
        if not targets:
            return self.local(spot)
        text = self._assign(env, targets, 0)
        if self.chance(0.3):
            text = f"if ({self.local_cond(spot)}) {{ {text} }}"
            if self.chance(0.3):
                text += f" else {{ {self._assign(env, targets, 0)} }}"
        return text

    def local_cond(self, spot: Spot) -> str:
        return self.expr(BOOL, self.own(spot), 1)

    # --- steps

    def step(self, spot: Spot) -> str:
        self.fuel -= 1
        name = self.fresh("s")
        self.steps.append(name)
        env = replace(spot.env.with_vars(*spot.locals), old=False)
        head = f"step {name}"
        if self.chance(0.1):
            head = f"idle {head}"
        if spot.env.types and self.chance(0.6 if self.alike else 0.2):
            among = [t for t in spot.env.types if t.kind == "index"] if self.alike else []
            among = among or list(spot.env.types)
            param = Var(self.fresh("p"), self.rng.choice(among), (), "const")
            env = env.with_vars(param)
            head += f"[{param.name} in {param.type.text}]"
        if self.chance(0.25):
            conds = [self.expr(BOOL, env) for _ in range(self.rng.choice([1, 1, 2]))]
            head += " when " + ", ".join(f"{self.fresh('g')}: {c}" if self.chance(0.3) else c for c in conds)
        targets = [*spot.targets, *spot.locals, *spot.locals]
        body = self.body(replace(env, old=True), targets) if targets else []
        return f"{head} {{ {' '.join(body)} }}"

    def head(self, spot: Spot) -> list[str]:
        """Takes a step on every path, with local code before it perhaps; no jump comes first."""
        scope = self.inside(spot)
        lines = [self.local_code(scope) for _ in range(self.rng.choice([0, 0, 1]))]
        roll = self.rng.random()
        procs = [p for p in spot.procs if self.fuel >= len(p.steps)]
        if spot.depth > 0 and roll < 0.2:
            branches = [" ".join(self.head(self.inside(scope))) for _ in range(2)]
            return [*lines, f"choose {{ {' or '.join(branches)} }}"]
        if spot.depth > 0 and roll < 0.3:
            one, two = (" ".join(self.head(self.inside(scope))) for _ in range(2))
            return [*lines, f"if ({self.local_cond(scope)}) {{ {one} }} else {{ {two} }}"]
        if procs and roll < 0.5:
            return [*lines, self.proc_call(scope, self.rng.choice(procs))]
        return [*lines, self.step(scope)]

    def proc_call(self, spot: Spot, proc: Proc) -> str:
        label = self.fresh("l")
        self.fuel -= len(proc.steps)
        self.steps += [f"{label}.{proc.name}.{s}" for s in proc.steps]
        env = self.own(spot)
        args = [self.expr(t, env, 1) for t in proc.formals]
        if proc.on is not None:
            name, dims = proc.on
            args.insert(0, name + "".join(f"[{self.literal(d, self.own(spot))}]" for d in dims))
        return f"{label}: {proc.name}({', '.join(args)});"

    def inside(self, spot: Spot) -> Spot:
        return replace(spot, locals=list(spot.locals), depth=spot.depth - 1)

    # --- statements

    def sequence(self, spot: Spot) -> list[str]:
        lines: list[str] = []
        for _ in range(self.rng.randint(1, 3)):
            lines += self.statement(spot)
        return lines

    def statement(self, spot: Spot) -> list[str]:
        roll = self.rng.random()
        if self.fuel <= 0 or roll < 0.15:
            return [self.local_code(spot)]
        if roll < 0.5 or spot.depth <= 0:
            return self.head(replace(spot, depth=0))
        if roll < 0.6:
            return [self.branch(spot)]
        if roll < 0.7:
            return [f"maybe {{ {self.nested(spot)} }}"]
        if roll < 0.8:
            branches = [self.nested(spot) for _ in range(self.rng.randint(2, 3))]
            if self.chance(0.2):
                branches[-1] = ""
            return [f"choose {{ {' or '.join(branches)} }}"]
        if roll < 0.9 and spot.env.types:
            return [self.for_each(spot)]
        return self.loop(spot, forever=False)

    def nested(self, spot: Spot) -> str:
        inner = self.inside(spot)
        lines = [self.local_code(inner)] if self.chance(0.3) else []
        lines += self.sequence(inner)
        return " ".join(lines) + self.jump(inner)

    def jump(self, spot: Spot) -> str:
        """A way out of what is around, at the end of a block."""
        words = ["break;", "continue;"] if spot.loop else []
        if self.chance(0.2):
            words.append("return;")
        return " " + self.rng.choice(words) if words and self.chance(0.35) else ""

    def branch(self, spot: Spot) -> str:
        text = f"if ({self.local_cond(spot)}) {{ {self.nested(spot)} }}"
        if self.chance(0.3):
            text += f" else if ({self.local_cond(spot)}) {{ {self.nested(spot)} }}"
        if self.chance(0.4):
            text += f" else {{ {self.nested(spot)} }}"
        return text

    def for_each(self, spot: Spot) -> str:
        t = self.rng.choice([x for x in spot.env.types if x.kind != "bool"] or [BOOL])
        each = Var(self.fresh("v"), t, (), "const")
        inner = replace(self.inside(spot), env=spot.env.with_vars(each, each), loop=True)
        lines = self.head(replace(inner, loop=False))
        if self.fuel > 0 and self.chance(0.5):
            lines += self.sequence(inner)
        if self.chance(0.3):
            lines.append(f"if ({self.local_cond(inner)}) {{ {self.rng.choice(['break', 'continue'])}; }}")
            if self.chance(0.5):
                lines.append(self.local_code(inner))
        return f"for each {each.name} in {t.text} {{ {' '.join(lines)} }}"

    def loop(self, spot: Spot, forever: bool) -> list[str]:
        inner = replace(self.inside(spot), loop=True)
        lines = self.head(replace(inner, loop=False))
        if self.chance(0.5):
            lines += self.sequence(inner)
        if self.chance(0.4) and not forever:
            cond = self.local_cond(spot)
            return [f"while ({cond}) {{ {' '.join(lines)} }}"]
        if not forever or self.chance(0.4):
            lines.append(f"if ({self.local_cond(inner)}) {{ break; }}")
        return [f"loop {{ {' '.join(lines)} }}"]
