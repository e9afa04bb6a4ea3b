"""What people who come from Segment write, and what stands for it here."""

from __future__ import annotations

__all__ = ["FIELDS", "KINDS", "for_migrants"]

_PAGE = "send it as track, with an event name such as 'Page Viewed' and the rest in properties"

KINDS = {
    "page": f"there is no type page; {_PAGE}",
    "screen": f"there is no type screen; {_PAGE}",
    "alias": "there is no type alias; send identify with both userId and anonymousId",
}
"""A type of event of Segment that is none here → what to send instead."""

FIELDS = {
    "integrations": "events are not routed to destinations here; leave it out",
    "channel": "leave it out, or put it into context",
    "version": "leave it out, or put it into properties",
    "name": "page and screen have a name, events here have event; put other names into properties or traits",
    "category": "put it into properties",
    "previousId": "there is no alias; send identify with both userId and anonymousId",
    "originalTimestamp": "it is called timestamp here, of any age",
    "sentAt": "the time of sending is in the signed headers; leave it out",
    "receivedAt": "the server sets it, and the receipt has it; leave it out",
    "writeKey": "the client is made with api_key=; leave it out",
    "projectId": "the api key names the project; leave it out",
    "_metadata": "leave it out",
}
"""A field of Segment that is none here, by its name on the wire → what to do with it."""


def for_migrants(name: str) -> str | None:
    """Give the sentence about a field of Segment by its name, in either spelling; None for any other name."""
    first, *others = name.split("_") if not name.startswith("_") else [name]
    return FIELDS.get(first + "".join(other.capitalize() for other in others))
