"""Random actions of steps, ops and rules, as text."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.oracle.terms import BOOL, U8, Callable, Env, Terms, Var, item_of

_LISTED = ("bool", "int", "enum", "index", "slot", "ring", "gfn", "opt", "set")


class Deeds(Terms):
    """Makes actions."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.edges: dict[str, list[tuple[str, str]]] = {}  # of machines

    def body(self, env: Env, targets: list[Var], depth: int = 2, first: bool = True) -> list[str]:
        """The actions of a block; the very first of a step may block."""
        lines: list[str] = []
        ops = [f for f in env.calls if f.kind == "op"]
        if ops and self.chance(0.35):
            op = self.rng.choice(ops)
            if first or not op.blocks:
                lines.append(self.op_call(op, env, targets))
                if op.effect:
                    env = replace(env, calls=tuple(f for f in env.calls if not f.effect))
        env = replace(env, calls=tuple(f for f in env.calls if not f.blocks and (depth == 2 or not f.effect)))
        for _ in range(self.rng.randint(0 if lines else 1, 2)):
            if self.chance(0.12):
                t = self.rng.choice([x.type for x in env.readable()] or [BOOL])
                if t.kind != "struct":
                    temp = Var(self.fresh("t"), t, (), "temp")
                    # A name of its own type is read back as that type; what it is computed from may differ.
                    lines.append(f"{t.text} {temp.name} = {self.expr(t, env)};")
                    env, targets = env.with_vars(temp), [*targets, temp]
            lines.append(self.action(env, targets, depth))
        return lines

    def block(self, env: Env, targets: list[Var], depth: int) -> str:
        return "{ " + " ".join(self.body(env, targets, depth, first=False)) + " }"

    def action(self, env: Env, targets: list[Var], depth: int) -> str:
        options = [self._assign] * 6
        if depth > 0:
            options += [self._if, self._if, self._for_all, self._choose, self._havoc]
            if self.chance(0.3):
                options.append(self._restrict)
        return self.rng.choice(options)(env, targets, depth)

    def op_call(self, op: Callable, env: Env, targets: list[Var]) -> str:
        text = self.call(op, env)
        fitting = [x for x in targets if x.type == op.result and x.storage != "ghost"]
        if fitting and self.chance(0.8):
            return f"{self.target(self.rng.choice(fitting), env)} = {text};"
        return f"{text};"

    def target(self, x: Var, env: Env) -> str:
        env = replace(env, old=False)
        return x.name + "".join(f"[{self.expr(d, env, 1)}]" for d in x.dims) + x.field

    def _assign(self, env: Env, targets: list[Var], depth: int) -> str:
        x = self.rng.choice(targets)
        name, t = self.target(x, env), x.type
        if x.storage == "ghost":
            env = replace(env, ghosts=True)
        if t.kind == "machine":
            source, end = self.rng.choice(self.edges[t.text])
            if self.wild and self.chance(0.3):
                return f"{name} = {self.expr(t, env)};"
            return f"if ({name} == {source}) {name} = {end};"
        if t.kind == "set" and self.chance(0.6):
            more = self.expr(item_of(t), env)
            if self.chance(0.2):
                more = f"{{{more}, {self.literal(item_of(t), env)}}}"
            return f"{name} {self.rng.choice(['+=', '-='])} {more};"
        if t.kind in ("int", "word") and self.chance(0.3):
            by = str(self.rng.randint(1, 2)) if t.kind == "int" else str(self.rng.choice([1, 60, 200]))
            if t == U8 or self.wild:
                return f"{name} {self.rng.choice(['+=', '-='])} {by};"
        return f"{name} = {self.expr(t, env)};"

    def _if(self, env: Env, targets: list[Var], depth: int) -> str:
        cond = self.expr(BOOL, env)
        if self.chance(0.3):
            return (
                f"if ({cond}) {self._assign(env, targets, 0)}"
                if not targets_machine(targets)
                else self._if2(cond, env, targets, depth)
            )
        return self._if2(cond, env, targets, depth)

    def _if2(self, cond: str, env: Env, targets: list[Var], depth: int) -> str:
        text = f"if ({cond}) {self.block(env, targets, depth - 1)}"
        if self.chance(0.5):
            if self.chance(0.3):
                text += f" else if ({self.expr(BOOL, env)}) {self.block(env, targets, depth - 1)}"
            text += f" else {self.block(env, targets, depth - 1)}"
        return text

    def _for_all(self, env: Env, targets: list[Var], depth: int) -> str:
        arrays = [x for x in targets if x.dims and x.storage in ("shared", "ghost")]
        if not arrays:
            return self._assign(env, targets, depth)
        x = self.rng.choice(arrays)
        binders = [Var(self.fresh("w"), d, (), "const") for d in x.dims]
        inner = replace(env.with_vars(*binders), ghosts=x.storage == "ghost")
        index = "".join(f"[{b.name}]" for b in binders)
        new = self.expr(x.type, inner)
        act = f"{x.name}{index}{x.field} = {new};"
        if x.type.kind == "machine":
            source, end = self.rng.choice(self.edges[x.type.text])
            act = f"if ({x.name}{index}{x.field} == {source}) {{ {x.name}{index}{x.field} = {end}; }}"
        elif self.chance(0.5):
            act = f"if ({self.expr(BOOL, inner)}) {{ {act} }}"
            if self.chance(0.3):
                act += f" else {{ {x.name}{index}{x.field} = {self.expr(x.type, inner)}; }}"
        head = ", ".join(f"{b.name} in {b.type.text}" for b in binders)
        return f"for all {head} {{ {act} }}"

    def _choose(self, env: Env, targets: list[Var], depth: int) -> str:
        if self.chance(0.4):
            return f"maybe {self.block(env, targets, depth - 1)}"
        branches = [
            " ".join(self.body(env, targets, depth - 1, first=False)) for _ in range(self.rng.randint(2, 3))
        ]
        if self.chance(0.2):
            branches[-1] = ""
        return f"choose {{ {' or '.join(branches)} }}"

    def _havoc(self, env: Env, targets: list[Var], depth: int) -> str:
        fitting = [x for x in targets if x.type.kind in _LISTED]
        if not fitting:
            return self._assign(env, targets, depth)
        x = self.rng.choice(fitting)
        name = self.target(x, env)
        where = ""
        if self.chance(0.6):
            here = Var(name, x.type, (), "const")
            inner = replace(env.with_vars(here, here, here), ghosts=x.storage == "ghost")
            where = f" where {self.expr(BOOL, inner)}"
        return f"havoc {name}{where};"

    def _restrict(self, env: Env, targets: list[Var], depth: int) -> str:
        word = self.rng.choice(["assume", "require"])
        return f"{word} {self.fresh('r')}: {self.expr(BOOL, env)};"


def targets_machine(targets: list[Var]) -> bool:
    """Whether an assignment may come out as an `if`, which does not fit into one without braces."""
    return any(x.type.kind == "machine" for x in targets)
