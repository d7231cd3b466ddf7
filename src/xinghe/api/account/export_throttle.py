"""Exports take turns: however many there are, they have half of the gateway's time at most.

To read and write a page of rows is some milliseconds of work in Python, in which little else of
the process goes on.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LONGEST_REST = 0.25
"""Seconds."""


class ExportThrottle:
    """One page is made at a time; where others wait, nothing is for as long as it took."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Make a page within it. Who came first is first."""
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        began = time.perf_counter()
        try:
            yield
        finally:
            if self._waiting:
                rest = min(LONGEST_REST, time.perf_counter() - began)
                asyncio.get_running_loop().call_later(rest, self._lock.release)
            else:
                self._lock.release()
