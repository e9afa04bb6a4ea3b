"""Others who verify a body under a shared secret: each as its documentation has it, and proved to accept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import http_message_signatures
import itsdangerous
import joserfc.jwk
import joserfc.jws
import jwt
import mohawk
import orjson
import requests
import slack_sdk.signature
import standardwebhooks
import stripe
import svix

from .measure import Call

_KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
_SECRET = "a-secret-of-thirty-two-bytes-1234"
_URL = "https://ingest.example.com/v1/track"


def slack(body: bytes) -> Call:
    """Slack's request verifier."""
    verifier = slack_sdk.signature.SignatureVerifier(_SECRET)
    now = str(int(time.time()))
    signature = verifier.generate_signature(timestamp=now, body=body)
    return partial(verifier.is_valid, body, now, signature)


def itsdangerous_(body: bytes) -> Call:
    """A timestamped signer with SHA-256."""
    signer = itsdangerous.TimestampSigner(_SECRET, digest_method=hashlib.sha256)
    return partial(signer.unsign, signer.sign(body), max_age=300)


def stripe_(body: bytes) -> Call:
    """Stripe's webhook signature, without its parse."""
    now = int(time.time())
    text = body.decode()
    mac = hmac.new(_SECRET.encode(), f"{now}.{text}".encode(), hashlib.sha256).hexdigest()
    return partial(stripe.WebhookSignature.verify_header, text, f"t={now},v1={mac}", _SECRET, tolerance=300)


def standard_webhooks(body: bytes) -> Call:
    """Standard Webhooks; it parses the body too."""
    return _webhook(standardwebhooks.Webhook(_KEY), "webhook", body)


def svix_(body: bytes) -> Call:
    """Svix, the ancestor of Standard Webhooks; it parses the body too."""
    return _webhook(svix.Webhook(_KEY), "svix", body)


def _webhook(webhook: svix.Webhook | standardwebhooks.Webhook, prefix: str, body: bytes) -> Call:
    now = datetime.now(tz=UTC)
    headers = {
        f"{prefix}-id": "msg_1",
        f"{prefix}-timestamp": str(int(now.timestamp())),
        f"{prefix}-signature": webhook.sign("msg_1", now, body.decode()),
    }
    return partial(webhook.verify, body, headers)


def joserfc_(body: bytes) -> Call:
    """A compact JWS."""
    key = joserfc.jwk.OctKey.import_key(_SECRET)
    token = joserfc.jws.serialize_compact({"alg": "HS256"}, body, key)
    return partial(joserfc.jws.deserialize_compact, token, key, algorithms=["HS256"])


def pyjwt(body: bytes) -> Call:
    """A JWT whose claims are the body; it parses them too."""
    claims = {**orjson.loads(body), "exp": int(time.time()) + 300}
    return partial(jwt.decode, jwt.encode(claims, _SECRET, "HS256"), _SECRET, ["HS256"])


def mohawk_(body: bytes) -> Call:
    """Hawk."""
    credentials = {"id": "benchmark", "key": _SECRET, "algorithm": "sha256"}
    kind = "application/json"
    sender = mohawk.Sender(credentials, _URL, "POST", content=body, content_type=kind)
    seen: Callable[..., bool] = lambda *_: False  # noqa: E731
    return lambda: mohawk.Receiver(
        lambda _: credentials, sender.request_header, _URL, "POST", content=body, content_type=kind, seen_nonce=seen
    )


class _Keys(http_message_signatures.HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> bytes:
        return _SECRET.encode()

    def resolve_private_key(self, key_id: str) -> bytes:
        return _SECRET.encode()


def http_signatures(body: bytes) -> Call:
    """RFC 9421 over a content digest, which the library computes on both sides."""
    algorithm = http_message_signatures.algorithms.HMAC_SHA256
    request = requests.Request("POST", _URL, data=body).prepare()
    covered = ("@method", "@authority", "@target-uri")
    signer = http_message_signatures.HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=_Keys())
    signer.sign(request, key_id="benchmark", covered_component_ids=covered, include_alg=True, body=body)
    verifier = http_message_signatures.HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=_Keys())
    return partial(verifier.verify, request, body=body)


PEERS: dict[str, Callable[[bytes], Call]] = {
    "slack_sdk (MAC alone)": slack,
    "itsdangerous": itsdangerous_,
    "stripe": stripe_,
    "svix": svix_,
    "joserfc": joserfc_,
    "standardwebhooks": standard_webhooks,
    "PyJWT": pyjwt,
    "mohawk": mohawk_,
    "http-message-signatures": http_signatures,
}


def verifiers(body: bytes) -> dict[str, Call]:
    """Give each peer's verification of a body that it signed itself, after it has accepted it once."""
    made = {name: make(body) for name, make in PEERS.items()}
    for name, verify in made.items():
        # Most raise; slack_sdk says False.
        assert verify() is not False, f"{name} refuses what it signed"
    return made


def signers(body: bytes) -> dict[str, Call]:
    """Give what some peers do to sign a body."""
    now = datetime.now(tz=UTC)
    text = body.decode()
    webhook = standardwebhooks.Webhook(_KEY)
    key = joserfc.jwk.OctKey.import_key(_SECRET)
    return {
        "itsdangerous": partial(itsdangerous.TimestampSigner(_SECRET, digest_method=hashlib.sha256).sign, body),
        "standardwebhooks": partial(webhook.sign, "msg_1", now, text),
        "joserfc": partial(joserfc.jws.serialize_compact, {"alg": "HS256"}, body, key),
        "PyJWT": partial(jwt.encode, orjson.loads(body), _SECRET, "HS256"),
    }
