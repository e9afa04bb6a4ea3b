"""The SDK's arguments and environment: what is refused when a client is made."""

from __future__ import annotations

import logging
from typing import Any

import httpx2
import pytest
from recorded import URL, VARIABLES, Wire
from scripted import API_KEY, SECRET

from rp_signing.keys import Secret, secret_text
from rp_signing.sdk import AsyncRetainPixel, RetainPixel


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_a_clock_of_milliseconds_is_named() -> None:
    """A clock that gives no Unix seconds is named by what it gave, before anything is sent."""
    client = RetainPixel(api_key=API_KEY, secret=SECRET, base_url=URL, clock=lambda: 1_795_424_400_000)
    with client, pytest.raises(ValueError, match="the clock gave 1795424400000, which is no Unix time in seconds"):
        client.track(user_id="u", event="Opened")


@pytest.mark.parametrize("kind", [RetainPixel, AsyncRetainPixel])
def test_what_is_left_out_comes_from_the_environment(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Api key, secret and base URL may stand in the environment; an argument beats it."""
    for name, value in zip(VARIABLES, (API_KEY, SECRET, URL), strict=True):
        monkeypatch.setenv(name, value)
    assert kind().signs
    assert kind().key_id == Secret(SECRET).key_id
    wire = Wire()
    with RetainPixel(api_key="rpx_test_other", base_url="http://other.example", transport=wire.transport) as client:
        client.identify(user_id="u")
    assert wire.requests[0].headers["x-rp-api-key"] == "rpx_test_other"
    assert wire.requests[0].url.host == "other.example"
    other = "b" * 40
    assert kind(secret=other).key_id == Secret(other).key_id
    assert kind(secret=Secret(other)).key_id == Secret(other).key_id


def test_without_a_secret_it_says_once_that_nothing_is_signed(caplog: pytest.LogCaptureFixture) -> None:
    """Unsigned is allowed and never silent: the log says it, `signs` tells, and no signature header goes out."""
    wire = Wire()
    with caplog.at_level(logging.WARNING, "rp_signing.sdk"):
        client = RetainPixel(api_key=API_KEY, base_url=URL, transport=wire.transport)
        client.track(user_id="u", event="Opened")
        assert client.track(user_id="u", event="Opened").trust == "standard"
    assert not client.signs
    assert client.key_id is None
    said = [record.getMessage() for record in caplog.records if record.name == "rp_signing.sdk"]
    assert [text for text in said if "unsigned" in text and "RETAINPIXEL_HMAC_SECRET" in text] == said[:1]
    assert [name for name in wire.requests[-1].headers if name.startswith("x-rp-")] == ["x-rp-api-key"]
    assert "integrity_signature" not in wire.events()[0]
    client.close()


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize(("argument", "variable"), list(zip(("api_key", "secret", "base_url"), VARIABLES, strict=True)))
def test_none_and_empty_are_refused_by_name(argument: str, variable: str, value: str | None) -> None:
    """What os.environ.get of a missing variable gives never turns signing off."""
    arguments: dict[str, Any] = {"api_key": API_KEY, "secret": SECRET, "base_url": URL, argument: value}
    with pytest.raises(ValueError, match=rf"{argument}= .*{variable}"):
        RetainPixel(**arguments)


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_is_refused(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is a mistake, not an absence."""
    for name, value in zip(VARIABLES, (API_KEY, SECRET, URL), strict=True):
        monkeypatch.setenv(name, "" if name == variable else value)
    with pytest.raises(ValueError, match=f"{variable} is empty"):
        RetainPixel()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("short", "5 characters"),
        (SECRET + "\n", "newline"),
        (SECRET + " ", "space"),
        (API_KEY, "api key"),
        (secret_text(bytes(32), live=False)[:-1], "truncated or mistyped"),
        (secret_text(bytes(32), live=True), "live secret beside a test api key"),
    ],
)
def test_a_bad_secret_is_refused_at_construction(text: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which rule is broken and where the secret came from, and never shows it."""
    with pytest.raises(ValueError, match=rf"secret=: .*{fault}") as caught:
        RetainPixel(api_key=API_KEY, secret=text, base_url=URL)
    assert text.strip() not in str(caught.value)
    monkeypatch.setenv("RETAINPIXEL_HMAC_SECRET", text)
    with pytest.raises(ValueError, match=rf"RETAINPIXEL_HMAC_SECRET: .*{fault}"):
        RetainPixel(api_key=API_KEY, base_url=URL)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ingest.example", "begin with https://"),
        ("ftp://x", "begin with https://"),
        (SECRET, "begin with https://"),
        ("http://", "no host"),
        ("https://a b", "space"),
        ("https://h\\x", "backslash"),
        ("https://u:p@h", "user name or password"),
        ("https://h?q", "query"),
        ("https://h#f", "fragment"),
        ("https://h:x", "host or port"),
        ("https://h:65536", "host or port"),
        ("https://h:0", "port is 0"),
        ("https://h/v1/track", "leave it out"),
        ("https://h/gateway/v1/batch/", "leave it out"),
        ("https://*xn--bcher-kva.example", "host or port"),
    ],
)
def test_a_bad_base_url_is_refused_at_construction(url: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no base URL is known before the first event; what is wrong is said, and the text not shown."""
    with pytest.raises(ValueError, match=f"base_url= must be like https://ingest.example; .*{fault}") as caught:
        RetainPixel(api_key=API_KEY, secret=SECRET, base_url=url)
    assert url not in str(caught.value).replace("https://ingest.example", "")
    monkeypatch.setenv("RETAINPIXEL_BASE_URL", url)
    with pytest.raises(ValueError, match=f"RETAINPIXEL_BASE_URL must be like .*{fault}"):
        RetainPixel(api_key=API_KEY, secret=SECRET)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"base_url": 5}, TypeError),
        ({"api_key": "rpx_demo"}, ValueError),
        ({"api_key": SECRET}, ValueError),
        ({"secret": 5}, TypeError),
        ({"timeout": 0}, ValueError),
        ({"timeout": float("inf")}, ValueError),
        ({"http_client": object()}, TypeError),
        ({"proxy": 5}, TypeError),
        ({"clock": 5}, TypeError),
        ({"nonce": "n" * 22}, TypeError),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], kind: type[Exception]) -> None:
    """Misconfiguration fails when the client is made."""
    with pytest.raises(kind, match=f"{next(iter(arguments))}="):
        RetainPixel(**{"api_key": API_KEY, "secret": SECRET, "base_url": URL, **arguments})
    with httpx2.Client() as http_client, pytest.raises(ValueError, match="not both"):
        RetainPixel(api_key=API_KEY, base_url=URL, http_client=http_client, transport=Wire().transport)


def test_missing_settings_name_both_ways_to_give_them() -> None:
    """Without an api key or base URL the error names argument and variable."""
    with pytest.raises(ValueError, match=r"api_key=.*RETAINPIXEL_API_KEY"):
        RetainPixel(base_url=URL)
    with pytest.raises(ValueError, match=r"base_url=.*RETAINPIXEL_BASE_URL"):
        RetainPixel(api_key=API_KEY)
