"""The typing rules: what an expression means, and, where it means nothing, which code points where.

In the tables, «…» marks the place that the diagnostic must point at.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.blocks import entries, lowered

WORLD = """
index vcpu[2];
index root[2];
slot memslot[3];
ring turn[3];
gfn frame[8];
enum Page { USED, FREE }
enum Entry { TAKEN, FREE }
machine Spte { NONE -> PRESENT : map; PRESENT -> NONE : zap; }
struct Fault { vcpu? who; bool write; int(0..3) level; }
const LIMIT = 3;

shared bool flag = false;
shared int(0..3) n = 0;
shared int(0..9) m = 0;
shared u8 w = 0;
shared u16 w2 = 0;
shared vcpu? owner = none;
shared root? current = none;
shared thread? holder = none;
shared Page page = USED;
shared Entry entry = TAKEN;
shared Spte spte = NONE;
shared set<vcpu> cpus = {};
shared set<int(0..3)> levels = {};
shared bool tlb[vcpu][root] = false;
shared frame at_frame = 0;
shared memslot at_slot = first(memslot);
shared turn at_turn = first(turn);
shared Fault fault;
shared Fault? pending = none;

fn above(int(0..9) x) -> bool = x > LIMIT;
fn of_cpu(vcpu v) -> bool = v in cpus;
op act() { flag = true; }
proc pause() { step now {} }

type lock {
    shared thread? taker = none;
    shared bool bits[b in bool] = false;
    hold held = taker == self;
    fn is_free() -> bool = taker == none;
    op take() acquires held when is_free() { taker = self; }
    op try_take() -> bool acquires held { return taker == none; }
    op drop_it() releases held { taker = none; }
    op set_to(bool x) { bits[x] = true; }
}
lock one;
lock many[vcpu];

