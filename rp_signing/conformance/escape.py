"""Strangers' text made fit to be shown: on a terminal, in a page, in XML."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["brief", "readable", "visible"]


def visible(text: str) -> str:
    r"""Write every character that is not printable as an escape: controls, lone surrogates, directions, no-characters.

    What comes out moves no cursor, is UTF-8, and may stand in XML. A line feed becomes ``\n``, too.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def readable(value: Any) -> str:
    """Give a JSON value as one line of visible text; a text that is no JSON comes as it is."""
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def brief(value: Any, length: int) -> str:
    """Give the beginning of a value as JSON, of so many characters; any value whatever, however deep."""
    try:
        written = json.dumps(value, ensure_ascii=False)
    except (RecursionError, TypeError, ValueError):
        return "a value that cannot be shown"
    return written if len(written) <= length else f"{written[:length]}…"
