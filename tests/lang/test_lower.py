"""Lowering: which guarded rules the statements of a thread, the actions of a step and the members of types become."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from refine.core.system import System
from refine.core.table import show_system
from refine.lang.load import load, load_text
from refine.lang.lower import lower
from refine.lang.sizes import sizes
from refine.text.diag import Reporter
from tests.tools.blocks import entries

STATE = """
index vcpu[2];
shared bool a = false;
shared int(0..3) n = 0;
shared bool tlb[vcpu] = false;
"""


def system(text: str, **values: int) -> System:
    reporter = Reporter()
    loaded = load_text(f"protocol example;\n{text}", "example.spte", [], reporter)
    assert loaded is not None, Reporter(reporter.diagnostics).sorted()
    made = lower(loaded, values, reporter)
    assert made is not None, "\n".join(d.message for d in reporter.sorted())
    return made


def part(made: System, head: str) -> list[str]:
    """The lines of the part of the printed system that begins with `head`, without the guard's place."""
    found = [e for e in entries(show_system(made)) if re.match(re.escape(head) + r"($|[^\w'.])", e[0])]
    assert len(found) == 1, f"{head}: {[e[0] for e in entries(show_system(made))]}"
    return list(found[0])


def rule(text: str, name: str) -> list[str]:
    return part(system(STATE + text), f"rule {name}")


def errors(text: str) -> set[str]:
    reporter = Reporter()
    loaded = load_text(f"protocol example;\n{STATE}{text}", "example.spte", [], reporter)
    assert loaded is not None
    lower(loaded, {}, reporter)
    return {d.code for d in reporter.sorted()}


def warnings(text: str) -> list[str]:
    reporter = Reporter()
    loaded = load_text(f"protocol example;\n{STATE}{text}", "example.spte", [], reporter)
    assert loaded is not None
    lower(loaded, {}, reporter)
    assert not reporter.has_errors
    return [d.message for d in reporter.sorted()]


# --- frames and order --------------------------------------------------------------------------------------------


def test_what_a_step_does_not_assign_is_unchanged() -> None:
    made = system(STATE + "thread t { bool x; step s { a = true; } step r { n = 1; x = true; } }")
    assert {name for name, _ in made.rule("t.s").updates} == {"a", "t.pc"}
    assert {name for name, _ in made.rule("t.r").updates} == {"n", "t.x", "t.pc"}


def test_an_assignment_of_the_same_value_changes_nothing() -> None:
    made = system(STATE + "thread t { step s { a = a; n = n; } }")
    assert {name for name, _ in made.rule("t.s").updates} == {"t.pc"}


def test_an_action_reads_the_result_of_the_one_before() -> None:
    assert rule("thread t { step s { n = 2; a = n == 2; n = 1; } }", "t.s") == [
        "rule t.s [s -> end]", "a' = true", "n' = 1",
    ]  # fmt: skip


def test_the_branches_of_an_if_are_joined() -> None:
    lines = rule("thread t { step s { if (a) { n = 1; } else { n = 2; } } }", "t.s")
    assert lines == ["rule t.s [s -> end]", "n' = a ? 1 : 2"]


def test_one_element_of_an_array_changes() -> None:
    assert rule("thread t { step s[v in vcpu] { tlb[v] = true; } }", "t.s")[1:] == ["tlb[v]' = true"]


def test_a_for_all_reads_the_state_before_it() -> None:
    text = "shared int(0..3) k[vcpu] = 0; thread t { step s { for all v in vcpu { k[v] = k[v] == 0 ? n : 0; } } }"
    assert rule(text, "t.s")[1:] == ["k[v]' = k[v] == 0 ? n : 0 for all v in vcpu"]


def test_a_for_all_swaps() -> None:
    text = """
        shared bool left[vcpu] = false; shared bool right[vcpu] = true;
        thread t { step s { for all v in vcpu { left[v] = right[v]; right[v] = left[v]; } } }
    """
    assert rule(text, "t.s")[1:] == [
        "left[v]' = right[v] for all v in vcpu",
        "right[v]' = left[v] for all v in vcpu",
    ]


# --- old ---------------------------------------------------------------------------------------------------------


def test_old_in_a_step_is_the_value_before_the_step() -> None:
    assert rule("thread t { step s { n = 2; n = old(n); } }", "t.s") == ["rule t.s [s -> end]"]


