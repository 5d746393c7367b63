"""The cache: what was found out before, outside of any repository; a file an answer, none believed that is not whole.

Each entry has its whole question in it, and a check sum over both. One that does not have what it should is told,
removed, and asked again. It is plain data: nothing in it is ever run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from refine import resources

Data = Any  # of JSON

MOST_BYTES = 256 << 20
_SOLVERS = ("cvc5", "lark", "numpy", "pysmt", "python_sat", "z3_solver")
_OFF = ("", "0", "false", "no")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where answers are kept, and by what: the tool and its solvers in their versions. Goes to other processes."""

    folder: Path
    made_by: str


def shelf(wanted: bool = True) -> Shelf | None:
    """The shelf of this user; none under CI, where every answer is to be new."""
    if not wanted or os.environ.get("CI", "").lower() not in _OFF:
        return None
    try:
        return Shelf(_folder(), made_by())
    except RuntimeError:  # a user without a home
        return None


def _folder() -> Path:
    if own := os.environ.get("SPTE_CACHE"):
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative path there is to be ignored, says who defines it.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "spte"


@cache
def made_by() -> str:
    """A fingerprint of all that answers are made by: this code, the grammars, Python, the libraries' versions."""
    found = hashlib.sha256(f"{sys.version} {sys.platform}".encode())
    package = Path(resources.__file__).parent
    for file in sorted([*package.rglob("*.py"), *filter(Path.is_file, resources.root("grammar").iterdir())]):
        found.update(f"{file.name} ".encode() + file.read_bytes())
    found.update(" ".join(sorted(set(_installed()))).encode())
    return found.hexdigest()


def _installed() -> Iterator[str]:
    for folder in filter(None, sys.path):
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208 (names are all that is wanted, of hundreds)
                if name.endswith((".dist-info", ".egg-info")) and name.lower().startswith(_SOLVERS):
                    yield name


class Cache:
    """What is on a shelf, for one process. `notes`: what is to be told of it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._able = True
        self.notes: list[str] = []
        self.answered = 0
        self.missed = 0
        self.written = 0
        if not _private(shelf.folder):
            self._give_up("it can be written by others")

    def recall(self, question: str) -> Data | None:
        """What was kept as the answer to a question."""
        if not self._able:
            return None
        path = self._path(question)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            self._remove(path, "it is damaged")
            return None
        except OSError as error:
            self._give_up(error.strerror or str(error))
            return None
        try:
            answer = _opened(text, self._key(question))
        except ValueError as error:
            self._remove(path, str(error))
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        self.answered += 1
        return answer

    def keep(self, question: str, answer: Data) -> None:
        """Keep an answer, whole or not at all."""
        if not self._able:
            return
        path = self._path(question)
        body = json.dumps({"question": self._key(question), "answer": answer})
        part = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._shelf.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            part.touch(mode=0o600)
            part.write_text(f"{_sum(body)}\n{body}", encoding="utf-8")
            part.replace(path)
            self.written += 1
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            self._give_up(error.strerror or str(error))

    @property
    def answered_all(self) -> bool:
        """Whether nothing had to be decided."""
        return self.answered > 0 and not self.missed

    def refuse(self, question: str, why: str) -> None:
        """Remove an entry that turned out to be no answer."""
        self.answered -= 1
        self._remove(self._path(question), why)

    def trim(self, most: int = MOST_BYTES) -> None:
        """Remove what was not used for longest, where there is more than `most` bytes."""
        found = []
        with contextlib.suppress(OSError):
            for path in self._shelf.folder.glob("*/*"):
                at = path.stat()
                found.append((at.st_mtime, at.st_size, path))
            left = sum(size for _, size, _ in found)
            for _, size, path in sorted(found):
                if left <= most:
                    break
                path.unlink(missing_ok=True)
                left -= size

    def _key(self, question: str) -> str:
        return f"{self._shelf.made_by} {question}"

    def _path(self, question: str) -> Path:
        name = _sum(self._key(question))
        return self._shelf.folder / name[:2] / name[2:]

    def _remove(self, path: Path, why: str) -> None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        self.notes.append(f"an entry of the cache was not believed, and removed: {why} ({path})")

    def _give_up(self, why: str) -> None:
        if self._able:
            self.notes.append(f"the cache in {self._shelf.folder} is not used: {why}")
        self._able = False


def _private(folder: Path) -> bool:
    """Whether nobody else may write there; what is not there yet will be so."""
    try:
        at = folder.stat()
    except OSError:
        return True
    return at.st_uid == os.getuid() and not at.st_mode & 0o022


def _opened(text: str, key: str) -> Data:
    """The answer in an entry. Raises `ValueError` where it is not what was written for this question."""
    total, _, body = text.partition("\n")
    if total != _sum(body):
        raise ValueError("its check sum is wrong")
    entry = json.loads(body)
    if not isinstance(entry, dict) or entry.get("question") != key or "answer" not in entry:
        raise ValueError("it answers another question")
    return entry["answer"]


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
