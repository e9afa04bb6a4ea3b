"""Why an event's own signature failed (SPEC §6.2), and what may have been signed instead of the event (INP-4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..canonical import canonicalize
from ..errors import CanonicalizationError, Reason, VerificationError
from ..exact import type_name
from ..grammar import SIGNATURE, mac_of, spell_mac
from ..keys import ApiKey, Keyring, api_key_id
from ..signing import event_signature, event_signing_input, match_event, usable_secrets
from ..wire import SIGNATURE_MEMBER
from .bodies import changes
from .causes import Cause, cause
from .envelopes import Guess, framed
from .explanation import Explanation
from .headers import read_mac
from .keys import Sent
from .lines import Draft, forms
from .rewritten import Json
from .search import Meter, Search
from .suspects import Suspects

__all__ = ["explain_event"]

_MAX_MEMBERS = 12
_PLACEHOLDERS = (None, "", "sha256=", "sha256=" + "0" * 64)
_WANTED = "the canonical form"


def explain_event(event: Mapping[str, Any], *, keyring: Keyring, api_key: str | None = None) -> Explanation:
    """Say why an event's own signature is refused (SPEC §6.2).

    Args:
        event: the event as it was parsed, its members in the order in which they came.
        keyring: what the receiver knows; retired secrets and other api keys help.
        api_key: the text of the one that it was received under; None: each of the keyring is tried.
    """
    entry = next(iter(keyring)) if api_key is None and len(keyring) == 1 else keyring.find(api_key)
    if entry is not None:
        sent = Sent(api_key, entry.api_key_id, entry.live, None)
    elif api_key is not None:
        sent = Sent(api_key, api_key_id(api_key), api_key.startswith("rpx_live_"), None)
    else:
        sent = Sent(None, "-", None, None)
    try:
        plain, covered = _covered(event)
        if entry is None and api_key is not None:
            raise VerificationError(Reason.API_KEY_UNKNOWN, "the api key of this event is not known here")
        _verify(covered, event_signature(dict(event)), keyring if entry is None else (entry,))
    except VerificationError as refused:
        said = Explanation(False, refused.reason, refused.detail)
        if refused.reason not in (Reason.EVENT_SIGNATURE_MISMATCH, Reason.API_KEY_UNKNOWN):
            return said._replace(causes=(Cause(refused.reason.value, refused.detail),))
    else:
        return Explanation(True, None, "")
    meter = Meter()
    return _looked(said, plain, event.get(SIGNATURE_MEMBER), sent, Suspects(keyring, entry, sent, meter), meter)


def _covered(event: Any) -> tuple[dict[str, Any], bytes]:
    if type(event) is not dict:
        raise VerificationError(Reason.EVENT_INVALID, f"an event is a JSON object, not {type_name(event)}", "")
    plain = {name: member for name, member in event.items() if name != SIGNATURE_MEMBER}
    try:
        return plain, canonicalize(plain)
    except CanonicalizationError as error:
        raise VerificationError(error.reason, error.detail, error.pointer) from None


def _verify(covered: bytes, signature: str, entries: Iterable[ApiKey]) -> None:
    refused: VerificationError | None = None
    for entry in entries:
        try:
            match_event(covered, signature, entry, usable_secrets(entry))
        except VerificationError as error:
            refused = error
        else:
            return
    raise refused or VerificationError(Reason.API_KEY_UNKNOWN, "the keyring holds no api key")


def _looked(
    said: Explanation, plain: dict[str, Any], signature: Any, sent: Sent, suspects: Suspects, meter: Meter
) -> Explanation:
    slips: list[Cause] = []
    mac = mac_of(signature)
    if mac is None and isinstance(signature, str):
        mac = read_mac(signature, slips)
    covered = canonicalize(plain)
    draft = Draft(tuple(event_signing_input(b"", sent.api_key_id, "-").decode().split("\n")))
    found, right = None, list(suspects.events(0))
    received = None
    if mac is not None:
        signatures: list[str] = []
        bodies = (lambda: event_singles(plain, signatures), lambda: event_pairs(plain, signatures))
        search = Search(draft, covered, mac, suspects.events, bodies, forms(sent.api_key, []), meter)
        drafts = [search.received.signed_by(key.api_key_id, key.fourth) for key in right]
        signatures += [spell_mac(key.mac(one.message())) for key, one in zip(right[:2], drafts, strict=False)]
        received = drafts[0].shown() if drafts else search.received.shown()
        found = search.run(len(slips))
    causes = (*slips, *(found.causes if found else ()))
    if not causes and said.reason is Reason.API_KEY_UNKNOWN:
        causes = (cause("api_key_unknown", sent=sent.api_key_id, hint=""),)
    if not causes and mac is None:
        causes = (cause("event_signature_malformed", shape=SIGNATURE.shape),)
    return said._replace(
        causes=causes,
        received=received,
        signed=found and found.draft.shown(),
        tried=meter.macs,
        hashed=meter.hashes,
        stopped=found is None and meter.stopped,
    )


def event_singles(plain: dict[str, Any], signatures: list[str]) -> Iterator[Guess]:
    """Give what was signed after one mistake.

    Args:
        plain: the event without its signature.
        signatures: those that it would rightly have had, for one that was signed twice.
    """
    it = Json(plain)
    for why, other in _changed(it, signatures):
        yield (why,), other.canonical
    for style, written in it.writings:
        yield (cause(f"signed_{style}", wanted=_WANTED),), written
    yield from framed(it.canonical)


def event_pairs(plain: dict[str, Any], signatures: list[str]) -> Iterator[Guess]:
    """Give what was signed after two mistakes with the event."""
    it = Json(plain)
    for why, other in _changed(it, signatures):
        for style, written in other.writings:
            yield (why, cause(f"signed_{style}", wanted=_WANTED)), written
    for first, other in _changed(it, signatures):
        for second, again in _changed(other, []):
            if second.cause not in (first.cause, "event_signature_signed"):
                yield (first, second), again.canonical
    for causes, written in event_singles(plain, signatures):
        yield from ((causes + more, again) for more, again in framed(written))


def _changed(it: Json, signatures: list[str]) -> Iterator[tuple[Cause, Json]]:
    along = cause("event_signature_signed", member=SIGNATURE_MEMBER)
    for signature in (*signatures, *_PLACEHOLDERS):
        yield along, it.changed({**it.value, SIGNATURE_MEMBER: signature})
    for name, other in changes(it):
        yield cause(name), other
    for name in list(it.value)[:_MAX_MEMBERS]:
        if name != SIGNATURE_MEMBER:
            why = cause("event_member_added", member=name)
            yield why, it.changed({other: member for other, member in it.value.items() if other != name})
