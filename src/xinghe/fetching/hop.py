"""One request to endpoints that have been checked: the guard's side of aiohttp.

`Fetcher` loads it with the first URL: what it takes along is a fifth of the gateway's start.
"""

import ipaddress
import socket
import ssl
from collections.abc import Sequence

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from xinghe import __version__
from xinghe.fetching.fetched import Fetched, FetchFailed, Reserve
from xinghe.fetching.policy import Endpoint, Target

REDIRECTS = {301, 302, 303, 307, 308}
CONNECT_TIMEOUT = 5.0
"""Seconds for one address; the next one is tried after that."""
USER_AGENT = f"Mozilla/5.0 (compatible; xinghe/{__version__})"


async def get(
    target: Target,
    endpoints: Sequence[Endpoint],
    tls: ssl.SSLContext,
    max_bytes: int,
    accept: str,
    reserve: Reserve | None,
) -> Fetched | str:
    """A body, or where else to look. Raises `FetchFailed`, and what `reserve` raises."""
    # Never `trust_env`: a proxy would look the name up again, and see another network.
    session = aiohttp.ClientSession(
        connector=_connector(endpoints, tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
        headers={"User-Agent": USER_AGENT, "Accept": accept, "Accept-Encoding": "identity"},
        trust_env=False,
    )
    try:
        async with session, session.get(target.url, allow_redirects=False) as response:
            location = response.headers.get("Location")
            if response.status in REDIRECTS and location is not None:
                return location
            if response.status != 200:
                raise FetchFailed(f"the URL answered with HTTP status {response.status}")
            data = await _bounded(response, max_bytes, reserve)
            content_type = response.headers.get("Content-Type", "")
            return Fetched(data, content_type, str(target.url))
    except aiohttp.ClientConnectionError as error:
        raise FetchFailed("the URL's host could not be reached, or broke off") from error
    except aiohttp.ClientError as error:
        raise FetchFailed("the URL's host broke the HTTP protocol") from error


async def _bounded(
    response: aiohttp.ClientResponse, max_bytes: int, reserve: Reserve | None
) -> bytes:
    too_large = FetchFailed(f"the URL holds more than {max_bytes} bytes")
    if (response.content_length or 0) > max_bytes:
        raise too_large
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > max_bytes:
            raise too_large
        if reserve is not None:
            await reserve(len(chunk))
    return bytes(data)


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


def _connector(endpoints: Sequence[Endpoint], tls: ssl.SSLContext) -> aiohttp.TCPConnector:
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
