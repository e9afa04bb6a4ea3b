"""Bugs of the headers: SPEC.md §4 and §6.1, steps 2 to 6."""

from __future__ import annotations

import re
from typing import Any

from broken_bug import Bugs
from second_json import Refused
from second_wire import (
    GRAMMAR,
    NAMES,
    api_key_id,
    complete,
    entry_of,
    fields,
    fits,
    gate,
    grammar,
    media,
    only,
)

BUGS = Bugs()
Found = dict[str, str]
Headers = list[list[str]]

BUGS.put("first-header-wins", "verify", only=lambda headers, name: only(headers, name)[:1])
BUGS.put("last-header-wins", "verify", only=lambda headers, name: only(headers, name)[-1:])
BUGS.put("header-name-case", "verify", only=lambda headers, name: [v for found, v in headers if found == name])
BUGS.put("media-type-too-strict", "verify", MEDIA=re.compile(r"application/json(?:; charset=utf-8)?"))
BUGS.put("media-type-too-lax.start", "verify", MEDIA=re.compile(r"application/json.*", re.IGNORECASE))
BUGS.put(
    "media-type-too-lax.suffix", "verify", MEDIA=re.compile(r"application/(?:[\w.]+\+)?json(?:;.*)?", re.IGNORECASE)
)
BUGS.put("media-type-too-lax.unchecked", "verify", MEDIA=re.compile(r".*"))
BUGS.put("value-too-strict", "verify", GRAMMAR={**GRAMMAR, "nonce": r"[A-Za-z0-9_-]{22}"})
BUGS.put("value-too-lax.prefix", "verify", GRAMMAR={**GRAMMAR, "signature": r"(?:sha256=)?[0-9a-f]{64}"})
BUGS.put("value-too-lax.length", "verify", GRAMMAR={**GRAMMAR, "key_id": "[0-9a-f]*", "nonce": "[A-Za-z0-9_-]*"})
BUGS.put("value-too-lax.base64", "verify", GRAMMAR={**GRAMMAR, "nonce": r"[A-Za-z0-9_+/-]{22,64}={0,2}"})
BUGS.put("key-id-dash", "verify", GRAMMAR={**GRAMMAR, "key_id": r"[0-9a-f]{16}|-"})


@BUGS.piece("only", "header-name-case.underscore", "verify")
def as_cgi(headers: Headers, name: str) -> list[str]:
    """The environment of CGI and WSGI knows no difference between _ and -."""
    return [value for found, value in headers if found.lower().replace("_", "-") == name.lower()]


@BUGS.piece("grammar", "folded-header-split", "verify")
def first_part(found: Found) -> Found:
    """What stands before the comma is the value."""
    return grammar({word: value.split(",")[0] for word, value in found.items()})


@BUGS.piece("grammar", "folded-header-split.last", "verify")
def last_part(found: Found) -> Found:
    """What stands after the last comma is the value."""
    return grammar({word: value.split(",")[-1].strip() for word, value in found.items()})


@BUGS.piece("grammar", "value-trimmed", "verify")
def trimmed(found: Found) -> Found:
    """White space around a value is taken away."""
    return grammar({word: value.strip() for word, value in found.items()})


@BUGS.piece("grammar", "value-trimmed.quotes", "verify")
def unquoted(found: Found) -> Found:
    """Quotation marks around a value are taken away."""
    return grammar({word: value.strip('"') for word, value in found.items()})


@BUGS.piece("fits", "value-trimmed.dollar", "verify")
def dollar(word: str, value: str) -> bool:
    """`$` matches before a line feed at the end."""
    return bool(re.match(f"(?:{GRAMMAR[word]})$", value))


@BUGS.piece("fits", "value-too-lax.start", "verify")
def start_alone(word: str, value: str) -> bool:
    """The start is matched, what follows is not looked at."""
    return bool(re.match(GRAMMAR[word], value))


@BUGS.piece("grammar", "digits-unicode", "verify")
def any_digits(found: Found) -> Found:
    """Any digits and letters of the decoded text."""
    text = {word: value.encode("latin-1").decode("utf-8", "replace") for word, value in found.items()}
    wide = {"timestamp": r"\d{10}", "nonce": r"[\w-]{22,64}"}
    narrow = {word: value for word, value in found.items() if word not in wide}
    if not all(re.fullmatch(wide[word], text[word]) for word in wide.keys() & found.keys()):
        raise Refused("header_malformed")
    grammar(narrow)
    return found | ({"timestamp": str(int(text["timestamp"]))} if "timestamp" in text else {})


@BUGS.piece("grammar", "digits-unicode.isdigit", "verify")
def is_digit(found: Found) -> Found:
    """str.isdigit() takes superscripts, which int() does not."""
    stamp = found.get("timestamp", "1000000000")
    if len(stamp) != 10 or not stamp.isdigit():
        return grammar(found)
    grammar({**found, "timestamp": "1000000000"})
    int(stamp)
    return found


