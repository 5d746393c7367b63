"""Whether a protocol is as its file says: judgements on reasons, mutants, variants, and on what must happen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from refine.core.system import System
from refine.engine.audit import Case, Fate, How, Loss, Misfit, fate, happenings, masked
from refine.engine.decide import Sizes
from refine.engine.items import Changed, Dropped, InEra, Item, Occurrences, Recheck, Reprove, Tried, Use
from refine.engine.known import certificate
from refine.lang.certificate import Exhaustive, Inductive, KInductive, Rounds, Section, Unbounded, write
from refine.lang.elements import Element, Observed
from refine.lang.sizes import ranges
from refine.lang.sizes import sizes as declared_sizes
from refine.smt.solver import Budget
from refine.text.diag import Reporter
from refine.text.span import Span

Standing = Literal["as declared", "not as declared", "unknown"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One line of an audit. `loss` is the run that shows it, `also` what else breaks, `asked` the sizes looked at."""

    kind: str
    name: str
    verdict: str
    standing: Standing
    claim: str = ""
    doc: str = ""
    why: str = ""
    loss: Loss | None = None
    of: str = ""  # the claim that `loss` breaks
    also: tuple[tuple[str, int], ...] = ()
    asked: tuple[Sizes, ...] = ()
    states: int = 0
    about: Element | None = None
    line: int = 0  # where it is declared in the file, or 0
    text: str = ""  # of a certificate that was made
    variant: str = ""  # the era that is spoken of


def judge(case: Case, item: Item, how: How) -> tuple[Judgement, ...]:
    """Judge one item of a file; `case` is the file as it is, at all sizes that count."""
    match item:
        case Dropped():
            return tuple(_dropped(case, item, how))
        case Changed():
            made = (_mutant if item.role == "mutant" else _variant)(case, item, how)
            return tuple(replace(one, line=_line(case, item.span)) for one in made)
        case InEra():
            return (replace(_in_era(case, item, how), line=_line(case, item.span)),)
        case Occurrences():
            return tuple(_occurrences(case, item, how))
        case Tried():
            return (_tried(case, item, how),)
        case Recheck():
            return (_rechecked(case, item, how),)
        case Reprove():
            return (_reproved(case, item, how),)
        case _:
            assert_never(item)


# --- certificates ---------------------------------------------------------------------------------------------------


def _rechecked(case: Case, item: Recheck, how: How) -> Judgement:
    if isinstance(item.section, Unbounded):
        systems = [s for sizes, _ in item.section.cores if (s := _system(case, sizes)) is not None]
    else:
        systems = [case.system(item.sizes)]
    outcome, why = _checked(item, systems, how)
    standing: dict[str, Standing] = {
        "checked": "as declared",
        "refused": "not as declared",
        "unknown": "unknown",
    }
    any_number = isinstance(item.section, Unbounded) and outcome == "checked"
    return Judgement(
        "any number" if any_number else "certificate", kind_of(item.section), outcome, standing[outcome],
        claim=", ".join(item.section.claims), why=why, asked=(item.sizes,) if item.sizes else (),
    )  # fmt: skip


def _checked(item: Recheck, systems: Sequence[System], how: How) -> tuple[str, str]:
    """What came of a section, and why or by whom; remembered where it was checked before."""
    question = certificate(item.section, item.sizes, systems)
    kept = how.memory.recall(question) if how.memory is not None else None
    if isinstance(kept, str):
        return "checked", kept
    if how.memory is not None:
        how.memory.missed += 1
    from refine.engine.certify import check, check_unbounded  # with it come the solvers

    budget = Budget(how.limits.resources, how.limits.deadline)
    if isinstance(item.section, Unbounded):
        found = check_unbounded(item.section, systems, budget)
    else:
        found = check(systems[0], item.section, item.sizes, budget)
    if how.memory is not None and found.outcome == "checked":
        how.memory.keep(question, found.why)
    return found.outcome, found.why


def kind_of(section: Section) -> str:
    """What a section of a certificate is called in a table."""
    match section:
        case Inductive(sentences=sentences, claims=claims):
            return f"{_count(len(claims), 'claim')} by {_count(len(sentences), 'sentence')}"
        case KInductive(k=k, claims=claims, sentences=sentences):
            proof = f"{_count(len(claims), 'claim')} by {k}-induction"
            return f"{proof} with {_count(len(sentences), 'sentence')}" if sentences else proof
        case Unbounded(types=types, claims=claims, sentences=sentences):
            proof = f"{_count(len(claims), 'claim')} by {_count(len(sentences), 'sentence')}"
            rows = [dict(sizes) for sizes, _ in section.cores]
            fixed = [f"{name} {n}" for name, n in rows[0].items() if all(row[name] == n for row in rows)]
            at = f", at {', '.join(fixed)}" if fixed else ""
            return f"{proof} for any number of {', '.join(types)}{at}"
        case Rounds(most=most, claims=claims, sentences=sentences):
            proof = _count(len(sentences), "sentence")
            return f"{', '.join(claims)} in fewer than {_count(most, 'round')} by {proof}"
        case Exhaustive():
            return ", ".join(section.claims)
        case _:
            assert_never(section)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _reproved(case: Case, item: Reprove, how: How) -> Judgement:
    from refine.engine.certify import make

    systems = {row: case.system(row) for row in case.rows}
    proved = {row: dict(names) for row, names in item.proved}
    found, left = make(systems, proved, item.checker, how.limits, how.progress, _three(case))
    text = write(found, item.about)
    if left:
        why = "; ".join(f"{', '.join(one.claims)}: {one.why}" for one in left)
        return Judgement("proof", item.about, "incomplete", "unknown", why=why, text=text)
    return Judgement("proof", item.about, "written", "as declared", text=text)


