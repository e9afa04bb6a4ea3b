"""What stands between a sender and an endpoint: probes that show what it does to a request on its way.

Each goes to ``/v1/check``, which stores nothing; the answer says what arrived.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import httpx2

from .. import wire
from ..canonical import canonicalize, parse
from ..conformance.escape import visible
from ..errors import CanonicalizationError, Reason
from ..signing import Signer

__all__ = ["PROBES", "Finding", "Hopeless", "Path", "Probe"]

_MUCH_SKEW = 30
_LONG = 200_000
_SHOWN = 200
_SEPARATORS = ((", ", ": "), (",", ":"))
_CURE = "let it pass the bytes on as they came"


class Hopeless(Exception):
    """Further probes would all hear the same. Its str says what."""


class Finding(NamedTuple):
    """What one probe found.

    Attributes:
        probe: its name.
        fine: whether the path did nothing to it.
        detail: one sentence.
    """

    probe: str
    fine: bool
    detail: str


class Answer(NamedTuple):
    """What came back: status, headers, and the problem document or receipt, ``{}`` where there is none."""

    status: int
    headers: httpx2.Headers
    document: dict[str, Any]

    def said(self) -> str:
        """Give the answer in words, for what nobody expected."""
        code = self.document.get("code")
        if isinstance(code, str):
            detail = self.document.get("detail")
            why = f": {detail[:_SHOWN]}" if isinstance(detail, str) else ""
            return visible(f"the answer is {self.status} {code[:80]}{why}")
        if 300 <= self.status < 400:
            return visible(f"a redirect to {self.headers.get('location', 'nowhere')[:_SHOWN]}: correct the URL")
        return f"the answer is {self.status} without a document of the endpoint; did something else answer?"


class Path:
    """The way to one endpoint.

    Args:
        http: what sends; it follows no redirect.
        url: of the endpoint, without ``/v1/``.
        signer: of an api key that the endpoint takes.
    """

    def __init__(self, http: httpx2.Client, url: str, signer: Signer) -> None:
        self._http = http
        self._url = f"{url.rstrip('/')}/v1/check"
        self._signer = signer

    def sign(self, body: bytes) -> list[tuple[str, str]]:
        """Give the headers of a new request."""
        return [*self._signer.sign(body).items(), (wire.CONTENT_TYPE, wire.MEDIA_TYPE)]

    def send(self, body: bytes, headers: list[tuple[str, str]] | None = None, chunked: bool = False) -> Answer:
        """Send a body; signed as it is, unless other headers are given.

        Raises:
            httpx2.HTTPError: there was no answer.
        """
        content: Any = iter([body[: len(body) // 2], body[len(body) // 2 :]]) if chunked else body
        response = self._http.post(self._url, content=content, headers=headers or self.sign(body))
        try:
            document = parse(response.content)
        except CanonicalizationError:
            document = None
        return Answer(response.status_code, response.headers, document if isinstance(document, dict) else {})


class Probe(NamedTuple):
    """A question to the path.

    Attributes:
        name: what it is about.
        ask: asks, and gives whether all is fine, and a sentence.
    """

    name: str
    ask: Callable[[Path], tuple[bool, str]]


def _unaltered(body: bytes, chunked: bool = False) -> Callable[[Path], tuple[bool, str]]:
    def ask(path: Path) -> tuple[bool, str]:
        answer = path.send(body, chunked=chunked)
        if answer.status == 202:
            return True, "arrives as it was sent"
        return False, _altered(answer, body) or answer.said()

    return ask


def _altered(answer: Answer, body: bytes) -> str | None:
    """Say what became of a body; None where the answer does not show that it was altered."""
    received = answer.document.get("received")
    if not isinstance(received, dict) or received.get("sha256") == sha256(body).hexdigest():
        return None
    made = next((how for how, text in _rewritten(body) if sha256(text).hexdigest() == received.get("sha256")), None)
    what = f"is {made}" if made else "is changed"
    return f"{what}: {len(body):,} bytes were sent, {received.get('length')} arrived; {_CURE}"


def _rewritten(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Give what a body may have become, in words and bytes."""
    yield "cut at its ends", body.strip()
    yield "given a line end", body + b"\n"
    try:
        value = json.loads(body)
    except ValueError:
        return
    for separators in _SEPARATORS:
        for ascii_only in (False, True):
            for ordered in (False, True):
                text = json.dumps(value, separators=separators, ensure_ascii=ascii_only, sort_keys=ordered)
                order = ", its names sorted" if ordered else ""
                escapes = ", its characters escaped" if ascii_only else ""
                yield f"parsed and written anew{order}{escapes}", text.encode("utf-8", "surrogatepass")
    try:
        yield "written in canonical form", canonicalize(parse(body))
    except CanonicalizationError:
        return


