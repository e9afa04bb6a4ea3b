"""Why a request was refused (SPEC §6.1)."""

from __future__ import annotations

import time
from itertools import product
from math import floor

from .. import wire
from ..canonical import DEFAULT_LIMIT, parse
from ..errors import CanonicalizationError, Reason, VerificationError
from ..grammar import spell_mac
from ..keys import Keyring, api_key_id
from ..replay import FUTURE, PAST, Window
from ..verifier import Verifier
from .bodies import Bodies
from .causes import Cause, cause
from .envelopes import PLAIN_SIGNED, unzipped
from .explanation import Explanation
from .headers import Reading, pairs_of
from .keys import Sent
from .lines import Draft, forms
from .search import Found, Meter, Search
from .suspects import Suspects

__all__ = ["explain"]

_SEARCHED = {
    Reason.ENCODING_UNSUPPORTED, Reason.MEDIA_TYPE_UNSUPPORTED, Reason.HEADER_MALFORMED, Reason.HEADER_DUPLICATE,
    Reason.TIMESTAMP_UNIT, Reason.API_KEY_MISSING, Reason.API_KEY_UNKNOWN, Reason.SIGNATURE_MISSING,
    Reason.KEY_ID_UNKNOWN, Reason.SIGNATURE_MISMATCH,
}  # fmt: skip
_TIMES = {Reason.TIMESTAMP_EXPIRED, Reason.TIMESTAMP_FUTURE}
_UNSIGNED = (
    "No signature header came. Give the sender its secret (RETAINPIXEL_HMAC_SECRET), or look who drops the headers on "
    "the way."
)
_LOST_CHARACTER = "\ufffd".encode()


def explain(
    keyring: Keyring,
    headers: wire.Headers,
    body: bytes,
    *,
    now: float | None = None,
    past: int = PAST,
    future: int = FUTURE,
    max_body: int = DEFAULT_LIMIT,
) -> Explanation:
    """Say why a request is refused (SPEC §6.1). It claims no nonce, so it sees no replay.

    Args:
        keyring: what the receiver knows; retired secrets and other api keys help.
        headers: as in `Verifier.check`.
        body: the exact bytes that were received.
        now: Unix seconds; the clock's when None.
        past: seconds that a timestamp may lie in the past.
        future: seconds that a timestamp may lie in the future.
        max_body: bytes that are taken.

    Raises:
        TypeError, ValueError: an argument makes no sense.
    """
    given = pairs_of(headers)
    moment = time.time() if now is None else now
    verifier = Verifier(keyring, nonces=None, past=past, future=future, max_body=max_body)
    refused: VerificationError | CanonicalizationError
    try:
        claim = verifier.check(given, body, moment)
        parse(body, max_body)
    except (VerificationError, CanonicalizationError) as error:
        refused = error
    else:
        lines = _draft(claim.signing_input()).shown()
        return Explanation(True, None, "", (), lines, lines)
    said = Explanation(False, refused.reason, refused.detail)
    reading = Reading(given)
    times = _times(reading.seconds, Window(past, future), floor(moment))
    if refused.reason in _TIMES:
        return said._replace(causes=times)
    if refused.reason not in _SEARCHED:
        return said._replace(causes=(Cause(refused.reason.value, refused.detail),))
    return _Refused(keyring, reading, bytes(body), said).explained(times)


