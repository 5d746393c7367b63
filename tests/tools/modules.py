"""The table of all modules, each with the first line of its docstring."""

from __future__ import annotations

import ast
import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_MARKED = re.compile(r"(<!-- modules: .*? -->\n)(.*?)(<!-- end of modules -->)", re.DOTALL)


def table() -> str:
    """All modules of the package by room; a room's own line is its `__init__`'s."""
    lines = ["", "| module | what it is |", "|---|---|"]
    for file in sorted((CHECKOUT / "refine").rglob("*.py"), key=_order):
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        parts = file.relative_to(CHECKOUT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        shown = f"**`{name}`**" if parts[-1] == "__init__" else f"`{name}`"
        lines.append(f"| {shown} | {text.partition(chr(10))[0].replace('|', chr(92) + '|')} |")
    return "\n".join([*lines, "", ""])


def _order(file: Path) -> tuple[str, bool, str]:
    return (str(file.parent), file.stem != "__init__", file.stem)


def written(page: str) -> str | None:
    """The table that a page has between its marks."""
    found = _MARKED.search(page)
    return found[2] if found is not None else None


def replaced(page: str) -> str:
    """The page with the table as it should be."""
    return _MARKED.sub(lambda found: found[1] + table() + found[3], page)
