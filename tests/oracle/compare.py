"""Holds the plain interpreter against the lowered system: states, steps, faults, and what is true where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refine.core.system import Kind, State, System
from refine.core.types import Array, Enum, Option, Set, Struct, Thread, Type, Value, domain_values
from refine.lang import ast
from refine.run.eval import as_valuation, evaluate, initial, successors
from tests.oracle import interp
from tests.oracle.program import Program
from tests.oracle.world import World

Seen = frozenset[tuple[str, Any]]


@dataclass
class Behaviour:
    """What can be seen of a system: its states, the steps between them, and those that lead to a fault."""

    states: set[Seen]
    steps: set[tuple[Seen, str, Seen]]
    faults: set[tuple[Seen, str]]
    count: int
    fault_states: int = 0  # in the core, how many states have a fault
    start_fault: bool = False


def of_tree(graph: interp.Graph) -> Behaviour:
    """The behaviour that the interpreter found."""
    claims = [i for i in graph.program.top.items if isinstance(i, ast.Claim | ast.Reach)]
    seen = [_see(graph.program, graph.world(s), claims) for s in graph.states]
    steps = {(seen[m.source], ".".join(m.step), seen[m.target]) for m in graph.moves if m.target is not None}
    faults = {(seen[m.source], ".".join(m.step)) for m in graph.moves if m.target is None}
    return Behaviour(set(seen), steps, faults, len(seen), start_fault=graph.bad_start)


def _see(program: Program, world: World, claims: list[ast.Claim | ast.Reach]) -> Seen:
    state = {(k, x) for k, x in interp.observe(program, world) if not k.endswith(" at")}
    for item in claims:
        match item:
            case ast.Reach(name, _, cond):
                state.add((name.name, interp.reached(program, world, interp.top(program), cond)))
            case ast.Claim(_, name, _, ast.Always(cond)):
                state.add((name.name, not interp.fails(program, world, None, interp.top(program), cond)))
            case ast.Claim(_, name, _, ast.Never(cond)):
                negated = ast.Unary("!", cond, span=item.span)
                state.add((name.name, not interp.fails(program, world, None, interp.top(program), negated)))
            case _:
                pass
    return frozenset(state)


def of_system(system: System, graph: interp.Graph, limit: int = 20_000) -> Behaviour:
    """The behaviour of the lowered system; what the tree does not name is left out."""
    program = graph.program
    wanted = {module.path(name) for module in program.modules() for name in module.vars}
    wanted |= {f"{family}.{name}" for family in program.families for name in program.thread_locals(family)}
    shown: dict[State, Seen] = {}
    steps: set[tuple[Seen, str, Seen]] = set()
    faults: set[tuple[Seen, str]] = set()

    def see(state: State) -> Seen:
        if state not in shown:
            shown[state] = _see_state(system, state, wanted)
        return shown[state]

    todo = [state for _, state in initial(system)]
    if any(s.fault is not None for s in todo):
        return Behaviour(set(), set(), set(), 0, start_fault=True)
    reached, failed = set(todo), set[State]()
    while todo:
        state = todo.pop()
        for rule, _, _, after in successors(system, state):
            if after.fault is not None:
                failed.add(after)
                faults.add((see(state), system.places[after.fault].rule))
                continue
            steps.add((see(state), rule.step, see(after)))
            if after not in reached:
                assert len(reached) < limit, "as many states as the interpreter found, or nearly"
                reached.add(after)
                todo.append(after)
    return Behaviour({see(s) for s in reached}, steps, faults, len(reached), len(failed))


def _see_state(system: System, state: State, wanted: set[str]) -> Seen:
    found: dict[str, Any] = {}
    for var, value in zip(system.vars, state.values, strict=True):
        if var.name in wanted:
            found |= flat(var.name, var.type, value)
    values = as_valuation(system, state)
    for prop in system.properties:
        if prop.kind in (Kind.STATE, Kind.REACH) and prop.role != "free" and "." not in prop.name:
            found[prop.name] = evaluate(prop.cond, values)
    return frozenset(found.items())


def flat(name: str, type_: Type, value: Value) -> dict[str, Any]:
    """The scalars of a variable by name and way, as the interpreter shows them."""
    match type_:
        case Array(dom, item):
            assert isinstance(value, tuple)
            found: dict[str, Any] = {}
            for k, part in zip(domain_values(dom), value, strict=True):
                found |= flat(f"{name}[{scalar(dom, k)}]", item, part)
            return found
        case Struct(_, fields):
            assert isinstance(value, tuple)
            found = {}
            for (field, field_type), part in zip(fields, value, strict=True):
                found |= flat(f"{name}.{field}", field_type, part)
            return found
        case _:
            pass
    return {name: scalar(type_, value)}


def scalar(type_: Type, value: Value) -> Any:
    match type_:
        case Enum(_, members):
            assert isinstance(value, int)
            return members[value]
        case Thread(parts):
            assert isinstance(value, int)
            k, member = type_.locate(value)
            return parts[k].name if parts[k].index is None else f"{parts[k].name}[{member}]"
        case Option(item):
            return None if value is None else scalar(item, value)
        case Set(item):
            assert isinstance(value, frozenset)
            return frozenset(scalar(item, x) for x in value)
        case _:
            pass
    if str(type_) == "bool":
        return bool(value)
    return value


def differences(tree: Behaviour, core: Behaviour, who: str = "the lowered system") -> list[str]:
    """In words, a few of the ways in which two behaviours differ; none if they agree."""
    found = []
    if tree.start_fault != core.start_fault:
        found.append(f"only {'the interpreter' if tree.start_fault else who} has an undefined initial state")
    for what, ours, theirs in (
        ("state", tree.states, core.states),
        ("step", tree.steps, core.steps),
        ("fault", tree.faults, core.faults),
    ):
        for mine, other, whose in ((ours, theirs, "the interpreter"), (theirs, ours, who)):
            extra = [x for x in mine if x not in other]
            if extra:
                found.append(f"{len(extra)} times a {what} of {whose} alone: {min(map(_words, extra))}")
    return found


def _words(x: Any) -> str:
    if isinstance(x, frozenset):
        return (
            "{"
            + ", ".join(f"{k} = {y}" for k, y in sorted(x, key=lambda p: p[0]) if not k.startswith("at_"))
            + "}"
        )
    if isinstance(x, tuple) and len(x) == 3:
        before, after = dict(x[0]), dict(x[2])
        changed = [f"{k} = {before[k]} -> {after[k]}" for k in sorted(after) if before[k] != after[k]]
        return f"{x[1]} from {_words(x[0])}: {', '.join(changed)}"
    if isinstance(x, tuple):
        return f"{x[1]} from {_words(x[0])}"
    return str(x)
