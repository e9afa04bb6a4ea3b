"""A report on a terminal, as JSON, as XML and as a page: whole, of one mind, and harmless whatever an adapter wrote."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree.ElementTree import XML, Element

import pytest
from rich.console import Console

from rp_signing.cli.conform_table import print_report
from rp_signing.conformance.escape import readable, visible
from rp_signing.conformance.judge import NOT_ASKED
from rp_signing.conformance.junit import junit
from rp_signing.conformance.outcome import Outcome, Status
from rp_signing.conformance.page import page
from rp_signing.conformance.report import Report, explain, read_expected

EVIL = "\x1b[2J\x00\x07\r\n\ud800\udfff\u202e\ufffe<script>alert('x')</script>&\"[red]{{ 7 * 7 }}[/b]\x9b31m"
PASSED = Outcome("one", "sign", Status.PASSED, ("INP-1",), "it goes well", got={"ok": {}})
FAILED = Outcome(
    "two", "sign", Status.FAILED, ("INP-2", "INP-3"), "what it is", {"ok": {"mac": "aa"}}, {"ok": {"mac": "bb"}}, "mac",
    ("It does it wrong. (CWE-1)",), 'mac: wanted "aa", got "bb"',
)  # fmt: skip
SKIPPED = Outcome("three", "verify", Status.SKIPPED, ("VER-1",), "not here", detail="no such thing")
CRASHED = Outcome("four", "verify", Status.CRASHED, ("VER-2",), "breaks", {"refused": "x"}, detail="it ended")
UGLY = Outcome("five", "verify", Status.FAILED, ("VER-3",), "ugly", 1, {EVIL: [EVIL]}, EVIL, (EVIL,), EVIL)
ALL = (PASSED, FAILED, SKIPPED, CRASHED, UGLY)
IDS = frozenset({"one", "two", "three", "four", "five", "six"})


def report(*outcomes: Outcome, expected: dict[str, str] | None = None, target: str = "rp-go 1.0") -> Report:
    """A report of these outcomes."""
    return Report(target, outcomes, 1.5, expected or {}, IDS)


def printed(shown: Report, width: int = 120) -> str:
    """What a terminal of this width gets, colours and all."""
    file = io.StringIO()
    print_report(Console(file=file, width=width, force_terminal=True, color_system="truecolor"), shown)
    return file.getvalue()


def parsed(shown: Report) -> Element:
    """The XML, read by a parser that refuses what is not well-formed."""
    return XML(junit(shown))  # we wrote it ourselves


def cases(shown: Report) -> dict[str, list[str]]:
    """The test cases of the XML, and what stands in each."""
    root = parsed(shown)
    return {case.get("name", ""): [child.tag for child in case] for case in root.iter("testcase")}


class Page(HTMLParser):
    """The tags of a page, its visible text, and everything that it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag down."""
        self.tags.append(tag)
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]

    def handle_endtag(self, tag: str) -> None:
        """Hold that tags are closed in their order."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Take text down."""
        self.text += data


def test_what_is_not_printable_is_written_as_an_escape() -> None:
    """Controls, lone surrogates, directions and no-characters are seen, and text in any script stays as it is."""
    assert visible("naïve 日本 👩 [x]") == "naïve 日本 👩 [x]"
    shown = visible(EVIL)
    assert shown.isprintable()
    assert shown.startswith(r"\x1b[2J\x00\x07\r\n\ud800\udfff\u202e\ufffe<script>")
    assert shown.endswith(r"\x9b31m")
    assert readable({EVIL: EVIL}).isprintable()
    assert readable("text") == "text"


def test_ok_is_when_nothing_is_bad() -> None:
    """Passed and skipped are well; a failure, a crash, and nothing passed are not."""
    assert report(PASSED).ok
    assert report(PASSED, SKIPPED).ok
    assert not report(PASSED, FAILED).ok
    assert not report(PASSED, CRASHED).ok
    assert not report(SKIPPED).ok
    assert [problem.detail for problem in report(SKIPPED).problems] == ["nothing passed"]
    assert not report().ok


