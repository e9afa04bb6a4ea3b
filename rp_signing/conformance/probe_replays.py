"""Probes of single use: replays, races, and nonces that a refusal must not use up (SPEC §6.1, §7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import wire
from ..canonical import canonicalize
from ..errors import Reason
from .http_talk import Reply
from .probe_sender import Request, Sender, chunked
from .probe_visit import Differs, Probe, Visit
from .probe_wants import document_of, refused, taken

__all__ = ["PROBES"]

_COPIES = 8
_ROUNDS = 3
_REPLAYED = refused(Reason.REPLAYED)
_FORGETS = "It does not remember nonces, or not for long enough."
_BURNS_FIRST = "It uses the nonce up before the request has passed"
_BEFORE_MAC = "It uses the nonce up before the MAC holds, so that strangers burn nonces."


def _again(change: Callable[[Request], Request] = lambda request: request, between: int = 0) -> Callable[[Visit], Any]:
    """A request, others in between, and the request again, changed in what is not signed."""

    def run(visit: Visit) -> None:
        request = visit.sender.request()
        visit.expect(request, taken(), step="the request")
        for _ in range(between):
            visit.expect(visit.sender.request(), taken(), step="a request in between")
        visit.expect(change(request), _REPLAYED, step="the request again")

    return run


def _same_connection(visit: Visit) -> None:
    request = visit.sender.request()
    with visit.connect() as connection:
        visit.judge(visit.ask(request, connection), taken(), step="the request")
        visit.judge(visit.ask(request, connection), _REPLAYED, step="the request again")


def _other_framing(visit: Visit) -> None:
    request = visit.sender.request()
    visit.expect(request, taken(), step="the request")
    with visit.connect() as connection:
        connection.send(visit.octets(request, "Transfer-Encoding: chunked") + chunked(request.body))
        visit.judge(visit.hear(connection, request), _REPLAYED, step="the request again, in chunks")


def _renamed(request: Request) -> Request:
    return request._replace(fields=tuple((name.swapcase(), value) for name, value in reversed(request.fields)))


def _nonce_again(**other: Any) -> Callable[[Visit], Any]:
    """Another request, signed rightly, that has timestamp and nonce of an earlier one."""

    def run(visit: Visit) -> None:
        sender = visit.sender
        nonce, when = sender.nonce(), sender.clock.earliest()
        visit.expect(sender.request(nonce=nonce, timestamp=when), taken(), step="the first request")
        second = sender.request(nonce=nonce, timestamp=when, **other)
        visit.expect(second, _REPLAYED, step="the second request")

    return run


def _other_nonces(visit: Visit) -> None:
    """What differs from a used triple in one place is new."""
    sender = visit.sender
    nonce, when = "aA" + sender.nonce(), sender.clock.earliest()
    visit.expect(sender.request(nonce=nonce, timestamp=when), taken(), step="the first request")
    others = {"an earlier second": (when - 1, nonce), "another case": (when, "Aa" + nonce[2:])}
    for step, (second, other) in others.items():
        visit.expect(sender.request(nonce=other, timestamp=second), taken(), step=step)
    visit.expect(sender.request(nonce=nonce + "-", timestamp=when), taken(), step="one character more")


def _refused_first(spoil: Callable[[Sender, Request], Request], reason: Reason) -> Callable[[Visit], Any]:
    """A request that is refused, twice the same way; then one that is right, under its timestamp and nonce."""

    def run(visit: Visit) -> None:
        sender = visit.sender
        right = sender.request()
        spoiled = spoil(sender, right)
        for step in ("the bad request", "the bad request again"):
            visit.expect(spoiled, refused(reason), step=step)
        visit.expect(right, taken(), step="the right request with the same nonce")

    return run


def _with_body(body: Callable[[Sender], bytes]) -> Callable[[Sender, Request], Request]:
    """The same timestamp and nonce, signed over another body."""

    def build(sender: Sender, right: Request) -> Request:
        when = int(right.value(wire.TIMESTAMP))
        return sender.request(body(sender), nonce=right.value(wire.NONCE), timestamp=when)

    return build


def _wrong_mac(_: Sender, right: Request) -> Request:
    return right.having(wire.SIGNATURE, "sha256=" + "0" * 64)


def _dated_ahead(visit: Visit) -> None:
    """What was refused as dated ahead is not used up either: the nonce is taken under a timestamp that holds."""
    sender = visit.sender
    nonce, now = sender.nonce(), sender.clock.latest()
    ahead = sender.request(nonce=nonce, timestamp=now + 3600)
    for step in ("the request dated ahead", "the same again"):
        visit.expect(ahead, refused(Reason.TIMESTAMP_FUTURE), step=step)
    visit.expect(sender.request(nonce=nonce), taken(), step="its nonce, dated rightly")


def _race(make: Callable[[Sender], Sequence[Request]]) -> Callable[[Visit], Any]:
    """Of requests that arrive together and share a nonce, one is taken."""

    def run(visit: Visit) -> None:
        for _ in range(_ROUNDS):
            replies = visit.race(make(visit.sender))
            _one_of(visit, replies)

    return run


def _one_of(visit: Visit, replies: list[Reply]) -> None:
    right = [reply for reply in replies if reply.status == taken().status]
    replayed = [reply for reply in replies if _REPLAYED.differs(reply) is None]
    if len(right) == 1 and len(replayed) == len(replies) - 1:
        return
    odd = [reply for reply in replies if reply not in right and reply not in replayed]
    wanted = {"taken": 1, "replayed": len(replies) - 1, "other": 0}
    got = {"taken": len(right), "replayed": len(replayed), "other": [visit.shown(reply) for reply in odd[:2]]}
    detail = f"of {len(replies)} at once it took {len(right)}, and called {len(replayed)} replayed"
    raise Differs(wanted, got, "taken" if len(right) != 1 else "other", detail)


def _copies(sender: Sender) -> list[Request]:
    return [sender.request()] * _COPIES


def _different(sender: Sender) -> list[Request]:
    nonce, when = sender.nonce(), sender.clock.earliest()
    return [sender.request(nonce=nonce, timestamp=when) for _ in range(_COPIES)]


def _race_of_an_event(visit: Visit) -> None:
    """One event in eight requests, each right: it is stored once, and every sender hears success."""
    sender = visit.sender
    for _ in range(_ROUNDS):
        body = sender.body()
        replies = visit.race([sender.request(body) for _ in range(_COPIES)])
        documents = [document_of(reply) or {} for reply in replies]
        stored = sum(document.get("stored") == 1 and document.get("duplicates") == 0 for document in documents)
        again = sum(document.get("stored") == 0 and document.get("duplicates") == 1 for document in documents)
        if (stored, again) != (1, _COPIES - 1) or any(reply.status != 202 for reply in replies):
            got = {"stored": stored, "duplicates": again, "statuses": [reply.status for reply in replies]}
            detail = f"of one event in {_COPIES} requests at once it stored {stored}, and called {again} duplicates"
            raise Differs({"stored": 1, "duplicates": _COPIES - 1}, got, "stored", detail)


def _bad_event(sender: Sender) -> bytes:
    return canonicalize(sender.signed(sender.event(messageId="no message id")))


def _charset(request: Request) -> Request:
    return request.having(wire.CONTENT_TYPE, "application/json; charset=utf-8")


PROBES: list[Probe] = [
    Probe("replay-same-connection", ("WIN-3", "VER-11"), "a request twice on one connection", _FORGETS,
          _same_connection),
    Probe("replay-other-connection", ("WIN-3", "VER-11"), "a request again on another connection",
          "It remembers nonces for a connection alone, or not at all.", _again()),
    Probe("replay-later", ("WIN-3", "WIN-7"), "a request again, 24 others in between",
          "It evicts nonces while their requests would still be taken.", _again(between=24)),
    Probe("replay-other-names", ("WIN-2", "VER-11"), "a request again, its headers in other case and order",
          "It remembers a request by what is not signed.", _again(_renamed)),
    Probe("replay-other-content-type", ("WIN-2", "VER-11"), "a request again, with a charset",
          "It remembers a request by what is not signed.", _again(_charset)),
    Probe("replay-other-framing", ("WIN-2", "VER-11"), "a request again, its body in chunks",
          "It remembers a request by what is not signed.", _other_framing),
    Probe("nonce-again-other-body", ("WIN-2",), "timestamp and nonce of an earlier request, another body, signed",
          "It remembers the body with the nonce.", _nonce_again()),
    Probe("nonce-again-without-key-id", ("WIN-2",), f"timestamp and nonce of an earlier request, no {wire.KEY_ID}",
          "It remembers nonces by key id: signed under a second secret, a request replays.",
          _nonce_again(key_id=None)),
    Probe("nonce-new", ("WIN-2",), "nonces that differ from a used one in case, length or second",
          "It compares nonces without regard to case, or keeps a part of them, or not the second.", _other_nonces),
    Probe("nonce-kept-by-bad-mac", ("VER-12",), "a wrong MAC under a nonce, twice, then the right one", _BEFORE_MAC,
          _refused_first(_wrong_mac, Reason.SIGNATURE_MISMATCH)),
    Probe("nonce-kept-by-bad-payload", ("VER-12",), "a body that is no JSON under a nonce, twice, then a good one",
          f"{_BURNS_FIRST}, here before it parses: the honest retry is then a replay.",
          _refused_first(_with_body(lambda _: b"{"), Reason.PAYLOAD_NOT_JSON)),
    Probe("nonce-kept-by-bad-event", ("VER-10", "VER-12"), "a bad event under a nonce, twice, then a good one",
          f"{_BURNS_FIRST}, here before it judges the events.",
          _refused_first(_with_body(_bad_event), Reason.EVENT_INVALID)),
    Probe("nonce-kept-by-bad-time", ("VER-12",), "a timestamp an hour ahead, twice, then its nonce rightly dated",
          f"{_BURNS_FIRST}, here before it looks at the window.", _dated_ahead),
    Probe("race-same-request", ("WIN-3",), f"a request on {_COPIES} connections at once, {_ROUNDS} times",
          "Its claim is not one atomic step: between look and write, another copy passes.", _race(_copies)),
    Probe("race-same-nonce", ("WIN-2", "WIN-3"), f"{_COPIES} requests with one nonce at once, {_ROUNDS} times",
          "Its claim is not one atomic step: between look and write, another request passes.", _race(_different)),
    Probe("race-same-event", ("EVT-8",), f"an event in {_COPIES} requests at once, {_ROUNDS} times",
          "It looks for a messageId before it writes: two at once are stored twice, or one fails.",
          _race_of_an_event),
]  # fmt: skip
