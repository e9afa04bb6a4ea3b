"""The vectors of strict reading: SPEC.md §3.3."""

from __future__ import annotations

from typing import Any

from second_json import canonical, read
from vector_suite import Json, Suite, hexed, octets, outcome, refused, times

Case = tuple[str, str, str, "str | bytes | Json"]

# Texts that are taken, with the canonical form of what was read: (tags, flags, comment, text, form)
TAKEN = {
    "white-space-all-four": ("PAR-3", "", "the four kinds of white space, between all tokens",
        " \t\r\n{ \t\r\n\"a\" \t\r\n: \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n} \t\r\n",
        '{"a":[1,2]}'),
    "no-white-space": ("PAR-3", "", "white space is optional", '{"a":[1,2],"b":{}}',
        '{"a":[1,2],"b":{}}'),
    "scalar-null": ("PAR-3", "", "any value may stand alone", "null", "null"),
    "scalar-string": ("PAR-3", "", "any value may stand alone", '""', '""'),
    "all-escapes": ("PAR-3", "", "the nine escapes",
        '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"', '"\\"\\\\/\\b\\f\\n\\r\\t\u00e9"'),
    "hex-digits-of-both-cases": ("PAR-3", "", "\\u takes digits of both cases",
        '"\\uABcd\\u00E9"', '"\uabcd\u00e9"'),
    "nul-escaped": ("PAR-3", "", "U+0000 is a character, when escaped", '"a\\u0000b"',
        '"a\\u0000b"'),
    "delete-raw": ("PAR-3", "grammar-too-strict", "U+007F is no control character of RFC 8259",
        '"\u007f"', '"\u007f"'),
    "c1-control-raw": ("PAR-3", "grammar-too-strict", "U+0085 in a string is a character",
        '"\u0085"', '"\u0085"'),
    "line-separator-raw": ("PAR-3", "grammar-too-strict", "U+2028 may stand raw in a string",
        '"\u2028"', '"\u2028"'),
    "noncharacters-raw": ("PAR-2", "grammar-too-strict", "noncharacters are well-formed UTF-8",
        '"\uffff\U0010ffff"', '"\uffff\U0010ffff"'),
    "last-scalar-before-surrogates": ("PAR-2", "grammar-too-strict", "U+D7FF and U+E000 are text",
        '"\ud7ff\ue000"', '"\ud7ff\ue000"'),
    "surrogate-pair-escaped": ("PAR-5", "grammar-too-strict", "an escaped pair is one character",
        '["\\uD83D\\uDE00","\\ud83d\\ude00"]', '["\U0001f600","\U0001f600"]'),
    "names-that-differ-in-case": ("PAR-4", "", "two names", '{"a":1,"A":2}', '{"A":2,"a":1}'),
    "names-that-look-alike": ("PAR-4", "normalised", "composed and decomposed are two names",
        '{"\u00e9":1,"e\u0301":2}', '{"e\u0301":2,"\u00e9":1}'),
    "one-name-in-two-objects": ("PAR-4", "", "a name may stand in each object",
        '[{"a":1},{"a":{"a":2}}]', '[{"a":1},{"a":{"a":2}}]'),
    "empty-name": ("PAR-4", "", "the empty name is a name", '{"":1}', '{"":1}'),
    "name-proto": ("PAR-4 PAR-9", "name-eaten-by-host", "__proto__ is a name like any other",
        '{"__proto__":{"a":1},"constructor":2}', '{"__proto__":{"a":1},"constructor":2}'),
    "depth-64-arrays": ("PAR-6", "depth-off-by-one", "depth 64 is taken", "[" * 64 + "]" * 64,
        "[" * 64 + "]" * 64),
    "depth-64-mixed": ("PAR-6", "depth-off-by-one", "arrays and objects count alike",
        '[{"a":' * 32 + "1" + "}]" * 32, '[{"a":' * 32 + "1" + "}]" * 32),
    "siblings-are-not-depth": ("PAR-6", "depth-off-by-one", "100 brackets side by side: depth 2",
        "[" + ",".join(["[]"] * 100) + "]", "[" + ",".join(["[]"] * 100) + "]"),
    "brackets-in-string-are-not-depth": ("PAR-6", "depth-off-by-one", "they are text",
        '"' + "[" * 200 + '"', '"' + "[" * 200 + '"'),
    "largest-double": ("PAR-7", "", "the largest double is finite", "1.7976931348623157e308",
        "1.7976931348623157e+308"),
    "rounds-down-to-largest-double": ("PAR-7", "", "it is nearer to it than to infinity",
        "1.7976931348623158e308", "1.7976931348623157e+308"),
    "underflow-to-zero": ("PAR-7", "underflow-refused", "it rounds to zero", "1e-400", "0"),
    "minus-zero": ("PAR-7 CAN-6", "negative-zero", "-0 is a number", "-0", "0"),
    "minus-zero-fraction": ("PAR-7 CAN-6", "negative-zero", "-0.0 is a number", "-0.0", "0"),
    "more-digits-than-a-double": ("PAR-7", "underflow-refused", "taken as the nearest double",
        "0.1000000000000000055511151231257827", "0.1"),
    "fraction-of-5000-digits": ("PAR-7", "long-number-crash", "long, and nothing else",
        times(("0.", 1), ("3", 5000)), "0.3333333333333333"),
    "big-integer-with-exponent": ("PAR-8", "", "an exponent: no integer literal, so a double",
        "9007199254740993e0", "9007199254740992"),
    "big-integer-with-fraction": ("PAR-8", "", "a fraction: no integer literal, so a double",
        "9007199254740993.0", "9007199254740992"),
    "canonical-spelling-of-1e20": ("PAR-8", "large-double-refused",
        "what RFC 8785 writes for 1e20 can be read", "100000000000000000000",
        "100000000000000000000"),
    "canonical-spelling-negative": ("PAR-8", "large-double-refused", "the same, negative",
        "[-100000000000000000000]", "[-100000000000000000000]"),
    "canonical-spelling-of-2e53": ("PAR-8", "large-double-refused",
        "2^53 is what a double of that value is written as", "9007199254740992",
        "9007199254740992"),
    "canonical-spelling-below-1e21": ("PAR-8", "large-double-refused",
        "the largest double that is written without exponent", "999999999999999900000",
        "999999999999999900000"),
    "largest-integer": ("PAR-8", "safe-integer-refused", "2^53-1", "9007199254740991",
        "9007199254740991"),
    "smallest-integer": ("PAR-8", "safe-integer-refused", "-(2^53-1)", "-9007199254740991",
        "-9007199254740991"),
}  # fmt: skip

