"""Certificates of k-induction: what they say is true of every run, two solvers say so, and nothing in them can go."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refine.core import expr as e
from refine.core.digest import digest
from refine.core.system import System
from refine.engine import certify
from refine.engine.certify import Checked, Left, check, make
from refine.engine.ic3 import Search
from refine.engine.induct import standing
from refine.engine.obligation import Obligation, certifiable
from refine.engine.replay import Inconsistent
from refine.engine.verdict import Limits
from refine.lang.certificate import KInductive
from refine.smt.second import cvc5_says
from refine.smt.solver import Budget, Status, z3_says
from tests.engine.test_certify import Liar
from tests.engine.test_live import system
from tests.smt.exhaustive import search
from tests.smt.randoms import systems

FIB = """
protocol fib "each number is the sum of the two before it";
shared int a = 1;
shared int b = 1;
rule grow { b += a; a = b - a; }
claim positive: always a > 0;
"""
TICKET = """
protocol ticket "a lock by ticket numbers that never wrap around";
index worker[2];
shared int next = 0;
shared int owner = 0;
shared int? mine[worker];
shared bool inside[worker];
rule take[w in worker] when mine[w] == none { mine[w] = next; next += 1; }
rule enter[w in worker] when mine[w] == owner { inside[w] = true; }
rule leave[w in worker] when inside[w] { inside[w] = false; mine[w] = none; owner += 1; }
claim exclusion: always forall v in worker, w in worker. inside[v] && inside[w] -> v == w;
"""
SENTENCES = (
    "forall w in worker. mine[w] == none || owner <= mine[w] && mine[w] + 1 <= next",
    "forall v in worker, w in worker. v != w && mine[v] != none -> mine[v] != mine[w]",
    "forall w in worker. inside[w] -> mine[w] == owner",
    "owner <= next",
)
# From 2 a step stays at 2, so that however many states in a row are not 3, the next one may be.
LOOP = """
protocol around "out of reach there is a loop, and a way out of it";
shared int c = 0;
rule up when c == 0 { c = 1; }
rule down when c == 1 { c = 0; }
rule stay when c == 2 { c = 4 - c; }
rule out when c == 2 { c = 3; }
claim away: always c != 3;
"""
LATE = """
protocol late "the third state is bad, and has no way on";
shared int c = 0;
rule up when c == 0 { c = 1; }
rule on when c == 1 { c = 2; }
claim small: always c != 2;
"""


def section_of(made: System, k: int, *sentences: str, simple: bool = False) -> KInductive:
    claims = tuple(p.name for p in certifiable(made))
    return KInductive(k, simple, ((made.sizes, digest(made)),), claims, sentences)


def said(made: System, section: KInductive) -> Checked:
    return check(made, section, made.sizes, Budget())


def certified(made: System) -> tuple[tuple[object, ...], tuple[Left, ...]]:
    proved: dict[str, int | None] = dict.fromkeys(p.name for p in certifiable(made))
    found, left = make({made.sizes: made}, {made.sizes: proved}, "tests", Limits())
    return found.sections, left


YES = Checked("checked", "z3 and cvc5")


# --- what is made ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "k", "simple"), [(FIB, 2, False), (LOOP, 2, True)])
def test_unbounded_integers_are_certified_with_the_least_k(text: str, k: int, simple: bool) -> None:
    made = system(text)
    assert certified(made) == ((section_of(made, k, simple=simple),), ())
    assert said(made, section_of(made, k, simple=simple)) == YES


def test_what_is_not_k_inductive_is_left_and_named() -> None:
    made = system(TICKET)
    [section], left = certified(made)
    assert isinstance(section, KInductive)
    assert section.claims == ("defined",)
    assert section.k == 1
    assert left == (Left(made.sizes, ("exclusion",), "IC3 needs variables of finitely many values"),)


def test_where_ic3_did_not_finish_induction_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    made = system(FIB.replace("shared int", "shared int(0..5)").replace("rule grow", "rule grow when b < 3"))
    monkeypatch.setattr(Search, "run", lambda _self: None)
    [section], left = certified(made)
    assert isinstance(section, KInductive)
    assert left == ()
    assert said(made, section) == YES


# --- what is refused ------------------------------------------------------------------------------------------------


def test_sentences_about_integers_carry_a_proof() -> None:
    made = system(TICKET)
    assert said(made, section_of(made, 1, *SENTENCES)) == YES
    idle = "forall w in worker. inside[w] -> next > owner"
    found = said(made, section_of(made, 1, idle, *SENTENCES))
    assert found == Checked("refused", f"'{idle}' is not needed")
    for n in range(len(SENTENCES)):
        less = SENTENCES[:n] + SENTENCES[n + 1 :]
        assert said(made, section_of(made, 1, *less)).outcome == "refused"


@pytest.mark.parametrize(
    ("text", "k", "simple", "why"),
    [
        (FIB, 1, False, "what it says does not survive a step"),
        (FIB, 3, False, "k is larger than needed: it is 2-inductive"),
        (FIB, 2, True, "it holds with repetition, too"),
        (FIB, 0, False, "k is a number from 1 to 16, and not 0"),
        (FIB, 17, False, "k is a number from 1 to 16, and not 17"),
        (LOOP, 4, False, "what it says does not survive a step from 4 states that satisfy it"),
        (LOOP, 3, True, "k is larger than needed: it is 2-inductive"),
        (LATE, 3, False, "what it says does not hold in the first 3 states"),
        (LATE, 4, True, "what it says does not hold in the first 4 states"),
    ],
)
def test_any_other_k_is_refused(text: str, k: int, simple: bool, why: str) -> None:
    made = system(text)
    assert said(made, section_of(made, k, simple=simple)) == Checked("refused", why)


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("true", "'true' says nothing"),
        ("a < a + 1", "'a < a + 1' says nothing"),
        ("false", "what it says does not hold in the first 2 states"),
        ("b == 1", "what it says does not hold in the first 2 states"),
        ("b < 100", "what it says does not survive a step from 2 states that satisfy it"),
        ("b > 0", "k is larger than needed: it is 1-inductive"),
        ("b > a || a > 0", "'b > a || a > 0' is not needed"),
        ("a < nobody", "the protocol has no 'nobody'"),
        ("a < true", "'true' is no integer"),
        ("a + b", "it is no truth value"),
    ],
)
def test_a_sentence_more_is_refused(sentence: str, why: str) -> None:
    made = system(FIB)
    assert said(made, section_of(made, 2, sentence)) == Checked("refused", why)


def test_a_certificate_is_of_one_system() -> None:
    made = system(FIB)
    other = replace(made, rules=())
    found = said(other, section_of(made, 2))
    assert found.outcome == "refused"
    assert "stale" in found.why
    for claim in ("nobody", "stuck"):
        wrong = replace(section_of(made, 2), claims=("positive", claim))
        assert said(made, wrong) == Checked("refused", f"no invariant proves '{claim}'")


def test_a_system_without_an_initial_state_is_refused() -> None:
    made = system(FIB)
    never = replace(made.init, guard=e.FALSE)
    nothing = replace(made, init=never)
    assert "no initial state" in said(nothing, section_of(nothing, 2)).why


# --- solvers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["z3", "cvc5"])
def test_one_solver_alone_convinces_nobody(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = system(FIB)
    for k, status in ((2, Status.SAT), (1, Status.UNSAT)):
        monkeypatch.setattr(certify, which, lambda *_, status=status, **__: Liar(status))
        with pytest.raises(Inconsistent, match="disagree"):
            said(made, section_of(made, k))
    monkeypatch.setattr(certify, which, lambda *_, **__: Liar(Status.UNKNOWN))
    assert said(made, section_of(made, 2)) == Checked("unknown", f"{which} has no answer")


def test_both_solvers_find_what_is_exported_unsatisfiable() -> None:
    text = certify.export(system(FIB), [section_of(system(FIB), 2)], "fib.spte")
    head, *questions = text.split("(push 1)")
    assert len(questions) == 3
    for question in questions:
        asserted, _, rest = question.partition("(check-sat)\n(pop 1)\n")
        whole = head + asserted + "(check-sat)\n"
        assert z3_says(whole, Budget()) is cvc5_says(whole, Budget()) is Status.UNSAT
        head += rest


# --- random systems -------------------------------------------------------------------------------------------------


def never_wrong(made: System, k: int, *, simple: bool, names: tuple[str, ...]) -> bool | None:
    """Whether claims are k-inductive together; they are true then."""
    facts = search(made, 300)
    if facts is None or not names:
        return None
    obligation = Obligation(made, names, (), k, simple=simple)
    if obligation.ask(obligation.solver(Budget()))[0] != "holds":
        return False
    assert not set(names) & facts.first.keys(), (names, k, simple)
    return True


@settings(max_examples=60, deadline=None)
@given(systems(), st.integers(1, 3), st.booleans(), st.data())
def test_what_is_k_inductive_is_true_of_every_run(
    made: System, k: int, simple: bool, data: st.DataObject
) -> None:
    names = [p.name for p in certifiable(made)]
    some = tuple(name for name in names if data.draw(st.booleans(), name))
    never_wrong(made, k, simple=simple, names=some)


@settings(max_examples=40, deadline=None)
@given(systems(), st.booleans())
def test_what_stands_together_is_an_obligation_that_holds(made: System, simple: bool) -> None:
    names = [p.name for p in certifiable(made)]
    found = standing(made, names, Limits(), None, simple_path=simple)
    if found:
        obligations = (Obligation(made, found, (), k, simple=simple) for k in range(1, 5))
        assert any(o.ask(o.solver(Budget()))[0] == "holds" for o in obligations)


# --- planted errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "k"), [(slice(0, 1), 3), (slice(-1, None), 4)], ids=["only the first state", "only the last one"]
)
def test_a_beginning_that_is_not_looked_at_is_noticed(
    kept: slice, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Obligation._begin
    monkeypatch.setattr(Obligation, "_begin", lambda self, k: whole(self, k)[kept])
    made = system(LATE)
    obligation = Obligation(made, ["small"], (), k)
    assert obligation.ask(obligation.solver(Budget()))[0] == "holds"
    with pytest.raises(AssertionError):
        never_wrong(made, k, simple=False, names=("small",))
