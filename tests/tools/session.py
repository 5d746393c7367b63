"""A page as a session: its files are written, its changes applied, its commands run, one after the other.

```spte zap.spte     the file of that name from here on
```diff              a change of the file that its `+++` line names
```console           commands after `$ `, each followed by all that it prints
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from refine import resources
from tests.tools.blocks import Block, blocks

_TIME = re.compile(r" *\b\d+(\.\d+)? (s|min)\b|(?<=\"seconds\": )[\d.]+")
_LIMIT = 300  # seconds for one command


@dataclass(frozen=True, slots=True)
class Run:
    """One command of a page, what the page says that it prints, and what it prints."""

    line: int
    command: str
    written: str
    real: str

    @property
    def agrees(self) -> bool:
        return masked(self.written) == masked(self.real)


def masked(text: str) -> str:
    """What is printed, but for how long it took."""
    return _TIME.sub("TIME", text)


def commands(block: Block) -> Iterator[tuple[int, str, str]]:
    """The commands of a console block: line, command, what is written below it."""
    line, command, below = block.line, "", list[str]()
    for number, text in enumerate(block.body.splitlines(keepends=True), block.line + 1):
        if text.startswith("$ "):
            if command:
                yield line, command, "".join(below)
            line, command, below = number, text[2:].rstrip("\n"), []
        else:
            assert command, f"line {number}: a console block begins with a command"
            below.append(text)
    yield line, command, "".join(below)


def patched(text: str, change: str) -> str:
    """A text after a unified diff whose hunks need no numbers: each old part must be there exactly once."""
    hunks: list[list[str]] = []
    for line in change.splitlines(keepends=True):
        if line.startswith("@@"):
            hunks.append([])
        elif hunks:
            hunks[-1].append(line)
    assert hunks, "a change has hunks"
    for hunk in hunks:
        before = "".join(line[1:] for line in hunk if line[0] in " -")
        after = "".join(line[1:] for line in hunk if line[0] in " +")
        assert text.count(before) == 1, f"this is not in the file, or not once:\n{before}"
        text = text.replace(before, after)
    return text


def environment(home: Path) -> dict[str, str]:
    """An environment that tells a command nothing but where the `spte` of this Python is, and to ask all anew."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "CI": "true"}


def run(command: str, folder: Path) -> str:
    """What a command prints in a folder: diagnostics first, since two pipes keep no order."""
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, text=True,
        encoding="utf-8", capture_output=True, timeout=_LIMIT, check=False,
    )  # fmt: skip
    return done.stderr + done.stdout


def play(page: str, folder: Path) -> Iterator[Run]:
    """Go through a page in a folder that has nothing but the shipped specifications, as a checkout has."""
    for kind in ("spec", "proofs"):
        (folder / kind).symlink_to(resources.root(kind), target_is_directory=True)
    for block in blocks(page):
        match block.info:
            case ["spte", name]:
                (folder / name).write_text(block.body, encoding="utf-8")
            case ["diff"]:
                target = re.search(r"^\+\+\+ (\S+)$", block.body, re.MULTILINE)
                assert target is not None, f"line {block.line}: a change says which file it is of"
                file = folder / target[1]
                file.write_text(patched(file.read_text(encoding="utf-8"), block.body), encoding="utf-8")
            case ["console"]:
                for line, command, written in commands(block):
                    yield Run(line, command, written, run(command, folder))
            case _:
                pass