NOT_JSON: dict[str, tuple[str, str | bytes]] = {
    "empty": ("no value", ""),
    "white-space-only": ("no value", " \t\r\n"),
    "byte-order-mark": ("U+FEFF before the value", "\ufeff{}"),
    "utf-16-without-mark": ("UTF-16BE of []: it has NUL", "[]".encode("utf-16-be")),
    "utf-16-little-endian": ("UTF-16LE of {}: it has NUL", "{}".encode("utf-16-le")),
    "utf-32-without-mark": ("UTF-32BE of 1: it has NUL", "1".encode("utf-32-be")),
    "nan": ("a literal that JavaScript has", "NaN"),
    "nan-nested": ("a literal that JavaScript has", '{"a":[NaN]}'),
    "infinity": ("a literal that JavaScript has", "Infinity"),
    "minus-infinity": ("a literal that JavaScript has", "[-Infinity]"),
    "minus-nan": ("a literal that nobody has", "-NaN"),
    "undefined": ("a literal that JavaScript has", "[undefined]"),
    "true-capital": ("literals are lower case", "True"),
    "null-capital": ("literals are lower case", "NULL"),
    "none": ("Python's spelling", "None"),
    "literal-cut": ("the value is cut off", "tru"),
    "literal-longer": ("text after a literal", "nullx"),
    "trailing-comma-array": ("a comma with nothing after it", "[1,]"),
    "trailing-comma-object": ("a comma with nothing after it", '{"a":1,}'),
    "leading-comma": ("a comma with nothing before it", "[,1]"),
    "double-comma": ("an element is missing", "[1,,2]"),
    "missing-comma": ("two elements without comma", "[1 2]"),
    "missing-colon": ("a name without colon", '{"a" 1}'),
    "comma-for-colon": ("a comma after a name", '{"a",1}'),
    "missing-value": ("a name without value", '{"a":}'),
    "missing-name": ("a value without name", "{:1}"),
    "number-as-name": ("names are strings", "{1:1}"),
    "unquoted-name": ("names are strings", "{a:1}"),
    "single-quotes": ("strings have double quotes", "['a']"),
    "line-comment": ("comments are no JSON", "// a\n1"),
    "block-comment": ("comments are no JSON", "[1/* a */]"),
    "hash-comment": ("comments are no JSON", "1 # a"),
    "leading-zero": ("a number with a leading zero", "01"),
    "leading-zero-negative": ("a number with a leading zero", "[-01]"),
    "leading-zeros-fraction": ("a number with leading zeros", "00.5"),
    "plus-sign": ("a number with a plus sign", "+1"),
    "fraction-without-whole": ("digits are missing", ".5"),
    "fraction-without-digits": ("digits are missing", "1."),
    "fraction-before-exponent": ("digits are missing", "1.e5"),
    "exponent-without-digits": ("digits are missing", "1e"),
    "exponent-sign-only": ("digits are missing", "1e+"),
    "minus-only": ("digits are missing", "-"),
    "minus-space": ("a space in a number", "- 1"),
    "double-minus": ("two signs", "--1"),
    "hexadecimal": ("numbers are decimal", "0x10"),
    "underscore-in-number": ("Python's digit groups", "1_000"),
    "big-integer-suffix": ("JavaScript's suffix", "1n"),
    "digits-outside-ascii": ("fullwidth digits are no digits", "\uff11\uff12"),
    "two-points": ("two fractions", "1.2.3"),
    "trailing-text": ("text after the value", "{}x"),
    "two-values": ("two values", "1 2"),
    "two-objects-by-line": ("two values, as in JSON lines", "{}\n{}"),
    "trailing-nul": ("a NUL after the value", "{}\u0000"),
    "extra-bracket": ("one bracket too many", "[]]"),
    "open-array": ("the value is cut off", "[1"),
    "open-object": ("the value is cut off", '{"a":1'),
    "open-string": ("the value is cut off", '"abc'),
    "open-escape": ("the value is cut off", '"abc\\'),
    "mismatched-brackets": ("an array closed as an object", "[1}"),
    "raw-newline-in-string": ("a control character that is not escaped", '"a\nb"'),
    "raw-tab-in-string": ("a control character that is not escaped", '"a\tb"'),
    "raw-nul-in-string": ("a control character that is not escaped", '"a\u0000b"'),
    "raw-unit-separator-in-string": ("the last of the control characters", '"a\u001fb"'),
    "raw-newline-in-name": ("a control character that is not escaped", '{"a\nb":1}'),
    "vertical-tab-as-space": ("no white space of JSON", "[1,\u000b2]"),
    "form-feed-as-space": ("no white space of JSON", "\u000c1"),
    "no-break-space": ("no white space of JSON", "[1,\u00a02]"),
    "line-separator-as-space": ("no white space of JSON", "[1,\u20282]"),
    "zero-width-space": ("no white space of JSON", "\u200b1"),
    "escape-v": ("no escape of JSON", '"\\v"'),
    "escape-zero": ("no escape of JSON", '"\\0"'),
    "escape-x": ("no escape of JSON", '"\\x41"'),
    "escape-quote": ("no escape of JSON", '"\\\'"'),
    "escape-upper-case-u": ("no escape of JSON", '"\\U00000041"'),
    "escape-upper-case-n": ("no escape of JSON", '"\\N"'),
    "escape-newline": ("no escape of JSON", '"a\\\nb"'),
    "escape-u-short": ("four digits are needed", '"\\u12"'),
    "escape-u-not-hex": ("four hex digits are needed", '"\\u12G4"'),
    "escape-u-sign": ("four hex digits are needed", '"\\u+123"'),
    "escape-u-space": ("four hex digits are needed", '"\\u 123"'),
    "escape-u-braces": ("four hex digits are needed", '"\\u{41}"'),
}

