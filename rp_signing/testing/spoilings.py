"""Every way to spoil a request, each with the reason that it must be refused for (SPEC §6.1)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

from .. import wire
from ..canonical import DEFAULT_LIMIT
from ..errors import Reason
from ..keys import ApiKey, Secret
from ..replay import FUTURE, PAST
from .requests import OTHER_SECRET, SignedRequest

__all__ = ["Spoiled", "spoilings"]

Pairs = list[tuple[str, str]]

_SIGNED = (wire.API_KEY, wire.KEY_ID, wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE)


class Spoiled(NamedTuple):
    """A request that must be refused.

    Attributes:
        name: what is wrong with it.
        headers: (name, value) pairs; one of them may stand twice.
        body: the bytes that are sent.
        reason: what it must be refused for.
        codes: the public codes that say so; two where a server may join a doubled header's lines before anybody sees.
        status: the HTTP status.
    """

    name: str
    headers: Pairs
    body: bytes
    reason: Reason
    codes: frozenset[str]
    status: int

    def __repr__(self) -> str:
        return f"<Spoiled {self.name}: {self.reason.value}>"


def spoilings(
    request: SignedRequest, *, past: int = PAST, future: int = FUTURE, max_body: int = DEFAULT_LIMIT, door: bool = True
) -> Iterator[Spoiled]:
    """Spoil a valid request in one place at a time.

    Send the request itself first, and see it taken: the last of these is the same one again.

    Args:
        request: what `signed_request` gave.
        past: seconds, as the verifier is set.
        future: seconds, as the verifier is set.
        max_body: bytes, as the verifier is set; what is sent beyond it is one byte longer.
        door: False leaves out what an endpoint refuses and a `Verifier` alone does not.
    """
    again = _Signer(request)
    yield from _altered(request)
    yield from _headers(request)
    yield from _spellings(again)
    yield from _signed_wrongly(again)
    yield from _times(again, past, future)
    yield from _payloads(again)
    yield from _limits(again, max_body, door)
    yield _spoiled("sent a second time", request.headers, request.body, Reason.REPLAYED)


class _Signer:
    """Signs as it is told, also what no sender may."""

    def __init__(self, request: SignedRequest) -> None:
        self.request = request
        self.fields = dict(request.headers)

    def sign(self, body: bytes | None = None, **told: Any) -> Pairs:
        """Give headers whose MAC holds over what they say; what is told replaces a line of the signing input."""
        body = self.request.body if body is None else body
        secret: Secret = told.get("secret", self.request.secret)
        api_key_id = ApiKey(self.request.api_key).api_key_id
        key_id = told.get("key_id", secret.key_id)
        timestamp = str(told.get("timestamp", self.fields[wire.TIMESTAMP]))
        nonce = told.get("nonce", self.fields[wire.NONCE])
        signing_input = wire.signing_input(
            told.get("purpose", "request"),
            api_key_id,
            key_id,
            timestamp,
            nonce,
            told.get("length", len(body)),
            told.get("digest", sha256(body).hexdigest()),
        )
        end = told.get("end", b"")
        mac = secret.mac(signing_input + end)
        signature = told.get("prefix", "sha256=") + (b64encode(mac).decode() if told.get("base64") else mac.hex())
        said = {wire.KEY_ID: key_id, wire.TIMESTAMP: timestamp, wire.NONCE: nonce, wire.SIGNATURE: signature}
        return list({**self.fields, **said}.items())


def _spoiled(name: str, headers: Pairs, body: bytes, reason: Reason, *also: Reason) -> Spoiled:
    codes = frozenset(each.public_code for each in (reason, *also))
    return Spoiled(name, list(headers), body, reason, codes, reason.status)


def _with(headers: Pairs, name: str, value: str) -> Pairs:
    return [(other, value if other == name else old) for other, old in headers]


def _altered(request: SignedRequest) -> Iterator[Spoiled]:
    """Change bytes of the body after it was signed."""
    body = request.body
    for name, altered in (
        ("one bit of the body turned", body[:-1] + bytes([body[-1] ^ 1])),
        ("a space behind the body", body + b" "),
        ("a line feed behind the body", body + b"\n"),
        ("the last byte of the body cut off", body[:-1]),
        ("another body", b'{"event":"another"}'),
        ("no body", b""),
        ("a byte order mark before the body", b"\xef\xbb\xbf" + body),
    ):
        yield _spoiled(name, request.headers, altered, Reason.SIGNATURE_MISMATCH)


def _headers(request: SignedRequest) -> Iterator[Spoiled]:
    """Leave headers out, double them, fold them, and name what may not be there."""
    headers, body = request.headers, request.body
    for name in _SIGNED:
        reason = {wire.API_KEY: Reason.API_KEY_MISSING, wire.KEY_ID: Reason.SIGNATURE_MISMATCH}.get(
            name, Reason.HEADER_MALFORMED
        )
        yield _spoiled(f"without {name}", [pair for pair in headers if pair[0] != name], body, reason)
    unsigned = [pair for pair in headers if pair[0] not in _SIGNED[1:]]
    yield _spoiled("unsigned", unsigned, body, Reason.SIGNATURE_MISSING)
    for name in _SIGNED:
        value = dict(headers)[name]
        doubled = [*headers, (name, value)]
        yield _spoiled(f"{name} twice", doubled, body, Reason.HEADER_DUPLICATE, Reason.HEADER_MALFORMED)
        yield _spoiled(
            f"{name} twice in one line", _with(headers, name, f"{value}, {value}"), body, Reason.HEADER_MALFORMED
        )
    unknown = _with(headers, wire.API_KEY, "rpx_test_known-to-nobody")
    yield _spoiled("an api key that nobody knows", unknown, body, Reason.API_KEY_UNKNOWN)
    other_type = _with(headers, wire.CONTENT_TYPE, "text/plain")
    yield _spoiled("another Content-Type", other_type, body, Reason.MEDIA_TYPE_UNSUPPORTED)
    yield _spoiled("compressed", [*headers, (wire.CONTENT_ENCODING, "gzip")], body, Reason.ENCODING_UNSUPPORTED)


def _spellings(again: _Signer) -> Iterator[Spoiled]:
    """Spell a value in another way than its one, the MAC over just that where it is covered."""
    fields, body = again.fields, again.request.body
    timestamp, nonce, signature = fields[wire.TIMESTAMP], fields[wire.NONCE], fields[wire.SIGNATURE]
    yield _spoiled(
        "the timestamp in milliseconds", again.sign(timestamp=f"{timestamp}000"), body, Reason.TIMESTAMP_UNIT
    )
    for name, headers in (
        ("a timestamp with a fraction", again.sign(timestamp=f"{timestamp}.0")),
        ("a timestamp with a sign", again.sign(timestamp=f"+{timestamp}")),
        ("a timestamp with a leading zero", again.sign(timestamp=f"0{timestamp}")),
        ("a timestamp in hex", again.sign(timestamp=f"0x{int(timestamp):08x}")),
        ("a nonce of 21 characters", again.sign(nonce=nonce[:21])),
        ("a nonce of 65 characters", again.sign(nonce="x" * 65)),
        ("a nonce with a dot", again.sign(nonce=nonce[:-1] + ".")),
        ("a signature without sha256=", again.sign(prefix="")),
        ("a signature with sha512=", again.sign(prefix="sha512=")),
        ("a signature in base64", again.sign(base64=True)),
        ("a signature in capitals", _with(again.sign(), wire.SIGNATURE, "sha256=" + signature[7:].upper())),
        ("half a signature", _with(again.sign(), wire.SIGNATURE, signature[:39])),
        ("a signature of nothing", _with(again.sign(), wire.SIGNATURE, "sha256=")),
        ("a key id in capitals", _with(again.sign(), wire.KEY_ID, "ABCDEF0123456789")),
    ):
        yield _spoiled(name, headers, body, Reason.HEADER_MALFORMED)


def _signed_wrongly(again: _Signer) -> Iterator[Spoiled]:
    """Sign over something else, or by something else."""
    body, other = again.request.body, Secret(OTHER_SECRET)
    yield _spoiled("signed with another secret", again.sign(secret=other), body, Reason.KEY_ID_UNKNOWN)
    named = again.sign(secret=other, key_id=again.request.secret.key_id)
    for name, headers in (
        ("signed with another secret under this one's key id", named),
        ("signed for another purpose", again.sign(purpose="event")),
        ("another length signed", again.sign(length=len(body) + 1)),
        ("another digest signed", again.sign(digest=sha256(b"").hexdigest())),
        ("a line feed behind what was signed", again.sign(end=b"\n")),
        ("a signature of zeros", _with(again.sign(), wire.SIGNATURE, "sha256=" + "0" * 64)),
        ("another timestamp than was signed", _with(again.sign(), wire.TIMESTAMP, _later(again, 1))),
        ("another nonce than was signed", _with(again.sign(), wire.NONCE, "x" * 22)),
    ):
        yield _spoiled(name, headers, body, Reason.SIGNATURE_MISMATCH)


def _times(again: _Signer, past: int, future: int) -> Iterator[Spoiled]:
    """Sign too early and too late; a minute beyond the window, for the time that the test itself takes."""
    body = again.request.body
    yield _spoiled(
        "signed too long ago", again.sign(timestamp=_later(again, -past - 60)), body, Reason.TIMESTAMP_EXPIRED
    )
    ahead = again.sign(timestamp=_later(again, future + 60))
    yield _spoiled("dated too far ahead", ahead, body, Reason.TIMESTAMP_FUTURE)


def _payloads(again: _Signer) -> Iterator[Spoiled]:
    """Sign, correctly, what is no strict JSON."""
    for name, body, reason in (
        ("a name twice in the payload", b'{"a":1,"a":2}', Reason.PAYLOAD_DUPLICATE_KEY),
        ("no JSON", b"event=test", Reason.PAYLOAD_NOT_JSON),
        ("NaN in the payload", b'{"a":NaN}', Reason.PAYLOAD_NOT_JSON),
        ("a comma too many in the payload", b'{"a":1,}', Reason.PAYLOAD_NOT_JSON),
        ("bytes that are no UTF-8", b'{"a":"\xff"}', Reason.PAYLOAD_NOT_UTF8),
        ("an integer that no double holds", b'{"a":9007199254740993}', Reason.PAYLOAD_NUMBER_RANGE),
        ("half a surrogate pair", b'{"a":"\\ud800"}', Reason.PAYLOAD_SURROGATE),
        ("nested too deeply", b"[" * 1000 + b"]" * 1000, Reason.PAYLOAD_DEPTH),
    ):
        yield _spoiled(name, again.sign(body), body, reason)


def _limits(again: _Signer, max_body: int, door: bool) -> Iterator[Spoiled]:
    """Send more than is taken; and, to a door, what a verifier has no eye for."""
    long = b'"' + b"x" * (max_body - 1) + b'"'
    yield _spoiled("one byte too long", again.sign(long), long, Reason.PAYLOAD_TOO_LARGE)
    if door:
        bare = [pair for pair in again.request.headers if pair[0] != wire.CONTENT_TYPE]
        yield _spoiled("without Content-Type", bare, again.request.body, Reason.MEDIA_TYPE_UNSUPPORTED)


def _later(again: _Signer, seconds: int) -> str:
    return str(int(again.fields[wire.TIMESTAMP]) + seconds)
