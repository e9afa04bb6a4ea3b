"""The usual case takes the fast path: what is right by the slow one would hide a fast one that does nothing."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest
from corpus import astral_event, events, float_event, typical_event
from parties import BODY, KEYS, NOW, Clock, signer

from rp_signing import Keyring, Verifier, canonical, canonicalize, parse, wire
from rp_signing.canonical import canonicalize_parsed


def slow(*_: Any) -> NoReturn:
    """What must not be called."""
    raise AssertionError("the slow path was taken")


@pytest.fixture
def no_slow_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every slow path fails the test."""
    monkeypatch.setattr(canonical, "write_exactly", slow)
    monkeypatch.setattr(canonical, "parse_exactly", slow)
    monkeypatch.setattr(wire, "_read_carefully", slow)
    monkeypatch.setattr(wire, "_pick", slow)


FAST = [
    [0.0], 1e-5, -1e-5, [1e-5, 2.0], 0.1, [1.0], [1.0, 2.0], -2.5, [1e15], [9007199254740992.0], [9999999999999998.0],
    [1.5, 2.0], [-3.0, 0.5], {"a": -1.0},
    [None, True, 0, "", [], {}, ()], list(range(200)), list(range(201)), [[]] * 1_000, [0.5] * 1_001,
    {"\ue000": 1}, {"\U0001f600": 1}, {"\U0001f600": 1, "\ufb33": 2}, ["\U0001f600", "\ue000"],
    {"a": ["\U0001f600", "\uffff"]}, {"\ue000": "\U0001f600", "\uff00": "\U0001f601"}, "\U0003ffff",
    [[[[[[[[1]]]]]]]], "null", ".0,", "1e-6",
]  # fmt: skip
SLOW = [[-0.0], 1.0, 1e16, 1e20, 9.9e-6, 1e-7, float("1e300"), [".0,", 1.0], ["\U00040000", "\ue000"]]


@pytest.mark.usefixtures("no_slow_path")
@pytest.mark.parametrize("value", FAST)
def test_a_usual_value_is_written_by_the_engine(value: Any) -> None:
    """Whole and decimal floats, names of both kinds, wide and nested ones: the exact path is not asked."""
    canonicalize(value)


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        "e-7,",
        "1+1",
        {"\U0001f600": 1, "\ud7ff": 2},
        {"\ue000": 1, "\U0001f600": 2},
        ["\ufb33"],
        [2**53 - 1],
        "2.0.1",
    ],
)
def test_what_was_parsed_is_written_without_a_proof(value: Any, monkeypatch: Any) -> None:
    """Nobody looks at the types of what `parse` gave, unless there is what looks like a number in another spelling."""
    monkeypatch.setattr(canonical, "canonicalize", slow)
    canonicalize_parsed(value)


@pytest.mark.parametrize("value", [1.0, [-0.0], 1e16, 1e20, 1e-6, [1.5e-6], "a.0,", "e-6]"])
def test_what_was_parsed_is_written_with_care_where_it_may_be_otherwise(value: Any, monkeypatch: Any) -> None:
    """Whole floats, exponents, minus zero, and texts that look like them."""
    monkeypatch.setattr(canonical, "canonicalize", slow)
    with pytest.raises(AssertionError, match="the slow path"):
        canonicalize_parsed(value)


@pytest.mark.parametrize("value", SLOW)
def test_what_the_engine_writes_otherwise_is_left_to_the_exact_path(value: Any, monkeypatch: Any) -> None:
    """Exponents, minus zero, and what could be either: these are the ones that need it."""
    monkeypatch.setattr(canonical, "write_exactly", slow)
    with pytest.raises(AssertionError, match="the slow path"):
        canonicalize(value)


@pytest.mark.usefixtures("no_slow_path")
def test_events_are_written_and_read_by_the_engine() -> None:
    """The typical event, one of floats, one outside the BMP; each compact text and each canonical one is read."""
    for event in (typical_event(), float_event(), astral_event()):
        written = canonicalize(event)
        if event != float_event():
            assert parse(written) == event
    for event in events(60):
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        if "." not in text and "e-" not in text:
            assert parse(text) == event


@pytest.mark.usefixtures("no_slow_path")
@pytest.mark.parametrize("more", [[], [(b"content-type", b"application/json")], [(b"host", b"a"), (b"accept", b"b")]])
def test_an_asgi_server_s_headers_are_read_at_once(more: list[tuple[bytes, bytes]]) -> None:
    """A list of lower-case bytes, with and without what says that the body is plain JSON."""
    signed = [(name.lower().encode(), value.encode()) for name, value in signer(Clock()).sign(BODY).items()]
    claim = Verifier(Keyring.of(KEYS), nonces=None).check(signed + more, BODY, NOW)
    assert claim.timestamp == NOW


def test_names_are_sorted_again_where_a_name_asks_for_it_and_no_text(monkeypatch: Any) -> None:
    """Text outside the BMP, before and behind such a name too, costs no second sorting."""
    monkeypatch.setattr(canonical, "_MOVED_EF", None)
    text = ["\ue000", "\uffff"]
    for value in ({"\U0001f600": text}, {"a": text, "b": ["\U0001f600"]}, {"\U0001f600": text, "\ud7ff": text}):
        assert canonicalize(value) == canonicalize_parsed(value) == canonical.write_exactly(value)
    with pytest.raises(AttributeError, match="sub"):
        canonicalize({"a": text, "\uff00": 1, "\U0001f600": text})
