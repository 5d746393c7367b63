"""Texts that a person has read and approved; SPTE_PROMOTE=1 makes what is printed now the approved text."""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    file = GOLDEN / name
    if os.environ.get("SPTE_PROMOTE"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), (
        f"{name} differs; if it is right, run with SPTE_PROMOTE=1"
    )
