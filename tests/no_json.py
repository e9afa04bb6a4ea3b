"""Values that are no JSON, each of a type that an engine would convert, or whose conversion would end the process."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import uuid
from collections import OrderedDict, UserDict, UserString, defaultdict, namedtuple
from types import MappingProxyType
from typing import Any

import orjson


class Name(str):
    """A subclass of str."""


class Whole(int):
    """A subclass of int."""


class Half(float):
    """A subclass of float."""


class Items(list[Any]):
    """A subclass of list."""


class Colour(enum.Enum):
    """An Enum of all kinds of values."""

    TEXT = "red"
    NUMBER = 1.0
    NOTHING = None
    MANY = (1, 2)
    OCTETS = b"red"
    LOST = "\ud800"


class Word(enum.StrEnum):
    """A str that is an Enum."""

    YES = "yes"


class Level(enum.IntEnum):
    """An int that is an Enum."""

    ONE = 1


class Flags(enum.IntFlag):
    """Bits that are an Enum."""

    A = 1


class Ratio(float, enum.Enum):
    """A float that is an Enum."""

    HALF = 0.5


class Octets(bytes, enum.Enum):
    """Bytes that are an Enum."""

    X = b"x"


class Letters(str, enum.Enum):  # noqa: UP042 - another type than a StrEnum
    """Text that is an Enum, of the older kind."""

    X = "x"


class Liar:
    """Says that it is a dict."""

    __class__ = dict  # type: ignore[assignment]

    def __iter__(self) -> Any:
        return iter(())


class Slotted:
    """Has no dict, and refers to what is JSON."""

    __slots__ = ("a",)

    def __init__(self) -> None:
        self.a = [1.0]


Pair = namedtuple("Pair", "a b")
Record = dataclasses.make_dataclass("Record", ["a"])

FOREIGN: tuple[Any, ...] = (
    Name("a"), Name(".0,"), Whole(1), Half(1), Items([1.0]), Pair(1, 2), OrderedDict(a=1), defaultdict(int, a=1),
    *Colour, Word.YES, Level.ONE, Flags.A, Ratio.HALF, Octets.X, Letters.X, UserDict(a=1), UserString("a"),
    MappingProxyType({"a": 1}), Record(1), Liar(), Slotted(), uuid.UUID(int=5), orjson.Fragment(b"1"),
    orjson.Fragment("[1.0]"), decimal.Decimal("1.5"), datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC),
    datetime.date(2026, 11, 23), datetime.time(9), b"x", bytearray(b"x"), memoryview(b"x"), {1}, frozenset({1}), 1j,
    range(3), ..., NotImplemented, object(), Colour, len,
)  # fmt: skip
