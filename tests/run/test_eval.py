"""The reference semantics, by examples of each thing that its words promise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.system import Assume, Fault, Kind, Place, Property, Rule, State, System, Var, Where
from refine.core.types import BOOL, Array, Enum, Index, Int, Option, Part, Set, Struct, Thread, Value, Word
from refine.run.eval import Refused, evaluate, fits, havoc_fails, initial, step, successors, values_of

SMALL, BYTE, COLOUR, NODE = Int(-2, 3), Word(8), Enum("C", ("R", "G")), Index("i", 3)
ARRAY, SET, PAIR = Array(Int(1, 3), SMALL), Set(Int(1, 3)), Struct("P", (("x", SMALL), ("y", BOOL)))
CREW = Thread((Part("solo", None), Part("crew", NODE)))
a, s, p = (e.const(t, v) for t, v in ((ARRAY, (1, 2, 3)), (SET, frozenset({1, 3})), (PAIR, (-1, True))))


def n(value: int) -> Expr:
    return e.integer(value)


def raw(op: Op, *args: Expr, type_: object = SMALL) -> Expr:
    return e.node(op, type_, args)  # type: ignore[arg-type]


def byte(value: int) -> Expr:
    return e.const(BYTE, value)


X, B = Binder("x", Int(1, 3)), e.param("x", Int(1, 3))

EXAMPLES: list[tuple[Expr, Value]] = [
    (raw(Op.ADD, byte(250), byte(10), type_=BYTE), 4),
    (raw(Op.SUB, byte(3), byte(10), type_=BYTE), 249),
    (raw(Op.MUL, byte(16), byte(17), type_=BYTE), 16),
    (raw(Op.DIV, n(-7), n(2)), -4),
    (raw(Op.MOD, n(-7), n(2)), 1),
    (raw(Op.DIV, n(7), n(-2)), -4),
    (raw(Op.MOD, n(7), n(-2)), -1),
    (raw(Op.DIV, n(7), n(0), type_=Int(2, 3)), 2),
    (raw(Op.MOD, n(7), n(0)), 0),
    (raw(Op.BITNOT, byte(1), type_=BYTE), 254),
    (raw(Op.SHL, byte(3), byte(7), type_=BYTE), 128),
    (raw(Op.SHL, byte(1), byte(8), type_=BYTE), 0),
    (raw(Op.SHR, byte(255), n(9), type_=BYTE), 0),
    (raw(Op.NARROW, n(3)), 3),
    (raw(Op.NARROW, n(4)), 0),
    (raw(Op.NARROW, n(4), type_=Int(1, 2)), 1),
    (raw(Op.TO_WORD, n(-1), type_=BYTE), 255),
    (raw(Op.TO_INDEX, n(3), type_=NODE), 0),
    (raw(Op.TO_INT, e.TRUE), 1),
    (raw(Op.IS_SOME, e.const(Option(SMALL), None), type_=BOOL), False),
    (raw(Op.GET, e.const(Option(Int(1, 2)), None), type_=Int(1, 2)), 1),
    (e.select(a, n(3)), 3),
    (e.select(a, n(0)), 0),
    (e.store(a, n(1), n(0)), (0, 2, 3)),
    (e.store(a, n(4), n(0)), (1, 2, 3)),
    (e.member(n(3), s), True),
    (e.member(n(4), s), False),
    (e.insert(s, n(4)), frozenset({1, 3})),
    (e.insert(s, n(2)), frozenset({1, 2, 3})),
    (e.remove(s, n(4)), frozenset({1, 3})),
    (e.set_op(Op.SUBSET, e.const(SET, frozenset({1})), s), True),
    (e.card(s), 2),
    (e.field_of(p, 0), -1),
    (e.with_field(p, 1, e.FALSE), (-1, False)),
    (e.thread(CREW, 1, e.const(NODE, 2)), 3),
    (e.thread(CREW, 0, None), 0),
    (e.bind(Op.FORALL, X, e.lt(B, n(3))), False),
    (e.bind(Op.EXISTS, X, e.lt(B, n(2))), True),
    (e.bind(Op.COUNT, X, e.lt(B, n(3))), 2),
    (e.bind(Op.COLLECT, X, e.lt(B, n(3))), frozenset({1, 2})),
    (e.bind(Op.LAMBDA, X, e.lt(B, n(3))), (True, True, False)),
]


@pytest.mark.parametrize(("term", "value"), EXAMPLES, ids=lambda x: repr(x)[:60])
def test_the_value_of_a_term(term: Expr, value: Value) -> None:
    assert evaluate(term, {}) == value


def test_old_reads_the_state_before() -> None:
    x = e.var("x", SMALL)
    assert evaluate(e.lt(e.old(x), x), {"x": 2}, {"x": 1}) is True


def test_shared_terms_are_evaluated_once() -> None:
    x: Expr = e.var("x", BYTE)
    for _ in range(200):
        x = e.add(x, x)
    assert evaluate(x, {"x": 1}) == 0


def test_values_are_listed_in_order_and_fit_their_type() -> None:
    for type_ in (BOOL, SMALL, COLOUR, Option(NODE), Set(NODE), Array(BOOL, COLOUR), PAIR, CREW):
        values = list(values_of(type_))
        assert len(set(values)) == len(values)
        assert all(fits(type_, v) for v in values)
    assert not fits(SMALL, 4)
    assert not fits(Option(NODE), 3)
    assert not fits(Array(BOOL, NODE), (0,))


# --- transitions ------------------------------------------------------------------------------------------------

V = e.var("v", SMALL)
C = e.param("c", SMALL)


def system(rule: Rule, *, init: Rule | None = None, assumes: tuple[Assume, ...] = ()) -> System:
    places = (Place("r", "first"), Place("r", "second"))
    start = init or Rule("init", (), e.TRUE)
    variables = (Var("v", SMALL, "shared"), Var("w", BOOL, "shared"))
    never = Property("never", Kind.STATE, e.TRUE, "claim")
    return System("s", (), variables, start, (rule,), (never,), places, (), assumes)


SET_V = Rule("set", (), e.TRUE, (Binder("c", SMALL),), updates=(("v", C),))


def after(machine: System, state: State) -> list[State]:
    return [t[3] for t in successors(machine, state)]


def test_the_initial_states_are_successors_of_the_state_of_defaults() -> None:
    init = replace(SET_V, name="init", wheres=(Where(e.lt(e.integer(1), C)),))
    assert list(initial(system(SET_V, init=init))) == [((2,), State((2, False))), ((3,), State((3, False)))]


def test_what_is_not_assigned_is_unchanged_and_assignments_are_in_parallel() -> None:
    swap = Rule(
        "swap",
        (),
        e.TRUE,
        updates=(("v", e.narrow(e.to_int(e.var("w", BOOL)), SMALL)), ("w", e.lt(V, e.integer(0)))),
    )
    assert after(system(swap), State((-1, True))) == [State((1, True))]
    assert after(system(Rule("nop", (), e.TRUE)), State((2, True))) == [State((2, True))]


def test_the_first_fault_that_holds_counts_and_ends_the_run() -> None:
    faults = (Fault(e.FALSE, 0), Fault(e.lt(e.integer(0), C), 1), Fault(e.TRUE, 0))
    machine = system(replace(SET_V, faults=faults))
    found = after(machine, State((2, True)))
    assert set(found) == {State((2, True), 0), State((2, True), 1)}
    assert after(machine, State((2, True), 1)) == []


def test_what_breaks_an_assumption_does_not_exist() -> None:
    machine = system(SET_V, assumes=(Assume("small", e.lt(V, e.integer(0))),))
    assert after(machine, State((-1, False))) == [State((-2, False)), State((-1, False))]
    assert list(initial(machine)) == []


def test_a_step_needs_its_guard_and_conditions() -> None:
    rule = replace(SET_V, guard=e.lt(V, e.integer(3)), wheres=(Where(e.lt(V, C)),))
    machine = system(rule)
    assert step(machine, rule, State((2, False)), (), (3,)) == State((3, False))
    assert step(machine, rule, State((2, False)), (), (1,)) is None
    assert step(machine, rule, State((3, False)), (), (3,)) is None
    assert step(machine, rule, State((2, False)), (), (4,)) is None
    assert step(machine, rule, State((2, False)), (), ()) is None
    assert havoc_fails(machine, rule, State((2, False))) is None
    assert havoc_fails(machine, replace(rule, guard=e.TRUE), State((3, False))) == ()


def test_an_assignment_outside_its_type_is_an_error_of_lowering() -> None:
    with pytest.raises(AssertionError, match="lowering adds a fault"):
        after(system(Rule("r", (), e.TRUE, updates=(("v", e.integer(9)),))), State((0, False)))


def test_choices_that_nobody_could_list_are_refused() -> None:
    for type_ in (Word(40), Int()):
        with pytest.raises(Refused):
            after(system(Rule("r", (), e.TRUE, (Binder("c", type_),))), State((0, False)))
