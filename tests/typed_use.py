"""A program of a user's: each public thing with the types that users have, and what must not pass a type checker.

`test_typed_use.py` gives it to two type checkers; nothing here runs. A mistake that they must see ends with a comment
that says which; a strict checker also refuses such a comment where there is no mistake.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg_pool
import redis
import redis.asyncio

from rp_signing import (
    AsyncRetainPixel,
    CanonicalizationError,
    Claim,
    Keyring,
    MemoryNonceStore,
    Reason,
    RetainPixel,
    Secret,
    Signer,
    SigningError,
    StoreError,
    VerificationError,
    Verified,
    Verifier,
    canonicalize,
    parse,
    sign_event,
    verify_event,
)
from rp_signing.ingest.app import BODY_TIMEOUT, Ingest
from rp_signing.ingest.audit import AuditReport, Verdict, audit
from rp_signing.ingest.postgres import PostgresEventStore
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.ingest.store import EventStore
from rp_signing.keyfile import keyring_of, load_keyring, read_document
from rp_signing.middleware import asgi, wsgi
from rp_signing.middleware.serverless import request_of, response_of
from rp_signing.observation import Observation
from rp_signing.otel import OpenTelemetryObserver
from rp_signing.replay import NonceStore
from rp_signing.sdk import (
    BodyAltered,
    ClientUnusable,
    ClockSkew,
    Event,
    Group,
    Identify,
    IngestUnavailable,
    NotDelivered,
    PayloadRefused,
    Prepared,
    Receipt,
    Replayed,
    RequestRefused,
    SignatureRemoved,
    Track,
    WrongSecret,
    split,
)
from rp_signing.sdk.hooks import aiohttp_middleware, async_request_hook, request_hook, requests_auth
from rp_signing.stores.postgres import AsyncPostgresNonceStore, PostgresNonceStore, connect
from rp_signing.stores.redis import AsyncRedisNonceStore, RedisNonceStore
from rp_signing.stores.sqlite import SQLiteNonceStore
from rp_signing.testing import (
    API_KEY,
    OTHER_SECRET,
    SECRET,
    AsyncRecordingClient,
    Clock,
    Recording,
    RecordingClient,
    SignedRequest,
    nonces,
    signed_request,
    spoilings,
)


def sign(body: bytes) -> dict[str, str]:
    """The sender, by hand."""
    secret = Secret(SECRET)
    public: str = secret.key_id
    live: bool | None = secret.live
    mac: bytes = secret.mac(body)
    print(public, live, mac, secret.reveal())
    signer = Signer(api_key=API_KEY, secret=secret, clock=lambda: 5, nonce=nonces(3))
    event = sign_event({"type": "track"}, api_key=API_KEY, secret=SECRET)
    print(canonicalize(event), parse("{}", limit=100), signer.key_id, signer.api_key_id)
    Signer(api_key=API_KEY, secret=b"secret")  # type: ignore[arg-type]
    Signer(API_KEY, SECRET)  # type: ignore[call-arg]
    signer.sign("text")  # type: ignore[arg-type]
    signer.sign({"event": "parsed"})  # type: ignore[arg-type]
    sign_event([event], api_key=API_KEY, secret=SECRET)  # type: ignore[arg-type]
    return signer.sign(body)


def verify(headers: dict[str, str], body: bytes, nonces: NonceStore) -> str:
    """The receiver, by hand."""
    listed: dict[str, list[str]] = {API_KEY: [SECRET, OTHER_SECRET]}
    single: dict[str, str] = {API_KEY: SECRET}
    keyring = Keyring.of(listed or single or {API_KEY: [Secret(SECRET), OTHER_SECRET]})
    verifier = Verifier(keyring, nonces=nonces, past=60, future=5, max_body=100, accept_reserialized=True, clock=None)
    pairs: list[tuple[str, str]] = list(headers.items())
    raw: list[tuple[bytes, bytes]] = [(b"name", b"value")]
    for given in (pairs, raw, headers, httpx2.Headers(headers)):
        verified: Verified = verifier.verify(given, body)
    claim: Claim = verifier.check(headers, body, now=5.5)
    verified.release()
    print(verified.payload, verified.key_id == claim.key_id, verified.live, verifier.admit(headers, body))
    Verifier(keyring)  # type: ignore[call-arg]
    Verifier({API_KEY: SECRET}, nonces=nonces)  # type: ignore[arg-type]
    Verifier(keyring, nonces=set())  # type: ignore[arg-type]
    verifier.verify(headers, "text")  # type: ignore[arg-type]
    verifier.verify(headers, verified)  # type: ignore[arg-type]
    return verify_event(sign_event({}, api_key=API_KEY, secret=SECRET), keyring=keyring, api_key=API_KEY)


def refusals(work: Callable[[], None]) -> int | None:
    """What the gate raises."""
    try:
        work()
    except VerificationError as error:
        reason: Reason = error.reason
        print(reason.summary, error.public_code, error.detail, error.pointer or "")
        print(reason + 5)  # type: ignore[operator]
        return error.status + (error.retry_after or 0)
    except CanonicalizationError as error:
        print(error.reason.status, error.pointer)
    except (StoreError, SigningError) as error:
        print(error)
    return None


def send(known: dict[str, object], events: list[Event]) -> Receipt:
    """The SDK."""
    context = ssl.create_default_context()
    with RetainPixel(api_key=API_KEY, secret=SECRET, proxy="http://p:1", verify=context, timeout=5) as client:
        client.identify(user_id=uuid4(), traits=known, timestamp=datetime.now(UTC))
        client.group(group_id="g", anonymous_id="a", message_id=uuid4())
        generated: Iterator[Event] = iter(events)
        client.batch(generated)
        for part in split(events, max_events=5, max_bytes=1000) + client.split(events):
            client.batch(part)
        client.track(event="E", userId="u")  # type: ignore[call-arg]
        client.track(user_id="u")  # type: ignore[call-arg]
        client.track(event="E", user_id=5)  # type: ignore[arg-type]
        client.batch("text")  # type: ignore[arg-type]
        client.send(events)  # type: ignore[arg-type]
        RetainPixel(apikey=API_KEY)  # type: ignore[call-arg]
        RetainPixel(verify="authority.pem")  # type: ignore[arg-type]
        try:
            receipt = client.track(user_id="u", event="E", properties={"at": datetime.now(UTC)})
        except IngestUnavailable as error:
            receipt = client.send(error.prepared)
        return receipt


def errors_of_the_sdk(error: NotDelivered) -> Prepared | None:
    """What its errors hold."""
    if isinstance(error, BodyAltered):
        print(error.sent_length - error.received_length)
    elif isinstance(error, PayloadRefused):
        print(error.errors[0]["index"])
    elif isinstance(error, WrongSecret):
        print(error.key_id)
    elif isinstance(error, (ClientUnusable, ClockSkew, Replayed, SignatureRemoved, RequestRefused)):
        print(error.code, error.page, error.message_ids, error.skew)
    return error.prepared


async def send_asynchronously(verifier: Verifier, headers: dict[str, str], client: httpx2.AsyncClient) -> None:
    """The SDK and the gate in an event loop."""
    async with AsyncRetainPixel(api_key=API_KEY, secret=SECRET, http_client=client) as sender:
        receipt: Receipt = await sender.track(user_id="u", event="E")
        print(receipt.stored, (await sender.check()).trust)
        print(sender.track(user_id="u", event="E").trust)  # type: ignore[attr-defined]
    verified: Verified = await verifier.averify(headers, b"{}")
    await verified.arelease()


def hooks(signer: Signer) -> None:
    """Clients that users have already."""
    httpx2.Client(event_hooks={"request": [request_hook(signer, "https://x")]})
    httpx2.AsyncClient(event_hooks={"request": [async_request_hook(signer, "https://x")]})
    print(requests_auth(signer, "https://x"), aiohttp_middleware(signer, "https://x"))


def receive(app: Any, keyring: Keyring, seen: list[Observation]) -> None:
    """Doors."""
    nonces = MemoryNonceStore(born=0, capacity=100, share=5)
    asgi.VerifyRequests(app, keyring, nonces=nonces, observe=seen.append, errors_url="https://x", accept_unsigned=True)
    wsgi.VerifyRequests(app, keyring, nonces=nonces, observe=OpenTelemetryObserver(), body_timeout=1.5)
    asgi.VerifyRequests(app, keyring)  # type: ignore[call-arg]
    wsgi.VerifyRequests(app, {API_KEY: SECRET}, nonces=nonces)  # type: ignore[arg-type]


def members(client: RetainPixel) -> Receipt:
    """Events as models, by the names of Python."""
    Track(event="Left", userId="u")  # type: ignore[call-arg]
    left = Track(event="Left", user_id="u", message_id="m", timestamp="2026-11-23T09:00:00Z")
    return client.batch([left, Group(group_id="g", user_id="u"), Identify(anonymous_id="a", traits={"a": 1})])


def handler(event: dict[str, Any], context: object, verifier: Verifier) -> dict[str, Any]:
    """A function behind a gateway."""
    request = request_of(event)
    try:
        verified = verifier.verify(request.headers, request.body)
    except VerificationError as error:
        return response_of(error, request)
    return {"statusCode": 200, "body": verified.payload}


def stores(path: Path, claim: Claim) -> list[NonceStore]:
    """Where nonces are kept."""
    pool = psycopg_pool.ConnectionPool("postgresql://")
    waiting = psycopg_pool.AsyncConnectionPool("postgresql://", open=False)
    file = SQLiteNonceStore(path, born=0)
    told: list[str] = file.doctor()
    file.release(claim, file.claim(claim, lambda: 5.5))
    print(told, len(file), file.clear_future(now=5, future=3))
    SQLiteNonceStore(path, born="0")  # type: ignore[arg-type]
    return [
        MemoryNonceStore(),
        file,
        PostgresNonceStore(pool),
        PostgresNonceStore(connect("postgresql://")),
        AsyncPostgresNonceStore(waiting),
        RedisNonceStore(redis.Redis(), replicas=1),
        AsyncRedisNonceStore(redis.asyncio.Redis()),
    ]


def ingest(url: str) -> bool:
    """The endpoint."""
    keyring = keyring_of(read_document("keys.json"))
    store: EventStore = PostgresEventStore(url) if url else SQLiteEventStore("events.db")
    Ingest(keyring, store, body_timeout=BODY_TIMEOUT).use(load_keyring(Path("keys.json")))
    report: AuditReport = audit(store, keyring, progress=lambda done, total: None)
    altered = [row.message_id for row in report.bad if row.verdict is Verdict.ALTERED]
    return report.ok and [event.content for event in store.find(trust="high", limit=5)] != altered


def test_of_a_user(signing_clock: Clock, sent_events: Recording) -> None:
    """What users' tests take."""
    signing_clock.advance(5)
    sent: SignedRequest = signed_request({"a": 1}, clock=signing_clock, nonce=nonces(1))
    print([(spoiled.name, spoiled.status, spoiled.headers) for spoiled in spoilings(sent)], sent_events[0]["event"])
    with RecordingClient(api_key=API_KEY) as client:
        client.sent.refuse_next(Reason.REPLAYED)
    print(AsyncRecordingClient(api_key=API_KEY).sent)
