"""What other checkers are told: against the reference semantics on random systems, and by SPIN and rumur themselves."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, event, given, settings

from refine.cli import main
from refine.core.system import Kind, State, System
from refine.engine.explore import explore
from refine.engine.verdict import Limits, Violated
from refine.run.eval import as_valuation, evaluate, initial, successors
from refine.smt.ground import Ground, Unfit, ground
from refine.smt.murphi import murphi
from refine.smt.promela import promela
from refine.smt.term import Term
from tests.smt.randoms import systems
from tests.test_specs import ROOT, lowered

MOST = 300  # states
Capture = pytest.CaptureFixture[str]


def plain(system: System) -> tuple[int, bool, set[str]] | None:
    """By the reference: the number of states without fault, whether there is one with, and which claims are broken."""
    seen: dict[State, None] = {}
    faulty, broken = False, set()
    claims = [p for p in system.properties if p.kind in (Kind.STATE, Kind.STEP)]
    queue = [s for _, s in initial(system)]
    for here in queue:
        if here.fault is not None:
            faulty = True
            continue
        if here in seen:
            continue
        if len(seen) == MOST:
            return None
        seen[here] = None
        values = as_valuation(system, here)
        broken |= {p.name for p in claims if p.kind is Kind.STATE and not evaluate(p.cond, values)}
        for rule, _, _, after in successors(system, here):
            queue.append(after)
            if after.fault is None:
                new = as_valuation(system, after)
                broken |= {
                    p.name
                    for p in claims
                    if p.kind is Kind.STEP and (p.of is None or rule.step in p.of)
                    if not evaluate(p.cond, new, old=values)
                }
    return len(seen), faulty, broken


def walked(made: Ground) -> tuple[int, bool, set[str]]:
    """The same of what is laid out: each term with constants for its inputs."""
    faulty, broken = False, set()
    terms = made.terms
    seen: set[tuple[int, ...]] = set()
    queue = list(made.starts)
    for here in queue:
        if here in seen:
            continue
        seen.add(here)
        leaves = {
            s.term: terms.bit(bool(v)) if s.truth else terms.number(v, s.term.width)
            for s, v in zip(made.scalars, here, strict=True)
        }
        memo: dict[Term, Term] = {}

        def value(x: Term, leaves: dict[Term, Term] = leaves, memo: dict[Term, Term] = memo) -> int:
            found = terms.substitute(x, leaves, memo)
            assert found.constant
            assert isinstance(found.data, int)
            return int(found.data)

        broken |= {name for name, cond in made.invariants if not value(cond)}
        for command in made.commands:
            if not value(command.guard):
                continue
            if any(value(cond) for _, cond in command.undefined):
                faulty = True
                continue
            broken |= {name for name, cond in command.checks if not value(cond)}
            new = dict(zip(made.scalars, here, strict=True)) | {s: value(x) for s, x in command.updates}
            assert all(s.lo <= v <= s.hi for s, v in new.items())
            queue.append(tuple(new.values()))
    return len(seen), faulty, broken


@given(systems())
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
def test_what_is_laid_out_has_the_same_states_and_breaks_the_same(system: System) -> None:
    expected = plain(system)
    assume(expected is not None)
    try:
        made = ground(system)
    except Unfit:
        event("unfit")
        return
    kept = {p.name for p in system.properties if p.kind in (Kind.STATE, Kind.STEP)}
    states, faulty, broken = walked(made)
    assert (states, faulty, broken & kept) == expected
    for text in (murphi(made, []), promela(made, [])):
        assert text.isascii()


# --- by the tools themselves --------------------------------------------------------------------------------------

FILES = [
    ("spec/x86/tlb_shootdown.spte", {"VCPUS": 2, "GFNS": 2, "PFNS": 2}),
    ("tests/clients/tlb_shootdown_buggy.spte", {"VCPUS": 2, "GFNS": 2, "PFNS": 2}),
    ("spec/lib/clients/lock.spte", {"WORKERS": 2}),
    ("spec/x86/seqcount_truncated.spte", {"VCPUS": 1, "INVALIDATIONS": 3}),
    ("spec/x86/root_walk.spte", {"ROOTS": 2, "VCPUS": 1, "YIELDS": 1}),
    ("spec/arm64/pkvm_idmap.spte", {"CPUS": 1, "TABLES": 2}),
    ("spec/lib/clients/slots.spte", {"VCPUS": 2, "SLOTS": 2, "TAGS": 3}),
    ("tests/clients/refcount_bad.spte", {}),
]


def needs(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: apt install spin rumur gcc)")


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    return done.stdout + done.stderr


def by_rumur(model: str, folder: Path) -> tuple[bool, int]:
    (folder / "model.m").write_text(model, encoding="utf-8")
    options = ["--deadlock-detection", "off", "--symmetry-reduction", "off", "--value-type", "int32_t"]
    run(folder, "rumur", *options, "--output", "model.c", "model.m")
    run(folder, "gcc", "-O0", "-mcx16", "model.c", "-o", "model", "-lpthread")
    said = run(folder, "./model")
    states = re.findall(r"(\d+) states, \d+ rules", said)
    assert states, said
    return "No error found" in said, int(states[-1])


def by_spin(model: str, folder: Path) -> tuple[bool, int]:
    (folder / "model.pml").write_text(model, encoding="utf-8")
    run(folder, "spin", "-o2", "-a", "model.pml")
    run(folder, "gcc", "-O0", "-DSAFETY", "-DNOREDUCE", "pan.c", "-o", "pan")
    said = run(folder, "./pan", "-E", "-m1000000")
    states, errors = re.search(r"(\d+) states, stored", said), re.search(r"errors: (\d+)", said)
    assert states is not None, said
    assert errors is not None, said
    return errors[1] == "0", int(states[1]) - 1


CHECKERS = {"rumur": (murphi, by_rumur), "spin": (promela, by_spin)}


@pytest.mark.slow
@pytest.mark.parametrize("tool", CHECKERS)
@pytest.mark.parametrize(("file", "sizes"), FILES, ids=[Path(f).stem for f, _ in FILES])
def test_other_checkers_agree_and_count_as_many_states(
    file: str, sizes: dict[str, int], tool: str, tmp_path: Path
) -> None:
    needs(tool, "gcc")
    system = lowered(ROOT / file, sizes)
    made = ground(system)
    left_out = {name for name, _ in made.left_out}
    names = [p.name for p in system.properties if p.name not in left_out]
    found = explore(system, names, Limits(), symmetry=False)
    holds = not any(isinstance(v, Violated) for v in found.verdicts.values())
    write, asked = CHECKERS[tool]
    said, states = asked(write(made, [file]), tmp_path)
    assert said is holds
    if holds:
        assert states == found.states


@pytest.mark.parametrize("to", ["promela", "murphi"])
def test_what_is_left_out_is_said_at_the_head(to: str, capsys: Capture) -> None:
    assert main(["export", str(ROOT / "spec/lib/clients/lock.spte"), "--to", to, "--size", "WORKERS=1"]) == 0
    text = capsys.readouterr().out
    assert "left out: served (what happens eventually)" in text
    assert "left out: tried (that something can be reached)" in text
    assert "queued_owner_value" in text


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("shared int n = 0;", "'n' holds an unbounded integer"),
        ("shared u64 n = 0;", "'n' holds a word of 64 bits, more than 16"),
        ("shared u16 n = 0; rule any[x in a, y in a] { havoc n; }", "instances, more than 20000"),
        (
            "shared u16 n = 3; rule up { n = trunc16(to_int(n) * to_int(n) * 4); }",
            "numbers that 32 bits do not hold",
        ),
        (
            "shared int(0..65535) n = 3; rule up when n * n * n > 5 { n = 0; }",
            "numbers that 32 bits do not hold",
        ),
        ("shared int(0..3000000000) n = 3;", "'n' holds numbers of more than 32 bits"),
        ("shared int(0..3) n = 0; assume above: n > 0;", "it has no initial state"),
    ],
)
def test_what_does_not_fit_is_refused(line: str, why: str, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "x.spte"
    file.write_text(f"protocol x;\nindex a[2];\n{line}\nclaim c: n >= 0;\n")
    assert main(["export", str(file), "--to", "murphi"]) == 2
    said = capsys.readouterr().err
    assert "error[E0622]" in said
    assert why in said


NEAR = """protocol near;
shared u16 a = 65535;
shared u16 b = 40000;
shared int(-40000..40000) timeout = -40000;
shared u16 len = 0;
shared u16 new_len = 0;
thread only {
    step multiply { len = a * b; }
    step subtract { len = b - a; }
    step shift { len = len << 9 | a >> 3; }
    step divide { timeout = timeout / 7 % 13; }
    step invert { len = ~len; new_len = len; }
}
claim product: only at subtract -> len == 25536;
claim difference: only at shift -> len == 40001;
claim quotient: only at invert -> timeout == 5;
"""


@pytest.mark.parametrize("tool", CHECKERS)
def test_numbers_near_the_bounds_and_words_of_the_other_language(tool: str, tmp_path: Path) -> None:
    needs(tool, "gcc")
    file = tmp_path / "near.spte"
    file.write_text(NEAR)
    system = lowered(file, {})
    found = explore(system, [p.name for p in system.properties if p.kind is Kind.STATE], Limits())
    assert not any(isinstance(v, Violated) for v in found.verdicts.values())
    write, asked = CHECKERS[tool]
    assert asked(write(ground(system), []), tmp_path) == (True, found.states)


@pytest.mark.parametrize("tool", CHECKERS)
def test_a_protocol_that_never_moves_is_a_model(tool: str, tmp_path: Path) -> None:
    needs(tool, "gcc")
    file = tmp_path / "still.spte"
    file.write_text("protocol still;\nshared int(0..3) n = 1;\nclaim one: n == 1;\n")
    write, asked = CHECKERS[tool]
    assert asked(write(ground(lowered(file, {})), []), tmp_path) == (True, 1)
