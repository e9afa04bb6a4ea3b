"""What a bug is: pieces of the second implementation, written as somebody would who read SPEC.md too fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Piece = Callable[..., Any]


class Bug(NamedTuple):
    """One bug.

    Attributes:
        suites: where it can show; elsewhere it answers as the second implementation does.
        pieces: what stands in the place of the right pieces, by their name.
    """

    suites: tuple[str, ...]
    pieces: dict[str, Any]


class Bugs:
    """Bugs by name: the flag that hunts it and, where a flag has several, a word after a point."""

    def __init__(self) -> None:
        self.by_name: dict[str, Bug] = {}

    def put(self, name: str, suites: str, **pieces: Any) -> None:
        """Add a bug, or more pieces to it."""
        known = self.by_name.setdefault(name, Bug(tuple(suites.split()), {}))
        assert known.suites == tuple(suites.split()), name
        assert not known.pieces.keys() & pieces.keys(), name
        known.pieces.update(pieces)

    def piece(self, path: str, name: str, suites: str) -> Callable[[Piece], Piece]:
        """Add the decorated function to a bug, in the place of the piece that is called so."""

        def add(function: Piece) -> Piece:
            self.put(name, suites, **{path: function})
            return function

        return add
