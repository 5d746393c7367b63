"""The solver reading of one transition: the same successors as the reference semantics, and planted errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from refine.core import expr as e
from refine.core.expr import Binder
from refine.core.system import Assume, Fault, Kind, Place, Property, Rule, State, System, Var, Where
from refine.core.types import BOOL, INT, Array, Enum, Index, Int, Option, Type, Word
from refine.run import eval as reference
from refine.smt import shape, unroll
from refine.smt.decode import Model
from refine.smt.solver import Budget, Status, Z3Solver
from refine.smt.term import Term, TermOp, Terms
from refine.smt.unroll import Step, TooLarge, Unrolling
from tests.engine.systems import tlb_shootdown
from tests.smt.randoms import systems

MOST = 12  # states of a random system whose successors are compared


def images(unrolling: Unrolling, step: Step, before: State) -> set[State]:
    """All states that the step may lead to, by asking for one after the other."""
    solver = Z3Solver(Budget(), exact=unrolling.exact)
    for cond in step.possible:
        solver.add(cond)
    found: set[State] = set()
    while (outcome := solver.check()).status is Status.SAT:
        model = Model.of(unrolling, outcome.model)
        state = model.state(step.after, before)
        assert state not in found, "each state is excluded once it was found"
        found.add(state)
        terms = unrolling.terms
        if state.fault is not None:
            solver.add(terms.not_(step.after.faults[state.fault]))
        else:
            same = unrolling.differ(step.after, unrolling.constant(state.values))
            solver.add(terms.or_((step.after.faulted, same)))
    assert outcome.status is Status.UNSAT
    return found


def solved_initial(system: System) -> set[State]:
    unrolling = Unrolling(system)
    return images(unrolling, unrolling.initial(), reference.defaults(system))


def solved_successors(system: System, state: State) -> set[State]:
    if state.fault is not None:
        return set()
    unrolling = Unrolling(system)
    return images(unrolling, unrolling.step(unrolling.constant(state.values), "1"), state)


def explicit_successors(system: System, state: State) -> set[State]:
    return {after for *_, after in reference.successors(system, state)}


def reachable(system: System, most: int) -> Iterator[State]:
    """Reachable states, breadth first, `most` at most."""
    seen = dict.fromkeys(state for _, state in reference.initial(system))
    queue = list(seen)
    for state in queue:
        yield state
        if len(seen) < most:
            for after in sorted(explicit_successors(system, state), key=repr):
                if after not in seen:
                    seen[after] = None
                    queue.append(after)


@settings(max_examples=120)
@given(systems())
def test_random_system_has_the_same_successors_in_both_readings(system: System) -> None:
    assert solved_initial(system) == {state for _, state in reference.initial(system)}
    for state in reachable(system, MOST):
        assert solved_successors(system, state) == explicit_successors(system, state), state


def test_tlb_shootdown_has_the_same_successors_in_both_readings() -> None:
    system = tlb_shootdown(2, 2, 2)
    for state in reachable(system, 40):
        assert solved_successors(system, state) == explicit_successors(system, state), state


# --- small systems, each about one thing --------------------------------------------------------------------------

COUNT = Int(0, 5)
C = e.var("c", COUNT)


def counter(*rules: Rule, **more: object) -> System:
    """A counter from 0 to 5 that the rules change."""
    fields: dict[str, object] = {
        "name": "counter",
        "sizes": (),
        "vars": (Var("c", COUNT, "shared"), Var("b", BOOL, "shared")),
        "init": Rule("init", (), e.TRUE, step="init"),
        "rules": rules,
        "properties": (),
        "places": (Place("up", "past five"), Place("up", "past four")),
        "families": (),
    }
    return System(**{**fields, **more})  # type: ignore[arg-type]


def up(by: int = 1, **more: object) -> Rule:
    fields: dict[str, object] = {
        "name": "up",
        "params": (),
        "guard": e.TRUE,
        "updates": (("c", e.narrow(e.add(C, e.integer(by)), COUNT)),),
        "step": "up",
    }
    return Rule(**{**fields, **more})  # type: ignore[arg-type]


def at(c: int, *, b: bool = False, fault: int | None = None) -> State:
    return State((c, b), fault)


def test_what_is_not_assigned_is_unchanged() -> None:
    assert solved_successors(counter(up()), at(2, b=True)) == {at(3, b=True)}


def test_first_fault_that_holds_is_the_place() -> None:
    past = [Fault(e.lt(e.integer(n), e.add(C, e.integer(1))), place) for n, place in ((5, 1), (4, 0))]
    system = counter(up(faults=tuple(past)))
    assert solved_successors(system, at(5)) == {at(5, fault=1)}
    assert solved_successors(system, at(4)) == {at(4, fault=0)}
    assert solved_successors(system, at(3)) == {at(4)}
    assert solved_successors(system, at(4, fault=1)) == set()


def test_assumption_removes_states_and_spares_faults() -> None:
    odd = Assume("small", e.lt(C, e.integer(3)))
    assert solved_successors(counter(up(), assumes=(odd,)), at(2)) == set()
    faulty = up(faults=(Fault(e.eq(C, e.integer(2)), 0),))
    assert solved_successors(counter(faulty, assumes=(odd,)), at(2)) == {at(2, fault=0)}


def test_choice_is_restricted_by_its_where() -> None:
    chosen = e.param("k", COUNT)
    rule = up(
        choices=(Binder("k", COUNT),), wheres=(Where(e.lt(C, chosen), "later"),), updates=(("c", chosen),)
    )
    assert solved_successors(counter(rule), at(3)) == {at(4), at(5)}
    assert solved_successors(counter(rule), at(5)) == set()


def test_more_instances_than_are_expanded_are_inputs() -> None:
    wide = Int(0, 99)
    rule = up(params=(Binder("k", wide),), guard=e.lt(e.param("k", wide), C), updates=(("c", e.integer(0)),))
    assert cases(counter(rule)) == 1
    assert solved_successors(counter(rule), at(0)) == set()
    assert solved_successors(counter(rule), at(1)) == {at(0)}


def cases(system: System) -> int:
    unrolling = Unrolling(system)
    return len(unrolling.step(unrolling.defaults(), "1").cases)


def test_rule_over_an_empty_index_has_no_instance() -> None:
    nobody = up(params=(Binder("v", Index("vcpu", 0)),))
    assert solved_successors(counter(nobody), at(0)) == set()


def test_unbounded_integer_counts_on() -> None:
    big = e.var("c", INT)
    rule = Rule(
        "up", (), e.TRUE, updates=(("c", e.mul(e.add(big, e.integer(1)), e.integer(10**20))),), step="up"
    )
    system = counter(rule, vars=(Var("c", INT, "shared"),))
    assert Unrolling(system).exact
    assert solved_successors(system, State((6,))) == {State((7 * 10**20,))}


def test_choices_too_many_to_list_are_declined() -> None:
    word = Word(16)
    rule = up(choices=(Binder("w", word),), wheres=(Where(e.lt(e.param("w", word), e.const(word, 3))),))
    prop = Property("havoc", Kind.SATISFIABLE, e.TRUE, "free", of=("up",))
    unrolling = Unrolling(counter(rule, properties=(prop,)))
    with pytest.raises(TooLarge, match="combinations"):
        unrolling.bad(prop, None, unrolling.defaults())


# --- planted errors: each must be noticed by a comparison above -----------------------------------------------------


def test_planted_wrong_wrap_around_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    word = Word(2)
    w = e.var("c", word)
    rule = Rule("up", (), e.TRUE, updates=(("c", e.add(w, e.const(word, 1))),), step="up")
    system = counter(rule, vars=(Var("c", word, "shared"),))
    state = State((3,))
    assert solved_successors(system, state) == explicit_successors(system, state)
    arith = Terms.arith

    def saturating(self: Terms, op: TermOp, x: Term, y: Term) -> Term:
        done = arith(self, op, x, y)
        return self.ite(self.ult(done, x), self.number(-1, x.width), done) if op is TermOp.ADD else done

    monkeypatch.setattr(Terms, "arith", saturating)
    assert solved_successors(system, state) != explicit_successors(system, state)


def test_planted_missing_frame_condition_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    flip = Rule("flip", (), e.TRUE, updates=(("b", e.not_(e.var("b", BOOL))),), step="flip")
    system = counter(up(guard=e.lt(C, e.integer(5))), flip)
    assert solved_successors(system, at(2)) == explicit_successors(system, at(2))
    keep = Unrolling._next

    def forgetful(self: Unrolling, old: shape.Sym, writes: list[tuple[Term, shape.Sym]]) -> shape.Sym:
        kept = keep(self, old, writes)
        assert isinstance(kept, Term), "the variables here are scalars"
        chosen = self.terms.or_(c for c, _ in writes)
        return self.terms.ite(chosen, kept, self.terms.input(f"anything {len(self.terms)}", kept.width))

    monkeypatch.setattr(Unrolling, "_next", forgetful)
    assert solved_successors(system, at(2)) != explicit_successors(system, at(2))


def test_planted_missing_domain_constraint_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    colour = Enum("Colour", ("RED", "GREEN", "BLUE"))
    rule = up(
        choices=(Binder("k", colour),),
        updates=(("c", e.ite(e.lt(e.to_int(e.param("k", colour)), e.integer(3)), C, e.integer(5))),),
    )
    assert solved_successors(counter(rule), at(2)) == explicit_successors(counter(rule), at(2))
    monkeypatch.setattr(shape.Shape, "well_formed", lambda *_: iter(()))
    assert solved_successors(counter(rule), at(2)) != explicit_successors(counter(rule), at(2))


def test_planted_value_beside_none_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    some = Option(COUNT)
    rule = up(choices=(Binder("k", some),), updates=(("c", e.get(e.param("k", some))),))
    guarded = up(
        choices=(Binder("k", some),),
        wheres=(Where(e.eq(e.param("k", some), e.none(some))),),
        updates=(("c", e.get(e.param("k", some))),),
    )
    assert solved_successors(counter(rule), at(2)) == {at(k) for k in range(6)}
    assert solved_successors(counter(guarded), at(2)) == {at(0)}
    entry = shape.Shape.well_formed

    def flag_only(self: shape.Shape, type_: Type, sym: shape.Sym) -> Iterator[Term]:
        if isinstance(type_, Option):
            return iter(())
        return entry(self, type_, sym)

    monkeypatch.setattr(shape.Shape, "well_formed", flag_only)
    monkeypatch.setattr(shape.Shape, "equal", _flags)
    assert solved_successors(counter(guarded), at(2)) != {at(0)}


def _flags(layout: shape.Shape, x: shape.Sym, y: shape.Sym) -> Term:
    """Equality of options as it would be if only the flag of none counted."""
    pairs = list(zip(shape.leaves(x), shape.leaves(y), strict=True))
    same = layout.terms.and_(layout.terms.eq(a, b) for a, b in pairs)
    if len(pairs) == 2 and pairs[0][0].width == 0:
        return layout.terms.or_((same, layout.terms.and_(layout.terms.not_(f) for f in pairs[0])))
    return same


def test_planted_fault_that_does_not_stop_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = counter(up(faults=(Fault(e.eq(C, e.integer(2)), 0),)))
    frame_of = unroll.Frame
    monkeypatch.setattr(
        unroll, "Frame", lambda encoder, faults, faulted: frame_of(encoder, {}, _no(encoder.terms, faulted))
    )
    assert solved_successors(faulty, at(2)) != explicit_successors(faulty, at(2))


def _no(terms: Terms, _: Term) -> Term:
    return terms.false


def test_array_entry_of_another_member_is_unchanged() -> None:
    vcpu = Index("vcpu", 3)
    flags = Array(vcpu, BOOL)
    f = e.var("f", flags)
    rule = Rule("set", (Binder("v", vcpu),), e.TRUE, updates=(("f", e.store(f, e.param("v", vcpu), e.TRUE)),))
    system = counter(rule, vars=(Var("f", flags, "shared"),))
    start = State(((False, False, True),))
    assert solved_successors(system, start) == explicit_successors(system, start)
