"""What a client is told about itself, by arguments or the environment: api key, secret, base URL (SPEC §8).

Rule: the texts of the api key and the secret are in here, and leave as headers of a request only.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from .. import wire
from ..keys import ApiKey, Secret
from ..signing import Signer, sign_event

__all__ = ["LEFT_OUT", "Credentials", "Endpoint", "LeftOut"]

_LOG = logging.getLogger("rp_signing.sdk")

_API_KEY = "RETAINPIXEL_API_KEY"
_SECRET = "RETAINPIXEL_HMAC_SECRET"  # noqa: S105 - the name of a variable
_BASE_URL = "RETAINPIXEL_BASE_URL"


class _Unset(Enum):
    LEFT_OUT = "left out"

    def __repr__(self) -> str:
        return "LEFT_OUT"


LeftOut = Literal[_Unset.LEFT_OUT]
LEFT_OUT: LeftOut = _Unset.LEFT_OUT
"""What an argument is that was not given. None is another thing: what a missing variable gives."""


class Credentials:
    """The api key and, for a client that signs, the secret. Its repr shows ids alone.

    Args:
        api_key: its text; left out, that of the environment variable RETAINPIXEL_API_KEY.
        secret: a `Secret` or its text; left out, that of RETAINPIXEL_HMAC_SECRET; without that, nothing is signed.
        clock: gives Unix seconds; `time.time` when None.
        nonce: gives a fresh nonce; random when None.

    Attributes:
        api_key_id: 16 hex digits; public.
        key_id: of the secret, 16 hex digits; public. None for a client that does not sign.

    Raises:
        ValueError, TypeError: one of them is missing, empty or breaks a rule of SPEC §8; the message names the
            variable, and never holds the text.
    """

    __slots__ = ("_api_key", "_clock", "_secret", "_signer", "api_key_id", "key_id")

    def __init__(
        self,
        api_key: str | LeftOut,
        secret: Secret | str | LeftOut,
        clock: Callable[[], float] | None,
        nonce: Callable[[], str] | None,
    ) -> None:
        text, source = _argument("api_key", api_key, _API_KEY)
        if text is None:
            raise ValueError(f"there is no api key: give api_key=, or set the environment variable {_API_KEY}")
        held, secret_source = _argument("secret", secret, _SECRET)
        entry: ApiKey = _made(source, lambda: ApiKey(text))
        self._secret: Secret | None = None
        self._signer: Signer | None = None
        if held is not None:
            own = self._secret = held if isinstance(held, Secret) else _made(secret_source, lambda: Secret(held))
            self._signer = _made(secret_source, lambda: Signer(api_key=text, secret=own, clock=clock, nonce=nonce))
        self._api_key: str = text
        self._clock = clock
        self.api_key_id = entry.api_key_id
        self.key_id = None if self._secret is None else self._secret.key_id
        if self._secret is None:
            _LOG.warning("api key %s: events are sent unsigned; set %s to sign them", self.api_key_id, _SECRET)

    @property
    def signs(self) -> bool:
        """Whether there is a secret, so that everything is signed."""
        return self._secret is not None

    def now(self) -> float:
        """Give Unix seconds."""
        return (self._clock or time.time)()

    def sign_events(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give each event with its ``integrity_signature``, or as it is where there is no secret."""
        if self._secret is None:
            return events
        return [sign_event(event, api_key=self._api_key, secret=self._secret) for event in events]

    def headers(self, body: bytes) -> dict[str, str]:
        """Give the headers of one attempt to send a body: signed anew, or the api key alone (SPEC §4)."""
        return {wire.API_KEY: self._api_key} if self._signer is None else self._signer.sign(body)

    def scrub(self, text: str) -> str:
        """Take the api key and the secret out of a text that came from elsewhere, and the end of a long one."""
        text = text.replace(self._api_key, f"<api key {self.api_key_id}>")
        if self._secret is not None:
            text = text.replace(self._secret.reveal(), f"<secret {self.key_id}>")
        return text if len(text) <= 500 else text[:500] + "…"

    def __repr__(self) -> str:
        return f"api key {self.api_key_id}, " + (f"key {self.key_id}" if self.signs else "unsigned")


class Endpoint(NamedTuple):
    """Where events go.

    Attributes:
        url: http or https, a host, and perhaps a path; no slash at its end.
    """

    url: str

    @classmethod
    def of(cls, base_url: str | LeftOut) -> Endpoint:
        """Take the argument, or else the environment variable RETAINPIXEL_BASE_URL.

        Raises:
            ValueError, TypeError: there is none, or it is no base URL.
        """
        text, source = _argument("base_url", base_url, _BASE_URL)
        if text is None:
            raise ValueError(f"there is no base URL: give base_url=, or set the environment variable {_BASE_URL}")
        if not isinstance(text, str):
            raise TypeError(f"{source} must be a str, not {type(text).__name__}")
        try:
            parts = urlsplit(text)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound or any(character <= " " or character == "\\" for character in text):
            raise ValueError(f"{source} must be like https://ingest.example")
        if "@" in parts.netloc:
            raise ValueError(f"{source} must hold no user name or password: it stands in logs")
        if "?" in text or "#" in text:
            raise ValueError(f"{source} must have no query and no fragment; the route is put behind it")
        return cls(text.rstrip("/"))


def _made(source: str, make: Callable[[], Any]) -> Any:
    """Make something out of an argument's or variable's value, and name that when the value does not do."""
    try:
        return make()
    except (ValueError, TypeError) as error:
        raise type(error)(f"{source}: {error}") from None


def _argument(name: str, value: Any, variable: str) -> tuple[Any, str]:
    """Give an argument, or else the variable's value or None; and which of the two it was, in words."""
    if value is not LEFT_OUT:
        if value is None or value == "":
            given = "None" if value is None else "empty"
            raise ValueError(
                f"{name}= is {given}: is the environment variable {variable} set? Leave it out to use that"
            )
        return value, f"{name}="
    found = os.environ.get(variable)
    if found == "":
        raise ValueError(f"the environment variable {variable} is empty")
    return found, variable
