"""The ingest endpoint, a plain ASGI application (SPEC §6.1, §9)."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from math import floor
from traceback import extract_tb
from typing import Any, NamedTuple

try:
    import pydantic as _pydantic  # noqa: F401 - is the extra there?
except ImportError as _error:
    raise ImportError(f"{_error}; the endpoint needs its extra: pip install 'rp-signing[ingest]'") from None

from .. import wire
from ..canonical import DEFAULT_LIMIT, parse
from ..errors import CanonicalizationError, Reason, StoreError, VerificationError
from ..events import ROUTES, EventFault, EventsRefused
from ..keys import Keyring
from ..middleware.asgi import send_reply
from ..middleware.body import Disconnected, Message, Receive, Send, read_body
from ..middleware.problem import Reply
from ..middleware.rules import BODY_TIMEOUT, log_refusal, refuse_without_type
from ..observation import Observe, observation_of, told
from ..replay import FUTURE, PAST, Claim, Clock, NonceStore, nothing_fails_open
from ..verifier import Unsigned, Verifier
from .judge import judge
from .reply import accepted, refused
from .store import EventStore, MessageIdConflict, ReceivedEvent, ReceivedRequest, Stored

__all__ = ["BODY_TIMEOUT", "Ingest"]

_LOG = logging.getLogger("rp_signing.ingest")
_PREFIX = "/v1/"
_CHECK = "check"


class _Gate(NamedTuple):
    """Both of the same keys file, so that a reload comes between no request's two looks at it."""

    keyring: Keyring
    verifier: Verifier


class _Arrival:
    """What is known of one request so far: for its refusal, and for the log."""

    __slots__ = ("api_key_id", "body", "claim", "headers", "request_id", "route")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.request_id = secrets.token_hex(16)
        self.headers = headers
        self.route: str | None = None
        self.body: bytes | None = None
        self.api_key_id: str | None = None
        self.claim: Claim | None = None


