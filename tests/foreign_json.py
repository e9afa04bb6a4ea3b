"""How others write JSON: Python's `json` by its options, and other languages, as their documentation says.

Each gives the bytes that the function writes of the value, in the order that its maps have. No other language is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any


def _floats(text: str, small: str) -> str:
    return text.replace("1e-07", small)


def plain(value: Any) -> bytes:
    """Python's json.dumps: a space after each comma and colon, and all that is not ASCII escaped."""
    return json.dumps(value).encode()


def compact(value: Any) -> bytes:
    """The same without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def code_point_order(value: Any) -> bytes:
    """The canonical form, but for names in the order of code points."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return _floats(text, "1e-7").encode()


def indented(value: Any) -> bytes:
    """On lines of their own, two spaces a level."""
    return _floats(json.dumps(value, indent=2, ensure_ascii=False), "1e-7").encode()


def php(value: Any) -> bytes:
    """PHP's json_encode without flags: ``/`` and all that is not ASCII escaped, hex in lower case."""
    return _floats(json.dumps(value, separators=(",", ":")), "1.0e-7").replace("/", "\\/").encode()


def go(value: Any) -> bytes:
    """Go's json.Marshal of a map: names sorted by bytes; <, >, &, U+2028 and U+2029 escaped for HTML."""
    text = _floats(json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True), "1e-7")
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def dotnet(value: Any) -> bytes:
    """System.Text.Json with its default encoder: the same and ' + ` " escaped, hex in upper case."""
    text = _floats(json.dumps(value, separators=(",", ":")), "1E-07").replace('\\"', "\\u0022")
    text = re.sub(r"\\u([0-9a-f]{4})", lambda found: "\\u" + found[1].upper(), text)
    for character in "<>&'+`":
        text = text.replace(character, f"\\u{ord(character):04X}")
    return text.encode()


SERIALIZERS: dict[str, Callable[[Any], bytes]] = {
    "code_point_order": code_point_order,
    "json_dumps": plain,
    "json_dumps_compact": compact,
    "indented": indented,
    "php_json_encode": php,
    "go_json_marshal": go,
    "dotnet_json": dotnet,
    "python_repr": lambda value: str(value).encode(),
}
"""By the name that `explain` has for what it makes of a body."""
