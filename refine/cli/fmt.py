"""`spte fmt`: specifications in their one layout; a file is replaced whole or not at all."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from refine.cli.files import Target, targets
from refine.cli.status import BROKEN, OK, USAGE, worst
from refine.lang.format import format as laid_out
from refine.lang.parse import parse
from refine.text.diag import Reporter, escape, render
from refine.text.span import Source

_SHOWN = 3  # lines of a difference


def fmt(args: argparse.Namespace) -> int:
    """Lay out every specification named, or say which would change."""
    reporter = Reporter()
    statuses = [_one(target, args.check, reporter) for target in targets(args.files, reporter)]
    for diagnostic in reporter.sorted():
        sys.stderr.write(render(diagnostic, colour=sys.stderr.isatty()) + "\n")
    return worst([*statuses, USAGE if reporter.has_errors else OK])


def _one(target: Target, only_check: bool, reporter: Reporter) -> int:
    if target.shipped:
        reporter.error("E0601", f"cannot read '{target.name}': no such file or folder", None)
        return USAGE
    try:
        text = target.path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reporter.error("E0601", f"cannot read '{target.name}': {_why(error)}", None)
        return USAGE
    file = parse(Source(target.name, text), reporter)
    if file is None:
        return USAGE
    new = laid_out(file)
    if new == text:
        return OK
    if only_check:
        sys.stdout.write(_difference(target.name, text, new))
        return BROKEN
    try:
        _replace(target.path.resolve(), new)
    except OSError as error:
        reporter.error("E0613", f"cannot write '{target.name}': {_why(error)}", None)
        return USAGE
    sys.stdout.write(f"{escape(target.name)}: laid out anew\n")
    return OK


def _replace(path: Path, text: str) -> None:
    """Write beside the file, then put it in its place, with the rights that it had."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        Path(name).chmod(path.stat().st_mode & 0o7777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _difference(name: str, old: str, new: str) -> str:
    """Where the first difference is, and how it looks."""
    before, after = old.split("\n"), new.split("\n")
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    lines = [f"{escape(name)}:{same + 1}: would be laid out anew"]
    lines += [f"  - {escape(line)}" for line in before[same : same + _SHOWN]]
    lines += [f"  + {escape(line)}" for line in after[same : same + _SHOWN]]
    return "\n".join(lines) + "\n"


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else None) or str(error)
