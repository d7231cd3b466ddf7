"""How long the event loop was away: meanwhile the gateway serves nobody."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

from xinghe.observe.metrics import LOOP_LAG

PERIOD = 0.02
"""Seconds between two looks: short enough to see 100 ms, and half a per cent of one core."""


class _Watch:
    """A timer of the running loop that records how late it comes."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last = time.monotonic()
        self._timer = self._loop.call_later(PERIOD, self._look)

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        now = time.monotonic()
        since = now - self._last
        late = since - PERIOD
        # What stood in the way may have begun right after the last look: rather too much is
        # told than too little.
        LOOP_LAG.observe(since if late > PERIOD else max(0.0, late))
        self._last = now
        self._timer = self._loop.call_later(PERIOD, self._look)


@contextmanager
def watched() -> Iterator[None]:
    """Within the block the running loop is measured."""
    watch = _Watch()
    try:
        yield
    finally:
        watch.stop()


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
