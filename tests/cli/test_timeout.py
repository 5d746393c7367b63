"""A timeout is kept by whoever does not look at the clock, too: its process is ended."""

from __future__ import annotations

import time
from typing import cast

import pytest

from refine.cli import pool
from refine.cli.status import UNKNOWN
from refine.cli.work import Interrupts, Job, Options
from refine.lang.load import Loaded
from tests.cli.specs import Sleeper


@pytest.mark.parametrize("count", [1, 2])
def test_a_job_that_ignores_its_deadline_is_ended(count: int) -> None:
    job = Job(cast(Loaded, Sleeper()), "sleeper", (), Options(timeout=0.5), ())
    began = time.monotonic()
    found = list(pool.run([job] * 2, count, lambda job, tick: None, Interrupts()))
    assert time.monotonic() - began < 60
    assert [done and (done.trouble, done.status) for done in found] == [
        ("out of time, and had to be ended", UNKNOWN)
    ] * 2


def test_the_grace_is_short() -> None:
    assert pool.grace(1) == 2
    assert pool.grace(600) == 60
