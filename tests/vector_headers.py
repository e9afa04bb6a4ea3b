"""The vectors of request verification, headers: SPEC.md §4 and §6.1, steps 1 to 6."""

from __future__ import annotations

from second_wire import key_id, signed_headers
from vector_request import BODY, GOOD, JSON_TYPE, replaced, short, vector, without
from vector_suite import API, KEYS, NEW, NONCE, OTHER, RETIRED, STRANGER, TIME, Suite


def presence(s: Suite) -> None:
    """Each header left out, doubled, folded."""
    for name, _ in GOOD:
        reason = {"X-RP-Api-Key": "api_key_missing", "X-RP-Key-Id": "signature_mismatch"}.get(
            name, "header_malformed")  # fmt: skip
        tags = {"X-RP-Api-Key": "HDR-5", "X-RP-Key-Id": "VER-7 RSN-1"}.get(name, "HDR-4")
        vector(s, f"missing-{short(name)}", tags, "missing-means-unchecked",
            f"{name} is not there", reason, headers=without(name))  # fmt: skip
    rest = [name for name, _ in GOOD if name not in ("X-RP-Api-Key", "X-RP-Signature")]
    vector(s, "missing-all-but-signature", "HDR-4", "missing-means-unchecked",
        "the header that the public page shows, alone", "header_malformed",
        headers=without(*rest))  # fmt: skip
    vector(s, "missing-all-but-key-id", "HDR-4", "missing-means-unchecked",
        "a key id without a signature is not `unsigned`", "header_malformed",
        headers=without("X-RP-Timestamp", "X-RP-Nonce", "X-RP-Signature"))  # fmt: skip
    vector(s, "missing-signature-headers", "VER-5", "missing-means-unchecked",
        "no signature where one is required", "signature_missing", headers=GOOD[:1])  # fmt: skip
    vector(s, "missing-everything", "HDR-5", "missing-means-unchecked", "no header at all",
        "api_key_missing", headers=[])  # fmt: skip
    vector(s, "missing-api-key-and-nonce", "HDR-4 HDR-5", "order-of-checks",
        "some signature headers and no api key: the grammar comes first", "header_malformed",
        headers=without("X-RP-Api-Key", "X-RP-Nonce"))  # fmt: skip
    others = {"X-RP-Api-Key": "rpx_test_other", "X-RP-Key-Id": key_id(OTHER), "X-RP-Timestamp":
        "1795424401", "X-RP-Nonce": "B" * 22, "X-RP-Signature": "sha256=" + "0" * 64}  # fmt: skip
    for name, value in GOOD:
        for kind, again in (("same", [name, value]), ("other", [name, others[name]]),
                ("other-case", [name.lower(), value])):  # fmt: skip
            vector(s, f"doubled-{short(name)}-{kind}", "HDR-3", "first-header-wins",
                f"{name} stands twice", "header_duplicate", headers=[*GOOD, again])  # fmt: skip
        vector(s, f"doubled-{short(name)}-other-first", "HDR-3", "last-header-wins",
            f"{name} stands twice", "header_duplicate", headers=[[name, others[name]], *GOOD])  # fmt: skip
        for kind, comma in (("comma-space", ", "), ("comma", ",")):
            vector(s, f"folded-{short(name)}-{kind}", "HDR-3", "folded-header-split",
                "two lines folded into one on the way", "header_malformed",
                headers=replaced(name, value + comma + value))  # fmt: skip
    for name, value in (JSON_TYPE, ["Content-Encoding", "identity"]):
        vector(s, f"doubled-{name.lower()}", "HDR-3", "first-header-wins", f"{name} stands twice",
            "header_duplicate", headers=[[name, value], [name, value], *GOOD])  # fmt: skip


