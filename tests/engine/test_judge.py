"""Judgements on reasons, mutants and variants: each word means what the language's page says, and never more."""

from __future__ import annotations

import pytest

from refine.cli.joint import idle_together, settled
from refine.engine import audit
from refine.engine.audit import Case, How
from refine.engine.items import plan
from refine.engine.judge import Judgement, judge, observers
from refine.engine.verdict import Limits
from refine.lang.edited import outline_of
from refine.lang.load import Loaded, load_text
from refine.lang.sizes import sizes
from refine.report.audit import Row, row
from refine.text.diag import Reporter, render

HOW = How(Limits())

# Two locks guard one step; the number of vCPUs decides whether a third protection is needed.
NETS = """protocol nets;
import lib.lock;
param VCPUS = 1 in 1..3;
index vcpu[VCPUS];
spinlock one;
spinlock two;
shared set<vcpu> inside = {};
thread guest[v in vcpu] {
    loop {
        step take { spin_lock(one); }
        step take_two { spin_lock(two); }
        step enter { inside += v; }
        step leave { inside -= v; }
        step give_two { spin_unlock(two); }
        step give { spin_unlock(one); }
    }
}
claim alone: size(inside) <= 1 because one.held, two.held;
"""


def loaded(text: str) -> Loaded:
    reporter = Reporter()
    found = load_text(text, "x.spte", (), reporter)
    assert found is not None, [render(d) for d in reporter.sorted()]
    return found


def judged(text: str, how: How = HOW) -> list[Judgement]:
    file = loaded(text)
    reporter = Reporter()
    outline = outline_of(file, reporter)
    assert outline is not None
    assert not reporter.has_errors, [render(d) for d in reporter.sorted()]
    known = sizes(file, reporter)
    assert known is not None
    case = Case(file, tuple(tuple(values.items()) for values in known.all or (known.default,)))
    return [j for item in plan(file, outline) for j in judge(case, item, how)]


def verdicts(text: str, how: How = HOW) -> dict[str, str]:
    return {
        f"{j.kind} {j.name}": j.verdict for j in judged(text, how) if j.kind not in ("vacuity", "vacuous")
    }


def test_an_era_needs_a_reason_as_soon_as_one_of_what_it_keeps_breaks() -> None:
    text = (
        NETS.replace("because one.held, two.held", "because one.held")
        + """
claim listed: forall v in vcpu. v in inside -> guest[v] at leave;
variant later keeps alone, listed era "later" because one.held {
    delete guest.take_two, guest.give_two;
}
"""
    )
    [found] = [j for j in judged(text) if j.kind == "era"]
    assert (found.verdict, found.claim, found.standing) == ("needed", "alone", "as declared")
    assert [dict(sizes) for sizes in found.asked] == [{"VCPUS": 1}, {"VCPUS": 2}]  # and not at 3


def test_a_reason_is_needed_if_its_claim_breaks_at_some_size() -> None:
    text = (
        NETS.replace("because one.held, two.held", "because one.held")
        .replace("spin_lock(two);", "")
        .replace("spin_unlock(two);", "")
    )
    [found] = [j for j in judged(text) if j.kind == "because"]
    assert found.verdict == "needed"
    assert found.standing == "as declared"
    assert found.loss is not None
    assert dict(found.loss.sizes) == {"VCPUS": 2}  # with one vCPU nothing can go wrong


def test_a_reason_is_not_needed_only_if_the_claim_is_proved_without_it_at_every_size() -> None:
    assert verdicts(NETS) == {"because one.held": "not needed", "because two.held": "not needed"}
    few = How(Limits(states=5), mode="explore")
    assert set(verdicts(NETS, few).values()) == {"unknown"}


def test_two_safety_nets_are_not_both_superfluous() -> None:
    file = loaded(NETS)
    outline = outline_of(file, Reporter())
    assert outline is not None
    rows = [row(j, ()) for j in judged(NETS)]
    pairs = idle_together(outline, rows)
    assert [tuple(use.name for use in pair.uses) for pair in pairs] == [("one.held", "two.held")]
    case = Case(file, ((("VCPUS", 2),),))
    rows += [row(j, ()) for j in judge(case, pairs[0], HOW)]
    after = {r.name: r for r in settled(rows) if r.kind == "because"}
    assert {r.verdict for r in after.values()} == {"jointly needed"}
    assert {r.status for r in after.values()} == {0}


