"""What a client is told about itself, by arguments or the environment: api key, secret, base URL (SPEC §8).

Rule: the texts of the api key and the secret are in here, and leave as headers of a request only.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import httpx2

from .. import grammar, wire
from ..keys import ApiKey, Secret, forgetting
from ..signing import Signer, event_signing_input

__all__ = ["ALLOW_LIVE", "Credentials", "Endpoint", "fault_of_url", "take_credentials"]

_LOG = logging.getLogger("rp_signing.sdk")

_API_KEY = "RETAINPIXEL_API_KEY"
_SECRET = "RETAINPIXEL_HMAC_SECRET"  # noqa: S105 - the name of a variable
_BASE_URL = "RETAINPIXEL_BASE_URL"
_ROUTE = re.compile(r"/v1/(?:track|identify|group|batch|check)/*\Z")
ALLOW_LIVE = "RETAINPIXEL_ALLOW_LIVE_IN_TESTS"
"""The environment variable that, set to 1, lets a live api key be used inside a run of pytest."""


class Credentials:
    """The api key and, for a client that signs, the secret. Its repr shows ids alone.

    Args:
        api_key: its text.
        secret: without one, nothing is signed.
        clock: gives Unix seconds; `time.time` when None.
        nonce: gives a fresh nonce; random when None.

    Attributes:
        api_key_id: 16 hex digits; public.
        key_id: of the secret, 16 hex digits; public. None for a client that does not sign.

    Raises:
        ValueError: the api key breaks a rule of SPEC §8, or the secret is not of its kind, live or test.
    """

    __slots__ = ("_api_key", "_clock", "_secret", "_signer", "api_key_id", "key_id")

    def __init__(
        self,
        api_key: str,
        secret: Secret | None,
        clock: Callable[[], float] | None,
        nonce: Callable[[], str] | None,
    ) -> None:
        self.api_key_id: str = ApiKey(api_key).api_key_id
        self._api_key = api_key
        self._secret = secret
        self._clock = clock
        self._signer = None if secret is None else Signer(api_key=api_key, secret=secret, clock=clock, nonce=nonce)
        self.key_id: str | None = None if secret is None else secret.key_id
        if secret is None:
            _LOG.warning("api key %s: events are sent unsigned; set %s to sign them", self.api_key_id, _SECRET)

    @property
    def signs(self) -> bool:
        """Whether there is a secret, so that everything is signed."""
        return self._secret is not None

    def now(self) -> float:
        """Give Unix seconds."""
        return (self._clock or time.time)()

    def event_signature(self, covered: bytes) -> str:
        """Give the ``integrity_signature`` of an event (SPEC §5, INP-4).

        Args:
            covered: the canonical form of the event without that member, UTF-8.

        Raises:
            ValueError: this client does not sign.
        """
        if self._secret is None:
            raise ValueError("there is no secret to sign with")
        signing_input = event_signing_input(covered, self.api_key_id, self._secret.key_id)
        return grammar.spell_mac(self._secret.mac(signing_input))

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


def take_credentials(settings: dict[str, Any]) -> Credentials | ValueError | TypeError:
    """Take ``api_key`` and ``secret`` out of a client's arguments, whatever comes of it.

    What is wrong with them is given back and not raised: a traceback keeps the frames that it went through, and with
    them the text of a secret that was refused. The message names the argument or variable, and never holds the text.

    Args:
        settings: the client's arguments; ``clock`` and ``nonce`` stay in there. An api key that is not there is that of
            the environment variable RETAINPIXEL_API_KEY, a secret that of RETAINPIXEL_HMAC_SECRET.
    """
    given: dict[str, Any] = {name: settings.pop(name) for name in ("api_key", "secret") if name in settings}
    source = ""
    try:
        text, source = _argument(given, "api_key", _API_KEY)
        if text is None:
            return ValueError(f"there is no api key: give api_key=, or set the environment variable {_API_KEY}")
        if ApiKey(text).live and _within_pytest() and os.environ.get(ALLOW_LIVE) != "1":
            return ValueError(
                f"{source} is a live api key, inside a run of pytest: use a test one, or the fixture sent_events, "
                f"which sends nothing; {ALLOW_LIVE}=1 allows it"
            )
        for source in ("clock", "nonce"):
            if not (settings.get(source) is None or callable(settings[source])):
                return TypeError(f"{source}= must be a function, not {type(settings[source]).__name__}")
        held, source = _argument(given, "secret", _SECRET)
        secret = held if held is None or isinstance(held, Secret) else Secret(held)
        return Credentials(text, secret, settings.get("clock"), settings.get("nonce"))
    except _Refused as fault:
        return ValueError(str(fault))
    except (ValueError, TypeError) as fault:
        return type(fault)(f"{source}: {fault}")


def _within_pytest() -> bool:
    # The first stands from before the tests are collected to the end of the run, and in child processes.
    return "PYTEST_VERSION" in os.environ or "PYTEST_CURRENT_TEST" in os.environ


class Endpoint(NamedTuple):
    """Where events go.

    Attributes:
        url: http or https, a host, and perhaps a path; no slash at its end.
        parsed: the same.
    """

    url: str
    parsed: httpx2.URL

    @classmethod
    @forgetting
    def of(cls, settings: dict[str, Any]) -> Self:
        """Take the argument ``base_url``, or else the environment variable RETAINPIXEL_BASE_URL.

        Args:
            settings: the client's arguments; ``base_url`` is taken out, so that no frame holds one that was refused.

        Raises:
            ValueError, TypeError: there is none, or it is no base URL.
        """
        given = {"base_url": settings.pop("base_url")} if "base_url" in settings else {}
        text, source = _argument(given, "base_url", _BASE_URL)
        if text is None:
            raise ValueError(f"there is no base URL: give base_url=, or set the environment variable {_BASE_URL}")
        if not isinstance(text, str):
            raise TypeError(f"{source} must be a str, not {type(text).__name__}")
        fault = fault_of_url(text)
        if fault is not None:
            raise ValueError(f"{source} must be like https://ingest.example; {fault}")
        base = text.rstrip("/")
        return cls(base, httpx2.URL(base))


def fault_of_url(text: str) -> str | None:
    """Say what keeps a text from being a base URL, without showing it: it may be a secret in the wrong place."""
    if any(character <= " " or character == "\\" for character in text):
        return "there is a space, a control character or a backslash in it"
    try:
        parts, host = urlsplit(text), httpx2.URL(text).host
        port = parts.port
    except (ValueError, httpx2.InvalidURL):
        return "its host or port is none"
    faults = {
        "it does not begin with https:// or http://": parts.scheme not in ("http", "https"),
        "it has no host": not host,
        "its port is 0": port == 0,
        "it holds a user name or password, and it stands in logs": "@" in parts.netloc,
        "it has a query or a fragment, and the route is put behind it": "?" in text or "#" in text,
        "the route at its end is put there for each request; leave it out": _ROUTE.search(parts.path) is not None,
    }
    return next((fault for fault, found in faults.items() if found), None)


class _Refused(ValueError):
    """Says itself which argument or variable it is about."""


def _argument(given: dict[str, Any], name: str, variable: str) -> tuple[Any, str]:
    """Give an argument, or else the variable's value or None; and which of the two it was, in words."""
    if name in given:
        value = given[name]
        # None is what os.environ.get of a missing variable gives, and must never turn signing off.
        if value is None or value == "":
            said = "None" if value is None else "empty"
            raise _Refused(f"{name}= is {said}: is the environment variable {variable} set? Leave it out to use that")
        return value, f"{name}="
    found = os.environ.get(variable)
    if found == "":
        raise _Refused(f"the environment variable {variable} is empty")
    return found, variable
