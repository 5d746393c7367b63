"""A run as JUnit XML: one test case for each claim, reason, mutant and variant, with the counterexample as its text.

What is judged at once, as all claims at one size are, has equal shares of the time that it took.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from refine.engine.decide import status
from refine.report.audit import ELSEWHERE, Row
from refine.report.result import FileResult, Summed, summed, undecided
from refine.report.text import verdict
from refine.text.diag import Diagnostic, Severity, escape, render


def document(files: Iterable[FileResult], diagnostics: Iterable[Diagnostic], seconds: float) -> str:
    """The document: a suite for each file, and one for errors in specifications."""
    suites = [_suite(file) for file in files]
    errors = [d for d in diagnostics if d.severity is Severity.ERROR]
    if errors:
        suite = ET.Element("testsuite", name="specifications")
        for error in errors:
            where = error.span.source.name if error.span is not None else "spte"
            at = f":{error.span.line}" if error.span is not None else ""
            case = _case(suite, where, f"{error.code}{at}")
            _told(case, "error", error.message, render(error))
        suites.append(_counted(suite))
    top = ET.Element("testsuites", name="spte", time=f"{seconds:.3f}")
    for kind in ("tests", "failures", "errors", "skipped"):
        top.set(kind, str(sum(int(suite.get(kind, "0")) for suite in suites)))
    top.extend(suites)
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _suite(file: FileResult) -> ET.Element:
    suite = ET.Element("testsuite", name=escape(file.path))
    everything = file.asked
    for row in summed(file):
        _property(suite, file, row, verdict(row, everything))
    for name, why in undecided(file):
        _told(_case(suite, file.path, name), "error", why, why)
    for one in file.audit:
        if one.kind not in ELSEWHERE:
            _audited(suite, file.path, one)
    for name, why in file.origin.uncovered:
        case = _case(suite, file.path, f"uncovered {name}")
        ET.SubElement(case, "skipped", message=escape(why))
    return _counted(suite)


def _property(suite: ET.Element, file: FileResult, row: Summed, said: str) -> None:
    found, outcome = row.finding, row.overall.outcome
    name = f"{'free claim' if found.role == 'free' else found.role} {found.name}"
    case = _case(suite, file.path, name, row.seconds)
    if outcome.cached:
        _cached(case)
    if not status(outcome, file.steps):
        if outcome.word == "holds":
            ET.SubElement(case, "system-out").text = escape(said)
    elif outcome.word in ("violated", "vacuous"):
        _told(case, "failure", said, found.trace or said)
    else:
        _told(case, "error", said, said)


def _audited(suite: ET.Element, path: str, one: Row) -> None:
    of = f" ({one.claim})" if one.claim and one.kind != "variant" else ""
    case = _case(suite, path, f"{one.kind} {one.name}{of}", one.seconds)
    if one.cached:
        _cached(case)
    said = f"{one.verdict}: {one.why}" if one.why else one.verdict
    if one.status:
        _told(case, "failure" if one.status == 1 else "error", said, one.trace or said)


def _case(suite: ET.Element, path: str, name: str, seconds: float = 0.0) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=escape(path), name=escape(name), time=f"{seconds:.3f}")


def _cached(case: ET.Element) -> None:
    """Say that it was decided before."""
    ET.SubElement(ET.SubElement(case, "properties"), "property", name="cached", value="true")


def _told(case: ET.Element, kind: str, message: str, text: str) -> None:
    """What is wrong. The text has been escaped line by line; the message is one line."""
    ET.SubElement(case, kind, message=escape(message)).text = "\n".join(map(escape, text.split("\n")))


def _counted(suite: ET.Element) -> ET.Element:
    cases: Sequence[ET.Element] = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(kind) is not None for case in cases)))
    return suite
