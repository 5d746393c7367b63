"""Traces as text and JSON: what a reviewer reads, in 75 columns, whatever the names and values are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refine.core.system import State, System
from refine.core.trace import Event, Trace
from refine.core.types import Array, Bool, Enum, Option, Type, Value, cardinality
from refine.report import data
from refine.report.cells import command, width, wrap
from refine.report.trace import render
from tests.report.golden import check
from tests.report.systems import Names, stale_use, start, step, zap

COMMAND = ("spte", "check", "spec/x86/zap.spte", "--size", "VCPUS=2", "--claim", "no_stale_use")


def test_a_race() -> None:
    check("race.txt", render(stale_use(zap()), COMMAND))


def test_an_undefined_step() -> None:
    system = zap()
    s0 = start(system)
    one = step(system, s0, "guest.fault", (1,), mmu_lock__owner=2, guest__pc=(0, 1))
    two = step(system, one.state, "guest.fix", (1,), fault=0)
    check("undefined.txt", render(Trace(system, (), s0, (one, two), "defined"), COMMAND))


def test_a_lasso_and_stuck_threads() -> None:
    system = zap()
    s0 = start(system)
    one = step(system, s0, "guest.walk", (0,), tlb=(True, False))
    two = step(system, one.state, "evict", (0,), tlb=(False, False))
    check("lasso.txt", render(Trace(system, (), s0, (one, two), "ends", ("zapper never ends",), 0), COMMAND))
    check(
        "stuck.txt", render(Trace(system, (), s0, (one,), "stuck", ("zapper can never move again",)), COMMAND)
    )


def test_hardware_that_acts_on_no_cpu_has_a_column_of_its_own() -> None:
    system = zap()
    s0 = start(system)
    one = step(system, s0, "guest.walk", (0,), tlb=(True, False))
    two = step(system, one.state, "reboot", (), tlb=(False, False))
    trace = Trace(system, (), s0, (one, two), "no_stale_use")
    assert data.trace(trace)["columns"] == ["guest[0]", "hardware"]


def test_hardware_acts_in_the_column_of_its_cpu_even_where_no_thread_does() -> None:
    system = zap()
    s0 = start(system)
    one = step(system, s0, "evict", (1,))
    assert data.trace(Trace(system, (), s0, (one,), "no_stale_use"))["columns"] == ["guest[1]"]


def test_nothing_happened() -> None:
    system = zap()
    check("initial.txt", render(Trace(system, (), start(system), (), "no_stale_use", ("page is FREED",))))


def test_where_induction_fails() -> None:
    check("supposed.txt", render(stale_use(zap()), COMMAND, supposed=True))


@pytest.mark.parametrize("vcpus", [3, 5, 7])
def test_many_threads(vcpus: int) -> None:
    system = zap(vcpus)
    state = start(system)
    events = []
    for v in range(vcpus):
        tlb = tuple(k <= v for k in range(vcpus))
        events.append(step(system, state, "guest.walk", (v,), tlb=tlb, fills=tlb))
        state = events[-1].state
    events.append(step(system, state, "zapper.enter", mmu_lock__owner=0, root_valid=False))
    text = render(Trace(system, (), start(system), tuple(events), "no_stale_use"), COMMAND)
    check(f"many{vcpus}.txt", text)


def values(type_: Type) -> st.SearchStrategy[Value]:
    match type_:
        case Bool():
            return st.booleans()
        case Option(item):
            return st.none() | values(item)
        case Array(dom, item):
            n = cardinality(dom)
            assert n is not None
            return st.tuples(*[values(item)] * n)
        case _:
            n = cardinality(type_)
            assert n is not None
            return st.integers(0, n - 1)


class Drawn:
    """A trace, under a short name: Hypothesis objects to long ones."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def __repr__(self) -> str:
        return f"a trace of {len(self.trace.events)} steps"


