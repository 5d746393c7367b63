"""Edits do to a protocol what their author would do by hand; a dropped element is relaxed as the language says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from refine.core.system import System
from refine.core.table import show_system
from refine.engine.explore import explore
from refine.engine.verdict import Limits, Violated
from refine.lang import ast
from refine.lang.edited import check_edited
from refine.lang.edits import Edits, resolve
from refine.lang.load import load_text
from refine.lang.lower import Lowered, lower_whole
from refine.text.diag import Reporter, render
from refine.text.span import Source, Span

ZAP = """protocol zap;
import lib.lock;
index vcpu[2];
machine Spte { NONE -> PRESENT : map; PRESENT -> NONE : zap; }
spinlock mmu_lock;
shared Spte spte = NONE;
shared bool owed = false;
shared set<vcpu> flushed = {};
op flush(vcpu v) protects flush { flushed += v; owed = false; }
op forget(vcpu v) { owed = false; }
proc flush_all() protects wait {
    for each v in vcpu { step one { flush(v); } }
}
thread zapper {
    bool need = false;
    vcpu? who = none;
    step lock { spin_lock(mmu_lock); }
    step clear {
        found: if (spte == PRESENT) { spte = NONE; need = true; owed = true; }
    }
    step pick[v in vcpu] when chosen: v !in flushed { who = v; }
    owing: if (need && who != none) {
        shoot: flush_all();
    }
    step unlock { spin_unlock(mmu_lock); }
}
thread guest {
    step lock { spin_lock(mmu_lock); }
    step map { assume empty: spte == NONE; spte = PRESENT; }
    step unlock { spin_unlock(mmu_lock); }
}
assume quiet: true;
claim apart: !(zapper at {clear, pick, unlock} && guest at {map, unlock});
"""


def lowered(text: str, edits: Edits | None = None) -> Lowered:
    reporter = Reporter()
    loaded = load_text(text, "zap.spte", (), reporter)
    assert loaded is not None, [render(d) for d in reporter.sorted()]
    made = (
        lower_whole(loaded, {}, reporter, edits) if edits is not None else lower_whole(loaded, {}, reporter)
    )
    assert made is not None, [render(d) for d in reporter.sorted()]
    return made


def edits(text: str, *lines: str) -> Edits:
    source = text + "mutant m breaks apart { " + " ".join(lines) + " }\n"
    reporter = Reporter()
    loaded = load_text(source, "zap.spte", (), reporter)
    assert loaded is not None, [render(d) for d in reporter.sorted()]
    [mutant] = [i for i in loaded.file.items if isinstance(i, ast.Edited)]
    found = resolve(mutant.edits, lowered(text).outline, reporter)
    assert found is not None, [render(d) for d in reporter.sorted()]
    return found


def rules(system: System) -> str:
    return show_system(replace(system, doc="", file="", name=""))


def same(edit: str, *by_hand: tuple[str, str]) -> None:
    """An edit gives the same system as the text that somebody has changed by hand."""
    text = ZAP
    for old, new in by_hand:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    assert rules(lowered(ZAP, edits(ZAP, edit)).system) == rules(lowered(text).system)


LOCK = "    step lock { spin_lock(mmu_lock); }\n"
CLEAR = ZAP[ZAP.index("    step clear {") : ZAP.index("    step pick")]
OWING = ZAP[ZAP.index("    owing:") : ZAP.index("    step unlock")]
MAP = "{ assume empty: spte == NONE; spte = PRESENT; }"
BY_HAND = {
    "delete zapper.shoot;": [("shoot: flush_all();", "")],
    "delete zapper.clear.found;": [
        ("found: if (spte == PRESENT) { spte = NONE; need = true; owed = true; }", "")
    ],
    "swap zapper.lock, zapper.clear;": [(LOCK + CLEAR, CLEAR + LOCK)],
    "replace guest.map { step map { spte = NONE; } }": [(MAP, "{ spte = NONE; }")],
    "insert after zapper.found { owed = false; }": [("owed = true; }\n", "owed = true; } owed = false;\n")],
    "insert before guest.unlock { step wait when owed { } }": [(MAP, MAP + " step wait when owed { }")],
    "weaken zapper.one.flush to forget;": [("step one { flush(v); }", "step one { forget(v); }")],
    "delete zapper.owing; delete guest.lock;": [
        (OWING, ""),
        ("thread guest {\n" + LOCK, "thread guest {\n"),
    ],
}


@pytest.mark.parametrize(("edit", "by_hand"), BY_HAND.items(), ids=BY_HAND)
def test_an_edit_is_what_its_author_would_write(edit: str, by_hand: list[tuple[str, str]]) -> None:
    same(edit, *by_hand)


@pytest.mark.parametrize(
    ("edit", "by_hand"),
    [
        # An assumption is gone, and so is one part of a `when`.
        ("drop guest.empty;", [("assume empty: spte == NONE; ", "")]),
        ("drop quiet;", [("assume quiet: true;\n", "")]),
        ("drop zapper.chosen;", [(" when chosen: v !in flushed", "")]),
        # An op may or may not take effect.
        ("drop zapper.one.flush;", [("step one { flush(v); }", "step one { maybe { flush(v); } }")]),
    ],
)
def test_a_dropped_element_is_relaxed(edit: str, by_hand: list[tuple[str, str]]) -> None:
    text = ZAP
    for old, new in by_hand:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    assert outcomes(lowered(ZAP, edits(ZAP, edit)).system) == outcomes(lowered(text).system)


def outcomes(system: System) -> tuple[int | None, dict[str, int | None]]:
    """How many states there are, and in how many steps what breaks."""
    names = [p.name for p in system.properties if p.name != "stuck"]
    answer = explore(system, names, Limits(), symmetry=False)
    assert answer.complete
    found = {n: len(v.trace.events) if isinstance(v, Violated) else None for n, v in answer.verdicts.items()}
    return answer.states, {n: k for n, k in found.items() if not n.startswith("satisfiable")}


def locations(edit: str) -> set[str]:
    """The steps that the zapper can take, as the rules of the edited file name them."""
    system = lowered(ZAP, edits(ZAP, edit)).system
    return {rule.name for rule in system.rules if rule.name.startswith("zapper.")}


def test_an_if_becomes_a_free_choice_that_still_tests_for_none() -> None:
    text = show_system(lowered(ZAP, edits(ZAP, "drop zapper.owing;")).system)
    [pick] = [part for part in text.split("\n\n") if part.startswith("rule zapper.pick[")]
    assert "any free in bool" in pick
    assert "need" not in pick.partition("zapper.who'")[2].replace("zapper.need' ", "")
    text = show_system(lowered(ZAP, edits(ZAP, "drop zapper.found;")).system)
    [clear] = [part for part in text.split("\n\n") if part.startswith("rule zapper.clear ")]
    assert "any free in bool" in clear
    assert "spte == PRESENT ?" not in clear


def test_a_call_of_a_procedure_may_be_skipped_in_a_step_of_its_own() -> None:
    assert "zapper.owing.shoot.flush_all.skipped" in locations("drop zapper.shoot;")
    assert "zapper.owing.shoot.flush_all.one" in locations("drop zapper.shoot;")


@pytest.mark.parametrize("edit", ["drop mmu_lock.held;", "drop zapper.lock;"])
def test_a_dropped_hold_neither_blocks_nor_excludes_and_its_release_stays_legal(edit: str) -> None:
    system = lowered(ZAP, edits(ZAP, edit)).system
    answer = explore(system, ["apart", "defined", "stuck"], Limits(), symmetry=False)
    assert isinstance(answer.verdicts["apart"], Violated)
    faults = answer.verdicts["defined"]
    if isinstance(faults, Violated):  # the guest's own edges, not a release
        end = faults.trace.states()[-1].fault
        assert end is not None
        assert "held_by_caller" not in system.places[end].what
    assert not isinstance(answer.verdicts["stuck"], Violated)


def test_a_hold_that_is_dropped_in_one_place_still_excludes_elsewhere() -> None:
    text = ZAP.replace("thread guest {", "thread guest[v in vcpu] {").replace("guest at", "guest[vcpu#0] at")
    text += "claim guests_apart: !(guest[vcpu#0] at {map, unlock} && guest[vcpu#1] at {map, unlock});\n"
    system = lowered(text, edits(text, "drop zapper.lock;")).system
    answer = explore(system, ["apart", "guests_apart"], Limits(), symmetry=False)
    assert isinstance(answer.verdicts["apart"], Violated)
    assert not isinstance(answer.verdicts["guests_apart"], Violated)


def test_a_claim_about_a_deleted_step_says_that_nobody_is_there() -> None:
    text = ZAP + "claim nobody: !(guest at map);\n"
    system = lowered(text, edits(text, "delete guest.map;")).system
    assert not isinstance(explore(system, ["nobody"], Limits()).verdicts["nobody"], Violated)
    assert isinstance(explore(lowered(text).system, ["nobody"], Limits()).verdicts["nobody"], Violated)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("delete zapper.shot;", "thread 'zapper' has no step, label or call 'shot'"),
        ("delete zaper.lock;", "'zaper' is neither a thread nor a rule"),
        ("drop zapper.pick;", None),
        ("drop zapper.chosn;", "there is no assumption, guard, hold or call 'zapper.chosn'"),
        ("drop guest.unlock;", "nothing in 'guest.unlock' protects"),
        ("weaken zapper.lock to forget;", "'zapper.lock' is no call"),
        ("set N = 1;", "there is no parameter 'N'"),
    ],
)
def test_an_edit_that_names_nothing_is_an_error(edit: str, said: str | None) -> None:
    reporter = Reporter()
    loaded = load_text(ZAP + "mutant m breaks apart { " + edit + " }\n", "zap.spte", (), reporter)
    assert loaded is not None
    check_edited(loaded, reporter)
    wanted = [] if said is None else [said]
    assert [d.message for d in reporter.sorted() if d.code.startswith("E")] == wanted


def test_every_element_has_an_address_that_names_it() -> None:
    outline = lowered(ZAP).outline
    for element in outline.elements:
        found = resolve([_drop(element.key)], outline, Reporter())
        assert found is not None
        assert element.key in found.dropped


def _drop(key: str) -> ast.Drop:
    span = Span(Source("x", "x"), 0, 1)
    return ast.Drop(
        ast.Path(tuple(ast.Ident(part, span=span) for part in key.split(".")), span=span), span=span
    )


def test_a_dropped_if_still_tests_for_none_before_it_looks() -> None:
    text = """protocol look;
index root[2];
shared root? current = none;
shared bool seen[root] = false;
shared bool wanted = false;
thread t {
    step look {
        there: if (wanted && current != none) { seen[current] = true; }
    }
}
claim apart: true;
"""
    system = lowered(text, edits(text, "drop t.there;")).system
    answer = explore(system, ["defined"], Limits())
    assert not isinstance(answer.verdicts["defined"], Violated)
