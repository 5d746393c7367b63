"""k-induction: what is proved holds, on what it rests is said, and what fails shows why."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.system import Assume, Fault, Kind, Place, Property, Rule, System, Var, Where
from refine.core.types import BOOL, Enum, Index, Int, Option
from refine.engine import induct as engine
from refine.engine.bmc import Bounded
from refine.engine.induct import induct
from refine.engine.replay import Inconsistent
from refine.engine.verdict import Cause, Limits, Proved, Reached, Unknown, Vacuous, Verdict, Violated
from refine.run.eval import as_valuation, evaluate
from refine.smt import shape
from refine.smt.term import Term
from refine.smt.unroll import Unrolling
from tests.engine.systems import GUEST, ZAPPER, tlb_shootdown
from tests.smt.exhaustive import Facts, search
from tests.smt.randoms import systems

COUNT = Int(0, 7)
C, B = e.var("c", COUNT), e.var("b", BOOL)


def stepping(*properties: Property, by: int = 2, faults: tuple[Fault, ...] = (), **more: object) -> System:
    """A counter from 0 that goes up by two, from its end back to 0; `b` says that it was moved."""
    moved = e.narrow(e.add(C, e.integer(by)), COUNT)
    up = Rule("up", (), e.TRUE, faults=faults, updates=(("c", moved), ("b", e.TRUE)), step="up")
    fields: dict[str, object] = {
        "name": "stepping",
        "sizes": (),
        "vars": (Var("c", COUNT, "shared"), Var("b", BOOL, "shared")),
        "init": Rule("init", (), e.TRUE, step="init"),
        "rules": (up,),
        "properties": properties,
        "places": (Place("up", "odd"), Place("up", "even")),
        "families": (),
    }
    return System(**{**fields, **more})  # type: ignore[arg-type]


def claim(
    name: str, cond: Expr, *using: str, kind: Kind = Kind.STATE, role: str = "claim", **more: object
) -> Property:
    return Property(name, kind, cond, role, using=using, **more)  # type: ignore[arg-type]


def lemma(name: str, cond: Expr, *using: str) -> Property:
    return claim(name, cond, *using, role="lemma")


def verdicts(system: System, max_k: int = 4, *, simple_path: bool = True) -> Mapping[str, Verdict]:
    names = [p.name for p in system.properties]
    return induct(system, names, Limits(), max_k=max_k, simple_path=simple_path).verdicts


def not_(n: int) -> Expr:
    return e.ne(C, e.integer(n))


EVEN = e.eq(e.mod(C, e.integer(2)), e.integer(0))


def test_inductive_claim_is_proved_by_itself() -> None:
    assert verdicts(stepping(claim("even", EVEN))) == {"even": Proved("1-induction")}


def test_claim_is_proved_with_the_lemma_that_it_names() -> None:
    found = verdicts(stepping(claim("not seven", not_(7), "even"), lemma("even", EVEN)), 1)
    assert found["not seven"] == Proved("1-induction with lemma even")


def test_what_is_not_named_may_help_and_then_is_named_by_the_verdict() -> None:
    found = verdicts(stepping(claim("not seven", not_(7)), claim("even", EVEN)), 1)
    assert found["not seven"] == Proved("1-induction with even")
    alone = induct(
        stepping(claim("not seven", not_(7)), claim("even", EVEN)), ["not seven"], Limits(), max_k=1
    )
    assert alone.verdicts["not seven"] == found["not seven"]


def test_of_several_proofs_the_one_with_the_named_lemma_is_given() -> None:
    lemmas = [
        lemma("not one", e.and_(not_(1), EVEN)),
        lemma("even", EVEN),
        lemma("not five", e.and_(not_(5), EVEN)),
    ]
    for name in ("even", "not five", "not one"):
        found = verdicts(stepping(claim("not seven", not_(7), name), *lemmas), 1)
        assert found["not seven"] == Proved(f"1-induction with lemma {name}")


def test_lemma_of_a_lemma_is_among_what_a_proof_rests_on() -> None:
    system = stepping(
        claim("not seven", not_(7), "not five"),
        lemma("not five", not_(5), "not three"),
        lemma("not three", not_(3), "not one"),
        lemma("not one", not_(1), "not seven"),
    )
    found = verdicts(system, 1)
    assert isinstance(found["not three"], Proved), found["not three"]
    assert found["not seven"] == Proved("1-induction with lemmas not five, not three, not one")


def test_false_lemma_proves_nothing() -> None:
    found = verdicts(stepping(claim("not seven", not_(7), "small"), lemma("small", e.lt(C, e.integer(4)))), 3)
    assert isinstance(found["small"], Violated)
    assert isinstance(found["not seven"], Unknown)


def test_lemma_that_cannot_be_proved_proves_nothing() -> None:
    system = stepping(claim("not seven", not_(7), "not five"), lemma("not five", not_(5)))
    assert all(isinstance(v, Unknown) for v in verdicts(system, 1).values())


def test_lemma_that_is_not_needed_is_not_named() -> None:
    system = stepping(claim("even", EVEN, "true"), lemma("true", e.or_(B, e.eq(C, e.integer(0)))))
    assert verdicts(system, 1)["even"] == Proved("1-induction")


def test_more_steps_prove_more() -> None:
    claimed = claim("not seven", not_(7))
    assert isinstance(verdicts(stepping(claimed), 3)["not seven"], Unknown)
    assert verdicts(stepping(claimed), 4)["not seven"] == Proved("4-induction")


def test_paths_without_repetition_prove_what_no_depth_does() -> None:
    # A state that stays as it is for ever hides that it is unreachable, at any depth.
    up = Rule("up", (), EVEN, updates=(("c", e.narrow(e.add(C, e.integer(2)), COUNT)),), step="up")
    stay = Rule("stay", (), e.eq(C, e.integer(5)), updates=(("c", C),), step="stay")
    leave = Rule("leave", (), e.eq(C, e.integer(5)), updates=(("c", e.integer(7)),), step="leave")
    system = stepping(claim("not seven", not_(7)), rules=(up, stay, leave))
    assert isinstance(verdicts(system, 6, simple_path=False)["not seven"], Unknown)
    assert verdicts(system, 6)["not seven"] == Proved("2-induction")


def test_violation_within_the_base_case_is_shown() -> None:
    found = verdicts(stepping(claim("not four", not_(4))))["not four"]
    assert isinstance(found, Violated)
    assert len(found.trace.events) == 2


def test_counterexample_to_induction_is_a_run_to_a_broken_state() -> None:
    found = verdicts(stepping(claim("not seven", not_(7))), 2)["not seven"]
    assert isinstance(found, Unknown)
    assert (found.why, found.cause) == ("not k-inductive up to 2", Cause.UNDECIDED)
    assert found.cti is not None
    assert [s.values[0] for s in found.cti.states()] == [3, 5, 7]


def test_unreachable_target_is_vacuous() -> None:
    system = stepping(
        claim("three", e.eq(C, e.integer(3)), kind=Kind.REACH, role="reach"),
        claim("four", e.eq(C, e.integer(4)), kind=Kind.REACH, role="reach"),
        lemma("even", EVEN),
    )
    found = verdicts(system)
    assert found["three"] == Vacuous("no state satisfies it, by 1-induction with lemma even")
    assert isinstance(found["four"], Reached)


def test_absence_of_faults_is_proved_like_a_claim() -> None:
    odd = Fault(e.not_(EVEN), 0)
    system = stepping(claim("defined", e.TRUE, kind=Kind.FAULT, role="free", places=(0, 1)), faults=(odd,))
    assert isinstance(verdicts(system, 1)["defined"], Unknown)
    helped = replace(system, properties=(*system.properties, lemma("even", EVEN)))
    assert verdicts(helped, 1)["defined"] == Proved("1-induction with lemma even")


def test_claim_rests_on_faults_being_the_end_and_not_on_their_absence() -> None:
    # The counter faults at 4: claims about what lies beyond hold, though the system is not free of faults.
    four = Fault(e.eq(C, e.integer(4)), 0)
    system = stepping(
        claim("defined", e.TRUE, kind=Kind.FAULT, role="free", places=(0,)),
        claim("not six", not_(6)),
        faults=(four,),
    )
    found = verdicts(system)
    assert isinstance(found["defined"], Violated)
    assert len(found["defined"].trace.events) == 3
    assert isinstance(found["not six"], Proved)


def test_step_claim_is_proved_with_a_lemma_about_states() -> None:
    bounded = e.or_(e.not_(e.old(B)), e.eq(e.mod(C, e.integer(2)), e.integer(0)))
    system = stepping(claim("even after", bounded, "even", kind=Kind.STEP), lemma("even", EVEN))
    assert verdicts(system, 1)["even after"] == Proved("1-induction with lemma even")


def test_rule_whose_assumptions_no_run_meets_is_not_called_proved() -> None:
    chosen = e.param("k", COUNT)
    pick = Rule("pick", (), e.TRUE, (Binder("k", COUNT),), (Where(e.lt(C, chosen), "named"),), step="pick")
    prop = claim("pick", e.TRUE, kind=Kind.SATISFIABLE, role="free", of=("pick",))
    base = stepping(prop)
    assert verdicts(replace(base, rules=(*base.rules, pick))) == {"pick": Proved("1-induction")}
    late = replace(pick, guard=e.eq(C, e.integer(2)))
    assert verdicts(replace(base, rules=(*base.rules, late))) == {"pick": Proved("1-induction")}
    never = replace(pick, wheres=(Where(e.lt(e.integer(7), e.add(C, chosen)), "named"),), guard=below(0))
    found = verdicts(replace(base, rules=(*base.rules, never)))["pick"]
    assert isinstance(found, Unknown)
    assert found.why == "1-induction, but within 3 steps the assumptions of `pick` are never met"


def below(n: int) -> Expr:
    return e.lt(C, e.integer(n))


def test_assumptions_hold_in_the_first_state_of_a_step() -> None:
    system = stepping(claim("not seven", not_(7)), assumes=(Assume("small", e.lt(C, e.integer(5))),))
    assert verdicts(system, 1)["not seven"] == Proved("1-induction")


def test_given_lemmas_replace_the_named_ones() -> None:
    system = stepping(claim("not seven", not_(7)), lemma("even", EVEN))
    answer = induct(system, ["not seven"], Limits(), lemmas=["even"], max_k=1)
    assert answer.verdicts == {"not seven": Proved("1-induction with lemma even")}


def test_verdict_does_not_depend_on_what_else_is_asked() -> None:
    system = shootdown()
    together = verdicts(system, 2)
    for prop in system.properties:
        assert induct(system, [prop.name], Limits(), max_k=2).verdicts[prop.name] == together[prop.name]


def test_limits_give_no_answer() -> None:
    found = induct(shootdown(), ["safe"], Limits(resources=1)).verdicts["safe"]
    assert isinstance(found, Unknown)
    assert found.cause == Cause.LIMIT
    found = induct(shootdown(), ["safe"], Limits(deadline=time.monotonic())).verdicts["safe"]
    assert isinstance(found, Unknown)
    assert found.cause == Cause.TIMEOUT


def test_interrupt_while_terms_are_made_leaves_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Unrolling, "step", stop)
    found = verdicts(stepping(claim("even", EVEN), claim("not zero", not_(0))))
    assert isinstance(found["not zero"], Violated)
    assert isinstance(found["even"], Unknown)
    assert found["even"].cause == Cause.INTERRUPTED


# --- the TLB shootdown, with the invariant that a person found -----------------------------------------------------


def shootdown(vcpus: int = 2, gfns: int = 2, pfns: int = 2, *, buggy: bool = False) -> System:
    """The protocol with lemmas: each frame has one holder, and stale entries are being flushed."""
    system = tlb_shootdown(vcpus, gfns, pfns, buggy=buggy)
    x = {v.name: e.var(v.name, v.type) for v in system.vars}
    vcpu, gfn, pfn = Index("vcpu", vcpus), Index("gfn_t", gfns), Index("pfn", pfns)
    of_v, of_g, of_p = Binder("lv", vcpu), Binder("lg", gfn), Binder("lp", pfn)
    v, g, p = e.param("lv", vcpu), e.param("lg", gfn), e.param("lp", pfn)

    def is_p(value: Expr) -> Expr:
        return e.eq(value, e.some(p))

    def zapper(*names: str) -> Expr:
        return e.or_(*(e.eq(x["zapper.pc"], e.const(ZAPPER, ZAPPER.members.index(n))) for n in names))

    def guest(*names: str) -> Expr:
        pc = e.select(x["guest.pc"], v)
        return e.or_(*(e.eq(pc, e.const(GUEST, GUEST.members.index(n))) for n in names))

    mapped = is_p(e.select(x["pt"], g))
    holders = (
        e.bind(Op.COUNT, of_g, mapped),
        e.bind(Op.COUNT, of_v, is_p(e.select(x["guest.p"], v))),
        e.to_int(e.member(p, x["free"])),
        e.to_int(is_p(x["zapper.p"])),
    )
    total = e.add(e.add(holders[0], holders[1]), e.add(holders[2], holders[3]))
    unflushed = e.and_(
        is_p(x["zapper.p"]), e.not_(e.member(v, x["flushed"])), zapper("perhaps", "yielded", "flush")
    )
    cached = is_p(e.select(e.select(x["tlb"], v), g))
    covered = e.implies(cached, e.or_(mapped, unflushed))
    holding = e.and_(
        e.implies(e.member(v, x["flushed"]), zapper("flush")),
        e.implies(guest("pick", "install"), zapper("rest", "yielded")),
        e.eq(guest("install"), e.is_some(e.select(x["guest.p"], v))),
        e.implies(guest("lock", "pick", "install"), e.is_some(e.select(x["guest.g"], v))),
    )
    lemmas = (
        lemma("one_holder", e.forall(of_p, e.le(total, e.integer(1)))),
        lemma("covered", e.forall(of_v, e.forall(of_g, e.forall(of_p, covered)))),
        lemma("locks", e.forall(of_v, holding)),
        lemma("owing", e.implies(zapper("rest", "clear"), e.not_(e.is_some(x["zapper.p"])))),
        lemma("zapping", e.implies(zapper("clear"), e.is_some(x["zapper.g"]))),
    )
    safe = replace(system.property("safe"), using=tuple(lem.name for lem in lemmas))
    return replace(system, properties=(safe, *lemmas))


@pytest.mark.parametrize("size", [(2, 2, 2), (3, 2, 3)])
def test_tlb_shootdown_is_proved_by_one_step(size: tuple[int, int, int]) -> None:
    found = verdicts(shootdown(*size), 1)
    assert all(isinstance(v, Proved) for v in found.values()), found
    assert isinstance(found["safe"], Proved)
    assert found["safe"].how.startswith("1-induction with lemmas one_holder, covered")


def test_buggy_tlb_shootdown_is_not_proved() -> None:
    found = verdicts(shootdown(buggy=True), 2)
    assert isinstance(found["safe"], Unknown)
    assert isinstance(found["covered"], Unknown)


# --- against exhaustive search -------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(systems())
def test_nothing_is_proved_that_exhaustive_search_refutes(system: System) -> None:
    facts = search(system, 500)
    if facts is not None:
        for name, found in verdicts(system, 3).items():
            agree(system.property(name), found, facts)


def agree(prop: Property, found: Verdict, facts: Facts) -> None:
    match found:
        case Proved():
            assert prop.kind is not Kind.REACH
            assert prop.name not in facts.first
        case Vacuous():
            unmet = prop.kind is Kind.SATISFIABLE and "r0" in facts.enabled - facts.met
            assert facts.states == 0 or unmet or (prop.kind is Kind.REACH and prop.name not in facts.first)
        case Violated(trace) | Reached(trace):
            assert len(trace.events) == facts.first[prop.name]
        case Unknown(_, _, cti):
            assert cti is not None or prop.kind is Kind.SATISFIABLE
            if cti is not None and prop.kind is Kind.STATE:
                last = cti.states()[-1]
                assert not evaluate(prop.cond, as_valuation(system_of(cti), last))
        case _:
            raise AssertionError("induction has no other answers")


def system_of(trace: object) -> System:
    assert hasattr(trace, "system")
    found = trace.system
    assert isinstance(found, System)
    return found


def refuted(system: System) -> bool:
    """Whether the comparison above notices something."""
    facts = search(system, 500)
    assert facts is not None
    try:
        for name, found in verdicts(system, 2).items():
            agree(system.property(name), found, facts)
    except (AssertionError, Inconsistent):
        return True
    return False


def test_planted_missing_base_case_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    system = stepping(claim("negative", e.lt(C, e.integer(0))))
    assert not refuted(system)
    monkeypatch.setattr(Bounded, "deepen", lambda _: True)
    assert refuted(system)


def test_planted_hypothesis_on_the_last_state_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    system = stepping(claim("not four", not_(4)))
    assert not refuted(system)
    allowed = engine.Induction._hypotheses

    def circular(self: engine.Induction, name: str, known: Mapping[str, Term]) -> dict[str, Term]:
        given = allowed(self, name, known)
        last = self._unrolling.terms.not_(self._bad[name][-1])
        return {**given, name: self._unrolling.terms.and_((given[name], last))}

    monkeypatch.setattr(engine.Induction, "_hypotheses", circular)
    assert refuted(system)


def flagging(cond: Expr, variable: Var) -> System:
    """A system that sets `b` where `cond` holds of a variable that never changes."""
    rule = Rule("look", (), e.TRUE, updates=(("b", cond),), step="look")
    return stepping(claim("never", e.not_(B)), vars=(variable, Var("b", BOOL, "shared")), rules=(rule,))


def test_planted_missing_domain_constraint_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    colour = Enum("Colour", ("RED", "GREEN", "BLUE"))
    x = e.var("x", colour)
    fourth = e.and_(*(e.ne(x, e.const(colour, n)) for n in range(3)))
    system = flagging(fourth, Var("x", colour, "shared"))
    assert verdicts(system, 1) == {"never": Proved("1-induction")}
    monkeypatch.setattr(shape.Shape, "well_formed", lambda *_: iter(()))
    assert verdicts(system, 1) != {"never": Proved("1-induction")}


def test_planted_value_beside_none_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    some = Option(COUNT)
    x = e.var("x", some)
    system = flagging(e.and_(e.not_(e.is_some(x)), e.ne(e.get(x), e.integer(0))), Var("x", some, "shared"))
    assert verdicts(system, 1) == {"never": Proved("1-induction")}
    monkeypatch.setattr(shape.Shape, "well_formed", lambda *_: iter(()))
    with pytest.raises(Inconsistent):
        verdicts(system, 1)
