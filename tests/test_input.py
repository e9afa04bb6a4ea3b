"""Known ways in which such libraries fail on input, a named test each, as far as the library alone can show it.

Rows that need a server are in tests/test_ingest*.py: body read before any limit; compressed bodies on the wire;
trailers, doubled and folded headers of real servers; path tricks; replies and the server's log in "secrets in logs".
"""

import logging
import random
import traceback
from typing import Any

import pytest
import spec_page
from parties import BODY, KEYS, NOW, OLD, OTHER, STRANGER, Clock, reason, signer, verifier
from second_wire import signed_headers

from rp_signing import (
    CanonicalizationError,
    Keyring,
    MemoryNonceStore,
    Reason,
    Secret,
    Signer,
    SigningError,
    VerificationError,
    Verified,
    canonicalize,
    parse,
    sign_event,
    verify_event,
    wire,
)
from rp_signing.keys import ApiKey, RetiredSecret

API_KEY, SECRET = spec_page.API_KEY, spec_page.SECRET
GOOD = signer(Clock()).sign(BODY)


def told(text: Any) -> Reason:
    """The reason of a text or value that must be refused."""
    with pytest.raises(CanonicalizationError) as caught:
        parse(text) if isinstance(text, bytes) else canonicalize(text)
    return caught.value.reason


def spoil(chance: random.Random, good: bytes) -> bytes:
    """Bytes with something wrong in them."""
    index, other = chance.randrange(len(good) + 1), chance.randbytes(chance.choice((1, 1, 1, 4)))
    kind = chance.randrange(5)
    if kind == 0:
        return good[:index] + other + good[index:]
    if kind == 1:
        return good[:index] + other + good[index + 1 :]
    if kind == 2:
        return good[:index]
    return chance.randbytes(chance.randrange(80)) if kind == 3 else good[index:] + good[:index]


def test_odd_bytes_raise_nothing_foreign() -> None:
    """Row "odd bytes raise": of 20,000 spoiled requests, each is verified or has a reason of its own."""
    chance = random.Random(8785)
    gate = verifier(Clock(), accept_reserialized=True)
    names = [*GOOD, "Content-Type", "Content-Encoding"]
    reasons = set()
    for _ in range(20_000):
        pairs = [(name.encode(), value.encode()) for name, value in GOOD.items()]
        body = spoil(chance, BODY) if chance.random() < 0.3 else BODY
        for _ in range(chance.randrange(3)):
            name = chance.choice(names).encode()
            value = spoil(chance, dict(pairs).get(name, b"identity"))
            pairs = [pair for pair in pairs if pair[0] != name or chance.random() < 0.1] + [(name, value)]
        headers: Any = (
            pairs if chance.random() < 0.5 else [(a.decode("latin-1"), b.decode("latin-1")) for a, b in pairs]
        )
        try:
            gate.verify(headers, body)
        except VerificationError as error:
            reasons.add(error.reason)
    assert len(reasons) >= 8


def test_a_value_has_one_spelling() -> None:
    """Row "several spellings": of every header value respelled in ten ways, 0 are accepted, even with a right MAC."""
    respell = (
        str.upper,
        str.swapcase,
        lambda text: text + " ",
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: "+" + text,
        lambda text: "0" + text,
        lambda text: text + ".0",
        lambda text: text + "=",
        lambda text: text.translate({ord("1"): "\uff11", ord("0"): "\u0660", ord("a"): "\uff41"}),
    )
    accepted = []
    for name in (wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE, wire.KEY_ID, wire.API_KEY):
        for change in respell:
            timestamp, nonce = str(NOW), "Aa01" * 6
            if name == wire.TIMESTAMP:
                timestamp = change(timestamp)
            if name == wire.NONCE:
                nonce = change(nonce)
            # The second implementation signs the odd spelling, so that its grammar alone can refuse it.
            headers = (
                dict(signed_headers(API_KEY, SECRET, timestamp, nonce, BODY)) if (timestamp + nonce).isascii() else GOOD
            )
            headers = {
                **headers,
                name: headers[name] if name in (wire.TIMESTAMP, wire.NONCE) else change(headers[name]),
            }
            spelled_otherwise = headers[name] not in (GOOD[name], str(NOW), "Aa01" * 6)
            try:
                verifier(Clock()).verify(headers, BODY)
            except VerificationError:
                continue
            # A nonce in another case is another nonce, and signed as such.
            if spelled_otherwise and not (name == wire.NONCE and headers[name].isalnum()):
                accepted.append((name, headers[name]))
    assert accepted == []