NOT_UTF8 = {
    "lone-continuation": ("a continuation byte alone", b'"\x80"'),
    "cut-sequence": ("two of three bytes", b'"\xe2\x82"'),
    "byte-ff": ("FF stands nowhere in UTF-8", b'"\xff"'),
    "latin-1": ("\u00e9 in Latin-1", b'"\xe9"'),
    "utf-16-with-mark": ("UTF-16 with its mark", "{}".encode("utf-16")),
    "overlong-quote": ("U+0022 in two bytes", b'"\xc0\xa2"'),
    "overlong-nul": ("U+0000 in two bytes, as Java writes it", b'"\xc0\x80"'),
    "overlong-three": ("U+002F in three bytes", b'"\xe0\x80\xaf"'),
    "overlong-four": ("U+20AC in four bytes", b'"\xf0\x82\x82\xac"'),
    "surrogate-high": ("U+D800 as three bytes", b'"\xed\xa0\x80"'),
    "surrogate-low": ("U+DFFF as three bytes", b'"\xed\xbf\xbf"'),
    "surrogate-pair-cesu-8": ("U+1F600 as two times three bytes", b'"\xed\xa0\xbd\xed\xb8\x80"'),
    "beyond-unicode": ("U+110000", b'"\xf4\x90\x80\x80"'),
    "in-name": ("a name is text too", b'{"\xff":1}'),
    "after-value": ("what follows the value is text too", b"{}\xff"),
}

