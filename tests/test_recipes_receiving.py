"""The recipes of docs/recipes/receiving.md run as they stand, in the real frameworks, over real sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import django
import pytest
import sentry_sdk
from code_blocks import blocks_of
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path
from parties import KEYS, OTHER
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware
from served import PATIENCE, ask, serving
from served_wsgi import serving_wsgi
from spec_page import API_KEY, BODY, KEY_ID, SECRET

from rp_signing import Keyring, Signer, Verifier
from rp_signing.middleware.wsgi import VerifyRequests
from rp_signing.stores.sqlite import SQLiteNonceStore

PAGE = (Path(__file__).parent.parent / "docs/recipes/receiving.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (.*?)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
EVENT = json.loads(BODY)
JSON = {"Content-Type": "application/json"}


class Recipe(NamedTuple):
    """A recipe that is served.

    Attributes:
        url: of its route.
        name: its heading.
    """

    url: str
    name: str


def run(name: str, **given: Any) -> dict[str, Any]:
    """Run a recipe's code; gives what it defines."""
    defined = {"__name__": "recipe", **given}
    exec(compile(RECIPES[name], f"receiving.md, {name}", "exec"), defined)  # noqa: S102 - our own page
    return defined


def django_application(orders: Callable[..., Any]) -> Any:
    """A Django project that is one route and the recipe's view; Django can be set up once in a process."""
    if not settings.configured:
        settings.configure(ROOT_URLCONF="recipe_urls", ALLOWED_HOSTS=["*"], SECRET_KEY="of Django alone", DEBUG=False)
        django.setup()
    urls = type("Urls", (), {"urlpatterns": [path("orders", orders)]})
    settings.ROOT_URLCONF = urls
    return get_wsgi_application()


def served(name: str, defined: dict[str, Any], beside_sentry: bool = False) -> AbstractContextManager[str]:
    """Serve what a recipe defines, below Sentry's middleware where that is asked for."""
    if name in ("Django", "Flask", "Flask, one route"):
        app = django_application(defined["orders"]) if name == "Django" else defined["app"]
        return serving_wsgi(SentryWsgiMiddleware(app) if beside_sentry else app)
    return serving(SentryAsgiMiddleware(defined["app"]) if beside_sentry else defined["app"])


NAMES = [name for name in RECIPES if name not in ("AWS Lambda", "Beside Sentry")]


def test_every_recipe_is_run() -> None:
    """Each code block of the page stands under a heading of its own, and each is served, called or sent with below."""
    assert list(RECIPES.values()) == [block.code for block in blocks_of("docs/recipes/receiving.md", "python")]
    assert {*NAMES, "AWS Lambda", "Beside Sentry"} == RECIPES.keys()


@pytest.fixture
def nonces(tmp_path: Path) -> Iterator[SQLiteNonceStore]:
    """The nonces of one server."""
    store = SQLiteNonceStore(tmp_path / "nonces.db", born=0)
    yield store
    store.close()


@pytest.fixture(params=NAMES)
def recipe(request: pytest.FixtureRequest, nonces: SQLiteNonceStore) -> Iterator[Recipe]:
    """Each recipe that is a server, in its turn."""
    name = request.param
    with served(name, run(name, keyring=Keyring.of(KEYS), nonces=nonces)) as url:
        yield Recipe(f"{url}/{'hooks/' if name == 'FastAPI' else ''}orders", name)


