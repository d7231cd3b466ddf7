"""What may be connected to: public hosts, and what the operator names in spite of that."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from xinghe.fetching.addresses import Address, is_public
from xinghe.settings import Fetching, SettingsError

_PORT = re.compile(r"^(?P<place>\[[^\]]+\]|[^:]+):(?P<port>\d{1,5})$")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


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
