"""Edits that nobody declared: each element dropped, each call weakened, and, on request, systematic mutants."""

from __future__ import annotations

from collections.abc import Iterator

from refine.engine.items import Tried
from refine.lang import ast
from refine.lang.edits import NO_EDITS, Edits, Rewrite
from refine.lang.elements import Element, Outline
from refine.text.span import Source


def elements(outline: Outline) -> Iterator[Tried]:
    """Each protective element of the protocol's own text dropped alone, and each named one of its libraries' instances.

    Of what a library does inside, only what it gives a name counts, once for each instance.
    """
    for element in outline.elements:
        if not element.library and (element.named if element.rule else element.named or element.shared):
            yield Tried("element", element.key, NO_EDITS.and_dropping([element.key], outline), about=element)
    groups: dict[str, list[Element]] = {}
    for element in outline.elements:
        if element.group:
            groups.setdefault(element.group, []).append(element)
    for group, members in groups.items():
        if len(members) > 1 or members[0].library:
            keys = [x.key for x in members]
            yield Tried("group", group, NO_EDITS.and_dropping(keys, outline), about=members[0])


def weaker(outline: Outline, sources: frozenset[Source]) -> Iterator[Tried]:
    """Each call with a weaker neighbour replaced by it; of a lock, all that a thread does with it."""
    by_hold: dict[tuple[str, str], dict[str, ast.Ident]] = {}
    for address, known in outline.weaker.items():
        stmt = outline.statements.get(address)
        own = stmt is None or stmt.span.source in sources
        for name in known.names:
            if known.hold:
                owner = known.hold.rpartition(".")[0]
                by_hold.setdefault((address.partition(".")[0], owner), {})[address] = name
            elif own:
                yield Tried("weaker", f"{address} to {name.name}", _calling({address: name}, outline))
    for (thread, lock), calls in by_hold.items():
        to = ", ".join(dict.fromkeys(name.name for name in calls.values()))
        yield Tried("weaker", f"{thread}, {lock}: {to}", _calling(calls, outline))


def _calling(calls: dict[str, ast.Ident], outline: Outline) -> Edits:
    return Edits({a: Rewrite(call=name) for a, name in calls.items()}, known=outline.steps)


def systematic(outline: Outline, source: Source) -> Iterator[Tried]:
    """Each statement of the file's threads deleted, each guard negated, each call weakened, neighbours swapped."""
    own = {a: s for a, s in outline.statements.items() if s.span.source == source}
    for address, stmt in own.items():
        if not isinstance(stmt, ast.Local):
            edits = Edits({address: Rewrite(instead=())}, known=outline.steps)
            yield Tried("systematic", f"delete {address}", edits)
    for element in outline.elements:
        if element.kind in ("guard", "branch") and element.span.source == source:
            edits = Edits(negated=frozenset([element.key]), known=outline.steps)
            yield Tried("systematic", f"negate {element.key}", edits)
    for one in weaker(outline, frozenset([source])):
        yield Tried("systematic", f"weaken {one.name}", one.edits)
    for first, second in outline.neighbours:
        if first in own and second in own:
            edits = Edits(
                {first: Rewrite(instead=(own[second],)), second: Rewrite(instead=(own[first],))}, known=outline.steps
            )  # fmt: skip
            yield Tried("systematic", f"swap {first}, {second}", edits)
