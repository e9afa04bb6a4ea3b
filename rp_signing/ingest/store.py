"""What an event store must do, and the records that go in and come out (SPEC §9, EVT-5, EVT-8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from ..errors import Reason, VerificationError
from ..replay import Claim

__all__ = [
    "EventStore",
    "MessageIdConflict",
    "ReceivedEvent",
    "ReceivedRequest",
    "Stored",
    "StoredEvent",
    "StoredRequest",
    "Trust",
]

Trust = Literal["high", "standard"]
"""``high``: the request's and every event's signature verified. ``standard``: unsigned (SPEC EVT-7)."""


class ReceivedRequest(NamedTuple):
    """A request that passed the gate, on its way into the store.

    Attributes:
        request_id: the endpoint's own name for it, 32 hex digits.
        route: ``track``, ``identify``, ``group`` or ``batch``.
        received_at: Unix seconds by the endpoint's clock, when the body was there.
        api_key_id: 16 hex digits.
        live: True for a live api key, False for a test one.
        claim: what must be claimed, with the evidence; None for an unsigned request.
        claimed: True when a nonce store of its own has claimed it already; else the event store claims it.
    """

    request_id: str
    route: str
    received_at: int
    api_key_id: str
    live: bool
    claim: Claim | None
    claimed: bool = False

    @property
    def trust(self) -> Trust:
        """Follows from the signature alone (SPEC EVT-7)."""
        return "standard" if self.claim is None else "high"


class ReceivedEvent(NamedTuple):
    """An event that passed the gate, on its way into the store.

    Attributes:
        message_id: 1 to 128 characters.
        type: ``track``, ``identify`` or ``group``.
        content: the canonical form without ``integrity_signature``: the bytes that its MAC covers, as text.
        integrity_signature: ``sha256=`` and 64 hex digits; None when unsigned.
        key_id: of the secret that verified it, 16 hex digits; None when unsigned.
    """

    message_id: str
    type: str
    content: str
    integrity_signature: str | None
    key_id: str | None


class Stored(NamedTuple):
    """What became of a request's events.

    Attributes:
        stored: how many were new.
        duplicates: how many had been stored before, or stood twice in the request.
    """

    stored: int
    duplicates: int


class StoredRequest(NamedTuple):
    """What the store knows of a request: the evidence of its signature. Of an unsigned one, the last seven are None.

    Attributes:
        request_id: 32 hex digits.
        route: ``track``, ``identify``, ``group`` or ``batch``.
        received_at: Unix seconds.
        api_key_id: 16 hex digits.
        trust: ``high`` or ``standard``.
        signature: as received, ``sha256=`` and 64 hex digits.
        sent_key_id: the fourth line; None also where the sender gave none.
        key_id: of the secret that verified, 16 hex digits.
        timestamp: Unix seconds by the sender's clock.
        nonce: 22 to 64 characters.
        length: of the body in bytes.
        digest: SHA-256 of the body, 64 hex digits.
    """

    request_id: str
    route: str
    received_at: int
    api_key_id: str
    trust: str
    signature: str | None
    sent_key_id: str | None
    key_id: str | None
    timestamp: int | None
    nonce: str | None
    length: int | None
    digest: str | None

    @classmethod
    def of(cls, request: ReceivedRequest) -> StoredRequest:
        """Give what is kept of a request."""
        claim = request.claim
        known = (request.request_id, request.route, request.received_at, request.api_key_id, request.trust)
        if claim is None:
            return cls(*known, None, None, None, None, None, None, None)
        lines = (claim.key_id, claim.timestamp, claim.nonce, claim.length, claim.digest)
        return cls(*known, claim.signature, claim.sent_key_id, *lines)


class StoredEvent(NamedTuple):
    """One row of the event store.

    Attributes:
        row_id: its number; rises in the order of storing.
        message_id: 1 to 128 characters.
        type: ``track``, ``identify`` or ``group``.
        content: the canonical form without ``integrity_signature``, as text.
        integrity_signature: ``sha256=`` and 64 hex digits; None when unsigned.
        api_key_id: 16 hex digits.
        key_id: of the secret that verified it; None when unsigned.
        live: True for a live api key, False for a test one.
        trust: ``high`` or ``standard``.
        received_at: Unix seconds.
        request: the request that brought it; None when its row is gone.
    """

    row_id: int
    message_id: str
    type: str
    content: str
    integrity_signature: str | None
    api_key_id: str
    key_id: str | None
    live: bool
    trust: str
    received_at: int
    request: StoredRequest | None


class MessageIdConflict(VerificationError):
    """A messageId stands in the store, or earlier in the same batch, with other content (SPEC EVT-8).

    Attributes:
        indexes: the place of every such event in its request, from 0.
    """

    def __init__(self, indexes: Sequence[int]) -> None:
        super().__init__(
            Reason.MESSAGE_ID_CONFLICT,
            "this messageId was used before, for an event with other content; every event needs one of its own",
            "/messageId",
        )
        self.indexes: list[int] = list(indexes)


class EventStore(Protocol):
    """Where events are kept with their evidence. Its length is how many it holds. Safe to share between threads."""

    def store(self, request: ReceivedRequest, events: Sequence[ReceivedEvent]) -> Stored:
        """Claim the request's nonce, unless it is claimed, and store its events: whole and durably, or neither.

        Raises:
            MessageIdConflict: with the index of every event concerned; nothing was stored, the nonce is not used up.
            VerificationError: ``event_store_unavailable``, or what `rp_signing.replay.NonceStore.claim` raises.
        """

    def find(
        self,
        api_key_id: str | None = None,
        trust: str | None = None,
        since: int | None = None,
        until: int | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[StoredEvent]:
        """Give events in the order of storing.

        Args:
            api_key_id: only this api key's.
            trust: only ``high`` or only ``standard`` ones.
            since: received at or after that, Unix seconds.
            until: received at or before that, Unix seconds.
            after: only rows with a higher number; the last row's number, for the next page.
            limit: how many at the most.

        Raises:
            StoreError: the store cannot be read.
        """

    def scan(self, after: int = 0) -> Iterator[StoredEvent]:
        """Give every event with a higher row number, in the order of storing; raises as `find`."""

    def last_verified(self) -> dict[str, int]:
        """Give when each key id last verified a request: key id → Unix seconds.

        Reads every request of the store; raises as `find`.
        """

    def doctor(self) -> list[str]:
        """Say what is wrong with the store, a sentence each; an empty list when nothing is. Raises as `find`."""

    def close(self) -> None:
        """Let go of files and connections."""

    def __len__(self) -> int: ...
