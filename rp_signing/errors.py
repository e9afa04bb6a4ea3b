"""The words that SPEC, vectors, logs and adapters share: every reason, and the errors that carry them.

Rule: a reason, its HTTP status and its public code are spelled here and nowhere else (SPEC §6.3).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why something was refused (SPEC §6.3). The value is the word that goes into logs and vectors.

    Attributes:
        status: the HTTP status (an int) that a server answers; 422 stands in for reasons that only the
            library gives.
        public_code: the word that a stranger may be told; the reason itself unless that would say too much.
        summary: one sentence for people.
    """

    status: int
    public_code: str
    summary: str

    def __new__(cls, word: str, status: int, summary: str, public_code: str | None = None) -> Reason:
        """Take one row of the table."""
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.status = status
        reason.summary = summary
        reason.public_code = public_code or word
        return reason

    HEADER_MALFORMED = "header_malformed", 400, "A header does not have its one spelling."
    HEADER_DUPLICATE = "header_duplicate", 400, "A header stands more than once."
    TIMESTAMP_UNIT = "timestamp_unit", 400, "The timestamp looks like milliseconds, not seconds."

    API_KEY_MISSING = "api_key_missing", 401, "There is no api key."
    API_KEY_UNKNOWN = "api_key_unknown", 401, "The api key is not known here."
    SIGNATURE_MISSING = "signature_missing", 401, "A signature is required and there is none."
    KEY_ID_UNKNOWN = "key_id_unknown", 401, "The signature does not verify.", "signature_invalid"
    SIGNATURE_MISMATCH = ("signature_mismatch", 401, "The signature does not verify.", "signature_invalid")
    TIMESTAMP_EXPIRED = "timestamp_expired", 401, "The request was signed too long ago."
    TIMESTAMP_FUTURE = "timestamp_future", 401, "The request is dated too far ahead."

    ROUTE_UNKNOWN = "route_unknown", 404, "There is nothing at this path."
    METHOD_UNSUPPORTED = "method_unsupported", 405, "Only POST is taken here."
    BODY_TIMEOUT = "body_timeout", 408, "The body did not arrive in time."

    REPLAYED = "replayed", 409, "An earlier copy of this request has been taken."
    MESSAGE_ID_CONFLICT = "message_id_conflict", 409, "This messageId is stored with other content."

    PAYLOAD_TOO_LARGE = "payload_too_large", 413, "The body is longer than the limit."
    BATCH_TOO_LONG = "batch_too_long", 413, "The batch has more events than the limit."
    ENCODING_UNSUPPORTED = ("encoding_unsupported", 415, "The body must not be encoded or compressed.")
    MEDIA_TYPE_UNSUPPORTED = ("media_type_unsupported", 415, "The body must be application/json in UTF-8.")

    PAYLOAD_NOT_UTF8 = "payload_not_utf8", 422, "The text is not UTF-8."
    PAYLOAD_NOT_JSON = "payload_not_json", 422, "The text is not JSON."
    PAYLOAD_DUPLICATE_KEY = "payload_duplicate_key", 422, "A name stands twice in one object."
    PAYLOAD_NUMBER_RANGE = ("payload_number_range", 422, "A number is outside the range that survives.")
    PAYLOAD_SURROGATE = "payload_surrogate", 422, "A string holds a lone surrogate."
    PAYLOAD_DEPTH = "payload_depth", 422, "The value is nested too deeply."
    TYPE_MISMATCH = "type_mismatch", 422, "The event's type is not that of the route."
    EVENT_INVALID = "event_invalid", 422, "The event breaks a rule."
    EVENT_SIGNATURE_MISSING = ("event_signature_missing", 422, "The event carries no integrity_signature.")
    EVENT_SIGNATURE_MISMATCH = ("event_signature_mismatch", 422, "The integrity_signature does not verify.")
    TRUST_CLAIMED = "trust_claimed", 422, "Trust is set by the verifier, never by the sender."

    REPLAY_KEY_FULL = ("replay_key_full", 429, "This api key has used up its share of the nonce store.")

    SIGNED_BEFORE_START = ("signed_before_start", 503, "The nonce store is younger than this request may be.")
    TIMESTAMP_FORGOTTEN = ("timestamp_forgotten", 503, "The nonce store has forgotten this timestamp.")
    REPLAY_STORE_FULL = "replay_store_full", 503, "The nonce store is full."
    REPLAY_STORE_UNAVAILABLE = "replay_store_unavailable", 503, "The nonce store cannot answer."
    EVENT_STORE_UNAVAILABLE = "event_store_unavailable", 503, "The event store cannot answer."

    KEY_NOT_STRING = "key_not_string", 422, "A name in an object is not a string."
    VALUE_NOT_JSON = "value_not_json", 422, "A value is not JSON."


class SigningError(Exception):
    """What every error of this package is."""


class CanonicalizationError(SigningError):
    """A value has no canonical form, or a text is not strict JSON (SPEC §3).

    Attributes:
        reason: the `Reason`.
        pointer: JSON Pointer (RFC 6901) to the place, ``""`` being the whole; None where there is none.
        detail: one sentence: what stands there, and what to do.
    """

    def __init__(self, reason: Reason, detail: str, pointer: str | None = None) -> None:
        super().__init__(reason, detail, pointer)
        self.reason = reason
        self.detail = detail
        self.pointer = pointer

    def __str__(self) -> str:
        return _sentence(self.reason, self.detail, self.pointer)


class VerificationError(SigningError):
    """A request or an event was refused; there is no verified value (SPEC §6).

    Attributes:
        reason: the exact `Reason`, for the log.
        public_code: what a stranger may be told (str).
        status: the HTTP status (int).
        pointer: JSON Pointer (RFC 6901) to the place in the payload, or None.
        detail: one sentence, never with a secret, an api key or an expected MAC in it.
        retry_after: seconds (int) after which a new attempt can succeed; for 429 and 503, else None.
        claim: the `Claim` where the MAC had held when it was refused; else None, and nothing the sender said of
            himself is proved.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        pointer: str | None = None,
        *,
        retry_after: int | None = None,
        claim: Any = None,
    ) -> None:
        super().__init__(reason, detail, pointer)
        self.reason = reason
        self.detail = detail
        self.pointer = pointer
        if retry_after is None and reason.status in (429, 503):
            retry_after = 1
        self.retry_after = retry_after
        self.claim = claim

    def __str__(self) -> str:
        return _sentence(self.reason, self.detail, self.pointer)

    @property
    def public_code(self) -> str:
        """What a stranger may be told (SPEC RSN-1)."""
        return self.reason.public_code

    @property
    def status(self) -> int:
        """The HTTP status that belongs to the reason (SPEC §6.3)."""
        return self.reason.status


class StoreError(SigningError):
    """A store could not be opened, or a claim could not be released."""


def _sentence(reason: Reason, detail: str, pointer: str | None) -> str:
    place = f" (at {pointer})" if pointer else ""
    return f"{reason.value}: {detail}{place}"