def test_a_failure_that_is_expected_is_none() -> None:
    """It needs its entry; an entry that passes, is skipped or is no vector fails the run; one not run does not."""
    known = {"two": "known", "four": "known too"}
    assert report(PASSED, FAILED, CRASHED, expected=known).ok
    assert not report(PASSED, FAILED, CRASHED, UGLY, expected=known).ok
    assert [one.id for one in report(*ALL, expected=known).bad] == ["five"]
    assert not report(PASSED, expected={"one": "stale"}).ok
    assert not report(PASSED, SKIPPED, expected={"three": "stale"}).ok
    assert not report(PASSED, expected={"seven": "unknown"}).ok
    assert report(PASSED, expected={"six": "not in this suite"}).ok
    assert "1 failed as expected" in report(PASSED, FAILED, expected=known).verdict()


def test_the_list_of_expected_failures_is_read() -> None:
    """An id a line and why; blank lines and lines of comment are nothing."""
    assert read_expected("\n# all\none # no bigint\n\n  two#  why # this \n") == {
        "one": "no bigint",
        "two": "why # this",
    }


@pytest.mark.parametrize("text", ["one", "one #", "one  #  \n", "# x\none # a\none # b"])
def test_a_list_without_a_reason_is_refused(text: str) -> None:
    """An entry says why, and stands once; the line is named."""
    with pytest.raises(ValueError, match=r"line [123]: "):
        read_expected(text)


def test_the_counts_are_by_suite() -> None:
    """Each outcome counts once, in its suite and in all."""
    rows = report(*ALL).suites
    assert [(row.suite, row.passed, row.failed, row.skipped, row.crashed, row.total) for row in rows] == [
        ("sign", 1, 1, 0, 0, 2),
        ("verify", 0, 1, 1, 1, 3),
    ]
    assert report(*ALL).total.total == 5


def test_the_bug_behind_several_failures_stands_out() -> None:
    """The bugs are counted; one that explains a single failure says nothing new."""
    assert report(*ALL).suspects == []
    again = FAILED._replace(id="six", bugs=("Another.", *FAILED.bugs))
    assert report(FAILED, again).suspects == [(FAILED.bugs[0], 2)]


def test_what_differs_is_said_once() -> None:
    """The name of what differs stands before the sentence unless that has it."""
    assert explain(FAILED) == 'mac: wanted "aa", got "bb"'
    assert explain(FAILED._replace(detail="other bytes")) == "mac: other bytes"
    assert explain(CRASHED) == "it ended"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_terminal_shows_everything_and_obeys_nothing(width: int) -> None:
    """Whatever an adapter wrote, the only escapes are our colours; no line is wider than the terminal."""
    text = printed(report(*ALL, target=EVIL), width)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert all(line.isprintable() and len(line) <= width for line in plain.split("\n"))
    assert "script" in plain
    flat = re.sub(r"\s+", " ", printed(report(*ALL), 140))
    flat = re.sub(r"\x1b\[[0-9;]*m", "", flat)
    for part in ("two INP-2 INP-3", 'differs mac: wanted "aa", got "bb"', 'wanted {"ok": {"mac": "aa"}}', "it ended",
                 "bug? It does it wrong. (CWE-1)", "three no such thing", "1 of 5 passed; 2 failed"):  # fmt: skip
        assert part in flat
    assert flat.count("[red]{{ 7 * 7 }}[/b]") >= 3


def test_the_terminal_shows_the_beginning_of_many() -> None:
    """Of hundreds of failures the first are shown, and how many more there are."""
    many = [FAILED._replace(id=f"id-{number}", got="x" * 10_000) for number in range(400)]
    text = printed(report(PASSED, *many))
    assert "id-0" in text
    assert "id-399" not in text
    assert "380 more" in text
    assert len(text) < 30_000


def test_what_was_not_asked_is_counted_and_not_listed() -> None:
    """Vectors after too many crashes fail the run, in one line."""
    many = [CRASHED._replace(id=f"id-{number}", detail=NOT_ASKED) for number in range(3)]
    shown = report(PASSED, CRASHED, *many)
    assert not shown.ok
    assert not report(PASSED, *many).ok
    for text in (printed(shown), page(shown)):
        assert "3 more were not asked" in text
        assert "id-0" not in text
        assert CRASHED.id in text
    assert (
        shown.document()["counts"]["crashed"] == len([case for case in cases(shown).values() if "error" in case]) == 4
    )


