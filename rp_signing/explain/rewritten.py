"""JSON as others write it: whose writing a text is, and what each of them writes of a value.

Each follows its own documentation; they differ in the order of names, in white space, escapes and numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

import orjson

from ..canonical import canonicalize, parse
from ..errors import CanonicalizationError
from ..exact import write_number

__all__ = ["Json", "read"]

_COMPACT = (",", ":")
# Go's json.Marshal, and Rails' to_json.
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
# System.Text.Json with its default encoder, on top of all that is not ASCII.
_DOTNET = {"<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "'": "\\u0027", "`": "\\u0060"}


def read(text: bytes) -> Json | None:
    """Read a text, strictly as a receiver does; None where it is refused."""
    try:
        return Json(parse(text, max(len(text), 1)), text)
    except CanonicalizationError:
        return None


class Json:
    """A JSON value, and how everybody writes it.

    Attributes:
        value: as `parse` gives it, members in the order in which they came.
        text: the bytes that it was read from.
    """

    def __init__(self, value: Any, text: bytes) -> None:
        self.value = value
        self.text = text

    def changed(self, value: Any) -> Json:
        """Give another value, as if it had been read in the order that it has."""
        return Json(value, json.dumps(value, ensure_ascii=False).encode())

    @cached_property
    def canonical(self) -> bytes:
        """The canonical form (SPEC §3)."""
        return canonicalize(self.value)

    @cached_property
    def writings(self) -> list[tuple[str, bytes]]:
        """Give (style, bytes) of every serialiser but the canonical one; some styles have several spellings."""
        written = ((style, write(self)) for style, write in _WRITERS)
        return [(style, text.encode()) for style, text in written if text is not None]

    @cached_property
    def style(self) -> str | None:
        """Whose writing the text is, byte for byte; None for the canonical form and where it is nobody's."""
        return None if self._writer is None else _WRITERS[self._writer][0]

    def in_style_of(self, other: Json) -> bytes | None:
        """Give the value in the very spelling of another text; None where that is nobody's."""
        text = None if other._writer is None else _WRITERS[other._writer][1](self)
        return None if text is None else text.encode()

    @cached_property
    def _writer(self) -> int | None:
        if self.text == self.canonical:
            return None
        try:
            text = self.text.decode()
        except UnicodeDecodeError:
            return None
        return next((index for index, (_, write) in enumerate(_WRITERS) if write(self) == text), None)

    def dumps(self, **options: Any) -> str:
        """Give what Python's json reads and writes again."""
        return json.dumps(self._python, **options)

    @cached_property
    def _python(self) -> Any:
        # Not `value`: Python reads 1e20 written out as an int, and gives all its digits back.
        return json.loads(self.text)

    @cached_property
    def python_repr(self) -> str:
        """Give what str() makes of the value."""
        return repr(self._python)

    @cached_property
    def compact(self) -> str:
        """Give what JSON.stringify writes."""
        return _numbers(json.dumps(self._ordered, ensure_ascii=False, separators=_COMPACT), write_number)

    @cached_property
    def by_code_point(self) -> str:
        """Give the same with names sorted by code point."""
        text = json.dumps(self.value, ensure_ascii=False, separators=_COMPACT, sort_keys=True)
        return _numbers(text, write_number)

    @cached_property
    def compact_ascii(self) -> str:
        """Give what Python writes with the shortest separators."""
        return self.dumps(separators=_COMPACT)

    @cached_property
    def _ordered(self) -> Any:
        return _javascript_order(self.value) if _NUMBERED.search(self.text) else self.value

    def indented(self, by: str | None = None, *, ascii_only: bool = False, javascript: bool = False) -> str | None:
        """Give it indented, as the text is unless `by` says how; None where ASCII alone makes no difference."""
        if by is None:
            found = _INDENT.search(self.text)
            by = found[1].decode() if found else "  "
        value = self._ordered if javascript else self.value
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
        if by != "  ":
            text = _MARGIN.sub(lambda found: by * (len(found[0]) // 2), text)
        if ascii_only:
            if text.isascii():
                return None
            text = _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
        return _numbers(text, write_number)


def _go(text: str) -> str:
    for character, escape in _HTML.items():
        text = text.replace(character, escape)
    return text


def _dotnet(text: str) -> str:
    text = _ESCAPE.sub(lambda found: _dotnet_escape(found[0]), _numbers(text, _dotnet_number))
    for character, escape in _DOTNET.items():
        text = text.replace(character, escape)
    # A plus sign, but for that of an exponent.
    return re.sub(r"(?<!E)\+", r"\\u002B", text)


def _dotnet_number(number: float) -> str:
    text = f"{number!r}"
    return text.upper() if "e" in text else write_number(number)


def _dotnet_escape(escape: str) -> str:
    return "\\u0022" if escape == '\\"' else "\\u" + escape[2:].upper() if escape[1] == "u" else escape


def _php(text: str) -> str:
    return _numbers(text, _php_number).replace("/", "\\/")


# Where two of them write the same, the first one is named.
_WRITERS: tuple[tuple[str, Callable[[Json], str | None]], ...] = (
    ("code_point_order", lambda it: it.by_code_point),
    ("json_stringify", lambda it: it.compact),
    ("json_dumps", lambda it: it.dumps()),
    ("json_dumps", lambda it: it.dumps(sort_keys=True)),
    ("json_dumps", lambda it: it.dumps(ensure_ascii=False)),
    ("json_dumps", lambda it: it.dumps(ensure_ascii=False, sort_keys=True)),
    ("json_dumps_compact", lambda it: it.compact_ascii),
    ("json_dumps_compact", lambda it: it.dumps(separators=_COMPACT, sort_keys=True)),
    ("json_dumps_compact", lambda it: it.dumps(separators=_COMPACT, ensure_ascii=False)),
    ("indented", lambda it: it.indented()),
    ("indented", lambda it: it.indented(ascii_only=True)),
    ("indented", lambda it: it.indented("    ", ascii_only=True) or it.indented("    ")),
    ("indented", lambda it: it.indented(javascript=True)),
    ("indented", lambda it: it.indented("\t", javascript=True)),
    ("php_json_encode", lambda it: _php(it.compact_ascii)),
    ("php_json_encode", lambda it: _php(it.compact)),
    ("go_json_marshal", lambda it: _go(it.by_code_point)),
    ("go_json_marshal", lambda it: _go(it.compact)),
    ("dotnet_json", lambda it: _dotnet(it.compact_ascii)),
    ("python_repr", lambda it: it.python_repr),
)

_MARGIN = re.compile(r"^ +", re.MULTILINE)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_INDENT = re.compile(rb"\n([ \t]+)")
_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|.)")
# A float that not everybody writes alike. One that stands in a string as it would in an array is mended too, which
# makes a near-miss that nobody wrote.
_FLOAT = re.compile(r"(?<![^:,\[ ])-?\d+(?:\.0|(?:\.\d+)?[eE][-+]?\d+)(?![^,}\]\n])")
_NUMBERED = re.compile(rb'"(?:0|[1-9]\d*)"\s*:')


def _numbers(text: str, write: Callable[[float], str]) -> str:
    """Spell those floats of a JSON text that differ in another way."""
    return _FLOAT.sub(lambda found: write(float(found[0])), text)


def _php_number(number: float) -> str:
    """Write a double as PHP does with serialize_precision = -1."""
    if number == 0 or 1e-4 <= abs(number) < 1e17:
        return write_number(number)
    mantissa, _, exponent = f"{number!r}".partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}e{int(exponent):+d}"


def _javascript_order(value: Any) -> Any:
    """Put names that look like array indices first, as every JavaScript object does."""
    if isinstance(value, list):
        return [_javascript_order(item) for item in value]
    if not isinstance(value, dict):
        return value
    numbered = sorted((name for name in value if _is_index(name)), key=int)
    names = [*numbered, *(name for name in value if not _is_index(name))]
    return {name: _javascript_order(value[name]) for name in names}


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdecimal() and str(int(name)) == name and int(name) < 2**32 - 1