def test_old_in_an_op_is_the_value_at_its_call() -> None:
    text = "op twice() { n = 3; n = old(n); } thread t { step s { n = 2; twice(); } }"
    assert rule(text, "t.s")[1:] == ["n' = 2"]


def test_arguments_and_temporaries_have_no_old_value() -> None:
    text = "op put(int(0..3) x) { n = 3; n = old(x); } thread t { step s { n = 1; put(n); } }"
    assert "n' = 1" in rule(text, "t.s")


def test_old_in_an_inner_op_is_the_value_at_the_inner_call() -> None:
    text = """
        op inner() { n = 3; n = old(n); }
        op outer() { n = 2; inner(); a = old(n) == 0; }
        thread t { step s { outer(); } }
    """
    assert rule(text, "t.s")[1:] == ["a' = n == 0", "n' = 2"]


# --- guards ------------------------------------------------------------------------------------------------------


def test_the_parts_of_a_when_are_a_conjunction() -> None:
    assert rule("thread t { step s when a, full: n == 3 {} }", "t.s")[1:] == ["when a && n == 3"]


def test_the_when_of_an_op_joins_the_guard() -> None:
    text = "op take() when n == 0 { n = 1; } thread t { step s when a { take(); } }"
    assert rule(text, "t.s")[1:] == ["when a && n == 0", "n' = 1"]


def test_the_when_of_an_op_speaks_of_its_arguments() -> None:
    text = "op take(vcpu v) when !tlb[v] { tlb[v] = true; } thread t { step s[v in vcpu] { take(v); } }"
    assert rule(text, "t.s")[1:] == ["when !tlb[v]", "tlb[v]' = true"]


def test_an_undefined_guard_does_not_wait() -> None:
    text = "shared vcpu? o = none; thread t { step s when tlb[o] {} }"
    assert rule(text, "t.s")[1:] == [
        "when tlb[o] || o == none",
        "undefined when o == none: none dereferenced",
    ]


def test_a_part_of_a_when_protects_the_later_ones() -> None:
    text = "shared vcpu? o = none; thread t { step s when o != none, tlb[o] {} }"
    assert rule(text, "t.s")[1:] == ["when o != none && tlb[o]"]


# --- choices in a step -------------------------------------------------------------------------------------------


def test_a_choice_in_a_step_is_a_choice_of_the_rule() -> None:
    assert rule("thread t { step s { choose { n = 1; or n = 2; } } }", "t.s")[1:] == [
        "any branch in int(0..1)", "n' = branch == 0 ? 1 : 2",
    ]  # fmt: skip


def test_a_choice_under_a_condition_is_made_only_there() -> None:
    lines = rule("thread t { step s { if (a) { maybe { n = 1; } } } }", "t.s")
    assert "where a || branch == 0" in lines


def test_havoc_restricts_its_choice_to_where() -> None:
    lines = rule("thread t { step s { havoc n where n > old(n); } }", "t.s")[1:]
    assert lines == ["any new_n in int(0..3)", "where n < new_n", "n' = new_n"]


def test_what_comes_after_a_havoc_reads_the_new_value() -> None:
    assert "a' = new_n == 2" in rule("thread t { step s { havoc n; a = n == 2; } }", "t.s")


def test_an_assume_in_a_step_is_no_condition_of_its_havoc() -> None:
    made = system(STATE + "thread t { step s { havoc n; assume few: n < 2; } }")
    assert [w.assume for w in made.rule("t.s").wheres] == ["few"]
    assert not [p.name for p in made.properties if p.name.startswith("satisfiable")]


# --- where a thread stands ---------------------------------------------------------------------------------------


def places(text: str) -> str:
    return part(system(STATE + text), "thread t")[0].removeprefix("thread t at ")


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("step x {}", "x, end (done)"),
        ("", "end (done)"),
        ("idle step x {}", "x (idle), end (done)"),
        ("maybe { step x {} } step y {}", "x|y, y, end (done)"),
        ("choose { step x {} or step y {} }", "x|y, end (done)"),
        ("choose { step x {} or }", "x|end (done), end (done)"),
        ("maybe { maybe { step x {} } step y {} } step z {}", "x|y|z, y, z, end (done)"),
        ("loop { step x {} }", "x"),
        ("loop { choose { step x {} or step y {} break; } }", "x|y, end (done)"),
        ("loop { step x {} choose { step y {} continue; or step z {} } return; }", "x, y|z, end (done)"),
        ("if (true) { step x {} } else { step y {} }", "x, end (done)"),
        ("step x {} return; step y {}", "x, end (done)"),
    ],
)
def test_locations(body: str, shown: str) -> None:
    assert places(f"thread t {{ {body} }}") == shown


