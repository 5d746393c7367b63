"""Which threads can never move again: backwards from where they move, over the states that a search has found.

A thread that cannot move in a state may do so later, in some state reachable from it. What the search tells of every
state is the mask of threads held up there. A thread is free in a state where it moves, and in each state from which
one step of others leads to a state where it is free; whoever is never free is stuck. Some transitions are known from
the search and cost little to look at; only states that they leave open are expanded once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from refine.run.canon import Canon
from refine.run.compile import Program

CHUNK = 4096

Get: TypeAlias = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Held:
    """Where a search has seen threads held up: the mask by state, and some successor of each such state (or 0)."""

    mask: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Renaming:
    """Canonical forms under symmetry, those of the successors that the search has made already at hand."""

    canon: Canon
    forms: Mapping[int, int]

    def form(self, packed: int) -> int:
        known = self.forms.get(packed)
        return self.canon(packed) if known is None else known


def stuck_threads(
    program: Program,
    seen: Mapping[int, int],
    held: Held,
    waiting: Sequence[int],
    renaming: Renaming | None,
    *,
    hope: bool = True,
    pause: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, int]]:
    """Yield each state with stuck threads, and their mask, in the order in which the states were found.

    Of `waiting` states, and of states that were not seen, nothing is known: with `hope` all threads are free there,
    without it none is. `pause` is called now and then, and may raise.
    """
    assert program.thaw is not None, "the program was compiled for this question"
    everyone = (1 << len(program.threads)) - 1
    now = dict(held.mask)
    for packed in waiting:
        now.pop(packed, None)
    fixed = {} if hope else dict.fromkeys(waiting, everyone)
    known = _known(now, fixed, seen, 0 if hope else everyone)
    get = _of_successor(known, renaming)
    last = held.last
    forms = last if renaming is None else {s: renaming.form(t) if t else 0 for s, t in last.items()}
    _Links(last, forms, 1 << program.layout.bits).free(now, known, get)
    changes, backward = 1, True
    while changes and now:
        # A chain of states that wait for each other runs with the order of discovery, or against it.
        work = list(reversed(now) if backward else now)
        changes, backward = 0, not backward
        for position in range(0, len(work), CHUNK):
            changes += program.thaw(work[position : position + CHUNK], now, get)
            pause()
    resting = [(t.offset, (1 << t.width) - 1, t.resting, t.bit) for t in program.threads]
    for packed, mask in now.items():
        # Where others may change a thread's location, the resting ones are among those that did not move.
        for offset, width, rest, bit in resting:
            if mask & bit and packed >> offset & width in rest:
                mask &= ~bit  # noqa: PLW2901
        if mask:
            yield packed, mask


def _known(now: dict[int, int], fixed: Mapping[int, int], seen: Mapping[int, int], beyond: int) -> Get:
    """Return what gives the mask of a state, in terms of its own threads."""
    if not beyond:
        return now.get

    def known(packed: int, _: int) -> int:
        if packed in fixed:
            return fixed[packed]
        return now.get(packed, 0) if packed in seen else beyond

    return known


def _of_successor(known: Get, renaming: Renaming | None) -> Get:
    """Return what gives the mask of a successor, in terms of its parent's threads."""
    if renaming is None:
        return known
    form, placed = renaming.form, renaming.canon.placed
    places: dict[int, tuple[int, ...]] = {}

    def renamed(packed: int, default: int) -> int:
        mask = known(form(packed), default)
        if not mask:
            return 0
        after = places.get(packed)
        if after is None:
            after = places[packed] = placed(packed)[1]
        return sum([1 << k for k, place in enumerate(after) if mask >> place & 1])

    return renamed


@dataclass(frozen=True, slots=True)
class _Links:
    """One transition of each state, which the search has written down."""

    last: Mapping[int, int]  # to a successor as the rules make it, or 0
    forms: Mapping[int, int]  # to its canonical form
    fault: int  # where states with a fault begin

    def free(self, now: dict[int, int], known: Get, get: Get) -> None:
        """Free along the links."""
        work = [s for s in reversed(self.last) if s in now]
        before = 2 * len(work)
        while len(work) < before - before // 8:
            before, left, forms, fault = len(work), list[int](), self.forms, self.fault
            for packed in work:
                after = forms[packed]
                if 0 < after < fault and not known(after, 0):
                    del now[packed]
                else:
                    left.append(packed)
            work = left[::-1]
        self._along_chains(work, now, get)

    def _along_chains(self, work: list[int], now: dict[int, int], get: Get) -> None:
        """Follow the links to their ends, and free backwards."""
        tried: set[int] = set()
        add, last, forms, fault = tried.add, self.last, self.forms, self.fault
        for start in work:
            if start in tried:
                continue
            chain: list[int] = []
            packed = start
            while packed in now and packed not in tried:
                add(packed)
                chain.append(packed)
                packed = forms[packed]
            # A chain that bites its own tail is gone through twice: all on the cycle are freed alike.
            chain.reverse()
            for freed in chain if packed not in now else chain + chain:
                after = last[freed]
                mask = now.get(freed, 0)
                if mask and 0 < after < fault:
                    mask &= get(after, 0)
                    if mask:
                        now[freed] = mask
                    else:
                        del now[freed]
