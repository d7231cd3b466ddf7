"""The HTTP client of servers that the operator has named."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from urllib.parse import urlsplit

from xinghe.outbound.faults import fault_of
from xinghe.outbound.pool import ConnectionPool
from xinghe.outbound.proxy import proxy_at
from xinghe.outbound.request import Request, SentRequest, request_head
from xinghe.outbound.response import Response
from xinghe.outbound.target import target_of

IDLE_SECONDS = 15.0
ANSWERED = (200, 201, 203)
"""Some frameworks say "created" to every POST, and a proxy may own up to what it has changed."""


def origin_of(url: str) -> str:
    """Scheme, host and port: fit to be shown, as keys may stand in the rest of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class Client:
    """Connections to servers, kept open between calls.

    `connect` seconds may pass for one address, `silence` seconds in which the server says
    nothing. `limit` is the most connections (0: as many as it takes), `idle` how many seconds one
    is kept. `success` are the statuses of an answer; any other is a refusal. Redirects are not
    followed, cookies not kept, compressed answers not asked for.
    """

    def __init__(
        self,
        connect: float,
        silence: float,
        *,
        proxy: str | None = None,
        limit: int = 0,
        idle: float = IDLE_SECONDS,
        success: Container[int] = ANSWERED,
    ) -> None:
        self._connect = connect
        self._silence = silence
        self._proxy = proxy
        self._limit = limit
        self._idle = idle
        self._success = success
        self._pool: ConnectionPool | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Response:
        """Send a request; the answer when its head has come, to be used in a `with`.

        Raises `Unreachable`, `Silent`, `Broken`, and `Refused` for a status that is no success.
        """
        return await (await self.start(method, url, headers=headers, body=body)).answer()

    async def start(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        silence: float | None = None,
        again: bool = False,
    ) -> SentRequest:
        """Have a server take a request, whose answer is still to come.

        `silence` in place of the client's own. `again`: where a kept connection is closed before
        anything is answered, it is sent once more, on a fresh one. Raises `Unreachable`, `Silent`,
        `Broken`.
        """
        silence = silence or self._silence
        until = asyncio.get_running_loop().time() + self._connect + silence
        try:
            # Made late, because it belongs to the running loop.
            pool = self._pool = self._pool or self._opened()
            target = target_of(url)
            head = request_head(method, target, headers, body, pool.proxy)
        except ValueError as error:
            raise fault_of(error, begun=False) from None
        asked = SentRequest(
            pool,
            Request(target.origin, head, body or b"", self._success, silence, until, again),
        )
        await asked.send()
        return asked

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        most: int,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> bytes:
        """The body that is answered, of at most `most` bytes. Raises `CallFailed`."""
        with await self.send(method, url, headers=headers, body=body) as answer:
            return await answer.whole(most)

    async def aclose(self) -> None:
        """Drop the connections; a later call opens new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
            await asyncio.sleep(0)  # the loop lets go of them in its next turn

    def _opened(self) -> ConnectionPool:
        proxy = None if self._proxy is None else proxy_at(self._proxy)
        return ConnectionPool(self._connect, proxy, self._limit, self._idle)