DUPLICATES = {
    "flat": ('{"a":1,"a":2}', "/a"),
    "equal-values": ('{"a":1,"a":1}', "/a"),
    "not-neighbours": ('{"a":1,"b":2,"a":3}', "/a"),
    "escaped": ('{"a":1,"\\u0061":2}', "/a"),
    "escaped-solidus": ('{"\\/":1,"/":2}', "/~1"),
    "escaped-pair": ('{"\U0001f600":1,"\\ud83d\\ude00":2}', "/\U0001f600"),
    "empty-name": ('{"":1,"":2}', "/"),
    "tilde": ('{"~":1,"~":2}', "/~0"),
    "nested": ('{"a":{"b":1,"b":2}}', "/a/b"),
    "in-array": ('[0,{"x":1,"x":null}]', "/1/x"),
    "proto": ('{"__proto__":1,"__proto__":2}', "/__proto__"),
    "at-depth-64": ("[" * 63 + '{"a":1,"a":2}' + "]" * 63, "/0" * 63 + "/a"),
}

SURROGATES = {
    "high": ('"\\ud800"', ""),
    "low": ('["a","\\udc00"]', "/1"),
    "reversed": ('{"a":"\\ude00\\ud83d"}', "/a"),
    "two-high": ('"\\ud83d\\ud83d\\ude00"', ""),
    "high-then-letter": ('"\\ud83dA"', ""),
    "high-then-escaped-letter": ('"\\ud83d\\u0041"', ""),
    "high-then-raw-character": ('"\\ud83d\u00e9"', ""),
    "high-then-escaped-solidus": ('"\\ud83d\\\\ude00"', ""),
    "high-at-end": ('{"a":["x","abc\\udbff"]}', "/a/1"),
    "in-name": ('{"a":{"\\ud800":1}}', "/a"),
    "in-top-name": ('{"\\udfff":1}', ""),
}

RANGE: dict[str, tuple[str, str, str | Json, str]] = {
    "overflow": ("PAR-7", "non-finite-taken", "1e400", ""),
    "overflow-negative": ("PAR-7", "non-finite-taken", "[1,-1e400]", "/1"),
    "overflow-just": ("PAR-7", "non-finite-taken", '{"a":1.7976931348623159e308}', "/a"),
    "overflow-by-digits": ("PAR-7", "non-finite-taken", times(("1", 400), (".5", 1)), ""),
    "overflow-huge-exponent": ("PAR-7", "long-number-crash", "1e99999999999999999999", ""),
    "two-to-53-plus-1": ("PAR-8", "big-integer-rounded", '{"id":9007199254740993}', "/id"),
    "minus-two-to-53-minus-1": ("PAR-8", "big-integer-rounded", "[-9007199254740993]", "/0"),
    "64-bit-id": ("PAR-8", "big-integer-rounded", '{"a":{"id":18446744073709551615}}', "/a/id"),
    "1e20-plus-1": ("PAR-8", "big-integer-rounded", "100000000000000000001", ""),
    "exact-digits-of-a-double": ("PAR-8", "big-integer-rounded", "295147905179352825856", ""),
    "1e21-in-digits": ("PAR-8", "big-integer-rounded", "1000000000000000000000", ""),
    "5000-digits": ("PAR-8", "long-number-crash", times(("9", 5000)), ""),
    "300-digits": ("PAR-8", "big-integer-rounded", times(("1", 1), ("0", 299)), ""),
}

