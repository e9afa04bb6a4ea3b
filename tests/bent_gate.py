"""How an ingest server can be bent at the gate: how it verifies, parses and judges, and what it tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from spec_page import API_KEY, SECRET

from rp_signing import Keyring, Reason, VerificationError, Verifier, canonicalize, parse, sign_event, wire
from rp_signing import verifier as verifier_module
from rp_signing.errors import CanonicalizationError
from rp_signing.ingest import app as app_module
from rp_signing.ingest import judge as judge_module
from rp_signing.ingest.reply import refused


def tells(member: str, of: Callable[[VerificationError], str]) -> Any:
    """Tell what is for the log alone."""

    def told(error: VerificationError, *rest: Any) -> Any:
        reply = refused(error, *rest)
        return reply._replace(document={**reply.document, member: of(error)})

    return patch.object(app_module, "refused", told)


def matches(judge: Callable[[Any, bytes, str], bool]) -> Any:
    """Compare a MAC in another way."""
    return patch.object(verifier_module, "matches", judge)


def as_event(signing_input: bytes) -> bytes:
    """Give the signing input of a request with an event's purpose."""
    return signing_input.replace(b"\nrequest\n", b"\nevent\n")


def who(judge: Callable[..., str | None]) -> Any:
    """Find who signed in one more way, where it is not the secret that is named."""
    real = Verifier._who_else

    def lax(self: Verifier, fields: Any, entry: Any, body: bytes, digest: str) -> Any:
        found = judge(fields, entry, len(body), digest)
        return real(self, fields, entry, body, digest) if found is None else (found, len(body), digest, False)

    return patch.object(Verifier, "_who_else", lax)


def ignores_key_id(fields: Any, entry: Any, length: int, digest: str) -> str | None:
    """Try every secret, whatever the key id."""
    given = ("request", entry.api_key_id, *fields[1:4], length, digest)
    mac = bytes.fromhex(fields[4][7:])
    return next((k for k, secret in entry.secrets.items() if secret.mac(wire.signing_input(*given)) == mac), None)


def _signed_under(key_id: str | None, fields: Any, *rest: Any) -> str | None:
    return verifier_module._who_signed(wire.SignedFields(*fields)._replace(key_id=key_id), *rest)


def tries_dash_too(fields: Any, *rest: Any) -> Any:
    """Try a signing input without the key id too."""
    return _signed_under(None, fields, *rest)


def tries_key_ids_too(fields: Any, entry: Any, *rest: Any) -> Any:
    """Try a signing input with each key id too."""
    return next((key_id for key_id in entry.secrets if _signed_under(key_id, fields, entry, *rest)), None)


def by_prefix(find: Any) -> Any:
    """Find an api key by how it begins."""

    def lax(keyring: Keyring, api_key: str) -> Any:
        return find(keyring, api_key) or next(
            (find(keyring, k) for k in keyring._by_key if api_key.startswith(k)), None
        )

    return patch.object(Keyring, "find", lax)


async def each_piece_in_time(receive: Any, headers: Any, limit: int, seconds: float) -> bytes:
    """Give every piece of a body the whole time."""
    body, more = b"", True
    while more:
        message = await asyncio.wait_for(receive(), seconds)
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def forgives(reason: Reason, read: Callable[[bytes], Any]) -> Any:
    """Read a body that is refused for this reason in another way."""

    def lenient(body: bytes, limit: int) -> Any:
        try:
            return parse(body, limit)
        except CanonicalizationError as error:
            if error.reason is not reason:
                raise
            return read(body)

    return patch.object(app_module, "parse", lenient)


def judges(change: Callable[[str, Any, Any, Any], tuple[str, Any, Any, Any]]) -> Any:
    """Change route or payload before the events are judged."""
    return patch.object(app_module, "judge", lambda *given: judge_module.judge(*change(*given)))


_KNOWN = {"type", "messageId", "userId", "anonymousId", "event", "groupId", "properties", "traits", "context"}
_KNOWN |= {"timestamp", "integrity_signature", "batch", "sentAt", "trust"}


def drop_unknown(route: str, payload: Any, *rest: Any) -> Any:
    """Take members out that are not known."""
    if isinstance(payload, dict):
        payload = {name: value for name, value in payload.items() if name in _KNOWN}
    return route, payload, *rest


def drop_trust(route: str, payload: Any, *rest: Any) -> Any:
    """Take the member trust out."""
    if isinstance(payload, dict):
        payload = {name: value for name, value in payload.items() if name != "trust"}
    return route, payload, *rest


def any_route(route: str, payload: Any, *rest: Any) -> Any:
    """Take the type for the route."""
    return (payload.get("type", route) if route != "batch" and isinstance(payload, dict) else route), payload, *rest


def resigned(spoiled: Callable[[dict[str, Any]], bool]) -> Any:
    """Give every event that is spoiled in this way its right signature."""

    def mend(route: str, payload: Any, claim: Any, entry: Any) -> Any:
        def one(event: Any) -> Any:
            if claim is None or not isinstance(event, dict) or not spoiled(event):
                return event
            plain = {name: value for name, value in event.items() if name != "integrity_signature"}
            return sign_event(plain, api_key=API_KEY, secret=SECRET)

        if isinstance(payload, dict) and isinstance(payload.get("batch"), list):
            payload = {**payload, "batch": [one(event) for event in payload["batch"]]}
        else:
            payload = one(payload)
        return route, payload, claim, entry

    return judges(mend)


def claims_when_admitted() -> Any:
    """Use the nonce up before the body is parsed."""
    seen: set[str] = set()
    admit = app_module.Verifier.admit

    def early(*given: Any) -> Any:
        outcome = admit(*given)
        nonce = getattr(outcome, "nonce", None)
        if nonce in seen:
            raise VerificationError(Reason.REPLAYED, "seen")
        seen.update([nonce] if nonce else [])
        return outcome

    return patch.object(app_module.Verifier, "admit", early)


def stores_the_good_ones() -> Any:
    """Store the good events of a batch that is refused for another."""
    accept = app_module.Ingest._accept

    def half(self: Any, gate: Any, arrival: Any, route: str, outcome: Any, body: bytes, received_at: int) -> Any:
        try:
            return accept(self, gate, arrival, route, outcome, body, received_at)
        except VerificationError as error:
            events = parse(body).get("batch", []) if route == "batch" else []
            for at, event in enumerate(events):
                own = outcome._replace(nonce=f"{outcome.nonce[:60]}{at}")
                try:
                    accept(self, gate, arrival, "batch", own, canonicalize({"batch": [event]}), received_at)
                except VerificationError:
                    continue
            raise error

    return patch.object(app_module.Ingest, "_accept", half)
