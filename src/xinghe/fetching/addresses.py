"""Which addresses are public: reachable by anyone, and so no secret of the operator's network."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

# Listed here as well as in `ipaddress`, whose answer differs between the versions of Python.
# IANA's registries of special-purpose addresses (RFC 6890), and one public address of a cloud.
_SPECIAL_V4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; one cloud keeps its metadata here
        "127.0.0.0/8",
        "168.63.129.16/32",  # the host agent of Azure, seen only from inside
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
]
# Everything outside of it is local, mapped, translated (NAT64), reserved or multicast.
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo, which embeds an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4 embeds an IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]


def is_public(address: Address) -> bool:
    """Whether anyone on the internet may reach the address.

    False for addresses that carry another one inside (IPv4-mapped, 6to4, Teredo, NAT64), whatever
    it is, and for an address with a zone.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return (
        address.scope_id is None
        and address in _GLOBAL_UNICAST_V6
        and not any(address in network for network in _SPECIAL_V6)
    )
