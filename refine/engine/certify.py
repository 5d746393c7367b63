"""Certificates: found by IC3 or induction, and checked again, at every size, by two solvers that share nothing with it.

A section says: these claims, together with these sentences, hold initially and survive each step. That is what is
asked (`refine.engine.obligation`); the certificate itself is believed in nothing. It is refused where it speaks of
another system than the one that the specification is lowered to, where it says nothing, and where it says too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar, assert_never

from refine.core.digest import digest
from refine.core.system import Kind, System
from refine.engine import unbounded
from refine.engine.decide import extent
from refine.engine.fold import fold
from refine.engine.ic3 import Search
from refine.engine.induct import MAX_K, standing
from refine.engine.obligation import Obligation, certifiable
from refine.engine.replay import Inconsistent
from refine.engine.rounds import DEFINED, FEW, MOST, counting
from refine.engine.verdict import Limits, Progress, Proved, Tick, Violated
from refine.lang.certificate import (
    AGAIN,
    LANGUAGE,
    Certificate,
    Exhaustive,
    Inductive,
    KInductive,
    Rounds,
    Section,
    Sizes,
    Steps,
    Unbounded,
)
from refine.lang.invariant import Unreadable
from refine.smt import cells
from refine.smt.gates import NotBits
from refine.smt.second import Cvc5Integers, Cvc5Solver
from refine.smt.solver import Budget, Solver, Z3Solver
from refine.smt.unroll import TooLarge

_Proof = TypeVar("_Proof", Inductive, Rounds)
_All: TypeAlias = Mapping[
    str, int | None
]  # claims that were proved, and the number of states if all were looked at

LITTLE = 100_000  # conflicts of one count of rounds


def z3(budget: Budget, *, exact: bool) -> Solver:
    return Z3Solver(budget, exact=exact)


def cvc5(budget: Budget, *, exact: bool) -> Solver:
    return Cvc5Integers(budget) if exact else Cvc5Solver()


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a certificate at one size."""

    outcome: Literal["checked", "refused", "unknown"]
    why: str


# --- checking -----------------------------------------------------------------------------------------------------


def check(system: System, section: Section, sizes: Sizes, budget: Budget) -> Checked:
    """Check what a section says of one of its sizes. Raises `Inconsistent` where two solvers disagree."""
    assert not isinstance(section, Unbounded), "that speaks of no one size"
    core = next(core[1] for core in section.cores if core[0] == sizes)
    if core != digest(system):
        return Checked("refused", f"it is stale: the protocol has changed since; {AGAIN}")
    if isinstance(section, Exhaustive):
        return Checked("checked", "")
    try:
        obligation = obligation_of(system, section)
    except (Unreadable, TooLarge, KeyError) as why:
        return Checked("refused", str(why))
    if sizes == largest(core[0] for core in section.cores):
        idle = obligation.says_nothing(budget)
        if idle is not None:
            return Checked("refused", f"'{idle}' says nothing")
    answers = {
        name: obligation.ask(make(budget, exact=obligation.exact))
        for name, make in (("z3", z3), ("cvc5", cvc5))
    }
    words = {answer for answer, _ in answers.values()}
    if words == {"holds"}:
        much = too_much(system, section, sizes, obligation, budget)
        return Checked("refused", much) if much is not None else Checked("checked", "z3 and cvc5")
    if words >= {"holds", "fails"}:
        said = "; ".join(f"{name}: {answer} {where}".strip() for name, (answer, where) in answers.items())
        raise Inconsistent(f"two solvers disagree on the certificate of {system.name}: {said}")
    worst, where = min(answers.values())  # 'fails' before 'unknown'
    if worst == "fails":
        return Checked("refused", f"what it says {where}")
    return Checked(
        "unknown", next(f"{name} has no answer" for name, a in answers.items() if a[0] == "unknown")
    )


