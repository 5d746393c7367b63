"""The exit status: what it can be, and which of several wins."""

from __future__ import annotations

from collections.abc import Iterable

OK, BROKEN, USAGE, UNKNOWN, CONTRADICTION = 0, 1, 2, 3, 4

_PRECEDENCE = (CONTRADICTION, USAGE, BROKEN, UNKNOWN, OK)


def worst(found: Iterable[int]) -> int:
    """The one of several that is reported."""
    seen = set(found)
    return next((status for status in _PRECEDENCE if status in seen), OK)
