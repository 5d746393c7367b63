"""A file in which all is as declared, told again while nothing has changed that it was found out from.

Kept is what came of each of its jobs, with the fingerprints of all files that were read, and the places where an
import was looked for in vain. What is not as declared is never told from here: its runs are replayed, by the jobs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from refine.cli.agenda import File
from refine.cli.cache import Cache
from refine.cli.files import Target
from refine.cli.plain import Unfit, decoded, encoded
from refine.cli.status import OK
from refine.cli.work import Done
from refine.engine.decide import Sizes
from refine.lang.load import in_vain
from refine.report.audit import Row
from refine.report.result import Origin
from refine.text.span import Source

_ASKED = (
    "verb", "claim", "size", "engine", "steps", "states", "no_symmetry",
    "all_sizes", "systematic", "triples",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One job that was done: what is to be known of it to tell what came of it."""

    sizes: Sizes
    typed: bool
    audits: bool
    done: Done


@dataclass(frozen=True, slots=True)
class Known:
    """A file, and all that was found out about it. `concluded`: rows by their number among the parts', or new ones."""

    name: str
    protocol: str
    doc: str
    library: bool
    parameters: tuple[str, ...]
    origin: Origin
    parts: tuple[Part, ...]
    concluded: tuple[int | Row, ...]

    @property
    def rows(self) -> list[Row]:
        """All that was judged, in the end."""
        found = [one for part in self.parts for one in part.done.rows]
        return [found[one] if isinstance(one, int) else one for one in self.concluded]


class Again:
    """What was found out about files, of one run's questions."""

    def __init__(self, cache: Cache, args: argparse.Namespace) -> None:
        self._cache = cache
        self._args = args
        self._texts: dict[str, str | None] = {}

    def recall(self, target: Target, proof: Path | None) -> Known | None:
        """What is known of a file, if all that it was found out from is as it was."""
        question = self._question(target, proof, self._text(str(target.path.resolve())))
        kept = self._cache.recall(question)
        if kept is None:
            return None
        try:
            if any(_print(self._text(path)) != said for path, said in kept["read"]):
                return None
            sources = {name: Source(name, self._text(path) or "") for name, path in kept["sources"]}
            return _cached(decoded(Known, kept["known"], sources))
        except (ValueError, KeyError, TypeError, IndexError):
            self._cache.refuse(question, "it is no answer to its question")
            return None

    def keep(self, file: File, proof: Path | None, parts: Sequence[Part], rows: Sequence[Row]) -> None:
        """Keep what is known of a file, if all is as declared and would be found again."""
        fine = all(
            part.done.status == OK and not part.done.trouble and not part.done.interrupted for part in parts
        )
        if not fine or any(one.status for one in rows):
            return
        numbers = {id(one): n for n, one in enumerate(one for part in parts for one in part.done.rows)}
        concluded = tuple(numbers.get(id(one), one) for one in rows)
        known = Known(
            file.name, file.protocol, file.doc, file.library, tuple(sorted(file.parameters)), file.origin,
            tuple(replace(part, done=replace(part.done, notes=(), kept=False)) for part in parts), concluded,
        )  # fmt: skip
        loaded = file.loaded
        named = {one.span.source.name: one.span.source for one in (loaded.file, *loaded.libraries)}
        sources = {name: str(Path(name).resolve()) for name in named}
        read: dict[str, str | None] = {
            str(p): None for p in in_vain(loaded, file.target.path, self._args.include)
        }
        read |= {path: _print(named[name].text) for name, path in sources.items()}
        if proof is not None:
            before = self._text(str(proof))
            self._texts.pop(str(proof))
            if before != self._text(str(proof)):
                return
            read[str(proof)] = _print(before)
        try:
            data = encoded(known, named)
        except Unfit:
            return
        answer = {"read": list(read.items()), "sources": list(sources.items()), "known": data}
        text = loaded.file.span.source.text
        self._cache.keep(self._question(file.target, proof, text), answer)

    def _question(self, target: Target, proof: Path | None, text: str | None) -> str:
        args = vars(self._args)
        said = {
            "kind": "file",
            "file": [str(target.path.resolve()), str(target.path), target.name, target.shipped],
            "text": _print(text),
            "alone": args["files"] == [target.name],
            "include": [str(folder.resolve()) for folder in args["include"]],
            "proof": None if proof is None else str(proof.resolve()),
            "asked": {name: args.get(name) for name in _ASKED},
        }
        return json.dumps(said)

    def _text(self, path: str) -> str | None:
        """A file as it is when it is first looked at; None for one that cannot be read."""
        if path not in self._texts:
            try:
                self._texts[path] = Path(path).read_bytes().decode()
            except (OSError, ValueError):
                self._texts[path] = None
        return self._texts[path]


def _print(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def _cached(known: Known) -> Known:
    """The same, with everything marked, and without the time that it once took."""
    parts = []
    for part in known.parts:
        done, result = part.done, part.done.result
        if result is not None:
            findings = tuple(replace(f, outcome=replace(f.outcome, cached=True)) for f in result.findings)
            result = replace(result, findings=findings, seconds=0.0)
        rows = tuple(replace(one, cached=True, seconds=0.0) for one in done.rows)
        parts.append(replace(part, done=replace(done, result=result, rows=rows)))
    # Who observes is declared, and was never decided.
    concluded = tuple(
        one if isinstance(one, int) or one.kind == "observer" else replace(one, cached=True, seconds=0.0)
        for one in known.concluded
    )
    return replace(known, parts=tuple(parts), concluded=concluded)
