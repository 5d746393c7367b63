"""From the names on the command line to specifications: files, folders, and what is shipped with the tool."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from refine import resources
from refine.text.diag import Reporter, suggest

SUFFIX = ".spte"


@dataclass(frozen=True, slots=True)
class Target:
    """One specification: where it is, what to call it, and whether it is the shipped one of that name."""

    path: Path
    name: str
    shipped: bool = False


def targets(names: Sequence[str], reporter: Reporter) -> list[Target]:
    """Every specification that is meant, once, in order; what cannot be found is reported."""
    found: dict[Path, Target] = {}
    for name in names:
        for target in _targets(name, reporter):
            found.setdefault(target.path.resolve(), target)
    return list(found.values())


def _targets(name: str, reporter: Reporter) -> Iterator[Target]:
    path, shipped = Path(name), False
    try:
        if not path.exists():
            other = _shipped(name)
            path, shipped = other or path, other is not None
        if path.is_dir():
            below = list(_below(path))
            if not below:
                reporter.error("E0610", f"there is no specification (*{SUFFIX}) in '{name}'", None)
            for file in below:
                yield Target(file, f"{name.rstrip('/')}/{file.relative_to(path)}", shipped)
        elif path.exists():
            yield Target(path, name, shipped)
        else:
            near = _near(name)
            help_ = f"did you mean {near}?" if near else None
            reporter.error("E0601", f"cannot read '{name}': no such file or folder", None, help_)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reporter.error("E0601", f"cannot read '{name}': {why}", None)


def _below(folder: Path) -> Iterator[Path]:
    """All specifications below a folder, sorted; links to folders and hidden folders are passed by."""
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(top, name) for name in sorted(files) if name.endswith(SUFFIX))


def _shipped(name: str) -> Path | None:
    """The shipped file or folder of that name, as `spec/x86/zap.spte` or `x86/zap.spte`; never another."""
    path = Path(name)
    if path.is_absolute():
        return None
    root = resources.root("spec").resolve()
    inside = [root / path, *([root.joinpath(*path.parts[1:])] if path.parts[:1] == ("spec",) else [])]
    for candidate in inside:
        found = candidate.resolve()
        if found.is_relative_to(root) and (found.is_dir() or found.is_file()):
            return found
    return None


def _near(name: str) -> str | None:
    """A specification here, or a shipped one, whose name is nearly `name`."""
    path = Path(name)
    folder = path.parent
    here = [str(folder / file.name) for file in folder.glob(f"*{SUFFIX}")] if folder.is_dir() else []
    root = resources.root("spec")
    shipped = [str(Path("spec") / file.relative_to(root)) for file in _below(root)]
    by_stem = [full for full in (*here, *shipped) if Path(full).stem == path.stem]
    return by_stem[0] if by_stem else suggest(name, [*here, *shipped])
