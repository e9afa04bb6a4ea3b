"""The client: events go in, a receipt or an error that names the cause comes out."""

try:
    import httpx2 as _httpx2  # noqa: F401 - is the extra there?
    import pydantic as _pydantic  # noqa: F401
except ImportError as _error:
    raise ImportError(f'{_error}; the client needs its extra: pip install "rp-signing[client]"') from None

from ..events import Group, Identify, Track
from .batches import split
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
from .prepare import Event, Prepared
from .reply import Receipt

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
