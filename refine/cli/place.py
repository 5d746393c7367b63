"""A report's file: that it can be written is known before the work, and what is there is whole at any time."""

from __future__ import annotations

import os
from pathlib import Path

from refine.text.diag import Reporter


def place(path: Path, reporter: Reporter) -> Place | None:
    """Where a report that is asked for goes; None, with a diagnostic, where it cannot be written."""
    try:
        return Place(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reporter.error("E0613", f"cannot write '{path}': {why}", None)
        return None


class Place:
    """Where one report goes. Until it is written, what was there before stays."""

    def __init__(self, path: Path) -> None:
        """Raise `OSError` or `ValueError` where nothing could be written."""
        self._path = path
        self._part: Path | None = None
        if path.exists() and not path.is_file():
            with path.open("a"):  # a terminal or a pipe can be written to, a folder cannot
                return
        import tempfile

        file, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(file)
        self._part = Path(part)

    def write(self, text: str) -> None:
        """Put the whole report there."""
        if self._part is None:
            self._path.write_text(text, encoding="utf-8")
            return
        self._part.write_text(text, encoding="utf-8")
        self._part.chmod(0o666 & ~_umask())
        self._part.replace(self._path)
        self._part = None

    def leave(self) -> None:
        """Leave nothing behind that was not written."""
        if self._part is not None:
            self._part.unlink(missing_ok=True)
            self._part = None


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
