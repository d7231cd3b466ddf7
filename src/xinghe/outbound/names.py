"""The addresses of servers, as the system's resolver knows them."""

from __future__ import annotations

import asyncio
import socket
from itertools import chain, zip_longest
from typing import Any

from xinghe.outbound.target import Origin

KNOWN_FOR = 10.0
"""Seconds for which nobody asks for the same name again."""
Address = tuple[int, tuple[Any, ...]]
"""A family, and what `connect` takes."""


class Names:
    """What one pool of connections knows. Of many who want the same name at once one asks."""

    def __init__(self) -> None:
        self._asked: dict[Origin, asyncio.Task[list[Address]]] = {}

    async def addresses(self, origin: Origin) -> list[Address]:
        """Families by turns, otherwise in the order of the resolver. Raises `OSError`."""
        if (task := self._asked.get(origin)) is None:
            try:  # an address is its own name: nobody needs to be asked
                return _by_turns(
                    socket.getaddrinfo(
                        origin.host,
                        origin.port,
                        type=socket.SOCK_STREAM,
                        flags=socket.AI_NUMERICHOST,
                    )
                )
            except socket.gaierror:
                task = self._asked[origin] = asyncio.create_task(_asked(origin))
                task.add_done_callback(lambda done: self._answered(origin, done))
        return await asyncio.shield(task)

    def _answered(self, origin: Origin, task: asyncio.Task[list[Address]]) -> None:
        if task.cancelled() or task.exception() is not None:
            del self._asked[origin]
        else:
            task.get_loop().call_later(KNOWN_FOR, self._asked.pop, origin)


async def _asked(origin: Origin) -> list[Address]:
    loop = asyncio.get_running_loop()
    return _by_turns(await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM))


def _by_turns(found: list[Any]) -> list[Address]:
    by_family: dict[int, list[Address]] = {}
    for family, _, _, _, address in found:
        by_family.setdefault(family, []).append((family, address))
    return [one for one in chain(*zip_longest(*by_family.values())) if one is not None]
