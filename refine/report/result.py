"""What was found out about one file at one size, as plain data: what reports print and processes exchange."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from refine.core.system import Property, System
from refine.core.trace import Trace
from refine.engine.decide import Decision, Outcome, Overall, Sizes, outcome, over_sizes, shortest
from refine.engine.verdict import Reached, Unknown, Violated
from refine.report import data as as_data
from refine.report import trace as as_text
from refine.report.audit import Row


@dataclass(frozen=True, slots=True)
class Finding:
    """One property and its outcome; the trace is there as text and as JSON."""

    name: str
    role: str
    doc: str
    text: str
    outcome: Outcome
    trace: str = ""
    trace_json: Mapping[str, object] | None = None
    line: int = 0  # where it stands in the file, or 0


@dataclass(frozen=True, slots=True)
class SizeResult:
    """One file at one size."""

    sizes: Sizes
    findings: tuple[Finding, ...] = ()
    states: int | None = None
    transitions: int | None = None
    depth: int | None = None
    complete: bool = False
    symmetry: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    interrupted: bool = False
    seconds: float = 0.0  # that all of it took


@dataclass(frozen=True, slots=True)
class Cited:
    """What a claim, mutant or variant says that it answers: names of statements, and places where they are made."""

    kind: str
    name: str
    doc: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a specification comes from: what is cited in it, and of which kernels it and its variants speak."""

    cited: tuple[Cited, ...] = ()
    uncovered: tuple[tuple[str, str], ...] = ()
    era: str = ""
    eras: tuple[tuple[str, str], ...] = ()  # variant, and era


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file at all sizes asked for."""

    path: str
    protocol: str
    doc: str
    results: tuple[SizeResult, ...]
    missing: tuple[tuple[Sizes, str], ...] = ()  # sizes without a result, and why
    audit: tuple[Row, ...] = ()
    origin: Origin = Origin()
    warnings: tuple[str, ...] = ()  # the codes of those that are not shown
    one_of_many: bool = False  # told in fewer words
    steps: int | None = None  # how many were asked for, where no proof was

    @property
    def asked(self) -> list[Sizes]:
        """All sizes asked for."""
        return [*(result.sizes for result in self.results), *(sizes for sizes, _ in self.missing)]

    @property
    def seconds(self) -> float:
        """How long all of it took, one thing after the other."""
        return sum(one.seconds for one in self.results) + sum(one.seconds for one in self.audit)


@dataclass(frozen=True, slots=True)
class Summed:
    """One property over all sizes; the trace is the shortest one."""

    finding: Finding
    overall: Overall
    every: bool  # whether the first group speaks of all sizes
    seconds: float = 0.0  # its share of what each size took


def size_result(system: System, decision: Decision, reproduce: Sequence[str]) -> SizeResult:
    """What was said of a system, as plain data. `reproduce` is a command to which `--claim …` is added."""
    answer = decision.answer
    findings = []
    for name, verdict in answer.verdicts.items():
        p = system.property(name)
        trace = verdict.trace if isinstance(verdict, Violated | Reached) else None
        if isinstance(verdict, Unknown):
            trace = verdict.cti
        words = [*reproduce, "--claim", name]
        findings.append(
            _finding(
                p,
                replace(
                    outcome(verdict, decision.engines.get(name, ""), decision.reasons.get(name, "")),
                    cached=name in decision.cached,
                ),
                trace,
                words,
            )
        )
    return SizeResult(
        system.sizes,
        tuple(findings),
        answer.states,
        answer.transitions,
        answer.depth,
        answer.complete,
        answer.symmetry,
        answer.notes,
        assumptions(system),
        decision.interrupted,
    )


def assumptions(system: System) -> tuple[str, ...]:
    """The named assumptions that are in force, in order of appearance."""
    wheres = [w.assume for rule in (system.init, *system.rules) for w in rule.wheres if w.assume]
    return tuple(dict.fromkeys([*(a.name for a in system.assumes), *wheres]))


def summed(file: FileResult) -> tuple[Summed, ...]:
    """Each property over all sizes, in the order of the file; where there is no result, it is unknown."""
    by_name: dict[str, list[tuple[Sizes, Finding]]] = {}
    seconds: dict[str, float] = {}
    for result in file.results:
        for finding in result.findings:
            by_name.setdefault(finding.name, []).append((result.sizes, finding))
            share = result.seconds / len(result.findings)
            seconds[finding.name] = seconds.get(finding.name, 0.0) + share
    for found in by_name.values():
        like = found[0][1]
        for sizes, why in file.missing:
            open_ = Outcome("unknown", why=why)
            found.append((sizes, Finding(like.name, like.role, like.doc, like.text, open_)))
    return tuple(_sum(found, seconds[name]) for name, found in by_name.items())


def undecided(file: FileResult) -> Iterator[tuple[str, str]]:
    """The claims of a file as one, and why nothing is known of them, where no size has a result."""
    for sizes, why in () if file.results else file.missing:
        at = ", ".join(f"{name} {n}" for name, n in sizes)
        yield f"claims ({at})" if at else "claims", f"unknown: {why}"


def _sum(found: Sequence[tuple[Sizes, Finding]], seconds: float) -> Summed:
    overall = over_sizes(found[0][1].role, [(sizes, f.outcome) for sizes, f in found])
    same = [f for sizes, f in found if f.outcome.word == overall.outcome.word]
    return Summed(same[shortest([f.outcome for f in same])], overall, len(same) == len(found), seconds)


def _finding(p: Property, out: Outcome, trace: Trace | None, reproduce: Sequence[str]) -> Finding:
    line = p.span.line if p.span is not None else 0
    if trace is None:
        return Finding(p.name, p.role, p.doc, p.text, out, line=line)
    supposed = out.word == "unknown"
    shown = as_text.render(trace, reproduce, supposed=supposed)
    return Finding(
        p.name, p.role, p.doc, p.text, out, shown, as_data.trace(trace, reproduce, supposed=supposed), line
    )
