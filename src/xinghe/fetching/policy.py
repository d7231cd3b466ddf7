"""What may be fetched: URLs of public hosts, and what the operator names in spite of that."""

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

from yarl import URL

from xinghe.settings import Fetching, SettingsError

Address: TypeAlias = IPv4Address | IPv6Address

MAX_URL = 8192
"""Characters."""
_PORT = re.compile(r"^(?P<place>\[[^\]]+\]|[^:]+):(?P<port>\d{1,5})$")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")

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


@dataclass(frozen=True)
class Target:
    """Where a URL points; `address` where the host is written as one."""

    url: URL
    host: str
    port: int
    address: Address | None


def read_target(text: str, base: URL | None = None) -> Target | None:
    """Take a URL apart once, by the parser that also connects: two parsers would disagree.

    `base` is what a relative one is relative to.

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


@dataclass(frozen=True)
class Endpoint:
    """Where a connection goes."""

    address: Address
    port: int


@dataclass(frozen=True)
class _Rule:
    name: str | None
    network: IPv4Network | IPv6Network | None
    port: int | None


class Policy:
    """The settings of `[fetching]`, read once. Raises `SettingsError`."""

    def __init__(self, settings: Fetching) -> None:
        self.ports = settings.ports
        self._rules = [_rule(entry) for entry in settings.allow]
        self._hosts = {
            _host_name(name): _endpoint(name, value) for name, value in settings.hosts.items()
        }

    def pinned(self, host: str, port: int) -> Endpoint | None:
        """Where the operator's `hosts` table sends a name, if it holds it."""
        endpoint = self._hosts.get(host)
        if endpoint is None or port not in self.ports:
            return None
        address, other = endpoint
        return Endpoint(address, other or port)

    def permits(self, host: str, endpoint: Endpoint) -> bool:
        """Whether a URL of `host` may lead there."""
        usual = endpoint.port in self.ports
        if usual and is_public(endpoint.address):
            return True
        return any(
            (rule.name == host or (rule.network is not None and endpoint.address in rule.network))
            and (usual if rule.port is None else rule.port == endpoint.port)
            for rule in self._rules
        )


def _rule(entry: str) -> _Rule:
    place, port = _split(entry, "fetching.allow", entry)
    try:
        return _Rule(None, ipaddress.ip_network(place), port)
    except ValueError:
        if "/" in place or ":" in place or place.replace(".", "").isdigit():
            raise _bad("fetching.allow", entry) from None
    if not _NAME.fullmatch(place.lower()):
        raise _bad("fetching.allow", entry)
    return _Rule(place.lower(), None, port)


def _host_name(name: str) -> str:
    if not _NAME.fullmatch(name.lower()) or name.replace(".", "").isdigit():
        raise SettingsError(f"fetching.hosts: {name!r} is not a host name")
    return name.lower()


def _endpoint(name: str, value: str) -> tuple[Address, int | None]:
    place, port = _split(value, f"fetching.hosts.{name}", value)
    try:
        return ipaddress.ip_address(place), port
    except ValueError:
        raise SettingsError(
            f'fetching.hosts.{name} is {value!r}: must be "address" or "address:port"'
        ) from None


def _split(text: str, field: str, value: str) -> tuple[str, int | None]:
    match = _PORT.match(text)
    if match is None:
        return text.removeprefix("[").removesuffix("]"), None
    port = int(match["port"])
    if not 1 <= port <= 65535:
        raise SettingsError(f"{field} is {value!r}: its port must be between 1 and 65535")
    return match["place"].removeprefix("[").removesuffix("]"), port


def _bad(field: str, value: str) -> SettingsError:
    return SettingsError(
        f'{field} holds {value!r}: each entry must be "host", "host:port", '
        '"network/prefix" or "[network/prefix]:port"'
    )
