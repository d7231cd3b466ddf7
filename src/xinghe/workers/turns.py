"""A few places, for which calls wait account by account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from xinghe.core import ACCOUNT
from xinghe.workers.fair import FairQueue


class Turns:
    """`places` calls at once; at most `waiting` more wait, at most `share` of one account."""

    def __init__(self, places: int, *, waiting: int, share: int) -> None:
        self._free = places
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue(most=waiting, share=share)

    def __len__(self) -> int:
        """How many wait."""
        return len(self._queue)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A place, within it. Raises `WorkerBusy` where the queue is full."""
        await self.take()
        try:
            yield
        finally:
            self.pass_on()

    async def take(self) -> None:
        """Wait for a place, for the account of `core.ACCOUNT`. Raises `WorkerBusy`."""
        if self._free:
            self._free -= 1
            return
        account = ACCOUNT.get()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(account, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not self._queue.remove(account, turn) and not turn.cancelled():
                self.pass_on()  # it had come in this very moment
            raise

    def pass_on(self) -> None:
        """Give the place that has become free to whose turn it is."""
        while taken := self._queue.take(lambda _: True):
            _, turn = taken
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
