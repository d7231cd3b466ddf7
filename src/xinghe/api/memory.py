"""The memory of this process: what requests keep is bounded, given back, and passed over.

The allocator keeps what small strings were cut from, spread over tens of megabytes, until it is
asked (`malloc_trim` of glibc; where there is none, nothing is done).
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WAIT_SECONDS = 2.0
"""How long a request waits for others to end before it is refused."""
MUCH = 8 * 1024 * 1024
"""Bytes of bodies after which it is worth 10 ms to trim the heap."""
SOON = 1.0
"""Seconds: what was answered is forgotten by then, and others may have ended too."""

_trim: Callable[[int], object] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)


class BudgetExceeded(Exception):
    """There was no room for a part of a body in time."""


class BodyBudget:
    """A budget over the bytes that all requests at work keep: bodies, and pictures for them.

    It counts what has arrived, not what was announced: an announcement takes no memory. The heap
    is trimmed after `MUCH` was freed, once a second at most.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._freed = asyncio.Event()
        self._untrimmed = 0
        self._due: asyncio.TimerHandle | None = None
        self._trimming: asyncio.Future[object] | None = None

    async def take(self, size: int) -> None:
        """Count bytes in, once there is room for them. Raises `BudgetExceeded`."""
        if self.used + size > self.limit:
            await self._wait_for_room(size)
        self.used += size

    def give(self, size: int) -> None:
        """Count bytes out."""
        self.used -= size
        self._freed.set()
        self._untrimmed += size
        if self._untrimmed >= MUCH and self._due is None and _trim is not None:
            self._due = asyncio.get_running_loop().call_later(SOON, self._begin_trim, _trim)

    async def _wait_for_room(self, size: int) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while self.used + size > self.limit:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            raise BudgetExceeded from None

    def _begin_trim(self, trim: Callable[[int], object]) -> None:
        self._due, self._untrimmed = None, 0
        # Without the interpreter's lock, so that on a thread it is in nobody's way.
        self._trimming = asyncio.get_running_loop().run_in_executor(None, trim, 0)


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Within the block the garbage collector passes over what is loaded now.

    The modules and tables of a gateway are some 130,000 objects that stay. A full collection that
    looks through them and a large body holds the loop for 60 ms and more.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
