"""What `explain` does besides hashing: how often it reads a body, writes it again, and makes a signing input."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import corpus
import pytest
from mistaken_sender import API_KEY, NOW, RETIRED, RICH, SECOND, SECRET, Sender

from rp_signing import Keyring, canonicalize, parse
from rp_signing.explain import Explanation, explain
from rp_signing.explain import rewritten as explain_rewritten
from rp_signing.explain.lines import Draft

# Over the size up to which two mistakes with the body are looked for.
PLAIN = {"event": "Paid", "properties": {"total": 49.9}, "type": "track", "userId": "u-1" * 30_000}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Each reading and writing of JSON in the package, and each signing input that is put together."""
    counter: Counter[str] = Counter()

    def counting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            counter[name] += 1
            return call(*args, **options)

        return counted

    here = explain_rewritten
    for module, calls in (("orjson", ("dumps",)), ("json", ("dumps", "loads"))):
        inside = getattr(here, module)
        named = {**vars(inside), **{name: counting(name, getattr(inside, name)) for name in calls}}
        monkeypatch.setattr(here, module, SimpleNamespace(**named))
    monkeypatch.setattr(here, "parse", counting("loads", here.parse))
    monkeypatch.setattr(here, "canonicalize", counting("dumps", here.canonicalize))
    monkeypatch.setattr(here, "get_referents", counting("levels", here.get_referents))
    for made in ("message", "line"):
        monkeypatch.setattr(Draft, made, counting(made, getattr(Draft, made)))
    return counter


def unexplained(value: dict[str, Any], secrets: list[str], *, rewritten: bool = False) -> Explanation:
    """What is found of a request that was signed with a secret that nobody knows: nothing, after all was tried."""
    sender = Sender(value)
    if rewritten:
        sender.transit.append(lambda body: body.replace(b'":', b'" :'))
    sender.key.append(lambda _: b"a-secret-that-nobody-here-has-seen-0001")
    explanation = explain(Keyring.of({API_KEY: secrets}), *sender.send(), now=NOW)
    assert explanation.causes == ()
    return explanation


def test_a_body_is_read_once(counted: Counter[str]) -> None:
    """However much is tried, the body that came is parsed once."""
    unexplained(PLAIN, [SECRET, SECOND])
    assert counted["loads"] == 1


def test_an_ordinary_body_is_written_three_times(counted: Counter[str]) -> None:
    """Of ASCII and ordinary numbers three writings are made, and the twenty spellings of others out of them."""
    unexplained(PLAIN, [SECRET])
    assert counted["dumps"] == 3


@pytest.mark.parametrize("change", [{"none": None}, {"empty": {}}, {"list": []}])
def test_what_may_have_been_left_out_is_written_twice(counted: Counter[str], change: dict[str, Any]) -> None:
    """Where a null or an empty member may have come or gone, the value as it was is written as well, and sorted."""
    unexplained({**PLAIN, **change}, [SECRET])
    assert counted["dumps"] == 3 + 2
    assert counted["levels"] == 3  # its numbers are looked at once, level by level


def test_a_hard_body_is_written_thirty_times(counted: Counter[str]) -> None:
    """Written by nobody who is known, and with all that serialisers do otherwise in it: each spelling is made once."""
    unexplained({**RICH, "userId": "u-1" * 30_000}, [SECRET], rewritten=True)
    assert counted["loads"] == 2  # Python reads large numbers otherwise than `parse`
    assert counted["dumps"] < 30


def test_a_signing_input_is_made_once_for_all_keys(counted: Counter[str]) -> None:
    """More than a hundred thousand MACs of a small request take a tenth as many signing inputs."""
    explanation = unexplained({"type": "track", "userId": "u-1", "event": "Paid"}, [SECRET, SECOND, RETIRED])
    assert explanation.tried > 100_000
    assert counted["message"] < explanation.tried / 10
    assert counted["line"] < explanation.tried / 50


# Each with one thing in it that a shortcut could overlook.
EDGES: list[dict[str, Any]] = [
    {"a": "two  spaces"}, {"a": "\x7f"}, {"a": 1e-5}, {"a": 1e20}, {"a": 3.0}, {"b": 1, "a": 2}, {"9": [], "10": {}},
    {"a": ",\n\t"},
]  # fmt: skip
WRITINGS: list[dict[str, Any]] = [{"separators": (",", ":")}, {}, {"sort_keys": True}, {"ensure_ascii": False}]


def tried_of(body: bytes) -> set[bytes]:
    """The body, its canonical form, and what may have been signed in its place by another serialiser."""
    it = explain_rewritten.read(body)
    assert it is not None
    return {body, it.canonical, *(text for _, text in it.writings)}


def test_what_is_made_of_another_spelling_is_what_python_writes() -> None:
    """The canonical form, and every spelling of json.dumps and str(), are tried, whatever way they are made."""
    for event in (RICH, *EDGES, *corpus.events(), *map(corpus.float_event, range(20))):
        body = json.dumps(event).encode()
        tried = tried_of(body)
        read = json.loads(body)
        assert [options for options in WRITINGS if json.dumps(read, **options).encode() not in tried] == []
        assert {str(read).encode(), canonicalize(parse(body))} <= tried


@pytest.mark.parametrize("indent", [2, 4, "\t"])
def test_an_indented_text_keeps_the_spaces_in_its_strings(indent: int | str) -> None:
    """However it is indented, just the margins are."""
    event = {"a": ["two  spaces", {"b": "\tfour    spaces"}]}
    assert json.dumps(event, indent=indent).encode() in tried_of(json.dumps(event).encode())
