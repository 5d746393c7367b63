"""`spte report`: a proof, told as a page: what became of each statement that the specifications cite."""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from refine.cli.agenda import Proof
from refine.cli.check import Run, proofs
from refine.cli.place import place
from refine.cli.sink import PageSink
from refine.cli.status import CONTRADICTION, USAGE, worst
from refine.report.ledger import Ledger, Part, ledger
from refine.report.result import FileResult
from refine.text.diag import Reporter, suggest

LIST = "statements.toml"
_UNANSWERED = 1


def report(args: argparse.Namespace) -> int:
    """Prove, and write the ledger; status 1 also where a statement has no answer."""
    reporter, sink = Reporter(), PageSink()
    parts = _parts(args, reporter)
    out = None if args.output is None else place(args.output, reporter)
    if reporter.diagnostics:
        sink.diagnostics(reporter.sorted())
        return USAGE
    as_proof = argparse.Namespace(**{**vars(args), "verb": "prove"})
    run = Run(as_proof, every=True, agenda=Proof(proofs=proofs(as_proof)), sink=sink if out is None else None)
    try:
        status = run.run()
        # A page that lacks some of it would look whole.
        if run.interrupted or status in (USAGE, CONTRADICTION):
            return status
        found = _ledger(args, run.finished, parts)
        if out is None:
            sys.stdout.write(found.text)
        else:
            out.write(found.text)
    finally:
        if out is not None:
            out.leave()
    for path, name in found.unknown:
        near = suggest(name, {n for part in parts for n in part.statements})
        help_ = f"did you mean '{near}'?" if near else "the list of statements has no such name"
        reporter.error("E0621", f"{path} cites '{name}', which is no statement", None, help_)
    if found.unanswered:
        sink.note(f"without an answer: {', '.join(found.unanswered)}")
    sink.diagnostics(reporter.sorted())
    return worst(
        [status, *([_UNANSWERED] if found.unanswered else []), *([USAGE] if reporter.has_errors else [])]
    )


def _ledger(args: argparse.Namespace, files: Sequence[FileResult], parts: Sequence[Part]) -> Ledger:
    folder = Path() if args.output is None else args.output.parent
    links = {file.path: Path(os.path.relpath(file.path, folder)).as_posix() for file in files}
    return ledger(files, parts, links, f"spte report {' '.join(args.files)}")


# --- the list of statements -----------------------------------------------------------------------------------------


def _parts(args: argparse.Namespace, reporter: Reporter) -> tuple[Part, ...]:
    """The statements that are to be answered: those of the list that is named, or that lies in a folder asked for."""
    beside = [Path(name) / LIST for name in args.files]
    path = args.statements or next((one for one in beside if one.is_file()), None)
    if path is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no UTF-8"
        reporter.error("E0610", f"cannot read '{path}': {why}", None)
        return ()
    try:
        return _read(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, _Misshapen) as error:
        reporter.error("E0620", f"'{path}' is no list of statements: {error}", None, _SHAPE)
        return ()


_SHAPE = (
    'a list has parts: [[part]] with a title, and [part.statements] with lines like "S1.1" = "what is said"'
)


class _Misshapen(Exception):
    """A list of statements that is TOML, and has not the shape of one."""


def _read(data: dict[str, object]) -> tuple[Part, ...]:
    parts = data.pop("part", [])
    if data or not isinstance(parts, list):
        raise _Misshapen(f"it says '{next(iter(data), 'part')}'")
    made = [_part(n, one) for n, one in enumerate(parts, 1)]
    seen: set[str] = set()
    for part in made:
        for name in part.statements:
            if name in seen:
                raise _Misshapen(f"'{name}' stands in it twice")
            seen.add(name)
    return tuple(made)


def _part(n: int, data: object) -> Part:
    if not isinstance(data, dict):
        raise _Misshapen(f"part {n} is no table")
    statements = data.get("statements", {})
    texts = {key: value for key, value in data.items() if key in ("title", "about", "source")}
    other = data.keys() - {"title", "about", "source", "statements"}
    if other:
        raise _Misshapen(f"part {n} says '{min(other)}'")
    if "title" not in texts or not isinstance(statements, dict):
        raise _Misshapen(f"part {n} needs a title, and a table of statements")
    if not all(isinstance(value, str) for value in (*texts.values(), *statements.values())):
        raise _Misshapen(f"in part {n}, something else than a text is said of a name")
    return Part(statements=statements, **texts)