def test_what_is_declared_redundant_must_not_be_needed() -> None:
    text = NETS.replace("because one.held, two.held", "because one.held redundant two.held")
    found = {j.name: j for j in judged(text) if j.kind in ("because", "redundant")}
    assert (found["two.held"].verdict, found["two.held"].standing) == ("not needed", "as declared")
    needed = (
        text.replace("spin_lock(one);", "")
        .replace("spin_unlock(one);", "")
        .replace("because one.held redundant", "redundant")
    )
    [one] = [j for j in judged(needed) if j.kind == "redundant"]
    assert (one.verdict, one.standing) == ("needed", "not as declared")


MASKED = """protocol masked;
import lib.lock;
spinlock lock;
shared bool busy = false;
shared bool missed = false;
thread a {
    step take { spin_lock(lock); }
    step work { busy = true; }
    step rest { busy = false; }
    step give { spin_unlock(lock); }
}
thread b {
    bool got = false;
    step attempt { got = spin_trylock(lock); }
    if (got) {
        step give { spin_unlock(lock); }
    } else {
        step miss { missed = true; }
    }
}
claim quiet: !missed || true because lock.held;
"""


def test_a_drop_after_which_a_step_never_happens_is_unknown() -> None:
    # Nobody holds the lock any more, but trylock may still say that somebody does.
    assert verdicts(MASKED) == {"because lock.held": "not needed"}
    asks = MASKED.replace(
        "got = spin_trylock(lock);", "if (lock.owner == none) { got = true; spin_lock_now(); }"
    )
    asks = asks.replace("thread a {", "op spin_lock_now() { }\\nthread a {".replace("\\n", "\n"))
    asks = asks.replace(
        "        step give { spin_unlock(lock); }\n    } else", "        step give { }\n    } else"
    )
    [found] = [j for j in judged(asks) if j.kind == "because"]
    assert found.verdict == "unknown"
    assert found.why.startswith("masked: ")
    assert "miss" in found.why


def test_a_drop_after_which_something_is_undefined_is_unknown() -> None:
    text = """protocol undefined;
index root[1];
shared root? current = none;
shared bool invalid[root] = false;
thread t { step go when there: current != none { invalid[current] = true; } }
thread u { idle step later when invalid[root#0] { } }
claim fine: !invalid[root#0] || current != none because t.there;
"""
    [found] = [j for j in judged(text) if j.kind == "because"]
    assert found.verdict == "unknown"
    assert "undefined" in found.why


@pytest.mark.parametrize(
    ("clause", "verdict", "standing"),
    [
        ("breaks alone", "caught", "as declared"),
        ("breaks alone within 20", "caught", "as declared"),
        ("breaks alone within 3", "late", "not as declared"),
        ("breaks defined", "survives", "not as declared"),
    ],
)
def test_a_mutant_is_caught_if_the_claim_that_it_breaks_is_violated(
    clause: str, verdict: str, standing: str
) -> None:
    text = (
        NETS.replace(" because one.held, two.held", "")
        + f"mutant m {clause} {{ drop one.held; drop two.held; }}\n"
    )
    [found] = [j for j in judged(text) if j.kind == "mutant"]
    assert (found.verdict, found.standing) == (verdict, standing)


def test_a_mutant_may_break_several_claims_and_says_which() -> None:
    text = NETS.replace(" because one.held, two.held", "")
    text += "claim none_inside: inside == {} || true;\n"
    text += "mutant m breaks alone, none_inside { drop one.held; drop two.held; }\n"
    found = {j.claim: j.verdict for j in judged(text) if j.kind == "mutant"}
    assert found == {"alone": "caught", "none_inside": "survives"}


def test_a_variant_keeps_its_claims_only_if_all_free_claims_hold_too() -> None:
    text = NETS.replace(" because one.held, two.held", "")
    keeps = text + "variant v keeps alone { drop two.held; }\n"
    assert verdicts(keeps) == {"variant v": "keeps"}
    stuck = text + "variant v keeps alone { delete guest.give; }\n"
    [found] = [j for j in judged(stuck) if j.kind == "variant"]
    assert (found.verdict, found.standing) == ("breaks", "not as declared")
    assert found.claim in ("stuck", "defined", "balanced")
    breaks = text + "variant v keeps alone { drop one.held; drop two.held; }\n"
    [found] = [j for j in judged(breaks) if j.kind == "variant"]
    assert (found.verdict, found.claim) == ("breaks", "alone")


def test_a_claim_of_liveness_does_not_keep_others_from_being_judged() -> None:
    text = NETS.replace(" because one.held, two.held", "")
    text += "claim ends: eventually inside != {};\nmutant m breaks alone { drop one.held; drop two.held; }\n"
    assert verdicts(text) == {"mutant m": "caught"}


