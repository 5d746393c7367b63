"""Mutants and variants as a file declares them: each is lowered, so that it is typed, and must change something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial, reduce

from refine.core.system import System
from refine.core.table import show_system
from refine.lang import ast
from refine.lang.edits import Edits, not_protective, resolve
from refine.lang.elements import Outline
from refine.lang.load import Loaded
from refine.lang.lower import Lowered, lower_whole
from refine.lang.sizes import sizes
from refine.text.diag import Diagnostic, Reporter, Severity


def outline_of(loaded: Loaded, reporter: Reporter) -> Outline | None:
    """What edits of a file may speak of, at all its declared sizes together; None where it has errors.

    Reasons and edits that name nothing at any size are reported.
    """
    return _outline(loaded, _plain(loaded), reporter)


def outline_with(loaded: Loaded, edits: Edits) -> Outline | None:
    """What may be spoken of in an edited file, at all its declared sizes together; None where it has errors."""
    made = [lower_whole(loaded, values, Reporter(), edits) for values in _sizes(loaded)]
    found = [one.outline for one in made if one is not None]
    return _together(found) if len(found) == len(made) else None


def _together(outlines: Sequence[Outline]) -> Outline | None:
    return reduce(Outline.with_more, outlines) if outlines else None


def _plain(loaded: Loaded, known: Lowered | None = None) -> list[tuple[Mapping[str, int], Lowered]]:
    """The file without edits, at all its declared sizes; nothing where it has errors. One may be known already."""
    found = []
    for values in _sizes(loaded):
        if known is not None and dict(known.system.sizes) == values:
            made: Lowered | None = known
        else:
            made = lower_whole(loaded, values, Reporter())
        if made is None:
            return []
        found.append((values, made))
    return found


def _outline(
    loaded: Loaded, plain: Sequence[tuple[Mapping[str, int], Lowered]], reporter: Reporter
) -> Outline | None:
    outline = _together([made.outline for _, made in plain])
    if outline is None:
        return None
    for given in (g for found in outline.given.values() for g in found):
        if not outline.meant(given):
            not_protective(given.path, outline, reporter)
    for item in _edited(loaded):
        resolve(item.edits, outline, reporter)
    return outline


def _sizes(loaded: Loaded) -> tuple[Mapping[str, int], ...]:
    known = sizes(loaded, Reporter())
    return () if known is None else known.all or (known.default,)


def _edited(loaded: Loaded) -> list[ast.Edited]:
    return [item for item in loaded.file.items if isinstance(item, ast.Edited) and item.edits]


def check_edited(loaded: Loaded, reporter: Reporter, known: Lowered | None = None) -> None:
    """Looks up what reasons and edits name; types every mutant and variant, at the first size, if they name something.

    Each must change rules or claims at some size. `known` is the file without edits, if it has been lowered before.
    """
    plain = _plain(loaded, known)
    outline = _outline(loaded, plain, reporter)
    if outline is None:
        return
    behaviours = [(values, cache(partial(_behaviour, made.system))) for values, made in plain]
    for item in _edited(loaded):
        edits = resolve(item.edits, outline, Reporter())  # what is wrong there has been told
        if edits is not None:
            _check(loaded, item, edits, behaviours, reporter)
            _look_up(loaded, item, edits, reporter)


def _look_up(loaded: Loaded, item: ast.Edited, edits: Edits, reporter: Reporter) -> None:
    """Reports what an era names as needed, and does not have."""
    outline = outline_with(loaded, edits) if item.because else None
    if outline is not None:
        for path in item.because:
            if not outline.named(path):
                not_protective(path, outline, reporter)


def _check(
    loaded: Loaded,
    item: ast.Edited,
    edits: Edits,
    behaviours: Sequence[tuple[Mapping[str, int], Callable[[], str]]],
    reporter: Reporter,
) -> None:
    for values, behaviour in behaviours:
        trial = Reporter()
        edited = lower_whole(loaded, values, trial, edits)
        if edited is None:
            for diagnostic in trial.sorted():
                if diagnostic.severity is Severity.ERROR:
                    reporter.add(_of(item, diagnostic))
            return
        if behaviour() != _behaviour(edited.system):
            return
    message = (
        f"{item.role} '{item.name.name}' changes nothing: its rules and claims are those of the protocol"
    )
    reporter.error("E0210", message, item.name.span)


def _behaviour(system: System) -> str:
    return show_system(replace(system, sizes=(), doc="", file=""))


def _of(item: ast.Edited, diagnostic: Diagnostic) -> Diagnostic:
    """An error of the edited file; where it lies outside of the edits, they are what causes it."""
    span = diagnostic.span
    own = (
        span is not None
        and span.source == item.span.source
        and item.span.start <= span.start <= item.span.end
    )
    message = diagnostic.message if own else f"in {item.role} '{item.name.name}': {diagnostic.message}"
    return replace(diagnostic, message=message)
