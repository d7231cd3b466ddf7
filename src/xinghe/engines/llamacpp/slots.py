"""Whose prompt each slot of the child holds: none is ever read again for another account.

A slot keeps what it read last, and a prompt that begins the same way is read from there on. So
the gateway chooses the slot: an account's own, or one whose content is dropped.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

LEAVING = 2.5
"""Seconds: the child looks once a second whether a client is still there."""


class Slot:
    """One slot of the child; `reused` says whether its next request may continue its content."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.reused = False
        self.account: int | None = None
        """Whose content it is, as far as that is certain; `None`: of nobody who may have it."""
        self.prompt = b""
        self.used_at = 0.0
        self.taken = False
        self.leaves_until = 0.0
        self._next: tuple[int | None, bytes] = None, b""
        self._ended = False

    def take(self, account: int | None, prompt: bytes) -> None:
        self.taken = True
        self.reused = account is not None and self.account == account
        if not self.reused:
            # Of nobody until the child has dropped it: a request may be cancelled before that.
            self.account, self.prompt = None, b""
        self._next = account, prompt
        self._ended = False

    def begun(self) -> None:
        """The child has taken up the request: what it held for anybody else is gone."""
        self.account, self.prompt = self._next

    def ended(self) -> None:
        """The child has said the last of it and is free again."""
        self._ended = True

    def leave(self) -> None:
        self.taken = False
        self.used_at = time.monotonic()
        self.leaves_until = 0.0 if self._ended else self.used_at + LEAVING


class ChildSlots:
    """The slots of one child, from its start to its end."""

    def __init__(self, count: int) -> None:
        self._slots = [Slot(number) for number in range(count)]
        self._free = asyncio.Semaphore(count)

    @asynccontextmanager
    async def hold(self, account: int | None, payload: object) -> AsyncIterator[Slot]:
        """A slot for one request; who names no account continues nothing."""
        async with self._free:
            prompt = _comparable(payload)
            slot = self._choose(account, prompt)
            slot.take(account, prompt)
            try:
                yield slot
            finally:
                slot.leave()

    def _choose(self, account: int | None, prompt: bytes) -> Slot:
        """The slot where the account's conversation goes on, else the one unused for longest.

        One that may still be at work for a client that left is the last choice.
        """
        now = time.monotonic()
        free = [slot for slot in self._slots if not slot.taken]
        free = [slot for slot in free if slot.leaves_until <= now] or free
        own = [slot for slot in free if account is not None and slot.account == account]
        if own:
            shared, slot = max(
                ((_shared(slot.prompt, prompt), slot) for slot in own), key=lambda pair: pair[0]
            )
            # Less than half is the frame of all conversations: more would be lost than is won.
            if 2 * shared >= len(slot.prompt):
                return slot
        return min(free, key=lambda slot: slot.used_at)


def _comparable(payload: Any) -> bytes:
    """A prompt in bytes that can be compared; of pictures only where they stand."""
    if isinstance(payload, dict):
        return str(payload["prompt_string"]).encode("utf-8", "surrogatepass")
    return array("i", payload).tobytes()


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