def test_a_thread_may_end_by_a_choice_without_a_step() -> None:
    made = system(STATE + "thread t { choose { step x {} or } }")
    assert part(made, "rule t.end")[0] == "rule t.end [x|end -> end]"


def test_a_step_that_is_reached_on_two_ways_has_two_rules() -> None:
    made = system(STATE + "thread t { maybe { step x {} } step y { a = true; } }")
    assert part(made, "rule t.y") == ["rule t.y [x|y -> end]", "a' = true"]
    assert part(made, "rule t.y'2") == ["rule t.y'2 [y -> end]", "a' = true"]
    assert {r.step for r in made.rules} == {"t.x", "t.y"}


def test_steps_of_a_procedure_are_named_through_call_and_label() -> None:
    text = "proc p() { step x {} } thread t { p(); again: p(); inner: maybe { step y {} } }"
    assert places(text) == "p.x, again.p.x, inner.y|end (done), end (done)"


def test_at_a_label_is_at_any_step_inside() -> None:
    made = system(
        STATE + "proc p() { step x {} step y {} } thread t { l: p(); step z {} } claim c: t at l -> a;"
    )
    assert part(made, "claim c")[1] == "always t.pc == l.p.x || t.pc == l.p.y -> a"


def test_at_knows_the_conditions_of_local_code_in_a_choice() -> None:
    text = "thread t { bool b; choose { if (b) { step x {} } else { step y {} } or step z {} } } claim c: t at x;"
    assert part(system(STATE + text), "claim c")[1] == "always t.pc == x|y|z && t.b"


def test_a_family_has_an_array_of_places() -> None:
    made = system(STATE + "thread t[v in vcpu] { step x { tlb[v] = true; } } claim c: forall v. t[v] at end;")
    assert part(made, "rule t[v in vcpu].x") == ["rule t[v in vcpu].x [x -> end]", "tlb[v]' = true"]
    assert part(made, "claim c")[1] == "always forall v in vcpu. t.pc[v] == end"


# --- local code --------------------------------------------------------------------------------------------------


def test_local_code_is_carried_out_with_the_step_before_it() -> None:
    text = "thread t { int(0..3) k; step x { k = 1; } k = 2; step y { n = k; } }"
    assert rule(text, "t.x") == ["rule t.x [x -> y]", "t.k' = 2"]


def test_local_code_at_the_start_is_carried_out_in_the_initial_state() -> None:
    made = system(
        STATE + "thread t { int(0..3) k = 1; bool big = k > 0; if (big) { step x {} } else { step y {} } }"
    )
    assert "local t.big bool = true" in part(made, "state")
    assert "pc t.pc = x" in part(made, "state")


def test_local_code_of_a_branch_is_carried_out_with_its_first_step() -> None:
    text = "thread t { int(0..3) k; choose { k = 1; step x { n = k; } or k = 2; step y { n = k; } } }"
    assert rule(text, "t.x") == ["rule t.x [x|y -> end]", "n' = 1", "t.k' = 1"]
    assert rule(text, "t.y") == ["rule t.y [x|y -> end]", "n' = 2", "t.k' = 2"]


def test_undefined_local_code_is_a_fault_of_the_step_that_it_goes_with() -> None:
    text = "thread t { int(0..3) k; step x {} k = 3; k += 1; step y {} }"
    assert "outside 0..3" in " ".join(rule(text, "t.x"))


def test_an_if_between_steps_decides_where_the_step_before_leads() -> None:
    text = "thread t { bool b; step x { b = a; } if (b) { step y {} } step z {} }"
    assert rule(text, "t.x") == ["rule t.x [x]", "t.b' = a", "t.pc' = a ? y : z"]


