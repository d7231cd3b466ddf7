"""The addresses of a name, asked of this machine's name servers."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from xinghe.fetching.policy import Address

if TYPE_CHECKING:
    import aiodns

LOOKUP_TIMEOUT, LOOKUP_TRIES = 2.0, 2
"""Seconds of the first try (the next takes twice as long), and how often a server is asked.

What nobody waits for any more ends by itself so.
"""


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
            # With the first name, as most services fetch nothing; it would hold the loop for long.
            await asyncio.to_thread(import_module, "aiodns")
        import aiodns  # noqa: PLC0415

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
