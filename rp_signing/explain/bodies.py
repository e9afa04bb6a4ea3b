"""Bodies that are nearly the one that came: what may have been signed instead of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from ..wire import SIGNATURE_MEMBER
from .causes import Cause, cause
from .envelopes import AROUND, EDGES, WHOLE, Guess, framed, literal, what_is_around
from .rewritten import Json, read

__all__ = ["MAX_PAIRED", "Bodies", "Cover", "changes"]

MAX_PAIRED = 65_536
"""Bytes of a body of which two mistakes are looked for; of one, whatever its size."""

_HOLDERS = (dict, list)


class Cover(NamedTuple):
    """What the seventh and eighth line are of.

    Attributes:
        causes: the mistakes that lead to it.
        length: bytes.
        digest: SHA-256, 64 hex digits.
        data: the bytes themselves, or None where they are kept no longer.
    """

    causes: tuple[Cause, ...]
    length: int
    digest: str
    data: bytes | None


class Bodies:
    """What may have been signed instead of a body. Its repr shows nothing of it.

    Attributes:
        body: the bytes that came.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body

    @cached_property
    def json(self) -> Json | None:
        """What it says, read once; None where a receiver refuses it."""
        return read(self.body)

    def singles(self) -> Iterator[Guess]:
        """Give what was signed after one mistake; of two where a second one shows in the text that came."""
        yield from framed(self.body)
        yield from rewritten(self.body, self.json)

    def pairs(self) -> Iterator[Guess]:
        """Give what was signed after two mistakes with the body, the likelier ones first."""
        outer = list(framed(self.body))
        rewrites = list(rewritten(self.body, self.json))
        for why, signed in rewrites:
            yield from ((why + more, again) for more, again in framed(signed, EDGES))
        yield from self._changed_and_written()
        for why, signed in outer:
            for more, again in framed(signed, EDGES):
                if again != self.body and more[0].cause != why[0].cause:
                    yield why + more, again
        for why, signed in outer:
            # Inside an envelope that a parser looks through, the value is the same.
            if self.json is None or why[0].cause not in AROUND:
                yield from ((why + more, again) for more, again in rewritten(signed, read(signed)))
        for why, signed in (*outer, *rewrites):
            yield from ((why + more, again) for more, again in framed(signed, WHOLE) if again != self.body)

    def _changed_and_written(self) -> Iterator[Guess]:
        if self.json is not None:
            for name, other in changes(self.json):
                for style, written in other.writings:
                    yield (cause(name), cause(f"signed_{style}", wanted="what was sent")), written

    def __repr__(self) -> str:
        return f"<Bodies of {len(self.body)} bytes>"


def rewritten(body: bytes, it: Json | None) -> Iterator[Guess]:
    """Give the mistakes inside the JSON: by whom it was written, and what was changed on the way."""
    if it is None:
        if isinstance(value := literal(body), (dict, list)):
            for found in _read_value(value):
                why = cause("reserialized_python_repr")
                yield (why,), found.canonical
                yield from (((why, cause(name)), other.canonical) for name, other in changes(found))
        return
    around = _around(it)
    if it.canonical != body:
        yield _reserialized(it), it.canonical
    for style, written in it.writings:
        if written not in (body, it.canonical):
            yield (cause(f"signed_{style}", wanted="what was sent"), *around), written
    for name, other in changes(it):
        if it.canonical == body:
            yield (cause(name),), other.canonical
            continue
        same_style = other.in_style_of(it)
        if same_style is not None:
            yield (cause(name),), same_style
        yield (cause(name), *_reserialized(it)), other.canonical


def _reserialized(it: Json) -> tuple[Cause, ...]:
    """Name who wrote the text that came; two mistakes, where it was written, and something was put around it."""
    if it.style is not None:
        return (cause(f"reserialized_{it.style}"),)
    for name, inside in what_is_around(it.text):
        found = read(inside)
        if found is not None and inside == found.canonical:
            return (cause(name),)
        if found is not None and found.style is not None:
            return (cause(f"reserialized_{found.style}"), cause(name))
    return (cause("reserialized"),)


def _around(it: Json) -> tuple[Cause, ...]:
    """Name what came around the JSON, which whoever reads it does not see."""
    return next(((cause(name),) for name, _ in what_is_around(it.text) if name != "body_crlf"), ())


def changes(it: Json) -> Iterator[tuple[str, Json]]:
    """Give the values that were signed, where something was left out or put in before or after signing."""
    for name, trace, change in (
        ("signed_nulls_dropped", "null", _without_nulls),
        ("php_empty_array", "[]", lambda value: _with_empty(value, list, {})),
        ("signed_php_empty_array", "{}", lambda value: _with_empty(value, dict, [])),
        ("signed_before_event", SIGNATURE_MEMBER, _without_event_signatures),
    ):
        # Without that text in it nothing would change.
        if trace in it.plain and type(it.value) in _HOLDERS:
            changed = it.changed(change(it.value))
            if changed.plain != it.plain:
                yield name, changed


def _without_nulls(value: Any) -> Any:
    # Only what may hold one is gone into: a call for each number and text would take most of the time.
    if isinstance(value, dict):
        return {
            name: _without_nulls(member) if type(member) in _HOLDERS else member
            for name, member in value.items()
            if member is not None
        }
    return [_without_nulls(item) if type(item) in _HOLDERS else item for item in value]


def _with_empty(value: Any, kind: type, other: Any) -> Any:
    if type(value) is kind and not value:
        return other
    if isinstance(value, dict):
        return {
            name: _with_empty(member, kind, other) if type(member) in _HOLDERS else member
            for name, member in value.items()
        }
    return [_with_empty(item, kind, other) if type(item) in _HOLDERS else item for item in value]


def _without_event_signatures(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    plain = {name: member for name, member in value.items() if name != SIGNATURE_MEMBER}
    batch = plain.get("batch")
    if isinstance(batch, list):
        plain["batch"] = [_without_event_signatures(event) for event in batch]
    return plain


def _read_value(value: Any) -> Iterator[Json]:
    try:
        found = read(json.dumps(value, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError):
        return
    if found is not None:
        yield found
