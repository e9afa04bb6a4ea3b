"""How the store of an ingest server can be bent."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from rp_signing import Reason, VerificationError
from rp_signing.ingest.store import MessageIdConflict, Stored

App = Callable[[Any, Any, Any], Awaitable[None]]


class Bent:
    """An event store that stands before another."""

    def __init__(self, store: Any) -> None:
        self.inner = store

    def store(self, request: Any, events: Any) -> Any:
        """Pass it on."""
        return self.inner.store(request, events)


CLIENT: ContextVar[str] = ContextVar("CLIENT", default="")
"""The connection that a request came on."""


def nonces(change: Callable[[Any], str]) -> Callable[[Any], Any]:
    """Remember another nonce than the one that was sent."""

    class Changed(Bent):
        def store(self, request: Any, events: Any) -> Any:
            if request.claim is not None:
                request = request._replace(claim=request.claim._replace(nonce=change(request.claim)))
            return self.inner.store(request, events)

    return Changed


def know_client(app: App) -> App:
    """Let the store know the connection."""

    async def changed(scope: Any, receive: Any, send: Any) -> None:
        CLIENT.set(str(scope.get("client")))
        await app(scope, receive, send)

    return changed


class Forgetful(Bent):
    """Remembers the last eight nonces."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.last: list[str] = []

    def store(self, request: Any, events: Any) -> Any:
        """Evict."""
        if request.claim.nonce in self.last:
            raise VerificationError(Reason.REPLAYED, "seen")
        self.last = [*self.last[-7:], request.claim.nonce]
        fresh = request.claim._replace(nonce=request.request_id)
        return self.inner.store(request._replace(claim=fresh), events)


class LooksFirst(Bent):
    """Looks whether the nonce is known, and only then writes it down."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.known: set[str] = set()
        self.together = threading.Barrier(2)

    def meet(self) -> None:
        """Let another request come to the same place."""
        try:
            self.together.wait(0.05)
        except threading.BrokenBarrierError:
            self.together.reset()

    def store(self, request: Any, events: Any) -> Any:
        """Look, wait, write."""
        if request.claim.nonce in self.known:
            raise VerificationError(Reason.REPLAYED, "seen")
        self.meet()
        self.known.add(request.claim.nonce)
        fresh = request.claim._replace(nonce=request.request_id)
        return self.inner.store(request._replace(claim=fresh), events)


class LooksForEventFirst(LooksFirst):
    """Looks whether the messageId is known, and only then writes it down."""

    def store(self, request: Any, events: Any) -> Any:
        """Look, wait, write."""
        if events[0].message_id in self.known:
            return self.inner.store(request, events)
        self.meet()
        self.known.add(events[0].message_id)
        self.inner.store(request, events)
        return Stored(len(events), 0)


class Swallowing(Bent):
    """Drops an event whose messageId was used, whatever it holds."""

    def store(self, request: Any, events: Any) -> Any:
        """Say that all is well."""
        try:
            return self.inner.store(request, events)
        except MessageIdConflict:
            return Stored(0, len(events))


class StoresEach(Bent):
    """Stores the events of a batch one by one, until one is refused."""

    def store(self, request: Any, events: Any) -> Any:
        """Let the first ones in."""
        outcomes = []
        for at, event in enumerate(events):
            own = request._replace(claim=request.claim._replace(nonce=f"{request.claim.nonce[:60]}{at}"))
            try:
                outcomes.append(self.inner.store(own, [event]))
            except MessageIdConflict:
                raise MessageIdConflict([at]) from None
        return Stored(sum(one.stored for one in outcomes), sum(one.duplicates for one in outcomes))


class CountsAll(Bent):
    """Calls a duplicate stored."""

    def store(self, request: Any, events: Any) -> Any:
        """Count wrongly."""
        outcome = self.inner.store(request, events)
        return Stored(outcome.stored + outcome.duplicates, 0)


class ComparesText(Bent):
    """Knows an event by its bytes in the body instead of its canonical form."""

    def store(self, request: Any, events: Any) -> Any:
        """Give each body content of its own."""
        spelled = [event._replace(content=f"{event.content} {request.claim.digest}") for event in events]
        return self.inner.store(request, spelled)


class Ill(Bent):
    """Fails."""

    def store(self, request: Any, events: Any) -> Any:
        """Refuse, as a store does that cannot be reached."""
        raise VerificationError(Reason.EVENT_STORE_UNAVAILABLE, "ill")


class Young(Bent):
    """Was made 100 seconds ago."""

    def store(self, request: Any, events: Any) -> Any:
        """Refuse what it may have forgotten."""
        if request.claim.timestamp <= request.received_at - 100:
            raise VerificationError(Reason.SIGNED_BEFORE_START, "young", retry_after=160)
        return self.inner.store(request, events)


def fresh() -> str:
    """Give a nonce that nobody has sent."""
    return secrets.token_urlsafe(24)
