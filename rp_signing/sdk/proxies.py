"""Which proxy is to be taken: the argument's, or what the environment names for a URL, as httpx2 reads it.

Rule: a proxy's URL may hold a password, so its text is in no message, and in no frame of what refuses it.
"""

from __future__ import annotations

from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.request import getproxies

import httpx2

__all__ = ["environment_proxy", "proxy_of_environment", "take_proxy"]


def take_proxy(settings: dict[str, Any]) -> Exception | None:
    """Put an `httpx2.Proxy`, whose repr hides the password, in the place of a client's argument ``proxy``.

    What is wrong with it is given back and not raised, as by `rp_signing.sdk.credentials.take_credentials`.
    """
    if "proxy" not in settings:
        return None
    sound = _sound(settings.pop("proxy"), "proxy=")
    if isinstance(sound, Exception):
        return sound
    settings["proxy"] = sound
    return None


def proxy_of_environment(url: httpx2.URL) -> httpx2.Proxy | None:
    """Give the proxy that the environment names for a URL; None where there is none, or NO_PROXY covers it.

    Raises:
        ValueError: it makes no sense.
        ImportError: it speaks SOCKS, and what that needs is not installed.
    """
    found = environment_proxy(url)
    if found is None:
        return None
    sound = _sound(found, f"the environment variable {url.scheme.upper()}_PROXY or ALL_PROXY")
    del found
    if isinstance(sound, Exception):
        raise sound
    return sound


def environment_proxy(url: httpx2.URL) -> str | None:
    """Give the URL of the proxy for a URL, or None where there is none, or NO_PROXY covers it."""
    known = getproxies()
    found = known.get(url.scheme) or known.get("all")
    if not found or any(_covers(entry.strip(), url) for entry in known.get("no", "").split(",")):
        return None
    return found if "://" in found else f"http://{found}"


def _covers(entry: str, url: httpx2.URL) -> bool:
    """Tell whether an entry of NO_PROXY is about this URL; one that cannot be read is about none."""
    if entry in ("", "*"):
        return entry == "*"
    try:
        return ip_address(url.host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass  # at least one of the two is a name
    whole = "://" in entry or entry.startswith(("[", "*.")) or entry.lower() == "localhost"
    try:
        pattern = httpx2.URL(entry if "://" in entry else f"all://{entry}" if whole else f"all://*{entry}")
        spelled = pattern.host
    except (ValueError, httpx2.InvalidURL):
        return False
    if pattern.scheme not in ("all", url.scheme) or pattern.port not in (None, url.port) or pattern.path.strip("/"):
        return False
    name = spelled.removeprefix("*")
    if name == spelled:
        return name == url.host
    # example.com is about its subdomains too, .example.com about them alone.
    return url.host.endswith(name if name.startswith(".") else f".{name}") or url.host == name


def _sound(proxy: Any, source: str) -> httpx2.Proxy | Exception:
    """Give the proxy, or what is wrong with it."""
    if not isinstance(proxy, (str, httpx2.URL, httpx2.Proxy)):
        return TypeError(f"{source} must be a str, an httpx2.URL or an httpx2.Proxy, not {type(proxy).__name__}")
    try:
        sound = proxy if isinstance(proxy, httpx2.Proxy) else httpx2.Proxy(proxy)
    except (ValueError, httpx2.InvalidURL):
        sound = None
    if sound is None or not sound.url.host:
        return ValueError(f"{source} must be like http://proxy.example:3128; https, socks5 and socks5h are the others")
    if sound.url.scheme.startswith("socks") and find_spec("socksio") is None:
        return ImportError(f'{source} is a SOCKS proxy, which needs: pip install "httpx2[socks]"')
    return sound
