"""The vectors of request verification, spelling: one way to write each value, SPEC.md §4."""

from __future__ import annotations

import base64

from second_wire import key_id
from vector_request import GOOD, replaced, short, vector
from vector_suite import API, NEW, NONCE, TIME, Suite


def add(s: Suite) -> None:
    """Each value, spelled in another way."""
    for name, value in GOOD:
        ways = {
            "empty": "", "space-before": " " + value, "space-after": value + " ",
            "tab-after": value + "\t", "newline-after": value + "\n",
            "carriage-return-after": value + "\r\n", "nul-after": value + "\u0000",
            "no-break-space-after": value + "\u00a0", "quoted": f'"{value}"',
            "latin-letter": value[:-1] + "\u00e9",
        }  # fmt: skip
        for kind, spelled in ways.items():
            vector(s, f"{short(name)}-{kind}", "HDR-1", "value-trimmed",
                "each value has one spelling", "header_malformed",
                headers=replaced(name, spelled))  # fmt: skip
    plain = dict(GOOD)["X-RP-Signature"].removeprefix("sha256=")
    raw = bytes.fromhex(plain)
    by_name: dict[str, dict[str, tuple[str, str]]] = {
        "X-RP-Api-Key": {
            "short": ("api-key-grammar", "rpx_test_abc"),
            "long": ("api-key-grammar", "rpx_test_" + "a" * 121),
            "upper-case-prefix": ("api-key-grammar", API.upper()),
            "other-kind": ("api-key-grammar", "rpx_prod_demo"),
            "point": ("api-key-grammar", "rpx_test_de.mo"),
        },
        "X-RP-Key-Id": {
            "dash": ("key-id-dash", "-"),
            "upper-case": ("hex-upper-case", key_id(NEW).upper()),
            "15-digits": ("value-too-lax", key_id(NEW)[:15]),
            "17-digits": ("value-too-lax", key_id(NEW) + "0"),
            "not-hex": ("value-too-lax", key_id(NEW)[:15] + "g"),
            "hexadecimal-prefix": ("value-too-lax", "0x" + key_id(NEW)[:14]),
        },
        "X-RP-Timestamp": {
            "plus-sign": ("number-too-lax", "+" + TIME),
            "minus-sign": ("number-too-lax", "-" + TIME),
            "underscores": ("number-too-lax", "1_795_424_400"),
            "9-digits": ("number-too-lax", "999999999"),
            "11-digits": ("number-too-lax", TIME + "0"),
            "12-digits": ("number-too-lax", TIME + "00"),
            "14-digits": ("number-too-lax", TIME + "0000"),
            "leading-zero": ("number-too-lax", "0795424400"),
            "leading-zero-13-digits": ("number-too-lax", "0795424400000"),
            "padded": ("number-too-lax", "0" + TIME),
            "fraction": ("number-too-lax", TIME + ".0"),
            "exponent": ("number-too-lax", "1.7954244e9"),
            "hexadecimal": ("number-too-lax", "0x6b03f1d0"),
            "date": ("number-too-lax", "2026-11-23T09:00:00Z"),
            "dash": ("number-too-lax", "-"),
            "fullwidth-digits": ("digits-unicode",
                "".join("\u00ef\u00bc" + chr(0x90 + int(d)) for d in TIME)),
            "arabic-indic-digits": ("digits-unicode",
                "".join("\u00d9" + chr(0xA0 + int(d)) for d in TIME)),
            "superscript-digit": ("digits-unicode", TIME[:-1] + "\u00b9"),
        },
        "X-RP-Nonce": {
            "21-characters": ("value-too-lax", NONCE[:-1]),
            "65-characters": ("value-too-lax", "a" * 65),
            "standard-base64": ("value-too-lax", NONCE[:-2] + "+/"),
            "padded": ("value-too-lax", NONCE + "=="),
            "point": ("value-too-lax", NONCE[:-1] + "."),
            "dash": ("value-too-lax", "-"),
            "outside-ascii": ("digits-unicode", NONCE[:-1] + "\u00c3\u00a9"),
        },
        "X-RP-Signature": {
            "upper-case-hex": ("hex-upper-case", "sha256=" + plain.upper()),
            "upper-case-prefix": ("value-too-lax", "SHA256=" + plain),
            "without-prefix": ("value-too-lax", plain),
            "colon": ("value-too-lax", "sha256:" + plain),
            "dashed-prefix": ("value-too-lax", "sha-256=" + plain),
            "other-algorithm": ("algorithm-chosen-by-sender", "sha512=" + plain * 2),
            "algorithm-none": ("algorithm-chosen-by-sender", "none="),
            "version-prefix": ("algorithm-chosen-by-sender", "v1=" + plain),
            "prefix-twice": ("value-too-lax", "sha256=sha256=" + plain),
            "space-inside": ("value-too-lax", "sha256= " + plain),
            "spaces-between-bytes": ("value-too-lax", "sha256=" + raw.hex(" ")),
            "base64": ("value-too-lax", "sha256=" + base64.b64encode(raw).decode()),
            "65-digits": ("mac-prefix-compared", "sha256=" + plain + "0"),
            "two-macs": ("mac-prefix-compared", "sha256=" + plain * 2),
            "not-hex": ("value-too-lax", "sha256=" + plain[:-1] + "g"),
            "64-zeros-no-prefix": ("value-too-lax", "0" * 64),
        },
    }  # fmt: skip
    for name, ways in by_name.items():
        for kind, (flag, spelled) in ways.items():
            vector(s, f"{short(name)}-{kind}", "HDR-1", flag, "each value has one spelling",
                "header_malformed", headers=replaced(name, spelled))  # fmt: skip
    for length in range(64):
        vector(s, f"signature-first-{length:02}-digits", "HDR-1 VER-7", "mac-prefix-compared",
            "a part of the right MAC is no MAC", "header_malformed",
            headers=replaced("X-RP-Signature", "sha256=" + plain[:length]))  # fmt: skip
    for kind, value in (("milliseconds", TIME + "000"), ("milliseconds-odd", "9999999999999")):
        vector(s, f"timestamp-{kind}", "HDR-2", "milliseconds-taken", "it looks like milliseconds",
            "timestamp_unit", headers=replaced("X-RP-Timestamp", value))  # fmt: skip
