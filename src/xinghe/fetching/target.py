"""A URL taken apart once, by the parser that also connects: two parsers would disagree."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from yarl import URL

from xinghe.fetching.addresses import Address

MAX_URL = 8192
"""Characters."""
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


@dataclass(frozen=True)
class Target:
    """Where a URL points; `address` where the host is written as one."""

    url: URL
    host: str
    port: int
    address: Address | None


def read_target(text: str, base: URL | None = None) -> Target | None:
    """Take a URL apart; `base` is what a relative one is relative to.

    `None` unless it is http or https, without user and password, and its host is a name or an
    address in canonical form: 127.1, 0x7f.0.0.1, 017700000001 and [fe80::1%25eth0] are none.
    """
    try:
        url = URL(text) if base is None else base.join(URL(text))
        host, port = url.raw_host, url.port
    except ValueError:
        return None
    decent = url.scheme in {"http", "https"} and url.user is None and url.password is None
    if len(text) > MAX_URL or not decent or not host or not port:
        return None
    try:
        return Target(url, host, port, ipaddress.ip_address(host))
    except ValueError:
        name = host.removesuffix(".").lower()
        return Target(url, name, port, None) if _is_name(name) else None


def _is_name(host: str) -> bool:
    # A last label that is a number makes `getaddrinfo` read the whole as an address.
    last = host.rpartition(".")[2]
    return len(host) <= 253 and bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(last)
