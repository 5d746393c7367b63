"""Reading a specification and the libraries that it imports, from places that it may read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from refine import resources
from refine.lang import ast
from refine.lang.parse import parse
from refine.text.diag import Reporter, suggest
from refine.text.span import Source, Span

MAX_BYTES = 1 << 20
MAX_FILES = 200


@dataclass(frozen=True, slots=True)
class Loaded:
    """A parsed file, and its libraries: each before those that import it."""

    file: ast.File
    libraries: tuple[ast.File, ...]
    path: str


def load(path: Path, include: Sequence[Path], reporter: Reporter) -> Loaded | None:
    """The file at `path`. None, with diagnostics, where it or a library cannot be read or parsed."""
    text = _read(path, reporter, None)
    if text is None:
        return None
    return _load(Source(str(path), text), path, (path.parent, *include), reporter)


def load_text(text: str, name: str, include: Sequence[Path], reporter: Reporter) -> Loaded | None:
    """Like `load`, of a text in memory; imports are looked for in `include` and the shipped library."""
    return _load(Source(name, text), None, tuple(include), reporter)


def in_vain(loaded: Loaded, path: Path, include: Sequence[Path]) -> Iterator[Path]:
    """Where the imports of a file that was loaded from `path` were looked for before they were found."""
    found = {library.span.source.name for library in loaded.libraries}
    for file in (loaded.file, *loaded.libraries):
        for item in file.items:
            if isinstance(item, ast.Import):
                for root in _roots((path.parent, *include)):
                    candidate = (root / _relative(item)).resolve()
                    if str(candidate) in found:
                        break
                    yield candidate


def _roots(roots: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(r.resolve() for r in (*roots, resources.root("spec")))


def _relative(item: ast.Import) -> Path:
    return Path(*(p.name for p in item.path.parts)).with_suffix(".spte")


def _read(path: Path, reporter: Reporter, span: Span | None) -> str | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            reporter.error("E0607", f"'{path}' is larger than 1 MiB", span)
            return None
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        reporter.error("E0601", f"'{path}' is not UTF-8 text: byte {error.start}", span, "save it as UTF-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reporter.error("E0601", f"cannot read '{path}': {why}", span)
    return None


def _load(source: Source, path: Path | None, roots: tuple[Path, ...], reporter: Reporter) -> Loaded | None:
    file = parse(source, reporter)
    if file is None or (file.role == "library" and not _declares_only(file, reporter)):
        return None
    search = _roots(roots)
    libraries: dict[Path, ast.File] = {}
    ok = _imports(file, search, libraries, (path.resolve(),) if path else (), reporter)
    return Loaded(file, tuple(libraries.values()), source.name) if ok else None


def _imports(
    file: ast.File,
    roots: tuple[Path, ...],
    found: dict[Path, ast.File],
    active: tuple[Path, ...],
    reporter: Reporter,
) -> bool:
    ok = True
    for item in file.items:
        if not isinstance(item, ast.Import):
            continue
        target = _find(item, roots, reporter)
        if target is None:
            ok = False
        elif target in active:
            reporter.error("E0604", f"'{item.path}' imports itself, directly or through others", item.span)
            ok = False
        elif target not in found:
            if len(found) + len(active) > MAX_FILES:
                reporter.error("E0607", f"more than {MAX_FILES} files are imported", item.span)
                return False
            library = _library(item, target, reporter)
            if library is None or not _imports(library, roots, found, (*active, target), reporter):
                ok = False
            else:
                found[target] = library
    return ok


def _library(item: ast.Import, target: Path, reporter: Reporter) -> ast.File | None:
    text = _read(target, reporter, item.span)
    library = parse(Source(str(target), text), reporter) if text is not None else None
    if library is None:
        return None
    if library.role != "library":
        reporter.error(
            "E0605", f"'{item.path}' is a protocol; only a library can be imported", item.span,
            "its file must start with 'library NAME;'",
        )  # fmt: skip
        return None
    return library if _declares_only(library, reporter) else None


def _declares_only(library: ast.File, reporter: Reporter) -> bool:
    """Whether a library has neither state nor threads of its own."""
    fine = True
    for item in library.items:
        match item:
            case ast.Variable(name=name) | ast.Instance(name=name) | ast.RuleDecl(name=name):
                help_ = "put it into a 'type { … }'; the protocol declares instances of that"
            case ast.ThreadDecl(name=name) | ast.Param(name=name) | ast.Edited(name=name):
                help_ = "it belongs to the protocol"
            case _:
                continue
        reporter.error(
            "E0606", f"a library cannot declare '{name.name}', only types, functions, ops and procedures",
            name.span, help_,
        )  # fmt: skip
        fine = False
    return fine


def _find(item: ast.Import, roots: tuple[Path, ...], reporter: Reporter) -> Path | None:
    """The file of an import: below one of the roots, also after links are resolved."""
    relative = _relative(item)
    for root in roots:
        candidate = (root / relative).resolve()
        if candidate.is_file():
            if any(candidate.is_relative_to(r) for r in roots):
                return candidate
            reporter.error(
                "E0603", f"'{item.path}' leads out of the folders that may be read", item.span,
                "give its folder with -I",
            )  # fmt: skip
            return None
    near = [p.stem for root in roots for p in sorted((root / relative).parent.glob("*.spte"))[:100]]
    guess = suggest(item.path.parts[-1].name, near)
    reporter.error(
        "E0602", f"no file '{relative}' to import", item.span,
        f"did you mean '{guess}'?" if guess else "looked for beside the file, in -I folders and in the library",
    )  # fmt: skip
    return None
