"""Proofs for any number of elements: given where they hold, and never where some number breaks the claim."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refine.core.system import System
from refine.engine import unbounded
from refine.engine.certify import check_unbounded
from refine.engine.obligation import Obligation
from refine.engine.replay import Inconsistent
from refine.engine.unbounded import check, find, sayable, three_sizes
from refine.engine.verdict import Limits
from refine.export.logic import Sentences, alternations, cyclic
from refine.export.many import Many
from refine.export.values import Refused
from refine.lang.certificate import Inductive, Sizes, Unbounded
from refine.lang.load import load_text
from refine.lang.lower import lower
from refine.lang.sizes import ranges, sizes
from refine.smt.second import cvc5_says
from refine.smt.solver import Budget, Status, z3_says
from refine.text.diag import Reporter
from tests.engine.random_systems import system_of
from tests.engine.test_certify import shipped
from tests.test_specs import PROTOCOLS, ROOT, lowered

MARKS = """
protocol marks "each node is marked once, by whoever comes";
param N = 2 in 1..4;
index node[N];
shared set<node> marked = {};
shared bool any_marked = false;
rule mark[a in node] when a !in marked { marked += a; any_marked = true; }
"""
SAFE = "claim seen: always forall a in node. a in marked -> any_marked;\n"
# False as soon as there are five.
FIVE = """
claim few: always forall a in node, b in node, c in node, d in node, f in node.
    a != b && a != c && a != d && a != f && b != c && b != d && b != f && c != d && c != f && d != f
        -> !(a in marked && b in marked && c in marked && d in marked && f in marked);
