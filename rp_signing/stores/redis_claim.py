"""What a Redis store and its servers say about claims: steps that know no connection, one text for both stores."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any

from ..errors import Reason, StoreError, VerificationError
from ..replay import Claim, Clock, Window
from .redis_link import Command, Node, OutOfMemoryError, Steps, key_slot
from .redis_script import CLAIM, RELEASE, TAGS, ClaimCalls, Keys, refusal, unavailable

__all__ = ["Claims", "Places", "said"]

LIMIT = 10.0
"""Seconds within which a networked store has answered or is unavailable."""

_TOKEN = 8  # bytes
_MILLION = 1_000_000


class Places:
    """Which server holds which hash tag, and how far its clock is ahead of this process's monotonic one.

    Args:
        nodes: servers that are known; None is the one server that is no cluster.
        remap: turns an address that a cluster tells into one that can be reached; None where there is no cluster.
        prefix: of all keys.
    """

    def __init__(self, nodes: list[Node], remap: Callable[[str, int], tuple[str, int]] | None, prefix: str) -> None:
        self.keys: Keys = Keys(prefix)
        self.of_tag: list[Node] = [None] * TAGS
        self.ahead: dict[Node, float] = {}
        self._known = nodes
        self._remap = remap
        self._slots = [key_slot(tag) for tag in self.keys.tags]

    @property
    def primaries(self) -> list[Node]:
        """Every server that holds a tag."""
        return list(dict.fromkeys(self.of_tag))

    def find(self, failed: Iterable[Node] = ()) -> Steps[None]:
        """Ask a cluster who holds what; servers that have just failed are asked last. Else there is nothing to ask."""
        if self._remap is None:
            return
        failed = set(failed)
        for node in sorted(self._known, key=lambda node: node in failed)[:3]:
            answer = (yield {node: lambda: [("CLUSTER", "SLOTS")]})[node]
            if isinstance(answer, list) and isinstance(answer[0], list):
                self._read_slots(answer[0], node)
                return

    def learn(self, node: Node, clock: int, sent: float, received: float) -> None:
        """Take a reading of a server's clock, µs, that was made between two monotonic seconds.

        What is kept is at the most what is true, so that no deadline lies late: the best that any reading has shown,
        until one shows that it cannot be, because that clock was set back.
        """
        least, most = clock / _MILLION - received, clock / _MILLION - sent
        kept = self.ahead.get(node, least)
        self.ahead[node] = max(kept, least) if kept <= most else least

    def _read_slots(self, ranges: list[Any], asked: Node) -> None:
        known: list[Node] = []
        for first, last, *servers in ranges:
            places = [self._place(server, asked) for server in servers]
            known += places
            for number, slot in enumerate(self._slots):
                if first <= slot <= last:
                    self.of_tag[number] = places[0]
        self._known = list(dict.fromkeys(known)) or self._known

    def _place(self, server: list[Any], asked: Node) -> Node:
        host = server[0].decode() if server[0] else ""
        if host in ("", "?") and asked is not None:  # a server that does not know its own name
            host = asked[0]
        return self._remap(host, server[1]) if self._remap else None


class _Unanswered:
    """The tokens of claims that were refused because no answer came, by the name of the nonce; the newest 10,000.

    Such a claim may have used its nonce up, and nobody was accepted under its token: the honest sender's next copy
    takes the token over, one copy and no other.
    """

    def __init__(self) -> None:
        self._tokens: dict[bytes, bytes] = {}
        self._lock = Lock()

    def take(self, name: bytes) -> bytes | None:
        """Give the token that was left for a nonce, once."""
        if not self._tokens:
            return None
        with self._lock:
            return self._tokens.pop(name, None)

    def leave(self, name: bytes, token: bytes) -> None:
        """Leave the token of a claim that is over."""
        with self._lock:
            self._tokens[name] = token
            if len(self._tokens) > 10_000:
                del self._tokens[next(iter(self._tokens))]


class _Try:
    """One claim on its way."""

    __slots__ = ("again", "ahead", "claim", "name", "now", "number", "outcome", "token")

    def __init__(self, claim: Claim, keys: Keys, token: bytes) -> None:
        self.claim = claim
        self.number, self.name = keys.of(claim)
        self.token = token
        self.outcome: bytes | VerificationError | None = None
        self.again = True
        self.ahead = 0
        self.now = 0


class Claims:
    """Claims and releases.

    Args:
        places: where the tags are.
        window: for a record that has to be made anew.
        timeout: seconds; a claim that the server gets to later than half of it is not executed.
        replicas: how many have to acknowledge a claim.
        share: nonces that one api key may hold, or 0.
    """

    def __init__(self, places: Places, window: Window, timeout: float, replicas: int, share: int) -> None:
        self.places = places
        self.window = window
        self._timeout = timeout
        self._replicas = replicas
        self._calls = ClaimCalls(places.keys, -(-share // TAGS))
        self._marked: dict[Node, int] = {}
        self._unanswered = _Unanswered()

    def claim(self, claims: Sequence[Claim], clock: Clock) -> Steps[list[bytes | VerificationError]]:
        """Claim, at the most twice: a second time with the same token, which then knows itself (R13)."""
        drawn = secrets.token_bytes(_TOKEN * len(claims))
        tries = [
            _Try(claim, self.places.keys, drawn[_TOKEN * n : _TOKEN * n + _TOKEN]) for n, claim in enumerate(claims)
        ]
        for one in tries:
            one.token = self._unanswered.take(one.name) or one.token
        try:
            yield from self._try_twice(tries, clock)
        finally:  # also when it was cancelled
            for one in tries:
                if one.again:
                    self._unanswered.leave(one.name, one.token)
        yield from self._mark(tries)
        return [one.outcome or unavailable("the claim was not sent") for one in tries]

    def _try_twice(self, tries: list[_Try], clock: Clock) -> Steps[None]:
        begun = monotonic()
        for load in (False, True):
            pending: dict[Node, list[_Try]] = defaultdict(list)
            for one in tries:
                if one.again:
                    pending[self.places.of_tag[one.number]].append(one)
            sent = monotonic()
            answers = yield {n: partial(self._commands, n, those, clock, load) for n, those in pending.items()}
            received = monotonic()
            short: dict[Node, list[_Try]] = {}
            for node, those in pending.items():
                short[node] = self._take(node, those, answers[node], sent, received)
            if any(short.values()):
                # Nothing was accepted under these tokens: the honest sender's next copy is to get through.
                yield {node: partial(self._release_all, node, those) for node, those in short.items() if those}
            if not any(one.again for one in tries) or received - begun + 2 * self._timeout > LIMIT:
                break
            if not load:
                yield from self.places.find(node for node in pending if not isinstance(answers[node], list))

    def release(self, claim: Claim, token: bytes) -> Steps[None]:
        """Give a nonce back, if the claim of this token still stands.

        Raises:
            StoreError: no server said that it is done.
        """
        number, name = self.places.keys.of(claim)
        told: Any = None
        for load in (False, True):
            node = self.places.of_tag[number]
            call, sent = partial(self._release, node, name, token), monotonic()
            told = (yield {node: lambda call=call, load=load: [*[RELEASE.load] * load, call()]})[node]  # type: ignore[misc]
            told = told[-1] if isinstance(told, list) else told
            if isinstance(told, list):
                self.places.learn(node, told[1], sent, monotonic())
                if told[0] == b"released":
                    return
            yield from self.places.find([node])
        raise StoreError(f"the nonce could not be released, and the claim stands: {said(told)}")

    def _commands(self, node: Node, tries: list[_Try], clock: Clock, load: bool) -> list[Command]:
        """Give what is sent, judged directly before. Who is refused here is taken out."""
        commands: list[Command] = [CLAIM.load] if load else []
        deadline = self._deadline(node)
        shared: dict[tuple[int, Window], bytes] = {}
        sent = []
        for one in tries:
            claim = one.claim
            try:
                one.now = now = claim.judge_again(clock)
            except VerificationError as error:
                one.outcome, one.again = error, False
                continue
            sent.append(one)
            same = shared.get((now, claim.window))
            if same is None:
                new = Window(*map(max, claim.window, self.window))
                same = shared[now, claim.window] = self._calls.shared(now, claim.window, deadline, new)
            commands.append(self._calls.call(one.number, one.name, claim, one.token, same))
        tries[:] = sent
        if self._replicas:
            commands.append(("WAIT", self._replicas, round(self._timeout * 500)))
        return commands

    def _take(
        self, node: Node, tries: list[_Try], answer: list[Any] | Exception, sent: float, received: float
    ) -> list[_Try]:
        """Read the answers; gives those whose nonces too few replicas hold."""
        if isinstance(answer, Exception):
            for one in tries:
                one.outcome = unavailable(said(answer))
            return []
        held = answer.pop() if self._replicas else 0
        enough = isinstance(held, int) and held >= self._replicas
        short, clock = [], 0
        for one, told in zip(tries, answer[len(answer) - len(tries) :], strict=True):
            if isinstance(told, int):
                one.outcome, one.again, clock = one.token, False, told
                if not enough:
                    one.outcome = unavailable(f"the nonce has to be on {self._replicas} replicas: {said(held)}")
                    short.append(one)
            elif isinstance(told, list):
                one.outcome, one.again, clock = refusal(one.claim, told), told[0] == b"late", told[1]
                one.ahead = clock // _MILLION if told[0] == b"apart" and told[2] > 0 else 0
            else:
                one.outcome, one.again = _failure(told)
        if clock:
            self.places.learn(node, clock, sent, received)
        return short

    def _mark(self, tries: list[_Try]) -> Steps[None]:
        """When a server's clock has run ahead, leave the mark of it at every tag, not just where a claim came by."""
        for one in tries:
            node = self.places.of_tag[one.number]
            if one.ahead <= self._marked.get(node, 0):  # once in each second of that clock
                continue
            self._marked[node] = one.ahead
            shared = self._calls.shared(one.now, Window(0, 0), self._deadline(node), self.window)
            numbers = (number for number, place in enumerate(self.places.of_tag) if place == node)
            tags = self.places.keys.tags
            calls = [self._calls.call(number, tags[number] + b":", None, b"", shared) for number in numbers]
            yield {node: lambda calls=calls: calls}  # type: ignore[misc]

    def _release_all(self, node: Node, tries: list[_Try]) -> list[tuple[Any, ...]]:
        return [RELEASE.load, *(self._release(node, one.name, one.token) for one in tries)]

    def _release(self, node: Node, name: bytes, token: bytes) -> tuple[Any, ...]:
        return RELEASE.call((name,), token, self._deadline(node))

    def _deadline(self, node: Node) -> int:
        """Give the last µs of the server's clock at which a command may be executed.

        Half the time is for the way back: what is executed at the deadline is still answered. A server whose clock was
        never read gets none; then what the clocks may differ is the bound.
        """
        ahead = self.places.ahead.get(node)
        return 2**53 if ahead is None else round((monotonic() + self._timeout / 2 + ahead) * _MILLION)


def _failure(error: Exception) -> tuple[VerificationError, bool]:
    """Give the refusal for an error that a server answered, and whether a second try could help."""
    if isinstance(error, OutOfMemoryError) or "OOM command" in str(error):  # Redis 6.2 says it inside another error
        detail = "the server has reached its maxmemory, and a live nonce is never dropped"
        return VerificationError(Reason.REPLAY_STORE_FULL, detail), False
    return unavailable(said(error)), True


def said(what: object) -> str:
    """Put into words what came instead of a good answer."""
    if isinstance(what, StoreError):
        return str(what)
    if isinstance(what, Exception):
        return f"{type(what).__name__}: {what}"
    return f"{what} have it" if isinstance(what, int) else "the server answered too late"
