"""Which proxy the environment names for a URL, as httpx2 reads it: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from urllib.request import getproxies

import httpx2

__all__ = ["environment_proxy"]


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
