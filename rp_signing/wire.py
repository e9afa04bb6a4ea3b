"""Header names, how they are read strictly, and the signing input (SPEC §4, §5).

Rule: each header name stands here once. A value is matched whole, on the received text, and that text goes into the
signing input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from . import grammar
from .errors import Reason, VerificationError

__all__ = [
    "API_KEY",
    "CONTENT_ENCODING",
    "CONTENT_TYPE",
    "KEY_ID",
    "MEDIA_TYPE",
    "NONCE",
    "SIGNATURE",
    "SIGNATURE_MEMBER",
    "TIMESTAMP",
    "Five",
    "Headers",
    "SignedFields",
    "UnsignedFields",
    "glance",
    "read_headers",
    "signing_input",
]

API_KEY = "X-RP-Api-Key"
KEY_ID = "X-RP-Key-Id"
TIMESTAMP = "X-RP-Timestamp"
NONCE = "X-RP-Nonce"
SIGNATURE = "X-RP-Signature"
CONTENT_TYPE = "Content-Type"
CONTENT_ENCODING = "Content-Encoding"

MEDIA_TYPE = "application/json"
SIGNATURE_MEMBER = "integrity_signature"

Headers = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
"""What the gate takes: a mapping, or (name, value) pairs; str (each character an octet) or bytes."""

_OWN = (API_KEY, KEY_ID, TIMESTAMP, NONCE, SIGNATURE)
_RULE = dict(
    zip(_OWN, (grammar.API_KEY, grammar.KEY_ID, grammar.TIMESTAMP, grammar.NONCE, grammar.SIGNATURE), strict=True)
)
_CONTENT_TYPE = re.compile(r'application/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?', re.IGNORECASE | re.ASCII)
_REQUIRED = (TIMESTAMP, NONCE, SIGNATURE)


class SignedFields(NamedTuple):
    """The five fields of a signed request as received, each in its one spelling (SPEC §4).

    Attributes:
        api_key: the api key; a credential, so it is in no repr.
        key_id: 16 hex digits, or None where the sender gave none.
        timestamp: ten digits.
        nonce: 22 to 64 characters.
        signature: ``sha256=`` and 64 hex digits.
    """

    api_key: str
    key_id: str | None
    timestamp: str
    nonce: str
    signature: str

    def __repr__(self) -> str:
        return f"<SignedFields key_id={self.key_id} timestamp={self.timestamp} nonce={self.nonce}>"


Five = tuple[str, str | None, str, str, str]
"""The values of `SignedFields`, without their names."""


class UnsignedFields(NamedTuple):
    """The one field of an unsigned request (SPEC §4).

    Attributes:
        api_key: the api key; a credential, so it is in no repr.
    """

    api_key: str

    def __repr__(self) -> str:
        return "<UnsignedFields>"


def signing_input(
    purpose: str, api_key_id: str, key_id: str | None, timestamp: str, nonce: str, length: int, digest: str
) -> bytes:
    """Give the eight lines that are MACed (SPEC §5).

    Args:
        purpose: ``request`` or ``event``.
        api_key_id: 16 hex digits.
        key_id: 16 hex digits; None, for a request without that header, is written ``-``.
        timestamp: as received; ``-`` for an event.
        nonce: as received; ``-`` for an event.
        length: of what is covered, in bytes.
        digest: SHA-256 of what is covered, 64 hex digits.

    Returns:
        ASCII bytes, no line feed at the end.
    """
    return (
        f"RP1-HMAC-SHA256\n{purpose}\n{api_key_id}\n{key_id or '-'}\n{timestamp}\n{nonce}\n{length}\n{digest}"
    ).encode("ascii")


def read_headers(headers: Headers) -> SignedFields | UnsignedFields:
    """Read the fields of a request, strictly (SPEC §6.1, steps 2 and 3).

    Args:
        headers: a mapping or (name, value) pairs, str or bytes; all headers of the request, so that a doubled one
            shows.

    Returns:
        The fields of a signed or of an unsigned request.

    Raises:
        VerificationError: ``encoding_unsupported``, ``media_type_unsupported``, ``header_malformed``,
            ``header_duplicate``, ``timestamp_unit`` or ``api_key_missing``.
        TypeError: ``headers`` is neither a mapping nor pairs.
    """
    try:
        return _read_carefully(*_pick(headers))
    except VerificationError as error:
        # A traceback keeps the locals of its frames, and the api key is in these.
        del headers
        raise error.with_traceback(None) from None


_FIVE = itemgetter(*(name.lower().encode() for name in _OWN))
_CONTENT_TYPE_NAME, _CONTENT_ENCODING_NAME = CONTENT_TYPE.lower().encode(), CONTENT_ENCODING.lower().encode()
_JSON = MEDIA_TYPE.encode()
# Leaves a nonce as it is, and changes whatever is none.
_NONCES_ONLY = bytes(octet if octet in grammar.KEY_CHARACTERS else ord("A") for octet in range(256))


def glance(headers: Headers) -> Five | None:
    """Read the usual case fast: an ASGI server's list, each name once and in lower case, all five of ours there.

    Timestamp and nonce are proved to be in their one spelling. Api key, key id and signature are as received, UTF-8:
    whoever finds one equal to one that is known has proved it, and whoever does not must ask `read_headers`.

    Returns:
        The five values; None where anything is otherwise, and `read_headers` says what.
    """
    if type(headers) is not list:
        return None
    try:
        found = dict(headers)
        names = len(found)
        if names != len(headers):
            return None
        api_key, key_id, timestamp, nonce, signature = _FIVE(found)
        # Where nothing else is there, no other spelling of our names is, and nothing that is said of the body.
        if names > 5 and (
            (together := b"".join([*found])) != together.lower()
            or found.get(_CONTENT_TYPE_NAME, _JSON) != _JSON
            or _CONTENT_ENCODING_NAME in found
        ):
            return None
        # The rules of both once more, in a third of the time of a regular expression.
        if len(timestamp) != 10 or not timestamp.isdigit() or timestamp < b"1":
            return None
        if not 22 <= len(nonce) <= 64 or nonce.translate(_NONCES_ONLY) != nonce:
            return None
        return api_key.decode(), key_id.decode(), timestamp.decode(), nonce.decode(), signature.decode()
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


_SPELLING: dict[str | bytes, str] = {}
for _name in (*_OWN, CONTENT_TYPE, CONTENT_ENCODING):
    for _cased in (_name, _name.lower()):
        _SPELLING[_cased] = _SPELLING[_cased.encode()] = _name


def _pick(headers: Any) -> tuple[dict[str, str], str | None]:
    """Give our own headers by their one spelling, values as str, an octet a character; and one that is doubled."""
    found: dict[str, str] = {}
    doubled = None
    spelling = _SPELLING.get
    try:
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            known = spelling(name) or (spelling(name.lower()) if name.isascii() else None)
            if known is None:
                continue
            if known in found:
                doubled = known
            else:
                found[known] = value if type(value) is str else _text_of(known, value)
    except (TypeError, ValueError, AttributeError):
        raise TypeError(
            "headers must be a mapping or (name, value) pairs of str or bytes; hand in all headers of the request"
        ) from None
    return found, doubled


def _text_of(name: str, value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("latin-1")
    if isinstance(value, str):
        return str.__str__(value)
    raise VerificationError(
        Reason.HEADER_MALFORMED, f"{name} is {type(value).__name__}; a header's value is str or bytes"
    )


def _check_content(found: dict[str, str]) -> None:
    encoding = found.get(CONTENT_ENCODING)
    if encoding is not None and encoding != "identity" and encoding.lower() != "identity":
        raise VerificationError(
            Reason.ENCODING_UNSUPPORTED, f"{CONTENT_ENCODING} is there; send the body as it is, uncompressed"
        )
    media_type = found.get(CONTENT_TYPE)
    if media_type is not None and media_type != MEDIA_TYPE and not _CONTENT_TYPE.fullmatch(media_type):
        raise VerificationError(
            Reason.MEDIA_TYPE_UNSUPPORTED, f"{CONTENT_TYPE} must be {MEDIA_TYPE}, with charset utf-8 or none"
        )


def _read_carefully(found: dict[str, str], doubled: str | None) -> SignedFields | UnsignedFields:
    """Read the fields one by one, to name what is wrong with which."""
    _check_content(found)
    if doubled:
        raise VerificationError(Reason.HEADER_DUPLICATE, f"{doubled} stands more than once; send it in one line")
    for name, rule in _RULE.items():
        if name in found and not rule.matches(found[name]):
            raise _malformed(name, found[name])
    missing = [name for name in _REQUIRED if name not in found]
    if len(missing) < len(_REQUIRED) or KEY_ID in found:
        if API_KEY not in found and missing:
            missing.insert(0, API_KEY)
        if missing:
            raise VerificationError(
                Reason.HEADER_MALFORMED, f"signature headers stand all or none; missing: {', '.join(missing)}"
            )
    if API_KEY not in found:
        raise VerificationError(Reason.API_KEY_MISSING, f"{API_KEY} is not there")
    if missing:
        return UnsignedFields(found[API_KEY])
    return SignedFields(found[API_KEY], found.get(KEY_ID), found[TIMESTAMP], found[NONCE], found[SIGNATURE])


def _malformed(name: str, value: str) -> VerificationError:
    if name == TIMESTAMP and grammar.MILLISECONDS.matches(value):
        return VerificationError(
            Reason.TIMESTAMP_UNIT, f"{name} has 13 digits: it looks like milliseconds; send whole seconds"
        )
    hint = ""
    if "," in value:
        hint = " (a comma: two lines were folded into one on the way?)"
    elif value != value.strip():
        hint = " (white space around it)"
    return VerificationError(Reason.HEADER_MALFORMED, f"{name} must be {_RULE[name].shape}{hint}")
