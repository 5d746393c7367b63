"""The documentation: every example is what it says, and every output is the real one."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.tools.blocks import Block, blocks, entries, holds, lowered

CHECKOUT = Path(__file__).resolve().parents[1]


def page(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def pairs(name: str) -> list[tuple[Block, Block | None]]:
    """Each example of a page, and the rules that stand below it."""
    found = [block for block in blocks(page(name)) if block.kind in ("spte", "rules")]
    following: list[Block | None] = [*found[1:], None]
    return [
        (block, below if below is not None and below.kind == "rules" else None)
        for block, below in zip(found, following, strict=True)
        if block.kind == "spte"
    ]


def at_line(value: object) -> str | None:
    return f"line{value.line}" if isinstance(value, Block) else None


# --- the language ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("example", "rules"), pairs("docs/language.md"), ids=at_line)
def test_an_example_becomes_the_rules_below_it(example: Block, rules: Block | None, tmp_path: Path) -> None:
    shown, diagnostics = lowered(example.body, tmp_path)
    assert {d.code for d in diagnostics} == set(example.info[1:])
    if rules is not None:
        real = entries(shown)
        for entry in entries(rules.body):
            assert any(holds(entry, other) for other in real), "\n".join(entry)


def test_every_set_of_rules_belongs_to_an_example() -> None:
    kinds = [block.kind for block in blocks(page("docs/language.md")) if block.kind in ("spte", "rules")]
    assert ("rules", "rules") not in itertools.pairwise(kinds)
    assert kinds[0] == "spte"
