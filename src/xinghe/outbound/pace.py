"""How much of the event loop the floods of other servers may take.

An answer that comes as ordinary ones do never waits here. What costs more, be it millions of
empty lines or chunks of one byte, waits its turn behind all others of its kind, and these
together leave most of the loop to everybody else.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from weakref import WeakKeyDictionary

A_READ = 0.0001
"""Seconds that a read costs whatever it brings: a turn of the loop, and a turn of the task."""
A_CHARACTER = 0.0000005
"""Seconds that a character of an answer costs on its way to the client, checks included."""
OWN_SHARE, OWN_BURST = 0.05, 0.005
"""What an answer may take without waiting: so much of the loop, and so many seconds at once."""
SHARE = 0.2
"""Of the loop, for all answers together that take more."""
LONGEST = 1.0
"""Seconds of one wait: the server is not to be taken for a silent one meanwhile."""


class _Queue:
    """When the next answer that has to wait may go on."""

    __slots__ = ("free",)

    def __init__(self) -> None:
        self.free = 0.0


_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue] = WeakKeyDictionary()


class Pace:
    """Of one answer. A block `with pace:` is work on it, in which nothing else can run."""

    __slots__ = ("_began", "_clock", "_paid", "_queue", "_spent")

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._queue = _queues.setdefault(loop, _Queue())
        self._began = 0.0
        self._spent = 0.0
        """Seconds since `wait` was last asked."""
        self._paid = 0.0
        """The time of the loop's clock until which its own share is used up."""

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spent += time.perf_counter() - self._began

    def read(self) -> None:
        """Count one read."""
        self._spent += A_READ

    def characters(self, count: int) -> None:
        """Count text that is passed on."""
        self._spent += count * A_CHARACTER

    def wait(self) -> float:
        """The seconds to wait before more is done; 0 within the answer's own share."""
        now = self._clock()
        spent, self._spent = self._spent, 0.0
        self._paid = max(self._paid, now) + spent / OWN_SHARE
        if self._paid - now <= OWN_BURST / OWN_SHARE:
            return 0.0
        queue = self._queue
        queue.free = max(queue.free, now) + spent / SHARE
        # What is waited for is paid.
        self._paid = max(now, self._paid - spent / OWN_SHARE)
        return min(queue.free - now, LONGEST)
