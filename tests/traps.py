"""Values full of what the fast path could take for something else, and their comparison with the definition.

Each kind of value below is there for a way in which a faster `canonicalize` could go wrong: names whose order differs
by code point and by UTF-16, text that looks like the number that is mended, types that an engine would convert.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from corpus import EDGE_INTS, MAX_INT, Draw
from no_json import FOREIGN, Name

from rp_signing import canonical
from rp_signing.canonical import canonicalize
from rp_signing.errors import CanonicalizationError
from rp_signing.exact import write_exactly

DEEPEST = 64
POOL = 400
"""Texts, and numbers, that are made once for a seed: to draw every character anew would be most of the time."""
TEMPER = 20
"""Documents in a row that draw from the same pools: of whole numbers alone, say, and of text below U+10000."""

# What a program that mends bytes could mistake for a number, a literal, or the end of a text.
PIECES = (
    "null", ".0", ".0,", ".0]", ".0}", "1.0]", "-0.0", "-0.0}", "0e-0", "1e-6", "1e-6,", "1e-6]", "1e-06", "1e+16,",
    "e+20", "E5", "9007199254740993", "NaN", '"', '\\"', '".0,"', "\\", "\\\\", '\\\\"', "\\u0000", ",", ":", "[",
    "]", "{", "}", "a", "0", " ", "/", "\n", "\0", "\x1f", "\x7f", "\x80", "é", "e\u0301", "\u2028", "\ud7ff",
    "integrity_signature",
)  # fmt: skip
# The edges between lengths in UTF-8, and of every range that sorts otherwise in UTF-16 than by code point; U+10E000 to
# U+10FFFF is where a program may move U+E000 to U+FFFF while it sorts.
CHARACTERS = (
    "", "a", "z", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ue001", "\uefff", "\uf000", "\uf8ff",
    "\ufb33", "\ufeff", "\ufffd", "\uffff", "\U00010000", "\U0001f600", "\U0001f6d2", "\U0003ffff", "\U00040000",
    "\U0004e000", "\U0008e000", "\U000fffff", "\U00100000", "\U0010dfff", "\U0010e000", "\U0010efff", "\U0010f000",
    "\U0010f8ff", "\U0010ffff",
)  # fmt: skip
RANGES = (
    (0, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xEFFF), (0xF000, 0xFFFF), (0x10000, 0x3FFFF),
    (0x40000, 0xFFFFF), (0x100000, 0x10FFFF),
)  # fmt: skip
# Where the spelling changes, in orjson, in Python's repr or in ECMAScript.
EDGES = (
    0.0, 5e-324, 2.2250738585072014e-308, 1e-7, 1e-6, 1.5e-6, 9.5e-6, 1e-5, 1e-4, 0.1, 1.0, 1.5, 1e2, 1e15, 2.0**53,
    1e16, 1.5e16, 1e17, 9.5e17, 2.0**63, 1e20, 1e21, 1.5e21, 1e22, 1e23, 1.5e300, 1.7976931348623157e308,
)  # fmt: skip
TOP, MENDED = "\U0010ffff", "\U0003ffff"
USUAL = (
    0, 1, -1, 7, MAX_INT, -MAX_INT, 0.0, 1.0, -1.0, 100.0, 1e-5, 0.00012, 0.1, -2.5, 49.9, 1 / 3, 1e15, -123456789.0,
    2.0**53, 9999999999999998.0,
)  # fmt: skip
NO_NUMBERS = (math.nan, math.inf, -math.inf, MAX_INT + 1, -MAX_INT - 1, 2**63, 2**64, -(2**63) - 1, 10**400)
LONE = ("\ud800", "\udbff", "\udc00", "\udfff", "a\ud83d", "\ude00\ud83d", "\ue000\udfff")
NO_NAMES = (1, 1.5, None, True, b"a", ("a",), Name("a"), *(one for one in FOREIGN if type(one).__hash__ is not None))


class Instance:
    """What has a dict that shares its names with others of its class."""

    def __init__(self, a: object, b: object) -> None:
        self.a, self.b = a, b


class Traps(Draw):
    """Makes values from a seed, the same ones each time."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        texts = [*PIECES, *CHARACTERS, *(self._made_text() for _ in range(POOL))]
        plain = [text for text in texts if ".0" not in text]
        numbers = [*EDGES, *(-edge for edge in EDGES), *EDGE_INTS, *(self._made_number() for _ in range(POOL))]
        usual = [*USUAL, *(number for number in numbers if 1e-5 <= abs(number) < 1e16)]
        # Most draw from pools of which the fast path can write everything: else it would hardly be tried.
        self._pools = [
            ([text for text in some if max(text, default="") <= last], [one for one in CHARACTERS if one <= last])
            for some, last in ((texts, TOP), (plain, TOP), (plain, "\x7f"), (plain, MENDED), (texts, MENDED))
        ]
        self._number_pools = (numbers, usual, usual, usual, [one for one in usual if type(one) is int])
        self._turn = 0
        self._kinds: tuple[Callable[[], Any], ...] = (
            *([self._small] * 100),
            *([self._named] * 25),
            *([self._numbered] * 15),
            *([self._odd] * 15),
            *([self._deep] * 5),
            *([self._spoiled] * 35),
            *([self._wide] * 2),
        )

    def document(self) -> Any:
        """One value, which may have no canonical form."""
        self._take_turn()
        return self.pick(self._kinds)()

    def text_of_json(self) -> Any:
        """One value that `json.dumps` takes, among them NaN, large integers and lone surrogates; no foreign type."""
        self._take_turn()
        document = self.pick((self._small, self._small, self._named, self._numbered, self._deep))()
        return self._with(document, self._bad()) if self.chance(0.1) else document

    def _take_turn(self) -> None:
        if not self._turn % TEMPER:
            self._texts, self._characters = self.pick(self._pools)
            self._numbers = self.pick(self._number_pools)
        self._turn += 1

    # Texts and numbers

    def _made_text(self) -> str:
        if self.chance(0.6):
            return "".join(self.pick(PIECES if self.chance(0.7) else CHARACTERS) for _ in range(1 + self.below(4)))
        return "".join(map(self._character, range(1 + self.below(8))))

    def _character(self, _: int) -> str:
        first, last = self.pick(RANGES)
        return chr(first + self.below(last - first + 1))

    def _made_number(self) -> int | float:
        how = self.below(7)
        if how == 0:
            return self.double()
        if how == 1:
            return float(f"{'-' * self.below(2)}{self.below(10**17)}e{self.below(33) - 25}")
        if how == 2:
            return self.below(10**6) / 100
        if how == 3:
            return float(self.below(2 * MAX_INT) - MAX_INT)
        if how == 4:
            return self.below(2 * MAX_INT) - MAX_INT
        edge = self.pick(EDGES)
        return math.nextafter(edge, self.pick((-math.inf, math.inf)) if math.isfinite(edge * 2) else 0)

    def _text(self) -> str:
        return self.pick(self._texts)

    def _scalar(self) -> Any:
        kind = self.random()
        if kind < 0.45:
            return self.pick(self._numbers)
        return self.pick(self._texts) if kind < 0.9 else self.pick((None, True, False))

    # Values

    def _value(self, depth: int) -> Any:
        kind = self.random()
        if kind < 0.6 or not depth:
            return self._scalar()
        size = self.below(5)
        if kind < 0.75:
            items = [self._value(depth - 1) for _ in range(size)]
            return tuple(items) if kind < 0.65 else items
        return {self._text(): self._value(depth - 1) for _ in range(size)}

    def _small(self) -> Any:
        return {self._text(): self._value(2), "n": self._value(1)}

    def _named(self) -> Any:
        """Names beside each other that begin alike, and what may stand in them."""
        begin = self._text() if self.chance(0.3) else ""
        names = [begin + self.pick(self._characters) + self.pick(self._characters) for _ in range(2 + self.below(7))]
        value = {name: self._scalar() if self.chance(0.8) else self._value(2) for name in names}
        return (
            value if self.chance(0.5) else [self._scalar(), {self.pick(self._characters): value, "b": self._scalar()}]
        )

    def _numbered(self) -> Any:
        """Numbers beside texts that look like them; often all of them usual but one."""
        items: list[Any] = [self.pick(self._numbers) for _ in range(self.below(9))]
        if self.chance(0.5):
            items = [self.pick(USUAL) for _ in items] + [self.pick((-1, 1)) * self.pick(EDGES)]
            items += [self.pick(NO_NUMBERS)] * self.chance(0.1)
        items += [self._text() for _ in range(self.below(3))]
        self.shuffle(items)
        return {str(at): item for at, item in enumerate(items)} if self.chance(0.3) else items

    def _odd(self) -> Any:
        """Objects that are laid out otherwise, and one value in two places."""
        value, name = self._value(2), self._text()
        how = self.below(5)
        if how == 0:
            return [value, {name: value, "again": [value, value]}]
        if how == 1:
            return [vars(Instance(value, 1.0)), vars(Instance(name, value)), vars(SimpleNamespace(a=value))]
        emptied: dict[Any, Any] = {1: 0, None: 0, name: value}
        emptied.pop(1 if how == 2 else name)
        emptied.pop(None if how == 2 else 1)
        return [emptied, value] if how == 2 else [emptied] if how == 3 else self._scalar()

    def _deep(self) -> Any:
        """As deep as is allowed, or a level less or more, with something beside."""
        value = self.pick((self._scalar(), [], {}, ()))
        for _ in range(DEEPEST + 1 - self.below(4)):
            how = self.below(4)
            value = [value] if how == 0 else (value,) if how == 1 else {self._text(): value}
            if how == 3:
                value["\ue000"] = self._scalar()
        return value

    def _wide(self) -> Any:
        """More on one level than is looked at at once; here and there something that is no JSON."""
        size = self.pick((199, 200, 201, 999, 1_000, 1_001))
        items = [self._scalar() for _ in range(size)]
        if self.chance(0.5):
            stranger = self._bad() if self.chance(0.3) else self.pick(FOREIGN)
            items[self.below(size)] = self.pick((stranger, [stranger], {"a": (stranger,)}))
        if self.chance(0.3):
            items[self.below(size)] = self._value(2)
        return (
            {f"{at}{self.pick(self._characters)}": item for at, item in enumerate(items)} if self.chance(0.5) else items
        )

    def _bad(self) -> Any:
        """What is of the right type and has no canonical form."""
        return self.pick(NO_NUMBERS) if self.chance(0.6) else self.pick(LONE)

    def _spoiled(self) -> Any:
        """One thing without a canonical form, somewhere in a value."""
        how, document = self.below(8), self._named() if self.chance(0.3) else self._small()
        if how == 0:
            return self._with(document, self._bad())
        if how == 1:
            return self._with(document, {self.pick(LONE): 1, "b": self._scalar()})
        if how == 2:
            return self._with(document, {"b": self._scalar(), self.pick(NO_NAMES): self._scalar()})
        if how == 3:
            loop: list[Any] = [self._scalar()]
            loop.append(self.pick((loop, {"a": loop}, (loop,))))
            return self._with(document, loop)
        return self._with(document, self.pick(FOREIGN))

    def _with(self, document: Any, stranger: Any) -> Any:
        """A document with a stranger in it, at any depth, or the stranger alone."""
        holder = self.pick(([stranger], (1.0, stranger), {self._text(): stranger}, {"a": [{"b": stranger}]}, stranger))
        if isinstance(document, dict) and self.chance(0.8):
            return {**document, self._text(): holder}
        return self.pick((holder, [document, holder], [holder, document]))


def outcome(write: Callable[[Any], bytes], value: Any) -> Any:
    """What is written, or the refusal in every word."""
    try:
        return write(value)
    except CanonicalizationError as error:
        return error.reason, error.pointer, error.detail


def compare(seed: int, how_many: int) -> tuple[list[str], int]:
    """Of so many documents of a seed, those that the two paths write or refuse differently, and how many were fast."""
    draw, found, slow = Traps(seed), [], 0

    def counted(value: Any) -> bytes:
        nonlocal slow
        slow += 1
        return write_exactly(value)

    with patch.object(canonical, "write_exactly", counted):
        for _ in range(how_many):
            document = draw.document()
            if outcome(canonicalize, document) != outcome(write_exactly, document):
                found.append(repr(document)[:500])
    return found, how_many - slow


def disagreements(seed: int, how_many: int) -> list[str]:
    """The documents of a seed, so many of them, that the two paths write or refuse differently."""
    return compare(seed, how_many)[0]