@BUGS.piece("grammar", "number-too-lax", "verify")
def any_number(found: Found) -> Found:
    """int() takes +, spaces and underscores, and the number is written again."""
    if "timestamp" not in found:
        return grammar(found)
    try:
        seconds = int(found["timestamp"])
    except ValueError:
        raise Refused("header_malformed") from None
    if seconds >= 10**12:
        raise Refused("timestamp_unit")
    grammar({word: value for word, value in found.items() if word != "timestamp"})
    return {**found, "timestamp": str(seconds)}


@BUGS.piece("grammar", "number-too-lax.float", "verify")
def any_float(found: Found) -> Found:
    """float() takes fractions and exponents as well."""
    try:
        seconds = str(int(float(found.get("timestamp", "1000000000"))))
    except ValueError:
        return grammar(found)
    return grammar(found | ({"timestamp": seconds} if "timestamp" in found else {}))


@BUGS.piece("grammar", "milliseconds-taken", "verify")
def milliseconds(found: Found) -> Found:
    """Thirteen digits are milliseconds, so they are divided."""
    stamp = found.get("timestamp", "")
    return grammar({**found, "timestamp": stamp[:10]}) if re.fullmatch("[1-9][0-9]{12}", stamp) else grammar(found)


@BUGS.piece("grammar", "milliseconds-taken.unnamed", "verify")
def no_unit(found: Found) -> Found:
    """Milliseconds are refused like anything else."""
    if not all(fits(word, value) for word, value in found.items()):
        raise Refused("header_malformed")
    return found


@BUGS.piece("grammar", "hex-upper-case", "verify")
def lower_case(found: Found) -> Found:
    """Hex is made lower case before it is looked at."""
    return grammar({w: v.lower() if w in ("key_id", "signature") else v for w, v in found.items()})


@BUGS.piece("grammar", "algorithm-chosen-by-sender", "verify")
def any_algorithm(found: Found) -> Found:
    """`sha512=` is an algorithm too, and `none=` needs no MAC."""
    name, _, _ = found.get("signature", "sha256=").partition("=")
    if name == "sha256":
        return grammar(found)
    if name not in ("sha512", "none"):
        raise Refused("header_malformed")
    grammar({word: value for word, value in found.items() if word != "signature"})
    return found


@BUGS.piece("complete", "missing-means-unchecked", "verify")
def unsigned_then(found: Found) -> None:
    """Without all of its headers a request is an unsigned one."""
    if not {"timestamp", "nonce", "signature"} <= found.keys():
        found.pop("signature", None)
    if "api_key" not in found:
        raise Refused("api_key_missing")


@BUGS.piece("gate", "missing-means-unchecked.unsigned", "verify")
def no_signature_needed(vector: dict[str, Any], body: bytes) -> dict[str, Any]:
    """A request without a signature is an unsigned one, whatever its api key requires."""
    found = fields(vector["headers"])
    if "signature" in found or not entry_of(vector["keys"], found["api_key"]):
        return gate(vector, body)
    return {"api_key_id": api_key_id(found["api_key"])}


@BUGS.piece("media", "media-type-too-strict.required", "verify")
def needed(headers: Headers) -> None:
    """Without a media type it is nothing."""
    if not only(headers, "Content-Type"):
        raise Refused("media_type_unsupported")
    media(headers)


@BUGS.piece("media", "encoding-decoded", "verify")
def any_encoding(headers: Headers) -> None:
    """The framework has decompressed it already."""
    media([[name, value] for name, value in headers if name != "Content-Encoding"])


@BUGS.piece("media", "value-too-strict.encoding", "verify")
def encoding_in_lower_case(headers: Headers) -> None:
    """`Identity` is not `identity`."""
    if any(value != "identity" for value in only(headers, "Content-Encoding")):
        raise Refused("encoding_unsupported")
    media(headers)


@BUGS.piece("fields", "order-of-checks.api-key-first", "verify")
def api_key_first(headers: Headers) -> Found:
    """Whoever has no api key is told nothing else."""
    if not only(headers, NAMES["api_key"]):
        raise Refused("api_key_missing")
    return fields(headers)


@BUGS.piece("complete", "order-of-checks.missing-first", "verify")
def api_key_before_rest(found: Found) -> None:
    """The api key is missed first."""
    if "api_key" not in found:
        raise Refused("api_key_missing")
    complete(found)


@BUGS.piece("gate", "order-of-checks.size-last", "verify")
def size_after_headers(vector: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The body is looked at after the headers."""
    media(vector["headers"])
    fields(vector["headers"])
    return gate(vector, body)
