"""Deciding: the order of the engines, never a weaker verdict, contradictions, and what sizes amount to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest

from refine.core.system import System
from refine.engine import decide as module
from refine.engine.decide import Mode, Outcome, decide, over_sizes, status
from refine.engine.replay import Inconsistent
from refine.engine.verdict import (
    Answer,
    Cause,
    HoldsUpTo,
    Limits,
    Progress,
    Proved,
    Unknown,
    Verdict,
    Violated,
)
from tests.report.systems import stale_use, zap

RUN = stale_use(zap())  # 7 steps
Asked = list[tuple[str, tuple[str, ...]]]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    """Replace the engines by ones that give fixed verdicts on `no_stale_use`, and note who was asked."""

    def plant(**said: Verdict | BaseException) -> Asked:
        asked: Asked = []

        def engine(name: str) -> module.Engine:
            def answer(
                system: System, names: Sequence[str], limits: Limits, progress: Progress | None
            ) -> Answer:
                asked.append((name, tuple(names)))
                found = said[name]
                if isinstance(found, BaseException):
                    raise found
                return Answer(dict.fromkeys(names, found))

            return answer

        def known(mode: Mode, symmetry: bool, limits: Limits) -> list[tuple[str, module.Engine]]:
            return [(name, engine(name)) for name in said]

        monkeypatch.setattr(module, "_engines", known)
        return asked

    return plant


def ask(limits: Limits | None = None) -> tuple[Verdict, str]:
    decision = decide(zap(), ["no_stale_use"], limits or Limits())
    return decision.answer.verdicts["no_stale_use"], decision.engines.get("no_stale_use", "")


def test_what_is_decided_is_not_asked_again(engines: Callable[..., Asked]) -> None:
    asked = engines(explore=Proved("all 9 states"), induct=Violated(RUN))
    assert ask() == (Proved("all 9 states"), "explore")
    assert asked == [("explore", ("no_stale_use",))]


def test_a_stronger_verdict_replaces_a_weaker_one(engines: Callable[..., Asked]) -> None:
    engines(explore=HoldsUpTo(3), induct=Unknown("not inductive"), bmc=HoldsUpTo(20))
    assert ask() == (HoldsUpTo(20), "bmc")


def test_a_weaker_verdict_replaces_nothing(engines: Callable[..., Asked]) -> None:
    engines(explore=HoldsUpTo(30), induct=Unknown("not inductive"), bmc=HoldsUpTo(20))
    assert ask() == (HoldsUpTo(30), "explore")


def test_what_nobody_knows_is_said_by_all(engines: Callable[..., Asked]) -> None:
    engines(explore=Unknown("too many", Cause.LIMIT), induct=Unknown("no", Cause.TIMEOUT))
    verdict, _ = ask()
    assert verdict == Unknown("explore: too many; induct: no", Cause.TIMEOUT)


def test_a_run_within_the_steps_that_hold_is_a_contradiction(engines: Callable[..., Asked]) -> None:
    engines(explore=HoldsUpTo(7), bmc=Violated(RUN))
    with pytest.raises(Inconsistent, match="holds up to 7 steps"):
        ask()


def test_a_longer_run_is_none(engines: Callable[..., Asked]) -> None:
    engines(explore=HoldsUpTo(6), bmc=Violated(RUN))
    assert ask() == (Violated(RUN), "bmc")


def test_an_interruption_ends_the_asking(engines: Callable[..., Asked]) -> None:
    asked = engines(explore=KeyboardInterrupt(), bmc=HoldsUpTo(1))
    decision = decide(zap(), ["no_stale_use"], Limits())
    assert decision.interrupted
    assert len(asked) == 1


def test_no_time_no_question(engines: Callable[..., Asked]) -> None:
    asked = engines(explore=HoldsUpTo(1))
    verdict, _ = ask(Limits(deadline=time.monotonic() - 1))
    assert isinstance(verdict, Unknown)
    assert verdict.cause == Cause.TIMEOUT
    assert asked == []


def test_of_liveness_only_the_engine_for_it_is_asked(engines: Callable[..., Asked]) -> None:
    asked = engines(explore=HoldsUpTo(1))
    decision = decide(zap(), ["ends"], Limits())
    assert not isinstance(decision.answer.verdicts["ends"], Unknown)
    assert decision.engines["ends"] == "live"
    assert asked == []
    bounded = decide(zap(), ["ends"], Limits(), mode="bmc").answer.verdicts["ends"]
    assert isinstance(bounded, Unknown)
    assert bounded.cause == Cause.NO_ENGINE


def test_so_many_steps_are_no_question_for_induction() -> None:
    every = ["explore", "induct", "ic3", "bmc"]
    assert [name for name, _ in module._engines("auto", True, Limits())] == every
    assert [name for name, _ in module._engines("auto", True, Limits(steps=3))] == ["explore", "bmc"]
    assert [name for name, _ in module._engines("bmc", True, Limits())] == ["bmc"]


ONE, TWO, THREE = ((("VCPUS", n),) for n in (1, 2, 3))
PROVED, HOLDS = Outcome("proved", why="all 9 states", engine="explore"), Outcome("holds", 20)
BAD, WORSE = Outcome("violated", 9), Outcome("violated", 4)
VACUOUS, UNKNOWN, REACHED = Outcome("vacuous", why="no"), Outcome("unknown", why="?"), Outcome("reached", 3)


@pytest.mark.parametrize(
    ("role", "found", "word", "sizes"),
    [
        ("claim", [PROVED, PROVED], "proved", 2),
        ("claim", [PROVED, HOLDS], "holds", 1),
        ("claim", [PROVED, UNKNOWN], "unknown", 1),
        ("claim", [UNKNOWN, BAD, PROVED], "violated", 1),
        ("claim", [VACUOUS, PROVED], "proved", 1),
        ("claim", [VACUOUS, VACUOUS], "vacuous", 2),
        ("lemma", [HOLDS, UNKNOWN], "unknown", 1),
        ("reach", [VACUOUS, REACHED], "reached", 1),
        ("reach", [VACUOUS, UNKNOWN], "unknown", 1),
        ("reach", [VACUOUS, VACUOUS], "vacuous", 2),
    ],
)
def test_over_sizes(role: str, found: list[Outcome], word: str, sizes: int) -> None:
    overall = over_sizes(role, list(zip((ONE, TWO, THREE), found, strict=False)))
    assert overall.outcome.word == word
    assert len(overall.sizes) == sizes
    assert sum(len(at) for _, at in overall.groups) == len(found)


def test_over_sizes_says_what_is_true_of_all() -> None:
    assert over_sizes("claim", [(ONE, Outcome("holds", 20)), (TWO, Outcome("holds", 12))]).outcome.steps == 12
    assert over_sizes("claim", [(ONE, BAD), (TWO, WORSE)]).outcome.steps == 4


@pytest.mark.parametrize(
    ("one", "steps", "expected"),
    [
        (PROVED, None, 0), (REACHED, None, 0), (BAD, None, 1), (VACUOUS, None, 1), (UNKNOWN, None, 3),
        (HOLDS, None, 3), (HOLDS, 20, 0), (HOLDS, 21, 3), (UNKNOWN, 20, 3), (BAD, 20, 1),
    ],
)  # fmt: skip
def test_status(one: Outcome, steps: int | None, expected: int) -> None:
    assert status(one, steps) == expected


def cut_short(states: int, depth: int, cause: str) -> module.Engine:
    def answer(system: System, names: Sequence[str], limits: Limits, progress: Progress | None) -> Answer:
        return Answer(dict.fromkeys(names, Unknown("cut short", cause)), states=states, depth=depth)

    return answer


@pytest.mark.parametrize(("depth", "asked"), [(12, ["bmc"]), (20, [])])
def test_a_search_that_was_cut_short_holds_up_to_its_depth(
    monkeypatch: pytest.MonkeyPatch, depth: int, asked: list[str]
) -> None:
    heard: list[str] = []

    def bmc(system: System, names: Sequence[str], limits: Limits, progress: Progress | None) -> Answer:
        heard.append("bmc")
        return Answer(dict.fromkeys(names, Unknown("no idea")))

    both = [("explore", cut_short(9, depth, Cause.LIMIT)), ("bmc", bmc)]
    monkeypatch.setattr(module, "_engines", lambda *_: both)
    decision = decide(zap(), ["no_stale_use", "freed", "stuck"], Limits())
    assert decision.answer.verdicts["no_stale_use"] == HoldsUpTo(depth)
    assert isinstance(decision.answer.verdicts["freed"], Unknown)
    assert isinstance(decision.answer.verdicts["stuck"], Unknown)
    assert heard == asked
    assert decision.reasons["no_stale_use"].startswith("explore: cut short" if asked else "cut short")


def test_what_was_found_before_an_interruption_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = [("explore", cut_short(9, 4, Cause.INTERRUPTED)), ("bmc", cut_short(9, 9, Cause.LIMIT))]
    monkeypatch.setattr(module, "_engines", lambda *_: engines)
    decision = decide(zap(), ["no_stale_use"], Limits())
    assert decision.interrupted
    assert decision.answer.verdicts["no_stale_use"] == HoldsUpTo(4)