def _three(case: Case) -> list[System]:
    """The protocol at three sizes that differ in all numbers of elements, if there are."""
    from refine.engine.unbounded import three_sizes

    known = declared_sizes(case.loaded, Reporter())
    if known is None:
        return []
    found = three_sizes(known.default, ranges(case.loaded), lambda sizes: _system(case, sizes))
    return [s for sizes in found or () if (s := _system(case, sizes)) is not None]


def _system(case: Case, sizes: Sizes) -> System | None:
    """The system at a size that need not be declared."""
    try:
        return case.system(sizes)
    except Misfit:
        return None


def _edited(case: Case, item: Dropped | Changed | Tried) -> Case:
    return Case(case.loaded, case.rows, item.edits)


def _of(kind: str, name: str, found: Fate, own: Iterable[str]) -> Judgement:
    """A judgement that is still open, with what was looked at, and what else was seen to break."""
    own = set(own)
    also = tuple((n, loss.steps) for n, loss in found.broken.items() if n not in own)
    return Judgement(kind, name, "unknown", "unknown", also=also, asked=found.asked, states=found.states)


# --- reasons --------------------------------------------------------------------------------------------------------


def _dropped(case: Case, item: Dropped, how: How) -> Iterator[Judgement]:
    edited = _edited(case, item)
    claims = tuple(dict.fromkeys(use.claim for use in item.uses))
    found = fate(edited, claims, how, patient=not any(use.redundant for use in item.uses))
    if item.kind == "together":
        yield from _together(item, found)
        return
    proved = found.proved.intersection(claims)
    hidden = masked(edited, Case(case.loaded, case.rows, item.beside), found, how) if proved else ()
    for use in item.uses:
        yield replace(_reason(use, found, hidden), line=_line(case, use.span))


def _line(case: Case, span: Span | None) -> int:
    return span.line if span is not None and span.source == case.loaded.file.span.source else 0


def _reason(use: Use, found: Fate, hidden: tuple[str, ...]) -> Judgement:
    base = _of("redundant" if use.redundant else "because", use.name, found, [use.claim])
    base = replace(base, claim=use.claim)
    loss = found.broken.get(use.claim)
    if loss is not None:
        standing: Standing = "not as declared" if use.redundant else "as declared"
        return replace(base, verdict="needed", standing=standing, loss=loss, of=use.claim)
    if use.claim in found.proved and not hidden:
        standing = "as declared" if use.redundant else "not as declared"
        return replace(base, verdict="not needed", standing=standing)
    return replace(base, why=f"masked: {hidden[0]}" if hidden else found.unknown.get(use.claim, ""))


def _together(item: Dropped, found: Fate) -> Iterator[Judgement]:
    """Reasons of which none is needed alone: if dropping them all breaks the claim, at least one must stay."""
    claim = item.uses[0].claim
    base = _of("together", ", ".join(use.name for use in item.uses), found, [claim])
    base = replace(base, claim=claim)
    loss = found.broken.get(claim)
    if loss is not None:
        yield replace(base, verdict="jointly needed", standing="as declared", loss=loss, of=claim)
    elif claim not in found.proved:
        yield replace(base, why=found.unknown.get(claim, ""))


def _in_era(case: Case, item: InEra, how: How) -> Judgement:
    """Whether what an era keeps needs something: if any of it breaks without."""
    edited = Case(case.loaded, case.rows, item.edits)
    found = fate(edited, item.keeps, how, patient=item.needed, one=True)
    left = [name for name in item.keeps if name not in found.proved]
    base = replace(_of("era", item.name, found, item.keeps), variant=item.variant, doc=item.era)
    lost = found.lost(item.keeps)
    if lost:
        name = min(lost, key=lambda n: lost[n].steps)
        standing: Standing = "as declared" if item.needed else "not as declared"
        return replace(base, verdict="needed", standing=standing, claim=name, loss=lost[name], of=name)
    if left:
        return replace(base, claim=left[0], why=found.unknown.get(left[0], ""))
    hidden = masked(edited, Case(case.loaded, case.rows, item.beside), found, how)
    if hidden:
        return replace(base, why=f"masked: {hidden[0]}")
    standing = "not as declared" if item.needed else "as declared"
    return replace(base, verdict="not needed", standing=standing, claim=", ".join(item.keeps))


