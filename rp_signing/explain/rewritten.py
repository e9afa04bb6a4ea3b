"""JSON as others write it: whose writing a text is, and what each of them writes of a value.

Each follows its own documentation; they differ in the order of names, in white space, escapes and numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from gc import get_referents
from typing import Any

import orjson

from ..canonical import canonicalize, parse
from ..errors import CanonicalizationError
from ..exact import write_number

__all__ = ["Json", "read"]

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
    """A JSON value, and how everybody writes it: each writing is made once, when it is asked for.

    Args:
        value: as `parse` gives it.
        text: the bytes that it was read from; None: from what `plain` is.

    Attributes:
        value: members in the order in which they came.
    """

    def __init__(self, value: Any, text: bytes | None = None) -> None:
        self.value = value
        self._text = text
        self._written: dict[int, bytes | None] = {}
        self._texts: list[tuple[str, bytes]] = []
        self._dumped: dict[tuple[bool, bool, bool], str] = {}

    @cached_property
    def text(self) -> bytes:
        """The bytes that it was read from."""
        return self.plain.encode() if self._text is None else self._text

    def changed(self, value: Any) -> Json:
        """Give another value, as if it had been read in the order that it has; no number in it is new."""
        other = Json(value)
        if self._usual:
            other._usual = True
        return other

    @cached_property
    def canonical(self) -> bytes:
        """The canonical form (SPEC §3)."""
        # Of usual numbers and ASCII there is nothing that orjson writes otherwise.
        return self._encoded(self._sorted) if self._usual and self._sorted.isascii() else canonicalize(self.value)

    @property
    def writings(self) -> Iterator[tuple[str, bytes]]:
        """Give (style, bytes) of every serialiser but the canonical one, none twice; some styles have several."""
        seen: set[int] = set()
        for index, (style, _) in enumerate(_WRITERS):
            text = self._by(index)
            if text is not None and id(text) not in seen:
                seen.add(id(text))
                yield style, text

    @cached_property
    def style(self) -> str | None:
        """Whose writing the text is, byte for byte; None for the canonical form and where it is nobody's."""
        return None if self._writer is None else _WRITERS[self._writer][0]

    def in_style_of(self, other: Json) -> bytes | None:
        """Give the value in the very spelling of another text; None where that is nobody's."""
        return None if other._writer is None else self._by(other._writer)

    @cached_property
    def _writer(self) -> int | None:
        if self.text == self.canonical:
            return None
        return next((index for index in range(len(_WRITERS)) if self._by(index) == self.text), None)

    def _by(self, writer: int) -> bytes | None:
        if writer not in self._written:
            text = _WRITERS[writer][1](self)
            self._written[writer] = None if text is None else self._encoded(text)
        return self._written[writer]

    def _encoded(self, text: str) -> bytes:
        # Many write the same, which is kept once.
        for known, encoded in self._texts:
            if known == text:
                return encoded
        self._texts.append((text, text.encode()))
        return self._texts[-1][1]

    @cached_property
    def plain(self) -> str:
        """Give it without white space in the order in which it was read, its numbers as orjson writes them."""
        return orjson.dumps(self.value).decode()

    @cached_property
    def _sorted(self) -> str:
        text = orjson.dumps(self.value, option=orjson.OPT_SORT_KEYS).decode()
        return self.plain if text == self.plain else text

    @cached_property
    def _usual(self) -> bool:
        """Tell whether everybody writes its numbers alike, which almost all numbers are."""
        level = [self.value]
        while level:
            if float in set(map(type, level)) and not all(map(_is_usual, filter(_is_float, level))):
                return False
            level = get_referents(*level)
        return True

    def numbers(self, text: str, write: Callable[[float], str]) -> str:
        """Spell those floats of a writing of it that differ in another way."""
        return text if self._usual else _FLOAT.sub(lambda found: write(float(found[0])), text)

    def dumps(self, *, compact: bool = False, ascii_only: bool = True, sort_keys: bool = False) -> str:
        """Give what Python's json reads and writes again."""
        # All but printable ASCII is escaped, DEL too.
        ascii_only = ascii_only and not (self.plain.isascii() and "\x7f" not in self.plain)
        sort_keys = sort_keys and self._sorted is not self.plain
        if self._usual and not ascii_only and (compact or not sort_keys):
            return self._spaced if not compact else self._sorted if sort_keys else self.plain
        options = compact, ascii_only, sort_keys
        if options not in self._dumped:
            between = (",", ":") if compact else (", ", ": ")
            self._dumped[options] = json.dumps(
                self._python, separators=between, ensure_ascii=ascii_only, sort_keys=sort_keys
            )
        return self._dumped[options]

    @cached_property
    def _python(self) -> Any:
        # Not `value`: Python reads 1e20 written out as an int, and gives all its digits back.
        return self.value if self._usual else json.loads(self.text)

    @cached_property
    def python_repr(self) -> str:
        """Give what str() makes of the value."""
        return repr(self._python)

    @cached_property
    def compact(self) -> str:
        """Give what JSON.stringify writes."""
        text = self.plain if self._ordered is self.value else orjson.dumps(self._ordered).decode()
        return self.numbers(text, write_number)

    @cached_property
    def by_code_point(self) -> str:
        """Give the same with names sorted by code point."""
        return self.numbers(self._sorted, write_number)

    @cached_property
    def _ordered(self) -> Any:
        return _javascript_order(self.value) if _NUMBERED.search(self.text) else self.value

    @cached_property
    def _indented(self) -> str:
        return orjson.dumps(self.value, option=orjson.OPT_INDENT_2).decode()

    @cached_property
    def _tabbed(self) -> str:
        if "  " in self.plain:
            return _MARGIN.sub(lambda found: "\t" * (len(found[0]) // 2), self._indented)
        return self._indented.replace("  ", "\t")

    @cached_property
    def _spaced(self) -> str:
        # No string of a JSON text holds a tab or a line feed as it is.
        return self._tabbed.encode().replace(b",\n", b", ").translate(None, b"\t\n").decode()

    def indented(self, by: str | None = None, *, ascii_only: bool = False, javascript: bool = False) -> str | None:
        """Give it indented, as the text is unless `by` says how; None where ASCII alone makes no difference."""
        if ascii_only and self.plain.isascii():
            return None
        if javascript and self._ordered is not self.value:
            return self.changed(self._ordered).indented(by or self._margin)
        margin = by or self._margin
        text = self._indented if margin == "  " else self._tabbed.replace("\t", margin)
        if ascii_only:
            text = _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
        return self.numbers(text, write_number)

    @cached_property
    def _margin(self) -> str:
        """What the text is indented by, or two spaces."""
        found = _INDENT.search(self.text)
        return found[1].decode() if found else "  "


def _is_float(part: Any) -> bool:
    return type(part) is float


def _is_usual(number: float) -> bool:
    return abs(number) >= 1e-4 and not number.is_integer()


def _escaped(text: str, escapes: dict[str, str]) -> str:
    for character, escape in escapes.items():
        if character in text:  # a fraction of the time that it takes to replace nothing
            text = text.replace(character, escape)
    return text


def _dotnet(it: Json) -> str:
    text = _ESCAPE.sub(lambda found: _dotnet_escape(found[0]), it.numbers(it.dumps(compact=True), _dotnet_number))
    # A plus sign, but for that of an exponent.
    return re.sub(r"\+(?<!E\+)", r"\\u002B", _escaped(text, _DOTNET))


def _dotnet_number(number: float) -> str:
    text = f"{number!r}"
    return text.upper() if "e" in text else write_number(number)


def _dotnet_escape(escape: str) -> str:
    return "\\u0022" if escape == '\\"' else "\\u" + escape[2:].upper() if escape[1] == "u" else escape


def _php(it: Json, text: str) -> str:
    return it.numbers(text, _php_number).replace("/", "\\/")


# Where two of them write the same, the first one is named.
_WRITERS: tuple[tuple[str, Callable[[Json], str | None]], ...] = (
    ("code_point_order", lambda it: it.by_code_point),
    ("json_stringify", lambda it: it.compact),
    ("json_dumps", lambda it: it.dumps()),
    ("json_dumps", lambda it: it.dumps(sort_keys=True)),
    ("json_dumps", lambda it: it.dumps(ascii_only=False)),
    ("json_dumps", lambda it: it.dumps(ascii_only=False, sort_keys=True)),
    ("json_dumps_compact", lambda it: it.dumps(compact=True)),
    ("json_dumps_compact", lambda it: it.dumps(compact=True, sort_keys=True)),
    ("json_dumps_compact", lambda it: it.dumps(compact=True, ascii_only=False)),
    ("indented", lambda it: it.indented()),
    ("indented", lambda it: it.indented(ascii_only=True)),
    ("indented", lambda it: it.indented("    ", ascii_only=True) or it.indented("    ")),
    ("indented", lambda it: it.indented(javascript=True)),
    ("indented", lambda it: it.indented("\t", javascript=True)),
    ("php_json_encode", lambda it: _php(it, it.dumps(compact=True))),
    ("php_json_encode", lambda it: _php(it, it.compact)),
    ("go_json_marshal", lambda it: _escaped(it.by_code_point, _HTML)),
    ("go_json_marshal", lambda it: _escaped(it.compact, _HTML)),
    ("dotnet_json", _dotnet),
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
