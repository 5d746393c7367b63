"""What can still be said of a file with syntax errors: the declarations that could be read are typed.

The declarations with errors are left out, as if there were blanks. Whatever mentions a name of theirs is passed over:
a mistake that is only the consequence of another is worse than one that is told the next time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from refine.lang import ast
from refine.lang.load import Loaded, load_text
from refine.lang.lower import lower_whole
from refine.lang.tokens import grammar
from refine.text.diag import Diagnostic, Reporter, Severity

MOST_ROUNDS = 20  # declarations that are left out, one after the other
_BEGINS = re.compile(r"^[A-Za-z_]", re.MULTILINE)  # a declaration begins at the margin
# A declaration whose own name can be seen; of any other, nobody can tell which name is lost.
_NAMED = re.compile(
    r"((?:shared|ghost)\s+[^=]*?[\w>?]\s+|(?!shared\b|ghost\b)(?:(?:strong\s+)?fair\s+|adversary\s+\w+\s+)*[a-z_]\w*(?:<[^;{]*>)?\s+)[A-Za-z_]\w*\s*[\[=;{(<\":]"
)
_UNKNOWN = "E02"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SYNTAX = "E01"


def type_rest(path: Path, include: Sequence[Path], reporter: Reporter) -> None:
    """Adds the errors in the rest of a file to those of its syntax, which have been reported."""
    own = [d for d in reporter.diagnostics if d.code.startswith(_SYNTAX) and _in(d, path)]
    if not own:
        return
    text = path.read_bytes().decode("utf-8")
    lost: set[str] = set()
    named, broken = True, own
    for _ in range(MOST_ROUNDS):
        text, left_out = _without(text, broken)
        if left_out is None:
            return
        lost |= {name for cut in left_out for name in _NAME.findall(cut)}
        named &= all(_NAMED.match(cut) for cut in left_out)
        trial = Reporter()
        loaded = load_text(text, str(path), (path.parent, *include), trial)
        broken = [d for d in trial.diagnostics if d.code.startswith(_SYNTAX) and _in(d, path)]
        if loaded is not None:
            lower_whole(loaded, {}, trial)
            doubtful = _doubtful(loaded, lost)
            for one in trial.diagnostics:
                error = one.severity is Severity.ERROR and (named or not one.code.startswith(_UNKNOWN))
                if error and _independent(one, loaded, doubtful):
                    reporter.add(one)
        if not broken:
            return


def _in(diagnostic: Diagnostic, path: Path) -> bool:
    return diagnostic.span is not None and diagnostic.span.source.name == str(path)


def _without(text: str, broken: Sequence[Diagnostic]) -> tuple[str, list[str] | None]:
    """The text with blanks for the declarations that have errors, and these; None where nothing can be said."""
    starts = [m.start() for m in _BEGINS.finditer(text)]
    left_out: list[str] = []
    for one in broken:
        assert one.span is not None, "syntax errors have places"
        at = sum(start <= one.span.start for start in starts) - 1
        if at < 0 or not starts:
            return text, None
        # An error at the very beginning may be the end of the one before.
        first = at - 1 if one.span.start == starts[at] and at > 0 else at
        low, high = starts[first], starts[at + 1] if at + 1 < len(starts) else len(text)
        cut = text[low:high]
        if first == 0 or cut.startswith("import"):
            return text, None
        left_out += _parts(cut)
        text = text[:low] + re.sub(r"[^\n]", " ", cut) + text[high:]
    return text, left_out


def _parts(cut: str) -> list[str]:
    """One or two declarations, each from its beginning at the margin on."""
    starts = [m.start() for m in _BEGINS.finditer(cut)]
    return [cut[a:b] for a, b in pairwise([*starts, len(cut)])]


def _doubtful(loaded: Loaded, lost: set[str]) -> set[str]:
    """The names that were left out, and those of declarations that speak of such, and so on."""
    names = {
        item: (n.name if isinstance(n := getattr(item, "name", None), ast.Ident) else "", _mentioned(item))
        for item in loaded.file.items
    }
    declared = {name for name, _ in names.values()} | grammar().terminals.keys()
    for item in loaded.file.items:
        match item:
            case ast.EnumDecl(_, members):
                declared |= {m.name for m in members}
            case ast.MachineDecl(_, edges):
                declared |= {end.name for x in edges for end in (x.source, x.target, x.name)}
            case _:
                pass
    doubtful = lost - declared
    while more := {n for n, said in names.values() if n and n not in doubtful and said & doubtful}:
        doubtful |= more
    return doubtful


def _mentioned(item: ast.Item) -> set[str]:
    return set(_NAME.findall(item.span.text))


def _independent(diagnostic: Diagnostic, loaded: Loaded, doubtful: set[str]) -> bool:
    """Whether an error would be there without the others: nothing in its declaration is in doubt."""
    span = diagnostic.span
    if span is None or span.source != loaded.file.span.source:
        return False
    around = [i for i in loaded.file.items if i.span.start <= span.start and span.end <= i.span.end]
    return bool(around) and not any(_mentioned(item) & doubtful for item in around)
