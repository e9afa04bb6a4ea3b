"""A report as JUnit XML, which build servers read."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from .escape import readable, visible
from .outcome import Outcome, Status
from .report import Report, explain

__all__ = ["junit"]


def junit(report: Report) -> bytes:
    """Write the report: a suite of vectors is a test suite, a vector a test case; UTF-8.

    A failure that is expected counts as skipped; a stale entry of that list, and a run in which nothing passed, as a
    failure of its own: so there are failures just when the run fails.
    """
    root = Element("testsuites", name=f"rp-signing conform {visible(report.target)}", time=f"{report.seconds:.3f}")
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for row in report.suites:
        cases = [_case(one, report.expected.get(one.id)) for one in report.outcomes if one.suite == row.suite]
        _suite(root, row.suite, cases, totals)
    cases = []
    for problem in report.problems:
        case = Element("testcase", classname="run", name=visible(problem.name))
        SubElement(case, "failure", message=visible(problem.detail))
        cases.append(case)
    if cases:
        _suite(root, "run", cases, totals)
    for name, count in totals.items():
        root.set(name, str(count))
    indent(root)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _suite(root: Element, name: str, cases: list[Element], totals: dict[str, int]) -> None:
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    SubElement(root, "testsuite", {"name": name, **{key: str(count) for key, count in counts.items()}}).extend(cases)
    for key, count in counts.items():
        totals[key] += count


def _case(outcome: Outcome, why_expected: str | None) -> Element:
    case = Element("testcase", classname=outcome.suite, name=outcome.id)
    if outcome.status is Status.SKIPPED:
        SubElement(case, "skipped", message=visible(outcome.detail))
    elif outcome.status is not Status.PASSED and why_expected is not None:
        SubElement(case, "skipped", message=f"expected to fail: {visible(why_expected)}")
    elif outcome.status is not Status.PASSED:
        kind = "failure" if outcome.status is Status.FAILED else "error"
        said = SubElement(
            case, kind, message=visible(explain(outcome)), type=visible(outcome.differs or outcome.status)
        )
        said.text = "\n".join(
            [
                f"tags: {', '.join(outcome.tags)}",
                f"what: {visible(outcome.comment)}",
                f"wanted: {readable(outcome.wanted)}",
                f"got: {readable(outcome.got)}",
                *(f"which bug: {visible(bug)}" for bug in outcome.bugs),
            ]
        )
    return case