class _Refused:
    """One refused request. Its repr shows no value of it."""

    def __init__(self, keyring: Keyring, reading: Reading, body: bytes, said: Explanation) -> None:
        self._reading = reading
        self._body = body
        self._bodies = Bodies(body)
        self._said = said
        self._meter = Meter()
        self._received: Draft | None = None
        api_key = reading.api_key
        live = None if api_key is None else api_key.startswith("rpx_live_")
        self._sent = Sent(api_key, api_key_id(api_key) if api_key else "-", live, reading.key_id)
        self._suspects = Suspects(keyring, keyring.find(api_key), self._sent, self._meter)

    def explained(self, times: tuple[Cause, ...]) -> Explanation:
        """Give the explanation; `times` are the causes that the clock gives, if the MAC holds."""
        known, found = self._looked()
        causes = known or self._without_mac()
        if found is not None:
            causes = (*known, *found.causes, *times)
        return self._said._replace(
            causes=causes,
            received=self._received and self._received.shown(),
            signed=found and found.draft.shown(),
            tried=self._meter.macs,
            hashed=self._meter.hashes,
            stopped=found is None and self._meter.stopped,
        )

    def _looked(self) -> tuple[tuple[Cause, ...], Found | None]:
        """Give the mistakes that show in the headers, and what would have matched without them."""
        known = tuple(self._reading.slips)
        if self._is_of_event():
            return (cause("event_signature_sent"), *known), None
        if self._said.reason is Reason.SIGNATURE_MISSING and [slip.cause for slip in known] == ["header_missing"]:
            known = (Cause(self._said.reason.value, _UNSIGNED),)
        if not self._reading.zipped:
            return known, self._search(self._bodies, len(known))
        plain = unzipped(self._body)
        found = None if plain is None else self._search(Bodies(plain), len(known) + 1)
        if found is not None:
            return (cause("body_gzip", signed=PLAIN_SIGNED), *known), found
        found = self._search(self._bodies, 2)
        signed = "it was signed like that" if found else "what was signed is not known"
        return (cause("body_gzip", signed=signed), *known), found

    def _search(self, bodies: Bodies, known: int) -> Found | None:
        reading = self._reading
        if reading.mac is None or reading.nonce is None:
            return None
        # What cannot be read any more may have been any of them.
        key_ids = [None, *self._suspects.key_ids()] if reading.key_id_lost else [reading.key_id]
        for timestamp, key_id in product(reading.timestamps, key_ids):
            line = wire.signing_input("request", self._sent.api_key_id, key_id, "0", "0", 0, "0" * 64)
            draft = _draft(line).stamped(timestamp, reading.nonce)
            search = Search(
                draft,
                bodies.body,
                reading.mac,
                self._suspects.requests,
                (bodies.singles, bodies.pairs),
                forms(self._sent.api_key, None if reading.key_id_lost else self._suspects.key_ids()),
                self._meter,
            )
            self._received = self._received or search.received
            found = search.run(known)
            if found is not None:
                return found
        return None

    def _without_mac(self) -> tuple[Cause, ...]:
        """Give what can be said although nothing matched: the least that is certain, or nothing."""
        if self._said.reason is Reason.API_KEY_UNKNOWN:
            return (cause("api_key_unknown", sent=self._sent.api_key_id, hint=""),)
        if self._said.reason is Reason.KEY_ID_UNKNOWN:
            return self._suspects.named()
        if self._said.reason is not Reason.SIGNATURE_MISMATCH:
            return (Cause(str(self._said.reason), self._said.detail),)
        if not self._body:
            return (cause("body_empty"),)
        lost = not self._body.isascii() and _LOST_CHARACTER in self._body
        return (cause("body_replaced"),) if lost else ()

    def _is_of_event(self) -> bool:
        """Tell whether the header repeats the signature that the body carries; both are as they came."""
        it, mac = self._bodies.json, self._reading.mac
        inside = it.value.get(wire.SIGNATURE_MEMBER) if it and isinstance(it.value, dict) else None
        return mac is not None and inside == spell_mac(mac)

    def __repr__(self) -> str:
        return f"<Refused {self._said.reason}>"


def _draft(signing_input: bytes) -> Draft:
    return Draft(tuple(signing_input.decode().split("\n")))


def _times(seconds: int | None, window: Window, now: int) -> tuple[Cause, ...]:
    """Say by how much a timestamp lies outside the window, if it does."""
    if seconds is None:
        return ()
    away = now - seconds
    halves = round(away / 1800)
    zone = 1 < abs(halves) <= 28 and abs(away - halves * 1800) <= 5
    hint = f" That is {abs(halves) / 2:g} hours: local time taken for UTC?" if zone else ""
    try:
        window.judge(seconds, now)
    except VerificationError as refused:
        if refused.reason is Reason.TIMESTAMP_EXPIRED:
            return (cause("timestamp_expired", seconds=away, past=window.past, hint=hint),)
        return (cause("timestamp_future", seconds=-away, future=window.future, hint=hint),)
    return ()
