"""What `explain` costs: how often it hashes the whole body, counted from outside."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from mistaken_sender import API_KEY, NOW, RETIRED, RICH, SECOND, SECRET, Sender, canonical, sign_event
from mistakes import MISTAKES

from rp_signing import Keyring
from rp_signing import signing as gate_signing
from rp_signing import verifier as gate
from rp_signing.explain import explain, explain_event
from rp_signing.explain import keys as explain_keys
from rp_signing.explain import lines as explain_lines
from rp_signing.explain import search as explain_search

LONG = {**RICH, "context": {"filler": "x" * 6000}}
# Half a body: dropping members makes some near-misses shorter; no signing input is as long as that.
WHOLE = 3000


class Counted:
    """Counts what is hashed that is as long as a body."""

    def __init__(self) -> None:
        self.hashes = 0

    def sha256(self, data: bytes = b"") -> Any:
        """What stands in for the modules' own."""
        self.hashes += len(data) > WHOLE
        return hashlib.sha256(data)

    def hmac(self, key: bytes, algorithm: SHA256) -> CountedHMAC:
        """What stands in for the one of the keys."""
        self.hashes += len(key) > WHOLE
        return CountedHMAC(self, HMAC(key, algorithm))


class CountedHMAC:
    """An HMAC that counts."""

    def __init__(self, counted: Counted, inside: HMAC) -> None:
        self._counted = counted
        self._inside = inside
        self.finalize: Callable[[], bytes] = inside.finalize

    def copy(self) -> CountedHMAC:
        """Copy it, as the keys do for each message."""
        return CountedHMAC(self._counted, self._inside.copy())

    def update(self, data: bytes) -> None:
        """Count, and hand on."""
        self._counted.hashes += len(data) > WHOLE
        self._inside.update(data)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    """Every place of the package that could hash a body, counted."""
    counter = Counted()
    for module in (explain_search, explain_lines, explain_keys, gate, gate_signing):
        monkeypatch.setattr(module, "sha256", counter.sha256)
    monkeypatch.setattr(explain_keys, "HMAC", counter.hmac)
    return counter


# The last that are tried, and those that MAC the whole body.
LATE = [
    "body_alone",
    "body_with_timestamp",
    "signed_python_repr",
    "signed_php_empty_array",
    "signed_json_string",
    "body_nfc",
]


@pytest.mark.parametrize("name", LATE)
@pytest.mark.parametrize(
    "secrets", [[SECRET], [SECRET, SECOND, RETIRED, "fourth-" * 6]], ids=["one secret", "four, no key id"]
)
def test_one_mistake_costs_at_most_60_hashes_of_the_body(counted: Counted, name: str, secrets: list[str]) -> None:
    """However late a mistake is tried, the body has been hashed at most 60 times, the gate's own included."""
    sender = Sender({**LONG, **({"event": "cafe\u0301"} if name == "body_nfc" else {})})
    MISTAKES[name].make(sender)
    if len(secrets) > 1:
        sender.sent_key_id = None
    explanation = explain(Keyring.of({API_KEY: secrets}), *sender.send(), now=NOW)
    assert [cause.cause for cause in explanation.causes] == [name]
    assert 1 < counted.hashes <= 60
    assert explanation.hashed <= counted.hashes <= explanation.hashed + 1  # with the gate's own
    assert not explanation.stopped


@pytest.mark.parametrize("key_id", ["", None], ids=["key id", "no key id"])
def test_two_mistakes_cost_ten_times_that(counted: Counted, key_id: str | None) -> None:
    """Where nothing matches the body has been hashed at most 600 times, and it is said that the search was stopped."""
    sender = Sender(LONG)
    sender.key.append(lambda _: b"a-secret-that-nobody-here-has-seen-0001")
    sender.sent_key_id = key_id
    explanation = explain(Keyring.of({API_KEY: [SECRET, SECOND, RETIRED]}), *sender.send(), now=NOW)
    assert explanation.causes == ()
    assert 60 < counted.hashes <= 601
    assert explanation.stopped == (explanation.hashed == 600)


def test_small_requests_are_searched_whole(counted: Counted) -> None:
    """For an ordinary small body nothing is left untried."""
    sender = Sender({"type": "track", "userId": "u-1", "event": "Paid"})
    sender.key.append(lambda _: b"a-secret-that-nobody-here-has-seen-0001")
    explanation = explain(Keyring.of({API_KEY: SECRET}), *sender.send(), now=NOW)
    assert (explanation.causes, explanation.stopped) == ((), False)
    assert explanation.hashed < 600


def test_a_large_body_is_searched_for_one_mistake_with_it(counted: Counted) -> None:
    """Of a body over 64 KiB one mistake is found; for two with the body itself the search is stopped, and says so."""
    value = {**LONG, "context": {"filler": "x" * 70_000}}
    sender = Sender(value)
    MISTAKES["reserialized_json_dumps"].make(sender)
    MISTAKES["secret_newline"].make(sender)
    keyring = Keyring.of({API_KEY: SECRET})
    found = explain(keyring, *sender.send(), now=NOW)
    assert {cause.cause for cause in found.causes} == {"reserialized_json_dumps", "secret_newline"}
    sender = Sender(value)
    sender.key.append(lambda _: b"a-secret-that-nobody-here-has-seen-0001")
    before = counted.hashes
    assert explain(keyring, *sender.send(), now=NOW).stopped
    assert counted.hashes - before < 400


def test_an_event_costs_no_more(counted: Counted) -> None:
    """The bounds hold for events: 60 for one mistake, 600 where nothing matches."""
    keyring = Keyring.of({API_KEY: SECRET})
    last = {**LONG, "integrity_signature": sign_event(LONG, write=lambda event: str(canonical(event)).encode())}
    assert [cause.cause for cause in explain_event(last, keyring=keyring, api_key=API_KEY).causes] == ["digest_of_text"]
    assert counted.hashes <= 62
    counted.hashes = 0
    nobody = {**LONG, "integrity_signature": "sha256=" + "1" * 64}
    explanation = explain_event(nobody, keyring=keyring, api_key=API_KEY)
    assert (explanation.causes, explanation.stopped) == ((), True)
    assert counted.hashes <= 602
