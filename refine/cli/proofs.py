"""Certificates on disk: where each belongs, reading and writing it, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from refine import resources
from refine.cli.files import Target
from refine.cli.place import Place
from refine.cli.status import UNKNOWN
from refine.engine.decide import Sizes
from refine.engine.items import Recheck, Reprove
from refine.engine.judge import kind_of
from refine.lang.certificate import (
    AGAIN,
    LANGUAGE,
    Certificate,
    Exhaustive,
    Malformed,
    Steps,
    Unbounded,
    read,
)
from refine.report.audit import Row
from refine.report.result import SizeResult

SUFFIX = ".proof"
_SEARCHES = ("explore", "live")


@dataclass(slots=True)
class Proofs:
    """The certificates of one run. `folder`: where they are, if not beside the specifications."""

    folder: Path | None = None
    anew: bool = False  # none is read, all are written
    checker: str = ""
    _read: dict[Path, Certificate | str | None] = field(default_factory=dict)

    def place(self, target: Target) -> Path:
        """Where the certificate of a specification belongs: that of a shipped one among the shipped ones."""
        shipped = resources.root("spec").resolve()
        path = target.path.resolve()
        below = path.relative_to(shipped) if path.is_relative_to(shipped) else None
        if self.folder is not None:
            return self.folder / (below or Path(path.name)).with_suffix(SUFFIX)
        if below is not None:
            return resources.root("proofs") / below.with_suffix(SUFFIX)
        return target.path.with_suffix(SUFFIX)

    def of(self, target: Target) -> Certificate | str | None:
        """The certificate of a specification; why it cannot be read; or that there is none."""
        place = self.place(target)
        if place not in self._read:
            self._read[place] = self._load(place)
        return self._read[place]

    def _load(self, place: Path) -> Certificate | str | None:
        try:
            found = read(place.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"cannot read {place.name}: {error.strerror or error}"
        except (UnicodeDecodeError, Malformed) as error:
            return f"{place.name} is no certificate: {error}"
        return found if found.language == LANGUAGE else f"{place.name} is of another version of the language"

    # --- checking -------------------------------------------------------------------------------------------

    def items(self, target: Target, rows: Sequence[Sizes]) -> Iterator[Recheck]:
        """All that is to be checked again."""
        found = None if self.anew else self.of(target)
        if isinstance(found, Certificate):
            for section in found.sections:
                if isinstance(section, Unbounded):
                    yield Recheck(section, ())
                    continue
                for core in section.cores:
                    row = _matching(core[0], rows)
                    if row is not None and not isinstance(section, Exhaustive):
                        yield Recheck(_at(section, core[0], row), row)

    def misfits(self, target: Target, rows: Sequence[Sizes]) -> Iterator[Row]:
        """That a certificate cannot be read, or speaks of sizes that are not declared."""
        found = None if self.anew else self.of(target)
        if isinstance(found, str):
            yield _refused("certificate", f"{found}; {AGAIN}")
        if not isinstance(found, Certificate):
            return
        for section in found.sections:
            for core in section.cores if not isinstance(section, Unbounded) else ():
                if _matching(core[0], rows) is None:
                    yield _refused(kind_of(section), f"there is no size {_shown(core[0])}; {AGAIN}")

    def left_out(self, target: Target, result: SizeResult) -> Iterator[Row]:
        """What was proved at a size and is not in the certificate, or was looked at in other states."""
        found = None if self.anew else self.of(target)
        if not isinstance(found, Certificate):
            return
        sized = [s for s in found.sections if not isinstance(s, Unbounded)]
        mine = [s for s in sized if any(_same(core[0], result.sizes) for core in s.cores)]
        said = {name for section in mine for name in section.claims}
        proved = [f.name for f in result.findings if f.outcome.word == "proved"]
        missing = [name for name in proved if name not in said]
        if missing and any(f.outcome.engine in _SEARCHES for f in result.findings if f.name in missing):
            why = f"it says nothing of {missing[0]} at {_shown(result.sizes)}; {AGAIN}"
            yield _refused("certificate", why)
        for section in mine:
            if isinstance(section, Exhaustive) and result.complete:
                count = next(n for sizes, _, n in section.cores if _same(sizes, result.sizes))
                if count != result.states:
                    why = f"{count} states at {_shown(result.sizes)}, and not {result.states}; {AGAIN}"
                    yield _refused(kind_of(section), why)

    # --- making ---------------------------------------------------------------------------------------------

    def reprove(self, target: Target, results: Sequence[SizeResult]) -> Reprove:
        """What is to be certified."""
        proved = tuple((result.sizes, tuple(_proved(result))) for result in results)
        return Reprove(proved, self.checker, target.name)

    def write(self, target: Target, text: str) -> Proofs:
        """Put a certificate in its place, to be read again. Raises `OSError` where that cannot be."""
        place = self.place(target)
        if self.folder is None and place.is_relative_to(Path(resources.__file__).parent):
            raise PermissionError(f"{target.name} is installed with spte: give a folder with --proofs")
        place.parent.mkdir(parents=True, exist_ok=True)
        Place(place).write(text)
        return Proofs(self.folder)


def _proved(result: SizeResult) -> Iterator[tuple[str, int | None]]:
    for finding in result.findings:
        if finding.outcome.word == "proved":
            searched = finding.outcome.engine in _SEARCHES and result.complete
            yield finding.name, result.states if searched else None


def _at(section: Steps, sizes: Sizes, row: Sizes) -> Steps:
    """The section with one of its sizes written as the file has it."""
    return replace(section, cores=tuple((row if s == sizes else s, core) for s, core in section.cores))


def _matching(sizes: Sizes, rows: Iterable[Sizes]) -> Sizes | None:
    return next((row for row in rows if _same(row, sizes)), None)


def _same(one: Sizes, two: Sizes) -> bool:
    return dict(one) == dict(two)


def _shown(sizes: Sizes) -> str:
    return ", ".join(f"{name} {n}" for name, n in sizes) or "its one size"


def _refused(name: str, why: str) -> Row:
    return Row("certificate", name, "refused", 1, why=why)


def unwritten(name: str, why: str) -> Row:
    """That a certificate could not be written."""
    return Row("proof", name, "not written", UNKNOWN, why=why)
