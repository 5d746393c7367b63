"""Which threads can never move again: backwards from where they move, over the states that a search has found.

A thread that cannot move in a state may do so later, in some state reachable from it. What the search tells of every
state is the mask of threads held up there. A thread is free in a state where it moves, and in each state from which
one step of others leads to a state where it is free; whoever is never free is stuck. One transition of each state is
known from the search, and costs little to look at; only states that these leave open are expanded once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TypeAlias

from refine.run.canon import Canon
from refine.run.compile import Program

CHUNK = 4096

Get: TypeAlias = Callable[[int, int], int]


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
    held: Sequence[int],
    waiting: Sequence[int],
    renaming: Renaming | None,
    *,
    hope: bool = True,
    pause: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, int]]:
    """Yield each state with stuck threads, and their mask, in the order in which the states were found.

    `held` is what `expand` has written. Of `waiting` states, and of states that were not seen, nothing is known: with
    `hope` all threads are free there, without it none is. `pause` is called now and then, and may raise.
    """
    assert program.thaw is not None, "the program was compiled for this question"
    everyone = (1 << len(program.threads)) - 1
    unknown = 0 if hope else everyone
    fixed = dict.fromkeys(waiting, unknown)
    now = _along_links(program, seen, held, fixed, renaming, unknown)
    get = _of_successor(_known(now, fixed, seen, unknown), renaming)
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


def _along_links(
    program: Program,
    seen: Mapping[int, int],
    held: Sequence[int],
    fixed: Mapping[int, int],
    renaming: Renaming | None,
    unknown: int,
) -> dict[int, int]:
    """Return who is held up in each state, but those who are free somewhere along the links that the search has kept.

    A link leads from each state to one successor. Every round looks twice as far along them as the one before. Where
    symmetry renames threads on the way, a family as a whole is free or not.
    """
    states, masks, after = held[::3], held[1::3], held[2::3]
    everyone = (1 << len(program.threads)) - 1
    together = [(t.bit, t.bit if renaming is None else 1 << t.family) for t in program.threads]
    families = {mask: _mapped(mask, together) for mask in set(masks)}
    free, open_ = len(states), len(states) + 1
    number = dict(zip(states, range(len(states)), strict=True))
    number.update(dict.fromkeys(fixed, open_ if unknown else free))
    forms = after if renaming is None else [renaming.form(t) if t else 0 for t in after]
    if unknown:
        links = [number.get(t, free if t in seen else open_) for t in forms]
    else:
        links = list(map(number.get, forms, repeat(free)))
    fault = 1 << program.layout.bits
    if max(after, default=0) >= fault or 0 in after:
        links = [k if 0 < t < fault else open_ for k, t in zip(links, after, strict=True)]
    links += free, open_
    found = [*map(families.__getitem__, masks), 0, _mapped(everyone, together)]
    before: list[int] = []
    while found != before:
        before = found
        found = [mask & found[link] for mask, link in zip(found, links, strict=True)]
        links = [links[link] for link in links]
    return {
        packed: mask if renaming is None else masks[k] & _mapped(mask, [(f, bit) for bit, f in together])
        for k, (packed, mask) in enumerate(zip(states, found[:-2], strict=True))
        if mask and packed not in fixed
    }


def _mapped(mask: int, bits: Sequence[tuple[int, int]]) -> int:
    """Return the mask of the second of each pair of bits whose first is in `mask`."""
    out = 0
    for this, that in bits:
        if mask & this:
            out |= that
    return out


def _known(now: dict[int, int], fixed: Mapping[int, int], seen: Mapping[int, int], unknown: int) -> Get:
    """Return what gives the mask of a state, in terms of its own threads."""
    if not unknown:
        return now.get

    def known(packed: int, _: int) -> int:
        if packed in fixed:
            return fixed[packed]
        return now.get(packed, 0) if packed in seen else unknown

    return known


def _of_successor(known: Get, renaming: Renaming | None) -> Get:
    """Return what gives the mask of a successor, in terms of its parent's threads."""
    if renaming is None:
        return known
    form, placed = renaming.form, renaming.canon.placed
    places: dict[int, tuple[int, ...]] = {}

    def renamed(packed: int, default: int) -> int:
        least = form(packed)
        mask = known(least, default)
        if not mask or least == packed:
            return mask
        after = places.get(packed)
        if after is None:
            after = places[packed] = placed(packed)[1]
        return sum([1 << k for k, place in enumerate(after) if mask >> place & 1])

    return renamed
