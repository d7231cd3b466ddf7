"""The proxy on the way to a server: which one the environment names, and what it is told."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from xinghe.outbound.target import Origin, login_in, origin_in


class Proxy(msgspec.Struct, frozen=True):
    """An HTTP proxy; `login` is the `Proxy-Authorization` that its URL amounts to."""

    origin: Origin
    login: str | None


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL.

    Asked once for a server: each look into the environment takes time.
    """
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy is None or parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return proxy


def proxy_at(url: str) -> Proxy:
    """Raises `ValueError` for what is no URL of HTTP."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    return Proxy(origin_in(parts), login_in(parts))
