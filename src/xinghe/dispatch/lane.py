"""Admission to one deployment: so many at once, within its context, and a bounded queue."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

FIRST_GUESS = 1.0
"""Seconds that a request stays in its slot, before one has."""
WEIGHT_OF_LAST = 0.1


class LaneFull(Exception):
    """The deployment's slots and its queue are taken."""


class Lane:
    """First come, first served, but for who continues an answer.

    `tokens` is the context that all slots share (0: no limit).

    A request that needs more tokens than are free waits, and those behind it wait too: a stream
    of small requests must not starve a large one.
    """

    def __init__(self, slots: int, queue: int, tokens: int = 0) -> None:
        self._slots = slots
        self._free_slots = slots
        self._mean_stay = FIRST_GUESS
        self._tokens = tokens
        self._free_tokens = tokens
        self._queue = queue
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def expected_wait(self) -> float:
        """Seconds until a newcomer would find room, as far as the past tells; at least one."""
        return max(1.0, self._mean_stay * (len(self._waiting) + 1) / self._slots)

    def has_room(self, tokens: int) -> bool:
        """Whether a request would be served at once."""
        return not self._waiting and self._fits(tokens)

    @asynccontextmanager
    async def admit(self, tokens: int, *, returning: bool = False) -> AsyncIterator[None]:
        """Hold a slot and `tokens` of context. Raises `LaneFull`, `ValueError`.

        Who is `returning` was here before for the same answer: it stands before all others, and
        the queue is never full for it.
        """
        if 0 < self._tokens < tokens:
            # It would wait for ever, and all behind it.
            raise ValueError(f"{tokens} tokens asked for, the lane has {self._tokens}")
        await self._enter(tokens, returning)
        entered = time.monotonic()
        try:
            yield
        finally:
            stay = time.monotonic() - entered
            self._mean_stay += (stay - self._mean_stay) * WEIGHT_OF_LAST
            self._leave(tokens)

    async def _enter(self, tokens: int, returning: bool) -> None:
        if self.has_room(tokens) or (returning and self._fits(tokens)):
            self._take(tokens)
            return
        if not returning and len(self._waiting) >= self._queue:
            raise LaneFull
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (tokens, turn)
        if returning:
            self._waiting.appendleft(entry)
        else:
            self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(tokens)  # the turn came in the moment of the cancellation
            else:
                if entry in self._waiting:  # not passed over yet by one who left
                    self._waiting.remove(entry)
                self._admit_next()  # the one behind may fit where this one did not
            raise

    def _leave(self, tokens: int) -> None:
        self._free_slots += 1
        self._free_tokens += tokens
        self._admit_next()

    def _admit_next(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            tokens, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._take(tokens)
                turn.set_result(None)

    def _fits(self, tokens: int) -> bool:
        return self._free_slots > 0 and (not self._tokens or tokens <= self._free_tokens)

    def _take(self, tokens: int) -> None:
        self._free_slots -= 1
        self._free_tokens -= tokens
