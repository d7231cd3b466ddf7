"""The memory of this process: what requests leave is given back, what stays passed over.

The allocator keeps what small strings were cut from, spread over tens of megabytes, until it is
asked (`malloc_trim` of glibc; where there is none, nothing is done).
"""

import asyncio
import ctypes
import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MUCH = 8 * 1024 * 1024
"""Bytes that make it worth 10 ms to trim the heap."""
SOON, SELDOM = 1.0, 8.0
"""Seconds between two trims, where the last one gave much back and where it did not."""
YOUNG = 5000
"""New objects at which the garbage collector looks through them. Sixteen requests at work hold more
than Python's 700: it would look at each request's again and again, and find nothing."""


@contextmanager
def trimmed_heap() -> Iterator[None]:
    """Within the block, what bodies and answers have left behind goes back within seconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        yield
        return
    trim(0)  # what the start has left behind
    trimming = asyncio.create_task(_trim(trim))
    try:
        yield
    finally:
        trimming.cancel()


async def _trim(trim: Callable[[int], object]) -> None:
    """Trims while the process holds more than at its start."""
    at_start, pause = _resident(), SOON
    while True:
        await asyncio.sleep(pause)
        before = _resident()
        if before < at_start + MUCH:
            continue
        # On a thread, since it takes some 10 ms: others go on but for what they allocate meanwhile.
        await asyncio.get_running_loop().run_in_executor(None, trim, 0)
        pause = SOON if before - _resident() > MUCH else min(SELDOM, pause * 2)


def _resident() -> int:
    """Bytes of this process in memory, as Linux tells it."""
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Within the block the garbage collector passes over what is loaded now.

    The modules and tables of a gateway are some 130,000 objects that stay. A full collection that
    looks through them and a large body holds the loop for 60 ms and more.
    """
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *thresholds[1:])
    gc.enable()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