@pytest.mark.parametrize("length", range(64))
def test_a_prefix_of_the_signature_is_not_enough(length: int) -> None:
    """Row "compare only a prefix": 0 to 63 right hex digits, then another or none, are refused."""
    signature, gate = GOOD[wire.SIGNATURE], verifier(Clock())
    cut = len("sha256=") + length
    other = signature[:cut] + f"{int(signature[cut], 16) ^ 1:x}" + signature[cut + 1 :]
    assert reason(gate.verify, {**GOOD, wire.SIGNATURE: other}, BODY) == Reason.SIGNATURE_MISMATCH
    assert reason(gate.verify, {**GOOD, wire.SIGNATURE: signature[:cut]}, BODY) == Reason.HEADER_MALFORMED


@pytest.mark.parametrize("secret", ["", " ", "x", "x" * 31, "\n" * 40, "x" * 40 + "\n"])
def test_an_empty_or_short_secret_is_no_secret(secret: str) -> None:
    """Row "empty or short secret": refused wherever one is configured."""
    for make in (
        lambda: Secret(secret),
        lambda: Signer(api_key=API_KEY, secret=secret),
        lambda: Keyring.of({API_KEY: [SECRET, secret]}),
        lambda: RetiredSecret(secret, NOW),
        lambda: sign_event({}, api_key=API_KEY, secret=secret),
    ):
        with pytest.raises(ValueError, match="the secret "):
            make()


@pytest.mark.parametrize("name", GOOD)
def test_a_header_that_is_missing_is_missed(name: str) -> None:
    """Row "header missing means not checked": each header deleted in turn is refused, in every shape of headers."""
    left = {other: value for other, value in GOOD.items() if other != name}
    expected = {wire.API_KEY: Reason.API_KEY_MISSING, wire.KEY_ID: Reason.SIGNATURE_MISMATCH}
    for headers in (left, list(left.items()), [(n.lower().encode(), v.encode()) for n, v in left.items()]):
        assert reason(verifier(Clock()).verify, headers, BODY) == expected.get(name, Reason.HEADER_MALFORMED)


def test_duplicate_keys_are_refused_and_one_parse_is_seen() -> None:
    """Row "duplicate keys, two parsers": refused after the MAC; what is given on is what was parsed."""
    doubled = b'{"userId":"user-123","user\\u0049d":"admin"}'
    gate, sender = verifier(Clock()), signer(Clock())
    assert reason(gate.verify, sender.sign(doubled), doubled) == Reason.PAYLOAD_DUPLICATE_KEY
    assert gate.verify(GOOD, BODY).payload == parse(BODY)


@pytest.mark.parametrize("text", [b"NaN", b"Infinity", b"-Infinity", b'{"a":NaN}', b"1e400", b"-1e999"])
def test_what_is_no_number_is_refused(text: bytes) -> None:
    """Row "NaN": the words are no JSON, and a number that only infinity can hold is out of range."""
    assert told(text) == (Reason.PAYLOAD_NUMBER_RANGE if b"1e" in text or b"1e9" in text else Reason.PAYLOAD_NOT_JSON)
    for value in (float("nan"), float("inf")):
        assert told([value]) == Reason.PAYLOAD_NUMBER_RANGE


def test_numbers_that_collide_are_refused() -> None:
    """Row "numbers that collide": 2^53 and 2^53+1 never share bytes; above 2^53-1 integers are refused."""
    assert told([2**53]) == told([2**53 + 1]) == told(b"[9007199254740993]") == Reason.PAYLOAD_NUMBER_RANGE
    assert len({canonicalize(2**53 - 1 - less) for less in range(100)}) == 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'"\xed\xa0\x80"', Reason.PAYLOAD_NOT_UTF8),
        ('"a"'.encode("utf-16"), Reason.PAYLOAD_NOT_UTF8),
        (b'{"\\ud800":1}', Reason.PAYLOAD_SURROGATE),
        ({"\ud800": 1}, Reason.PAYLOAD_SURROGATE),
        (["\udfff"], Reason.PAYLOAD_SURROGATE),
    ],
)
def test_surrogates_have_their_reason(text: Any, expected: Reason) -> None:
    """Row "surrogates": strict UTF-8 first, then no half pair, in text or value; UTF-16 is not guessed."""
    assert told(text) == expected


def test_depth_and_length_have_their_own_limits() -> None:
    """Row "nesting, long integers": neither a stack nor the interpreter's limit of digits decides."""
    assert told(b"[" * 100_000 + b"]" * 100_000) == Reason.PAYLOAD_DEPTH
    assert told(b"9" * 4301) == told([10**4301]) == Reason.PAYLOAD_NUMBER_RANGE
    long = b'"' + b"a" * 1024 * 1024 + b'"'
    assert told(long) == Reason.PAYLOAD_TOO_LARGE
    assert reason(verifier(Clock()).verify, signer(Clock()).sign(long), long) == Reason.PAYLOAD_TOO_LARGE


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip", ""])
def test_a_compressed_body_is_refused_unopened(encoding: str) -> None:
    """Row "compressed bodies": any Content-Encoding but identity is 415, signed or not."""
    for headers in (GOOD, {wire.API_KEY: API_KEY}):
        with pytest.raises(VerificationError) as caught:
            verifier(Clock()).verify({**headers, "Content-Encoding": encoding}, BODY)
        assert (caught.value.reason, caught.value.status) == (Reason.ENCODING_UNSUPPORTED, 415)


