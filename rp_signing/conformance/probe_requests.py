"""Probes that send what is right: a server that refuses any of it is no receiver of RP1 (SPEC §4, §7, §9, §10)."""

from __future__ import annotations

from typing import Any

from .. import wire
from ..canonical import canonicalize
from ..errors import Reason
from ..replay import FUTURE, PAST
from .probe_sender import Request, Sender, chunked
from .probe_visit import Probe, Undecided, Visit, asks
from .probe_wants import document_of, refused, taken

__all__ = ["ALIVE", "PROBES"]

_REFUSES = "It refuses a request that is right."
_SLACK = 5  # seconds by which a request may be under way, at the edges of the window that move


def _kind(kind: str) -> Probe:
    return asks(
        f"valid-{kind}",
        "INP-1 EVT-3",
        f"a signed {kind} event, to its route",
        _REFUSES,
        lambda sender: sender.request(canonicalize(sender.signed(sender.event(kind))), kind),
        taken(),
    )


def _valid_batch(sender: Sender) -> Request:
    events = [sender.signed(sender.event(kind)) for kind in ("track", "identify", "group")]
    return sender.request(sender.batch(events, sentAt="2026-11-23T09:00:00.5+01:00"), "batch")


def _renamed(sender: Sender, spell: Any) -> Request:
    request = sender.request()
    return request._replace(fields=tuple((spell(name), value) for name, value in request.fields))


def _not_canonical(sender: Sender) -> Request:
    text = sender.body(properties={"a": "é", "b": 1, "c": 0}).decode()
    spelled = text.replace('"é"', r'"\u00e9"').replace('"b":1', '"b" : 1.0').replace('"c":0', '"c":-0')
    return sender.request(f" {spelled}\r\n".encode())


def _every_text(sender: Sender) -> Request:
    # The order of the first two names tells UTF-16 code units from code points; U+0065 U+0301 is not U+00E9.
    names = {"\U0001f600": "\ufffe", "\ufb33": "\u2028\x7f", "e\u0301": "é", "\u0001": '\b\t\n\f\r"\\/<'}
    numbers = [1e20, 1e21, 1e-6, 1e-7, 5e-324, 0.1 + 0.2, -(2**53 - 1), True, None]
    return sender.request(sender.body(properties={**names, "numbers": numbers, "": {"": []}}))


def _large(sender: Sender) -> Request:
    events = [sender.signed(sender.event(properties={"fill": "x" * 32_200})) for _ in range(16)]
    body = sender.batch(events)
    return sender.request(body + b" " * (512 * 1024 - len(body)), "batch")


def _deep(sender: Sender) -> Request:
    value: list[Any] = []
    for _ in range(61):  # 62 with the innermost; properties and the event make 64
        value = [value]
    return sender.request(sender.body(properties={"a": value}))


def _with_chunks(visit: Visit) -> None:
    for size in (1, 100_000):
        request = visit.sender.request()
        with visit.connect() as connection:
            connection.send(visit.octets(request, "Transfer-Encoding: chunked") + chunked(request.body, size))
            visit.judge(visit.hear(connection, request), taken(), step=f"chunks of {size:,}")


def _in_pieces(visit: Visit) -> None:
    request = visit.sender.request()
    octets = visit.octets(request)
    with visit.connect() as connection:
        for at in range(0, len(octets), 97):
            connection.send(octets[at : at + 97])
        visit.judge(visit.hear(connection, request), taken())


def _one_connection(visit: Visit) -> None:
    sender = visit.sender
    bad = sender.event(messageId="no message id")
    with visit.connect() as connection:
        visit.judge(visit.ask(sender.request(), connection), taken(), step="first request")
        answer = visit.ask(sender.request(canonicalize(sender.signed(bad))), connection)
        visit.judge(answer, refused(Reason.EVENT_INVALID), step="second, whose event is bad")
        visit.judge(visit.ask(sender.request(), connection), taken(), step="third request")


def _old_enough(visit: Visit) -> None:
    reply = visit.ask(visit.sender.request(timestamp=visit.sender.clock.latest() - PAST + _SLACK))
    if reply.status == Reason.SIGNED_BEFORE_START.status:
        code = (document_of(reply) or {}).get("code")
        if code in (Reason.SIGNED_BEFORE_START, Reason.TIMESTAMP_FORGOTTEN):
            raise Undecided(f"the server answers {code}: its nonce store is too young; ask again in six minutes")
    visit.judge(reply, taken())


def _unsigned(visit: Visit) -> None:
    request = visit.sender.unsigned(canonicalize(visit.sender.event()))
    visit.expect(request, refused(Reason.SIGNATURE_MISSING), taken(trust="standard"))