thread guest[v in vcpu] {
    bool mine = false;
    step walk {}
    step done {}
}
thread zapper {
    int(0..3) tries = 0;
    step clear {}
}
"""


def unmarked(text: str) -> tuple[str, int, int]:
    """The text without its marks, and where they were."""
    start = text.index("«")
    end = text.index("»") - 1
    return text.replace("«", "").replace("»", ""), start, end


def check(marked: str, code: str, message: str, folder: Path) -> None:
    """An item after WORLD raises exactly this, exactly there."""
    item, start, end = unmarked(marked)
    offset = len(f"protocol example;\n{WORLD}")
    _, found = lowered(WORLD + item, folder)
    found = tuple(d for d in found if d.code != "W0401")
    assert [(d.code, d.message) for d in found] == [(code, message)]
    (diagnostic,) = found
    assert diagnostic.span is not None
    assert (diagnostic.span.start - offset, diagnostic.span.end - offset) == (start, end), (
        diagnostic.span.text
    )


# --- what is well typed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("flag -> n == 1 && m == 2", "flag -> n == 1 && m == 2"),
        ("n + m * 2 <= 27", "n + m * 2 <= 27"),
        ("n - m >= -9", "n - m >= -9"),
        ("-n == m", "0 - n == m"),
        ("m / 2 == m % 2", "m / 2 == m % 2"),
        ("above(n)", "n > 3"),
        ("owner == none", "owner == none"),
        ("none != owner", "owner != none"),
        ("forall v. owner == v", "forall v in vcpu. owner != none && owner == v"),
        ("exists v, r. tlb[v][r]", "exists v in vcpu. exists r in root. tlb[v][r]"),
        ("forall v. of_cpu(v)", "forall v in vcpu. v in cpus"),
        ("forall v. v in cpus", "forall v in vcpu. v in cpus"),
        ("forall v. guest[v] at walk", "forall v in vcpu. guest.pc[v] == walk"),
        ("forall v. guest[v].mine", "forall v in vcpu. guest.mine[v]"),
        ("exists t. holder == t", "exists t in thread. holder != none && holder == t"),
        ("holder == guest[vcpu#0]", "holder != none && holder == guest[vcpu#0]"),
        ("(count v in vcpu. v in cpus) < 2", "(count v in vcpu. v in cpus) < 2"),
        ("page == FREE && entry == FREE", "page == FREE && entry == FREE"),
        ("(flag ? USED : FREE) == page", "(flag ? USED : FREE) == page"),
        ("spte in {NONE, PRESENT}", "spte in {NONE, PRESENT}"),
        ("cpus == {} || cpus <= {vcpu#1}", "cpus == {} || cpus <= {vcpu#1}"),
        ("size(cpus | {vcpu#0}) == 1", "size(cpus | {vcpu#0}) == 1"),
        ("7 in levels", "7 in levels"),
        ("w == 255", "w == 255"),
        ("w + 1 == 0", "w + 1 == 0"),
        ("(w & 3 | w << 4) == ~w", "(w & 3) | w << 4 == ~w"),
        ("w2 == trunc16(n)", "w2 == trunc16(n)"),
        ("to_int(w) < 3", "to_int(w) < 3"),
        ("at_frame + 1 < 8", "at_frame + 1 < 8"),
        ("at_frame < 7 -> next(at_frame) > at_frame", None),
        ("at_slot < last(memslot) || at_slot == first(memslot)", "at_slot < memslot#2 || at_slot == memslot#0"),
        ("next(at_turn) != at_turn", "turn((to_int(at_turn) + 1) % 3) != at_turn"),
        ("align_down(m, 2) <= m", "m - m % 2 <= m"),
        ("fault.who == none && !fault.write", "fault.who == none && !fault.write"),
        ("zapper.tries < 3 && zapper at {clear, end}", "zapper.tries < 3 && (zapper.pc == clear || zapper.pc == end)"),
        ("held(one, zapper)", "one.taker != none && one.taker == zapper"),
        ("is_free(many[vcpu#1])", "many.taker[vcpu#1] == none"),
        ("many[vcpu#0].taker == zapper", None),
        ("{each v in vcpu where owner == v} <= cpus", None),
    ],
)  # fmt: skip
def test_an_expression_means(written: str, meant: str | None, tmp_path: Path) -> None:
    shown, found = lowered(f"{WORLD}claim it: {written};", tmp_path)
    assert [d for d in found if d.code != "W0401"] == []
    (claim,) = [entry for entry in entries(shown) if entry[0] == "claim it:"]
    if meant is not None:
        assert claim[1:] == (f"always {meant}",)


def test_dereferencing_in_a_claim_makes_it_false_where_it_is_undefined(tmp_path: Path) -> None:
    shown, _ = lowered(f"{WORLD}claim it: pending.write;", tmp_path)
    assert ("claim it:", "always pending.write && pending != none") in entries(shown)


@pytest.mark.parametrize("test", ["pending != none &&", "pending == none ||", "pending != none ->"])
def test_a_test_for_none_makes_the_rest_defined(test: str, tmp_path: Path) -> None:
    shown, _ = lowered(f"{WORLD}claim it: {test} pending.write;", tmp_path)
    assert ("claim it:", f"always {test} pending.write") in entries(shown)


@pytest.mark.parametrize(
    ("body", "undefined"),
    [
        ("n = 3;", []),
        ("n += 1;", ["n + 1 > 3: outside 0..3"]),
        ("n -= 1;", ["n - 1 < 0: outside 0..3"]),
        ("n = m - 4;", ["m - 4 < 0 || m - 4 > 3: outside 0..3"]),
        ("n = m % 4;", []),
        ("m = n * 3;", []),
        ("m = m / n;", ["n == 0: division by zero"]),
        ("w = w + 200;", []),
        ("w = w << n;", []),
        ("w = w << n - 1;", ["n - 1 < 0: shift by a negative number"]),
        ("at_frame = at_frame + 1;", ["at_frame + 1 > 7: outside 0..7"]),
        ("at_slot = next(at_slot);", ["to_int(at_slot) == 2: next of the last"]),
        ("at_turn = next(at_turn);", []),
        ("flag = of_cpu(owner);", ["owner == none: none dereferenced"]),
        ("flag = tlb[owner][current];", ["owner == none: none dereferenced", "current == none: none dereferenced"]),
        ("if (owner != none) flag = of_cpu(owner);", []),
        ("flag = pending.level == 3;", ["pending == none: none dereferenced"]),
        ("fault.level += 1;", ["fault.level + 1 > 3: outside 0..3"]),
        ("spte = PRESENT;", ["spte != NONE: spte changes along no edge"]),
        ("levels += n;", []),
        ("levels += m;", ["m > 3: outside 0..3"]),
        ("levels -= m;", []),
        ("require ok: n < 2;", ["n >= 2: required: ok"]),
    ],
)  # fmt: skip
def test_what_may_leave_its_type_is_undefined_where_it_is_stored(
    body: str, undefined: list[str], tmp_path: Path
) -> None:
    shown, found = lowered(f"{WORLD}thread t {{ step s {{ {body} }} }}", tmp_path)
    assert {d.code for d in found} <= {"W0401"}
    (rule,) = [entry for entry in entries(shown) if entry[0].startswith("rule t.s ")]
    prefix = "undefined when "
    assert [line.removeprefix(prefix) for line in rule if line.startswith(prefix)] == undefined


# --- what is not -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "code", "message"),
    [
        # names
        ("claim c: «flg»;", "E0201", "nothing is named 'flg' here"),
        ("type l { shared bool on; op get() { on = true; } } l mmu_lock; thread t { step s { get(«mmu_lok»); } }",
         "E0201", "nothing is named 'mmu_lok' here"),
        ("thread t { step s { «get»(mmu_lok); } }", "E0201", "nothing is named 'get' here"),
        ("claim c: flag using «l»;", "E0201", "there is no lemma or claim 'l'"),
        ("shared bool «flag» = true;", "E0202", "'flag' is declared twice"),
        ("claim «stuck»: flag;", "E0202", "'stuck' is a claim that every protocol makes"),
        ("fn f(bool a, bool «a») -> bool = a;", "E0202", "'a' is declared twice"),
        ("thread t { bool x; int(0..1) «x»; step s {} }", "E0202", "'x' is declared twice in this block"),
        ("thread t { bool «pc»; step s {} }", "E0202", "'pc' is the name of a thread's program counter"),
        ("thread t { step s { bool x; bool «x»; } }", "E0202", "'x' is declared twice in this block"),
        ("thread t { step s[x in bool, «x» in bool] {} }", "E0202", "'x' is declared twice"),
        ("thread t { step «end» {} }", "E0202", "'end' is the name of a thread's end"),
        ("claim c: «one» == one;", "E0203", "'one' is an instance, not a value"),
        ("claim c: «above»;", "E0203", "'above' is a function, op or procedure, not a value"),
        ("claim c: flag && «flag»(1);", "E0203", "'flag' is a variable, not something to call"),
        ("shared «flag» x = 0;", "E0203", "'flag' is a variable, not a type"),
        ("«vcpu» v;", "E0203", "'vcpu' is no library type"),
        ("shared bool x = false guarded by «flag»;", "E0203", "'flag' is no instance that could guard"),
        ("thread t { step s { «LIMIT» = 4; } }", "E0203", "'LIMIT' cannot be assigned"),
        ("thread t { for each i in vcpu { step s { «i» = i; } } }", "E0203", "'i' is set by its 'for each' alone"),
        ("claim c: fault.«why»;", "E0204", "Fault has no 'why'"),
        ("claim c: one.«owner» == none;", "E0204", "one has no 'owner'"),
        ("claim c: zapper.«retries» == 1;", "E0204", "zapper has no 'retries'"),
        ("thread t { step s { «lock_it»(one); } }", "E0204", "the type of 'one' has no 'lock_it'"),
        ("shared bool x = false guarded by «one.write»;", "E0204", "'one' has no hold 'write'"),
        ("claim c: «FREE» == FREE;", "E0205", "'FREE' is a member of Page and Entry"),
        ("claim c: zapper at «flush»;", "E0206", "thread 'zapper' has no step 'flush'"),
        ("claim c: after «zapper.flush»: flag;", "E0206", "thread 'zapper' has no step 'flush'"),
        # types
        ("claim c: «n»;", "E0301", "this is of type int(0..3), but bool is needed"),
        ("claim c: «page == 1»;", "E0301", "Page on the left, int on the right of '=='"),
        ("claim c: «page == entry»;", "E0301", "Page on the left, Entry on the right of '=='"),
        ("claim c: «w == w2»;", "E0301", "u8 on the left, u16 on the right of '=='"),
        ("claim c: «w == n»;", "E0301", "u8 on the left, int(0..3) on the right of '=='"),
        ("claim c: «flag + 1» == 2;", "E0301", "bool on the left, int on the right of '+'"),
        ("claim c: «page» == none;", "E0301", "a Page is never none"),
        ("claim c: tlb[«current»][owner];", "E0301", "this is of type root, but vcpu is needed"),
        ("thread t { step s { owner = «root#0»; } }", "E0301", "this is of type root, but vcpu is needed"),
        ("thread t { step s { page = «none»; } }", "E0301", "none is no value of type Page"),
        ("thread t { step s { flag = «act()»; } }", "E0301", "'act' returns nothing"),
        ("claim c: «above()»;", "E0302", "'above' takes 1 argument, not 0"),
        ("thread t { step s { «take(one, 1)»; } }", "E0302", "'take' takes 0 arguments after the instance, not 1"),
        ("claim c: «guest» at walk;", "E0302", "'guest' is a family of threads: write guest[…]"),
        ("claim c: «zapper[vcpu#0]» at clear;", "E0302", "'zapper' takes no further index"),
        ("claim c: is_free(«many»);", "E0302", "'many' is an array of instances: index it"),
        ("claim c: «many».taker == none;", "E0302", "'many' is an array of instances: index it first"),
        ("claim c: «one[vcpu#0]».taker == none;", "E0302", "'one' is one instance, not an array"),
        ("claim c: «n[0]»;", "E0302", "a value of type int(0..3) has no elements"),
        ("«lock<vcpu>» another;", "E0302", "'lock' has 0 type parameters, not 1"),
        ("claim c: «owner < vcpu#1»;", "E0303", "values of type vcpu have no order"),
        ("claim c: «page < USED»;", "E0303", "values of type Page have no order"),
        ("claim c: vcpu#0 in «owner»;", "E0303", "'in' needs a set on its right, not vcpu?"),
        ("claim c: «size(flag)» == 1;", "E0303", "'size' is for sets, not for bool"),
        ("claim c: «next(owner)» == owner;", "E0303", "'next' is for a slot, ring or gfn, not for vcpu"),
        ("claim c: first(«vcpu») == owner;", "E0303", "'first' is for a slot, ring or gfn type"),
        ("claim c: «~n» == 1;", "E0303", "'~' is not for values of type int(0..3)"),
        ("claim c: «n & 1» == 1;", "E0303", "'&' is not for values of type int(0..3)"),
        ("thread t { step s { «pending.write» = true; } }", "E0303", "a part of an optional cannot be assigned"),
        ("claim c: «none» == none;", "E0304", "it does not show of which type this none is"),
        ("claim c: forall «v». flag;", "E0304", "no use of 'v' tells its type"),
        ("shared int(0..3) x = «4»;", "E0305", "4 is outside 0..3"),
        ("shared u8 x = «256»;", "E0305", "256 does not fit into u8"),
        ("shared «int(3..1)» x = 2;", "E0305", "the range 3..1 is empty"),
        ("claim c: owner == «vcpu#2»;", "E0305", "vcpu has only 2 elements"),
        ("const X = «n»;", "E0306",
         "'n' has no value yet: only parameters and constants that are declared above have"),
        ("shared int(0..3) x = «n»;", "E0306", "an initial value cannot read other variables"),
        ("shared bool x[«u8»] = false;", "E0307", "u8 is no type to range over"),
        ("claim c: forall x in «set<vcpu>». true;", "E0307", "set<vcpu> is no type to range over"),
        ("shared «lock» x;", "E0307", "'lock' is a library type: it has instances, not values"),
        ("thread t[«x in bool»] { step s {} }", "E0307", "threads are numbered by an index, not by bool"),
        ("shared vcpu «x»;", "E0310", "'x' needs a value to start with: the values of vcpu are all alike"),
        ("thread t { thread «x»[bool]; step s {} }", "E0310",
         "'x' needs a value to start with: it holds values of thread, which are all alike"),
        # steps
        ("thread t { step s { flag = true; «take(one)»; } }", "E0401",
         "'take' may block: it can only be the first action of a step"),
        ("thread t { step s { if (flag) { «take(one)»; } } }", "E0401",
         "'take' may block: it can only be the first action of a step"),
        ("thread t { step s { drop_it(one); flag = «try_take(one)»; } }", "E0402",
         "'one' is released and acquired again in one step: nobody could come between"),
        ("thread t { if («flag») { step s {} } }", "E0403",
         "'flag' is not the thread's own: it can be read only in a step"),
        ("thread t { «flag» = true; step s {} }", "E0403", "'flag' is not the thread's own: assign it in a step"),
        ("thread t { if («zapper at clear») { step s {} } }", "E0403", "local code cannot ask where a thread is"),
        ("thread t { «act()»; }", "E0404", "'act' is no procedure: call it inside a step"),
        ("thread t { step s { «pause()»; } }", "E0404", "'pause' has steps of its own: call it between steps"),
        ("thread t { step s { «above(1)»; } }", "E0404", "'above' only has a value; it does nothing"),
        ("thread t { step s { if («try_take(one)») flag = true; } }", "E0404",
         "'try_take' acts; it cannot stand inside an expression"),
        ("thread t { «havoc flag;» }", "E0404", "this is an action: it belongs in a step"),
        ("thread t { step s { «loop {}» } }", "E0404", "'loop' cannot stand inside a step"),
        ("thread t { step s {} «break;» }", "E0404", "there is no loop to leave here"),
        ("op f() -> bool «{ flag = true; }»", "E0404", "'f' must end with 'return'"),
        ("thread t { step s {} «return 3;» }", "E0404", "a thread returns nothing"),
        ("proc p() { step s {} «return 3;» }", "E0404", "'p' declares no result to return"),
        ("proc p() -> bool { step s {} «return flag;» }", "E0901", "a procedure with a result is not implemented yet"),
        ("«hold x = true;»", "E0404", "this belongs into a 'type { … }'"),
        ("thread t { bool x; «loop { if (x) { step s {} } }» }", "E0405",
         "this loop can come round without taking a step"),
        ("thread t { «for each x in vcpu { maybe { step s {} } }» }", "E0405",
         "this loop can come round without taking a step"),
        ("fn f(bool x) -> bool = «f(x)»;", "E0407", "a function cannot call itself"),
        ("op f() { «f()»; }", "E0407", "an op cannot call itself"),
        ("proc f() { step s {} «f()»; }", "E0407", "a procedure cannot call itself"),
        ("claim c: holder == «self»;", "E0408", "there is no 'self' here: no thread takes this step"),
        ("rule r { holder = «self»; }", "E0408", "there is no 'self' here: no thread takes this step"),
        ("claim c: «old(flag)»;", "E0408", "'old' has no meaning here: only in steps, ops and step claims"),
        ("thread t { step s { for all v in vcpu { «cpus += v;» } } }", "E0409",
         "in a 'for all' only '=' and 'if' may stand"),
        ("thread t { step s { for all v in vcpu { «flag» = true; } } }", "E0409",
         "the target must be indexed by each of v, once and alone"),
        # sizes
        ("index x[«0»];", "E0510", "'x' would have 0 values; 1 to 256 are possible"),
        ("param «P» = 1 in 1..500;", "E0510", "'P' has 500 values; at most 256 are possible"),
        ("param P = «4» in 1..2;", "E0512", "the default 4 of 'P' is outside 1..2"),
    ],
)  # fmt: skip
def test_an_error_points_at_its_cause(item: str, code: str, message: str, tmp_path: Path) -> None:
    check(item, code, message, tmp_path)
