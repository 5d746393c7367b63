"""Where the shipped grammars, specifications and certificates live, installed or in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Kind = Literal["grammar", "spec", "proofs"]


def root(kind: Kind) -> Path:
    """Return the folder of one kind of shipped data."""
    package = Path(__file__).resolve().parent
    if (package / kind).is_dir():
        return package / kind
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / kind).is_dir():
        return checkout / kind
    raise FileNotFoundError(f"this copy of spte-refine came without its {kind}/ folder: install it again")
