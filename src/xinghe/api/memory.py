"""Gives memory back to the system after large bodies.

The allocator keeps what small strings were cut from, spread over tens of megabytes, until it is
asked (`malloc_trim` of glibc; where there is none, nothing is done).
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

MUCH = 8 * 1024 * 1024
"""Bytes of bodies after which it is worth 10 ms."""
SOON = 1.0
"""Seconds: what was answered is forgotten by then, and others may have ended too."""

_trim: Callable[[int], object] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)


class Trimmer:
    """Trims the heap after `MUCH` was freed, once a second at most."""

    def __init__(self) -> None:
        self._freed = 0
        self._due: asyncio.TimerHandle | None = None
        self._work: asyncio.Future[object] | None = None

    def freed(self, size: int) -> None:
        """A request has let go of `size` bytes."""
        self._freed += size
        if self._freed >= MUCH and self._due is None and _trim is not None:
            self._due = asyncio.get_running_loop().call_later(SOON, self._begin, _trim)

    def _begin(self, trim: Callable[[int], object]) -> None:
        self._due, self._freed = None, 0
        # Without the interpreter's lock, so that on a thread it is in nobody's way.
        self._work = asyncio.get_running_loop().run_in_executor(None, trim, 0)
