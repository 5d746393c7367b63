"""Replaying a run catches every way to tamper with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from refine.core import expr as e
from refine.core.system import Kind, Property, State
from refine.core.trace import Trace
from refine.engine.explore import explore
from refine.engine.replay import Inconsistent, check, replay
from refine.engine.verdict import Limits, Violated
from refine.run import compile as compiler
from refine.run.rules import RuleWriter
from tests.engine.systems import tlb_shootdown
from tests.run.plain import plain_search

SYSTEM = tlb_shootdown(2, 2, 2, buggy=True)


@pytest.fixture(scope="module")
def run() -> Trace:
    found = explore(SYSTEM, ("safe",), Limits(), symmetry=False).verdicts["safe"]
    assert isinstance(found, Violated)
    return found.trace


def test_a_true_run_replays(run: Trace) -> None:
    assert replay(run) == []
    assert check(run) is run


def _with_state(run: Trace, number: int, name: str, value: object) -> Trace:
    event = run.events[number]
    place = [v.name for v in SYSTEM.vars].index(name)
    values = tuple(value if k == place else v for k, v in enumerate(event.state.values))
    state = State(values)  # type: ignore[arg-type]
    events = (*run.events[:number], replace(event, state=state), *run.events[number + 1 :])
    return replace(run, events=events)


TAMPERED: list[tuple[str, Callable[[Trace], Trace], str]] = [
    (
        "another initial state",
        lambda r: replace(r, init=r.events[0].state),
        "initial state differs in guest.pc",
    ),
    (
        "choices of the initial state",
        lambda r: replace(r, init_choices=(1,)),
        "no initial state has these choices",
    ),
    ("a step left out", lambda r: replace(r, events=(*r.events[:2], *r.events[3:])), "cannot be taken"),
    ("no such rule", lambda r: replace(r, events=(replace(r.events[0], rule="nobody"),)), "no rule `nobody`"),
    ("other params", lambda r: replace(r, events=(replace(r.events[0], params=(1, 0)),)), "differs in"),
    (
        "params of another type",
        lambda r: replace(r, events=(replace(r.events[0], params=(0, 7)),)),
        "cannot be taken",
    ),
    (
        "an invented choice",
        lambda r: replace(r, events=(replace(r.events[0], choices=(0,)),)),
        "cannot be taken",
    ),
    ("a changed variable", lambda r: _with_state(r, 3, "zapper.p", 1), "differs in zapper.p"),
    ("the end cut off", lambda r: replace(r, events=r.events[:-1]), "the property holds at the end"),
    ("another property", lambda r: replace(r, property="defined"), "nothing is undefined at the end"),
    ("no such property", lambda r: replace(r, property="nothing"), "there is no property"),
    ("nobody is stuck", lambda r: replace(r, property="stuck"), "no thread is stuck"),
    ("choices exist", lambda r: replace(r, property="satisfiable"), "the choices exist"),
]


@pytest.mark.parametrize(("tamper", "complaint"), [t[1:] for t in TAMPERED], ids=[t[0] for t in TAMPERED])
def test_a_tampered_run_does_not_replay(run: Trace, tamper: Callable[[Trace], Trace], complaint: str) -> None:
    wrong = tamper(run)
    assert complaint in "; ".join(replay(wrong))
    with pytest.raises(Inconsistent, match="does not replay"):
        check(wrong)


def test_a_claim_about_steps_needs_a_step_that_breaks_it(run: Trace) -> None:
    step = Property("step", Kind.STEP, e.TRUE, "claim")
    named = Property("named", Kind.STEP, e.FALSE, "claim", of=("fill",))
    system = replace(SYSTEM, properties=(step, named))
    assert replay(replace(run, system=system, property="step")) == ["the claim holds for the last step"]
    assert replay(replace(run, system=system, property="named")) == [
        "the claim does not speak of `guest.install`"
    ]
    assert replay(Trace(system, (), run.init, (), "step")) == ["a claim about steps fails at a step"]


# --- planted errors in the compiled rules -----------------------------------------------------------------------


def disagrees() -> bool:
    """Tell whether the search is caught out: by its own replay, or by plain search."""
    system = tlb_shootdown(2, 2, 1, buggy=True)
    found = plain_search(system, 5000)
    assert found.complete
    try:
        answer = explore(system, None, Limits(), symmetry=False)
    except Inconsistent:
        return True
    return (answer.states, answer.transitions) != (len(found.depths), found.transitions)


def test_the_compiled_rules_agree_with_plain_search() -> None:
    assert not disagrees()


def test_a_wrong_frame_in_the_compiled_rules_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = RuleWriter._changes

    def forgetful(self: RuleWriter, *args: Any) -> Any:
        return right(self, *args)[:-1]

    monkeypatch.setattr(RuleWriter, "_changes", forgetful)
    assert disagrees()


def test_a_wrong_program_counter_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = compiler.threads_of

    def shifted(*args: Any) -> Any:
        first, *rest = right(*args)
        return (replace(first, offset=first.offset + 1), *rest)

    monkeypatch.setattr(compiler, "threads_of", shifted)
    assert disagrees()


def test_a_step_that_no_rule_allows_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that invents a way to a violation cannot show it."""
    right = RuleWriter._successor

    def invented(self: RuleWriter, *args: Any) -> str:
        return right(self, *args) + " + 4096"

    monkeypatch.setattr(RuleWriter, "_successor", invented)
    assert disagrees()
