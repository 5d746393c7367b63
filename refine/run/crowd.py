"""Canonical forms of many states at once: what `refine.run.canon` gives for each, by vectors of machine words.

A state is a column of words. What `Canon` looks up in tables by the bits of a chunk is gathered here from arrays,
which are filled from the same tables as their rows are asked for. States whose elements tie and are no twins are left
to `Canon`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import permutations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from refine.run.canon import Canon, Part, Table, window
from refine.run.rename import Line

WORD = 64
MOST_ELEMENTS = 4  # of a type: each of its renamings has a row for every value of a chunk
WIDEST = 14  # bits of a chunk

Words: TypeAlias = npt.NDArray[np.uint64]
Places: TypeAlias = npt.NDArray[np.intp]


def together(canon: Canon) -> Callable[[Sequence[int]], list[int]]:
    """Return what makes many states canonical: one by one where the arrays would be large."""
    few = all(t.size <= MOST_ELEMENTS for t in canon.types)
    if few and all(window(chunk)[1].bit_length() <= WIDEST for chunk in canon.chunks):
        return Crowd(canon)
    return lambda states: [canon(packed) for packed in states]


class _Rows:
    """What chunks contribute, a row of words for each of a range of numbers, worked out when it is first asked for."""

    def __init__(self, many: int, words: int, bits: int, total: Callable[[int], int]) -> None:
        self.rows = np.zeros((many, words), np.uint64)
        self.known = np.zeros(many, np.bool_)
        self.bits = bits
        self.total = total

    def __call__(self, numbers: Places) -> Words:
        """Return the row of each number."""
        known = self.known[numbers]
        if not known.all():
            mask = (1 << self.bits) - 1
            for number in np.unique(numbers[~known]).tolist():
                total = self.total(number)
                self.rows[number] = [total >> k * self.bits & mask for k in range(self.rows.shape[1])]
                self.known[number] = True
        found: Words = self.rows[numbers]
        return found


class _Window:
    """Takes the bits of one chunk out of states."""

    def __init__(self, chunk: tuple[Part, ...]) -> None:
        offset, mask = window(chunk)
        self.width = mask.bit_length()
        self.word, at = divmod(offset, WORD)
        self.at, self.mask = np.uint64(at), np.uint64(mask)
        self.over = np.uint64(WORD - at) if at + self.width > WORD else None

    def __call__(self, states: Words) -> Places:
        bits = states[self.word] >> self.at
        if self.over is not None:
            bits |= states[self.word + 1] << self.over
        places: Places = (bits & self.mask).astype(np.intp)
        return places


class Crowd:
    """Makes many states canonical, as `canon` does."""

    def __init__(self, canon: Canon) -> None:
        self.canon = canon
        self._words = max(1, -(-canon.bits // WORD))
        self._windows = {chunk: _Window(chunk) for chunk in canon.chunks}
        self._lines = [list(permutations(range(t.size))) for t in canon.types]
        self._numbers = [
            self._line_numbers(t.size, lines) for t, lines in zip(canon.types, self._lines, strict=True)
        ]
        self._renamers = [self._renamer(k) for k in range(len(canon.types))]
        self._kept = [self._untouched(k) for k in range(len(canon.types))]
        self._signers: dict[int, list[tuple[_Window, _Rows]]] = {}

    def __call__(self, states: Sequence[int]) -> list[int]:
        """Return their canonical forms, in order."""
        bits = self.canon.bits
        if any(x >> bits for x in states):
            forms = self([x & (1 << bits) - 1 for x in states])
            return [form | x >> bits << bits for form, x in zip(forms, states, strict=True)]
        return self._ints(self._least(self._columns(states)))

    def _columns(self, states: Sequence[int]) -> Words:
        size = self._words * WORD // 8
        packed = b"".join([x.to_bytes(size, "little") for x in states])
        return np.array(np.frombuffer(packed, "<u8").reshape(len(states), self._words).T, order="C")

    def _ints(self, columns: Words) -> list[int]:
        out: list[int] = columns[-1].tolist()
        for column in columns[-2::-1]:
            out = [high << WORD | low for high, low in zip(out, column.tolist(), strict=True)]
        return out

    # --- the least ---------------------------------------------------------------------------------------------

    def _least(self, states: Words) -> Words:
        """Fix the types one after the other, as `Canon.least` does; `states` is changed."""
        every = self.canon.every
        todo = [(0, np.arange(states.shape[1]))]
        while todo:
            fixed, who = todo.pop()
            now = states[:, who]
            after = self._fix(now, fixed)
            states[:, who] = now
            for mask in np.unique(after).tolist():
                those = who[after == mask]
                if mask == fixed:  # they tie, and are no twins
                    for place, x in zip(those.tolist(), self._ints(states[:, those]), strict=True):
                        least, _ = self.canon.least(x, fixed)
                        states[:, place] = self._columns([least])[:, 0]
                elif mask != every:
                    todo.append((mask, those))
        return states

    def _fix(self, states: Words, fixed: int) -> Places:
        """Rename the elements of what can be fixed now, in place; return what is fixed then, for each state."""
        canon = self.canon
        lanes = self._lanes(states, fixed)
        after = np.full(states.shape[1], fixed)
        tied = []
        for k, index in enumerate(canon.types):
            if fixed >> k & 1:
                continue
            marks = lanes[:, canon.bases[k] : canon.bases[k] + index.size]
            order = np.argsort(marks, axis=1, kind="stable")
            marks = np.take_along_axis(marks, order, axis=1)
            same = marks[:, 1:] == marks[:, :-1]
            clear = ~same.any(axis=1)
            self._settle(k, states, order, clear, after)
            tied.append((k, order, same))
        left = after == fixed
        for k, order, same in tied:
            if not left.any():
                break
            who = np.flatnonzero(left)
            moved = self._renamed(k, order[who], states[:, who])
            twins = np.ones(len(who), np.bool_)
            for j in range(same.shape[1]):
                swap = np.array(canon.swaps[canon.types[k].size, j, j + 1])
                swapped = self._renamed(k, np.broadcast_to(swap, (len(who), len(swap))), moved)
                twins &= ~same[who, j] | (swapped == moved).all(axis=0)
            states[:, who[twins]] = moved[:, twins]
            after[who[twins]] |= 1 << k
            left[who[twins]] = False
        return after

    def _settle(
        self, k: int, states: Words, order: Places, which: npt.NDArray[np.bool_], after: Places
    ) -> None:
        who = np.flatnonzero(which)
        if len(who):
            states[:, who] = self._renamed(k, order[who], states[:, who])
            after[who] |= 1 << k

    def _lanes(self, states: Words, fixed: int) -> Words:
        """Return the signatures, those of one state in a row."""
        signers = self._signers.get(fixed)
        if signers is None:
            signers = self._signers[fixed] = list(self._signer(fixed))
        total = np.zeros((states.shape[1], sum(t.size for t in self.canon.types)), np.uint64)
        for view, rows in signers:
            total += rows(view(states))
        return total

    def _signer(self, fixed: int) -> Iterator[tuple[_Window, _Rows]]:
        lanes = sum(t.size for t in self.canon.types)
        for chunk, view in self._windows.items():
            table = self.canon.signatures(chunk, fixed)
            yield view, _Rows(1 << view.width, lanes, self.canon.lane, table.__getitem__)

    # --- renaming ----------------------------------------------------------------------------------------------

    def _renamed(self, k: int, lines: Places, states: Words) -> Words:
        """Return the states with the elements of type `k` in the order of `lines`, one of these for each state."""
        size = self.canon.types[k].size
        number = self._numbers[k][(lines * size ** np.arange(size)).sum(axis=1)]
        out = states & self._kept[k][:, None]
        for view, rows in self._renamers[k]:
            out |= rows(number << view.width | view(states)).T
        return out

    def _renamer(self, k: int) -> list[tuple[_Window, _Rows]]:
        lines, out = self._lines[k], []
        for n, chunk in enumerate(self.canon.touched[k]):
            view = self._windows[chunk]
            total = partial(self._moved, k, n, view.width)
            out.append((view, _Rows(len(lines) << view.width, self._words, WORD, total)))
        return out

    def _moved(self, k: int, chunk: int, width: int, number: int) -> int:
        tables: tuple[Table, ...] = self.canon.renaming(k, self._lines[k][number >> width])
        return tables[chunk][number & (1 << width) - 1]

    def _line_numbers(self, size: int, lines: Sequence[Line]) -> Places:
        """Return the number of each line, by its digits to the base of its length."""
        out = np.zeros(size**size, np.intp)
        for number, line in enumerate(lines):
            out[sum(element * size**k for k, element in enumerate(line))] = number
        return out

    def _untouched(self, k: int) -> Words:
        kept = (1 << self.canon.bits) - 1
        for chunk in self.canon.touched[k]:
            offset, mask = window(chunk)
            kept &= ~(mask << offset)
        return np.array([kept >> WORD * n & (1 << WORD) - 1 for n in range(self._words)], np.uint64)
