"""Whether a child that has work computes: one that is busy may say nothing for minutes."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import structlog

log = structlog.get_logger(__name__)
T = TypeVar("T")

LOOK = 5.0
"""Seconds between two looks."""
STUCK = 60.0
"""Seconds without computing, though there is work, after which a child is taken for stuck."""
IDLE = 0.025
"""Seconds of computing between two looks that are none: a child looks after its threads."""
TICKS = os.sysconf("SC_CLK_TCK")


class Watch:
    """Ends a child that is stuck, for the supervisor to start another.

    Where the system does not tell how long a process has computed, none is.
    """

    def __init__(self, deployment: str) -> None:
        self._deployment = deployment
        self._pid = 0
        self._at_work = 0
        self._looks: asyncio.Task[None] | None = None

    def follow(self, pid: int) -> None:
        """The process is the child from now on; 0: there is none."""
        self._pid = pid

    async def during(self, answer: Awaitable[T]) -> T:
        """What the child answers, for which it has something to compute meanwhile."""
        self._at_work += 1
        if self._looks is None or self._looks.done():
            self._looks = asyncio.create_task(self._look())
        try:
            return await answer
        finally:
            self._at_work -= 1

    def close(self) -> None:
        if self._looks is not None:
            self._looks.cancel()

    async def _look(self) -> None:
        # Looks are counted, and not seconds: of those in which all was frozen, we know nothing.
        last, idle = computed(self._pid), 0
        while self._at_work:
            await asyncio.sleep(LOOK)
            now = computed(self._pid)
            idle = idle + 1 if last <= now <= last + IDLE else 0
            last = now
            if idle * LOOK >= STUCK:
                log.error("engine_stuck", deployment=self._deployment, seconds=STUCK)
                with suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
                idle = 0


def computed(pid: int) -> float:
    """Seconds that a process of our parent's has computed; NaN where nobody knows."""
    try:
        # Behind the name, which may hold anything: state, parent, …, utime and stime.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    ours = int(fields[1]) == os.getppid()
    return (int(fields[11]) + int(fields[12])) / TICKS if ours else math.nan
