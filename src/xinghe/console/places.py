"""So many pages are at work at once: those who only look never hold up what programs ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from xinghe.core import ACCOUNT
from xinghe.workers import Slots

AT_ONCE = 4
WAITING = 1024
OF_ONE = 256
"""Of these, the most of one member or one address: a class may sit behind one."""
REST = 2 * AT_ONCE - 1
"""How much longer than its work a place stays empty where others wait: so pages have half of the
gateway's time.
"""
LONGEST_REST = 0.25
"""Seconds."""


class Places:
    """Those at work, and those that wait: members and addresses take turns.

    To make a page is milliseconds of work, in which nothing else of the gateway goes on, and what
    programs ask takes many steps.
    """

    def __init__(self) -> None:
        self._slots = Slots(AT_ONCE, queue=WAITING, share=OF_ONE)

    @asynccontextmanager
    async def of(self, whose: str) -> AsyncIterator[None]:
        """Have a place within it. Raises `QueueFull`."""
        before = ACCOUNT.set(whose)
        try:
            await self._slots.take()
        finally:
            ACCOUNT.reset(before)
        began = None
        try:
            # All that came at once would else be made in one step, and none would wait for a place.
            await asyncio.sleep(0)
            began = time.thread_time()
            yield
        finally:
            took = 0.0 if began is None else time.thread_time() - began
            rest = min(LONGEST_REST, REST * took) if self._slots.waiting else 0.0
            asyncio.get_running_loop().call_later(rest, self._slots.give_back)
