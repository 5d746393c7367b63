"""Proofs for any number of elements: an invariant found at a small size, checked over sorts without a size.

Three things have to hold. The protocol is the same at each number of elements but for that number: what it is lowered
to has one skeleton at three sizes, among which each type of identities has different ones. At these sizes the sentences
are true of every state that explicit search reaches. And by induction over uninterpreted sorts, in a fragment where
solvers find an end, Z3 and cvc5 agree that they are preserved, and that the claims follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from refine.core.digest import skeleton
from refine.core.expr import Expr, Op
from refine.core.fold import subterms
from refine.core.system import Kind, Property, System
from refine.core.types import Index, IndexKind
from refine.engine.decide import extent
from refine.engine.explore import explore
from refine.engine.fold import fold
from refine.engine.ic3 import Search
from refine.engine.replay import Inconsistent
from refine.engine.verdict import Limits, Progress, Proved
from refine.export.many import Many
from refine.export.values import Refused
from refine.lang.certificate import Sizes
from refine.lang.invariant import Reader, Unreadable, types_of
from refine.smt.cells import Unbounded
from refine.smt.gates import NotBits
from refine.smt.second import cvc5_says
from refine.smt.solver import Budget, Status, z3_says

SAFETY = (Kind.STATE, Kind.STEP, Kind.FAULT)
MOST_STATES = 1_000_000  # of the explicit search at each of the three sizes, up to symmetry
_COUNTING = (Op.COUNT, Op.CARD, Op.TO_INT, Op.TO_INDEX)
Lower = Callable[[Sizes], System | None]


def sayable(system: System) -> list[Property]:
    """The claims that do not count elements."""
    return [
        p
        for p in system.properties
        if p.kind in SAFETY and not any(x.op in _COUNTING for x in subterms([p.cond]))
    ]


def three_sizes(
    usual: Mapping[str, int], ranges: Mapping[str, tuple[int, int]], lower: Lower
) -> tuple[Sizes, ...] | None:
    """Three sizes, among which each type of identities has different numbers of elements, and that of one of each.

    None where there are none in the ranges.
    """
    start = lower(tuple(usual.items()))
    if start is None:
        return None
    moving = [name for name, (lo, hi) in ranges.items() if _moves(usual, name, lo, hi, start, lower)]
    if not moving or any(hi < 2 + (len(moving) == 1) for hi in (ranges[name][1] for name in moving)):
        return None
    least = {name: max(2, ranges[name][0]) for name in moving}
    more = {name: min(3, ranges[name][1]) for name in moving}
    half = moving[: (len(moving) + 1) // 2]
    rows = [
        {**usual, **least},
        {**usual, **least, **{name: more[name] for name in half}},
        {**usual, **more} if len(moving) > 1 else {**usual, moving[0]: 4 if ranges[moving[0]][1] > 3 else 1},
    ]
    found = tuple(dict.fromkeys(tuple(row.items()) for row in rows))
    if len(found) < 3:
        return None
    if all(ranges[name][0] <= 1 for name in moving):
        found = tuple(dict.fromkeys((tuple({**usual, **dict.fromkeys(moving, 1)}.items()), *found)))
    systems = [lower(row) for row in found]
    if any(s is None for s in systems):
        return None
    made = [s for s in systems if s is not None]
    return found if vary(made, {index.name for s in made for index in _indexes(s)}) else None


def vary(systems: Sequence[System], types: Iterable[str]) -> bool:
    """Whether each type has different numbers of elements among the systems."""
    numbers: dict[str, set[int]] = {}
    for s in systems:
        for index in _indexes(s):
            numbers.setdefault(index.name, set()).add(index.size)
    return all(len(numbers.get(name, ())) > 1 for name in types)


def _moves(usual: Mapping[str, int], name: str, lo: int, hi: int, start: System, lower: Lower) -> bool:
    """Whether a parameter is the number of elements of some type of identities."""
    other = usual[name] + 1 if usual[name] < hi else usual[name] - 1
    if not lo <= other <= hi:
        return False
    there = lower(tuple({**usual, name: other}.items()))
    return there is not None and set(_indexes(there)) != set(_indexes(start))


def _indexes(system: System) -> Iterator[Index]:
    for type_ in types_of(system):
        if isinstance(type_, Index) and type_.kind is IndexKind.INDEX:
            yield type_


def same_skeleton(systems: Sequence[System], claims: Sequence[str]) -> str | None:
    """The skeleton that the systems have in common; None where the number of elements shows elsewhere, too."""
    found = {skeleton(s, [s.property(name) for name in claims]) for s in systems}
    return found.pop() if len(found) == 1 else None


def find(
    systems: Sequence[System], limits: Limits, progress: Progress | None
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] | str:
    """The types, claims and sentences of a proof for any number; or why there is none."""
    largest = max(systems, key=lambda s: extent(s.sizes))
    claims = sayable(largest)
    names = tuple(p.name for p in claims)
    if not claims:
        return "every claim counts elements"
    if same_skeleton(systems, names) is None:
        return "the number of elements shows in the protocol itself"
    try:
        Many(largest, claims, ())
        search = Search(largest, claims, Budget(limits.resources, limits.deadline), progress)
    except (Refused, NotBits, Unbounded) as why:
        return str(why) or "it has unbounded integers"
    search.run()
    if search.invariant is None or not all(isinstance(search.verdicts[n], Proved) for n in names):
        return "IC3 did not finish"
    texts = fold(largest, search.cells, search.symmetric, search.invariant)
    try:
        said = check(systems, names, texts, Budget(limits.resources, limits.deadline))
    except Unreadable as why:
        return str(why)
    if isinstance(said, str):
        return said
    return said, names, texts


def check(
    systems: Sequence[System], claims: Sequence[str], texts: Sequence[str], budget: Budget
) -> tuple[str, ...] | str:
    """The types of which there may be any number, if a proof is one; or why it is none.

    Raises `Inconsistent` where two solvers disagree, `Unreadable` where a sentence says nothing.
    """
    largest = max(systems, key=lambda s: extent(s.sizes))
    known = {p.name: p for p in sayable(largest)}
    missing = [name for name in claims if name not in known]
    if missing:
        return f"'{missing[0]}' is no claim that holds for any number"
    if same_skeleton(systems, claims) is None:
        return "the number of elements shows in the protocol itself"
    false = next((text for s in systems for text in _false(s, texts)), None)
    if false is not None:
        return f"'{false}' is not known to be true of all states"
    reader = Reader(largest)
    try:
        many = Many(largest, [known[name] for name in claims], [reader.of(text) for text in texts])
        obligations = [(o.name, many.text(o)) for o in many.obligations]
    except Refused as why:
        return str(why)
    for name, text in obligations:
        answers = {"z3": z3_says(text, budget), "cvc5": cvc5_says(text, budget)}
        if set(answers.values()) == {Status.SAT, Status.UNSAT}:
            said = ", ".join(f"{who}: {answer.value}" for who, answer in answers.items())
            raise Inconsistent(f"two solvers disagree on {largest.name} at any number, at {name}: {said}")
        if set(answers.values()) != {Status.UNSAT}:
            return f"for any number, {name} is not shown to preserve it"
    return many.types


def _false(system: System, texts: Sequence[str]) -> Iterator[str]:
    """Sentences that explicit search does not find true of every state."""
    reader = Reader(system)
    said: list[tuple[str, Expr]] = [(text, reader.of(text)) for text in texts]
    asked = tuple(Property(f"sentence {n}", Kind.STATE, x, "lemma") for n, (_, x) in enumerate(said))
    both = replace(system, properties=asked)
    answer = explore(both, [p.name for p in asked], Limits(states=MOST_STATES))
    for (text, _), p in zip(said, asked, strict=True):
        if not isinstance(answer.verdicts[p.name], Proved):
            yield text
