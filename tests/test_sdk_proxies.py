"""What connections of a client's own take from the environment and from arguments: proxies and certificates."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from called import caller
from certified import certified
from recorded import VARIABLES
from scripted import API_KEY, PATIENCE, SECRET, Arrived, Server, answering, drip, receipt, reply

from rp_signing.sdk import AsyncRetainPixel, IngestUnavailable, RetainPixel
from rp_signing.sdk.proxies import environment_proxy

KINDS = [RetainPixel, AsyncRetainPixel]
OF_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OK = reply(202, receipt())


@pytest.fixture(params=KINDS)
def call(request: pytest.FixtureRequest) -> Any:
    """Send an event by either client."""
    return caller(request.param)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *OF_PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


URLS = [
    "http://example.com", "https://example.com", "https://api.example.com:8443", "http://wwwexample.com",
    "http://localhost:8000", "http://my.localhost", "http://127.0.0.1", "https://127.0.0.1:8443",
    "http://10.1.2.3:80", "http://[::1]:8000", "https://[2001:db8::5]", "https://bücher.example",
    "https://xn--bcher-kva.example",
]  # fmt: skip
NOT_FOR = [
    "*", "example.com", ".example.com", "*.example.com", "EXAMPLE.com", "example.com:8443", "api.example.com",
    "xample.com", "localhost", "LOCALHOST", "127.0.0.1", "127.0.0.1:8443", "127.0.0.0/8", "10.0.0.0/8", "10.1.2.3",
    "::1", "[::1]", "[::1]:8000", "2001:db8::/32", "https://example.com", "http://example.com",
    "all://api.example.com:8443", "bücher.example", "10.0.0.0/99", "a/b", "http://[", "other.example,example.com",
    "other.example,*", "", "exa mple.com", "other.example , example.com ",
]  # fmt: skip
PROXIES = [
    {"HTTP_PROXY": "http://one.invalid:1"},
    {"HTTPS_PROXY": "two.invalid:2", "ALL_PROXY": "http://all.invalid:3"},
    {"ALL_PROXY": "socks5://all.invalid:3"},
    {},
]


def of_httpx2(client: httpx2.Client, url: str) -> str | None:
    """The host of the proxy that a client of httpx2 takes, by its own mounts, or None."""
    pool = client._transport_for_url(httpx2.URL(url))._pool  # type: ignore[attr-defined]
    return str(pool._proxy_url.host) if hasattr(pool, "_proxy_url") else None


@pytest.mark.parametrize("not_for", NOT_FOR)
def test_the_environment_is_read_as_httpx2_reads_it(not_for: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every URL and every spelling of NO_PROXY the same proxy is taken, or none, as by a client of httpx2."""
    monkeypatch.setattr("httpx2._client.Client._init_proxy_transport", _without_sockets)
    monkeypatch.setenv("NO_PROXY", not_for)
    for proxies in PROXIES:
        with monkeypatch.context() as environment:
            for name, value in proxies.items():
                environment.setenv(name, value)
            with httpx2.Client(verify=False) as client:
                for url in URLS:
                    found = environment_proxy(httpx2.URL(url))
                    assert (httpx2.URL(found).host if found else None) == of_httpx2(client, url), (url, proxies)


