"""Connections that go to the endpoints that were checked, and nowhere else."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Sequence

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from xinghe.fetching.policy import Endpoint


class _Checked(AbstractResolver):
    """Answers with the checked endpoints: the name is not looked up again (DNS rebinding)."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            {
                "hostname": host,
                "host": str(endpoint.address),
                "port": endpoint.port,
                "family": socket.AF_INET if endpoint.address.version == 4 else socket.AF_INET6,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for endpoint in self._endpoints
        ]

    async def close(self) -> None:
        pass


def connector(endpoints: Sequence[Endpoint], tls: ssl.SSLContext) -> aiohttp.TCPConnector:
    """A connector for one request; it opens no socket to another endpoint, whatever is asked."""

    def open_socket(info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, place = info
        if Endpoint(ipaddress.ip_address(place[0]), int(place[1])) not in endpoints:
            raise OSError("not an endpoint that was checked")
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(
        ssl=tls,
        resolver=_Checked(endpoints),
        use_dns_cache=False,
        force_close=True,
        socket_factory=open_socket,
    )