SIZES = {
    "at-limit": (4, "[12]", None),
    "white-space-at-limit": (6, "[12]  ", None),
    "one-over": (4, "[123]", "payload_too_large"),
    "white-space-over": (4, "[12] ", "payload_too_large"),
    "bytes-not-characters": (5, '"\U0001f600"', "payload_too_large"),
}


def taken(name: str, tags: str, flags: str, comment: str, text: Any, form: str, s: Suite) -> None:
    """One text that has to be read."""
    said = text if isinstance(text, dict) else hexed(text)
    assert outcome(lambda: canonical(read(octets(said)))) == form.encode(), name
    s.add(f"parse-{name}", tags, flags, comment, {"ok": {"canonical": hexed(form)}},
        text=said, limit=None)  # fmt: skip


def refuse(s: Suite, name: str, case: Case, reason: str, pointer: str | None = None) -> None:
    """One text that has to be refused."""
    tags, flags, comment, text = case
    said = text if isinstance(text, dict) else hexed(text)
    assert outcome(read, octets(said)) == (reason, pointer or ""), name
    s.add(f"parse-{name}", tags, flags, comment, refused(reason, pointer), text=said, limit=None)


def deep(s: Suite) -> None:
    """Nesting beyond 64; which of the arrays and objects is pointed at is left open."""
    for name, flag, text in (
        ("depth-65-arrays", "depth-off-by-one", hexed("[" * 65 + "]" * 65)),
        ("depth-65-objects", "depth-off-by-one", hexed('{"a":' * 64 + "{}" + "}" * 64)),
        ("depth-65-in-second-element", "depth-off-by-one", hexed("[0," + "[" * 64 + "]" * 65)),
        ("depth-100000-arrays", "depth-unbounded", times(("[", 100_000), ("]", 100_000))),
        ("depth-100000-objects", "depth-unbounded",
            times(('{"":', 99_999), ("{}", 1), ("}", 99_999))),
    ):  # fmt: skip
        assert outcome(read, octets(text))[0] == "payload_depth", name
        s.add(f"parse-{name}", "PAR-6", flag, "deeper than 64", refused("payload_depth"),
            text=text, limit=None)  # fmt: skip


def suite() -> Suite:
    """The whole file."""
    s = Suite("parse")
    for name, (tags, flags, comment, text, form) in TAKEN.items():
        taken(name, tags, flags, comment, text, form, s)
    for name, (comment, raw) in NOT_JSON.items():
        flag = "encoding-guessed" if name.startswith(("utf-", "byte-")) else "grammar-too-lax"
        refuse(s, name, ("PAR-3", flag, comment, raw), "payload_not_json")
    for name, (comment, data) in NOT_UTF8.items():
        refuse(s, f"utf8-{name}", ("PAR-2", "utf8-too-lax", comment, data), "payload_not_utf8")
    for name, (text, pointer) in DUPLICATES.items():
        flags = "duplicate-taken pointer-otherwise" if "~" in pointer else "duplicate-taken"
        case = ("PAR-4 PAR-9", flags, "a name that stands twice in one object", text)
        refuse(s, f"duplicate-{name}", case, "payload_duplicate_key", pointer)
    for name, (text, pointer) in SURROGATES.items():
        flags = "surrogate-replaced pointer-otherwise" if "name" in name else "surrogate-replaced"
        case = ("PAR-5", flags, "an escape that leaves a lone surrogate", text)
        refuse(s, f"surrogate-{name}", case, "payload_surrogate", pointer)
    for name, (tags, flags, number, pointer) in RANGE.items():
        refuse(s, f"range-{name}", (tags, flags, "no double is this", number), "payload_number_range", pointer)
    deep(s)
    for name, (limit, text, reason) in SIZES.items():
        flag = "size-off-by-one" if reason is None else "size-unbounded"
        expect = refused(reason) if reason else {"ok": {"canonical": hexed(text.strip())}}
        s.add(f"parse-size-{name}", "PAR-1", flag, f"{len(text.encode())} bytes, limit {limit}",
            expect, text=hexed(text), limit=limit)  # fmt: skip
    return s