def obligation_of(system: System, section: Steps) -> Obligation:
    """What a section obliges to at one size. Raises `Unreadable` where it does not fit."""
    match section:
        case Inductive():
            return Obligation(system, section.claims, section.sentences)
        case KInductive():
            return Obligation(system, section.claims, section.sentences, section.k, simple=section.simple)
        case Rounds():
            claims = [p for p in system.properties if p.name in section.claims and p.kind is Kind.LIVENESS]
            if len(claims) != 1 or len(section.claims) != 1 or section.most < 1:
                raise Unreadable("rounds are counted for one claim of what happens eventually")
            return Obligation(counting(system, claims[0], section.most), (FEW, DEFINED), section.sentences)
        case _:
            assert_never(section)


def too_much(
    system: System, section: Steps, sizes: Sizes, obligation: Obligation, budget: Budget
) -> str | None:
    """What a section for k-induction could do without, though what it says is true, at the largest of its sizes."""
    if not isinstance(section, KInductive):
        return None
    if not obligation.begins(budget):
        return "there is no initial state, and so it says nothing"
    if sizes != largest(core[0] for core in section.cores):
        return None
    if section.simple and _holds(system, replace(section, simple=False), budget):
        return "it holds with repetition, too"
    if section.k > 1 and _holds(system, replace(section, k=section.k - 1), budget):
        return f"k is larger than needed: it is {section.k - 1}-inductive"
    idle = obligation.idle_ones(budget)
    return f"'{section.sentences[idle[0]]}' is not needed" if idle else None


def check_unbounded(section: Unbounded, systems: Sequence[System], budget: Budget) -> Checked:
    """Check what a section says of any number; `systems`: those at its sizes. Raises `Inconsistent` as `check` does."""
    try:
        core = unbounded.same_skeleton(systems, section.claims)
        if len(systems) < 3 or any(said != core for _, said in section.cores):
            return Checked("refused", f"it is stale: the protocol has changed since; {AGAIN}")
        if not unbounded.vary(systems, section.types):
            return Checked("refused", "its sizes do not have different numbers of each type")
        found = unbounded.check(systems, section.claims, section.sentences, budget)
    except (Unreadable, KeyError, StopIteration) as why:
        return Checked("refused", str(why))
    if isinstance(found, str):
        return Checked("refused", found)
    if set(found) != set(section.types):
        return Checked("refused", f"it speaks of {', '.join(found)}")
    return Checked("checked", "z3 and cvc5")


def largest(sizes: Iterable[Sizes]) -> Sizes:
    """The size with the greatest product of its parameters; of equals, the first."""
    return max(sizes, key=extent)


def export(system: System, sections: Iterable[Inductive | KInductive | Rounds], about: str) -> str:
    """What sections oblige to at one size, as SMT-LIB 2. Raises `Unreadable` where one is refused."""
    scripts = []
    for section in sections:
        if not any(digest(system) == core for _, core in section.cores):
            raise Unreadable("it is stale: the protocol has changed since")
        scripts.append(obligation_of(system, section).script(about))
    return "(reset)\n".join(scripts)


# --- making -------------------------------------------------------------------------------------------------------


class _NotFound(Exception):
    """No invariant, and why."""


@dataclass(frozen=True, slots=True)
class Left:
    """Claims that no section speaks of, and why."""

    sizes: Sizes
    claims: tuple[str, ...]
    why: str


