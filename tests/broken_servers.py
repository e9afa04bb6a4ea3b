"""Ingest servers with one named bug each, and the probes that have to name it: so the black box is judged too.

Each is the real endpoint, served by uvicorn, with its requests, its replies, its store or one function changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import bent_gate as gate
import bent_requests as bent
import bent_stores as stores
from parties import LIVE_API_KEY, OLD, OTHER
from served import serving
from spec_page import API_KEY, SECRET

from rp_signing import Reason, Verifier, events
from rp_signing.grammar import spell_mac
from rp_signing.ingest import app as app_module
from rp_signing.ingest.app import Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.keyfile import keyring_of
from rp_signing.keys import Keyring
from rp_signing.middleware import body as body_module

KEYS = {
    "api_keys": [
        {"api_key": API_KEY, "secrets": [SECRET, OLD]},
        {"api_key": LIVE_API_KEY, "secrets": [OTHER], "require_signature": False},
    ]
}


class Broken(NamedTuple):
    """A server with one bug.

    Attributes:
        name: the bug.
        probes: the ids of the probes that have to fail, with spaces between.
        wrap: changes the application.
        store: changes the store.
        patches: what is changed while it serves.
        options: of the `Ingest`.
        api_key: that the probes use.
        http: what reads HTTP for it.
        hangs: True where the bug is that no answer comes.
        fails_all: True where no event is taken rightly.
    """

    name: str
    probes: str
    wrap: Callable[[Any], Any] = lambda app: app
    store: Callable[[Any], Any] = lambda store: store
    patches: tuple[Any, ...] = ()
    options: dict[str, Any] | None = None
    api_key: str = API_KEY
    http: str = "h11"
    hangs: bool = False
    fails_all: bool = False

    @property
    def secret(self) -> str:
        """That of the api key."""
        return SECRET if self.api_key == API_KEY else OTHER


class Switch:
    """One server for all of them, one after the other. A context manager, which serves.

    Attributes:
        url: where.
    """

    def __init__(self) -> None:
        self._app: Any = None
        self._stack = ExitStack()

    def __enter__(self) -> Switch:
        self.url = self._stack.enter_context(serving(self))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve as the one that is on."""
        await (_live(receive, send) if scope["type"] == "lifespan" else self._app(scope, receive, send))

    @contextmanager
    def to(self, broken: Broken, folder: Path, clock: Any = None) -> Iterator[str]:
        """Serve this one, with a store in this folder; gives the URL."""
        store = SQLiteEventStore(folder / "events.db", clock)
        with ExitStack() as stack:
            for change in broken.patches:
                stack.enter_context(change)
            options = {"body_timeout": 0.3, "clock": clock, **(broken.options or {})}
            self._app = broken.wrap(Ingest(keyring_of(KEYS), broken.store(store), **options))
            yield self.url if broken.http == "h11" else stack.enter_context(serving(self, broken.http))
        store.close()


async def _live(receive: Any, send: Any) -> None:
    for word in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{word}.complete"})


def _without(name: str) -> Callable[[Any], Any]:
    return bent.fields(lambda lines: [line for line in lines if line[0] != name.encode()])


def _texted(lines: Any) -> Any:
    return [(name, b"application/json" if name == b"content-type" else value) for name, value in lines]


_UTF8 = gate.forgives(Reason.PAYLOAD_NOT_UTF8, lambda body: json.loads(body.decode("utf-8", "replace")))
_NOT_JSON = gate.forgives(Reason.PAYLOAD_NOT_JSON, lambda body: json.loads(body.decode("utf-8-sig"), strict=False))
_FIRST_VALUE = gate.forgives(
    Reason.PAYLOAD_NOT_JSON, lambda body: json.JSONDecoder().raw_decode(body.decode("utf-8-sig"))[0]
)

