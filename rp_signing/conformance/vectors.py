"""The vector files: read once, and each vector turned into the line that an adapter gets."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["SUITES", "Flag", "load_flags", "load_vectors", "question"]

SUITES = ("canonical", "parse", "hmac", "keys", "signing-input", "sign", "verify", "events", "replay")
"""The suites, in the order in which an implementer takes them."""

FOLDER = Path(__file__).resolve().parent / "vectors"
_FORMAT = 1
# What says which vector it is, or what is right. A step of a script has its own `expect`.
_NOT_FOR_ADAPTERS = frozenset({"id", "tags", "flags", "comment", "expect", "expect_one_of"})


class Flag(NamedTuple):
    """A bug that vectors hunt.

    Attributes:
        bug: what a faulty program does, one sentence.
        cwe: its class, as ``CWE-347``, or None.
    """

    bug: str
    cwe: str | None

    def __str__(self) -> str:
        return f"{self.bug} ({self.cwe})" if self.cwe else self.bug


def load_vectors() -> list[dict[str, Any]]:
    """Read all vectors, suite by suite in the order of `SUITES`.

    Returns:
        Each vector as it stands in its file, with the member ``suite`` added.

    Raises:
        ValueError: a file has another format than this runner reads.
    """
    vectors = []
    for suite, document in zip(SUITES, _documents(), strict=True):
        if (document["suite"], document["format"]) != (suite, _FORMAT):
            raise ValueError(f"{suite}.json is no suite of format {_FORMAT}")
        vectors += [{**vector, "suite": suite} for vector in document["vectors"]]
    return vectors


@cache
def load_flags() -> dict[str, Flag]:
    """Read what each flag means, by its name; all files explain one alike."""
    return {name: Flag(**note) for document in _documents() for name, note in document["flags"].items()}


def question(vector: dict[str, Any], number: int) -> dict[str, Any]:
    """Give what an adapter is asked: the vector without what is right, and with its bytes written out.

    Args:
        vector: one of `load_vectors`.
        number: the adapter answers with the same one, as ``n``.
    """
    asked = {name: _plain(value) for name, value in vector.items() if name not in _NOT_FOR_ADAPTERS}
    if "steps" in asked:
        asked["steps"] = [
            {name: value for name, value in step.items() if name not in _NOT_FOR_ADAPTERS} for step in asked["steps"]
        ]
    return {"n": number, **asked}


def _plain(value: Any) -> Any:
    """Write `repeat` out, however deep it stands."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"repeat"}:
        return "".join(part * count for part, count in value["repeat"])
    return {name: _plain(item) for name, item in value.items()}


def _documents() -> list[dict[str, Any]]:
    return [json.loads((FOLDER / f"{suite}.json").read_text(encoding="ascii")) for suite in SUITES]
