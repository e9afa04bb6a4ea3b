"""The suite is judged: a right adapter passes all of it, and each bug is caught by the vectors that hunt it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import second_json
from broken_adapters import BROKEN, flag_of
from second_adapter import MODULES, answer, exchanged

from rp_signing.conformance.judge import crashed, judge
from rp_signing.conformance.outcome import Outcome, Status
from rp_signing.conformance.trial import Trial
from rp_signing.conformance.vectors import SUITES, load_flags, load_vectors, question

TESTS = Path(__file__).resolve().parent
VECTORS = load_vectors()
FLAGS_OF = {vector["id"]: set(vector["flags"]) for vector in VECTORS}
QUESTIONS = [(vector, question(vector, number)) for number, vector in enumerate(VECTORS, start=1)]

# The mistakes that every implementer of such a protocol makes, in the order of its steps.
WELL_KNOWN = {
    "code-point-order", "number-as-host-writes.whole", "number-as-host-writes.exponent", "duplicate-taken.last",
    "normalised.nfc", "null-dropped", "surrogate-replaced.read", "surrogate-replaced.written",
    "big-integer-rounded", "mac-prefix-compared", "hex-upper-case", "number-too-lax", "milliseconds-taken",
    "no-future-bound", "window-off-by-one", "nonce-scoped-by-key-id", "claims-before-mac", "forgets-early",
    "forgets-early.in-last-second", "claims-before-parse", "event-unsigned-taken", "first-header-wins",
    "length-left-out", "digest-of-text", "secret-decoded.base64", "body-trimmed.newline", "value-trimmed.dollar",
    "secret-trimmed.newline", "order-as-received", "member-included",
}  # fmt: skip
# Flags of which nobody can make a broken adapter, and why.
NO_ADAPTER: dict[str, str] = {}


def judged(suites: tuple[str, ...], ask: Callable[[Any], Any] = answer) -> Iterator[Outcome]:
    """What becomes of each vector; what a program would die of is a crash."""
    for vector, asked in QUESTIONS:
        if vector["suite"] in suites:
            try:
                told = ask(asked)
            except Exception as error:
                yield crashed(vector, type(error).__name__)
            else:
                yield judge(vector, told)


@cache
def failing(name: str) -> tuple[Outcome, ...]:
    """The vectors that catch a bug."""
    with exchanged(BROKEN[name].pieces):
        return tuple(one for one in judged(BROKEN[name].suites) if one.status is not Status.PASSED)


def test_a_right_adapter_passes_all() -> None:
    """The second implementation passes every vector, and skips none."""
    outcomes = list(judged(SUITES))
    assert [one for one in outcomes if one.status is not Status.PASSED] == []
    assert len(outcomes) == len(VECTORS) >= 500


@pytest.mark.parametrize("name", BROKEN)
def test_a_bug_is_caught_by_its_own_vectors(name: str, record_property: Callable[[str, Any], None]) -> None:
    """A vector that hunts this very bug fails, and says so; and so does a vector of every suite where it shows."""
    outcomes = failing(name)
    hunting = [one for one in outcomes if flag_of(name) in FLAGS_OF[one.id]]
    assert hunting, [one.id for one in outcomes]
    assert all(str(load_flags()[flag_of(name)]) in one.bugs for one in hunting)
    assert {one.suite for one in outcomes} == set(BROKEN[name].suites)
    record_property("share", f"{len(hunting)} of {len(outcomes)} failing vectors carry the flag")


def test_every_flag_has_a_broken_adapter() -> None:
    """What vectors hunt, somebody does; what nobody can do has a reason."""
    assert {flag_of(name) for name in BROKEN} == load_flags().keys() - NO_ADAPTER.keys()
    assert NO_ADAPTER.keys() <= load_flags().keys()


def test_the_well_known_mistakes_are_there() -> None:
    """The mistakes that one expects are among the bugs, and there are many more."""
    assert BROKEN.keys() >= WELL_KNOWN
    assert len(BROKEN) >= 60


def test_every_rule_is_broken_by_somebody() -> None:
    """For each rule that vectors test there is a bug that a vector of this rule catches."""
    tags = {vector["id"]: vector["tags"] for vector in VECTORS}
    caught = {tag for name in BROKEN for one in failing(name) for tag in tags[one.id]}
    assert {tag for known in tags.values() for tag in known} == caught


def test_no_two_bugs_are_one() -> None:
    """Bugs that fail the same vectors in the same way would be one bug with two names."""
    seen: dict[tuple[Any, ...], str] = {}
    for name in BROKEN:
        print_of = tuple((one.id, one.status, str(one.got)) for one in failing(name))
        assert seen.setdefault(print_of, name) == name


def test_the_pieces_are_put_back() -> None:
    """After a broken adapter, and after a crash of one, every piece is the right one again."""
    before = [vars(module).copy() for module in MODULES]
    once = second_json.Reader.once
    for name in BROKEN:
        with pytest.raises(ZeroDivisionError), exchanged(BROKEN[name].pieces):
            raise ZeroDivisionError
    assert [vars(module) for module in MODULES] == before
    assert second_json.Reader.once is once
    with pytest.raises(LookupError, match="no piece is called ordr"), exchanged({"ordr": None}):
        pass


@pytest.mark.parametrize("name", ["code-point-order", "claims-before-mac", "long-number-crash"])
def test_as_a_program_it_fails_the_same(name: str) -> None:
    """Run as a program and asked line by line, a broken adapter fails the vectors that it fails in here."""
    with Trial([sys.executable, str(TESTS / "broken_adapters.py"), name], timeout=10) as trial:
        outcomes = [trial.judge(vector) for vector in VECTORS if vector["suite"] in BROKEN[name].suites]
    wrong = [(one.id, one.status) for one in outcomes if one.status is not Status.PASSED]
    assert wrong == [(one.id, one.status) for one in failing(name)]


def test_as_a_program_the_right_one_passes() -> None:
    """The second implementation speaks the protocol: hello, then line by line, megabytes among them."""
    with Trial([sys.executable, str(TESTS / "second_adapter.py")], timeout=10) as trial:
        assert trial.hello.suites == SUITES
        assert {trial.judge(vector).status for vector in VECTORS} == {Status.PASSED}
