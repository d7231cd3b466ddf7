"""Whose request it is by its address, where proxies may stand in front of the service."""

import ipaddress
from collections.abc import Iterable, Sequence

from starlette.types import Scope

from xinghe.settings import Server

FORWARDED = b"x-forwarded-for"
MOST = 20
"""Entries of the header that are looked at."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def trusted(server: Server) -> Sequence[Network]:
    """The operator's own proxies."""
    return [ipaddress.ip_network(entry) for entry in server.trusted_proxies]


def client_address(scope: Scope, proxies: Sequence[Network]) -> str:
    """The nearest address that is none of the operator's own proxies.

    Each proxy adds to the right whom it was asked by; what stands left of one that is not trusted
    may be anything.
    """
    address: str = scope["client"][0] if scope.get("client") else ""
    for before in _forwarded(scope["headers"]):
        if not _is_one(address, proxies):
            break
        address = before
    return address


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """The entries of the header, the last first."""
    values = [value.decode("latin-1") for name, value in headers if name == FORWARDED]
    entries = (entry.strip() for entry in ",".join(values).split(",")[-MOST:])
    return [entry for entry in entries if entry][::-1]


def _is_one(address: str, proxies: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in proxies)
