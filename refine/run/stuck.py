"""Which threads can never move again: backwards from where they move, over the states that a search has found.

A thread that cannot move in a state may do so later, in some state reachable from it. What is told of every state
already is the mask of threads held up there. A thread is free in a state where it moves, and in each state from
which one step of others leads to a state where it is free; whoever is not free is stuck.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from refine.run.compile import Program


class Placement(Protocol):
    """Canonical forms under symmetry, for a caller that must know who is who afterwards."""

    def placed(self, packed: int) -> tuple[int, tuple[int, ...]]:
        """Return the canonical form, and for each thread the number of the thread that it has become."""
        ...


class Collector:
    """Stands in for the set of states seen: takes note of every successor, and wants none of them kept."""

    def __init__(self) -> None:
        self.states: dict[int, None] = {}

    def __contains__(self, packed: int) -> bool:
        self.states[packed] = None
        return True


def successors_of(program: Program, packed: int) -> list[int]:
    """Return the raw successors of one state, in order, each once."""
    collector = Collector()
    program.expand([packed], collector, None, None, {}, {})
    return list(collector.states)


def stuck_threads(
    program: Program,
    seen: Mapping[int, int],
    held: Mapping[int, int],
    waiting: Sequence[int],
    placement: Placement | None,
    *,
    hope: bool = True,
) -> Iterator[tuple[int, int]]:
    """Yield each state with stuck threads, and their mask, in the order in which the states were found.

    `held` has the masks of threads that cannot move, by state. Of `waiting` states, and of states that were not
    seen, nothing is known: with `hope` all threads are free there, without it none is.
    """
    everyone = (1 << len(program.threads)) - 1
    now = dict(held)
    for packed in waiting:
        now.pop(packed, None)
    if not hope:
        now.update(dict.fromkeys(waiting, everyone))
    _along_the_tree(program, seen, now, exact=placement is None)
    _Fixpoint(program, now, seen, waiting, placement, 0 if hope else everyone).run()
    resting = [(t.offset, (1 << t.width) - 1, t.resting, t.bit) for t in program.threads]
    for packed in held:
        mask = now.get(packed, 0)
        # Where others may change a thread's location, `held` has the resting ones too.
        for offset, width, rest, bit in resting if mask else ():
            if mask & bit and packed >> offset & width in rest:
                mask &= ~bit
        if mask:
            yield packed, mask


def _along_the_tree(program: Program, seen: Mapping[int, int], held: dict[int, int], *, exact: bool) -> None:
    """Free along the links from states to their parents, which cost nothing: children come after parents."""
    top = 1 << program.layout.bits
    for child, parent in reversed(seen.items()):  # type: ignore[call-overload]
        mask = held.get(parent)
        if mask is None or child >= top:
            continue
        after = held.get(child)
        if after is None:
            del held[parent]
        elif exact:
            mask &= after
            if mask:
                held[parent] = mask
            else:
                del held[parent]


class _Fixpoint:
    """Frees over all transitions of the states that are still open, until nothing changes."""

    def __init__(
        self,
        program: Program,
        held: dict[int, int],
        seen: Mapping[int, int],
        waiting: Sequence[int],
        placement: Placement | None,
        beyond: int,
    ) -> None:
        self.program = program
        self.held = held
        self.seen = seen
        self.waiting = frozenset(waiting)
        self.placement = placement
        self.beyond = beyond  # the threads taken to be held up in states that were not seen
        self.waiters: dict[int, list[int]] = {}  # by state, those whose answer depends on it
        self.links: dict[int, list[tuple[int, tuple[int, ...] | None]]] = {}

    def run(self) -> None:
        work = [s for s in reversed(self.held) if s not in self.waiting]
        while work:
            again: dict[int, None] = {}
            for packed in work:
                before = self.held.get(packed)
                if before is None:
                    continue
                after = self._mask(packed, before)
                if after == before:
                    continue
                if after:
                    self.held[packed] = after
                else:
                    del self.held[packed]
                    self.links.pop(packed, None)
                again.update(dict.fromkeys(self.waiters.get(packed, ())))
            work = list(again)

    def _mask(self, packed: int, mask: int) -> int:
        links = self.links.get(packed)
        if links is None:
            links = self._links(packed)
            self.links[packed] = links
            for after, _ in links:
                if after in self.held:
                    self.waiters.setdefault(after, []).append(packed)
        for after, places in links:
            later = self.held.get(after, 0) if after in self.seen else self.beyond
            mask &= later if places is None else _moved_back(later, places)
            if not mask:
                break
        return mask

    def _links(self, packed: int) -> list[tuple[int, tuple[int, ...] | None]]:
        top = 1 << self.program.layout.bits
        raw = [t for t in successors_of(self.program, packed) if t < top]
        if self.placement is None:
            return [(t, None) for t in raw]
        return list(map(self.placement.placed, raw))


def _moved_back(mask: int, places: tuple[int, ...]) -> int:
    """Return the mask of the threads that have become those of `mask`."""
    return sum(1 << k for k, place in enumerate(places) if mask >> place & 1)