@st.composite
def traces(draw: st.DrawFn) -> Drawn:
    name = st.text(min_size=1, max_size=30)
    odd = draw(st.tuples(name, name, name, name, name))
    names = Names(odd[0], f"z{odd[1]}", f"g{odd[2]}", *odd[3:]) if draw(st.booleans()) else Names()
    system = zap(draw(st.integers(1, 6)), names)
    source = draw(
        st.sampled_from(["zap.spte", "a/very/long/path/to/a/specification.spte", "a b\u202e\x1b.spte"])
    )
    system = replace(system, file=source)

    def state() -> State:
        return State(tuple(draw(values(v.type)) for v in system.vars))

    events: list[Event] = []
    for _ in range(draw(st.integers(0, 8))):
        rule = draw(st.sampled_from(system.rules))
        params = tuple(draw(values(b.type)) for b in rule.params)
        events.append(Event(rule.name, params, tuple(draw(values(b.type)) for b in rule.choices), state()))
    undefined = draw(st.booleans())
    if events and undefined:
        events[-1] = replace(events[-1], state=replace(events[-1].state, fault=0))
    why = tuple(draw(st.lists(st.text(max_size=100), max_size=3)))
    loop = draw(st.none() | st.integers(0, len(events) - 1)) if events else None
    prop = draw(st.sampled_from(system.properties)).name
    return Drawn(Trace(system, (), state(), tuple(events), prop, why, loop))


@given(traces(), st.lists(st.text(max_size=200), max_size=4), st.booleans())
def test_never_wider_than_75_columns_and_never_a_control_character(
    drawn: Drawn, words: list[str], supposed: bool
) -> None:
    text = render(drawn.trace, words, supposed=supposed)
    assert text.endswith("\n")
    for line in text.split("\n"):
        assert width(line) <= 75
        assert line == line.rstrip(" ")
        assert line.isprintable()


@given(traces())
def test_json_holds_what_the_text_holds(drawn: Drawn) -> None:
    text = squeezed(render(drawn.trace))
    told = data.trace(drawn.trace)
    steps = told["steps"]
    assert isinstance(steps, list)
    assert len(steps) == len(drawn.trace.events)
    for said in steps:
        assert f"{said['step']}" in text
        assert squeezed(said["name"]) in text
        for change in said["changes"]:
            assert f"{squeezed(change['old'])}->{squeezed(change['new'])}" in text
    for key in ("initially", "why"):
        said = told[key]
        assert isinstance(said, list)
        if not (key == "why" and told["fault"]):
            assert all(squeezed(line) in text for line in said)


def squeezed(text: str) -> str:
    """What is left when layout is taken away: blanks, and the bars between columns."""
    return "".join(text.replace("|", "").split())


def shown_states(system: System) -> set[str]:
    return {v.name for v in system.vars}


def test_json_holds_every_state_whole() -> None:
    trace = stale_use(zap())
    told = data.trace(trace, COMMAND)
    steps = told["steps"]
    assert isinstance(steps, list)
    for said in steps:
        assert set(said["state"]) == shown_states(trace.system)
    assert steps[1]["state"]["mmu_lock.owner"] == "zapper"
    assert steps[0]["state"]["tlb"] == "[false, true]"
    assert told["schema"] == "spte-trace/1"
    assert told["reproduce"] == list(COMMAND)


def test_names_of_enum_values_may_be_long() -> None:
    system = zap(names=Names(present="P" * 200))
    s0 = start(system)
    one = step(system, s0, "zapper.clear", spte=0)
    assert isinstance(system.vars[0].type, Enum)
    text = render(Trace(system, (), s0, (one,), "no_stale_use"))
    assert all(width(line) <= 75 for line in text.split("\n"))


@given(st.text(max_size=300), st.integers(8, 80))
def test_wrapping_loses_nothing_but_blanks(text: str, cells: int) -> None:
    lines = wrap(text, cells, "  ", "    ")
    assert all(width(line) <= cells for line in lines)


def test_commands_can_be_pasted() -> None:
    import shlex

    words = ["spte", "check", "a" * 100 + " '" + "b" * 100, "--claim", "x"]
    text = "\n".join(command(words))
    assert shlex.split(text.replace("\\\n", "")) == words