def test_an_entry_that_cannot_be_read_is_about_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes a client of httpx2 raise leaves the proxy as it is."""
    monkeypatch.setenv("HTTP_PROXY", "http://one.invalid:1")
    monkeypatch.setenv("NO_PROXY", "xn--bcher-kva.example,other.example")
    assert environment_proxy(httpx2.URL("http://example.com")) == "http://one.invalid:1"
    assert environment_proxy(httpx2.URL("http://other.example")) is None


class _Chosen(httpx2.BaseTransport):
    def __init__(self, proxy: httpx2.Proxy) -> None:
        self._pool = self
        self._proxy_url = httpx2.URL(str(proxy.url))


def _without_sockets(_client: object, proxy: httpx2.Proxy, **_: object) -> httpx2.BaseTransport:
    """A transport for SOCKS needs a package that is not here; only which proxy was chosen is asked."""
    return _Chosen(proxy)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(call: Any, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes to it with its user and password; what NO_PROXY names goes past it."""
    with answering(OK) as proxy, answering(OK) as server:
        monkeypatch.setenv(variable, proxy.url.replace("//", "//user:p%40ss@"))
        assert call("http://ingest.invalid/base").stored == 1
        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
        assert call(server.url).stored == 1
    (request,) = proxy.arrived
    assert request.path == "http://ingest.invalid/base/v1/track"
    assert request.headers["host"] == "ingest.invalid"
    assert base64.b64decode(request.headers["proxy-authorization"].removeprefix("Basic ")) == b"user:p@ss"
    assert "proxy-authorization" not in server.arrived[0].headers


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_of_the_environment_that_makes_no_sense_is_refused(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At construction, by the variable's name and without its password; one for SOCKS says what it needs."""
    settings: Any = {"api_key": API_KEY, "secret": SECRET, "base_url": "https://ingest.example"}
    for proxy, error, said in (
        ("gopher://user:hush@x", ValueError, "HTTPS_PROXY or ALL_PROXY must be like"),
        ("http://", ValueError, "HTTPS_PROXY or ALL_PROXY must be like"),
        ("socks5://user:hush@x:1080", ImportError, r"httpx2\[socks\]"),
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(error, match=said) as caught:
            kind(**settings)
        assert "hush" not in str(caught.value)
        # Whoever hands something in sends by that, whatever the environment says.
        client = httpx2.Client if kind is RetainPixel else httpx2.AsyncClient
        kind(**settings, http_client=client(trust_env=False))


def test_certificates_are_those_that_are_trusted(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose authority nobody trusts is none; SSL_CERT_FILE, verify=CONTEXT or verify=False let it be one."""
    authority, tls = certified(tmp_path)
    with answering(OK, tls) as server:
        with pytest.raises(IngestUnavailable, match=r"ConnectError.*CERTIFICATE_VERIFY_FAILED"):
            call(server.url)
        assert server.arrived == []
        assert call(server.url, verify=ssl.create_default_context(cafile=authority)).stored == 1
        assert call(server.url, verify=False).stored == 1
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert call(server.url).stored == 1
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
        with pytest.raises(ValueError, match="SSL_CERT_FILE"):
            call(server.url)


def tunnel(request: Arrived, connection: socket.socket, over: threading.Event) -> None:
    """Be a proxy for CONNECT: pass the bytes on, both ways."""
    host, port = request.path.split(":")
    with socket.create_connection((host, int(port))) as far:
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        back = threading.Thread(target=passing, args=(far, connection))
        back.start()
        passing(connection, far)
        back.join(PATIENCE)


def passing(source: socket.socket, sink: socket.socket) -> None:
    """Pass bytes on until there are no more."""
    while piece := source.recv(65536):
        sink.sendall(piece)
    sink.shutdown(socket.SHUT_WR)


def test_https_goes_through_a_proxy_unseen(call: Any, tmp_path: Path) -> None:
    """A proxy of an https URL passes bytes on that it cannot read; user and password are for it alone."""
    authority, tls = certified(tmp_path)
    context = ssl.create_default_context(cafile=authority)
    with answering(OK, tls) as server, answering(tunnel) as proxy:
        through = proxy.url.replace("//", "//user:hush@")
        assert call(server.url, verify=context, proxy=through).stored == 1
        assert call(server.url, verify=context, proxy=httpx2.Proxy(proxy.url, auth=("user", "hush"))).stored == 1
    assert "proxy-authorization" not in server.arrived[0].headers
    assert [one.path for one in proxy.arrived] == [server.url.removeprefix("https://")] * 2
    assert all(one.headers["proxy-authorization"] == "Basic dXNlcjpodXNo" for one in proxy.arrived)
    assert "x-rp-api-key" not in proxy.arrived[0].headers


def silent(listener: socket.socket) -> str:
    """The URL of a listener that takes connections and says nothing."""
    return f"127.0.0.1:{listener.getsockname()[1]}"


def test_the_time_in_all_holds_before_the_first_byte_too(call: Any) -> None:
    """A server that never ends the handshake, a proxy that never connects or drips: nobody waits beyond the time."""
    with socket.create_server(("127.0.0.1", 0)) as listener, answering(drip(b"HTTP/1.1 200", b"0")) as dripping:
        for url, more in (
            (f"https://{silent(listener)}", {}),
            ("https://ingest.invalid", {"proxy": f"http://{silent(listener)}"}),
            ("https://ingest.invalid", {"proxy": f"https://{silent(listener)}"}),
            ("https://ingest.invalid", {"proxy": dripping.url}),
            ("http://ingest.invalid", {"proxy": dripping.url}),
        ):
            begun = time.monotonic()
            with pytest.raises(IngestUnavailable):
                call(url, timeout=0.4, **more)
            assert 0.3 < time.monotonic() - begun < 3, (url, more)


def full(address: str, port: int = 0) -> list[socket.socket]:
    """A listener whose queue is full, so that whoever connects waits, and what fills it."""
    listener = socket.create_server((address, port), backlog=0)
    waiting = [listener]
    while True:
        one = socket.socket()
        one.settimeout(0.05)
        waiting.append(one)
        try:
            one.connect(listener.getsockname())
        except TimeoutError:
            return waiting


def test_the_addresses_of_a_name_share_the_time(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four addresses of a name that do not answer get the time in all together; the one that does is found."""
    waiting = full("127.0.0.1")
    port = waiting[0].getsockname()[1]
    for last in (2, 3, 4):
        waiting += full(f"127.0.0.{last}", port)

    def resolve(host: Any, port: int, *_: Any, **__: Any) -> list[Any]:
        numbers = addresses if host in ("ingest.invalid", b"ingest.invalid") else [host]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port)) for number in numbers]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    addresses = [f"127.0.0.{last}" for last in (1, 2, 3, 4)]
    begun = time.monotonic()
    with pytest.raises(IngestUnavailable, match=r"Connect|Timeout"):
        call(f"http://ingest.invalid:{port}", timeout=0.4)
    assert 0.3 < time.monotonic() - begun < 0.8
    for one in waiting:
        one.close()
    with answering(OK) as server:
        addresses = ["127.0.0.9", "127.0.0.1"]
        assert call(server.url.replace("127.0.0.1", "ingest.invalid")).stored == 1


def _head(server: Server) -> tuple[str, dict[str, str]]:
    (request,) = server.arrived
    changing = ("x-rp-timestamp", "x-rp-nonce", "x-rp-signature", "host", "connection")
    return request.path, {name: value for name, value in request.headers.items() if name not in changing}


@pytest.mark.parametrize("path", ["", "/", "/base/", "/a/ü%20b", "/~x;y=1/:"])
def test_own_connections_send_what_a_client_of_httpx2_would(path: str) -> None:
    """Path and headers on the wire are the same, by connections of its own and by a client that was handed in."""
    heads = []
    for kind in (None, httpx2.HTTPTransport, httpx2.Client):
        way = {} if kind is None else {"http_client" if kind is httpx2.Client else "transport": kind()}
        with answering(OK) as server:
            settings: Any = {"api_key": API_KEY, "secret": SECRET, "base_url": server.url + path}
            with RetainPixel(**settings, **way) as client:
                client.track(user_id="u", event="E", message_id="m", timestamp="2026-11-23T09:00:00Z")
            assert server.arrived[0].headers["host"] == server.url.removeprefix("http://")
        heads.append(_head(server))
        if "http_client" in way:
            way["http_client"].close()
    assert heads[0] == heads[1] == heads[2]
