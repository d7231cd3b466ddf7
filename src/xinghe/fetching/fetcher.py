"""One GET for a URL that a stranger chose (OWASP: server-side request forgery)."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

import aiodns
import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from xinghe import __version__
from xinghe.fetching.policy import Address, Endpoint, Policy, Target, read_target
from xinghe.settings import Fetching, SettingsError

MAX_REDIRECTS = 3
REDIRECTS = {301, 302, 303, 307, 308}
CONNECT_TIMEOUT = 5.0
"""Seconds for one address; the next one is tried after that."""
Reserve: TypeAlias = Callable[[int], Awaitable[None]]
"""Counts so many bytes, and may wait until there is room for them."""
USER_AGENT = f"Mozilla/5.0 (compatible; xinghe/{__version__})"
LOOKUP_TIMEOUT, LOOKUP_TRIES = 2.0, 2
"""Seconds of the first try (the next takes twice as long), and how often a server is asked.

What nobody waits for any more ends by itself so.
"""


class FetchError(Exception):
    """Nothing was fetched."""


class UrlRefused(FetchError):
    """The guard said no.

    One message for all cases: whether a name exists in the operator's network, and what it
    resolves to there, is nobody's business.
    """

    def __init__(self, ports: tuple[int, ...]) -> None:
        listed = ", ".join(map(str, ports))
        super().__init__(
            "the URL is refused: only http and https URLs of public hosts, without user and "
            f"password, on port {listed} are fetched"
        )


class FetchFailed(FetchError):
    """A permitted host did not give what was asked for; the message says how."""


class Resolve(Protocol):
    """All addresses of a host, best first. Raises `OSError` where there are none."""

    async def __call__(self, host: str, /) -> list[Address]: ...


class Resolver:
    """The name servers, search domains and hosts file of this machine, asked by c-ares.

    `getaddrinfo` would hold a thread for as long as it waits, and cannot be told to stop.
    `servers` (`address:port`) are asked in place of the machine's own.
    """

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = servers
        self._channel: aiodns.DNSResolver | None = None

    async def __call__(self, host: str, /) -> list[Address]:
        if self._channel is None:
            # Made late, because it belongs to the running loop.
            self._channel = aiodns.DNSResolver(
                self._servers, timeout=LOOKUP_TIMEOUT, tries=LOOKUP_TRIES
            )
        try:
            found = await self._channel.getaddrinfo(
                host, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM
            )
        except (aiodns.error.DNSError, UnicodeError) as error:
            raise OSError(f"no address ({type(error).__name__})") from None
        addresses = [ipaddress.ip_address(node.addr[0].decode()) for node in found.nodes]
        return list(dict.fromkeys(addresses))

    async def aclose(self) -> None:
        """Give up what is being looked up."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()


class Fetched(msgspec.Struct, frozen=True):
    """A body with what its server said of it; `final_url` is where the redirects ended."""

    data: bytes
    content_type: str
    final_url: str


class Fetcher:
    """Fetches under the guard of `[fetching]`; keeps no cookies and no connections.

    `resolve` is called once a hop; what it answers is checked, and that is what is connected to.
    Raises `SettingsError`.
    """

    def __init__(self, settings: Fetching, resolve: Resolve | None = None) -> None:
        self._policy = Policy(settings)
        self._own = Resolver()
        self._resolve = resolve or self._own
        self._tls = ssl.create_default_context()
        if settings.ca_file:
            try:
                self._tls.load_verify_locations(settings.ca_file)
            except OSError as error:
                raise SettingsError(f"fetching.ca_file is {settings.ca_file!r}: {error}") from error

    async def fetch(
        self,
        url: str,
        *,
        max_bytes: int,
        timeout: float,  # noqa: ASYNC109 (it is part of what the caller is told)
        accept: str = "*/*",
        reserve: Reserve | None = None,
    ) -> Fetched:
        """Get a URL, following at most three redirects.

        `max_bytes` bounds the body after decompression, `timeout` (seconds) the whole: look-ups,
        redirects and body. `accept` is sent as the header of that name; what came may be of
        another type all the same. `reserve` is told of each piece of the body before the next is
        read. Raises `UrlRefused`, `FetchFailed`, and what `reserve` raises.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._follow(url, max_bytes, accept, reserve)
        except TimeoutError:
            raise FetchFailed(f"the URL took longer than {timeout:g} s") from None

    async def aclose(self) -> None:
        """Give up the look-ups that nobody waits for any more."""
        await self._own.aclose()

    async def _follow(
        self, url: str, max_bytes: int, accept: str, reserve: Reserve | None
    ) -> Fetched:
        target = read_target(url)
        for _ in range(MAX_REDIRECTS + 1):
            if target is None:
                raise UrlRefused(self._policy.ports)
            got = await self._get(target, max_bytes, accept, reserve)
            if isinstance(got, Fetched):
                return got
            target = read_target(got, base=target.url)
        raise FetchFailed(f"the URL redirects more than {MAX_REDIRECTS} times")

    async def _get(
        self, target: Target, max_bytes: int, accept: str, reserve: Reserve | None
    ) -> Fetched | str:
        """One hop: a body, or where else to look."""
        endpoints = await self._endpoints(target)
        # Never `trust_env`: a proxy would look the name up again, and see another network.
        session = aiohttp.ClientSession(
            connector=_connector(endpoints, self._tls),
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

    async def _endpoints(self, target: Target) -> list[Endpoint]:
        """Where the target may be reached, all of it checked. Raises `UrlRefused`."""
        pinned = self._policy.pinned(target.host, target.port)
        if pinned is not None:
            return [pinned]
        if target.address is not None:
            addresses = [target.address]
        else:
            try:
                addresses = await self._resolve(target.host)
            except OSError:
                raise UrlRefused(self._policy.ports) from None
        endpoints = [Endpoint(address, target.port) for address in addresses]
        # One bad address condemns the name: mixed answers are how a guard is tried.
        if not endpoints or not all(self._policy.permits(target.host, e) for e in endpoints):
            raise UrlRefused(self._policy.ports)
        return endpoints


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
