"""Protective elements: what the safety of a protocol may rest on, where it stands, and the names it goes by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from refine.lang import ast
from refine.text.span import Span

Kind = Literal["assumption", "guard", "branch", "hold", "call"]


@dataclass(frozen=True, slots=True)
class Element:
    """One protective element: a named assumption, a part of a `when`, an `if`, the taking of a hold, a call.

    `key` is its address: the steps, labels and calls around it. `group` is a name for all elements of one instance
    that are alike: `mmu_lock.write`, `tlb.vcpu.acked`.
    """

    key: str
    kind: Kind
    text: str
    span: Span
    group: str = ""
    protects: str = ""  # what a call does, in the words of its declaration: flush, kick, wait, …
    shared: bool = True  # whether it looks at, or does, anything beyond the thread's own locals
    named: bool = True  # whether whoever wrote the specification gave it a name
    library: bool = False  # stands inside a library type
    rule: bool = False  # stands in a rule: it says what hardware, guest or host do, and protects only where it is named

    @property
    def thread(self) -> str:
        return self.key.partition(".")[0]


def shown(span: Span, most: int = 60) -> str:
    """A piece of a specification in one line."""
    text = " ".join(span.text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


@dataclass(frozen=True, slots=True)
class Reason:
    """What a claim says it rests on: the name as it is written, and the elements meant, by their keys."""

    name: str
    keys: tuple[str, ...]
    redundant: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Outline:
    """What of a lowered file edits may speak of: by address, each statement; the protective elements; the reasons."""

    statements: Mapping[str, ast.Stmt] = field(default_factory=dict)
    steps: frozenset[str] = frozenset()  # addresses of steps
    rules: frozenset[str] = frozenset()
    elements: tuple[Element, ...] = ()
    given: Mapping[str, tuple[Given, ...]] = field(
        default_factory=dict
    )  # by claim, the reasons as they are written
    holds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # before each step, those surely held
    weaker: Mapping[str, Weaker] = field(default_factory=dict)  # calls that have a weaker neighbour
    neighbours: tuple[tuple[str, str], ...] = ()  # statements of the file that follow one another in a block
    observers: tuple[Observed, ...] = ()

    def element(self, key: str) -> Element:
        return next(x for x in self.elements if x.key == key)

    @property
    def threads(self) -> frozenset[str]:
        return frozenset(s.partition(".")[0] for s in self.steps)

    @property
    def reasons(self) -> dict[str, tuple[Reason, ...]]:
        """By claim, what its reasons name; nothing, where it is not there."""
        return {
            claim: tuple(Reason(str(g.path), self.meant(g), g.redundant, g.path.span) for g in given)
            for claim, given in self.given.items()
        }

    def meant(self, given: Given) -> tuple[str, ...]:
        """The elements that a reason names, by their keys."""
        return meant(str(given.path), self.elements, self.threads, given.owner)

    def named(self, path: ast.Path) -> tuple[str, ...]:
        """The elements that a path of the file itself names, by their keys."""
        return meant(str(path), self.elements, self.threads)

    def with_more(self, other: Outline) -> Outline:
        """What is there at one size or at another: at some, steps and branches cannot be reached."""
        elements = {x.key: x for x in (*other.elements, *self.elements)}
        return replace(
            self,
            statements={**other.statements, **self.statements},
            steps=self.steps | other.steps,
            elements=tuple(
                elements[x.key]
                for x in dict.fromkeys((*self.elements, *other.elements))
                if x is elements[x.key]
            ),
            holds={**other.holds, **self.holds},
            weaker={**other.weaker, **self.weaker},
        )


@dataclass(frozen=True, slots=True)
class Given:
    """A reason as a claim gives it; `owner` is the instance in whose type the claim stands."""

    path: ast.Path
    owner: str
    redundant: bool


@dataclass(frozen=True, slots=True)
class Weaker:
    """Of a call, the neighbours that do less; `hold`: which one it takes or gives up."""

    names: tuple[ast.Ident, ...]
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """An observer that the imported libraries know: who plays it here, or why it is left out."""

    name: str
    doc: str
    players: tuple[str, ...] = ()
    inherent: bool = False
    why: str | None = None

    @property
    def modelled(self) -> bool:
        return self.inherent or bool(self.players)


def meant(path: str, elements: Iterable[Element], threads: Iterable[str], owner: str = "") -> tuple[str, ...]:
    """The keys of the elements that a path names; `owner` is the instance in whose type it stands.

    A whole address, a group, or a tail of one names what it is the name of. A step, label or procedure stands for
    the outermost elements within it. After the name of a thread, the rest is looked for in that thread.
    """
    known = tuple(elements)
    for name in dict.fromkeys((f"{owner}.{path}" if owner else path, path)):
        parts = tuple(name.split("."))
        found = [x.key for x in known if name in (x.key, x.group)]
        if not found and parts[0] in threads:
            own = [x for x in known if x.thread == parts[0]]
            rest = parts[1:]
            found = [x.key for x in own if rest and _is_tail(rest, x.key.split(".")[1:])]
            found = found or _outermost([x.key for x in own if _within(rest, x.key.split(".")[1:])])
        elif not found:
            found = [x.key for x in known if x.group and _is_tail(parts, x.group.split("."))]
            found = found or [x.key for x in known if _is_tail(parts, x.key.split("."))]
            found = found or _outermost([x.key for x in known if _within(parts, x.key.split("."))])
        if found:
            return tuple(found)
    return ()


def _is_tail(parts: tuple[str, ...], own: list[str]) -> bool:
    return tuple(own[-len(parts) :]) == parts


def _within(parts: tuple[str, ...], own: list[str]) -> bool:
    """Whether the parts are the tail of a proper beginning of an address."""
    return not parts or any(_is_tail(parts, own[:k]) for k in range(1, len(own)))


def _outermost(keys: list[str]) -> list[str]:
    return [k for k in keys if not any(k.startswith(f"{other}.") for other in keys)]