def make(
    systems: Mapping[Sizes, System],
    proved: Mapping[Sizes, _All],
    checker: str,
    limits: Limits,
    progress: Progress | None = None,
    three: Sequence[System] = (),
) -> tuple[Certificate, tuple[Left, ...]]:
    """A certificate for what is `proved`: by size and name, with the number of states if all were looked at.

    `three`: the protocol at three sizes among which each type of identities has different numbers of elements.
    """
    sections: list[Section] = []
    left: list[Left] = []
    rest = sorted(systems, key=extent, reverse=True)
    while rest:
        sizes = rest[0]
        if progress is not None:
            progress(Tick("certify", len(systems) - len(rest), len(sections), len(rest)))
        claims = tuple(p.name for p in certifiable(systems[sizes]) if p.name in proved[sizes])
        if not claims:
            rest = rest[1:]
            continue
        found: Inductive | KInductive | None
        try:
            found, why = _inductive(systems, sizes, rest, proved, claims, limits, progress), ""
        except _NotFound as none:
            found, why = _k_inductive(systems, sizes, rest, proved, claims, limits, progress), str(none)
        if found is not None:
            sections.append(found)
        without = tuple(n for n in claims if found is None or n not in found.claims)
        if without:
            left.append(Left(sizes, without, why))
        covered = {sizes} if found is None else {core[0] for core in found.cores}
        rest = [s for s in rest if s not in covered]
    sections += _rounds(systems, proved, limits, progress)
    sections += _exhaustive(systems, proved, sections)
    sections += _unbounded(three, limits, progress)
    name = next(iter(systems.values())).name
    return Certificate(name, checker, LANGUAGE, tuple(sections)), tuple(left)


def _inductive(
    systems: Mapping[Sizes, System],
    sizes: Sizes,
    rest: Sequence[Sizes],
    proved: Mapping[Sizes, _All],
    claims: tuple[str, ...],
    limits: Limits,
    progress: Progress | None,
) -> Inductive:
    """An invariant found at one size, and the sizes of `rest` at which it is one, too. Raises `_NotFound`."""
    system = systems[sizes]
    asked = [system.property(name) for name in claims]
    try:
        search = Search(system, asked, Budget(limits.resources, limits.deadline), progress)
    except (NotBits, cells.Unbounded):
        raise _NotFound("IC3 needs variables of finitely many values") from None
    search.run()
    if search.invariant is None or not all(isinstance(search.verdicts[n], Proved) for n in claims):
        raise _NotFound("IC3 did not finish")
    sentences = fold(system, search.cells, search.symmetric, search.invariant)
    found = Inductive("IC3", (), claims, sentences)
    if not _holds(system, found):
        raise Inconsistent(f"the sentences of IC3's invariant for {system.name} do not say what it says")
    also = [
        s
        for s in rest[1:]
        if claims == tuple(p.name for p in certifiable(systems[s]) if p.name in proved[s])
        and _holds(systems[s], found)
    ]
    order = [s for s in systems if s == sizes or s in also]
    found = replace(found, cores=tuple((s, digest(systems[s])) for s in order))
    return _needed([systems[s] for s in order], found)


def _k_inductive(
    systems: Mapping[Sizes, System],
    sizes: Sizes,
    rest: Sequence[Sizes],
    proved: Mapping[Sizes, _All],
    claims: tuple[str, ...],
    limits: Limits,
    progress: Progress | None,
) -> KInductive | None:
    """What of the claims is k-inductive together, for the least k, and the sizes of `rest` at which it is, too.

    Only what needs it is proved of different states in a row.
    """
    system, simple = systems[sizes], False
    best: tuple[str, ...] = ()
    for different in (False, True):
        found = standing(system, claims, limits, progress, simple_path=different)
        if len(found) > len(best):
            best, simple = found, different
        if len(best) == len(claims):
            break
    sections = (KInductive(k, simple, (), best, ()) for k in range(1, MAX_K + 1) if best)
    budget = Budget(limits.resources, limits.deadline)
    section = next((s for s in sections if _holds(system, s, budget)), None)
    if section is None:
        return None
    also = [s for s in rest[1:] if set(best) <= proved[s].keys() and _holds(systems[s], section, budget)]
    order = [s for s in systems if s == sizes or s in also]
    return replace(section, cores=tuple((s, digest(systems[s])) for s in order))


def _holds(system: System, section: Steps, budget: Budget | None = None) -> bool:
    """Whether a section is right at one size, by the one solver that is fastest."""
    try:
        obligation = obligation_of(system, section)
        return obligation.ask(obligation.solver(budget or Budget()))[0] == "holds"
    except (Unreadable, TooLarge):
        return False


