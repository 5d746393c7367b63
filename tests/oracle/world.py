"""A state that can be changed, and where threads stand in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.oracle import values as v
from tests.oracle.program import Scope


@dataclass
class Frame:
    """One level of where a thread stands: `kind` is seq, while, loop, each, call; `store` has its locals."""

    kind: str
    node: int
    pos: int = 0
    store: dict[tuple[Any, ...], v.Value] = field(default_factory=dict)
    decls: dict[str, v.Ty] = field(default_factory=dict)
    label: tuple[str, ...] = ()
    scope: Scope | None = None  # of a call
    left: tuple[v.Value, ...] = ()  # of a for each: what is still to come
    now: tuple[v.Value, ...] = ()  # and the one that it is at

    def freeze(self) -> tuple[Any, ...]:
        store, decls = tuple(self.store.items()), tuple(self.decls.items())
        return self.kind, self.node, self.pos, store, decls, self.label, self.scope, self.left, self.now

    def copy(self) -> Frame:
        return Frame(
            self.kind, self.node, self.pos, dict(self.store), dict(self.decls), self.label, self.scope, self.left,
            self.now,
        )  # fmt: skip

    @staticmethod
    def thaw(x: tuple[Any, ...]) -> Frame:
        return Frame(x[0], x[1], x[2], dict(x[3]), dict(x[4]), *x[5:])


@dataclass
class World:
    """A state that can be changed: the scalars of all variables by name and way, and where each thread is."""

    cells: dict[tuple[Any, ...], v.Value]
    threads: dict[v.Thr, list[Frame]]

    def copy(self) -> World:
        return World(dict(self.cells), {t: [f.copy() for f in fs] for t, fs in self.threads.items()})
