"""Certificates: what they say is asked again of two solvers, and nothing is believed that is stale, idle or false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from refine import resources
from refine.core.digest import digest
from refine.core.system import System
from refine.engine import certify
from refine.engine.certify import Checked, check, make, obligation_of
from refine.engine.obligation import certifiable
from refine.engine.replay import Inconsistent
from refine.engine.verdict import Limits
from refine.lang.certificate import (
    Certificate,
    Exhaustive,
    Inductive,
    KInductive,
    Malformed,
    Rounds,
    Sizes,
    read,
    write,
)
from refine.lang.load import load
from refine.lang.lower import lower
from refine.lang.sizes import sizes as declared_sizes
from refine.smt.solver import Budget, Outcome, Reason, Status
from refine.smt.term import Term
from refine.text.diag import Reporter
from tests.test_specs import PROTOCOLS, ROOT, lowered, name

SHOOTDOWN = ROOT / "spec/x86/tlb_shootdown.spte"


def shipped(path: Path) -> Certificate:
    relative = path.relative_to(resources.root("spec")).with_suffix(".proof")
    return read((resources.root("proofs") / relative).read_text(encoding="utf-8"))


def systems_of(path: Path) -> dict[Sizes, System]:
    reporter = Reporter()
    loaded = load(path, (), reporter)
    assert loaded is not None
    found = declared_sizes(loaded, reporter)
    assert found is not None
    made = {}
    for row in found.all or (found.default,):
        system = lower(loaded, dict(row), reporter)
        assert system is not None
        made[tuple(row.items())] = system
    return made


# --- the shipped ones ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PROTOCOLS, ids=name)
def test_each_protocol_has_a_certificate_for_all_that_an_invariant_can_prove(path: Path) -> None:
    found = shipped(path)
    for sizes, system in systems_of(path).items():
        said = {
            claim: section
            for section in found.sections
            if isinstance(section, Inductive)
            if any(dict(core[0]) == dict(sizes) for core in section.cores)
            for claim in section.claims
        }
        for p in certifiable(system):
            assert p.name in said, f"{p.name} at {sizes}"


@pytest.mark.slow
@pytest.mark.parametrize("path", PROTOCOLS, ids=name)
def test_no_sentence_of_a_certificate_can_go(path: Path) -> None:
    systems = {frozenset(sizes): system for sizes, system in systems_of(path).items()}
    for section in shipped(path).sections:
        if isinstance(section, Inductive | Rounds):
            idle = [
                set(obligation_of(systems[frozenset(sizes)], section).idle_ones(Budget()))
                for sizes, _ in section.cores
            ]
            assert not set.intersection(*idle)


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> tuple[System, Sizes, Inductive]:
    """One size of the shootdown without its lemmas, so that the invariant carries the proof."""
    sizes = (("VCPUS", 1), ("GFNS", 2), ("PFNS", 2))
    whole = lowered(SHOOTDOWN, dict(sizes))
    system = replace(whole, properties=tuple(p for p in whole.properties if p.role != "lemma"))
    proved: dict[Sizes, dict[str, int | None]] = {sizes: dict.fromkeys(p.name for p in certifiable(system))}
    found, left = make({sizes: system}, proved, "tests", Limits())
    assert not left
    [section] = found.sections
    assert isinstance(section, Inductive)
    return system, sizes, section


def test_what_was_made_is_checked_by_both_solvers(small: tuple[System, Sizes, Inductive]) -> None:
    system, sizes, section = small
    assert len(section.sentences) > 5
    assert check(system, section, sizes, Budget()) == Checked("checked", "z3 and cvc5")


def test_stale_is_refused(small: tuple[System, Sizes, Inductive]) -> None:
    system, sizes, section = small
    changed = replace(system, rules=system.rules[:-1])
    found = check(changed, section, sizes, Budget())
    assert found.outcome == "refused"
    assert "stale" in found.why


def tampered(section: Inductive, sentences: Sequence[str]) -> Inductive:
    return replace(section, sentences=tuple(sentences))


def test_a_sentence_less_is_refused(small: tuple[System, Sizes, Inductive]) -> None:
    system, sizes, section = small
    for n in range(len(section.sentences)):
        less = tampered(section, section.sentences[:n] + section.sentences[n + 1 :])
        assert check(system, less, sizes, Budget()) == Checked(
            "refused", "what it says does not survive a step"
        )


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("true", "'true' says nothing"),
        ("forall v in vcpu. v == v", "says nothing"),
        ("forall g in gfn_t. spte[g] == none || spte[g] != none", "says nothing"),
        ("false", "what it says does not hold initially"),
        ("zapper at clear", "what it says does not hold initially"),
        ("forall g in gfn_t. spte[g] == none", "what it says does not survive a step"),
        ("zapper at nowhere", "has no place 'nowhere'"),
        ("nobody == none", "the protocol has no 'nobody'"),
        ("forall v in", "expected"),
    ],
)
def test_a_sentence_more_is_refused(sentence: str, why: str, small: tuple[System, Sizes, Inductive]) -> None:
    system, sizes, section = small
    found = check(system, tampered(section, (*section.sentences, sentence)), sizes, Budget())
    assert found.outcome == "refused"
    assert why in found.why


def test_a_claim_that_is_false_is_refused() -> None:
    buggy = lowered(ROOT / "tests/clients/tlb_shootdown_buggy.spte", {"VCPUS": 1, "GFNS": 2, "PFNS": 2})
    sizes = buggy.sizes
    claims = tuple(p.name for p in certifiable(buggy))
    section = Inductive("IC3", ((sizes, digest(buggy)),), claims, ())
    found = check(buggy, section, sizes, Budget())
    assert found == Checked("refused", "what it says does not survive a step")


def test_a_claim_that_does_not_exist_is_refused(small: tuple[System, Sizes, Inductive]) -> None:
    system, sizes, section = small
    for claim in ("nothing", "stuck"):
        found = check(system, replace(section, claims=(*section.claims, claim)), sizes, Budget())
        assert found == Checked("refused", f"no invariant proves '{claim}'")


# --- solvers ------------------------------------------------------------------------------------------------------


class Liar:
    """A solver that has a model for everything, or for nothing, or no answer."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def add(self, condition: Term) -> None:
        del condition

    def check(self, assumptions: Sequence[Term] = ()) -> Outcome:
        del assumptions
        return Outcome(self._status, reason=Reason.INCOMPLETE)


