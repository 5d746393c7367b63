"""A line or two that tell what is going on: on a terminal only, elsewhere not even the library is loaded."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live as RichLive

_EVERY = 0.1  # seconds


class Live:
    """The lines. Whatever else is printed must `clear` them first."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._live: RichLive | None = None
        self._wanted = sys.stderr.isatty()
        self._last = 0.0

    def show(self, lines: str) -> None:
        """Replace the lines."""
        now = time.monotonic()
        if not self._wanted or now - self._last < _EVERY:
            return
        self._last = now
        from rich.text import Text

        if self._live is None:
            from rich.console import Console
            from rich.live import Live as RichLive

            self._live = RichLive(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(Text(lines, overflow="ellipsis", no_wrap=True), refresh=True)

    def clear(self) -> None:
        """Take the lines away."""
        if self._live is not None:
            self._live.stop()
            self._live = None