SERVERS = [
    # headers
    Broken("the first of two header lines wins", "doubled-nonce-same doubled-nonce-other-behind",
           bent.headers(bent.first_wins)),
    Broken("the last of two header lines wins", "doubled-api-key-same doubled-signature-other-before",
           bent.headers(bent.last_wins)),
    Broken("a joined header is split", "joined-signature joined-api-key",
           bent.values(lambda _, value: value.partition(b",")[0])),
    Broken("a folded header is put together", "folded-signature folded-nonce",
           bent.values(lambda _, value: value.replace(b" ", b""))),
    Broken("hex is compared without case", "malformed-signature-upper-case",
           bent.values(lambda name, value: value.lower() if name == b"x-rp-signature" else value)),
    Broken("values are trimmed", "malformed-timestamp-nbsp malformed-nonce-nbsp malformed-api-key-nbsp",
           bent.values(lambda _, value: value.decode("latin-1").strip().encode("latin-1"))),
    Broken("values are unquoted", "malformed-key-id-quoted malformed-signature-quoted",
           bent.values(lambda _, value: value.strip(b'"'))),
    Broken("a timestamp is read as a number",
           "malformed-timestamp-plus malformed-timestamp-separator malformed-timestamp-arabic-digits "
           "malformed-timestamp-leading-zero", bent.values(bent.as_number)),
    Broken("milliseconds are taken", "milliseconds", bent.values(
        lambda name, value: value[:10] if name == b"x-rp-timestamp" and len(value) == 13 else value)),
    Broken("underscores are hyphens", "names-with-underscores",
           bent.headers(lambda lines: [(name.replace(b"_", b"-"), value) for name, value in lines])),
    Broken("a missing header means unsigned", "missing-signature signature-header-alone key-id-header-alone",
           bent.headers(bent.downgrade)),
    Broken("an empty header means none", "empty-key-id",
           bent.headers(lambda lines: [line for line in lines if line[1]])),
    Broken("any media type is taken", "missing-content-type media-type-text media-type-latin-1",
           bent.headers(bent.json_always)),
    Broken("gzip is unpacked", "encoding-gzip-signed-unpacked", bent.bodies(bent.unpack)),
    Broken("a Content-Encoding is ignored", "encoding-gzip-in-name-alone encoding-unknown",
           bent.headers(lambda lines: [line for line in lines if line[0] != b"content-encoding"])),
    Broken("odd octets are an error of the server", "malformed-nonce-not-ascii malformed-timestamp-nbsp",
           bent.headers(bent.ascii_alone)),
    # signatures
    Broken("the MAC is not checked", "mac-zeros body-altered nonce-altered secret-other-right-key-id",
           patches=(gate.matches(lambda *_: True),)),
    Broken("half of the MAC is compared", "mac-last-digit",
           patches=(gate.matches(lambda secret, text, sent: spell_mac(secret.mac(text))[:39] == sent[:39]),)),
    Broken("the purpose is open", "purpose-event", patches=(gate.matches(
        lambda secret, text, sent: sent in map(spell_mac, (secret.mac(text), secret.mac(gate.as_event(text))))),)),
    Broken("the key id is ignored", "key-id-unknown", patches=(gate.who(gate.ignores_key_id),)),
    Broken("a key id may be put in", "key-id-put-in", patches=(gate.who(gate.tries_dash_too),)),
    Broken("a key id may be taken out", "key-id-taken-out", patches=(gate.who(gate.tries_key_ids_too),)),
    Broken("an api key is compared in part", "api-key-longer", patches=(gate.by_prefix(Keyring.find),)),
    Broken("the body is trimmed", "body-longer", bent.bodies(lambda scope, body: (scope, body.strip()))),
    Broken("a re-serialised body is taken", "body-reserialized signed-canonical-form",
           patches=(patch.object(app_module, "Verifier", lambda *given, **options: Verifier(
               *given, **options, accept_reserialized=True)),)),
    Broken("the MAC of the body alone is taken", "mac-of-the-body-alone", bent.bodies(bent.mac_of_body)),
    Broken("a bad MAC is answered 200", "mac-zeros", bent.statuses({401: 200})),
    Broken("the body is parsed before the MAC", "order-mac-before-body", bent.parses_first),
    Broken("the exact reason is told", "strangers-cannot-tell key-id-unknown",
           patches=(gate.tells("code", lambda error: error.reason.value),)),
    Broken("the exact detail is told", "strangers-cannot-tell",
           patches=(gate.tells("detail", lambda error: error.detail),)),
    Broken("no future bound", "timestamp-future timestamp-far-future", options={"future": 10**10}),
    Broken("no past bound", "timestamp-expired timestamp-long-expired", options={"past": 10**10}),
    Broken("a future bound that is too wide", "timestamp-future", options={"future": 300}),
    Broken("a past that is too short", "valid-past-edge", options={"past": 60}),
    Broken("no future at all", "valid-future-edge", options={"future": 0}),
    # bodies
    Broken("bad UTF-8 is replaced", "payload-not-utf-8 payload-overlong", patches=(_UTF8,)),
    Broken("Python's JSON grammar is taken", "payload-nan payload-raw-control-character", patches=(_NOT_JSON,)),
    Broken("a byte order mark is skipped", "payload-byte-order-mark payload-text-behind", patches=(_FIRST_VALUE,)),
    Broken("the last of two members wins", "payload-duplicate-name payload-duplicate-escaped",
           patches=(gate.forgives(Reason.PAYLOAD_DUPLICATE_KEY, json.loads),)),
    Broken("a big integer is rounded", "payload-big-integer payload-infinite-number",
           patches=(gate.forgives(Reason.PAYLOAD_NUMBER_RANGE, lambda body: json.loads(body, parse_int=float)),)),
    Broken("a lone surrogate is replaced", "payload-lone-surrogate",
           patches=(gate.forgives(Reason.PAYLOAD_SURROGATE,
                                  lambda body: json.loads(body.replace(b"\\ud800", b"?"))),)),
    Broken("the stack is the bound of depth", "payload-depth-65 payload-depth-100000",
           patches=(gate.forgives(Reason.PAYLOAD_DEPTH, json.loads),)),
    Broken("an empty body is an empty object", "payload-empty",
           patches=(gate.forgives(Reason.PAYLOAD_NOT_JSON, lambda _: {}),)),
    Broken("no bound of a body", "oversized oversized-streamed", options={"max_body": 10**8}),
    Broken("the announced length is not looked at", "oversized-announced",
           patches=(patch.object(body_module, "_announces_more", lambda *_: False),),
           options={"body_timeout": 1_000.0}, hangs=True),
    Broken("the bound of a body is too low", "valid-512-kib", options={"max_body": 300_000}),
    # events
    Broken("any type at any route", "event-type-of-another-route", patches=(gate.judges(gate.any_route),)),
    Broken("unknown members are dropped", "event-unknown-member event-snake-case",
           patches=(gate.judges(gate.drop_unknown),)),
    Broken("the member trust is dropped", "event-trust-claimed", patches=(gate.judges(gate.drop_trust),)),
    Broken("an unsigned event is taken in a signed request", "event-unsigned",
           patches=(gate.resigned(lambda event: "integrity_signature" not in event),)),
    Broken("a null signature is none to check", "event-signature-null",
           patches=(gate.resigned(lambda event: event.get("integrity_signature", "") is None),)),
    Broken("an event's signature is not checked", "event-altered event-signature-zeros event-of-another-api-key",
           patches=(gate.resigned(lambda event: bool(event.get("integrity_signature"))),)),
    Broken("only the first bad event is named", "batch-whole-or-not-at-all",
           bent.members(errors=lambda errors: errors[:1])),
    Broken("the good half of a batch is stored", "batch-whole-or-not-at-all", patches=(gate.stores_the_good_ones(),)),
    Broken("events are stored one by one", "batch-with-conflict", store=stores.StoresEach),
    Broken("a conflict is swallowed", "message-id-conflict", store=stores.Swallowing),
    Broken("a duplicate counts as stored", "message-id-again", store=stores.CountsAll),
    Broken("events are compared as received", "message-id-again-spelled-otherwise", store=stores.ComparesText),
    Broken("any length of a batch", "batch-of-1001", patches=(patch.object(events, "MAX_BATCH", 10**6),)),
    Broken("an unsigned event is high", "unsigned", bent.receipts(trust="high"), api_key=LIVE_API_KEY),
    Broken("a signed event is standard", "valid-track", bent.receipts(trust="standard"), fails_all=True),
    # single use
    Broken("nonces are not remembered", "replay-same-connection replay-other-connection race-same-request",
           store=stores.nonces(lambda _: stores.fresh())),
    Broken("nonces are remembered for a connection", "replay-other-connection", stores.know_client,
           stores.nonces(lambda claim: claim.nonce + stores.CLIENT.get())),
    Broken("the last eight nonces are remembered", "replay-later", store=stores.Forgetful),
    Broken("nonces are remembered with the body", "nonce-again-other-body",
           store=stores.nonces(lambda claim: claim.nonce + claim.digest)),
    Broken("nonces are remembered by key id", "nonce-again-without-key-id",
           store=stores.nonces(lambda claim: f"{claim.nonce} {claim.sent_key_id}")),
    Broken("nonces are compared without case", "nonce-new", store=stores.nonces(lambda claim: claim.nonce.lower())),
    Broken("a part of a nonce is kept", "nonce-new", store=stores.nonces(lambda claim: claim.nonce[:22])),
    Broken("a nonce is claimed before the MAC", "nonce-kept-by-bad-mac nonce-kept-by-bad-time hung-up",
           bent.burns_first),
    Broken("a nonce is claimed before the parse", "nonce-kept-by-bad-payload nonce-kept-by-bad-event",
           patches=(gate.claims_when_admitted(),)),
    Broken("the claim is two steps", "race-same-request race-same-nonce", store=stores.LooksFirst),
    Broken("a messageId is looked for, then written", "race-same-event", store=stores.LooksForEventFirst),
    # HTTP
    Broken("trailers are headers", "trailers-complete trailers-double trailers-replace", http="httptools"),
    Broken("no deadline of a body", "body-stalls body-drips", options={"body_timeout": 1_000.0}, hangs=True),
    Broken("a deadline for each piece", "body-drips",
           patches=(patch.object(app_module, "read_body", gate.each_piece_in_time),), hangs=True),
    Broken("any case of a path", "route-upper-case", bent.scope(lambda scope: {"path": scope["path"].lower()})),
    Broken("any slashes of a path", "route-trailing-slash",
           bent.scope(lambda scope: {"path": scope["path"].rstrip("/")})),
    Broken("any method", "method-get method-put method-options", bent.scope(lambda _: {"method": "POST"})),
    Broken("it dies of its fourth request", "alive-at-the-end", bent.dies_soon),
    # answers
    Broken("no server_time", "problem-server-time", bent.members(server_time=None)),
    Broken("server_time in milliseconds", "problem-server-time", bent.members(server_time=lambda time: time * 1_000)),
    Broken("server_time with a fraction", "problem-server-time", bent.members(server_time=lambda time: time + 0.5)),
    Broken("problems are plain JSON", "problem-media-type", bent.fields(_texted)),
    Broken("no request_id", "problem-form", bent.members(request_id=None)),
    Broken("the status is text", "problem-form", bent.members(status=str)),
    Broken("a code of its own", "problem-form", bent.members(code=lambda code: code.replace("_", "-"))),
    Broken("no Retry-After", "problem-form", _without("retry-after"), stores.Ill, fails_all=True),
    Broken("nothing of what was received", "problem-received", bent.members(received=None)),
    Broken("a digest of something else", "problem-received",
           bent.members(received=lambda received: {**received, "sha256": "0" * 64})),
    Broken("the api key is told", "answers-hide-credentials",
           bent.members(detail=lambda detail: f"{detail} for {API_KEY}")),
    Broken("the secret is told", "answers-hide-credentials", bent.members(title=lambda title: f"{title} {SECRET}")),
    Broken("the expected MAC is told", "answers-hide-credentials", bent.tells_mac),
    Broken("a receipt without request_id", "receipt-form", bent.receipts(request_id=None)),
    Broken("a receipt with its time as text", "receipt-form", bent.receipts(received_at="now")),
]  # fmt: skip
