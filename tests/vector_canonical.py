"""The vectors of canonical form: SPEC.md §3.1 and §3.2, RFC 8785."""

from __future__ import annotations

from typing import Any

from second_json import canonical, read
from second_number import double, number
from second_wire import digest
from vector_suite import Suite, hexed, octets, outcome, refused, value_of

# The pairs of cyberphone/json-canonicalization, testdata/input and testdata/output.
PAIRS = {
    "arrays": (
        '[\n  56,\n  {\n    "d": true,\n    "10": null,\n    "1": [ ]\n  }\n]\n',
        '[56,{"1":[],"10":null,"d":true}]',
    ),
    "french": (
        '{\n  "peach": "This sorting order",\n  "p\u00e9ch\u00e9": "is wrong according to French",'
        '\n  "p\u00eache": "but canonicalization MUST",\n  "sin":   "ignore locale"\n}\n',
        '{"peach":"This sorting order","p\u00e9ch\u00e9":"is wrong according to French",'
        '"p\u00eache":"but canonicalization MUST","sin":"ignore locale"}',
    ),
    "structures": (
        '{\n  "1": {"f": {"f": "hi","F": 5} ,"\\n": 56.0},\n  "10": { },\n  "": "empty",\n'
        '  "a": { },\n  "111": [ {"e": "yes","E": "no" } ],\n  "A": { }\n}',
        '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}',
    ),
    "unicode": (
        '{\n  "Unnormalized Unicode":"A\\u030a"\n}\n',
        '{"Unnormalized Unicode":"A\u030a"}',
    ),
    "values": (
        '{\n  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],\n'
        '  "string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",\n'
        '  "literals": [null, true, false]\n}',
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    ),
    "weird": (
        '{\n  "\\u20ac": "Euro Sign",\n  "\\r": "Carriage Return",\n  "\\u000a": "Newline",\n'
        '  "1": "One",\n  "\\u0080": "Control\\u007f",\n  "\\ud83d\\ude02": "Smiley",\n'
        '  "\\u00f6": "Latin Small Letter O With Diaeresis",\n'
        '  "\\ufb33": "Hebrew Letter Dalet With Dagesh",\n'
        '  "</script>": "Browser Challenge"\n}\n',
        '{"\\n":"Newline","\\r":"Carriage Return","1":"One","</script>":"Browser Challenge",'
        '"\u0080":"Control\u007f","\u00f6":"Latin Small Letter O With Diaeresis",'
        '"\u20ac":"Euro Sign","\U0001f602":"Smiley",'
        '"\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    ),
}

PAIR_FLAGS = {
    "arrays": "white-space", "french": "locale-order", "structures": "locale-order", "unicode": "normalised",
    "values": "number-as-host-writes escapes", "weird": "code-point-order sorted-escaped",
}  # fmt: skip

# The SHA-256 of those files, input and output, so that no slip of the pen gets in.
PUBLISHED = {
    "arrays": ("e503b6d71d1afa595b1c74b1016445c9", "099601b171cafed97c333f8878d68e7f"),
    "french": ("03676a951cd8753ac62589f72eb2105c", "d99d0ebdcb0033cb858cfa830ae46bc0"),
    "structures": ("d66893805be1784116af50af3110d087", "605f65004ec2db7692522a0852c22f1c"),
    "unicode": ("4621864e014d4a805a563f55b9ea20ab", "0d99aad92a125196ff887876643fd320"),
    "values": ("c4a041b503d6bc236036ef44db4dac49", "2d5e01a318d0f0879ab568c4be289c8b"),
    "weird": ("a3a905266bd4a49a969274ea69baa14e", "6af595a9aa80110b964b4de3f82a05fa"),
}

# name: (tags, flags, comment, text, canonical form)
TEXTS = {
    "astral-name-before-private-use": (
        "CAN-2", "code-point-order", "U+1F600 begins with the code unit D83D, before U+E000",
        '{"\ue000":1,"\U0001f600":2}', '{"\U0001f600":2,"\ue000":1}'),
    "astral-name-before-fullwidth-at-depth": (
        "CAN-2", "code-point-order", "the order by code units holds inside arrays and objects too",
        '[{"a":{"\uff41":1,"\U00010000":2}}]', '[{"a":{"\U00010000":2,"\uff41":1}}]'),
    "names-sorted-by-unit-not-length": (
        "CAN-2", "locale-order", "10 stands before 2, and Z before a",
        '{"a":1,"Z":2,"2":3,"10":4,"":5}', '{"":5,"10":4,"2":3,"Z":2,"a":1}'),
    "prefix-name-first": (
        "CAN-2", "locale-order", "a name that begins another one stands first",
        '{"ab":1,"a":2,"a ":3}', '{"a":2,"a ":3,"ab":1}'),
    "control-name-sorted-unescaped": (
        "CAN-2", "sorted-escaped", "U+000A sorts as the character, not as the letter in its escape",
        '{" ":1,"\\n":2,"\\\\":3,"A":4}', '{"\\n":2," ":1,"A":4,"\\\\":3}'),
    "array-order-kept": (
        "CAN-2", "array-sorted", "arrays keep their order", "[3,1,2,[2,1]]", "[3,1,2,[2,1]]"),
    "white-space-dropped": (
        "CAN-1", "white-space", "no white space between tokens",
        '\t{ "a" :\r\n[ 1 , 2 ] }\n', '{"a":[1,2]}'),
    "space-inside-string-kept": (
        "CAN-1", "white-space", "white space in strings is content",
        '{" a ":" b  c "}', '{" a ":" b  c "}'),
    "null-member-kept": (
        "CAN-1", "null-dropped", "a member that is null is a member", '{"b":null,"a":[null]}',
        '{"a":[null],"b":null}'),
    "empty-containers": ("CAN-1", "null-dropped", "nothing is dropped", '{"a":{},"b":[],"c":""}',
        '{"a":{},"b":[],"c":""}'),
    "scalar-true": ("CAN-1", "", "any JSON value has a canonical form", "true", "true"),
    "scalar-string": ("CAN-1", "", "any JSON value has a canonical form", '"x"', '"x"'),
    "short-escapes": (
        "CAN-3", "escapes", "the seven that have a short escape",
        '"\\u0008\\u0009\\u000a\\u000c\\u000d\\u0022\\u005c"', '"\\b\\t\\n\\f\\r\\"\\\\"'),
    "control-escapes-lower-case": (
        "CAN-3", "escapes", "hex digits of escapes are lower case",
        '"\\u000B\\u001F\\u0000\\u000E"', '"\\u000b\\u001f\\u0000\\u000e"'),
    "solidus-unescaped": ("CAN-3", "escapes", "/ needs no escape", '"a\\/b"', '"a/b"'),
    "delete-unescaped": ("CAN-3", "escapes", "U+007F is written as itself", '"\\u007f"',
        '"\u007f"'),
    "line-separators-unescaped": ("CAN-3", "escapes", "U+2028 and U+2029 are written as themselves",
        '"\\u2028\\u2029"', '"\u2028\u2029"'),
    "html-unescaped": ("CAN-3", "escapes", "< > & ' are written as themselves",
        '"\\u003c\\u003e\\u0026\\u0027"', '"<>&\'"'),
    "latin-unescaped": ("CAN-3", "escapes", "characters outside ASCII are UTF-8, no escapes",
        '"\\u00e9\\u20ac"', '"\u00e9\u20ac"'),
    "pair-becomes-one-character": (
        "CAN-3 CAN-1", "surrogates-encoded-apart", "an escaped pair is four bytes of UTF-8",
        '"\\ud83d\\ude00"', '"\U0001f600"'),
    "decomposed-stays": ("CAN-4", "normalised", "e and U+0301 stay two characters",
        '"e\u0301"', '"e\u0301"'),
    "composed-stays": ("CAN-4", "normalised", "U+00E9 stays one character", '"\u00e9"',
        '"\u00e9"'),
    "composed-beside-decomposed": (
        "CAN-4", "normalised", "two names that look alike are two names",
        '{"\u00e9":1,"e\u0301":2}', '{"e\u0301":2,"\u00e9":1}'),
    "compatibility-stays": ("CAN-4", "normalised", "the ligature U+FB01 and U+212B stay",
        '"\ufb01\u212b"', '"\ufb01\u212b"'),
    "noncharacters-stay": (
        "CAN-4", "noncharacter-dropped", "U+FFFE, U+FFFF, U+FDD0 and U+10FFFE are characters",
        '"\\ufffe\\uffff\ufdd0\U0010fffe"', '"\ufffe\uffff\ufdd0\U0010fffe"'),
    "byte-order-mark-inside-stays": ("CAN-4", "noncharacter-dropped",
        "U+FEFF in a string is a character", '"\\ufeffa"', '"\ufeffa"'),
    "whole-double-without-fraction": ("CAN-5", "number-as-host-writes", "1.0 is written 1",
        "[1.0,-1.0,10.00,1e2]", "[1,-1,10,100]"),
    "exponent-thresholds": (
        "CAN-5", "exponent-threshold", "no exponent from 1e-6 up to below 1e21",
        "[1e-6,1e-7,1e20,1e21]", "[0.000001,1e-7,100000000000000000000,1e+21]"),
    "exponent-without-leading-zero": ("CAN-5", "number-as-host-writes", "1e-7, never 1e-07",
        "[1E-07,1.5e-9,1.5E+022]", "[1e-7,1.5e-9,1.5e+22]"),
    "shortest-digits": ("CAN-5", "digits-not-shortest", "the shortest digits that read back",
        "[0.1,0.30000000000000004,4.35,100.10]", "[0.1,0.30000000000000004,4.35,100.1]"),
    "sixteen-and-seventeen-digits": (
        "CAN-5", "digits-not-shortest", "all digits that are needed, no more",
        "[9007199254740991,0.3333333333333333,123456789012345.67]",
        "[9007199254740991,0.3333333333333333,123456789012345.67]"),
    "literal-of-1e20-idempotent": (
        "CAN-5 PAR-8", "large-double-refused", "what was written can be read and written again",
        "100000000000000000000", "100000000000000000000"),
    "negative-zero-integer": ("CAN-6", "negative-zero", "-0 is written 0", "-0", "0"),
    "negative-zero-double": ("CAN-6", "negative-zero", "-0.0 is written 0",
        '{"a":[-0.0,-0e5]}', '{"a":[0,0]}'),
    "negative-underflow": ("CAN-6", "negative-zero", "-1e-400 rounds to negative zero",
        "-1e-400", "0"),
    "largest-integers": ("CAN-7", "safe-integer-refused", "both ends of the range are taken",
        "[9007199254740991,-9007199254740991]", "[9007199254740991,-9007199254740991]"),
    "depth-64-arrays": ("CAN-10", "depth-off-by-one", "depth 64 is taken",
        "[" * 64 + "]" * 64, "[" * 64 + "]" * 64),
    "depth-64-scalar-inside": (
        "CAN-10", "depth-off-by-one", "a scalar adds nothing to the depth",
        '{"a":' * 64 + "0" + "}" * 64, '{"a":' * 64 + "0" + "}" * 64),
}  # fmt: skip

# RFC 8785, appendix B, and a few around the thresholds.
NUMBERS = """
    0000000000000000 0 zero|8000000000000000 0 minus-zero
    0000000000000001 5e-324 min-positive|8000000000000001 -5e-324 min-negative
    7fefffffffffffff 1.7976931348623157e+308 max-positive
    ffefffffffffffff -1.7976931348623157e+308 max-negative
    4340000000000000 9007199254740992 two-to-53|c340000000000000 -9007199254740992 minus-two-to-53
    4430000000000000 295147905179352830000 two-to-68
    7fffffffffffffff NaN nan|7ff0000000000000 Infinity infinity
    44b52d02c7e14af5 9.999999999999997e+22 below-1e23|44b52d02c7e14af6 1e+23 at-1e23
    44b52d02c7e14af7 1.0000000000000001e+23 above-1e23
    444b1ae4d6e2ef4e 999999999999999700000 second-below-1e21
    444b1ae4d6e2ef4f 999999999999999900000 below-1e21|444b1ae4d6e2ef50 1e+21 at-1e21
    3eb0c6f7a0b5ed8c 9.999999999999997e-7 below-1e-6|3eb0c6f7a0b5ed8d 0.000001 at-1e-6
    41b3de4355555553 333333333.3333332 thirds-1|41b3de4355555554 333333333.33333325 thirds-2
    41b3de4355555555 333333333.3333333 thirds-3|41b3de4355555556 333333333.3333334 thirds-4
    41b3de4355555557 333333333.33333343 thirds-5
    becbf647612f3696 -0.0000033333333333333333 small-third
    43143ff3c1cb0959 1424953923781206.2 round-to-even
    fff0000000000000 -Infinity minus-infinity|fff8000000000000 NaN negative-nan
    7ff0000000000001 NaN signalling-nan
    0010000000000000 2.2250738585072014e-308 smallest-normal
    000fffffffffffff 2.225073858507201e-308 largest-subnormal
    3ff0000000000000 1 one|bff0000000000000 -1 minus-one|3fd3333333333334 0.30000000000000004 sum
    3fb999999999999a 0.1 tenth|3e7ad7f29abcaf48 1e-7 ten-millionth
    4341c37937e08000 10000000000000000 at-1e16|4415af1d78b58c40 100000000000000000000 at-1e20
    c415af1d78b58c40 -100000000000000000000 minus-1e20|44b5e3af16b1880a 1.0336972351159858e+23 seventeen-digits
""".replace("\n", "|").split("|")

HIGH, LOW = {"utf16": "d800"}, {"utf16": "dc00"}
# name: (tags, flags, comment, value, reason, pointer)
VALUES: dict[str, tuple[str, str, str, Any, str, str | None]] = {}
for _name, _said in {
    "above-range": "9007199254740992", "two-to-53-plus-1": "9007199254740993",
    "below-range": "-9007199254740992", "64-bit": "18446744073709551615",
    "1e20": "100000000000000000000",
}.items():  # fmt: skip
    VALUES[f"integer-{_name}"] = (
        "CAN-7", "big-integer-rounded", "an integer that doubles cannot tell from its neighbours",
        {"object": [["id", {"int": _said}]]}, "payload_number_range", "/id")  # fmt: skip
VALUES["integer-of-400-digits"] = (
    "CAN-7", "big-integer-rounded", "no double is near it",
    {"array": [{"int": "1" + "0" * 399}]}, "payload_number_range", "/0")  # fmt: skip
VALUES |= {
    "infinity-nested": ("CAN-8", "non-finite-written", "an infinity has no JSON text",
        {"object": [["a", {"array": [True, {"double": "7ff0000000000000"}]}]]},
        "payload_number_range", "/a/1"),
    "nan-nested": ("CAN-8", "non-finite-written pointer-otherwise", "NaN has no JSON text, null is no stand-in",
        {"object": [["a~/b", {"double": "7ff8000000000000"}]]}, "payload_number_range",
        "/a~0~1b"),
    "high-surrogate": ("CAN-9", "surrogate-replaced", "U+D800 alone is no text",
        {"array": ["ok", HIGH]}, "payload_surrogate", "/1"),
    "low-surrogate": ("CAN-9", "surrogate-replaced", "U+DC00 alone is no text", LOW,
        "payload_surrogate", ""),
    "reversed-surrogates": ("CAN-9", "surrogate-replaced", "low before high is no pair",
        {"object": [["a", {"utf16": "0061dc00d8000062"}]]}, "payload_surrogate", "/a"),
    "surrogate-name": ("CAN-9", "surrogate-replaced pointer-otherwise", "the pointer names the object that holds it",
        {"object": [["a", {"object": [[HIGH, 1]]}]]}, "payload_surrogate", "/a"),
    "depth-65-arrays": ("CAN-10", "depth-off-by-one", "65 arrays", {"arrays": 65},
        "payload_depth", None),
    "depth-65-objects": ("CAN-10", "depth-off-by-one", "65 objects", {"objects": 65},
        "payload_depth", None),
    "depth-100000": ("CAN-10", "depth-unbounded", "deep enough to exhaust a stack",
        {"arrays": 100000}, "payload_depth", None),
    "integer-name": ("CAN-11", "foreign-converted", "a name that is a number is not made a string",
        {"object": [["a", {"object": [[{"int": "1"}, "x"]]}]]}, "key_not_string", "/a"),
    "null-name": ("CAN-11", "foreign-converted", "a name that is null is not made a string",
        {"object": [[None, "x"]]}, "key_not_string", ""),
}  # fmt: skip
LARGEST = {"largest": "9007199254740991", "smallest": "-9007199254740991"}
for _kind in ("date", "decimal", "bytes", "set"):
    VALUES[f"foreign-{_kind}"] = (
        "CAN-11", "foreign-converted", "nothing is converted on the way",
        {"object": [["a", {"array": [{"foreign": _kind}]}]]}, "value_not_json", "/a/0",
    )  # fmt: skip


def check_value(said: Any, reason: str) -> None:
    """What the second implementation says of a value has to be what is written down."""
    if said not in ({"arrays": 100000},):
        assert outcome(canonical, value_of(said))[0] == reason, said


def suite() -> Suite:
    """The whole file."""
    made = Suite("canonical")
    for name, (text, result) in PAIRS.items():
        found = tuple(digest(part.encode())[:32] for part in (text, result))
        assert found == PUBLISHED[name], name
        assert canonical(read(text.encode())) == result.encode(), name
        made.add(f"canonical-pair-{name}", "CAN-1 CAN-2 CAN-3 CAN-5", f"rfc8785-pair {PAIR_FLAGS[name]}".strip(),
            "a pair of the test data of RFC 8785's author", {"ok": {"canonical": hexed(result)}},
            text=hexed(text))  # fmt: skip
    for name, (tags, flags, comment, text, result) in TEXTS.items():
        assert canonical(read(text.encode())) == result.encode(), name
        made.add(f"canonical-{name}", tags, flags, comment,
            {"ok": {"canonical": hexed(result)}}, text=hexed(text))  # fmt: skip
    for line in filter(None, map(str.strip, NUMBERS)):
        bits, text, name = line.split()
        finite = text.lstrip("-") not in ("NaN", "Infinity")
        flag = "number-as-host-writes" if finite else "non-finite-written"
        tag = "CAN-6" if bits == "8000000000000000" else "CAN-5" if finite else "CAN-8"
        expect = {"ok": {"canonical": hexed(text)}} if finite else refused("payload_number_range", "")
        assert not finite or number(double(bits)) == text, line
        made.add(f"number-{name}", tag, flag, f"the double that is written {text}" if finite
            else f"{text} is refused", expect, ieee754=bits)  # fmt: skip
    for name, (tags, flags, comment, said, reason, pointer) in VALUES.items():
        check_value(said, reason)
        assert pointer is None or outcome(canonical, value_of(said)) == (reason, pointer), name
        made.add(f"value-{name}", tags, flags, comment, refused(reason, pointer), value=said)
    for name, said in LARGEST.items():
        assert canonical(value_of({"int": said})) == said.encode()
        made.add(f"value-{name}-integer", "CAN-7", "safe-integer-refused", "the end of the range is in it",
            {"ok": {"canonical": hexed(said)}}, value={"int": said})  # fmt: skip
    assert all(octets(vector["text"]) for vector in made.vectors if "text" in vector)
    return made
