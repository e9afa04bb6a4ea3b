"""Python values in events → JSON: the table of what is converted (SPEC §3.2).

===============================================  =====================================================================
Python                                           on the wire
===============================================  =====================================================================
``str``, ``int``, ``float``, ``bool``, ``None``  themselves
``list``, ``dict``                               themselves
``tuple``                                        an array
``datetime`` with a time zone                    ``"2026-11-23T09:00:00.500Z"``: RFC 3339, in UTC, cut to milliseconds
``date``                                         ``"2026-11-23"``
``UUID``                                         ``"01234567-89ab-cdef-0123-456789abcdef"``
``Enum``                                         its value, converted in turn
===============================================  =====================================================================

Refused, with the pointer and what to write: ``datetime`` without a time zone, ``Decimal``, NaN and infinities, sets,
bytes, integers outside ±(2^53-1), and every other type. Names in objects are ``str`` and are not converted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from ..canonical import MAX_DEPTH

__all__ = ["Conversion", "rfc3339"]

_NAIVE = (
    "a datetime without a time zone; write value.replace(tzinfo=timezone.utc) where it is UTC, "
    "value.astimezone() where it is local time"
)
_BEYOND = "a datetime that UTC has no year for; write one between the years 1 and 9999"


def rfc3339(moment: datetime) -> str:
    """Write a moment with a time zone: RFC 3339, UTC, cut to milliseconds, ``Z``.

    Raises:
        OverflowError: in UTC it is before the year 1 or after 9999.
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Conversion:
    """One event's values, converted by the table above. What has no place in it stays, for `canonicalize` to refuse.

    Attributes:
        faults: (pointer, what to write) of the moments that could not be converted.
    """

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []
        # Each container once: one that holds itself, or is shared many times over, ends too.
        self._done: dict[int, Any] = {}

    def of(self, value: Any, pointer: str = "", depth: int = 0) -> Any:
        """Give a value of JSON types, its containers made anew.

        Args:
            value: anything.
            pointer: JSON Pointer (RFC 6901) to it.
            depth: levels above it; what is too deep anyway is left as it is.
        """
        if isinstance(value, Enum):
            # An Enum may have an Enum as its value.
            return self.of(value.value, pointer, depth + 1) if depth <= MAX_DEPTH else value
        if isinstance(value, datetime):
            return self._moment(value, pointer)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, UUID):
            return str(value)
        if type(value) in (dict, list, tuple) and depth <= MAX_DEPTH:
            return self._container(value, pointer, depth)
        return value

    def _moment(self, value: datetime, pointer: str) -> Any:
        if value.utcoffset() is None:
            self.faults.append((pointer, _NAIVE))
            return value
        try:
            return rfc3339(value)
        except OverflowError:
            self.faults.append((pointer, _BEYOND))
            return value

    def _container(self, value: Any, pointer: str, depth: int) -> Any:
        if id(value) in self._done:
            return self._done[id(value)]
        made: Any = {} if type(value) is dict else []
        self._done[id(value)] = made
        for name, one in _members(value):
            place = f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
            converted = self.of(one, place, depth + 1)
            if type(value) is dict:
                made[name] = converted
            else:
                made.append(converted)
        return made


def _members(container: Any) -> Iterator[tuple[Any, Any]]:
    return iter(container.items()) if type(container) is dict else iter(enumerate(container))