def test_solvers_that_disagree_stop_everything(
    small: tuple[System, Sizes, Inductive], monkeypatch: pytest.MonkeyPatch
) -> None:
    system, sizes, section = small
    for which in ("z3", "cvc5"):
        with monkeypatch.context() as patched:
            patched.setattr(certify, which, lambda *_, **__: Liar(Status.SAT))
            with pytest.raises(Inconsistent, match="disagree"):
                check(system, section, sizes, Budget())


def test_one_solver_alone_convinces_nobody(
    small: tuple[System, Sizes, Inductive], monkeypatch: pytest.MonkeyPatch
) -> None:
    system, sizes, section = small
    false = tampered(section, section.sentences[1:])
    for which in ("z3", "cvc5"):
        with monkeypatch.context() as patched:
            patched.setattr(certify, which, lambda *_, **__: Liar(Status.UNSAT))
            with pytest.raises(Inconsistent, match="disagree"):
                check(system, false, sizes, Budget())
        with monkeypatch.context() as patched:
            patched.setattr(certify, which, lambda *_, **__: Liar(Status.UNKNOWN))
            assert check(system, section, sizes, Budget()) == Checked("unknown", f"{which} has no answer")


# --- what happens eventually ----------------------------------------------------------------------------------------


def test_a_claim_of_liveness_is_certified_by_rounds() -> None:
    path = ROOT / "spec/lib/clients/lock.spte"
    sections = [s for s in shipped(path).sections if isinstance(s, Rounds)]
    assert {size for s in sections for size, _ in s.cores} == set(systems_of(path))
    for section in sections:
        assert section.claims == ("served",)
        for sizes, _ in section.cores:
            system = systems_of(path)[sizes]
            assert check(system, section, sizes, Budget()) == Checked("checked", "z3 and cvc5")
            unfair = replace(system, rules=tuple(replace(r, fair="") for r in system.rules))
            stolen = replace(section, cores=((sizes, digest(unfair)),))
            assert check(unfair, stolen, sizes, Budget()).outcome == "refused"
            both = replace(section, claims=("served", "released"))
            assert "one claim" in check(system, both, sizes, Budget()).why
            if section.most > 1:
                hasty = replace(section, most=section.most // 4)
                assert check(system, hasty, sizes, Budget()).outcome == "refused"
                for n in (0, len(section.sentences) - 1):
                    less = replace(section, sentences=section.sentences[:n] + section.sentences[n + 1 :])
                    assert check(system, less, sizes, Budget()).outcome == "refused"


# --- text ---------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_again() -> None:
    sizes = (("A", 1), ("B", 22))
    sentences = ("x == none || y at {a.b, c}", "forall " + "v in vcpu, " * 30 + "w in vcpu. true")
    sections = (
        Inductive("IC3", ((sizes, "0" * 64), ((), "f" * 64)), ("one", "a.two"), sentences),
        KInductive(2, False, ((sizes, "0" * 64),), ("one",), ("x <= 3",)),
        KInductive(13, True, (((), "f" * 64),), ("one", "a.two"), ()),
        Rounds(8, ((sizes, "0" * 64),), ("served",), ("rounds.over == 1",)),
        Exhaustive(((sizes, "0" * 64, 12),), ("stuck",)),
    )
    certificate = Certificate("p", "spte-refine 0", 1, sections)
    text = write(certificate, "p.spte")
    assert read(text) == certificate
    assert all(len(line) <= 110 for line in text.split("\n") if "0" * 64 not in line)


@pytest.mark.parametrize(
    "text", ["", "proof p;", "proof p;\nchecker 1 language 1;", "nonsense", "proof p; é"]
)
def test_what_is_no_certificate_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Malformed):
        read(text)
