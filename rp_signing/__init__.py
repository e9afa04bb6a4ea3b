"""Sign analytics events, and verify them: canonical form, HMAC, window, single use (SPEC.md, protocol RP1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .canonical import canonicalize, parse
from .errors import CanonicalizationError, Reason, SigningError, StoreError, VerificationError
from .keys import Keyring, Secret
from .replay import Claim
from .signing import Signer, sign_event, verify_event
from .stores.memory import MemoryNonceStore
from .verifier import Verified, Verifier

if TYPE_CHECKING:
    from .sdk import AsyncRetainPixel, RetainPixel

__all__ = [
    "AsyncRetainPixel",
    "CanonicalizationError",
    "Claim",
    "Keyring",
    "MemoryNonceStore",
    "Reason",
    "RetainPixel",
    "Secret",
    "Signer",
    "SigningError",
    "StoreError",
    "VerificationError",
    "Verified",
    "Verifier",
    "canonicalize",
    "parse",
    "sign_event",
    "verify_event",
]


def __getattr__(name: str) -> Any:
    # Found when asked for, so that the gate loads no HTTP client and no pydantic.
    if name in ("RetainPixel", "AsyncRetainPixel"):
        from . import sdk

        return getattr(sdk, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