def test_a_while_ends_when_its_condition_is_false() -> None:
    text = "thread t { int(0..3) k = 2; while (k > 0) { step x { k -= 1; } } step y {} }"
    assert rule(text, "t.x") == [
        "rule t.x [x]", "undefined when t.k - 1 < 0: outside 0..3", "t.k' = t.k - 1", "t.pc' = t.k - 1 > 0 ? x : y",
    ]  # fmt: skip


# --- locals ------------------------------------------------------------------------------------------------------


def test_a_local_is_reset_where_its_block_ends() -> None:
    text = "thread t { loop { bool b = true; step x { b = a; } step y { a = !b; } } }"
    assert rule(text, "t.x") == ["rule t.x [x -> y]", "t.b' = a"]
    assert rule(text, "t.y") == ["rule t.y [y -> x]", "a' = !t.b", "t.b' = true"]


def test_a_local_of_the_outermost_block_keeps_its_last_value() -> None:
    assert "t.b'" not in " ".join(rule("thread t { bool b = true; step x { a = b; } }", "t.x"))


@pytest.mark.parametrize("leave", ["break;", "return;"])
def test_leaving_early_resets_what_it_leaves(leave: str) -> None:
    text = (
        f"thread t {{ loop {{ int(0..3) k = 1; step x {{ k = n; }} if (k > 0) {{ {leave} }} step y {{}} }} }}"
    )
    assert rule(text, "t.x") == ["rule t.x [x]", "t.k' = n > 0 ? 0 : n", "t.pc' = n > 0 ? end : y"]


def test_going_on_with_the_next_round_starts_the_locals_again() -> None:
    text = "thread t { loop { int(0..3) k = 1; step x { k = n; } if (k == 0) { continue; } step y {} } }"
    assert rule(text, "t.x") == ["rule t.x [x]", "t.k' = n == 0 ? 1 : n", "t.pc' = n == 0 ? x : y"]


def test_a_local_of_identities_has_no_value_until_it_is_assigned() -> None:
    text = "thread t { loop { vcpu v; step x[w in vcpu] { v = w; } step y { tlb[v] = true; } } }"
    made = system(STATE + text)
    assert "local t.v vcpu? = none" in part(made, "state")
    assert part(made, "rule t.y")[1:] == [
        "undefined when t.v == none: used before it has a value", "tlb[t.v]' = true", "t.v' = none",
    ]  # fmt: skip


def test_arguments_of_a_procedure_live_during_its_call() -> None:
    text = "proc p(int(0..3) k) { step x { n = k; } step y { n = k; } } thread t { int(0..3) m = 2; p(m); step z {} }"
    assert rule(text, "t.p.x") == ["rule t.p.x [p.x -> p.y]", "n' = t.p.k"]
    assert rule(text, "t.p.y") == ["rule t.p.y [p.y -> z]", "n' = t.p.k", "t.p.k' = 0"]


def test_an_argument_that_cannot_change_is_no_variable() -> None:
    made = system(
        STATE + "proc p(vcpu w, bool b) { step x { tlb[w] = b; } } thread t[v in vcpu] { p(v, true); }"
    )
    assert [v.name for v in made.vars if v.kind == "local"] == []
    assert part(made, "rule t[v in vcpu].p.x")[1:] == ["tlb[v]' = true"]


def test_a_procedure_reads_its_argument_when_it_is_called() -> None:
    text = "proc p(int(0..3) k) { step x { n = k; } } thread t { int(0..3) m = 2; step w { m = 3; } p(m); }"
    assert "t.p.k' = 3" in rule(text, "t.w")


def test_two_locals_of_one_name_are_two_variables() -> None:
    made = system(
        STATE
        + "thread t { loop { bool b; step x {} } } thread u { maybe { bool b; step y {} } bool b; step z {} }"
    )
    assert {v.name for v in made.vars if v.kind == "local"} == {"t.b", "u.b", "u.b~2"}


# --- for each ----------------------------------------------------------------------------------------------------


def test_for_each_over_identities_picks_one_that_is_left() -> None:
    lines = rule("thread t { for each v in vcpu { step x { tlb[v] = true; } } step y {} }", "t.x[v in vcpu]")
    assert lines[:3] == ["rule t.x[v in vcpu] [x]", "when v !in t.v.seen", "tlb[v]' = true"]
    assert lines[-1] == "t.pc' = (forall each in vcpu. each in t.v.seen | {v}) ? y : x"


