"""What a probe is, what it wants to hear, and the visit to a server in which it asks (SPEC §6.3, §9)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from .http_talk import Connection, NoReply, Reply, Target
from .probe_sender import Request, Sender
from .probe_wants import ANY_400, Want, document_of, sentence_of

__all__ = ["Differs", "Exchange", "Patience", "Probe", "Undecided", "Visit", "asks"]

_SHOWN = 300
_HIDDEN = "[hidden]"
_HEX = re.compile("[0-9a-fA-F]{64,}")
_LEAST_PATIENCE = 1.0


class Differs(Exception):
    """An answer is not the one wanted.

    Attributes:
        wanted: as JSON.
        got: as JSON.
        differs: what does, first.
        detail: one sentence.
    """

    def __init__(self, wanted: Any, got: Any, differs: str, detail: str) -> None:
        super().__init__(detail)
        self.wanted: Any = wanted
        self.got: Any = got
        self.differs: str = differs
        self.detail: str = detail


class Undecided(Exception):
    """This server, or this key, does not let the probe find out. Its str says why."""


class Exchange(NamedTuple):
    """A request, and the reply that it got.

    Attributes:
        probe: the id of the probe that asked.
        request: what was sent.
        reply: what came.
        plain: True where the HTTP server may have answered in its own words.
    """

    probe: str
    request: Request
    reply: Reply
    plain: bool


class Patience:
    """How long an answer is waited for: half as long each time that none came, so that a run has an end.

    Args:
        seconds: at first.
    """

    def __init__(self, seconds: float) -> None:
        self.first: float = seconds
        self.seconds: float = seconds

    def lose(self) -> None:
        """Note that no answer came."""
        self.seconds = max(self.seconds / 2, min(_LEAST_PATIENCE, self.first))


class Visit:
    """One run against one server.

    Args:
        target: where it listens.
        sender: who signs.
        patience: how long it may take to answer.
        probe: the id of the probe that asks.
        seen: every exchange so far, of all probes.

    Attributes are the arguments.
    """

    def __init__(
        self, target: Target, sender: Sender, patience: Patience, probe: str = "", seen: list[Exchange] | None = None
    ) -> None:
        self.target = target
        self.sender = sender
        self.patience = patience
        self.probe = probe
        self.seen: list[Exchange] = [] if seen is None else seen

    def by(self, probe: str) -> Visit:
        """Give the same visit for another probe."""
        return Visit(self.target, self.sender, self.patience, probe, self.seen)

    def connect(self) -> Connection:
        """Open a connection."""
        return Connection(self.target, self.patience.first)

    def octets(self, request: Request, framing: str | None = None) -> bytes:
        """Write a request as it is sent: head and body; with another framing, the head alone."""
        head = request.head(self.target.host, self.target.prefix, framing)
        return head + request.body if framing is None else head

    def ask(self, request: Request, connection: Connection | None = None, plain: bool = False) -> Reply:
        """Send a request, and read the reply; on a connection of its own unless one is given."""
        with ExitStack() as stack:
            used = connection or stack.enter_context(self.connect())
            used.send(self.octets(request))
            return self.hear(used, request, plain)

    def hear(self, connection: Connection, request: Request, plain: bool = False, patience: float = 0) -> Reply:
        """Read the reply to a request that was sent."""
        self.sender.expect(request)
        try:
            reply = connection.reply(patience or self.patience.seconds)
        except NoReply as error:
            if error.late and not patience:
                self.patience.lose()
            raise
        self.seen.append(Exchange(self.probe, request, reply, plain))
        return reply

    def race(self, requests: Sequence[Request]) -> list[Reply]:
        """Send each request on a connection of its own, the last bytes of all at once; the replies in that order."""
        with ExitStack() as stack:
            lanes = [(stack.enter_context(self.connect()), self.octets(request)) for request in requests]
            for lane, octets in lanes:
                lane.send(octets[:-1])
            for lane, octets in lanes:
                lane.send(octets[-1:])
            return [self.hear(lane, request) for (lane, _), request in zip(lanes, requests, strict=True)]

    def expect(self, request: Request, *wants: Want, step: str = "") -> Reply:
        """Ask, and judge the reply."""
        reply = self.ask(request, plain=ANY_400 in wants)
        self.judge(reply, *wants, step=step)
        return reply

    def judge(self, reply: Reply, *wants: Want, step: str = "") -> None:
        """Hold a reply against the right answers, of which the first is the one to report.

        Raises:
            Differs: it is none of them.
        """
        found = [want.differs(reply) for want in wants]
        if None in found:
            return
        before = f"{step}: " if step else ""
        sentence = sentence_of(reply, wants[0], str(found[0]))
        raise Differs(
            wants[0].document(), self.shown(reply, wants[0]), f"{before}{found[0]}", self.redacted(before + sentence)
        )

    def not_taken(self, connection: Connection, request: Request) -> None:
        """Read what comes of a request that is no whole HTTP request: any 4xx will do, or the connection's end."""
        try:
            reply = self.hear(connection, request, plain=True)
        except NoReply as error:
            if error.late:
                raise
            return
        if not 400 <= reply.status < 500:
            detail = f"it answered {reply.status} to what is no whole request"
            raise Differs({"status": "400 to 499, or the connection closed"}, self.shown(reply), "status", detail)

    def shown(self, reply: Reply, want: Want | None = None) -> Any:
        """Give a reply as JSON for a report: what was looked at, cut where it is long, without any credential."""
        document = document_of(reply)
        got: dict[str, Any] = {"status": reply.status}
        if document is None:
            got["body"] = reply.body.decode("latin-1")
        else:
            names = dict.fromkeys([*(want.members if want else ()), *(("errors",) if want and want.errors else ())])
            names |= dict.fromkeys(("code", "detail"))
            got |= {name: document[name] for name in names if name in document}
        return {name: self.redacted(value) for name, value in got.items()}

    def redacted(self, value: Any) -> Any:
        """Give JSON without secret, api key and MACs in it; as text, cut, where it is long."""
        value = self._hide(value)
        text = value if isinstance(value, str) else json.dumps(value)
        return value if len(text) <= _SHOWN else text[:_SHOWN] + "…"

    def _hide(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._hide(name): self._hide(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._hide(member) for member in value]
        if not isinstance(value, str):
            return value
        for hidden in self.hidden():
            value = value.replace(hidden, _HIDDEN)
        return _HEX.sub(lambda run: _HIDDEN if self.macs_in(run[0]) else run[0], value)

    def hidden(self) -> tuple[str, ...]:
        """Give how secret and api key may be spelled in an answer: as they are, and as JSON writes them."""
        credentials = (self.sender.secret.reveal(), self.sender.api_key)
        return credentials + tuple(json.dumps(credential)[1:-1] for credential in credentials)

    def macs_in(self, text: str) -> set[str]:
        """Give those of the sender's MACs that stand in a text, in either case; lower case."""
        runs = _HEX.findall(text)
        return {run[at : at + 64].lower() for run in runs for at in range(len(run) - 63)} & self.sender.macs


class Probe(NamedTuple):
    """One question to a server.

    Attributes:
        id: stable; the fault is in its name.
        tags: the rules of SPEC.md that it tests.
        comment: what is sent, one line.
        bug: the sentence that says what a server does that fails it.
        run: asks, and raises `Differs`, `Undecided` or `NoReply`.
        slow: True where it waits for a deadline of the server's.
    """

    id: str
    tags: tuple[str, ...]
    comment: str
    bug: str
    run: Callable[[Visit], object]
    slow: bool = False


def asks(name: str, tags: str, comment: str, bug: str, build: Callable[[Sender], Request], *wants: Want) -> Probe:
    """Give a probe of one request.

    Args:
        name: its id.
        tags: with spaces between.
        comment: what is sent.
        bug: what a server does that fails it.
        build: makes the request.
        wants: the right answers.
    """
    return Probe(name, tuple(tags.split()), comment, bug, lambda visit: visit.expect(build(visit.sender), *wants))