def _first(path: Path) -> tuple[bool, str]:
    body = b'{"check":"rp-signing doctor"}'
    answer = path.send(body)
    if answer.status != 202:
        altered = _altered(answer, body)
        if altered is None:
            raise Hopeless(answer.said())
        return False, altered
    trust = answer.document.get("trust")
    if trust != "high":
        raise Hopeless(f"is taken with trust {trust}: something on the way took the signature off")
    return True, "verifies"


def _clock(path: Path) -> tuple[bool, str]:
    before = time.time()
    answer = path.send(b'{"check":"clock"}')
    now = answer.document.get("server_time")
    if type(now) is not int:
        return False, f"{answer.said()}, and does not say what time it is there"
    # The server's second began before the answer was written.
    skew = round(now - (before + time.time()) / 2)
    where = "the same" if abs(skew) <= 1 else f"{abs(skew):,} s {'ahead of' if skew > 0 else 'behind'} the one here"
    return abs(skew) <= _MUCH_SKEW, f"the server's clock is {where}"


def _doubled(path: Path) -> tuple[bool, str]:
    body = b'{"check":"doubled"}'
    headers = path.sign(body)
    answer = path.send(body, [*headers, (wire.NONCE, dict(headers)[wire.NONCE])])
    code = answer.document.get("code")
    if code == Reason.HEADER_DUPLICATE:
        return True, "both lines arrive, and are refused"
    if code == Reason.HEADER_MALFORMED:
        return True, "the lines are joined into one on the way, and refused"
    if answer.status == 202:
        return False, "one of two lines is dropped on the way: what the endpoint sees is not what was sent"
    return False, answer.said()


def _compressed(path: Path) -> tuple[bool, str]:
    body = gzip.compress(b'{"check":"compressed"}')
    answer = path.send(body, [*path.sign(body), (wire.CONTENT_ENCODING, "gzip")])
    if answer.document.get("code") == Reason.ENCODING_UNSUPPORTED:
        return True, "arrives compressed, and is refused"
    return False, f"{answer.said()}: something on the way unpacks bodies, and signs of them are lost"


def _repeated(path: Path) -> tuple[bool, str]:
    body = b'{"check":"cache"}'
    headers = path.sign(body)
    answers = [path.send(body, headers) for _ in range(2)]
    if any(answer.status != 202 for answer in answers):
        return False, next(answer.said() for answer in answers if answer.status != 202)
    if answers[0].document.get("request_id") == answers[1].document.get("request_id"):
        return False, "the second copy is answered from a cache: a POST must reach the endpoint each time"
    return True, "every copy reaches the endpoint"


PROBES = (
    Probe("a signed request", _first),
    Probe("clock", _clock),
    Probe("white space", _unaltered(b'{ "a" : 1 ,\n\t"b":[ 1, 2 ] }')),
    Probe("line end", _unaltered(b'{"a":1}\n')),
    Probe("order of names", _unaltered(b'{"b":1,"a":2,"10":3,"9":4}')),
    Probe("unicode", _unaltered('{"text":"Grüße 😀 \u2028"}'.encode())),
    Probe("unicode, not composed", _unaltered('{"text":"e\u0301"}'.encode())),
    Probe("unicode, escaped", _unaltered(rb'{"text":"Gr\u00fc\u00dfe \ud83d\ude00"}')),
    Probe("slashes and angle brackets", _unaltered(rb'{"text":"<\/b> & </b>"}')),
    Probe("numbers", _unaltered(b'{"n":[1.0,1e2,0.10,-0,1e21,9007199254740991,0.1]}')),
    Probe("empty and null", _unaltered(b'{"a":null,"b":{},"c":[],"d":""}')),
    Probe("a long body", _unaltered(b'{"a":"' + b"x" * _LONG + b'"}')),
    Probe("a chunked body", _unaltered(b'{"check":"chunked"}', chunked=True)),
    Probe("a compressed body", _compressed),
    Probe("a header twice", _doubled),
    Probe("the same twice", _repeated),
)