def test_for_each_remembers_its_value_through_its_steps() -> None:
    text = "thread t { for each v in vcpu { step x {} step y { tlb[v] = true; } } }"
    assert rule(text, "t.x[v in vcpu]") == ["rule t.x[v in vcpu] [x -> y]", "when v !in t.v.seen", "t.v' = v"]
    assert "tlb[t.v]' = true" in rule(text, "t.y")


def test_for_each_over_numbers_goes_in_order() -> None:
    lines = rule("thread t { for each k in int(1..3) { step x { n = k; } } }", "t.x")
    assert [line for line in lines if not line.startswith("undefined")] == [
        "rule t.x [x]", "n' = t.k", "t.k' = t.k == 3 ? none : t.k == 1 ? 2 : t.k == 2 ? 3 : none",
        "t.pc' = t.k == 3 ? end : x",
    ]  # fmt: skip


def test_leaving_a_for_each_forgets_who_had_a_turn() -> None:
    text = "thread t { bool b; for each v in vcpu { step x { b = a; } if (b) { break; } } step y {} }"
    lines = rule(text, "t.x[v in vcpu]")
    assert "t.v' = none" in lines
    assert any(line.startswith("t.v.seen' = a ? {}") for line in lines)


# --- ops and functions -------------------------------------------------------------------------------------------


def test_an_op_is_carried_out_in_place_with_its_arguments_as_they_were() -> None:
    text = "op put(int(0..3) x) { n = 0; n = x; } thread t { step s { put(n); a = true; } }"
    assert rule(text, "t.s") == ["rule t.s [s -> end]", "a' = true"]


def test_an_op_returns_on_every_way() -> None:
    text = """
        op get() -> int(0..3) { if (a) { return 0; } n = 1; return n; }
        thread t { int(0..3) k; step s { k = get(); } }
    """
    assert rule(text, "t.s")[1:] == ["n' = a ? n : 1", "t.k' = a ? 0 : 1"]


def test_a_function_is_its_expression() -> None:
    text = "fn more(int(0..3) x) -> bool = n > x; thread t { step s when more(1) {} }"
    assert rule(text, "t.s")[1:] == ["when n > 1"]


def test_self_is_the_thread_that_acts() -> None:
    text = "shared thread? who = none; op mark() { who = self; } thread t[v in vcpu] { step s { mark(); } }"
    assert rule(text, "t[v in vcpu].s")[1:] == ["who' = t[v]"]


# --- types -------------------------------------------------------------------------------------------------------

LOCK = """
type lock {
    shared thread? owner = none;
    hold held = owner == self;
    op take() acquires held when owner == none { owner = self; }
    op give() releases held { require mine: owner == self; owner = none; }
    rule decay when owner == none { owner = none; }
    claim sane: owner == none || exists t in thread. held(t);
    reach busy: owner != none;
}
"""


def test_an_instance_brings_its_state_rules_and_claims() -> None:
    made = system(STATE + LOCK + "lock l; thread t { step s { take(l); } step r { give(l); } }")
    assert part(made, "rule t.s")[1:] == ["when l.owner == none", "l.owner' = t"]
    assert part(made, "rule t.r")[1:] == [
        "undefined when !(l.owner != none && l.owner == t): required: mine",
        "l.owner' = none",
    ]
    assert part(made, "rule l.decay")[1:] == ["when l.owner == none", "l.owner' = none"]
    assert {p.name for p in made.properties} >= {"l.sane", "l.busy", "balanced"}


def test_an_array_of_instances_has_its_claims_for_all_and_reaches_for_some() -> None:
    made = system(STATE + LOCK + "lock l[vcpu]; thread t { step s[v in vcpu] { take(l[v]); } }")
    assert part(made, "rule t.s[v in vcpu]")[1:] == ["when l.owner[v] == none", "l.owner[v]' = t"]
    assert part(made, "rule l.decay[i in vcpu]")[1:] == ["when l.owner[i] == none", "l.owner[i]' = none"]
    assert part(made, "claim l.sane")[1].startswith("always forall i in vcpu. ")
    assert part(made, "reach l.busy")[1] == "exists i in vcpu. l.owner[i] != none"
    assert part(made, "free balanced")[1].startswith("always forall i in vcpu. t.pc == end -> ")


