"""Every mistake that `explain` knows with requests, made for real by the sender of `mistaken_sender`.

A name is the id that has to be told; what stands behind a slash tells variants of one mistake apart.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlencode

from foreign_json import SERIALIZERS, indented
from mistaken_sender import (
    API_KEY,
    LATIN,
    LIVE_KEY,
    LIVE_SECRET,
    MEMBER,
    NOW,
    OTHER_KEY,
    OTHER_SECRET,
    RETIRED,
    RICH,
    SECOND,
    SECRET,
    Sender,
    canonical,
    key_id,
    sign_event,
)

SIGNED_EVENT = {**RICH, MEMBER: sign_event(RICH)}


class Mistake(NamedTuple):
    """One mistake.

    Attributes:
        make: does it to a sender.
        value: what is sent; the mistake has to have an effect on it.
    """

    make: Callable[[Sender], Any]
    value: dict[str, Any] = RICH


def _key(change: Callable[[bytes], bytes]) -> Mistake:
    return Mistake(lambda sender: sender.key.append(change))


def _line(index: int, change: Callable[[str], str]) -> Mistake:
    def edit(lines: list[str], _: bytes) -> list[str]:
        return [*lines[:index], change(lines[index]), *lines[index + 1 :]]

    return Mistake(lambda sender: sender.lines.append(edit))


def _lines(change: Callable[[list[str], bytes], list[str]]) -> Mistake:
    return Mistake(lambda sender: sender.lines.append(change))


def _sign(change: Callable[[bytes], bytes], value: dict[str, Any] = RICH) -> Mistake:
    return Mistake(lambda sender: sender.signed.append(change), value)


def _alter(change: Callable[[bytes], bytes], value: dict[str, Any] = RICH) -> Mistake:
    return Mistake(lambda sender: sender.transit.append(change), value)


def _signed_as(write: Callable[[Any], bytes]) -> Mistake:
    return _sign(lambda text: write(json.loads(text)))


def _sent_as(write: Callable[[Any], bytes]) -> Mistake:
    return _alter(lambda text: write(json.loads(text)))


def _set(**attributes: Any) -> Mistake:
    return Mistake(lambda sender: [setattr(sender, name, value) for name, value in attributes.items()])


def _message(make: Callable[[list[str], bytes], bytes]) -> Mistake:
    return _set(message=make)


def _header(name: str, change: Callable[[str], str | None]) -> Mistake:
    def edit(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        changed = [(known, change(value) if known == name else value) for known, value in headers]
        return [(known, value) for known, value in changed if value is not None]

    return Mistake(lambda sender: sender.headers.append(edit))


def _headers(change: Callable[[list[tuple[str, str]]], list[tuple[str, str]]]) -> Mistake:
    return Mistake(lambda sender: sender.headers.append(change))


def _without_nulls(value: Any) -> Any:
    return {k: _without_nulls(v) for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def _empty_array(text: bytes) -> bytes:
    return text.replace(b"{}", b"[]")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


KEY_MISTAKES = {
    "secret_newline": _key(lambda key: key + b"\n"),
    "secret_newline/crlf": _key(lambda key: key + b"\r\n"),
    "secret_space": _key(lambda key: key + b" "),
    "secret_quoted": _key(lambda key: b'"' + key + b'"'),
    "secret_bytes_repr": _key(lambda key: str(key).encode()),
    "secret_prefix_added": _key(lambda key: b"whsec_" + key),
    "secret_prefix_cut": _key(lambda key: key.removeprefix(b"rps_test_")),
    "secret_truncated": _key(lambda key: key[:-8]),
    "secret_case": _key(bytes.lower),
    "secret_base64_decoded": _key(lambda key: b64decode(key[9:52] + b"=", altchars=b"-_")),
    "secret_base64_encoded": _key(b64encode),
    "secret_hex_encoded": _key(lambda key: key.hex().encode()),
    "secret_hashed": _key(lambda key: hashlib.sha256(key).digest()),
    "secret_utf16": _key(lambda key: key.decode().encode("utf-16-le")),
    "secret_empty": _key(lambda key: b""),
    "secret_unset": _key(lambda key: b"undefined"),
    "api_key_as_secret": _key(lambda key: API_KEY.encode()),
    "key_id_as_secret": _key(lambda key: key_id(key).encode()),
    "secret_retired": _set(secret=RETIRED),
    "secret_of_other_api_key": _set(secret=OTHER_SECRET),
    "secret_other": Mistake(lambda sender: [setattr(sender, "sent_key_id", key_id(SECOND.encode())), None]),
    "live_for_test": _set(secret=LIVE_SECRET),
    "live_for_test/ids too": _set(secret=LIVE_SECRET, signed_api_key=LIVE_KEY),
    "test_for_live": _set(api_key=LIVE_KEY),
    "api_key_other": _set(api_key=OTHER_KEY),
    "key_id_wrong": _set(sent_key_id="0123456789abcdef"),
    "hmac_arguments_swapped": _set(mac=lambda key, message: _hmac(message, key)),
    "hash_without_hmac": _set(mac=lambda key, message: hashlib.sha256(key + message).digest()),
    "signing_input_hashed": _set(mac=lambda key, message: _hmac(key, hashlib.sha256(message).digest())),
}

LINE_MISTAKES = {
    "lines_crlf": _set(joint="\r\n"),
    "lines_final_newline": Mistake(lambda sender: setattr(sender, "end", "\n")),
    "lines_escaped_newline": _set(joint="\\n"),
    "lines_other_separator": _set(joint="."),
    "purpose_swapped": _line(1, lambda _: "event"),
    "api_key_in_line": _line(2, lambda _: API_KEY),
    "api_key_id_uncut": _line(2, lambda _: hashlib.sha256(b"rp1-api-key\n" + API_KEY.encode()).hexdigest()),
    "api_key_id_unlabelled": _line(2, lambda _: hashlib.sha256(API_KEY.encode()).hexdigest()[:16]),
    "key_id_dash": _line(3, lambda _: "-"),
    "key_id_header_lost": _header("X-RP-Key-Id", lambda _: None),
    "timestamp_milliseconds": _line(4, lambda seconds: seconds + "417"),
    "timestamp_rendered": _line(
        4, lambda seconds: datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ),
    "timestamp_rendered/float": _line(4, lambda seconds: str(float(seconds))),
    "timestamp_read_twice": _line(4, lambda seconds: str(int(seconds) - 1)),
    "nonce_padded": _line(5, lambda nonce: nonce + "=="),
    "nonce_rewritten": _line(5, lambda nonce: nonce.replace("-", "+").replace("_", "/")),
    "nonce_missing": _line(5, lambda _: ""),
    "length_in_characters": _lines(lambda lines, body: [*lines[:6], str(len(body.decode())), lines[7]]),
    "length_in_characters/utf-16": _lines(
        lambda lines, body: [*lines[:6], str(len(body.decode().encode("utf-16-le")) // 2), lines[7]]
    ),
    "digest_uppercase": _line(7, str.upper),
    "digest_base64": _line(7, lambda digest: b64encode(bytes.fromhex(digest)).decode()),
    "digest_prefixed": _line(7, lambda digest: "sha256=" + digest),
    "digest_twice": _line(7, lambda digest: hashlib.sha256(digest.encode()).hexdigest()),
    "digest_alone": _message(lambda lines, _: lines[7].encode()),
    "body_for_digest": _message(lambda lines, body: "\n".join([*lines[:7], ""]).encode() + body),
    "body_alone": _message(lambda _, body: body),
    "body_with_timestamp": _message(lambda lines, body: f"{lines[4]}.".encode() + body),
    "event_signature_sent": Mistake(
        lambda sender: setattr(sender, "spell", lambda _: sender.value[MEMBER]), SIGNED_EVENT
    ),
    "lines_order": _lines(lambda lines, _: [*lines[:2], lines[3], lines[2], *lines[4:]]),
    "version_line_missing": _lines(lambda lines, _: lines[1:]),
}

BODY_MISTAKES = {
    "body_newline_added": _alter(lambda body: body + b"\n"),
    "body_newline_lost": _sign(lambda body: body + b"\n"),
    "body_crlf": Mistake(
        lambda sender: [
            sender.signed.append(lambda body: indented(json.loads(body))),
            sender.transit.append(lambda body: indented(json.loads(body)).replace(b"\n", b"\r\n")),
        ]
    ),
    "body_crlf_lost": Mistake(
        lambda sender: [
            sender.signed.append(lambda body: indented(json.loads(body)).replace(b"\n", b"\r\n")),
            sender.transit.append(lambda body: indented(json.loads(body))),
        ]
    ),
    "body_bom_added": _alter(lambda body: b"\xef\xbb\xbf" + body),
    "body_bom_lost": _sign(lambda body: b"\xef\xbb\xbf" + body),
    "body_nul_signed": _sign(lambda body: body + b"\0"),
    "body_white_space": _alter(lambda body: b" " + body + b"  "),
    "body_empty": _alter(lambda _: b""),
    "signed_empty": _sign(lambda _: b""),
    "body_latin1": _alter(lambda body: body.decode().encode("latin-1"), LATIN),
    "body_latin1_twice": _alter(lambda body: body.decode("latin-1").encode(), LATIN),
    "signed_latin1": _sign(lambda body: body.decode().encode("latin-1"), LATIN),
    "signed_latin1_twice": _sign(lambda body: body.decode("latin-1").encode()),
    "body_replaced": _alter(lambda body: body.decode("ascii", "replace").encode()),
    "signed_replaced": _sign(lambda body: body.decode("ascii", "replace").encode()),
    "signed_question_marks": _sign(lambda body: body.decode().encode("ascii", "replace")),
    "body_utf16": _alter(lambda body: body.decode().encode("utf-16")),
    "signed_utf16": _sign(lambda body: body.decode().encode("utf-16-le")),
    "signed_nfc": _sign(lambda body: unicodedata.normalize("NFC", body.decode()).encode()),
    "body_nfc": _alter(
        lambda body: unicodedata.normalize("NFC", body.decode()).encode(), {**LATIN, "event": "cafe\u0301"}
    ),
    "body_gzip": _alter(gzip.compress),
    "body_base64": _alter(b64encode),
    "signed_base64": _sign(b64encode),
    "body_json_string": _alter(lambda body: json.dumps(body.decode()).encode()),
    "signed_json_string": _sign(lambda body: json.dumps(body.decode()).encode()),
    "body_form": _alter(lambda body: quote_plus(body).encode()),
    "body_form/named": _alter(lambda body: urlencode({"payload": body}).encode()),
    "body_bytes_repr": _alter(lambda body: str(body).encode()),
    "digest_of_text": _sign(lambda body: str(body).encode()),
    "reserialized": _alter(lambda body: body.replace(b'":', b'" :')),
    "signed_nulls_dropped": _sign(lambda body: canonical(_without_nulls(json.loads(body)))),
    "php_empty_array": _alter(_empty_array),
    "signed_php_empty_array": _sign(_empty_array),
    "signed_before_event": _sign(lambda body: canonical(RICH), SIGNED_EVENT),
}
for _name, _write in SERIALIZERS.items():
    BODY_MISTAKES[f"reserialized_{_name}"] = _sent_as(_write)
    BODY_MISTAKES[f"signed_{_name}"] = _signed_as(_write)

HEADER_MISTAKES = {
    "header_missing": _header("X-RP-Nonce", lambda _: None),
    "header_duplicate": _headers(lambda headers: [*headers, headers[2]]),
    "header_folded": _header("X-RP-Nonce", lambda nonce: f"{nonce}, {nonce}"),
    "header_white_space": _header("X-RP-Api-Key", lambda text: text + "\n"),
    "header_quoted": _header("X-RP-Timestamp", lambda text: f'"{text}"'),
    "header_underscores": _headers(lambda headers: [(name.replace("-", "_"), value) for name, value in headers]),
    "header_malformed": _header("X-RP-Key-Id", lambda _: "-"),
    "signature_missing": _headers(lambda headers: headers[:2]),
    "timestamp_milliseconds/header": _set(now=NOW * 1000 + 417),
    "timestamp_microseconds": _set(now=NOW * 1_000_000 + 417),
    "timestamp_rendered/header": _set(now=NOW + 0.25),
    "timestamp_rendered/date": _set(now="2026-11-23T09:00:00+00:00"),
    "mac_base64": _set(spell=lambda mac: b64encode(mac).decode()),
    "mac_base64/prefixed": _set(spell=lambda mac: "sha256=" + b64encode(mac).decode()),
    "mac_uppercase": _set(spell=lambda mac: "sha256=" + mac.hex().upper()),
    "mac_prefix_missing": _set(spell=bytes.hex),
    "mac_other_hash": _set(spell=lambda mac: "sha1=" + mac.hex()[:40]),
    "key_id_uppercase": _header("X-RP-Key-Id", str.upper),
    "key_id_uncut": _header("X-RP-Key-Id", lambda _: hmac.digest(SECRET.encode(), b"rp1-key-id", "sha256").hex()),
    "nonce_malformed": _header("X-RP-Nonce", lambda nonce: nonce[:16]),
    "secret_as_api_key": _header(
        "X-RP-Api-Key", lambda _: "rps_test_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh86d2f6a97"
    ),
    "api_key_bearer": _header("X-RP-Api-Key", lambda text: "Bearer " + text),
    "api_key_unknown": _set(api_key="rpx_test_demp", signed_api_key="rpx_test_demp"),
    "media_type": _header("Content-Type", lambda _: "application/x-www-form-urlencoded"),
    "content_encoding": _headers(lambda headers: [*headers, ("Content-Encoding", "br")]),
    "body_gzip/said": Mistake(
        lambda sender: [
            sender.transit.append(gzip.compress),
            sender.headers.append(lambda headers: [*headers, ("Content-Encoding", "gzip")]),
        ]
    ),
    "timestamp_expired": _set(now=NOW - 7200),
    "timestamp_future": _set(now=NOW + 61),
}

MISTAKES: dict[str, Mistake] = {**KEY_MISTAKES, **LINE_MISTAKES, **BODY_MISTAKES, **HEADER_MISTAKES}
