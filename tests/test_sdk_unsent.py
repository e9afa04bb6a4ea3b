"""What both clients say when nothing left them: what was in the way, and what to look at."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest
from called import caller
from certified import certified
from recorded import VARIABLES
from scripted import API_KEY, PATIENCE, SECRET, Arrived, Script, answering, raw, receipt, reply

from rp_signing.sdk import AsyncRetainPixel, ClientUnusable, IngestUnavailable, RetainPixel
from rp_signing.sdk import reply as sdk_reply

EVENT: dict[str, Any] = {"user_id": "u", "event": "E"}
OK = reply(202, receipt())
PAGE = (Path(__file__).parents[1] / "docs" / "errors.md").read_text(encoding="utf-8")
# What an error begins with → what was sent.
ROWS = {
    text: row[1]
    for row in re.findall(r"^\| (.+?) \| (nothing|perhaps all) \|", PAGE, re.M)
    for text in re.findall("`(.+?)`", row[0])
}


@pytest.fixture(params=[RetainPixel, AsyncRetainPixel])
def call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Send an event by either client."""
    for name in (*VARIABLES, "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return caller(request.param)


def test_a_name_that_is_none_is_no_connection(call: Any) -> None:
    """A host with an empty label, which no resolver is asked for, sent nothing either."""
    with pytest.raises(IngestUnavailable, match=r"no connection .*nothing was sent: is base_url right"):
        call("http://ingest..invalid")


@pytest.mark.parametrize("status", [407, 502])
def test_a_proxy_that_does_not_connect_is_named(call: Any, status: int) -> None:
    """A proxy that answers CONNECT with an error let nothing through; the error says so, and names the proxy."""
    said = rf"ProxyError: {status} .*nothing was sent: the proxy"
    with answering(reply(status, b"<html>no</html>")) as proxy, pytest.raises(IngestUnavailable, match=said) as caught:
        call("https://ingest.invalid", proxy=proxy.url.replace("//", "//user:hush@"))
    assert [request.path for request in proxy.arrived] == ["ingest.invalid:443"]
    assert caught.value.prepared.message_ids == ["m-1"]
    assert "hush" not in str(caught.value)


def test_a_certificate_that_is_not_trusted_is_named(call: Any, tmp_path: Path) -> None:
    """An authority that is not known here is the cause, with what makes it known; another name is one too."""
    authority, tls = certified(tmp_path)
    with answering(OK, tls) as server:
        with pytest.raises(IngestUnavailable, match=r"nothing was sent: .*certificate.* SSL_CERT_FILE or verify="):
            call(server.url)
        trusting = ssl.create_default_context(cafile=authority)
        with pytest.raises(IngestUnavailable, match=r"nothing was sent: .*certificate"):
            call(server.url.replace("127.0.0.1", "localhost"), verify=trusting)
    assert server.arrived == []


def test_one_call_too_many_at_once_sent_nothing() -> None:
    """A call that waits in vain for a connection of its client says that nothing was sent."""
    begun = threading.Event()

    def hold(request: Arrived, connection: Any, over: threading.Event) -> None:
        begun.set()
        over.wait()

    def occupy(client: RetainPixel) -> None:
        with pytest.raises(IngestUnavailable, match="no answer"):
            client.track(**EVENT)

    given: dict[str, Any] = {"api_key": API_KEY, "secret": SECRET}
    with httpx2.Client(limits=httpx2.Limits(max_connections=1)) as one, answering(hold) as server:
        given |= {"base_url": server.url, "http_client": one}
        first = threading.Thread(target=occupy, args=[RetainPixel(**given)])
        first.start()
        assert begun.wait(PATIENCE)
        with pytest.raises(IngestUnavailable, match=r"PoolTimeout.*; nothing was sent: every connection was busy"):
            RetainPixel(**given, timeout=0.2).track(**EVENT)
        assert len(server.arrived) == 1
    first.join(PATIENCE)


def test_a_client_is_closed_on_its_own_event_loop() -> None:
    """Closing what belongs to another event loop is an error of ours, as sending by it is; it sends no more either."""

    def keep(request: Arrived, connection: Any, over: Any) -> None:
        connection.sendall(b"HTTP/1.1 503 Kept\r\nContent-Length: 0\r\n\r\n")
        over.wait()

    async def used(url: str) -> AsyncRetainPixel:
        client = AsyncRetainPixel(api_key=API_KEY, secret=SECRET, base_url=url)
        with pytest.raises(IngestUnavailable):
            await client.track(**EVENT)
        return client

    async def closed_by_another(client: AsyncRetainPixel) -> None:
        with pytest.raises(ClientUnusable, match="another event loop"):
            await client.aclose()
        with pytest.raises(ClientUnusable, match="closed"):
            await client.track(**EVENT)

    with answering(keep) as server, asyncio.Runner() as its_own:
        client = its_own.run(used(server.url))
        with asyncio.Runner() as another:
            another.run(closed_by_another(client))
        its_own.run(client.aclose())


def test_the_page_names_each_cause_of_nothing_sent() -> None:
    """The table of docs/errors.md has what the SDK has, and `test_sdk_proxies` and the tests above see it said."""
    named = {text.rpartition("(")[2] for text, sent in ROWS.items() if sent == "nothing"}
    assert named == {*sdk_reply._NOTHING_SENT, "CERTIFICATE_VERIFY_FAILED"}


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (raw(b""), "no answer"),
        (raw(b"HTTP/1.1 202 OK\r\nContent-Length: 9\r\n\r\n"), "the answer, status …, was cut off"),
        (reply(202, b"<html>"), "status … without the receipt"),
        (reply(503, b"<html>"), "… without a problem document"),
    ],
    ids=["nothing", "cut", "stranger", "refused"],
)
def test_the_page_has_what_an_error_begins_with(call: Any, answer: Script, begins: str) -> None:
    """Where an answer was none of ours, docs/errors.md says by the error's first words that all may have been sent."""
    assert ROWS[begins] == "perhaps all"
    pattern = ".*".join(map(re.escape, begins.split("…")))
    with answering(answer) as server, pytest.raises(IngestUnavailable, match=f"^{pattern}"):
        call(server.url)
