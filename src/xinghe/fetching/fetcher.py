"""One GET for a URL that a stranger chose (OWASP: server-side request forgery)."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol

from xinghe.fetching.fetched import Fetched, FetchFailed, Reserve, UrlRefused
from xinghe.fetching.names import Resolver
from xinghe.fetching.policy import Address, Endpoint, Policy, Target, read_target
from xinghe.settings import Fetching, SettingsError

MAX_REDIRECTS = 3


class Resolve(Protocol):
    """All addresses of a host, best first. Raises `OSError` where there are none."""

    async def __call__(self, host: str, /) -> list[Address]: ...


class Fetcher:
    """Fetches under the guard of `[fetching]`; keeps no cookies and no connections.

    `resolve` is called once a hop; what it answers is checked, and that is what is connected to.
    Raises `SettingsError`.
    """

    def __init__(self, settings: Fetching, resolve: Resolve | None = None) -> None:
        self._policy = Policy(settings)
        self._own = Resolver()
        self._resolve = resolve or self._own
        self._tls: ssl.SSLContext | None = None
        """Made for the first URL, as the machine's certificates take long to load; but a file of
        the operator's is looked at now."""
        if settings.ca_file:
            try:
                self._tls = ssl.create_default_context()
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
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        get = await asyncio.to_thread(_get)
        return await get(target, endpoints, self._tls, max_bytes, accept, reserve)

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


def _get() -> Callable[..., Awaitable[Fetched | str]]:
    """What makes a request; off the loop, as with the first one aiohttp is loaded."""
    from xinghe.fetching.hop import get  # noqa: PLC0415 - most services fetch nothing

    return get
