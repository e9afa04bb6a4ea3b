"""What the ingest endpoint refuses, over a real socket: each with its reason, as a problem document (SPEC §6, §9)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from ingested import JSON, Endpoint, endpoint, listening, signed, track
from parties import LIVE_API_KEY, NOW, OTHER_API_KEY, STRANGER
from served import Answer, ask, ask_raw
from spec_page import API_KEY, SECRET

from rp_signing import Reason, VerificationError, canonicalize
from rp_signing.ingest.store import Stored

BODY = canonicalize(signed(track()))
OWN = ("X-RP-Api-Key", "X-RP-Timestamp", "X-RP-Nonce", "X-RP-Signature", "X-RP-Key-Id")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """One endpoint for all: nothing that is refused leaves anything."""
    with endpoint(tmp_path_factory.mktemp("refusals")) as served:
        yield served


@pytest.fixture
def served(shared: Endpoint) -> Iterator[Endpoint]:
    """The endpoint, which must stay empty."""
    shared.clock.now = NOW
    yield shared
    assert len(shared.store) == 0


def pairs(served: Endpoint, body: bytes = BODY) -> list[tuple[str, str]]:
    """The headers of a good request, as lines."""
    return [*served.headers(body).items(), ("Content-Length", str(len(body)))]


def problem(answer: Answer, reason: Reason) -> dict[str, Any]:
    """The problem document, which must be one of this reason and complete."""
    document = answer.document
    assert document["code"] == reason.public_code, document
    assert answer.status == document["status"] == reason.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert document["type"].endswith(reason.public_code)
    assert document["title"] == reason.summary
    assert document["detail"]
    assert len(document["request_id"]) == 32
    assert isinstance(document["server_time"], int)
    assert ("retry-after" in answer.headers) is (reason.status in (429, 503))
    return document


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v1/page", "/v1/track/", "/v1//track", "/V1/track", "/v1/../v1/track", "/track"]
)
def test_a_wrong_route_is_unknown(served: Endpoint, path: str) -> None:
    """Any path but the four is route_unknown, before anything else is looked at."""
    document = problem(ask(served.url + path, b"x", {}), Reason.ROUTE_UNKNOWN)
    assert "received" not in document


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "post"])
def test_a_wrong_method_says_which_is_taken(served: Endpoint, method: str) -> None:
    """Any method but POST is method_unsupported, with Allow."""
    answer = ask(f"{served.url}/v1/track", BODY, served.headers(BODY), method)
    problem(answer, Reason.METHOD_UNSUPPORTED)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("name", [*OWN, "Content-Type"])
@pytest.mark.parametrize("how", ["same", "other", "other-case"])
def test_a_doubled_header_is_refused(served: Endpoint, name: str, how: str) -> None:
    """A header that stands twice is header_duplicate, even with the same value and in another case."""
    headers = pairs(served)
    value = dict(headers)[name]
    if how == "other":
        # One fault at a time: a second media type is one that would be taken.
        value = "application/json; charset=utf-8" if name == "Content-Type" else ""
    headers.append((name.lower() if how == "other-case" else name, value))
    problem(ask_raw(f"{served.url}/v1/track", headers, BODY), Reason.HEADER_DUPLICATE)


def test_a_doubled_content_encoding_is_refused(served: Endpoint) -> None:
    """Two lines of Content-Encoding are a doubled header, both of them identity too."""
    headers = [*pairs(served), ("Content-Encoding", "identity"), ("Content-Encoding", "identity")]
    problem(ask_raw(f"{served.url}/v1/track", headers, BODY), Reason.HEADER_DUPLICATE)


@pytest.mark.parametrize("name", OWN)
def test_a_folded_header_is_refused(served: Endpoint, name: str) -> None:
    """Two lines that a proxy joined with a comma are header_malformed."""
    headers = [(key, f"{value}, {value}" if key == name else value) for key, value in pairs(served)]
    document = problem(ask_raw(f"{served.url}/v1/track", headers, BODY), Reason.HEADER_MALFORMED)
    assert "folded" in document["detail"]


@pytest.mark.parametrize("name", OWN)
def test_a_header_continued_on_the_next_line_is_refused(served: Endpoint, name: str) -> None:
    """A value that is broken over two lines is not its one spelling."""
    headers = [(key, f"{value[:8]}\r\n {value[8:]}" if key == name else value) for key, value in pairs(served)]
    problem(ask_raw(f"{served.url}/v1/track", headers, BODY), Reason.HEADER_MALFORMED)


@pytest.mark.parametrize("name", OWN[:4])
def test_a_missing_header_never_means_not_checked(served: Endpoint, name: str) -> None:
    """Whichever header is left out, the request is refused, also where unsigned ones are allowed."""
    for api_key in (API_KEY, LIVE_API_KEY):
        headers = served.headers(BODY, api_key)
        del headers[name]
        reason = Reason.API_KEY_MISSING if name == OWN[0] else Reason.HEADER_MALFORMED
        document = problem(ask(f"{served.url}/v1/track", BODY, headers), reason)
        assert name in document["detail"]


def test_headers_under_other_names_count_for_nothing(served: Endpoint) -> None:
    """`X_RP_…` is not `X-RP-…`, whatever servers make of underscores."""
    headers = [(key.replace("-", "_") if key in OWN[1:] else key, value) for key, value in pairs(served)]
    problem(ask_raw(f"{served.url}/v1/track", headers, BODY), Reason.SIGNATURE_MISSING)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("br", BODY),
        ("GZIP", BODY),
        ("identity, gzip", BODY),
        ("", BODY),
    ],
)
def test_a_compressed_body_is_refused(served: Endpoint, encoding: str, body: bytes) -> None:
    """Any Content-Encoding but identity is encoding_unsupported, signed or not, and nothing is unpacked."""
    headers = served.headers(body) | {"Content-Encoding": encoding}
    problem(ask(f"{served.url}/v1/track", body, headers), Reason.ENCODING_UNSUPPORTED)


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/json; charset=latin-1", "application/json;", "", "application/jsonp"]
)
def test_another_media_type_is_refused(served: Endpoint, media_type: str) -> None:
    """Only application/json, in UTF-8, is taken."""
    headers = served.headers(BODY) | {"Content-Type": media_type}
    problem(ask(f"{served.url}/v1/track", BODY, headers), Reason.MEDIA_TYPE_UNSUPPORTED)


def test_a_missing_media_type_is_refused(served: Endpoint) -> None:
    """A signed request without Content-Type is refused too (SPEC HDR-7)."""
    headers = [pair for pair in pairs(served) if pair[0] != "Content-Type"]
    problem(ask_raw(f"{served.url}/v1/track", headers, BODY), Reason.MEDIA_TYPE_UNSUPPORTED)


@pytest.mark.parametrize(
    ("body", "reason", "pointer"),
    [
        (b"", Reason.PAYLOAD_NOT_JSON, None),
        (b"{", Reason.PAYLOAD_NOT_JSON, None),
        (b"\xef\xbb\xbf{}", Reason.PAYLOAD_NOT_JSON, None),
        (b'{"a":NaN}', Reason.PAYLOAD_NOT_JSON, None),
        (b'"\xed\xa0\x80"', Reason.PAYLOAD_NOT_UTF8, None),
        (b'{"a":{"b":1,"\\u0062":2}}', Reason.PAYLOAD_DUPLICATE_KEY, "/a/b"),
        (b'{"a":[1e400]}', Reason.PAYLOAD_NUMBER_RANGE, "/a/0"),
        (b'{"a":9007199254740993}', Reason.PAYLOAD_NUMBER_RANGE, "/a"),
        (b'{"a":"\\ud800"}', Reason.PAYLOAD_SURROGATE, "/a"),
        (b"[" * 100_000, Reason.PAYLOAD_DEPTH, None),
    ],
)
def test_a_payload_fault_is_named_once_the_signature_holds(
    served: Endpoint, body: bytes, reason: Reason, pointer: str | None
) -> None:
    """A signed body that is no strict JSON gets its reason and place; a forged one gets signature_invalid."""
    headers = served.headers(body or b"x")
    if body:
        document = problem(ask(f"{served.url}/v1/track", body, headers), reason)
        assert document.get("pointer") == pointer
        assert document["received"] == {"sha256": sha256(body).hexdigest(), "length": len(body)}
    problem(ask(f"{served.url}/v1/track", body + b" ", headers), Reason.SIGNATURE_MISMATCH)
    unsigned = JSON | {"X-RP-Api-Key": LIVE_API_KEY}
    document = problem(ask(f"{served.url}/v1/track", body, unsigned), reason)
    assert document["received"]["length"] == len(body)


def test_a_type_must_be_that_of_the_route(served: Endpoint) -> None:
    """A track event sent to identify is type_mismatch; a type that is none of the three is event_invalid."""
    document = problem(served.send("identify", signed(track())), Reason.TYPE_MISMATCH)
    assert document["errors"][0]["pointer"] == "/type"
    problem(served.send("track", signed({**track(), "type": "page"})), Reason.EVENT_INVALID)


def test_a_batch_has_1_to_1000_events(served: Endpoint) -> None:
    """An empty batch is event_invalid, one of 1,001 events is batch_too_long."""
    problem(served.send("batch", {"batch": []}), Reason.EVENT_INVALID)
    problem(served.send("batch", {"batch": [signed(track())] * 1_001}), Reason.BATCH_TOO_LONG)


def test_a_stranger_cannot_tell_a_key_id_from_a_signature(served: Endpoint) -> None:
    """An unknown key id and a wrong MAC get the same document but for its ids, the log has the exact reason."""
    unknown = served.headers(BODY, secret=STRANGER)
    wrong = served.headers(BODY) | {"X-RP-Signature": "sha256=" + "0" * 64}
    with listening() as heard:
        answers = [ask(f"{served.url}/v1/track", BODY, headers) for headers in (unknown, wrong)]
    documents = [problem(answer, Reason.SIGNATURE_MISMATCH) for answer in answers]
    assert documents[0].pop("request_id") != documents[1].pop("request_id")
    assert documents[0] == documents[1]
    told = [{name: value for name, value in answer.headers.items() if name != "date"} for answer in answers]
    assert told[0] == told[1]
    assert [record.__dict__["reason"] for record in heard.records] == ["key_id_unknown", "signature_mismatch"]


def test_no_refusal_and_no_log_holds_a_credential(served: Endpoint) -> None:
    """Secret, api key and the MAC that would have matched are in no reply and no log."""
    right = served.headers(BODY)
    bad_event = canonicalize(signed(track(plan="pro")))
    tries = [
        (BODY, right | {"X-RP-Signature": "sha256=" + "0" * 64}),
        (BODY, right | {"X-RP-Nonce": "x"}),
        (BODY, right | {"X-RP-Api-Key": OTHER_API_KEY}),
        (BODY, {"X-RP-Api-Key": API_KEY} | JSON),
        (BODY, served.headers(BODY, secret=STRANGER)),
        (bad_event, served.headers(bad_event)),
    ]
    with listening() as heard:
        answers = [ask(f"{served.url}/v1/track", body, headers) for body, headers in tries]
    assert len(heard.records) == len(tries)
    told = "\n".join(f"{answer.headers} {answer.document}" for answer in answers) + heard.text()
    for hidden in (SECRET, API_KEY, OTHER_API_KEY, right["X-RP-Signature"][7:], signed(track())["integrity_signature"]):
        assert hidden not in told


def test_times_outside_the_window_are_refused(served: Endpoint) -> None:
    """A stale and a post-dated request get their reasons, with the server's time."""
    headers = served.headers(BODY)
    served.clock.now = NOW + 301
    document = problem(ask(f"{served.url}/v1/track", BODY, headers), Reason.TIMESTAMP_EXPIRED)
    assert document["server_time"] == NOW + 301
    served.clock.now = NOW - 61
    problem(ask(f"{served.url}/v1/track", BODY, headers), Reason.TIMESTAMP_FUTURE)
    milliseconds = headers | {"X-RP-Timestamp": f"{NOW}000"}
    problem(ask(f"{served.url}/v1/track", BODY, milliseconds), Reason.TIMESTAMP_UNIT)