def test_what_never_happens_is_vacuous_and_only_when_proved() -> None:
    text = """protocol idle_talk;
shared int(0..3) n = 0;
thread t {
    step up { n = 1; }
    maybe { step far when n == 3 { n = 2; } }
}
claim said: n == 2 -> n == 3;
"""
    found = {j.name: (j.verdict, j.standing) for j in judged(text)}
    assert found["step t.far"] == ("never happens", "not as declared")
    assert found["said"] == ("vacuous", "not as declared")
    few = How(Limits(states=1, steps=0), mode="explore")
    assert all(j.standing == "unknown" for j in judged(text, few) if j.verdict != "happens")


def test_an_observer_is_modelled_or_left_out_for_a_reason() -> None:
    text = 'protocol seen;\nimport lib.adversaries;\nwithout migration "one CPU";\nshared bool x = false;\n'
    text += (
        "adversary eviction rule evict when x { x = false; }\nrule set_x { x = true; }\nclaim c: x || !x;\n"
    )
    outline = outline_of(loaded(text), Reporter())
    assert outline is not None
    found = {j.name: (j.verdict, j.standing) for j in observers(outline.observers)}
    assert found["eviction"] == ("modelled", "as declared")
    assert found["migration"] == ("left out", "as declared")
    assert found["preempted_holder"] == ("modelled", "as declared")
    assert found["walk_in_flight"] == ("not modelled", "not as declared")


def test_a_row_keeps_what_a_report_needs() -> None:
    text = (
        NETS.replace("because one.held, two.held", "because one.held")
        .replace("spin_lock(two);", "")
        .replace("spin_unlock(two);", "")
    )
    [found] = [j for j in judged(text) if j.kind == "because"]
    made: Row = row(found, ("spte", "ask", "x.spte", "--drop", "one.held"))
    assert made.steps == len(made.trace_json["steps"])  # type: ignore[index,arg-type]
    assert "--drop one.held" in made.trace


SIZED = NETS.replace("index vcpu[VCPUS];", "sizes { VCPUS = 1; VCPUS = 3; VCPUS = 2; }\nindex vcpu[VCPUS];")
BARE = SIZED.replace(" because one.held, two.held", "")


@pytest.mark.parametrize(
    "text",
    [
        SIZED,
        SIZED.replace("because one.held, two.held", "because one.held redundant two.held"),
        BARE + "mutant m breaks alone { drop one.held; drop two.held; }\n",
        BARE + "mutant m breaks alone within 3 { drop one.held; drop two.held; }\n",
        BARE + "mutant m breaks defined { drop one.held; drop two.held; }\n",
        BARE + "variant v keeps alone { drop two.held; }\nvariant w keeps alone { delete guest.give; }\n",
        MASKED,
        SIZED + "reach full: size(inside) == 3;\n",
    ],
)
def test_looking_at_a_few_states_first_changes_no_judgement(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "LOOKS", ())
    patient = judged(text)
    monkeypatch.setattr(audit, "LOOKS", (1, 4, 16))
    hasty = judged(text)
    assert [(j.kind, j.name, j.verdict, j.standing) for j in hasty] == [
        (j.kind, j.name, j.verdict, j.standing) for j in patient
    ]


def test_what_breaks_only_at_the_last_size_is_found_and_a_proof_asks_every_size() -> None:
    text = SIZED.replace("size(inside) <= 1", "size(inside) <= 2").replace(", two.held", "")
    [one] = [j for j in judged(text) if j.kind == "because"]
    assert one.verdict == "not needed"
    assert len(one.asked) == 3
    text = BARE.replace("size(inside) <= 1", "size(inside) <= 2")
    [m] = [
        j
        for j in judged(text + "mutant m breaks alone { drop one.held; drop two.held; }\n")
        if j.kind == "mutant"
    ]
    assert m.loss is not None
    assert dict(m.loss.sizes) == {"VCPUS": 3}


def test_a_step_that_some_sizes_do_not_have_may_still_never_happen() -> None:
    text = """protocol sometimes;
param DEEP = 0 in 0..1;
sizes { DEEP = 0; DEEP = 1; }
shared int(0..3) n = 0;
thread t {
    step up { n = 1; }
    if (DEEP == 1) {
        maybe { step far when n == 3 { n = 2; } }
    }
}
"""
    found = {j.name: (j.verdict, j.standing) for j in judged(text)}
    assert found["step t.far"] == ("never happens", "not as declared")


def test_a_reason_is_not_needed_only_if_all_states_were_looked_at() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "LOOKS", (2, 3))
        [one] = [j for j in judged(SIZED.replace(", two.held", "")) if j.kind == "because"]
        both = BARE + "mutant m breaks alone { drop one.held; drop two.held; }\n"
        [m] = [j for j in judged(both) if j.kind == "mutant"]
    assert one.verdict == "not needed"
    assert m.verdict == "caught"