def test_the_document_has_everything() -> None:
    """One JSON document in ASCII: counts, level, problems, and every outcome, whole where it did not pass."""
    document: Any = json.loads(json.dumps(report(*ALL, expected={"two": "known", "seven": "?"}).document()))
    assert (document["ok"], document["target"], document["level"]) == (False, "rp-go 1.0", None)
    assert document["counts"] == {"passed": 1, "failed": 2, "skipped": 1, "crashed": 1}
    assert document["suites"]["sign"] == {"passed": 1, "failed": 1, "skipped": 0, "crashed": 0}
    assert document["expected"] == [{"id": "two", "why": "known"}]
    assert [problem["name"] for problem in document["problems"]] == ["seven"]
    assert [one["status"] for one in document["outcomes"]] == [one.status for one in ALL]
    assert document["outcomes"][0] == {"id": "one", "suite": "sign", "status": "passed"}
    assert document["outcomes"][1]["differs"] == "mac"


def test_the_xml_is_well_formed_and_counts_right() -> None:
    """A failure is a failure, a crash an error; the sums are those of the cases, whatever an adapter wrote."""
    shown = report(*ALL, target=EVIL)
    assert cases(shown) == {"one": [], "two": ["failure"], "three": ["skipped"], "four": ["error"], "five": ["failure"]}
    root = parsed(shown)
    sums = {"tests": 5, "failures": 2, "errors": 1, "skipped": 1}
    assert {name: int(root.get(name, "")) for name in sums} == sums
    for name in sums:
        assert sum(int(suite.get(name, "")) for suite in root) == sums[name]
    said = root.find(".//testcase[@name='two']/failure")
    assert said is not None
    assert "It does it wrong. (CWE-1)" in (said.text or "")
    assert '{"ok": {"mac": "aa"}}' in (said.text or "")


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((PASSED,), {}),
        ((PASSED, FAILED), {"two": "known"}),
        ((PASSED, FAILED), {}),
        ((PASSED, CRASHED), {}),
        ((PASSED,), {"one": "stale"}),
        ((PASSED,), {"seven": EVIL}),
        ((SKIPPED,), {}),
    ],
)
def test_all_reports_are_of_one_mind(outcomes: tuple[Outcome, ...], expected: dict[str, str]) -> None:
    """XML, page, document and terminal call a run failed just when it is."""
    shown = report(*outcomes, expected=expected)
    bad = [name for name, tags in cases(shown).items() if {"failure", "error"} & set(tags)]
    assert bool(bad) is not shown.ok
    assert shown.document()["ok"] is shown.ok
    assert ("✓" in printed(shown)) is shown.ok
    assert page(shown).count("<title>passed") == shown.ok


def test_the_page_needs_nothing_and_runs_nothing() -> None:
    """One file: no script, nothing to load, tags closed, and an adapter's text is text."""
    text = page(report(*ALL, target=EVIL, expected={"seven": EVIL}))
    read = Page(text)
    assert read.open == []
    assert read.loads == []
    assert not {"script", "link", "img", "iframe", "object"} & set(read.tags)
    assert not re.search(r"url\(|@import|//[a-z]", text)
    assert "<script>alert('x')</script>" in read.text
    assert "{{ 7 * 7 }}" in read.text
    assert all(line.isprintable() for line in text.split("\n"))
    assert text.encode()


def test_the_page_says_everything() -> None:
    """Verdict, level, counts, each failure with its rules, values and bugs; what was expected, skipped and passed."""
    shown = report(*ALL[:4], FAILED._replace(id="six"), expected={"six": "known since May", "seven": "?"})
    text = re.sub(r"\s+", " ", Page(page(shown)).text)
    for part in ("rp-go 1.0", "1 of 5 passed; 1 failed; 1 crashed; 1 failed as expected; 1 skipped", "canonicaliser",
                 "two failed INP-2INP-3", 'mac: wanted "aa", got "bb"', '{"ok": {"mac": "bb"}}', "It does it wrong.",
                 "six: known since May", "three: no such thing", "seven: is no vector", "sign 1"):  # fmt: skip
        assert part in text, part
    assert "level reached" not in page(Report("http://x", ALL, 1, levels=False))
