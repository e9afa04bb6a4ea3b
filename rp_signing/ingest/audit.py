"""Every stored event verified again, from the stored evidence alone (SPEC §6.2, §11, KEY-6)."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from .. import wire
from ..canonical import canonicalize, parse
from ..errors import CanonicalizationError, VerificationError
from ..grammar import SIGNATURE
from ..keys import ApiKey, Keyring, Secret
from ..signing import match_event, matches, usable_secrets
from .store import EventStore, StoredEvent, StoredRequest

__all__ = ["AuditReport", "BadRow", "Verdict", "audit"]

_STEP = 500


class Verdict(StrEnum):
    """What the audit says of a row."""

    VERIFIED = "verified"
    ALTERED = "altered"
    KEY_UNAVAILABLE = "key_unavailable"
    KEY_RETIRED_BEFORE = "key_retired_before"
    UNSIGNED = "unsigned"


class BadRow(NamedTuple):
    """A row that does not verify.

    Attributes:
        row_id: its number in the store.
        message_id: as the row has it.
        verdict: ``altered``, ``key_unavailable`` or ``key_retired_before``.
        detail: one sentence: what does not fit.
    """

    row_id: int
    message_id: str
    verdict: Verdict
    detail: str


class AuditReport(NamedTuple):
    """What the audit found. Deleted, copied and reordered rows, and another ``received_at``, it cannot see (SPEC §11).

    Attributes:
        counts: `Verdict` → how many rows; every verdict is there.
        bad: the rows that do not verify, in the order of storing.
    """

    counts: dict[Verdict, int]
    bad: list[BadRow]

    @property
    def total(self) -> int:
        """How many rows were looked at."""
        return sum(self.counts.values())

    @property
    def ok(self) -> bool:
        """True when every ``high`` row verifies and no other row was seen to be altered."""
        return not self.bad


class _Bad(Exception):
    def __init__(self, verdict: Verdict, detail: str) -> None:
        super().__init__(verdict, detail)
        self.verdict = verdict
        self.detail = detail


def audit(store: EventStore, keyring: Keyring, progress: Callable[[int, int], object] | None = None) -> AuditReport:
    """Verify every stored event again.

    Args:
        store: the event store; it is read a page at a time, while others may write.
        keyring: the secrets, retired ones too.
        progress: is called with how many rows are done, and how many there are.

    Raises:
        StoreError: the store cannot be read.
    """
    total = len(store)
    done = 0
    counts = dict.fromkeys(Verdict, 0)
    bad: list[BadRow] = []
    requests = _Requests()
    for event in store.scan():
        try:
            verdict = _verdict(event, keyring, requests)
        except _Bad as found:
            verdict = found.verdict
            bad.append(BadRow(event.row_id, event.message_id, verdict, found.detail))
        counts[verdict] += 1
        done += 1
        if progress and done % _STEP == 0:
            progress(done, max(total, done))
    if progress:
        progress(done, done)
    return AuditReport(counts, bad)


def _verdict(event: StoredEvent, keyring: Keyring, requests: _Requests) -> Verdict:
    _check_content(event)
    request = _check_request(event)
    if event.trust == "standard":
        if (event.integrity_signature, event.key_id, request.signature) != (None, None, None):
            raise _Bad(Verdict.ALTERED, "the row says standard, but a signature is kept with it")
        return Verdict.UNSIGNED
    entry = keyring.find_id(event.api_key_id)
    if entry is None:
        raise _Bad(Verdict.KEY_UNAVAILABLE, f"api key {event.api_key_id} is not in the keyring")
    if event.live != entry.live:
        raise _Bad(Verdict.ALTERED, "the row says live of a test api key, or the reverse")
    secret = _secret(entry, event.key_id, event.received_at)
    if not SIGNATURE.matches(event.integrity_signature):
        raise _Bad(Verdict.ALTERED, "the row says high, but its integrity_signature is gone or malformed")
    try:
        match_event(event.content.encode(), event.integrity_signature, entry, [secret])
    except VerificationError:
        raise _Bad(Verdict.ALTERED, "the content is not what the integrity_signature covers") from None
    requests.check(request, entry)
    return Verdict.VERIFIED


def _check_content(event: StoredEvent) -> None:
    """Refuse content that is not canonical any more, or that other columns contradict."""
    try:
        content = event.content.encode()
        value = parse(content, len(content))
        canonical = canonicalize(value) == content
    except CanonicalizationError as error:
        raise _Bad(Verdict.ALTERED, f"the content is no strict JSON any more: {error.reason}") from None
    if not canonical or type(value) is not dict or wire.SIGNATURE_MEMBER in value:
        raise _Bad(Verdict.ALTERED, "the content is not in the canonical form of an event without its signature")
    for name, column in (("messageId", event.message_id), ("type", event.type)):
        if value.get(name) != column:
            raise _Bad(Verdict.ALTERED, f"the column of {name} is not what the content says")


def _check_request(event: StoredEvent) -> StoredRequest:
    request = event.request
    if request is None:
        raise _Bad(Verdict.ALTERED, "the row of its request is gone")
    of_event = (event.api_key_id, event.trust, event.received_at)
    if of_event != (request.api_key_id, request.trust, request.received_at):
        raise _Bad(Verdict.ALTERED, "the row of its request has another api key, trust or time of receipt")
    if event.trust not in ("high", "standard"):
        raise _Bad(Verdict.ALTERED, "there is no such trust")
    return request


def _secret(entry: ApiKey, key_id: str | None, received_at: int) -> Secret:
    """Give the secret with this key id, if it verifies at rest what was received then (SPEC KEY-6)."""
    if key_id is None:
        raise _Bad(Verdict.ALTERED, "the row says high, but its key id is gone")
    try:
        return usable_secrets(entry, key_id, at_rest=True, received_at=received_at)[0]
    except VerificationError:
        pass
    if key_id in entry.retired:
        raise _Bad(Verdict.KEY_RETIRED_BEFORE, f"key {key_id} was retired before this event was received")
    raise _Bad(Verdict.KEY_UNAVAILABLE, f"key {key_id} is not in the keyring")


class _Requests:
    """Verifies each request's signature over its eight lines once: the events of a request follow one another."""

    def __init__(self) -> None:
        self._last: StoredRequest | None = None
        self._fault: _Bad | None = None

    def check(self, request: StoredRequest, entry: ApiKey) -> None:
        if request != self._last:
            self._last, self._fault = request, None
            try:
                _check_signature(request, entry)
            except _Bad as fault:
                self._fault = fault
        if self._fault is not None:
            raise _Bad(self._fault.verdict, self._fault.detail)


def _check_signature(request: StoredRequest, entry: ApiKey) -> None:
    if not SIGNATURE.matches(request.signature):
        raise _Bad(Verdict.ALTERED, "the signature of its request is gone or malformed")
    if request.sent_key_id not in (None, request.key_id):
        raise _Bad(Verdict.ALTERED, "its request names one key and was verified by another")
    secret = _secret(entry, request.key_id, request.received_at)
    if not matches(secret, _lines(request), request.signature):
        raise _Bad(Verdict.ALTERED, "the kept lines of its request are not what the request's signature covers")


def _lines(request: StoredRequest) -> bytes:
    if request.timestamp is None or request.nonce is None or request.length is None or request.digest is None:
        raise _Bad(Verdict.ALTERED, "a line of its request is gone")
    try:
        return wire.signing_input(
            "request",
            request.api_key_id,
            request.sent_key_id,
            str(request.timestamp),
            request.nonce,
            request.length,
            request.digest,
        )
    except UnicodeEncodeError:
        raise _Bad(Verdict.ALTERED, "a line of its request is not ASCII any more") from None