@pytest.mark.parametrize("name", GOOD)
def test_a_header_stands_exactly_once(name: str) -> None:
    """Row "headers": a second line is a duplicate, a fold with a comma malformed, an underscore another name."""
    gate, pairs = verifier(Clock()), list(GOOD.items())
    assert reason(gate.verify, [*pairs, (name, GOOD[name])], BODY) == Reason.HEADER_DUPLICATE
    lower = [(n.lower().encode(), v.encode()) for n, v in pairs]
    assert reason(gate.verify, [*lower, (name.lower().encode(), b"")], BODY) == Reason.HEADER_DUPLICATE
    assert reason(gate.verify, {**GOOD, name: f"{GOOD[name]},{GOOD[name]}"}, BODY) == Reason.HEADER_MALFORMED
    assert gate.verify([*pairs, (name.replace("-", "_"), "x")], BODY)


def everything_said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The reprs, strs and tracebacks of every object and error that has seen a key, and the log."""
    claim_headers = signer(Clock(), OLD).sign(BODY)
    keyring = Keyring.of(KEYS)
    entry = ApiKey(API_KEY, [SECRET], retired=[RetiredSecret(OLD, NOW)])
    gate, sender = verifier(Clock()), Signer(api_key=API_KEY, secret=SECRET, clock=Clock())
    verified = gate.verify(claim_headers, BODY)
    assert isinstance(verified, Verified)
    objects = [
        Secret(SECRET), entry, *entry.retired.values(), keyring, list(keyring), sender, gate, verified, verified.claim,
        wire.read_headers(claim_headers), wire.read_headers({wire.API_KEY: API_KEY}), MemoryNonceStore(born=0),
    ]  # fmt: skip
    said = [form(one) for one in objects for form in (repr, str, "{}".format)]
    event = sign_event({"a": 1}, api_key=API_KEY, secret=SECRET)
    spoiled: list[Any] = [
        lambda: gate.verify(claim_headers, BODY),
        *(lambda name=name: gate.verify({**GOOD, name: GOOD[name] + "!"}, BODY) for name in GOOD),
        *(lambda name=name: gate.verify([*GOOD.items(), (name, GOOD[name])], BODY) for name in GOOD),
        lambda: gate.verify(GOOD, BODY + b" "),
        lambda: gate.verify(signer(Clock(), STRANGER).sign(BODY), BODY),
        lambda: gate.verify({**GOOD, wire.API_KEY: API_KEY + "x"}, BODY),
        lambda: gate.verify(signer(Clock(NOW - 999)).sign(BODY), BODY),
        lambda: gate.verify(signer(Clock()).sign(b"no"), b"no"),
        lambda: verify_event({**event, "a": 2}, keyring=keyring, api_key=API_KEY),
        lambda: verify_event({"a": 1}, keyring=keyring, api_key=API_KEY),
        lambda: verify_event(event, keyring=keyring, api_key=API_KEY + "x"),
        lambda: Secret(SECRET[:-1]), lambda: Secret(SECRET + "\n"), lambda: Secret(API_KEY),
        lambda: Signer(api_key=SECRET, secret=API_KEY), lambda: Signer(api_key=API_KEY + "\n", secret=SECRET),
        lambda: Keyring.of({API_KEY: [SECRET, SECRET]}), lambda: ApiKey("rpx_live_demo", [SECRET]),
        lambda: sign_event(event, api_key=API_KEY, secret=SECRET), lambda: sender.sign(b""),
    ]  # fmt: skip
    for call in spoiled:
        with pytest.raises((SigningError, ValueError)) as caught:
            call()
        said += [repr(caught.value), str(caught.value), "".join(traceback.format_exception(caught.value))]
    return [*said, caplog.text]


def test_no_secret_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Row "secrets in logs": no secret, api key or expected MAC in any repr, str, traceback or log of the library."""
    caplog.set_level(logging.DEBUG)
    said = everything_said(caplog)
    macs = [value[wire.SIGNATURE] for value in (GOOD, signer(Clock(), OLD).sign(BODY))]
    hidden = {"secret": SECRET, "old": OLD, "other": OTHER, "body of the secret": SECRET[9:52], "api key": API_KEY}
    hidden |= {f"MAC {number}": mac.removeprefix("sha256=") for number, mac in enumerate(macs)}
    found = {(what, text[:60]) for text in said for what, word in hidden.items() if word in text.replace(__file__, "")}
    assert found == set()
    assert len(said) > 90
