"""Planted errors in the audit, from relaxations to judgements: each is caught by a named test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from refine.cli import joint
from refine.core import expr as e
from refine.engine import audit, judge
from refine.engine.vacuity import Occurrence
from refine.lang import actions, context
from refine.lang.edits import Edits
from tests.engine import test_judge
from tests.lang import test_edits

Plant = Callable[[pytest.MonkeyPatch], None]
Test = Callable[[], None]


# --- relaxations ----------------------------------------------------------------------------------------------------


def a_call_never_takes_effect(patch: pytest.MonkeyPatch) -> None:
    """Dropped is taken for deleted, so that behaviour is lost, not only added."""
    pick = actions.Exec.pick

    def planted(self: Any, span: Any, name: str = "free") -> e.Expr:
        return pick(self, span, name) if name == "free" else e.TRUE

    patch.setattr(actions.Exec, "pick", planted)


def an_if_is_always_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(actions.Exec, "freely", lambda self, cond, span: e.TRUE)


def an_if_forgets_what_it_tests_for(patch: pytest.MonkeyPatch) -> None:
    """Its branch looks at a value that may be none."""
    patch.setattr(actions.Exec, "freely", lambda self, cond, span: self.pick(span))


def a_guard_is_turned_round(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(context.Context, "negated", lambda self, key: self.edits.dropped >= {key})
    patch.setattr(
        context.Context,
        "relaxed",
        lambda self, element: (
            self.elements.setdefault(element.key, element) and self.edits.drops(element)
            if element.kind != "guard"
            else self.elements.setdefault(element.key, element) is None
        ),
    )


def a_hold_is_dropped_everywhere(patch: pytest.MonkeyPatch) -> None:
    """One taking of a lock is meant, and all are dropped."""
    drop = Edits.and_dropping

    def planted(self: Edits, keys: Iterable[str], outline: Any) -> Edits:
        keys = frozenset(keys)
        groups = {x.group for x in outline.elements if x.key in keys and x.kind == "hold"}
        return drop(self, {x.key for x in outline.elements if x.key in keys or x.group in groups}, outline)

    patch.setattr(Edits, "and_dropping", planted)


def an_edit_changes_the_statement_but_not_what_is_inserted_beside_it(patch: pytest.MonkeyPatch) -> None:
    rewrite = Edits.rewrite

    def planted(self: Edits, address: Any, stmts: Any) -> Any:
        plain = {k: replace(r, before=(), after=()) for k, r in self.rewrites.items()}
        return rewrite(replace(self, rewrites=plain), address, stmts)

    patch.setattr(Edits, "rewrite", planted)


# --- judgements -----------------------------------------------------------------------------------------------------


def a_proof_at_one_size_is_enough(patch: pytest.MonkeyPatch) -> None:
    first = audit.smallest_first
    patch.setattr(audit, "smallest_first", lambda rows: first(rows)[:1])


def a_look_at_few_states_is_enough(patch: pytest.MonkeyPatch) -> None:
    visits = audit._visits

    def planted(rows: Any, how: Any, *, patient: bool) -> Any:
        return list(visits(rows, how, patient=patient))[: len(rows)]

    patch.setattr(audit, "_visits", planted)


def nothing_is_masked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge, "masked", lambda *_: ())


def what_is_undefined_masks_nothing(patch: pytest.MonkeyPatch) -> None:
    right = audit.masked
    patch.setattr(
        judge, "masked", lambda case, base, fate, how: right(case, base, replace(fate, broken={}), how)
    )


def any_claim_that_breaks_is_the_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge, "_named", lambda name, target: True)


def a_variant_may_break_free_claims(patch: pytest.MonkeyPatch) -> None:
    right = audit.fate

    def planted(case: Any, targets: Any, how: Any, **more: Any) -> audit.Fate:
        return right(case, targets, how, **{**more, "free": False})

    patch.setattr(judge, "fate", planted)


def what_was_not_seen_never_happens(patch: pytest.MonkeyPatch) -> None:
    right = audit.happenings

    def planted(case: Any, how: Any, must: Any = lambda _: True) -> audit.Happens:
        found = right(case, how, must)
        known = [Occurrence(name, "step", name) for name in found.open]
        return replace(found, never=(*found.never, *known), open={})

    patch.setattr(judge, "happenings", planted)


def two_nets_are_both_superfluous(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tests.engine.test_judge.settled", list)
    patch.setattr(joint, "settled", list)


def a_late_mutant_is_caught(patch: pytest.MonkeyPatch) -> None:
    right = judge._mutant
    patch.setattr(judge, "_mutant", lambda case, item, how: right(case, replace(item, within=None), how))


PLANTED: list[tuple[Plant, Test]] = [
    (
        a_call_never_takes_effect,
        partial(
            test_edits.test_a_dropped_element_is_relaxed,
            "drop zapper.one.flush;",
            [("step one { flush(v); }", "step one { maybe { flush(v); } }")],
        ),
    ),
    (an_if_is_always_taken, test_edits.test_an_if_becomes_a_free_choice_that_still_tests_for_none),
    (an_if_forgets_what_it_tests_for, test_edits.test_a_dropped_if_still_tests_for_none_before_it_looks),
    (
        a_guard_is_turned_round,
        partial(
            test_edits.test_a_dropped_element_is_relaxed,
            "drop zapper.chosen;",
            [(" when chosen: v !in flushed", "")],
        ),
    ),
    (
        a_hold_is_dropped_everywhere,
        test_edits.test_a_hold_that_is_dropped_in_one_place_still_excludes_elsewhere,
    ),
    (
        an_edit_changes_the_statement_but_not_what_is_inserted_beside_it,
        partial(
            test_edits.test_an_edit_is_what_its_author_would_write,
            "insert after zapper.found { owed = false; }",
            test_edits.BY_HAND["insert after zapper.found { owed = false; }"],
        ),
    ),
    (
        a_proof_at_one_size_is_enough,
        test_judge.test_what_breaks_only_at_the_last_size_is_found_and_a_proof_asks_every_size,
    ),
    (
        a_look_at_few_states_is_enough,
        test_judge.test_a_reason_is_not_needed_only_if_all_states_were_looked_at,
    ),
    (nothing_is_masked, test_judge.test_a_drop_after_which_a_step_never_happens_is_unknown),
    (
        what_is_undefined_masks_nothing,
        test_judge.test_a_drop_after_which_something_is_undefined_is_unknown,
    ),
    (any_claim_that_breaks_is_the_one, test_judge.test_a_mutant_may_break_several_claims_and_says_which),
    (
        a_variant_may_break_free_claims,
        test_judge.test_a_variant_keeps_its_claims_only_if_all_free_claims_hold_too,
    ),
    (
        what_was_not_seen_never_happens,
        test_judge.test_what_never_happens_is_vacuous_and_only_when_proved,
    ),
    (two_nets_are_both_superfluous, test_judge.test_two_safety_nets_are_not_both_superfluous),
    (
        a_late_mutant_is_caught,
        partial(
            test_judge.test_a_mutant_is_caught_if_the_claim_that_it_breaks_is_violated,
            "breaks alone within 3",
            "late",
            "not as declared",
        ),
    ),
]


@pytest.mark.parametrize(("plant", "test"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_error_is_caught(plant: Plant, test: Test, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(
        (AssertionError, ValueError)
    ):  # ValueError: one judgement was expected, and there is none
        test()
