"""What the compiled rules are made of: integers and generated names, tests of locations first."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest

from refine.core import expr as e
from refine.core.expr import Binder, Expr
from refine.core.system import Fault, Kind, Place, Property, Rule, System, Var
from refine.core.types import BOOL, Array, Enum, Int, Set, Struct, Word
from refine.engine.explore import explore
from refine.engine.verdict import Limits
from refine.run.compile import compile_system
from refine.run.eval import Refused
from refine.run.layout import layout
from refine.run.write import DEEPEST
from tests.engine.systems import tlb_shootdown
from tests.run.plain import plain_search

BUILT_IN = {
    *("init", "expand", "thaw", "range", "setdefault", "add", "bit_count"),
    *("seen", "app", "fail", "found", "held", "last", "done", "front", "states", "get"),
}
HOSTILE = [
    '"""',
    "\n import os",
    "__import__('os').system('true')",
    "a; b",
    "\\x00",
    "{evil}",
    "s",
    "seen",
    "\u202e",
]


def hostile(name: str) -> System:
    """Return a small system whose every name is `name`."""
    enum = Enum(name, (name, name + "2"))
    struct = Struct(name, ((name, enum), (name + "2", BOOL)))
    x = e.var(name, Array(BOOL, struct))
    chosen = e.param(name, struct)
    rule = Rule(
        name,
        (Binder(name + "p", BOOL),),
        e.eq(e.field_of(e.select(x, e.param(name + "p", BOOL)), 0), e.const(enum, 0)),
        choices=(Binder(name, struct),),
        faults=(Fault(e.field_of(chosen, 1), 0),),
        updates=((name, e.store(x, e.TRUE, chosen)),),
        step=name,
    )
    claim = Property(name, Kind.STATE, e.eq(x, x), name, doc=name, text=name)
    return System(
        name,
        ((name, 1),),
        (Var(name, x.type, name),),
        Rule(name, (), e.TRUE),
        (rule,),
        (claim,),
        (Place(name, name),),
        (),
        file=name,
    )


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_generated_code_holds_only_integers_and_generated_names(name: str) -> None:
    source = compile_system(hostile(name), hostile(name).properties).source
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant):
            assert type(node.value) is int
        names = [getattr(node, field, None) for field in ("id", "name", "arg", "attr")]
        for found in names:
            if isinstance(found, str):
                assert found in BUILT_IN or re.fullmatch(r"[a-zK]\d*", found)
    assert len(plain_search(hostile(name), 100).depths) > 1


def test_the_source_is_the_same_for_the_same_system() -> None:
    first, second = (tlb_shootdown(2, 2, 2) for _ in range(2))
    assert compile_system(first, first.properties).source == compile_system(second, second.properties).source


def test_each_program_counter_is_tested_once() -> None:
    system = tlb_shootdown(2, 2, 2)
    source = compile_system(system, system.properties).source
    expand = source[source.index("def expand") : source.index("def thaw")]
    assert len(re.findall(r"^  x = ", expand, flags=re.MULTILINE)) == 3


def test_deep_terms_are_taken_apart() -> None:
    x = e.var("x", Word(8))
    term: Expr = x
    for k in range(400):
        term = e.ite(e.lt(x, e.const(Word(8), k % 256)), e.add(term, x), e.sub(x, term))
    system = replace(hostile("a"), vars=(Var("x", Word(8), "shared"),), rules=())
    claim = Property("p", Kind.STATE, e.lt(term, e.const(Word(8), 9)), "claim")
    rule = Rule("deep", (), e.TRUE, updates=(("x", term),), step="deep")
    for case in (replace(system, properties=(claim,)), replace(system, rules=(rule,), properties=())):
        source = compile_system(case, case.properties).source
        assert max(line.count("(") for line in source.splitlines()) < 8 * DEEPEST
        found = plain_search(case, 10)
        assert explore(case, None, Limits(), symmetry=False).states == len(found.depths)


def test_too_many_instances_are_refused() -> None:
    rule = Rule("many", tuple(Binder(f"p{k}", Int(0, 99)) for k in range(3)), e.TRUE)
    with pytest.raises(Refused, match="instances"):
        compile_system(replace(hostile("a"), rules=(rule,)), ())


def test_a_quantifier_over_too_much_is_refused() -> None:
    wide = Binder("w", Int(0, 1_000_000))
    claim = Property("p", Kind.STATE, e.forall(wide, e.lt(e.param("w", wide.type), e.integer(5))), "claim")
    with pytest.raises(Refused, match="quantifies over"):
        compile_system(hostile("a"), (claim,))


def test_huge_states_are_refused() -> None:
    system = replace(hostile("a"), vars=(Var("x", Array(Int(0, 2000), Array(Int(0, 2000), BOOL)), "shared"),))
    with pytest.raises(Refused, match="bits"):
        layout(system)


def test_states_are_packed_without_gaps_and_unpacked_again() -> None:
    system = tlb_shootdown(2, 2, 2)
    packed = layout(system)
    used = [(f.offset, f.offset + f.width) for f in packed.fields]
    assert all(b <= c for (_, b), (c, _) in zip(sorted(used), sorted(used)[1:], strict=False))
    assert packed.bits == max(b for _, b in used)
    states = list(plain_search(system, 300).depths)
    assert [packed.decode(packed.encode(s)) for s in states] == states
    assert len({packed.encode(s) for s in states}) == len(states)
    faulty = replace(states[0], fault=1)
    assert packed.decode(packed.encode(faulty)) == faulty


def test_a_wide_choice_becomes_a_loop() -> None:
    x = e.var("x", Set(Int(0, 9)))
    rule = Rule("any", (), e.TRUE, (Binder("c", x.type),), updates=(("x", e.param("c", x.type)),), step="any")
    system = replace(hostile("a"), vars=(Var("x", x.type, "shared"),), rules=(rule,), properties=())
    assert "for c0 in K0:" in compile_system(system, ()).source
