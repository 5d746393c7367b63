"""What is remembered is what would be decided, in every word: of random systems, and of parts of their questions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refine.core import expr as e
from refine.core.system import System
from refine.engine.decide import Decision, Mode, decide
from refine.engine.known import ask
from refine.engine.verdict import Limits
from tests.engine.systems import random_system, tlb_shootdown

SEARCH = Limits(states=400)


@dataclass(slots=True)
class Notebook:
    """A memory that is a dictionary."""

    kept: dict[str, Any] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    missed: int = 0

    def recall(self, question: str) -> Any:
        return self.kept.get(question)

    def keep(self, question: str, answer: Any) -> None:
        self.kept[question] = answer

    def refuse(self, question: str, why: str) -> None:
        self.refused.append(why)
        del self.kept[question]


def forgotten(decision: Decision) -> Decision:
    return replace(decision, cached=frozenset())


@given(random_system(), st.data())
@settings(max_examples=15, suppress_health_check=[*HealthCheck])
def test_whatever_was_asked_before_the_answer_is_the_same(system: System, data: st.DataObject) -> None:
    names = [p.name for p in system.properties]
    before = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
    mode: Mode = "explore"
    memory = Notebook()
    for asked in (before, names, names):
        found = ask(system, asked, SEARCH, None, mode, memory=memory)
        anew = decide(system, asked, SEARCH, None, mode)
        assert forgotten(found) == anew
        assert list(found.answer.verdicts) == asked
    assert memory.refused == []


def test_a_change_to_one_claim_leaves_the_others_as_they_are() -> None:
    system = tlb_shootdown(2, 2, 2)
    names = [p.name for p in system.properties]
    memory = Notebook()
    ask(system, names, Limits(), memory=memory)
    first, *rest = system.properties
    other = replace(first, cond=e.not_(first.cond))
    changed = replace(system, properties=(other, *rest))
    found = ask(changed, names, Limits(), memory=memory)
    assert forgotten(found) == decide(changed, names, Limits())
    assert found.cached == frozenset(names[1:])


def test_another_rule_another_answer() -> None:
    good, bad = (tlb_shootdown(2, 2, 2, buggy=buggy) for buggy in (False, True))
    names = [p.name for p in good.properties]
    memory = Notebook()
    ask(good, names, Limits(), memory=memory)
    found = ask(bad, names, Limits(), memory=memory)
    assert found.cached == frozenset()
    assert found == decide(bad, names, Limits())


@pytest.mark.parametrize("limits", [Limits(states=100), Limits(steps=3), Limits(enough=frozenset({"safe"}))])
def test_within_other_limits_it_is_asked_again(limits: Limits) -> None:
    system = tlb_shootdown(2, 2, 2)
    names = [p.name for p in system.properties]
    limits = replace(limits, enough=frozenset(names[:1])) if limits.enough else limits
    memory = Notebook()
    ask(system, names, Limits(), None, "explore", memory=memory)
    found = ask(system, names, limits, None, "explore", memory=memory)
    assert found.cached == frozenset()
    assert found == decide(system, names, limits, None, "explore")


def test_a_proof_is_no_answer_to_a_reach_nor_a_lie_to_anything() -> None:
    system = tlb_shootdown(2, 2, 2, buggy=True)
    names = [p.name for p in system.properties]
    anew = decide(system, names, Limits())
    for spoil in (
        lambda a: a.pop("verdicts"),
        lambda a: a["verdicts"].clear(),
        lambda a: a.update(states="many"),
        lambda a: [v[2]["events"].pop() for v in a["verdicts"] if v[1] in ("violated", "reached")],
        lambda a: [
            v[2].update(choices=[{"set": 1}]) for v in a["verdicts"] if v[1] in ("violated", "reached")
        ],
        lambda a: [v.__setitem__(1, "reached") for v in a["verdicts"]],
    ):
        memory = Notebook()
        ask(system, names, Limits(), memory=memory)
        for answer in memory.kept.values():
            spoil(answer)
        found = ask(system, names, Limits(), memory=memory)
        assert forgotten(found) == anew
        assert memory.refused
