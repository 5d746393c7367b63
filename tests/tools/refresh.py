"""`python -m tests.tools.refresh PAGE…` brings pages up to date: outputs, rules of examples, the table of modules.

With `--suite`, the output of `make prove` too, and the ledger.

Read what has changed before you commit it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.tools import modules, suite
from tests.tools.blocks import ELLIPSIS, blocks, lowered, raw_entries
from tests.tools.session import play


def parts(page: Path) -> None:
    """Rewrite the table of modules, and the rules below examples: an entry keeps its place by its first line."""
    text = modules.replaced(page.read_text(encoding="utf-8"))
    shown: list[str] = []
    for block in blocks(text):
        if block.kind == "spte":
            with tempfile.TemporaryDirectory() as folder:
                shown = raw_entries(lowered(block.body, Path(folder))[0])
        elif block.kind == "rules":
            real = {_head(entry): entry for entry in shown}
            new = [e if ELLIPSIS in e else real.get(_head(e), e) for e in raw_entries(block.body)]
            body = "\n\n".join(new) + "\n"
            text = text.replace(f"```rules\n{block.body}```", f"```rules\n{body}```", 1)
    page.write_text(text, encoding="utf-8")


def _head(entry: str) -> str:
    """`rule zapper.clear` of `rule zapper.clear  [clear -> free]`."""
    return " ".join(entry.partition("\n")[0].partition("  [")[0].partition(" at ")[0].split()).rstrip(":")


def refresh(page: Path) -> None:
    """Rewrite the outputs that differ; times alone are no difference."""
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = [done for done in play(text, Path(folder)) if not done.agrees]
    for done in reversed(runs):
        first = done.line  # the line after the command, counted from 0
        lines[first : first + len(done.written.splitlines())] = [done.real]
    page.write_text("".join(lines), encoding="utf-8")
    print(f"{page}: {len(runs)} outputs rewritten")


def prove(page: Path) -> None:
    """Rewrite what `make prove` prints; that takes minutes."""
    text = page.read_text(encoding="utf-8")
    page.write_text(suite.replaced(text, suite.output(*suite.ALL)), encoding="utf-8")


if __name__ == "__main__":
    if "--suite" in sys.argv:
        (suite.CHECKOUT / "docs" / "claims.md").write_text(suite.ledger(), encoding="utf-8")
    for name in sys.argv[1:]:
        if name != "--suite":
            parts(Path(name))
            refresh(Path(name))
            if "--suite" in sys.argv and suite.marked(Path(name).read_text(encoding="utf-8")):
                prove(Path(name))