def _probe(name: str, tags: str, comment: str, bug: str, run: Any) -> Probe:
    return Probe(name, tuple(tags.split()), comment, bug, run)


PROBES: list[Probe] = [
    *(_kind(kind) for kind in ("track", "identify", "group")),
    asks("valid-batch", "EVT-4 EVT-5", "a batch of one of each type, with sentAt", _REFUSES, _valid_batch, taken(3)),
    asks("valid-without-key-id", "INP-1", f"no {wire.KEY_ID}; the fourth line is -",
         "It demands a key id, or builds the fourth line in another way.",
         lambda sender: sender.request(key_id=None), taken()),
    asks("valid-names-in-lower-case", "HDR-1", "the header names in lower case",
         "It compares header names with their case.", lambda sender: _renamed(sender, str.lower), taken()),
    asks("valid-names-in-upper-case", "HDR-1", "the header names in upper case",
         "It compares header names with their case.", lambda sender: _renamed(sender, str.upper), taken()),
    asks("valid-body-not-canonical", "INP-3 INP-4", "a body with spaces, escapes, 1.0 and -0",
         "It hashes the canonical form of a request's body instead of its bytes, or an event as received.",
         _not_canonical, taken()),
    asks("valid-every-text", "CAN-2 CAN-3 CAN-4 CAN-5", "an event with odd names, texts and numbers",
         "Its canonical form of an event is another: run its canonicaliser through the vectors.", _every_text, taken()),
    asks("valid-charset", "HDR-7", f'{wire.CONTENT_TYPE}: Application/JSON ; charset="UTF-8"',
         "It refuses a way to say JSON.",
         lambda sender: sender.request().having(wire.CONTENT_TYPE, 'Application/JSON ; charset="UTF-8"'), taken()),
    asks("valid-identity", "HDR-7", f"{wire.CONTENT_ENCODING}: Identity", "It refuses the encoding that is none.",
         lambda sender: sender.request().having(wire.CONTENT_ENCODING, "Identity"), taken()),
    asks("valid-other-headers", "HDR-3", "headers of others, one of which stands twice",
         "It minds headers that are not its own.",
         lambda sender: sender.request().adding("Accept", "*/*").adding("accept", "text/*"), taken()),
    asks("valid-longest-nonce", "HDR-1", "a nonce of 64 characters", "It refuses a value of the grammar.",
         lambda sender: sender.request(nonce=(sender.nonce() * 3)[:63] + "-"), taken()),
    asks("valid-512-kib", "LIM-1", "a body of 524,288 bytes: 16 events of 32 KiB",
         "It takes less than every receiver has to take.", _large, taken(16)),
    asks("valid-batch-of-500", "LIM-1", "a batch of 500 events", "It takes less than every receiver has to take.",
         lambda sender: sender.request(
             sender.batch([sender.signed(sender.event()) for _ in range(500)]), "batch"), taken(500)),
    asks("valid-depth-64", "CAN-10 PAR-6", "a payload nested 64 deep", "It counts depth in another way.",
         _deep, taken()),
    _probe("valid-chunked", "INP-3", "a body in chunks of 1 byte, and one in a single chunk",
           "It needs a Content-Length, or signs over the chunks.", _with_chunks),
    _probe("valid-in-pieces", "INP-3", "a request that arrives in pieces of 97 bytes",
           "It takes the first piece of a body for the whole.", _in_pieces),
    _probe("valid-one-connection", "VER-2", "three requests on one connection, the second with a bad event",
           "After a refusal it reads the connection's next request from a wrong place.", _one_connection),
    asks("valid-connection-close", "VER-2", "a request with Connection: close", _REFUSES,
         lambda sender: sender.request().adding("Connection", "close"), taken()),
    _probe("valid-past-edge", "WIN-1 VER-8", f"a timestamp {PAST - _SLACK} to {PAST} seconds old",
           f"Its window is shorter than {PAST} seconds.", _old_enough),
    asks("valid-future-edge", "WIN-1 VER-8", f"a timestamp {FUTURE} seconds ahead",
         f"It takes no timestamp {FUTURE} seconds ahead.",
         lambda sender: sender.request(timestamp=sender.clock.earliest() + FUTURE), taken()),
    _probe("unsigned", "VER-5 EVT-7", "an event and a request that are not signed",
           "It gives an unsigned event the trust of a signed one.", _unsigned),
]  # fmt: skip

ALIVE = asks("alive-at-the-end", "VER-2", "a signed event, after all other probes",
             "Something that was sent before has broken it.", lambda sender: sender.request(), taken())  # fmt: skip
