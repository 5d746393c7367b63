"""What the solver reading and the compiled search say of a lowered system, to hold against the interpreter."""

from __future__ import annotations

from refine.core.system import Kind, State, System
from refine.engine.explore import explore
from refine.engine.verdict import Answer, Limits, Proved, Reached, Vacuous, Violated
from refine.run.eval import defaults, initial, successors
from refine.smt.decode import Model
from refine.smt.solver import Budget, Status, Z3Solver
from refine.smt.unroll import Step, Unrolling


def images(unrolling: Unrolling, step: Step, before: State) -> set[State]:
    """All states that a step may lead to: the solver's models, one after the other."""
    solver = Z3Solver(Budget(), exact=unrolling.exact)
    for cond in step.possible:
        solver.add(cond)
    found: set[State] = set()
    while (outcome := solver.check()).status is Status.SAT:
        state = Model.of(unrolling, outcome.model).state(step.after, before)
        assert state not in found, "what was found is excluded"
        found.add(state)
        terms = unrolling.terms
        if state.fault is not None:
            solver.add(terms.not_(step.after.faults[state.fault]))
        else:
            same = unrolling.differ(step.after, unrolling.constant(state.values))
            solver.add(terms.or_((step.after.faulted, same)))
    assert outcome.status is Status.UNSAT, "these questions are small"
    return found


def solver_differences(system: System, most: int) -> list[str]:
    """Where the solver's successors of a state are not those of the explicit reading; at most `most` states."""
    first = {state for _, state in initial(system)}
    unrolling = Unrolling(system)
    solved = images(unrolling, unrolling.initial(), defaults(system))
    if solved != first:
        return [f"initial states: {len(solved)} of the solver, {len(first)} explicitly"]
    seen = dict.fromkeys(sorted(first, key=repr))
    queue = list(seen)
    for state in queue[:]:
        assert state.fault is None or len(queue) == 1, "one initial state"
    for number, state in enumerate(queue):
        if number == most:
            break
        if state.fault is not None:
            continue
        plain = {after for *_, after in successors(system, state)}
        unrolling = Unrolling(system)
        solved = images(unrolling, unrolling.step(unrolling.constant(state.values), "1"), state)
        if plain != solved:
            return [f"{state}: only the solver {solved - plain}, only the explicit reading {plain - solved}"]
        for after in sorted(plain - seen.keys(), key=repr):
            seen[after] = None
            queue.append(after)
    return []


def searched(system: System, *, symmetry: bool) -> Answer:
    """Every verdict of the explicit search, which does not decide liveness."""
    names = [p.name for p in system.properties if p.kind is not Kind.LIVENESS]
    return explore(system, names, Limits(), symmetry=symmetry)


def refuted(answer: Answer) -> dict[str, bool]:
    """For each claim whether it is violated, for each reach whether it is reached; one entry for all `satisfiable`s."""
    found: dict[str, bool] = {}
    for name, verdict in answer.verdicts.items():
        assert isinstance(verdict, Proved | Violated | Reached | Vacuous), f"{name}: {verdict}"
        group = "satisfiable" if name.startswith("satisfiable.") else name
        found[group] = found.get(group, False) or isinstance(verdict, Violated | Reached)
    return found
