"""Certificates: found by IC3, and checked again, at every size, by two solvers that share nothing with it.

A section says: these claims, together with these sentences, hold initially and survive each step. That is what is
asked; the certificate itself is believed in nothing. It is refused where it speaks of another system than the one that
the specification is lowered to, and where it says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from refine.core.digest import digest
from refine.core.system import Kind, Property, System
from refine.engine import unbounded
from refine.engine.bmc import assumes
from refine.engine.decide import extent
from refine.engine.fold import fold
from refine.engine.ic3 import Search
from refine.engine.replay import Inconsistent
from refine.engine.rounds import DEFINED, FEW, MOST, counting
from refine.engine.verdict import Limits, Progress, Proved, Tick, Violated
from refine.lang.certificate import (
    AGAIN,
    LANGUAGE,
    Certificate,
    Exhaustive,
    Inductive,
    Rounds,
    Section,
    Sizes,
    Unbounded,
)
from refine.lang.invariant import Reader, Unreadable
from refine.smt import cells
from refine.smt.gates import NotBits
from refine.smt.relation import claimed
from refine.smt.sat import MANY, SatSolver
from refine.smt.second import Cvc5Solver
from refine.smt.solver import Budget, Solver, Status, Z3Solver
from refine.smt.term import Term
from refine.smt.text import script
from refine.smt.unroll import Frame, TooLarge, Unrolling

Outcome = Literal["holds", "fails", "unknown"]

_Proof = TypeVar("_Proof", Inductive, Rounds)

LITTLE = 100_000  # conflicts of one count of rounds

SAFETY = (Kind.STATE, Kind.STEP, Kind.FAULT, Kind.SATISFIABLE)


def z3(budget: Budget) -> Solver:
    return Z3Solver(budget, exact=False)


def cvc5(budget: Budget) -> Solver:
    del budget
    return Cvc5Solver()


def sat(budget: Budget) -> Solver:
    return SatSolver(budget, MANY)


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a certificate at one size."""

    outcome: Literal["checked", "refused", "unknown"]
    why: str


# --- checking -----------------------------------------------------------------------------------------------------


def certifiable(system: System) -> list[Property]:
    """The claims that an invariant can prove."""
    return [
        p
        for p in system.properties
        if p.kind in SAFETY and not (p.kind is Kind.SATISFIABLE and assumes(system, p))
    ]


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
    except (Unreadable, NotBits, TooLarge, KeyError) as why:
        return Checked("refused", str(why) or "it speaks of unbounded integers")
    if sizes == largest(core[0] for core in section.cores):
        idle = obligation.says_nothing()
        if idle is not None:
            return Checked("refused", f"'{idle}' says nothing")
    answers = {name: obligation.ask(make(budget)) for name, make in (("z3", z3), ("cvc5", cvc5))}
    words = {answer for answer, _ in answers.values()}
    if words == {"holds"}:
        return Checked("checked", "z3 and cvc5")
    if words >= {"holds", "fails"}:
        said = "; ".join(f"{name}: {answer} {where}".strip() for name, (answer, where) in answers.items())
        raise Inconsistent(f"two solvers disagree on the certificate of {system.name}: {said}")
    worst, where = min(answers.values())  # 'fails' before 'unknown'
    if worst == "fails":
        return Checked("refused", f"what it says {where}")
    return Checked(
        "unknown", next(f"{name} has no answer" for name, a in answers.items() if a[0] == "unknown")
    )


def obligation_of(system: System, section: Inductive | Rounds) -> Obligation:
    """What a section obliges to at one size. Raises `Unreadable` where it does not fit."""
    if isinstance(section, Inductive):
        return Obligation(system, section.claims, section.sentences)
    claims = [p for p in system.properties if p.name in section.claims and p.kind is Kind.LIVENESS]
    if len(claims) != 1 or len(section.claims) != 1 or section.most < 1:
        raise Unreadable("rounds are counted for one claim of what happens eventually")
    return Obligation(counting(system, claims[0], section.most), (FEW, DEFINED), section.sentences)


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


class Obligation:
    """That claims and sentences together hold initially and survive each step, in terms."""

    def __init__(self, system: System, claims: Sequence[str], sentences: Sequence[str]) -> None:
        known = {p.name: p for p in certifiable(system)}
        missing = [name for name in claims if name not in known]
        if missing:
            raise Unreadable(f"no invariant proves '{missing[0]}'")
        self._claims = [known[name] for name in claims]
        reader = Reader(system)
        self.sentences = tuple(reader.of(text) for text in sentences)
        self._texts = tuple(sentences)
        self._unrolling = unrolling = Unrolling(system)
        if unrolling.exact:
            raise NotBits
        terms = unrolling.terms
        frame, conds = unrolling.arbitrary("0")
        init, step = unrolling.initial(), unrolling.step(frame, "1")
        self._first = [*init.possible]
        self._states = conds
        self._given = [*conds, *(claimed(p, frame) for p in self._claims), *step.possible]
        self._hypotheses = self._say(frame)
        self.initially = [
            *(unrolling.bad(p, None, init.after) for p in self._claims),
            *self._lost(init.after),
        ]
        self.next = [*(unrolling.bad(p, step, step.after) for p in self._claims), *self._lost(step.after)]
        self._terms = terms

    def _say(self, frame: Frame) -> list[Term]:
        return [frame.encoder.truth(x) for x in self.sentences]

    def _lost(self, frame: Frame) -> list[Term]:
        terms = self._unrolling.terms
        return [terms.and_((terms.not_(frame.faulted), terms.not_(x))) for x in self._say(frame)]

    def says_nothing(self) -> str | None:
        """A sentence that is true of every state, reachable or not."""
        solver = sat(Budget())
        for text, x in zip(self._texts, self._hypotheses, strict=True):
            if solver.check([*self._states, self._terms.not_(x)]).status is Status.UNSAT:
                return text
        return None

    def ask(self, solver: Solver) -> tuple[Outcome, str]:
        """Whether it all holds, and where it does not."""
        for where, given, bad in (
            ("does not hold initially", self._first, self.initially),
            ("does not survive a step", [*self._given, *self._hypotheses], self.next),
        ):
            found = solver.check([*given, self._terms.or_(bad)])
            if found.status is Status.SAT:
                return "fails", where
            if found.status is Status.UNKNOWN:
                return "unknown", where
        return "holds", ""

    def script(self, about: str) -> str:
        """Both questions as SMT-LIB 2; each is unsatisfiable where the certificate is right."""
        first, after = self._terms.or_(self.initially), self._terms.or_(self.next)
        return script(
            (
                (f"{about}: something is false initially", [*self._first, first]),
                (f"{about}: a step makes something false", [*self._given, *self._hypotheses, after]),
            )
        )

    def idle_ones(self) -> list[int]:
        """The numbers of sentences that can go, each by itself, with the rest still holding."""
        found = []
        count = len(self._claims)
        solver = sat(Budget())
        for condition in self._given:
            solver.add(condition)
        for n in range(len(self.sentences)):
            kept = [x for k, x in enumerate(self._hypotheses) if k != n]
            bad = [x for k, x in enumerate(self.next) if k != n + count]
            if solver.check([*kept, self._terms.or_(bad)]).status is Status.UNSAT:
                found.append(n)
        return found


