"""The connections of one client: kept between requests, and no more than it may have."""

from __future__ import annotations

import asyncio
import functools
from collections import deque

from xinghe.outbound.connection import Connection
from xinghe.outbound.dialing import dial
from xinghe.outbound.names import Names
from xinghe.outbound.proxy import Proxy
from xinghe.outbound.target import Origin

ENDS_WITHIN = 0.2
"""Seconds for which the end of an answer that has said all is waited for."""


class ConnectionPool:
    """`limit` is how many may be at work (0: any number), `idle` for how many seconds one is kept.

    It belongs to the running loop.
    """

    def __init__(self, connect: float, proxy: Proxy | None, limit: int, idle: float) -> None:
        self._connect = connect
        self.proxy = proxy
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._names = Names()
        self._at_work: set[Connection] = set()
        self._kept: dict[Origin, deque[tuple[float, Connection]]] = {}
        """By server, each with the time when it was given back; the last is taken first."""
        self._places = asyncio.Semaphore(limit) if limit else None
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def take(self, origin: Origin, until: float, *, fresh: bool) -> tuple[Connection, bool]:
        """A connection, and whether it is a kept one; `fresh`: it must not be. To be given back.

        Raises `Unreachable`, and `TimeoutError` where it does not come about until then.
        """
        if self._places is not None:
            async with asyncio.timeout_at(until):
                await self._places.acquire()
        kept = None if fresh else self._kept_one(origin)
        try:
            connection = kept or await self._made(origin, until)
        except BaseException:
            self._leave()
            raise
        self._at_work.add(connection)
        if self._is_closed:
            connection.drop()  # it was closed while this one came about
        return connection, kept is not None

    def give_back(self, connection: Connection, *, has_said_all: bool = False) -> None:
        """Keep it where another request may follow its answer, else drop it.

        Whoever `has_said_all` may send the end of that a moment later: `[DONE]` comes before the
        last chunk.
        """
        if connection not in self._at_work:
            return
        if has_said_all and connection.may_end and not self._is_closed:
            ended = connection.something(self._loop.time() + ENDS_WITHIN)
            ended.add_done_callback(functools.partial(self._keep_or_drop, connection))
        else:
            self._keep_or_drop(connection)

    def _keep_or_drop(
        self, connection: Connection, ended: asyncio.Future[None] | None = None
    ) -> None:
        if ended is not None:
            ended.exception()  # that it did not end in time is no news
        self._at_work.discard(connection)
        self._leave()
        if self._is_closed or not connection.may_be_kept:
            connection.drop()
            return
        connection.take()  # what nobody wanted to read
        kept = self._kept.setdefault(connection.origin, deque())
        kept.append((self._loop.time(), connection))
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._idle, self._drop_idle)

    def close(self) -> None:
        """Drop them all, also those at work."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for kept in self._kept.values():
            for _, connection in kept:
                connection.drop()
        self._kept.clear()
        for connection in self._at_work:
            connection.drop()

    async def _made(self, origin: Origin, until: float) -> Connection:
        async with asyncio.timeout_at(until):
            return await dial(origin, self.proxy, self._connect, self._names)

    def _kept_one(self, origin: Origin) -> Connection | None:
        kept = self._kept.get(origin, ())
        oldest = self._loop.time() - self._idle
        while kept:
            since, connection = kept.pop()
            if since >= oldest and connection.is_clean:
                return connection
            connection.drop()
        return None

    def _drop_idle(self) -> None:
        self._sweep = None
        now, first = self._loop.time(), None
        for origin, kept in list(self._kept.items()):
            while kept and (kept[0][0] <= now - self._idle or not kept[0][1].may_be_kept):
                kept.popleft()[1].drop()
            if not kept:
                del self._kept[origin]
            elif first is None or kept[0][0] < first:
                first = kept[0][0]
        if first is not None:
            self._sweep = self._loop.call_at(first + self._idle, self._drop_idle)

    def _leave(self) -> None:
        if self._places is not None:
            self._places.release()
