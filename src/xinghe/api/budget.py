"""A budget over the bytes that all requests at work in this process keep in memory.

These are their bodies, and the pictures that were fetched for them.
"""

from __future__ import annotations

import asyncio

from xinghe.api.memory import Trimmer

WAIT_SECONDS = 2.0
"""How long a request waits for others to end before it is refused."""


class BudgetExceeded(Exception):
    """There was no room for a part of a body in time."""


class BodyBudget:
    """Counts what has arrived, not what was announced: an announcement takes no memory."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._freed = asyncio.Event()
        self._trimmer = Trimmer()

    async def take(self, size: int) -> None:
        """Count bytes in, once there is room for them. Raises `BudgetExceeded`."""
        if self.used + size > self.limit:
            await self._room(size)
        self.used += size

    def give(self, size: int) -> None:
        """Count bytes out."""
        self.used -= size
        self._trimmer.freed(size)
        self._freed.set()

    async def _room(self, size: int) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while self.used + size > self.limit:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            raise BudgetExceeded from None