def names_and_strangers(s: Suite) -> None:
    """Header names in other cases, other headers."""
    for kind in ("lower", "upper"):
        vector(s, f"header-names-{kind}-case", "HDR-1", "header-name-case",
            "names are compared without regard to case", None,
            headers=[[getattr(name, kind)(), value] for name, value in GOOD])  # fmt: skip
    vector(s, "header-order-reversed", "HDR-1", "", "the order of headers says nothing", None,
        headers=GOOD[::-1])  # fmt: skip
    extra = [["Host", "a.example"], ["Accept", "a"], ["Accept", "b, c"], ["X-RP-Other", "\u00ff,"]]
    vector(s, "other-headers", "HDR-3", "", "other headers are no matter, doubled or not", None,
        headers=[*extra, *GOOD])  # fmt: skip
    vector(s, "underscored-names", "HDR-5", "header-name-case", "X_RP_Api_Key is another header",
        "api_key_missing", headers=[[n.replace("-", "_"), v] for n, v in GOOD])  # fmt: skip


def received_text(s: Suite) -> None:
    """Nonces and timestamps at the ends of their grammar, signed well."""
    for kind, nonce in (("22-characters", "-" * 22), ("64-characters", "_-" * 32)):
        vector(s, f"nonce-{kind}", "HDR-1 HDR-6", "value-too-strict", "any text of the grammar",
            None, headers=signed_headers(API, NEW, TIME, nonce, BODY.encode()))  # fmt: skip
    for kind, time in (("first", "1000000000"), ("last", "9999999999")):
        vector(s, f"timestamp-{kind}", "HDR-1 HDR-6", "timestamp-32-bit", "any ten digits", None,
            headers=signed_headers(API, NEW, time, NONCE, BODY.encode()), now=time)  # fmt: skip


def media(s: Suite) -> None:
    """Content-Type and Content-Encoding."""
    right = ["application/json", "application/json; charset=utf-8", "application/json;charset=utf-8",
        'application/json; charset="utf-8"', "APPLICATION/JSON; Charset=UTF-8",
        "application/json\t;\tcharset=utf-8", 'Application/Json ; charset="UTF-8"']  # fmt: skip
    for i, value in enumerate(right, 1):
        vector(s, f"media-type-right-{i}", "HDR-7", "media-type-too-strict", "a way to say JSON",
            None, headers=[["Content-Type", value], *GOOD])  # fmt: skip
    wrong = {
        "text": "text/plain", "latin-1": "application/json; charset=latin-1", "empty": "",
        "cloudevents": "application/cloudevents+json", "form": "application/x-www-form-urlencoded",
        "suffix": "application/vnd.x+json", "longer": "application/jsonp", "star": "*/*",
        "json-sequence": "application/json-seq", "semicolon": "application/json;",
        "two-charsets": "application/json; charset=utf-8; charset=latin-1",
        "other-parameter": "application/json; profile=x", "charset-utf8": "application/json; "
        "charset=utf8", "single-quotes": "application/json; charset='utf-8'",
        "half-quoted": 'application/json; charset="utf-8', "utf-16": "application/json; "
        "charset=utf-16", "text-json": "text/json",
    }  # fmt: skip
    for kind, value in wrong.items():
        vector(s, f"media-type-{kind}", "HDR-7", "media-type-too-lax", "no way to say JSON",
            "media_type_unsupported", headers=[["Content-Type", value], *GOOD])  # fmt: skip
    vector(s, "media-type-absent", "HDR-7", "media-type-too-strict",
        "the gate minds only a header that is there", None, headers=GOOD)  # fmt: skip
    vector(s, "encoding-identity", "HDR-7", "", "the one encoding", None,
        headers=[["Content-Encoding", "identity"], *GOOD])  # fmt: skip
    for kind, value in (("upper", "IDENTITY"), ("mixed", "Identity")):
        vector(s, f"encoding-identity-{kind}-case", "HDR-7", "value-too-strict",
            "the one encoding, in any case of its letters", None,
            headers=[["Content-Encoding", value], *GOOD])  # fmt: skip
    for kind, value in {"gzip": "gzip", "brotli": "br", "deflate": "deflate", "zstd": "zstd",
            "gzip-identity": "gzip, identity", "identity-gzip": "identity, gzip"}.items():  # fmt: skip
        vector(s, f"encoding-{kind}", "HDR-7", "encoding-decoded", "nothing is decompressed",
            "encoding_unsupported", headers=[["Content-Encoding", value], *GOOD])  # fmt: skip


