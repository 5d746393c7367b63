"""The documentation: every example is what it says, and every output is the real one."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from tests.tools import modules, suite
from tests.tools.blocks import Block, blocks, entries, holds, lowered
from tests.tools.session import masked, patched, play

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


# --- the tutorial ------------------------------------------------------------------------------------------------


def test_the_tutorial_prints_what_it_says(tmp_path: Path) -> None:
    commands = 0
    for done in play(page("docs/tutorial.md"), tmp_path):
        commands += 1
        assert masked(done.real) == masked(done.written), (
            f"docs/tutorial.md:{done.line}: {done.command}; if what it prints is right, run "
            "'python -m tests.tools.refresh docs/tutorial.md'"
        )
    assert commands > 5


def test_the_tutorial_ends_with_a_proof() -> None:
    last = [block.body for block in blocks(page("docs/tutorial.md")) if "$ spte prove" in block.body][-1]
    assert last.startswith("$ spte prove zap.spte")
    assert "violated" not in last
    assert "unknown" not in last
    assert " ".join(last.split()).endswith("all as declared")


def test_a_change_must_fit_exactly_once() -> None:
    assert patched("a\nb\nc\n", "--- x\n+++ x\n@@\n a\n-b\n+d\n+e\n") == "a\nd\ne\nc\n"
    for text in ("a\nc\n", "a\nb\na\nb\n"):
        with pytest.raises(AssertionError, match="not once"):
            patched(text, "@@\n a\n-b\n")


# --- the readme --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "docs/certificates.md"])
def test_a_page_prints_what_it_says(name: str, tmp_path: Path) -> None:
    for done in play(page(name), tmp_path):
        assert masked(done.real) == masked(done.written), (
            f"{name}:{done.line}: {done.command}; if what it prints is right, run "
            f"'python -m tests.tools.refresh {name}'"
        )


def test_the_readme_shows_real_verdicts() -> None:
    shown = suite.written(page("README.md"))
    real = suite.sections(
        suite.output(*suite.SHOWN, "spec/lib/lock.spte")
    )  # of several files, warnings are counted
    assert [part for part in shown[:-2] if not any(suite.same(part, other) for other in real)] == []
    assert re.match(r"\d+ specifications?, \d+ claims?, ", shown[-1])


@pytest.mark.slow
def test_the_readme_shows_what_the_whole_suite_prints() -> None:
    shown = suite.written(page("README.md"))
    real = suite.sections(suite.output(*suite.ALL))
    assert suite.same(shown[-1], real[-1])
    assert [part for part in shown if not any(suite.same(part, other) for other in real)] == []


# --- the ledger ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.xdist_group("suite")
def test_the_ledger_is_what_the_suite_finds() -> None:
    assert page("docs/claims.md") == suite.ledger()


def test_every_statement_has_an_answer() -> None:
    assert "**no answer**" not in page("docs/claims.md")


# --- the architecture --------------------------------------------------------------------------------------------


def test_the_table_of_modules_is_that_of_the_package() -> None:
    assert modules.written(page("docs/architecture.md")) == modules.table(), (
        "run 'python -m tests.tools.refresh docs/architecture.md'"
    )


def test_every_module_says_what_it_is() -> None:
    assert "|  |" not in modules.table()


# --- all pages ---------------------------------------------------------------------------------------------------

LINK = re.compile(r"\]\(([^)#\s]+)\)")
PATH = re.compile(r"`((?:docs|grammar|spec|refine|tests|proofs)/[\w./-]+)`")
MODULE = re.compile(r"`(refine(?:\.\w+)+)`")
PAGES = sorted(path.name for path in (CHECKOUT / "docs").glob("*.md"))


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{name}" for name in PAGES)])
def test_what_a_page_points_to_exists(name: str) -> None:
    text = page(name)
    folder = (CHECKOUT / name).parent
    for target in LINK.findall(text):
        assert "://" in target or (folder / target).exists(), target
    for path in PATH.findall(text):
        assert (CHECKOUT / path).exists(), path
    for module in MODULE.findall(text):
        file = CHECKOUT.joinpath(*module.split("."))
        assert file.with_suffix(".py").exists() or (file / "__init__.py").exists(), module


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{name}" for name in PAGES)])
def test_a_page_speaks_of_no_particular_machine(name: str) -> None:
    assert not re.search(r"/(?:work|tmp|root)/|/home/(?!me/)", page(name))
