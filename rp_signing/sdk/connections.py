"""What the connections of a client's own are made with: proxy and certificates."""

from __future__ import annotations

import ssl
from typing import Any

import httpx2

from .sender import Settings

__all__ = ["connection_options"]


def connection_options(settings: Settings, given: object, kind: type, transport: object) -> dict[str, Any]:
    """Give what the HTTP client is to be made with.

    Args:
        settings: the arguments of the client.
        given: its ``http_client``, or None.
        kind: what that has to be.
        transport: its ``transport``, or None.

    Raises:
        ValueError, TypeError: two that exclude one another, or one that makes no sense.
    """
    if given is not None and not isinstance(given, kind):
        raise TypeError(f"http_client= must be an httpx2.{kind.__name__}, not {type(given).__name__}")
    if given is not None and transport is not None:
        raise ValueError("give http_client= or transport=, not both")
    options: dict[str, Any] = {name: settings[name] for name in ("proxy", "verify") if name in settings}
    for name in options:
        if given is not None or transport is not None:
            raise ValueError(
                f"{name}= is for the connections of this client's own; give it to http_client= or transport="
            )
    if not isinstance(options.get("verify", True), (bool, ssl.SSLContext)):
        raise TypeError(f"verify= must be a bool or an ssl.SSLContext, not {type(options['verify']).__name__}")
    if "proxy" in options and not _sound(options["proxy"]):
        # Without what was given: a proxy's URL may hold a password.
        raise ValueError("proxy= must be like http://proxy.example:3128")
    return options


def _sound(proxy: Any) -> bool:
    try:
        return (proxy if isinstance(proxy, httpx2.Proxy) else httpx2.Proxy(proxy)).url.host != ""
    except Exception:
        return False
