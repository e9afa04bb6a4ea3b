"""`canonicalize` on the three corpora, beside orjson and those who do RFC 8785 in Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import jcs
import orjson
import rfc8785
from corpus import astral_event, float_event, typical_event

from rp_signing import canonical, canonicalize

from .measure import Call, Comparison, Goal, Row, Samples, Work

_CORPORA = (
    ("canonicalize, strings and integers", typical_event, 3.0, 15.0),
    ("canonicalize, floats", float_event, 5.5, 8.0),
    ("canonicalize, outside the BMP", astral_event, 5.5, 8.0),
)


def comparisons() -> Iterator[Comparison]:
    """Give what is compared."""
    for work, make, most, faster in _CORPORA:
        event: Any = make()
        # Ours is right before it is fast; jcs and the two others are not always.
        assert canonicalize(event) == rfc8785.dumps(event)
        works: dict[str, Call | Work] = {
            "ours": partial(canonicalize, event),
            "floor": partial(orjson.dumps, event, option=orjson.OPT_SORT_KEYS),
            "rfc8785": partial(rfc8785.dumps, event),
            "jcs": partial(jcs.canonicalize, event),
            "json, not RFC 8785": partial(json.dumps, event, sort_keys=True),
        }
        if make is not float_event:
            works["the engine's steps alone"] = partial(_steps_alone, event)
        note = f"{len(canonicalize(event))} bytes; orjson's is not RFC 8785"
        yield Comparison(work, works, "orjson, OPT_SORT_KEYS", partial(_goals, most, faster), note)


def _steps_alone(event: Any) -> None:
    """Prove the types and write; outside the BMP move, read, write, move back. No guard, and nothing that decides."""
    canonical._NO_FLOATS.issuperset(map(type, canonical._parts_of(event)))
    written = orjson.dumps(event, option=canonical._OPTIONS)
    if not written.isascii():
        moved = orjson.loads(written.replace(b"\xef", b"\xf4\x8f"))
        canonical._MOVED_EF.sub(b"\xef", orjson.dumps(moved, option=orjson.OPT_SORT_KEYS))


def _goals(most: float, faster: float, samples: Samples) -> list[Goal]:
    return [
        Goal(f"≤ {most:g} × orjson", samples.ratio("ours", "floor"), most),
        Goal(f"≥ {faster:g} × faster than rfc8785", samples.ratio("rfc8785", "ours"), faster, least=True),
    ]


def rows() -> Iterator[Row]:
    """Measure the rows of this file."""
    return (compared.row() for compared in comparisons())
