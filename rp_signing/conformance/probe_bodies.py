"""Probes of what a body may be: encoding, size, and strict JSON; all signed rightly (SPEC §3.3, §4, §6.1)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator

from .. import wire
from ..canonical import DEFAULT_LIMIT
from ..errors import Reason
from .http_talk import NoReply
from .probe_sender import Request, Sender
from .probe_visit import Differs, Probe, Visit, asks
from .probe_wants import refused

__all__ = ["PROBES"]

_PIECE = 16_384
_PLACE = "/properties/a"
_LAX = "It takes a text that is no JSON."
_UTF8 = "It decodes what is no UTF-8."
_BIG = "It rounds an integer that a double cannot hold, so that two ids become one."
_SURROGATE = "It replaces, drops or writes a lone surrogate."
_ENCODED = "It takes compressed bodies."
_UNBOUNDED = "It does not mind the limit of a body."


def _instead(written: bytes) -> Callable[[Sender], Request]:
    """A good event whose ``properties.a`` is written so; its own signature is that of a 1 there."""
    return lambda sender: sender.request(sender.body(properties={"a": 1}).replace(b'"a":1', b'"a":' + written))


def _around(before: bytes, behind: bytes = b"") -> Callable[[Sender], Request]:
    return lambda sender: sender.request(before + sender.body() + behind)


def _whole(change: Callable[[bytes], bytes]) -> Callable[[Sender], Request]:
    return lambda sender: sender.request(change(sender.body()))


# name, tag, comment, bug, reason, pointer, the request
_TEXTS: list[tuple[str, str, str, str, Reason, str | None, Callable[[Sender], Request]]] = [
    ("not-utf-8", "PAR-2", "a byte in a string that is no UTF-8", _UTF8, Reason.PAYLOAD_NOT_UTF8, None,
     _instead(b'"\xff"')),
    ("overlong", "PAR-2", "an overlong form in a string", _UTF8, Reason.PAYLOAD_NOT_UTF8, None,
     _instead(b'"\xc0\xaf"')),
    ("surrogates-in-utf-8", "PAR-2", "a pair of surrogates, each encoded as UTF-8", _UTF8, Reason.PAYLOAD_NOT_UTF8,
     None, _instead(b'"\xed\xa0\xbd\xed\xb8\x80"')),
    ("utf-16", "PAR-2", "a body in UTF-16", "It guesses the encoding, or skips a byte order mark.",
     Reason.PAYLOAD_NOT_UTF8, None, _whole(lambda body: b"\xff\xfe" + body.decode().encode("utf-16-le"))),
    ("byte-order-mark", "PAR-3", "a byte order mark before the body",
     "It guesses the encoding, or skips a byte order mark.", Reason.PAYLOAD_NOT_JSON, None, _around(b"\xef\xbb\xbf")),
    ("duplicate-name", "PAR-4", "a name twice in one object", "It takes the first or last of two members of one name.",
     Reason.PAYLOAD_DUPLICATE_KEY, _PLACE, _instead(b'1,"a":1')),
    ("duplicate-escaped", "PAR-4", "a name twice in one object, once escaped",
     "It takes the first or last of two members of one name.", Reason.PAYLOAD_DUPLICATE_KEY, _PLACE,
     _instead(b'1,"\\u0061":1')),
    ("nan", "PAR-3", "NaN", _LAX, Reason.PAYLOAD_NOT_JSON, None, _instead(b"NaN")),
    ("infinity", "PAR-3", "-Infinity", _LAX, Reason.PAYLOAD_NOT_JSON, None, _instead(b"-Infinity")),
    ("trailing-comma", "PAR-3", "a comma behind the last element", _LAX, Reason.PAYLOAD_NOT_JSON, None,
     _instead(b"[1,]")),
    ("leading-zero", "PAR-3", "a number with a leading zero", _LAX, Reason.PAYLOAD_NOT_JSON, None, _instead(b"01")),
    ("comment", "PAR-3", "a comment", _LAX, Reason.PAYLOAD_NOT_JSON, None, _instead(b"1/**/")),
    ("raw-control-character", "PAR-3", "a line feed in a string", _LAX, Reason.PAYLOAD_NOT_JSON, None,
     _instead(b'"\n"')),
    ("text-behind", "PAR-3", "a second value behind the first", _LAX, Reason.PAYLOAD_NOT_JSON, None,
     _around(b"", b"{}")),
    ("cut-off", "PAR-3", "a body without its last brace", _LAX, Reason.PAYLOAD_NOT_JSON, None,
     _whole(lambda body: body[:-1])),
    ("empty", "VER-9 PAR-3", "an empty body, signed", "It takes an empty body as a payload.", Reason.PAYLOAD_NOT_JSON,
     None, _whole(lambda _: b"")),
    ("lone-surrogate", "PAR-5", "an escape that leaves a lone surrogate", _SURROGATE, Reason.PAYLOAD_SURROGATE, _PLACE,
     _instead(b'"\\ud800"')),
    ("lone-surrogate-name", "PAR-5", "a name with a lone surrogate", _SURROGATE, Reason.PAYLOAD_SURROGATE, _PLACE,
     _instead(b'{"\\udc00":1}')),
    ("big-integer", "PAR-8", "the integer 9007199254740993", _BIG, Reason.PAYLOAD_NUMBER_RANGE, _PLACE,
     _instead(b"9007199254740993")),
    ("infinite-number", "PAR-7", "the number 1e400", "It reads a number as an infinity.", Reason.PAYLOAD_NUMBER_RANGE,
     _PLACE, _instead(b"1e400")),
    ("long-number", "PAR-8", "an integer of 100,000 digits", "It crashes or stalls on a long number.",
     Reason.PAYLOAD_NUMBER_RANGE, _PLACE, _instead(b"9" * 100_000)),
    ("depth-65", "PAR-6", "a payload nested 65 deep", "It counts depth in another way.", Reason.PAYLOAD_DEPTH, None,
     _instead(b"[" * 63 + b"]" * 63)),
    ("depth-100000", "PAR-6", "a payload nested 100,000 deep",
     "It does not bound the nesting, and exhausts its stack.", Reason.PAYLOAD_DEPTH, None,
     _instead(b"[" * 100_000 + b"]" * 100_000)),
]  # fmt: skip


def _texts() -> Iterator[Probe]:
    for name, tags, comment, bug, reason, pointer, build in _TEXTS:
        yield asks(f"payload-{name}", tags, comment, bug, build, refused(reason, pointer))


def _packed(pack: Callable[[bytes], bytes], encoding: str | None, signed_unpacked: bool) -> Callable[[Sender], Request]:
    """A compressed body, signed over what is sent or over what it unpacks to."""

    def build(sender: Sender) -> Request:
        body = sender.body()
        request = sender.request(body)._replace(body=pack(body)) if signed_unpacked else sender.request(pack(body))
        return request if encoding is None else request.having(wire.CONTENT_ENCODING, encoding)

    return build


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def _encodings() -> Iterator[Probe]:
    unsupported = refused(Reason.ENCODING_UNSUPPORTED)
    for name, comment, build in (
        ("gzip", "a body packed by gzip, signed as sent", _packed(_gzip, "gzip", False)),
        ("gzip-signed-unpacked", "a body packed by gzip after it was signed", _packed(_gzip, "gzip", True)),
        ("deflate", "a body packed by deflate after it was signed", _packed(zlib.compress, "deflate", True)),
        ("gzip-in-name-alone", "a body as it is that is called gzip", _packed(bytes, "GZIP", False)),
        ("unknown", "a body as it is, under an encoding that nobody knows", _packed(bytes, "x-none", False)),
    ):
        yield asks(f"encoding-{name}", "HDR-7", comment, _ENCODED, build, unsupported)
    yield asks("encoding-gzip-unnamed", "PAR-2", f"a body packed by gzip, signed as sent, no {wire.CONTENT_ENCODING}",
               "It looks into a body for its encoding.", _packed(_gzip, None, False),
               refused(Reason.PAYLOAD_NOT_UTF8))  # fmt: skip


def _announced(visit: Visit) -> None:
    """Nothing of the body is sent: a server that waits for it does not look at its length first."""
    request = visit.sender.request()
    for length in (DEFAULT_LIMIT + 1, 10**12, 10**18):
        with visit.connect() as connection:
            connection.send(visit.octets(request, f"Content-Length: {length}"))
            reply = visit.hear(connection, request, patience=visit.patience.first)
            visit.judge(reply, refused(Reason.PAYLOAD_TOO_LARGE), step=f"Content-Length {length}")


def _streamed(visit: Visit) -> None:
    """What is sent is the limit and 64 KiB, and it never ends: the answer has to come without more."""
    request = visit.sender.request()
    piece = b"%x\r\n%s\r\n" % (_PIECE, b" " * _PIECE)
    with visit.connect() as connection:
        connection.send(visit.octets(request, "Transfer-Encoding: chunked"))
        connection.send(piece * ((DEFAULT_LIMIT + 65_536) // _PIECE))
        try:
            reply = visit.hear(connection, request)
        except NoReply as error:
            if not error.late:
                raise
            wanted = refused(Reason.PAYLOAD_TOO_LARGE).document()
            raise Differs(wanted, None, "status", "it waits for more, 64 KiB past the limit") from None
        visit.judge(reply, refused(Reason.PAYLOAD_TOO_LARGE))


def _too_long(sender: Sender) -> Request:
    body = sender.body()
    return sender.request(body + b" " * (DEFAULT_LIMIT + 1 - len(body)))


PROBES: list[Probe] = [
    *_texts(),
    *_encodings(),
    Probe("oversized-announced", ("VER-3", "LIM-1"), f"a Content-Length over {DEFAULT_LIMIT:,}, and no body yet",
          "It reads a body before it looks at the length that was announced.", _announced),
    Probe("oversized-streamed", ("VER-3", "LIM-1"), f"a chunked body of {DEFAULT_LIMIT:,} bytes and 64 KiB, not ended",
          _UNBOUNDED, _streamed),
    asks("oversized", "VER-3 PAR-1", f"a good body with spaces behind it, {DEFAULT_LIMIT + 1:,} bytes", _UNBOUNDED,
         _too_long, refused(Reason.PAYLOAD_TOO_LARGE)),
]  # fmt: skip