def test_a_required_function_reads_the_instance_s_surroundings() -> None:
    text = """
        type cache<cpu> {
            shared bool full[v in cpu] = false;
            requires walk(cpu v) -> bool;
            rule fill[v in cpu] when walk(v) { full[v] = true; }
        }
        cache<vcpu> c { walk(w) = tlb[w] && a; }
    """
    assert rule(text, "c.fill[v in vcpu]")[1:] == ["when tlb[v] && a", "c.full[v]' = true"]


def test_a_machine_changes_along_its_edges_only() -> None:
    text = "machine M { U -> V : up; V -> U : down; V -> V : stay; } shared M m = U; thread t { step s { m = V; } }"
    assert rule(text, "t.s")[1:] == ["undefined when !(m == U || m == V): m changes along no edge", "m' = V"]


def test_an_owned_edge_is_for_the_thread_that_led_there() -> None:
    text = """
        machine M { U -> V : up; V -> U : down by owner; }
        shared M m = U;
        thread t { step s { m = V; } step r { m = U; } }
    """
    assert rule(text, "t.s")[1:] == [
        "undefined when m != U: m changes along no edge",
        "m' = V",
        "m.owner' = t",
    ]
    assert rule(text, "t.r")[1] == "undefined when !(m == V && m.owner == t): m changes along no edge"


def test_an_edge_of_a_family_is_for_its_threads() -> None:
    text = """
        machine M { U -> V : up by t; }
        shared M m = U;
        thread t { step s { m = V; } }
        thread u { step s { m = V; } }
    """
    assert rule(text, "t.s")[1] == "undefined when m != U: m changes along no edge"
    assert rule(text, "u.s")[1] == "undefined when true: m changes along no edge"


def test_an_element_that_is_not_alive_cannot_be_used_in_a_step() -> None:
    text = """
        shared set<vcpu> live = {};
        shared bool x[v in vcpu] = false alive when v in live;
        thread t { step s[w in vcpu] { x[w] = true; } step r[w in vcpu] when x[w] {} }
        claim c: forall v. x[v];
    """
    dead = "w !in live: x used while it is not alive"
    assert rule(text, "t.s[w in vcpu]")[1] == f"undefined when {dead}"
    assert rule(text, "t.r[w in vcpu]")[1:] == ["when x[w] || w !in live", f"undefined when {dead}"]
    assert part(system(STATE + text), "claim c")[1] == "always forall v in vcpu. x[v]"


# --- claims ------------------------------------------------------------------------------------------------------


def test_free_claims_of_a_protocol_with_threads() -> None:
    made = system(STATE + "thread t { step s { havoc n where n > 1; } }")
    assert [p.name for p in made.properties] == ["defined", "satisfiable.t.s", "stuck"]


def test_after_speaks_of_the_steps_that_it_names() -> None:
    made = system(
        STATE + "proc p() { step x {} step y {} } thread t { p(); step z {} } claim c: after t.p: !a;"
    )
    assert made.property("c").of in (("t.p.x", "t.p.y"), ("t.p.y", "t.p.x"))


def test_step_claims_of_a_library_type_name_its_rules() -> None:
    text = "type u { shared bool b = false; rule r { b = true; } claim c: after r: b; } u i;"
    assert system(STATE + text).property("i.c").of == ("i.r",)


def test_liveness_is_kept_as_it_is_written() -> None:
    made = system(STATE + "thread t { step s {} } claim c: eventually t  at end; claim d: a leads to n == 1;")
    assert part(made, "claim c")[1] == "eventually t at end"
    assert part(made, "claim d")[1] == "a leads to n == 1"


# --- warnings ----------------------------------------------------------------------------------------------------

GUARDED = (
    LOCK
    + """
lock l;
shared bool x = false guarded by l;
shared bool y = false guarded by l.held;
"""
)


