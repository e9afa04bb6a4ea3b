"""What differs between the members wanted and those given, and one sentence that says where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .escape import brief

__all__ = ["MADE_IN_ORDER", "Difference", "differences"]

MADE_IN_ORDER = ("canonical", "length", "digest", "signing_input", "mac", "integrity_signature", "headers")
"""In which order one value is made of another: what differs first is where the bug is."""

_BYTES = frozenset({"canonical", "signed"})
_SHOWN = 100


class Difference(NamedTuple):
    """One member that is not as it must be.

    Attributes:
        name: of the member.
        wanted: the right value.
        given: the value that came; None where it is missing.
        missing: whether it did not come at all.
    """

    name: str
    wanted: Any
    given: Any
    missing: bool

    @property
    def rank(self) -> int:
        """How early on the way to the result it is made."""
        return MADE_IN_ORDER.index(self.name) if self.name in MADE_IN_ORDER else len(MADE_IN_ORDER)

    def sentence(self) -> str:
        """Say where the two part, in one line for people."""
        if self.missing:
            return f"{self.name} is missing"
        if isinstance(self.given, str) and isinstance(self.wanted, str):
            try:
                wanted, given = bytes.fromhex(self.wanted), bytes.fromhex(self.given)
            except ValueError:
                pass
            else:
                if self.wanted != self.given and wanted == given:
                    return f"{self.name}: hex is written in lower case"
                if self.name == "signing_input":
                    return _parting_lines(wanted, given)
                if self.name in _BYTES:
                    return f"{self.name} {_parting_bytes(wanted, given)}"
        return f"{self.name}: wanted {_short(self.wanted)}, got {_short(self.given)}"


def differences(wanted: dict[str, Any], given: dict[str, Any]) -> Iterator[Difference]:
    """Give every wanted member that is missing or another one; further members given are not looked at."""
    for name, value in wanted.items():
        if name not in given:
            yield Difference(name, value, None, missing=True)
        elif not (_same_headers if name == "headers" else _same)(value, given[name]):
            yield Difference(name, value, given[name], missing=False)


def _same(wanted: Any, given: Any) -> bool:
    """Whether a value is the one wanted, where true is not 1; an object may have more members."""
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(name in given and _same(wanted[name], given[name]) for name in wanted)
    if isinstance(wanted, list):
        return isinstance(given, list) and len(wanted) == len(given) and all(map(_same, wanted, given))
    if isinstance(wanted, bool) or isinstance(given, bool):
        return wanted is given
    return bool(wanted == given)


def _same_headers(wanted: list[list[str]], given: Any) -> bool:
    """Whether these are the headers, in any order and with names in any case."""
    lowered = _lowered(given)
    return lowered is not None and lowered == _lowered(wanted)


def _lowered(headers: Any) -> list[tuple[str, str]] | None:
    try:
        return sorted((name.lower(), value + "") for name, value in headers)
    except (AttributeError, TypeError, ValueError):
        return None


def _parting_lines(wanted: bytes, given: bytes) -> str:
    """Name the first of the eight lines that differs."""
    lines, others = wanted.split(b"\n"), given.split(b"\n")
    for number, (line, other) in enumerate(zip(lines, others, strict=False), start=1):
        if line != other:
            return f"line {number} of signing_input: wanted {_text(line)}, got {_text(other)}"
    return f"signing_input has {len(others)} lines instead of {len(lines)}"


def _parting_bytes(wanted: bytes, given: bytes) -> str:
    """Name the first byte that differs, and show what stands there."""
    pairs = enumerate(zip(wanted, given, strict=False))
    at = next((index for index, (one, other) in pairs if one != other), min(len(wanted), len(given)))
    return f"differs at byte {at}: wanted {_text(wanted[at : at + 30])}, got {_text(given[at : at + 30])}"


def _text(part: bytes) -> str:
    return _short(part.decode("utf-8", "backslashreplace")) if part else "the end"


def _short(value: Any) -> str:
    return brief(value, _SHOWN)
