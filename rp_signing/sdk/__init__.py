"""The client: events go in, a receipt or an error that names the cause comes out."""

try:
    import httpx2 as _httpx2  # noqa: F401 - is the extra there?
    import pydantic as _pydantic  # noqa: F401
except ImportError as _error:
    raise ImportError(f'{_error}; the client needs its extra: pip install "rp-signing[client]"') from None

from typing import TYPE_CHECKING, Any

from .client import AsyncRetainPixel, RetainPixel
from .errors import (
    BodyAltered,
    ClientUnusable,
    ClockSkew,
    IngestUnavailable,
    NotDelivered,
    PayloadRefused,
    Replayed,
    RequestRefused,
    SignatureRemoved,
    WrongSecret,
)
from .prepared import Prepared
from .reply import Receipt

if TYPE_CHECKING:
    from ..events import Group, Identify, Track
    from .batches import split
    from .prepare import Event

__all__ = [
    "AsyncRetainPixel",
    "BodyAltered",
    "ClientUnusable",
    "ClockSkew",
    "Event",
    "Group",
    "Identify",
    "IngestUnavailable",
    "NotDelivered",
    "PayloadRefused",
    "Prepared",
    "Receipt",
    "Replayed",
    "RequestRefused",
    "RetainPixel",
    "SignatureRemoved",
    "Track",
    "WrongSecret",
    "split",
]


def __getattr__(name: str) -> Any:
    # Brings pydantic's models: when asked for, or with the first client.
    if name in ("Event", "Group", "Identify", "Track"):
        from . import prepare

        return getattr(prepare, name)
    if name == "split":
        from .batches import split

        return split
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