"""
LINKS = """
rule join[a in node, b in node] when b in marked { link[a] = b; }
claim linked: always forall a in node. link[a] != none -> link[a] in marked;
"""


def stands(obligation: Obligation) -> bool:
    return obligation.ask(obligation.solver(Budget()))[0] == "holds"


def systems(text: str) -> list[System]:
    """The three sizes, and one of each, at which a text is compared with itself."""
    reporter = Reporter()
    loaded = load_text(text, "text.spte", (), reporter)
    assert loaded is not None, reporter.diagnostics
    known = sizes(loaded, reporter)
    assert known is not None

    def at(row: Sizes) -> System | None:
        return lower(loaded, dict(row), Reporter())

    rows = three_sizes(known.default, ranges(loaded), at)
    assert rows is not None
    return [s for row in rows if (s := at(row)) is not None]


def proof(text: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] | str:
    return find(systems(text), Limits(), None)


# --- protocols ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "types", "claim"),
    [
        ("spec/x86/tlb_shootdown.spte", ("vcpu", "gfn_t", "pfn_t"), "no_stale_translation"),
        ("spec/lib/clients/rcu.spte", ("object", "reader"), "no_use_after_free"),
        ("spec/lib/clients/obligation.spte", ("page",), "no_stale_use"),
    ],
)
def test_these_are_proved_for_any_number(path: str, types: tuple[str, ...], claim: str) -> None:
    [section] = [s for s in shipped(ROOT / path).sections if isinstance(s, Unbounded)]
    assert section.types == types
    assert claim in section.claims
    at = [lowered(ROOT / path, dict(row)) for row, _ in section.cores]
    assert check_unbounded(section, at, Budget()).outcome == "checked"
    bare = replace(section, sentences=())
    assert check_unbounded(bare, at, Budget()).outcome == "refused"


def test_which_shipped_protocols_are_proved_for_any_number() -> None:
    found = {
        path.stem: {*section.types}
        for path in PROTOCOLS
        for section in shipped(path).sections
        if isinstance(section, Unbounded)
    }
    assert found == {
        "tlb_shootdown": {"vcpu", "gfn_t", "pfn_t"},
        "rcu": {"object", "reader"},
        "rwlock": {"reader"},
        "request": {"vcpu"},
        "obligation": {"page"},
        "pkvm_finalize": {"cpu"},
        "flush_owed": {"root", "vcpu"},
        "nx_recovery": {"page"},
        "spte_overwrite": {"page"},
        "vma_snapshot": {"vcpu"},
    }


def test_a_small_one_is_proved() -> None:
    found = proof(MARKS + SAFE)
    assert isinstance(found, tuple)
    assert found[:2] == (("node",), ("seen", "defined"))


# --- what is not proved -------------------------------------------------------------------------------------------


def test_what_holds_up_to_four_and_breaks_at_five_is_not_proved() -> None:
    assert all(stands(Obligation(s, ["few"], ())) for s in systems(MARKS + FIVE))
    found = proof(MARKS + FIVE)
    assert isinstance(found, str)
    assert "for any number" in found


def test_a_certificate_that_says_so_all_the_same_is_refused() -> None:
    at = systems(MARKS + FIVE)
    core = unbounded.same_skeleton(at, ["few"])
    assert core is not None
    section = Unbounded(("node",), tuple((s.sizes, core) for s in at), ("few",), ())
    found = check_unbounded(section, at, Budget())
    assert found.outcome == "refused"
    assert "is not shown to preserve it" in found.why
    stale = replace(section, cores=tuple((row, "0" * 64) for row, _ in section.cores))
    assert "stale" in check_unbounded(stale, at, Budget()).why
    other = replace(section, claims=("nothing",))
    assert check_unbounded(other, at, Budget()).outcome == "refused"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("claim half: always (count a in node. a in marked) <= N;\n", "every claim counts"),
        (
            "shared int(0..N) seen = 0;\nrule see when seen < N { seen += 1; }\nclaim low: seen <= 3;\n",
            "shows in the protocol",
        ),
        (
            "rule see when (count a in node. a in marked) > 2 { }\nclaim seen: any_marked || true;\n",
            "shows in the protocol",
        ),
        ("shared node? link[node] = none;\n" + LINKS, "lead to elements of the same type"),
    ],
)
def test_where_numbers_matter_there_is_none(more: str, why: str) -> None:
    found = proof(MARKS + more)
    if "every claim counts" in why:
        assert isinstance(found, tuple)
        assert "half" not in found[1]
        return
    assert isinstance(found, str)
    assert why in found


def test_solvers_that_disagree_stop_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    at = systems(MARKS + SAFE)
    monkeypatch.setattr(unbounded, "cvc5_says", lambda _text, _budget: Status.SAT)
    with pytest.raises(Inconsistent, match="disagree"):
        check(at, ["seen"], (), Budget())
    monkeypatch.setattr(unbounded, "cvc5_says", lambda _text, _budget: Status.UNKNOWN)
    assert isinstance(check(at, ["seen"], (), Budget()), str)


# --- against the ground reading ---------------------------------------------------------------------------------------


def proved_for_any(system: System) -> list[str] | None:
    """The claims that need no invariant at any number; None where that cannot be asked."""
    claims = sayable(system)
    found = []
    for p in claims:
        try:
            many = Many(system, [p], ())
            texts = [many.text(o) for o in many.obligations]
        except Refused:
            continue
        if all(z3_says(text, Budget()) is Status.UNSAT for text in texts):
            found.append(p.name)
    return found


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_what_is_inductive_at_any_number_is_so_at_the_number_there_is(seed: int) -> None:
    system = system_of(seed, symmetric=True)
    for name in proved_for_any(system) or ():
        assert stands(Obligation(system, [name], ())), name


@pytest.mark.parametrize("path", ["spec/x86/tlb_shootdown.spte"])
def test_both_readings_agree_on_each_sentence_less(path: str) -> None:
    """At the largest of the three sizes, and for any number: where one refuses a proof, so does the other."""
    [section] = [s for s in shipped(ROOT / path).sections if isinstance(s, Unbounded)]
    system = lowered(ROOT / path, dict(section.cores[-1][0]))
    claims = [system.property(name) for name in section.claims]
    for n in range(len(section.sentences) + 1):
        texts = [text for k, text in enumerate(section.sentences) if k != n]
        ground = Obligation(system, section.claims, texts)
        many = Many(system, claims, ground.sentences)
        for_any = all(z3_says(many.text(o), Budget()) is Status.UNSAT for o in many.obligations)
        here = stands(ground)
        assert not for_any or here
        assert here or not for_any


def test_both_solvers_read_the_same_text() -> None:
    system = systems(MARKS + SAFE)[-1]
    many = Many(system, [system.property("seen")], ())
    for o in many.obligations:
        text = many.text(o)
        assert z3_says(text, Budget()) is cvc5_says(text, Budget()) is Status.UNSAT
    weak = Many(system, [replace(system.property("seen"), cond=system.properties[0].cond)], ())
    assert weak.types == ("node",)


# --- the fragment -------------------------------------------------------------------------------------------------


def test_alternations_follow_what_an_exists_depends_on() -> None:
    s = Sentences()
    p, q = s.app("p", "x", "y"), s.app("q", "z")
    inner = s.exists((("y", "B"),), p)
    assert alternations(s.forall((("x", "A"),), inner), demanded=True) == {("A", "B")}
    assert alternations(s.forall((("x", "A"),), inner), demanded=False) == set()
    apart = s.forall((("x", "A"),), s.or_((s.app("r", "x"), s.exists((("z", "B"),), q))))
    assert alternations(apart, demanded=True) == set()
    assert cyclic({("A", "B"), ("B", "A")})
    assert not cyclic({("A", "B"), ("A", "C"), ("B", "C")})


def test_a_sized_section_is_another_thing(tmp_path: Path) -> None:
    del tmp_path
    kinds = {type(s) for s in shipped(ROOT / "spec/x86/tlb_shootdown.spte").sections}
    assert {Inductive, Unbounded} <= kinds
