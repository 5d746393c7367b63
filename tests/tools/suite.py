"""What `make prove` prints, the part of it that the README shows, and the ledger."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.tools.blocks import ELLIPSIS
from tests.tools.session import environment, masked

CHECKOUT = Path(__file__).resolve().parents[2]
ALL = ("spec/",)
SHOWN = ("spec/x86/tlb_shootdown.spte",)  # the files whose verdicts are shown
_MARKED = re.compile(r"(<!-- prove: .*? -->\n)(.*?)(<!-- end of prove -->)", re.DOTALL)
_LIMIT = 3600


def output(*files: str) -> str:
    """What `spte prove` prints for some files of the checkout, without diagnostics.

    Where `SPTE_SUITE` is set, `make check` has just run it: what it printed for all of them is in a file of that name.
    """
    printed = os.environ.get("SPTE_SUITE")
    if printed and files == ALL:
        return (CHECKOUT / f"{printed}.txt").read_text(encoding="utf-8")
    return _said("prove", *files)


def ledger() -> str:
    """The ledger of all specifications of the checkout, as it is now; links are those of a page in `docs`."""
    printed = os.environ.get("SPTE_SUITE")
    if printed:
        text = (CHECKOUT / f"{printed}.md").read_text(encoding="utf-8")
    else:
        text = _said("report", *ALL)
    return re.sub(r"\]\((?:\.\./)*spec/", "](../spec/", text)


def _said(verb: str, *files: str) -> str:
    command = [str(Path(sys.executable).parent / "spte"), verb, *files]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment(CHECKOUT), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, encoding="utf-8", timeout=_LIMIT, check=False,
    )  # fmt: skip
    return done.stdout


def sections(printed: str) -> list[str]:
    """The paragraphs of an output: those of the files, which begin with their names, the table, the last line."""
    return [part.strip("\n") for part in re.split(r"\n\n(?=\S)", printed.strip("\n"))]


def shown(printed: str) -> str:
    """The block of the README, for the output of the whole suite."""
    parts = sections(printed)
    picked = [part for part in parts if part.startswith(SHOWN)]
    return "\n".join(
        ["", "```text", ELLIPSIS, "", *_between(picked), parts[-2], "", parts[-1], "```", "", ""]
    )


def _between(parts: list[str]) -> list[str]:
    lines = []
    for part in parts:
        lines += [part, "", ELLIPSIS, ""]
    return lines


def written(page: str) -> list[str]:
    """The paragraphs that a page shows, without what is left out."""
    found = _MARKED.search(page)
    block = re.search(r"```text\n(.*?)```", found[2], re.DOTALL) if found is not None else None
    return [part for part in sections(block[1]) if part != ELLIPSIS] if block is not None else []


def marked(page: str) -> bool:
    """Whether a page shows what the suite prints."""
    return _MARKED.search(page) is not None


def replaced(page: str, printed: str) -> str:
    """The page with what the suite prints now."""
    return _MARKED.sub(lambda found: found[1] + shown(printed) + found[3], page)


def same(one: str, other: str) -> bool:
    """Whether two paragraphs differ in times only."""
    return " ".join(masked(one).split()) == " ".join(masked(other).split())
