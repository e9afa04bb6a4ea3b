"""How other languages write JSON, as their documentation says; for tests on a machine that has none of them.

Each gives the bytes that the language's own function writes of the value, in the order that its maps have.
"""

from __future__ import annotations

import json
import re
from typing import Any


def _floats(text: str, small: str) -> str:
    return text.replace("1e-07", small)


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