@pytest.mark.parametrize(
    ("body", "warned"),
    [
        ("step s { a = true; }", False),
        ("step s { a = true; n = 1; }", True),
        ("step s { n += 1; n = n; }", False),
        ("step s when a { n = 1; }", True),
        ("step s { x = true; y = true; }", True),
        ("step s { take(l); x = true; y = true; }", False),
        ("step s { take(l); } step r { x = true; y = true; a = true; }", False),
        ("step s { take(l); } step r { x = true; y = true; a = true; n = 1; }", True),
        ("step s { take(l); } step r { x = true; y = true; give(l); }", False),
        ("step s { take(l); } step r { give(l); x = true; y = true; }", True),
        ("step s { take(l); } maybe { step r { give(l); } step q { take(l); } } step o { x = y; }", False),
        ("step s { take(l); } maybe { step r { give(l); } } step o { x = y; }", True),
    ],
)
def test_several_accesses_outside_a_hold_are_warned_of(body: str, warned: bool) -> None:
    assert bool(warnings(f"{GUARDED} thread t {{ {body} }}")) == warned


# --- sizes and files ---------------------------------------------------------------------------------------------


def all_sizes(text: str) -> list[tuple[int, ...]]:
    reporter = Reporter()
    loaded = load_text(f"protocol example;\n{text}", "example.spte", [], reporter)
    assert loaded is not None
    found = sizes(loaded, reporter)
    assert found is not None
    return [tuple(row.values()) for row in found.all]


def test_sizes_are_the_corner_and_each_parameter_alone() -> None:
    assert all_sizes("param A = 1 in 1..2; param B = 2 in 1..3;") == [(1, 2), (2, 2), (1, 1), (1, 3), (2, 3)]


def test_sizes_that_are_written_are_all_there_are() -> None:
    assert all_sizes("param A = 1 in 1..2; param B = 2 in 1..3; sizes { A = 2; A = 1, B = 3; }") == [
        (2, 2),
        (1, 3),
    ]


def test_a_size_changes_what_is_made_of_it() -> None:
    text = "param N = 1 in 1..4; const M = N + 1; index i[M]; shared int(0..N) k[i] = N;"
    shown = entries(show_system(system(text, N=3)))
    assert ("index i[4]",) in shown
    assert ("state", "shared k int(0..3)[i] = 3") in shown


def test_a_library_alone_is_typed_whole(tmp_path: Path) -> None:
    path = tmp_path / "l.spte"
    path.write_text(
        "library l;\ntype t<x> { shared bool b[v in x] = false; op o(x v) { b[v] = c; } }\n", encoding="utf-8"
    )
    reporter = Reporter()
    loaded = load(path, [], reporter)
    assert loaded is not None
    assert lower(loaded, {}, reporter) is None
    assert [d.message for d in reporter.sorted()] == ["nothing is named 'c' here"]


def test_errors_of_several_declarations_are_found_in_one_pass() -> None:
    reporter = Reporter()
    text = "protocol p;\nclaim a: x;\nclaim b: y;\nthread t { step s { z = 1; w = 2; } }\nop o() { v = 1; }\n"
    loaded = load_text(text, "p.spte", [], reporter)
    assert loaded is not None
    assert lower(loaded, {}, reporter) is None
    assert [d.message for d in reporter.sorted()] == [f"nothing is named '{name}' here" for name in "xyzwv"]


def test_what_uses_a_broken_declaration_is_no_error_too() -> None:
    reporter = Reporter()
    text = "protocol p; shared bool x = 3; shared int(0..q) y = 0; claim a: x; thread t { step s { x = y == 0; } }"
    loaded = load_text(text, "p.spte", [], reporter)
    assert loaded is not None
    assert lower(loaded, {}, reporter) is None
    assert [d.code for d in reporter.sorted()] == ["E0301", "E0201"]


def test_an_op_that_has_returned_does_nothing_more() -> None:
    op = "op f() -> bool { if (a) { if (n == 0) { return true; } n = 1; } n = 2; return false; }"
    shown = rule(f"{op} thread t {{ step s {{ a = f(); }} }}", "t.s")
    assert "a' = a && n == 0" in shown
    assert "n' = a ? n == 0 ? n : 2 : 2" in shown


def test_a_havoc_that_depends_on_an_earlier_choice_is_refused() -> None:
    """Otherwise a way on which no value fits would hide behind another way."""
    for step in ("havoc n; havoc m where m > n;", "maybe { havoc n where n > 5; }"):
        codes = errors(f"shared int(0..3) m = 0; thread t {{ step s {{ {step} }} }}")
        assert "E0901" in codes, step