def largest(sizes: Iterable[Sizes]) -> Sizes:
    """The size with the greatest product of its parameters; of equals, the first."""
    return max(sizes, key=extent)


def export(system: System, sections: Iterable[Inductive | Rounds], about: str) -> str:
    """What sections oblige to at one size, as SMT-LIB 2. Raises `Unreadable` where one is refused."""
    scripts = []
    for section in sections:
        if not any(digest(system) == core for _, core in section.cores):
            raise Unreadable("it is stale: the protocol has changed since")
        scripts.append(obligation_of(system, section).script(about))
    return "(reset)\n".join(scripts)


# --- making -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """Claims that no section speaks of, and why."""

    sizes: Sizes
    claims: tuple[str, ...]
    why: str


def make(
    systems: Mapping[Sizes, System],
    proved: Mapping[Sizes, Mapping[str, int | None]],
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
        found = _inductive(systems, sizes, rest, proved, claims, limits, progress) if claims else None
        if isinstance(found, Inductive):
            sections.append(found)
            covered = {core[0] for core in found.cores}
            rest = [s for s in rest if s not in covered]
        else:
            if claims:
                left.append(Left(sizes, claims, found or "nothing was found"))
            rest = rest[1:]
    sections += _rounds(systems, proved, limits, progress)
    sections += _exhaustive(systems, proved, sections)
    sections += _unbounded(three, limits, progress)
    name = next(iter(systems.values())).name
    return Certificate(name, checker, LANGUAGE, tuple(sections)), tuple(left)


def _inductive(
    systems: Mapping[Sizes, System],
    sizes: Sizes,
    rest: Sequence[Sizes],
    proved: Mapping[Sizes, Mapping[str, int | None]],
    claims: tuple[str, ...],
    limits: Limits,
    progress: Progress | None,
) -> Inductive | str:
    """An invariant found at one size, and the sizes of `rest` at which it is one, too; or why there is none."""
    system = systems[sizes]
    asked = [system.property(name) for name in claims]
    try:
        search = Search(system, asked, Budget(limits.resources, limits.deadline), progress)
    except (NotBits, cells.Unbounded):
        return "IC3 needs variables of finitely many values"
    search.run()
    if search.invariant is None or not all(isinstance(search.verdicts[n], Proved) for n in claims):
        return "IC3 did not finish"
    sentences = fold(system, search.cells, search.symmetric, search.invariant)
    if Obligation(system, claims, sentences).ask(sat(Budget()))[0] != "holds":
        raise Inconsistent(f"the sentences of IC3's invariant for {system.name} do not say what it says")
    also = [
        s
        for s in rest[1:]
        if all(n in proved[s] for n in claims)
        and claims == tuple(p.name for p in certifiable(systems[s]) if p.name in proved[s])
        and _holds(systems[s], Inductive("IC3", (), claims, sentences))
    ]
    order = [s for s in systems if s == sizes or s in also]
    found = Inductive("IC3", tuple((s, digest(systems[s])) for s in order), claims, sentences)
    return _needed([systems[s] for s in order], found)


def _holds(system: System, section: Inductive | Rounds) -> bool:
    try:
        return obligation_of(system, section).ask(sat(Budget()))[0] == "holds"
    except (Unreadable, TooLarge):
        return False


def _needed(systems: Sequence[System], section: _Proof) -> _Proof:
    """The section without the sentences that can go at every size."""
    while True:
        idle = [set(obligation_of(s, section).idle_ones()) for s in systems]
        both = set.intersection(*idle) if idle else set()
        if not both:
            return section
        kept = [text for n, text in enumerate(section.sentences) if n != max(both)]
        section = replace(section, sentences=tuple(kept))


def _rounds(
    systems: Mapping[Sizes, System],
    proved: Mapping[Sizes, Mapping[str, int | None]],
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
    proved: Mapping[Sizes, Mapping[str, int | None]],
    sections: Iterable[Section],
) -> list[Exhaustive]:
    """What was looked at in all states and has no invariant, by equal sets of claims."""
    by_invariant = {
        (core[0], name)
        for s in sections
        if isinstance(s, Inductive | Rounds)
        for core in s.cores
        for name in s.claims
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
