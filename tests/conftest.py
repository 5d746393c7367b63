"""What all tests share: where the checkout is, and random tests that repeat themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Specifications among the tests are data, many of them bad: `pytest tests` proves none of them.
collect_ignore_glob = ["*.spte"]

# No answer of an earlier run is believed, and none is left behind, in whoever's folder that would be.
os.environ["CI"] = "true"

# The same examples in every run, however slow the machine; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout that is tested."""
    return Path(__file__).resolve().parents[1]
