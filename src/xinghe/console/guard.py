"""What keeps other sites out: hosts, origins, forms' marks, and the headers of every page."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from xinghe.settings import Settings

HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
]
"""Of every answer: no code but our own files, no frame, nothing for other sites."""

_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?")


class Hosts:
    """Under which names pages are served.

    A name of anybody's may be made to point here (DNS rebinding): then a page of his would be of
    one origin with ours. Addresses cannot: whoever asks for one means it.
    """

    def __init__(self, settings: Settings) -> None:
        named = {settings.server.host, urlsplit(settings.server.public_url).hostname or ""}
        self._names = named | {"localhost", *settings.console.hosts}

    def allow(self, host: str) -> bool:
        match = _HOST.fullmatch(host.lower())
        if match is None:
            return False
        name = match["six"] or match["name"].rstrip(".")
        return name in self._names or _is_address(name)


def is_ours(headers: Mapping[str, str], public_url: str) -> bool:
    """Whether a request that changes something comes from a page of ours, by what browsers say.

    A proxy in front may have put a host of its own in place of that of the public URL.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    ours = {headers.get("host", "").lower(), urlsplit(public_url).netloc.lower()}
    # Whatever is no origin has no host behind its scheme, or one that is not ours.
    return origin is None or origin.lower().partition("://")[2] in ours - {""}


def mark(secret: str) -> str:
    """What a form holds for the secret in the browser's cookie, which no other site can read."""
    return hashlib.sha256(f"form {secret}".encode()).hexdigest()[:32]


def is_marked(secret: str, given: str) -> bool:
    return bool(secret) and hmac.compare_digest(mark(secret).encode(), given.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