# --- mutants and variants -------------------------------------------------------------------------------------------


def _mutant(case: Case, item: Changed, how: How) -> Iterator[Judgement]:
    """A mutant is caught if each claim that it breaks is violated, in as few steps as it says."""
    if not item.claims:
        why = "it does not say which claim it breaks: add 'breaks CLAIM'"
        yield Judgement("mutant", item.name, "unknown", "not as declared", doc=item.doc, why=why)
        return
    found = fate(_edited(case, item), item.claims, how, within=item.within)
    for target in item.claims:
        base = replace(_of("mutant", item.name, found, item.claims), claim=target, doc=item.doc)
        parts = [n for n in (*found.broken, *found.proved, *found.unknown) if _named(n, target)]
        losses = [found.broken[n] for n in parts if n in found.broken]
        if losses:
            loss = min(losses, key=lambda x: x.steps)
            base = replace(base, loss=loss, of=target)
            if item.within is not None and loss.steps > item.within:
                why = f"not within {item.within} steps"
                yield replace(base, verdict="late", standing="not as declared", why=why)
            else:
                yield replace(base, verdict="caught", standing="as declared")
        elif all(n in found.proved for n in parts):
            yield replace(base, verdict="survives", standing="not as declared")
        else:
            yield replace(base, why=next(found.unknown[n] for n in parts if n in found.unknown))


def _named(name: str, target: str) -> bool:
    """Whether a property is meant: `satisfiable` means one for each rule."""
    return name == target or name.startswith(f"{target}.")


def _variant(case: Case, item: Changed, how: How) -> Iterator[Judgement]:
    """A variant keeps its claims if they, and all free claims, are proved at every size."""
    found = fate(_edited(case, item), item.claims, how, free=True, patient=False)
    base = replace(_of("variant", item.name, found, item.claims), doc=item.doc)
    free = ("defined", "balanced", "satisfiable", "stuck")
    lost = [n for n in found.broken if any(_named(n, wanted) for wanted in (*item.claims, *free))]
    if lost:
        name = min(lost, key=lambda n: found.broken[n].steps)
        loss = found.broken[name]
        yield replace(base, verdict="breaks", standing="not as declared", claim=name, loss=loss, of=name)
    elif found.unknown:
        name, why = next(iter(found.unknown.items()))
        yield replace(base, claim=name, why=why)
    else:
        yield replace(base, verdict="keeps", standing="as declared", claim=", ".join(item.claims))


# --- what must happen, and who is modelled --------------------------------------------------------------------------


def _occurrences(case: Case, item: Occurrences, how: How) -> Iterator[Judgement]:
    found = happenings(case, how, item.must)
    for one in found.never:
        if one.what == "left side":
            name = one.of
            why = f"'{one.text}' is never true, so that it says nothing"
            yield Judgement(
                "vacuous", name, "vacuous", "not as declared", claim=one.of, why=why, asked=case.rows
            )
        else:
            yield Judgement("vacuous", one.name, "never happens", "not as declared", asked=case.rows)
    for name, why in found.open.items():
        yield Judgement("vacuous", name, "unknown", "unknown", why=why, asked=case.rows)
    if not found.never and not found.open:
        count = len(found.met)
        yield Judgement(
            "vacuity", "every step, every left side", "happens", "as declared", why=f"{count} of {count}"
        )


def observers(known: Iterable[Observed]) -> tuple[Judgement, ...]:
    """Who sees the protocol's slips, and who is left out and why. An observer left out needs a reason."""
    made = []
    for one in known:
        if one.why is not None:
            made.append(Judgement("observer", one.name, "left out", "as declared", doc=one.doc, why=one.why))
        elif one.modelled:
            who = ", ".join(one.players) or "interleaving"
            made.append(Judgement("observer", one.name, "modelled", "as declared", doc=one.doc, why=who))
        else:
            why = f'model it, or say why not: without {one.name} "…";'
            made.append(
                Judgement("observer", one.name, "not modelled", "not as declared", doc=one.doc, why=why)
            )
    return tuple(made)


# --- edits that nobody declared -------------------------------------------------------------------------------------


def _tried(case: Case, item: Tried, how: How) -> Judgement:
    """What breaks when something is changed: the claims aimed at, or else all that do where the first does."""
    found = fate(
        _edited(case, item), item.aim, how, whole=not item.aim, free=item.kind == "systematic", patient=False
    )
    # A run that ends at something undefined says nothing of what would have come.
    names = [n for n in found.broken if n in item.aim] or [
        n for n in found.broken if not item.aim or n == "defined"
    ]
    first = min(names, key=lambda n: found.broken[n].steps, default="")
    base = replace(_of(item.kind, item.name, found, [first]), about=item.about)
    if first:
        loss = found.broken[first]
        return replace(base, verdict="breaks", standing="as declared", claim=first, loss=loss, of=first)
    if found.unknown or found.interrupted:
        return replace(base, why=next(iter(found.unknown.values()), "interrupted"))
    return replace(base, verdict="nothing breaks", standing="as declared")
