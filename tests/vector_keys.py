"""The vectors of MACs, keys and signing: RFC 4231, SPEC.md §5 and §8."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from second_event_signature import signed_event
from second_json import canonical, read
from second_wire import api_key_id, digest, key_id, mac, signed_headers, signing_input
from vector_suite import (
    API,
    FOURTH,
    KEYS,
    LIVE,
    LIVE_API,
    NEW,
    NONCE,
    OLD,
    OTHER_API,
    STRANGER,
    THIRD,
    TIME,
    Json,
    Suite,
    hexed,
    octets,
    times,
)

# RFC 4231 §4: (key, data, HMAC-SHA-256, how many bytes of it)
RFC4231 = {
    "1": ("0b" * 20, hexed("Hi There"),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", 32),
    "2-short-key": (hexed("Jefe"), hexed("what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", 32),
    "3-long-data": ("aa" * 20, "dd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe", 32),
    "4-counting-key": (bytes(range(1, 26)).hex(), "cd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b", 32),
    "5-truncated": ("0c" * 20, hexed("Test With Truncation"),
        "a3b6167473100ee06e0c796c2955552b", 16),
    "6-key-longer-than-block": ("aa" * 131,
        hexed("Test Using Larger Than Block-Size Key - Hash Key First"),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", 32),
    "7-key-and-data-longer-than-block": ("aa" * 131,
        hexed("This is a test using a larger than block-size key and a larger than block-size data."
            " The key needs to be hashed before being used by the HMAC algorithm."),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2", 32),
}  # fmt: skip

UPPER = OLD[:-8] + OLD[-8:].upper()
PLAIN = "correct-horse-battery-staple-0123456789"
EXAMPLE = (
    '{"event":"Order Completed","messageId":"ord-1001-paid","properties":{"currency":"EUR",'
    '"total":49.9},"timestamp":"2026-11-23T09:00:00Z","type":"track","userId":"user-123"}'
)


def hmac_suite() -> Suite:
    """HMAC-SHA256 alone."""
    s = Suite("hmac")
    for name, (key, data, wanted, length) in RFC4231.items():
        found = hmac.new(bytes.fromhex(key), bytes.fromhex(data), hashlib.sha256).hexdigest()
        assert found[: 2 * length] == wanted, name
        s.add(f"hmac-rfc4231-case-{name}", "INP-2", "hmac-wrong", "a test case of RFC 4231",
            {"ok": {"mac": wanted}}, key=key, data=data, mac_bytes=length)  # fmt: skip
    return s


def configuration(rule: str) -> Json:
    """What an implementation answers when it is configured so."""
    return {"refused": "configuration", "rule": rule}


def live_of(text: str) -> bool | None:
    """Whether a credential says that it is live; None where it does not say."""
    return True if text[3:9] == "_live_" else False if text[3:9] == "_test_" else None


def spoiled_secrets() -> dict[str, tuple[str, str, str, str]]:
    """(tags, rule, flag, secret) by name."""
    cut, last = NEW[:-1], NEW[-1]
    wrong = NEW[:20] + ("A" if NEW[20] != "A" else "B") + NEW[21:]
    return {
        "empty": ("KEY-3", "empty", "weak-secret", ""),
        "short-31": ("KEY-3", "short", "weak-secret", "s" * 31),
        "short-1": ("KEY-3", "short", "weak-secret", "s"),
        "long-257": ("KEY-3", "long", "weak-secret", "s" * 257),
        "space-inside": ("KEY-3", "space", "secret-trimmed", PLAIN + " x"),
        "space-before": ("KEY-3", "space", "secret-trimmed", " " + PLAIN),
        "space-after": ("KEY-3", "space", "secret-trimmed", PLAIN + " "),
        "newline-after": ("KEY-3", "newline", "secret-trimmed", PLAIN + "\n"),
        "carriage-return-after": ("KEY-3", "newline", "secret-trimmed", PLAIN + "\r\n"),
        "newline-after-checksum": ("KEY-3", "newline", "secret-trimmed", NEW + "\n"),
        "tab-inside": ("KEY-3", "control", "weak-secret", PLAIN + "\tx"),
        "nul-inside": ("KEY-3", "control", "weak-secret", PLAIN + "\u0000x"),
        "delete-inside": ("KEY-3", "control", "weak-secret", PLAIN + "\u007fx"),
        "letter-outside-ascii": ("KEY-3", "non_ascii", "weak-secret", PLAIN + "\u00e9"),
        "emoji": ("KEY-3", "non_ascii", "weak-secret", PLAIN + "\U0001f600"),
        "api-key": ("KEY-3", "api_key_as_secret", "credentials-swapped",
            "rpx_test_0123456789abcdef0123456789abcdef"),
        "live-api-key": ("KEY-3", "api_key_as_secret", "credentials-swapped",
            "rpx_live_0123456789abcdef0123456789abcdef"),
        "checksum-wrong": ("KEY-4", "checksum", "checksum-ignored",
            cut + ("0" if last != "0" else "1")),
        "character-mistyped": ("KEY-4", "checksum", "checksum-ignored", wrong),
        "checksum-upper-case": ("KEY-4", "length", "checksum-ignored", UPPER),
        "live-made-of-test": ("KEY-4", "checksum", "checksum-ignored",
            NEW.replace("_test_", "_live_")),
        "truncated-by-1": ("KEY-4", "length", "checksum-ignored", cut),
        "truncated-checksum": ("KEY-4", "length", "checksum-ignored", NEW[:52]),
        "one-too-long": ("KEY-4", "length", "checksum-ignored", NEW + "0"),
        "pasted-twice": ("KEY-4", "length", "checksum-ignored", NEW + NEW),
        "live-truncated": ("KEY-4", "length", "checksum-ignored", LIVE[:40]),
    }  # fmt: skip


GOOD_SECRETS = {
    "test-checksummed": (NEW, "KEY-2 KEY-4"),
    "live-checksummed": (LIVE, "KEY-2 KEY-4"),
    "32-characters": ("s" * 32, "KEY-2 KEY-3"),
    "256-characters": ("s" * 256, "KEY-2 KEY-3"),
    "all-printable": ("".join(map(chr, range(0x21, 0x7F))), "KEY-2 KEY-3"),
    "looks-like-base64": ("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=", "KEY-2 INP-2"),
    "looks-like-hex": ("00112233445566778899aabbccddeeff" * 2, "KEY-2 INP-2"),
    "looks-like-webhook-secret": ("whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=", "KEY-2 INP-2"),
    "prefix-without-underscore": ("rps-test-0123456789abcdef0123456789", "KEY-3 KEY-4"),
    "prefix-of-another-kind": ("rps_prod_0123456789abcdef0123456789", "KEY-3 KEY-4"),
    "prefix-in-upper-case": ("RPS_TEST_0123456789abcdef0123456789", "KEY-3 KEY-4"),
}
GOOD_API_KEYS = {
    "test": API,
    "live": LIVE_API,
    "shortest": "rpx_test_abcd",
    "longest": "rpx_live_" + "a" * 120,
    "all-signs": "rpx_test_-_-_AZaz09",
}
SPOILED_API_KEYS = {
    "empty": "",
    "short-3": "rpx_test_abc",
    "long-121": "rpx_live_" + "a" * 121,
    "other-kind": "rpx_prod_abcd",
    "upper-case-prefix": "RPX_TEST_abcd",
    "newline-after": API + "\n",
    "space-before": " " + API,
    "point": "rpx_test_ab.cd",
    "letter-outside-ascii": "rpx_test_abc\u00e9",
    "digit-outside-ascii": "rpx_test_abc\u0661",
    "without-prefix": "abcdefgh",
}


def pairs(s: Suite) -> None:
    """An api key and a secret, configured together."""
    mixed = "live secrets beside live api keys, test beside test"
    for name, api_key, secret in (("live-secret-beside-test-key", API, LIVE),
            ("test-secret-beside-live-key", LIVE_API, NEW)):  # fmt: skip
        s.add(f"keys-{name}", "KEY-3", "live-and-test-mixed", mixed,
            configuration("live_and_test"), api_key=api_key, secret=secret)  # fmt: skip
    for name, api_key, secret in (("test-beside-test", API, NEW), ("live-beside-live", LIVE_API,
            LIVE), ("plain-beside-live", LIVE_API, PLAIN), ("plain-beside-test", API, PLAIN)):  # fmt: skip
        ids = {"api_key_id": api_key_id(api_key), "key_id": key_id(secret)}
        s.add(f"keys-{name}", "KEY-1 KEY-2 KEY-3", "", mixed, {"ok": ids},
            api_key=api_key, secret=secret)  # fmt: skip


def documents(s: Suite) -> None:
    """Keys files."""
    five = [NEW, OLD, THIRD, FOURTH, STRANGER]
    for count in range(1, 5):
        keys = {"api_keys": [{"api_key": API, "secrets": five[:count]}]}
        entry = {"api_key_id": api_key_id(API), "key_ids": [key_id(k) for k in five[:count]]}
        s.add(f"keys-file-{count}-secrets", "KEY-5", "secrets-miscounted",
            "1 to 4 active secrets; the first one is the newest and signs",
            {"ok": {"api_keys": [{**entry, "retired": []}]}}, keys=keys)  # fmt: skip
    s.add("keys-file-5-secrets", "KEY-5", "secrets-miscounted", "one active secret too many",
        configuration("secret_count"), keys={"api_keys": [{"api_key": API, "secrets": five}]})  # fmt: skip
    entries = [
        {
            "api_key_id": api_key_id(entry["api_key"]),
            "key_ids": [key_id(secret) for secret in entry["secrets"]],
            "retired": [key_id(old["secret"]) for old in entry.get("retired", [])],
        }
        for entry in KEYS["api_keys"]
    ]
    s.add("keys-file-retired", "KEY-5 KEY-6", "", "three api keys, one with a retired secret",
        {"ok": {"api_keys": entries}}, keys=KEYS)  # fmt: skip
    shared = [{"api_key": name, "secrets": [NEW]} for name in (API, OTHER_API)]
    s.add("keys-file-shared-secret", "KEY-5", "", "two api keys may share a secret",
        {"ok": {"api_keys": [{"api_key_id": api_key_id(name), "key_ids": [key_id(NEW)],
            "retired": []} for name in (API, OTHER_API)]}}, keys={"api_keys": shared})  # fmt: skip


def keys_suite() -> Suite:
    """Ids, and what may be configured."""
    s = Suite("keys")
    for name, api_key in GOOD_API_KEYS.items():
        ok = {"api_key_id": api_key_id(api_key), "live": live_of(api_key)}
        s.add(f"keys-api-key-{name}", "KEY-1 HDR-1", "id-otherwise", "an api key and its id",
            {"ok": ok}, api_key=api_key)  # fmt: skip
    for name, api_key in SPOILED_API_KEYS.items():
        s.add(f"keys-api-key-refused-{name}", "HDR-1", "api-key-grammar", "no api key",
            configuration("api_key_grammar"), api_key=api_key)  # fmt: skip
    s.add("keys-api-key-refused-secret", "KEY-3", "credentials-swapped",
        "a secret in the place of an api key", configuration("secret_as_api_key"), api_key=NEW)  # fmt: skip
    for name, (secret, tags) in GOOD_SECRETS.items():
        flag = "secret-decoded" if "looks-like" in name else "id-otherwise"
        flag += " secret-decoded" if "checksummed" in name else ""
        ok = {"key_id": key_id(secret), "live": live_of(secret) if len(secret) == 60 else None}
        s.add(f"keys-secret-{name}", tags, flag, "a secret and its key id", {"ok": ok},
            secret=secret)  # fmt: skip
    for name, (tags, rule, flag, secret) in spoiled_secrets().items():
        s.add(f"keys-secret-refused-{name}", tags, flag, "refused when it is configured",
            configuration(rule), secret=secret)  # fmt: skip
    pairs(s)
    documents(s)
    return s


def input_suite() -> Suite:
    """The eight lines and their MAC."""
    s = Suite("signing-input")
    rows: dict[str, tuple[str, str, str, str, Any, str]] = {
        "request": ("request", key_id(NEW), TIME, NONCE, hexed("{}"), "input-otherwise"),
        "request-without-key-id": ("request", "-", TIME, NONCE, hexed("{}"), "input-otherwise"),
        "request-longest-nonce": ("request", key_id(NEW), TIME, "-_" * 32, hexed("{}"),
            "input-otherwise"),
        "request-first-timestamp": ("request", "-", "1000000000", NONCE, hexed("{}"),
            "input-otherwise"),
        "request-last-timestamp": ("request", "-", "9999999999", NONCE, hexed("{}"),
            "timestamp-32-bit"),
        "request-length-in-bytes": ("request", "-", TIME, NONCE, hexed('{"a":"\u00e9\U0001f600"}'),
            "length-in-characters"),
        "request-bytes-that-are-no-text": ("request", "-", TIME, NONCE, "ff00fe", "digest-of-text"),
        "request-byte-order-mark": ("request", "-", TIME, NONCE, hexed("\ufeff{}"),
            "digest-of-text"),
        "request-newline-at-end": ("request", "-", TIME, NONCE, hexed("{}\n"), "digest-of-text"),
        "request-carriage-returns": ("request", "-", TIME, NONCE, hexed("{\r\n}\r\n"),
            "digest-of-text"),
        "request-half-mebibyte": ("request", key_id(NEW), TIME, NONCE,
            times(('"', 1), ("a", 524_286), ('"', 1)), "input-otherwise"),
        "event": ("event", key_id(NEW), "-", "-", hexed(EXAMPLE), "input-otherwise"),
        "event-beside-request": ("event", key_id(NEW), "-", "-", hexed("{}"), "purpose-left-out"),
    }  # fmt: skip
    for name, (purpose, key, timestamp, nonce, covered, flag) in rows.items():
        data = octets(covered)
        line = signing_input(purpose, api_key_id(API), key, timestamp, nonce, data)
        ok = {"length": len(data), "digest": digest(data), "signing_input": hexed(line),
            "mac": mac(NEW, line)}  # fmt: skip
        said = {"purpose": purpose, "api_key_id": api_key_id(API), "key_id": key,
            "timestamp": timestamp, "nonce": nonce}  # fmt: skip
        s.add(f"input-{name}", "INP-1 INP-2 INP-3", flag, "the eight lines, and their MAC",
            {"ok": ok}, secret=NEW, fields=said, covered=covered)  # fmt: skip
    return s


def sign_suite() -> Suite:
    """Signed requests."""
    s = Suite("sign")
    assert OLD != UPPER
    s.add("sign-refused-empty-body", "EVS-4", "empty-body-signed", "a request without a body is not signed",
        {"refused": "usage", "rule": "empty_body"}, api_key=API, secrets=[NEW], timestamp=TIME, nonce=NONCE,
        body="")  # fmt: skip
    sealed = canonical(signed_event(read(EXAMPLE.encode()), API, NEW)).decode()
    rows: dict[str, tuple[str, list[str], str, Any, str]] = {
        "example-of-the-spec": (API, [NEW], "the request of SPEC.md §1", sealed, "input-otherwise"),
        "newest-of-two": (API, [OLD, NEW], "the first secret signs", "{}", "oldest-signs"),
        "live": (LIVE_API, [LIVE], "a live api key", "{}", ""),
        "plain-secret": (API, [PLAIN], "a secret that nobody generated", "{}", ""),
        "secret-like-base64": (API, [GOOD_SECRETS["looks-like-base64"][0]],
            "the text keys the HMAC, not what it might decode to", "{}", "secret-decoded"),
        "secret-like-hex": (API, [GOOD_SECRETS["looks-like-hex"][0]],
            "the text keys the HMAC, not what it might decode to", "{}", "secret-decoded"),
        "secret-longer-than-block": (API, ["s" * 256], "HMAC hashes keys over 64 bytes", "{}",
            "hmac-wrong"),
        "body-with-white-space": (API, [NEW], "the bytes as sent, not the canonical form",
            '{ "b": 1,\n "a": 2 }\n', "digest-of-canonical"),
        "body-outside-ascii": (API, [NEW], "length counts bytes", '{"n":"\u05d0\U0001f600"}',
            "length-in-characters"),
        "body-decomposed": (API, [NEW], "nothing is normalised", '{"n":"e\u0301"}', "normalised"),
        "body-512-kib": (API, [NEW], "as long as every receiver takes",
            times(('{"a":"', 1), ("x", 524_280), ('"}', 1)), "length-in-characters"),
    }  # fmt: skip
    for name, (api_key, secrets, comment, body, flag) in rows.items():
        said = body if isinstance(body, dict) else hexed(body)
        headers = signed_headers(api_key, secrets[0], TIME, NONCE, octets(said))
        line = signing_input("request", api_key_id(api_key), key_id(secrets[0]), TIME, NONCE,
            octets(said))  # fmt: skip
        ok = {"headers": headers, "signing_input": hexed(line), "mac": mac(secrets[0], line)}
        s.add(f"sign-{name}", "INP-1 INP-2 INP-3 KEY-5", flag, comment, {"ok": ok},
            api_key=api_key, secrets=secrets, timestamp=TIME, nonce=NONCE, body=said)  # fmt: skip
    return s