def test_an_unknown_api_key_is_said_openly(served: Endpoint) -> None:
    """A mistyped api key is named as the fault, without showing it."""
    document = problem(ask(f"{served.url}/v1/track", BODY, served.headers(BODY, OTHER_API_KEY)), Reason.API_KEY_UNKNOWN)
    assert OTHER_API_KEY not in str(document)


class FailingStore:
    """An event store that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def store(self, *_: Any) -> Stored:
        """Fail."""
        raise self.error

    def close(self) -> None:
        """Nothing to let go of."""


@pytest.mark.parametrize(
    ("error", "reason", "seconds"),
    [
        (VerificationError(Reason.REPLAY_KEY_FULL, "full", retry_after=17), Reason.REPLAY_KEY_FULL, 17),
        (VerificationError(Reason.SIGNED_BEFORE_START, "young", retry_after=42), Reason.SIGNED_BEFORE_START, 42),
        (VerificationError(Reason.EVENT_STORE_UNAVAILABLE, "/data/x.db"), Reason.EVENT_STORE_UNAVAILABLE, 1),
        (RuntimeError(f"with {SECRET} in it"), Reason.EVENT_STORE_UNAVAILABLE, 1),
        (KeyError("a fault of the code"), Reason.EVENT_STORE_UNAVAILABLE, 1),
        (TimeoutError(), Reason.EVENT_STORE_UNAVAILABLE, 1),
        (RecursionError(), Reason.EVENT_STORE_UNAVAILABLE, 1),
    ],
)
def test_a_store_that_fails_lets_nothing_through(
    tmp_path: Path, error: Exception, reason: Reason, seconds: int
) -> None:
    """Whatever the store raises, the answer is a refusal with Retry-After, and the log names the class alone."""
    with endpoint(tmp_path, store=FailingStore(error)) as served, listening() as heard:
        answer = served.send("track", signed(track()))
    document = problem(answer, reason)
    assert answer.headers["retry-after"] == str(seconds)
    assert "/data" not in str(document)
    assert "fault of the code" not in f"{document}{heard.text()}"
    assert SECRET not in f"{document}{heard.text()}"
    if not isinstance(error, VerificationError):
        assert type(error).__name__ in heard.records[0].__dict__["detail"]
