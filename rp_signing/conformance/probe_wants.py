"""What a right answer is, and in what another differs from it (SPEC §6.3, §9)."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..canonical import parse
from ..errors import CanonicalizationError, Reason
from .http_talk import Reply

__all__ = ["ANY_400", "Want", "document_of", "refused", "sentence_of", "taken"]

_ABSENT = "(not there)"


class Want(NamedTuple):
    """A right answer.

    Attributes:
        status: the HTTP status.
        members: of the document, name → value; others are not looked at.
        errors: (index, reason, pointer) of each bad event; None where no such list is wanted.
    """

    status: int
    members: dict[str, Any]
    errors: tuple[tuple[int, str, str], ...] | None = None

    def document(self) -> dict[str, Any]:
        """Give it as JSON."""
        more = {} if self.errors is None else {"errors": [list(fault) for fault in self.errors]}
        return {"status": self.status, **self.members, **more}

    def differs(self, reply: Reply) -> str | None:
        """Give the first thing in which a reply is another one, or None."""
        if reply.status != self.status:
            return "status"
        document = document_of(reply) or {}
        for name, value in self.members.items():
            got = document.get(name, _ABSENT)
            if got != value or type(got) is not type(value):
                return name
        if self.errors is not None and not _names_all(document.get("errors"), self.errors):
            return "errors"
        return None


ANY_400 = Want(400, {})
"""What an HTTP server answers to what is no HTTP, in its own words."""


def taken(stored: int = 1, duplicates: int = 0, trust: str = "high") -> Want:
    """Give the answer to what is stored (SPEC §9)."""
    return Want(202, {"stored": stored, "duplicates": duplicates, "trust": trust})


def refused(reason: Reason, pointer: str | None = None, *errors: tuple[int, str]) -> Want:
    """Give the answer to what is refused (SPEC §6.3, RSN-1).

    Args:
        reason: the exact one.
        pointer: where the fault is in the payload; None where none is judged.
        errors: (index, pointer) of each event that is bad for this reason.
    """
    members = {"code": reason.public_code} | ({} if pointer is None else {"pointer": pointer})
    return Want(reason.status, members, tuple((at, reason.public_code, where) for at, where in errors) or None)


def document_of(reply: Reply) -> dict[str, Any] | None:
    """Give the JSON object in a reply, read strictly, or None."""
    try:
        value = parse(reply.body)
    except CanonicalizationError:
        return None
    return value if isinstance(value, dict) else None


def _names_all(told: Any, wanted: tuple[tuple[int, str, str], ...]) -> bool:
    """Tell whether a list of errors has every fault that is wanted, and no event that is good (SPEC EVT-5)."""
    if not isinstance(told, list) or not all(isinstance(fault, dict) for fault in told):
        return False
    found = [tuple(fault.get(name) for name in ("index", "reason", "pointer")) for fault in told]
    indexes = [fault[0] for fault in wanted]
    return all(fault in found for fault in wanted) and all(fault[0] in indexes for fault in found)


def sentence_of(reply: Reply, want: Want, differs: str) -> str:
    """Say for people what a reply is, and what would have been right."""
    document = document_of(reply) or {}
    code = document.get("code")
    said = f"{reply.status} {code}" if isinstance(code, str) else str(reply.status)
    wish = f"{want.status} {want.members['code']}" if "code" in want.members else str(want.status)
    if said != wish:
        return f"it answered {said} where {wish} is right"
    return f"it answered {said}, which is right, but with another {differs}"
