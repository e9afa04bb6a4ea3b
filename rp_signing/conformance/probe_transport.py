"""Probes of HTTP itself: routes, methods, trailers, lengths, slow bodies and hung-up connections (SPEC §6.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .. import wire
from ..errors import Reason
from .probe_sender import Request, Sender, chunked
from .probe_visit import Probe, Visit, asks
from .probe_wants import ANY_400, refused, taken

__all__ = ["PROBES"]

_CHUNKED = "Transfer-Encoding: chunked"
_MERGES = "It reads a body's trailers as headers."
_HALF = "It takes what came of a body for the whole."
_BAD_LENGTH = "It reads two lengths of one body, so that a proxy before it may see other requests than it does."
_DEADLINES = 3  # times the patience with an answer, for a body that does not come
_DRIPS = 30  # bytes in that time


def _path(path: str) -> Callable[[Sender], Request]:
    return lambda sender: sender.request()._replace(path=path)


def _method(method: str) -> Callable[[Sender], Request]:
    return lambda sender: sender.request()._replace(method=method)


def _lines(request: Request, *names: str) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in request.fields if name in names)


_SIGNED = (wire.KEY_ID, wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE)


def _with_trailers(visit: Visit, request: Request, trailers: str) -> Any:
    with visit.connect() as connection:
        connection.send(visit.octets(request, _CHUNKED) + chunked(request.body, trailers=trailers))
        return visit.hear(connection, request)


def _completing(visit: Visit) -> None:
    for names in ((wire.SIGNATURE,), _SIGNED):
        whole = visit.sender.request()
        cut = whole.without(*names)
        reason = Reason.HEADER_MALFORMED if len(names) == 1 else Reason.SIGNATURE_MISSING
        reply = _with_trailers(visit, cut, _lines(whole, *names))
        visit.judge(reply, refused(reason), step=f"{len(names)} of the headers in the trailers")


def _doubling(visit: Visit) -> None:
    request = visit.sender.request()
    visit.judge(_with_trailers(visit, request, _lines(request, wire.API_KEY, *_SIGNED)), taken(), step="the same")
    other = visit.sender.request()
    visit.judge(_with_trailers(visit, other, _lines(request, wire.API_KEY, *_SIGNED)), taken(), step="others")


def _replacing(visit: Visit) -> None:
    right = visit.sender.request()
    wrong = right.having(wire.SIGNATURE, "sha256=" + "0" * 64)
    visit.judge(_with_trailers(visit, wrong, _lines(right, wire.SIGNATURE)), refused(Reason.SIGNATURE_MISMATCH))


def _shorter(visit: Visit) -> None:
    """Content-Length leaves the last byte out, which then begins the next request, and is no HTTP."""
    whole = visit.sender.request()
    request = whole._replace(body=whole.body[:-1])
    with visit.connect() as connection:
        connection.send(visit.octets(whole, f"Content-Length: {len(request.body)}") + whole.body)
        reply = visit.hear(connection, request, plain=True)
        visit.judge(reply, refused(Reason.SIGNATURE_MISMATCH), ANY_400)


def _framed(framing: Callable[[Request], str], octets: Callable[[Request], bytes]) -> Callable[[Visit], None]:
    """A request whose body is framed wrongly and then ends; afterwards it is sent rightly, and its nonce is free."""

    def run(visit: Visit) -> None:
        request = visit.sender.request()
        with visit.connect() as connection:
            connection.send(visit.octets(request, framing(request)) + octets(request))
            connection.end()
            visit.not_taken(connection, request)
        visit.expect(request, taken(), step="the request, sent rightly afterwards")

    return run


def _both_lengths(visit: Visit) -> None:
    """By RFC 9112 §6.1 a server reads the chunks, or refuses; one that believes the length sees another body."""
    request = visit.sender.request()
    with visit.connect() as connection:
        connection.send(visit.octets(request, f"Content-Length: 4\r\n{_CHUNKED}") + chunked(request.body))
        visit.judge(visit.hear(connection, request, plain=True), taken(), ANY_400)


def _hung_up(visit: Visit) -> None:
    request = visit.sender.request()
    for _ in range(3):
        with visit.connect() as connection:
            connection.send(visit.octets(request)[:-1])
    visit.expect(request, taken(), step="the request, sent whole afterwards")


def _no_http(visit: Visit) -> None:
    request = visit.sender.request()
    for octets in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 64, b"POST\r\n\r\n"):
        with visit.connect() as connection:
            connection.send(octets + b"\r\n\r\n")
            connection.end()
            visit.not_taken(connection, request)


def _stalled(visit: Visit) -> None:
    """All but the last byte of a body, which then stops; the connection stays open."""
    request = visit.sender.request()
    seconds = visit.patience.first * _DEADLINES
    with visit.connect() as connection:
        connection.send(visit.octets(request)[:-1])
        visit.judge(visit.hear(connection, request, patience=seconds), refused(Reason.BODY_TIMEOUT))


def _dripping(visit: Visit) -> None:
    """A byte now and then: each piece comes in time, the body does not."""
    request = visit.sender.request()
    seconds = visit.patience.first * _DEADLINES
    with visit.connect() as connection:
        connection.send(visit.octets(request, f"Content-Length: {len(request.body)}"))
        connection.drip(request.body, seconds / _DRIPS, seconds)
        visit.judge(visit.hear(connection, request, patience=seconds / 5), refused(Reason.BODY_TIMEOUT))


_UNKNOWN = refused(Reason.ROUTE_UNKNOWN)
_WRONG_METHOD = refused(Reason.METHOD_UNSUPPORTED)
_ROUTES = "It takes events at a path that is none of the four."
_METHODS = "It takes other methods than POST."


def _unannounced(request: Request) -> str:
    return re.sub(r"(\d+)", lambda found: str(int(found[1]) + 1), f"Content-Length: {len(request.body)}")


PROBES: list[Probe] = [
    *(asks(f"route-{name}", "VER-2", f"a signed event to {path}", _ROUTES, _path(path), _UNKNOWN)
      for name, path in {"root": "/", "page": "/v1/page", "upper-case": "/V1/track", "trailing-slash": "/v1/track/",
                         "without-version": "/track", "doubled-slash": "/v1//track"}.items()),
    *(asks(f"method-{method.lower()}", "VER-2", f"{method} of a signed event to /v1/track", _METHODS, _method(method),
           _WRONG_METHOD)
      for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS")),
    Probe("trailers-complete", ("HDR-4", "VER-5"), "signature headers in the trailers of a chunked body", _MERGES,
          _completing),
    Probe("trailers-double", ("HDR-3",), "signature headers again in the trailers of a chunked body", _MERGES,
          _doubling),
    Probe("trailers-replace", ("VER-7",), "a wrong MAC in the headers, the right one in the trailers", _MERGES,
          _replacing),
    Probe("length-too-short", ("INP-3", "VER-7"), "a Content-Length that leaves out the last byte",
          "It reads more of a body than was announced.", _shorter),
    Probe("length-too-long", ("INP-3", "VER-12"), "a Content-Length of a byte more than comes, and the end", _HALF,
          _framed(_unannounced, lambda request: request.body)),
    Probe("length-twice", ("INP-3",), "two different lines of Content-Length", _BAD_LENGTH,
          _framed(lambda request: f"Content-Length: {len(request.body)}\r\nContent-Length: 4",
                  lambda request: request.body)),
    Probe("length-beside-chunks", ("INP-3",), "a wrong Content-Length beside a chunked body", _BAD_LENGTH,
          _both_lengths),
    Probe("chunks-not-ended", ("INP-3", "VER-12"), "a chunked body without its last chunk, and the end", _HALF,
          _framed(lambda _: _CHUNKED, lambda request: chunked(request.body)[:-5])),
    Probe("chunks-malformed", ("INP-3", "VER-12"), "a chunk whose size is no number",
          "It takes chunks that are none.",
          _framed(lambda _: _CHUNKED, lambda request: b"zz\r\n" + request.body + b"\r\n0\r\n\r\n")),
    Probe("hung-up", ("VER-12",), "three connections that break in the midst of a body, then the whole request",
          "It uses the nonce up, or dies, when a sender hangs up.", _hung_up),
    Probe("no-http", ("VER-2",), "a TLS greeting, zeros, and half a request line",
          "It breaks at what is no HTTP.", _no_http),
    Probe("body-stalls", ("VER-2",), "a body that stops before its last byte, on an open connection",
          "It waits for a body without end: a few idle senders hold it up.", _stalled, slow=True),
    Probe("body-drips", ("VER-2",), "a body that comes a byte at a time, for ever",
          "Its deadline is for each piece of a body, not for the whole.", _dripping, slow=True),
]  # fmt: skip
