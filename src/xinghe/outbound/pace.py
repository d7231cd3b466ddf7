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


_free_at: WeakKeyDictionary[asyncio.AbstractEventLoop, float] = WeakKeyDictionary()
"""When the next answer that has to wait may go on, in the time of its loop's clock."""


class Pace:
    """Of one answer. A block `with pace:` is work on it, in which nothing else can run."""

    __slots__ = ("_began", "_loop", "_paid", "_spent")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
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

    def spend(self, seconds: float) -> None:
        """Count work that is done elsewhere: `A_READ` each, `A_CHARACTER` each."""
        self._spent += seconds

    def wait(self) -> float:
        """The seconds to wait before more is done; 0 within the answer's own share."""
        now = self._loop.time()
        spent, self._spent = self._spent, 0.0
        self._paid = max(self._paid, now) + spent / OWN_SHARE
        if self._paid - now <= OWN_BURST / OWN_SHARE:
            return 0.0
        free_at = max(_free_at.get(self._loop, 0.0), now) + spent / SHARE
        _free_at[self._loop] = free_at
        # What is waited for is paid.
        self._paid = max(now, self._paid - spent / OWN_SHARE)
        return min(free_at - now, LONGEST)
