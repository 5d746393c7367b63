"""Mutants and variants as a file declares them: each is lowered, so that it is typed, and must change something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from refine.core.system import System
from refine.core.table import show_system
from refine.lang import ast
from refine.lang.edits import Edits, resolve
from refine.lang.load import Loaded
from refine.lang.lower import Lowered, lower_whole
from refine.text.diag import Diagnostic, Reporter, Severity


def check_edited(
    loaded: Loaded, base: Lowered, sizes: Sequence[Mapping[str, int]], reporter: Reporter
) -> None:
    """Types every mutant and variant of a file, at its first size; each must change rules or claims at some size."""
    for item in loaded.file.items:
        if isinstance(item, ast.Edited) and item.edits:
            edits = resolve(item.edits, base.outline, Reporter())  # what is wrong there is known already
            if edits is not None:
                _check(loaded, item, edits, sizes, reporter)


def _check(
    loaded: Loaded, item: ast.Edited, edits: Edits, sizes: Sequence[Mapping[str, int]], reporter: Reporter
) -> None:
    for values in sizes:
        trial = Reporter()
        edited = lower_whole(loaded, values, trial, edits)
        if edited is None:
            for diagnostic in trial.sorted():
                if diagnostic.severity is Severity.ERROR:
                    reporter.add(_of(item, diagnostic))
            return
        plain = lower_whole(loaded, values, Reporter())
        if plain is None or _behaviour(plain.system) != _behaviour(edited.system):
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