class Ingest:
    """Takes events by ``POST /v1/track``, ``/v1/identify``, ``/v1/group`` and ``/v1/batch``.

    ``POST /v1/check`` takes any signed JSON, stores nothing, and says whether an event would have been taken.

    Every refusal is logged to ``rp_signing.ingest`` with its exact reason, and answered with what a stranger may be
    told. Whatever happens, an event is either stored durably and answered with 202, or not stored.

    Args:
        keyring: the api keys that are taken.
        store: where events are kept; whoever made it closes it.
        nonces: where nonces are claimed; None: in the store, by the transaction that keeps the events, which is better
            where it can be had.
        clock: gives Unix seconds; `time.time` when None.
        past: seconds that a timestamp may lie in the past.
        future: seconds that a timestamp may lie in the future.
        max_body: bytes; a longer body is refused before it is read whole.
        body_timeout: seconds that a body may take to arrive.
        observe: is told of each request that was judged, as an `Observation`.
        errors_url: where the page of errors is published, such as ``https://docs.example/errors.html``; every problem
            document then links to its error there.

    Raises:
        ValueError, TypeError: an argument makes no sense; the message says which.
    """

    def __init__(
        self,
        keyring: Keyring,
        store: EventStore,
        *,
        nonces: NonceStore | None = None,
        clock: Clock | None = None,
        past: int = PAST,
        future: int = FUTURE,
        max_body: int = DEFAULT_LIMIT,
        body_timeout: float = BODY_TIMEOUT,
        observe: Observe | None = None,
        errors_url: str | None = None,
    ) -> None:
        if not body_timeout > 0:
            raise ValueError("body_timeout must be more than 0 seconds")
        self._store = store
        self._nonces = nonces
        self._clock = clock
        self._past = past
        self._future = future
        self._max_body = max_body
        self._body_timeout = body_timeout
        self._observe = observe
        self._errors_url = errors_url
        self.use(keyring)

    @property
    def keyring(self) -> Keyring:
        """The api keys that are taken."""
        return self._gate.keyring

    def use(self, keyring: Keyring) -> None:
        """Take another keyring, from the next request on."""
        verifier = Verifier(
            keyring, nonces=None, past=self._past, future=self._future, max_body=self._max_body, clock=self._clock
        )
        self._gate = _Gate(keyring, verifier)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's start and stop, which change nothing here."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            # Taken before the body is read: some servers add a body's trailers to the headers.
            arrival = _Arrival(list(scope["headers"]))
            try:
                reply = await self._answer(scope, receive, arrival)
            except Disconnected:
                _LOG.info("the sender hung up", extra={"request_id": arrival.request_id, "route": arrival.route})
                return
            await send_reply(reply, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})

    async def _answer(self, scope: Message, receive: Receive, arrival: _Arrival) -> Reply:
        try:
            reply = await self._take(scope, receive, arrival)
            told(self._observe, observation_of(arrival.claim, None, self._now()), _LOG)
            return reply
        except Disconnected:
            raise
        except VerificationError as error:
            refusal = error
        except Exception as error:
            # Nothing fails open, and nothing of the exception's text, which could hold anything, leaves here.
            place = extract_tb(error.__traceback__)[-1]
            refusal = VerificationError(
                Reason.EVENT_STORE_UNAVAILABLE, f"{type(error).__name__} in {place.filename}, line {place.lineno}"
            )
        refusal.claim = refusal.claim or arrival.claim
        _log(refusal, arrival)
        told(self._observe, observation_of(None, refusal, self._now()), _LOG)
        reply = refused(refusal, arrival.body, arrival.request_id, floor(self._now()), self._errors_url)
        if refusal.reason is Reason.BODY_TIMEOUT and scope["http_version"].startswith("1"):
            reply = reply._replace(further=(("connection", "close"),))  # RFC 9110 §15.5.9
        return reply

    async def _take(self, scope: Message, receive: Receive, arrival: _Arrival) -> Reply:
        """Take the steps of SPEC §6.1 in their order."""
        arrival.route = route = _route_of(scope)
        if scope["method"] != "POST":
            raise VerificationError(Reason.METHOD_UNSUPPORTED, f"only POST is taken at {_PREFIX}{route}")
        arrival.body = await read_body(receive, arrival.headers, self._max_body, self._body_timeout)
        now = self._now()
        gate = self._gate
        arrival.api_key_id = _known_id(gate.keyring, arrival.headers)
        # The gate refuses a wrong one; that there has to be one is for the door to say (SPEC HDR-7).
        refuse_without_type(name.decode("latin-1") for name, _ in arrival.headers)
        outcome = gate.verifier.admit(arrival.headers, arrival.body, now)
        if isinstance(outcome, Claim):
            arrival.claim = outcome
        if route == _CHECK:
            return self._check(arrival, floor(now))
        # A batch takes milliseconds to judge and a disk to store: neither in the event loop.
        return await asyncio.to_thread(self._accept, gate, arrival, route, outcome, arrival.body, floor(now))

    def _check(self, arrival: _Arrival, received_at: int) -> Reply:
        """Say that a request would have been taken; nothing is claimed and nothing stored, so it may come again."""
        _parsed(arrival.body or b"", self._max_body)
        trust = "standard" if arrival.claim is None else "high"
        return accepted(Stored(0, 0), trust, received_at, arrival.request_id, floor(self._now()))

    def _accept(
        self, gate: _Gate, arrival: _Arrival, route: str, outcome: Claim | Unsigned, body: bytes, received_at: int
    ) -> Reply:
        """Parse, judge, claim and store: what comes once the MAC has held."""
        payload = _parsed(body, self._max_body)
        claim = None if isinstance(outcome, Unsigned) else outcome
        entry = gate.keyring.find_id(outcome.api_key_id)
        assert entry is not None  # noqa: S101 - it has just been admitted out of this keyring
        events = judge(route, payload, claim, entry)
        request = ReceivedRequest(arrival.request_id, route, received_at, outcome.api_key_id, outcome.live, claim)
        try:
            stored = self._keep(request, events)
        except MessageIdConflict as error:
            raise EventsRefused(
                [EventFault(index, error.reason, error.pointer or "", error.detail) for index in error.indexes]
            ) from None
        _LOG.info(
            "stored",
            extra={
                "request_id": arrival.request_id,
                "route": route,
                "api_key_id": outcome.api_key_id,
                "trust": request.trust,
                "stored": stored.stored,
                "duplicates": stored.duplicates,
            },
        )
        return accepted(stored, request.trust, received_at, arrival.request_id, floor(self._now()))

    def _keep(self, request: ReceivedRequest, events: list[ReceivedEvent]) -> Stored:
        """Claim and store: in one transaction, or first the claim and then the events (SPEC VER-11)."""
        if self._nonces is None or request.claim is None:
            return self._store.store(request, events)
        with nothing_fails_open(request.claim):
            token = self._nonces.claim(request.claim, self._now)
        try:
            return self._store.store(request._replace(claimed=True), events)
        except MessageIdConflict:
            # Rolled back for certain, so the nonce is free again. After any other failure it may have been stored.
            try:
                self._nonces.release(request.claim, token)
            except StoreError as error:
                _LOG.warning("the claim stands: %s", error, extra={"request_id": request.request_id})
            raise

    def _now(self) -> float:
        return (self._clock or time.time)()


def _parsed(body: bytes, limit: int) -> Any:
    try:
        return parse(body, limit)
    except CanonicalizationError as error:
        raise VerificationError(error.reason, error.detail, error.pointer) from None


def _route_of(scope: Message) -> str:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    route = path.removeprefix(_PREFIX)
    if route == path or route not in (*ROUTES, _CHECK):
        raise VerificationError(
            Reason.ROUTE_UNKNOWN, f"events are taken at {', '.join(_PREFIX + route for route in ROUTES)}"
        )
    return route


def _known_id(keyring: Keyring, headers: list[tuple[bytes, bytes]]) -> str | None:
    """Give the public id of a known api key, for the log; the api key itself never goes there."""
    wanted = wire.API_KEY.lower().encode()
    for name, value in headers:
        if name == wanted and (entry := keyring.find(value.decode("latin-1"))):
            return entry.api_key_id
    return None


def _log(error: VerificationError, arrival: _Arrival) -> None:
    known: dict[str, Any] = {
        "request_id": arrival.request_id,
        "route": arrival.route,
        "api_key_id": arrival.api_key_id,
        "length": None if arrival.body is None else len(arrival.body),
    }
    if isinstance(error, EventsRefused):
        known["errors"] = len(error.errors)
    log_refusal(_LOG, error, known)


async def _live(receive: Receive, send: Send) -> None:
    """Follow the server's start and stop; the store belongs to whoever made it."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
