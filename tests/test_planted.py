"""Planted errors in lowering and in the explicit reading: the comparison of the semantics catches each.

Those in the solver's reading, in induction, symmetry, stuck threads and replay are planted where these are tested:
tests/smt, tests/engine and tests/run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from refine.core import expr as e
from refine.core.expr import Op
from refine.core.fold import transform
from refine.lang import actions, lower, points
from refine.lang.load import load_text
from refine.run import eval as explicit
from refine.text.diag import Reporter
from tests.test_semantics import disagreements

PROGRAM = """protocol planted;

index node[2];
shared int(0..3) n = 0;
shared u8 word = 250;
shared bool seen[node] = false;
shared bool go = false;

op twice() { n += 1; word += 4; if (old(n) == 0) n += 1; }

thread walker {
    for each v in node {
        bool first;
        step look { first = !seen[v]; }
        if (first) { step mark { seen[v] = true; } }
        step leave when n < 3 { go = true; }
    }
    step tally { twice(); }
    step end_it when n == 2 { word += 4; if (word < 10) { n = 3; } else { n = 1; } }
}
rule reset when go { go = false; }

claim tallied: after walker.tally: n == old(n) + 2;
reach wrapped: walker at end && word == 2;
"""


def found() -> list[str]:
    reporter = Reporter()
    loaded = load_text(PROGRAM, "planted.spte", (), reporter)
    assert loaded is not None, reporter.sorted()
    system = lower.lower(loaded, {}, reporter)
    assert system is not None, reporter.sorted()
    return disagreements(loaded, system, {}, solver=0, most=500)


def drop_a_frame(patch: pytest.MonkeyPatch) -> None:
    """A rule forgets one of the variables that its step assigns."""
    add = lower._Lowering.add

    def planted(self: Any, *args: Any, **others: Any) -> None:
        add(self, *args, **others)
        self.rules[-1] = replace(self.rules[-1], updates=self.rules[-1].updates[1:])

    patch.setattr(lower._Lowering, "add", planted)


def read_old_after(patch: pytest.MonkeyPatch) -> None:
    """`old(x)` reads the present value."""
    close = actions._close

    def planted(x: e.Expr, env: actions.Env, entry: actions.Env) -> e.Expr:
        plain = transform(x, lambda y: y.args[0] if y.op is Op.OLD else None)
        return close(plain, env, entry)

    patch.setattr(actions, "_close", planted)


def pick_twice(patch: pytest.MonkeyPatch) -> None:
    """`for each` does not remember whom it has visited."""
    patch.setattr(points, "_with", lambda seen, cursor: e.const(seen.root_type, frozenset()))


def take_the_wrong_branch(patch: pytest.MonkeyPatch) -> None:
    """What is joined after an `if` is the other arm's."""
    merge = actions.Exec.merge

    def planted(self: actions.Exec, arms: list[tuple[e.Expr, actions.Env]]) -> None:
        conds = [c for c, _ in arms]
        merge(self, list(zip(conds, [env for _, env in reversed(arms)], strict=True)))

    patch.setattr(actions.Exec, "merge", planted)


def never_wait(patch: pytest.MonkeyPatch) -> None:
    """A step ignores its `when`."""
    patch.setattr(actions.Exec, "wait", lambda self, conjuncts, scope: None)


def saturate(patch: pytest.MonkeyPatch) -> None:
    """Machine words stop at their largest value, in the explicit reading."""
    patch.setattr(
        explicit, "_wrap", lambda type_, n: min(n, (1 << type_.bits) - 1) if hasattr(type_, "bits") else n
    )


def test_the_program_means_the_same_in_all_semantics() -> None:
    assert not found()


@pytest.mark.parametrize(
    "plant", [drop_a_frame, read_old_after, pick_twice, take_the_wrong_branch, never_wait, saturate],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_a_planted_error_is_caught(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert found()
