"""`python -m tests.tools.tables` makes the parser's tables anew, after a change of the grammar or of lark."""

from __future__ import annotations

from refine.lang.tables import NAME, dump
from refine.resources import root


def made() -> str:
    """The tables of the grammar as it is."""
    return dump((root("grammar") / "protocol.lark").read_text(encoding="utf-8"))


if __name__ == "__main__":
    (root("grammar") / NAME).write_text(made(), encoding="utf-8")