def _needed(systems: Sequence[System], section: _Proof) -> _Proof:
    """The section without the sentences that can go at every size."""
    while True:
        idle = [set(obligation_of(s, section).idle_ones(Budget())) for s in systems]
        both = set.intersection(*idle) if idle else set()
        if not both:
            return section
        kept = [text for n, text in enumerate(section.sentences) if n != max(both)]
        section = replace(section, sentences=tuple(kept))


def _rounds(
    systems: Mapping[Sizes, System],
    proved: Mapping[Sizes, _All],
    limits: Limits,
    progress: Progress | None,
) -> list[Rounds]:
    """What can be proved of claims of liveness by counting rounds, at little cost: all states were looked at before."""
    found = []
    for name in dict.fromkeys(
        p.name for s in systems.values() for p in s.properties if p.kind is Kind.LIVENESS
    ):
        rest = [s for s in sorted(systems, key=extent, reverse=True) if name in proved[s]]
        while rest:
            section = _counted(systems[rest[0]], rest[0], name, limits, progress)
            if section is None:
                rest = rest[1:]
                continue
            also = [s for s in rest[1:] if _holds(systems[s], section)]
            order = [s for s in systems if s == rest[0] or s in also]
            section = replace(section, cores=tuple((s, digest(systems[s])) for s in order))
            found.append(_needed([systems[s] for s in order], section))
            rest = [s for s in rest if s not in order]
    return found


def _counted(
    system: System, sizes: Sizes, name: str, limits: Limits, progress: Progress | None
) -> Rounds | None:
    """An invariant by which few rounds pass before what a claim promises, for a number that doubles."""
    most = 1
    while most <= MOST:
        counted = counting(system, system.property(name), most)
        asked = [counted.property(FEW), counted.property(DEFINED)]
        try:
            search = Search(counted, asked, Budget(limits.resources or LITTLE, limits.deadline), progress)
        except (NotBits, cells.Unbounded):
            return None
        search.run()
        if search.invariant is not None and all(isinstance(v, Proved) for v in search.verdicts.values()):
            sentences = fold(counted, search.cells, search.symmetric, search.invariant)
            made = Rounds(most, ((sizes, digest(system)),), (name,), sentences)
            if not _holds(system, made):
                raise Inconsistent(f"the sentences of IC3's invariant for {name} do not say what it says")
            return made
        if not isinstance(search.verdicts.get(FEW), Violated):
            return None
        most *= 2
    return None


def _exhaustive(
    systems: Mapping[Sizes, System],
    proved: Mapping[Sizes, _All],
    sections: Iterable[Section],
) -> list[Exhaustive]:
    """What was looked at in all states and has no invariant, by equal sets of claims."""
    by_invariant = {
        (core[0], name) for s in sections if isinstance(s, Steps) for core in s.cores for name in s.claims
    }
    groups: dict[tuple[str, ...], list[tuple[Sizes, str, int]]] = {}
    for sizes, system in systems.items():
        counts = {
            name: n
            for name, n in proved[sizes].items()
            if n is not None and (sizes, name) not in by_invariant
        }
        if counts:
            core = (sizes, digest(system), next(iter(counts.values())))
            groups.setdefault(tuple(counts), []).append(core)
    return [Exhaustive(tuple(cores), claims) for claims, cores in groups.items()]


def _unbounded(three: Sequence[System], limits: Limits, progress: Progress | None) -> list[Unbounded]:
    """A proof for any number, if there is one."""
    found = unbounded.find(three, limits, progress) if len(three) >= 3 else "there are no three sizes"
    if isinstance(found, str):
        return []
    types, claims, sentences = found
    core = unbounded.same_skeleton(three, claims)
    assert core is not None, "it was looked at"
    return [Unbounded(types, tuple((s.sizes, core) for s in three), claims, sentences)]