def knowing(s: Suite) -> None:
    """Api keys and key ids that are well-formed, and unknown."""
    unknown = signed_headers("rpx_test_nobody", NEW, TIME, NONCE, BODY.encode())
    vector(s, "api-key-unknown", "VER-4", "api-key-unchecked", "an api key that nobody has",
        "api_key_unknown", headers=unknown)  # fmt: skip
    vector(s, "api-key-other-case", "VER-4", "api-key-unchecked", "api keys are compared exactly",
        "api_key_unknown", headers=replaced("X-RP-Api-Key", "rpx_test_Demo"))  # fmt: skip
    vector(s, "api-key-prefix-of-known", "VER-4", "api-key-unchecked", "compared whole",
        "api_key_unknown", headers=replaced("X-RP-Api-Key", API + "x"))  # fmt: skip
    vector(s, "api-key-unknown-unsigned", "VER-4", "order-of-checks",
        "unknown comes before missing", "api_key_unknown",
        headers=[["X-RP-Api-Key", "rpx_test_nobody"]])  # fmt: skip
    for kind, secret, comment in (
        ("of-nobody", STRANGER, "a key id that no secret has"),
        ("of-other-api-key", OTHER, "a key id of another api key's secret"),
        ("of-retired-secret", RETIRED, "a retired secret verifies no request"),
    ):
        flag = "retired-taken" if secret is RETIRED else "key-id-unscoped"
        flag += " stranger-told" if secret is STRANGER else ""
        tags = "VER-6 RSN-1 KEY-6" if secret is RETIRED else "VER-6 RSN-1"
        vector(s, f"key-id-{kind}", tags, flag, comment, "key_id_unknown", keys=KEYS,
            headers=signed_headers(API, secret, TIME, NONCE, BODY.encode()))  # fmt: skip


def order(s: Suite) -> None:
    """Several faults at once: which one is named."""
    bad = replaced("X-RP-Signature", "sha256=" + "0" * 64)
    vector(s, "order-size-before-headers", "VER-3", "order-of-checks",
        "too large, and no header at all", "payload_too_large", headers=[], max_body=79)  # fmt: skip
    vector(s, "order-encoding-before-headers", "HDR-7", "order-of-checks",
        "compressed, and no header at all", "encoding_unsupported",
        headers=[["Content-Encoding", "gzip"]])  # fmt: skip
    vector(s, "order-grammar-before-api-key", "HDR-1", "order-of-checks",
        "a malformed nonce under an unknown api key", "header_malformed",
        headers=replaced("X-RP-Nonce", "x", replaced("X-RP-Api-Key", "rpx_test_nobody")))  # fmt: skip
    vector(s, "order-grammar-before-missing-api-key", "HDR-1 HDR-5", "order-of-checks",
        "a malformed nonce and no api key: the grammar comes first", "header_malformed",
        headers=replaced("X-RP-Nonce", "x", without("X-RP-Api-Key")))  # fmt: skip
    vector(s, "order-api-key-before-all", "VER-4", "order-of-checks",
        "unknown api key and key id, wrong MAC, stale, no JSON", "api_key_unknown", body="no",
        headers=replaced("X-RP-Api-Key", "rpx_test_nobody",
            replaced("X-RP-Key-Id", key_id(STRANGER), bad)), now="1895424400")  # fmt: skip
    vector(s, "order-key-id-before-mac", "VER-6", "order-of-checks",
        "unknown key id and wrong MAC", "key_id_unknown",
        headers=replaced("X-RP-Key-Id", key_id(STRANGER), bad))  # fmt: skip


def add(s: Suite) -> None:
    """All of this file, in the order of the steps."""
    for section in (presence, names_and_strangers, received_text, media, knowing, order):
        section(s)
