"""JSON documents of every kind, made from a seed: what two canonicalisers are compared on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from corpus import (
    COMBINING,
    EDGE_DOUBLES,
    EDGE_INTS,
    EMOJI,
    ESCAPES,
    MAX_INT,
    NONCHARACTERS,
    OTHER_KEYS,
    RIGHT_TO_LEFT,
    UTF16_KEYS,
    WHOLE_DOUBLES,
    Draw,
)

DEEPEST = 64
PIECES = 4000
# First and last of: controls, ASCII, two bytes, three bytes below and above the surrogates, the astral planes.
RANGES = ((0, 0x1F), (0x20, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF))
KNOWN = (*COMBINING, *EMOJI, *ESCAPES, *NONCHARACTERS, *RIGHT_TO_LEFT, *OTHER_KEYS, *UTF16_KEYS)


def piece(d: Draw) -> str:
    """Up to twelve characters, of one range or of all."""
    one = d.pick(RANGES) if d.chance(0.5) else None
    characters = []
    for _ in range(d.below(13)):
        first, last = one or d.pick(RANGES)
        characters.append(chr(first + d.below(last - first + 1)))
    return "".join(characters)


class Maker:
    """Makes documents from a seed, the same ones each time.

    Strings are put together from pieces that are made once: a generator that draws each character would be most of the
    time.
    """

    def __init__(self, seed: int) -> None:
        self._d = Draw(seed)
        self._pieces = [*KNOWN, *(piece(self._d) for _ in range(PIECES))]
        self._kinds: tuple[Callable[[], object], ...] = (
            *([self._small] * 90),
            *([self._deep] * 3),
            *([self._wide] * 3),
            *([self._long] * 2),
            *([self._scalar] * 2),
        )

    def documents(self) -> Iterator[object]:
        """Without end."""
        while True:
            yield self._d.pick(self._kinds)()

    def _text(self) -> str:
        d = self._d
        return d.pick(self._pieces) if d.chance(0.7) else d.pick(self._pieces) + d.pick(self._pieces)

    def _number(self) -> int | float:
        d, roll = self._d, self._d.random()
        if roll < 0.3:
            return d.double()
        if roll < 0.5:
            return d.below(10**6) / 100
        if roll < 0.7:
            return d.below(2000) - 1000
        if roll < 0.85:
            return d.below(2 * MAX_INT) - MAX_INT
        return d.pick(EDGE_DOUBLES if roll < 0.92 else EDGE_INTS if roll < 0.96 else WHOLE_DOUBLES)

    def _scalar(self) -> object:
        roll = self._d.random()
        if roll < 0.45:
            return self._text()
        return self._number() if roll < 0.85 else self._d.pick((None, True, False))

    def _value(self, room: int) -> object:
        """A value that is at most so deep; the deeper, the rarer."""
        roll = self._d.random()
        if not room or roll < 0.6:
            return self._scalar()
        size = self._d.below(5)
        if roll < 0.85:
            return {self._text(): self._value(room - 1) for _ in range(size)}
        return [self._value(room - 1) for _ in range(size)]

    def _small(self) -> object:
        return {self._text(): self._value(4) for _ in range(self._d.below(7))}

    def _deep(self) -> object:
        """Arrays and objects in one another, often as deep as is allowed, with something beside each."""
        d = self._d
        value = self._scalar()
        for _ in range(d.pick((DEEPEST, DEEPEST - d.below(60)))):
            value = [self._scalar(), value] if d.chance(0.5) else {self._text(): self._scalar(), self._text(): value}
        return value

    def _wide(self) -> object:
        """Many members, or many elements, on one level."""
        size = 20 + self._d.below(180)
        if self._d.chance(0.5):
            return {self._text(): self._scalar() for _ in range(size)}
        return [self._scalar() for _ in range(size)]

    def _long(self) -> object:
        """A long string."""
        return self._text() * (1 + self._d.below(300))