def sign(body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    """The headers of a new request."""
    return Signer(api_key=API_KEY, secret=secret).sign(body) | JSON


def code_of(document: dict[str, Any]) -> str:
    """The public code; FastAPI's own errors have it in `detail`."""
    return str(document.get("code") or document["detail"])


def test_a_signed_request_is_handled(recipe: Recipe) -> None:
    """The handler answers with what was verified."""
    answer = ask(recipe.url, BODY, sign())
    assert (answer.status, answer.document) == (200, {"event": EVENT["event"], "key": KEY_ID})


def test_a_request_that_does_not_hold_is_refused(recipe: Recipe) -> None:
    """Tampered, replayed, of another secret, unsigned: each is refused with its code."""
    headers = sign()
    assert ask(recipe.url, BODY, headers).status == 200
    tampered = BODY.replace(b"user-123", b"user-124")
    cases = [
        (BODY, headers, 409, "replayed"),
        (tampered, sign(), 401, "signature_invalid"),
        (BODY, sign(secret=OTHER), 401, "signature_invalid"),
        (BODY, JSON, 401, "api_key_missing"),
    ]
    for body, sent, status, code in cases:
        answer = ask(recipe.url, body, sent)
        assert (answer.status, code_of(answer.document)) == (status, code)


def test_a_body_with_two_readings_is_refused(recipe: Recipe) -> None:
    """A signed body whose JSON names a member twice reaches no handler."""
    body = BODY[:-1] + b',"userId":"user-124"}'
    answer = ask(recipe.url, body, sign(body))
    assert (answer.status, code_of(answer.document)) == (422, "payload_duplicate_key")


def test_all_of_django_can_stand_behind_the_middleware(nonces: SQLiteNonceStore) -> None:
    """Django reads the body that was verified, and the view finds who signed it."""
    from django.http import JsonResponse

    def orders(request: Any) -> JsonResponse:
        return JsonResponse({"read": json.loads(request.body), "key": request.environ["rp_signing.verified"].key_id})

    from django.views.decorators.csrf import csrf_exempt

    application = VerifyRequests(django_application(csrf_exempt(orders)), Keyring.of(KEYS), nonces=nonces)
    with serving_wsgi(application) as url:
        assert ask(f"{url}/orders", BODY, sign()).document == {"read": EVENT, "key": KEY_ID}
        assert ask(f"{url}/orders", BODY, sign(secret=OTHER)).status == 401


def test_a_lambda_takes_and_refuses(nonces: SQLiteNonceStore) -> None:
    """The handler of the recipe answers 200 once, and the problem document after that."""
    handler = run("AWS Lambda", keyring=Keyring.of(KEYS), nonces=nonces)["handler"]
    event = {"version": "2.0", "headers": sign(), "body": BODY.decode(), "isBase64Encoded": False}
    assert handler(event, None) == {"statusCode": 200, "body": EVENT["event"]}
    assert json.loads(handler(event, None)["body"])["code"] == "replayed"
    with pytest.raises(TypeError, match="Lambda proxy integration"):
        handler({**event, "body": EVENT}, None)


@pytest.mark.parametrize(
    "parsed",
    [EVENT, BODY.decode(), type("Order", (), {})(), [EVENT], None],
    ids=["dict", "str", "model", "list", "None"],
)
def test_what_was_parsed_is_refused_with_the_line_that_gets_the_bytes(parsed: Any) -> None:
    """A dict, a text or a model handed in as the body raises, naming the raw body of each framework."""
    with pytest.raises(TypeError) as caught:
        Verifier(Keyring.of(KEYS), nonces=None).check(sign(), parsed)
    for line in (
        "request.get_data() in Flask",
        "request.body in Django",
        "await request.body() in Starlette and FastAPI",
    ):
        assert line in str(caught.value)


class Envelopes(sentry_sdk.transport.Transport):
    """Keeps what Sentry would send."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        """Take one."""
        self.sent.append(envelope)

    def text(self) -> str:
        """All of it, as it would go over the network."""
        return b"\n".join(envelope.serialize() for envelope in self.sent).decode()


@pytest.mark.parametrize("name", NAMES)
def test_sentry_outside_reads_nothing_away_and_sends_no_secret(name: str, nonces: SQLiteNonceStore) -> None:
    """Behind Sentry's middleware requests verify as before, and the report of a crash holds no key and no MAC."""
    envelopes = Envelopes()
    scrubbing = RECIPES["Beside Sentry"].replace(
        "sentry_sdk.init(",
        "sentry_sdk.init(dsn='http://k@127.0.0.1:9/1', transport=envelopes, "
        "max_request_body_size='always', include_local_variables=True, default_integrations=False, ",
    )
    exec(compile(scrubbing, "receiving.md, Beside Sentry", "exec"), {"envelopes": envelopes})  # noqa: S102 - our own page
    try:
        defined = run(name, keyring=Keyring.of(KEYS), nonces=nonces)
        url = "hooks/orders" if name == "FastAPI" else "orders"
        headers = sign()
        with served(name, defined, beside_sentry=True) as base:
            assert ask(f"{base}/{url}", BODY, headers).status == 200
            assert ask(f"{base}/{url}", BODY, headers).status == 409
        door = VerifyRequests(lambda *_: 1 / 0, Keyring.of(KEYS), nonces=nonces)
        with serving_wsgi(SentryWsgiMiddleware(door)) as base:
            crashing = sign()
            connection = HTTPConnection(base.removeprefix("http://"), timeout=PATIENCE)
            connection.request("POST", "/", BODY, crashing)
            assert connection.getresponse().status == 500
            connection.close()
    finally:
        sentry_sdk.get_client().close()
        # By default it would watch every process that later tests start, and tell of its arguments.
        sentry_sdk.init(dsn=None, default_integrations=False)
    assert "ZeroDivisionError" in envelopes.text()
    for hidden in (SECRET, OTHER, API_KEY, crashing["X-RP-Signature"][7:]):
        assert hidden not in envelopes.text()
