"""How long to wait before a child that died is started again."""

from __future__ import annotations

import time

FIRST, LAST = 0.2, 30.0
STEADY = 60.0
"""A child that lived this many seconds was well: the next wait is the first again."""


class Backoff:
    """Doubles from one early death to the next."""

    def __init__(self) -> None:
        self._delay = FIRST
        self._started = 0.0

    def started(self) -> None:
        self._started = time.monotonic()

    def next(self) -> float:
        """Seconds to wait now that the child has died."""
        if time.monotonic() - self._started > STEADY:
            self._delay = FIRST
        delay, self._delay = self._delay, min(self._delay * 2, LAST)
        return delay
