"""Whose prompt each slot of the child holds: none is ever read again for another account.

A slot keeps what it read and wrote last, and a prompt that begins the same way is read from there
on. So the gateway chooses the slot: an account's own, or one whose content is dropped.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

LEAVING = 2.5
"""Seconds: the child looks once a second whether a client is still there."""


class Slot:
    """One slot of the child; `reused` says whether its next request may continue its content."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.reused = False
        self.known = 0
        """How many tokens of the request's prompt are here, and need not be read."""
        self.account: int | None = None
        """Whose content it is, as far as that is certain; `None`: of nobody who may have it."""
        self.content = array("i")
        """Its tokens; of a prompt with pictures, the characters of its text."""
        self.asked = 0
        """How many of them are a prompt, and no answer."""
        self.size = 0
        """The most tokens that it may hold."""
        self.used_at = 0.0
        self.taken = False
        self.leaves_until = 0.0
        self._unknown: list[int] = []
        """Where in the content there are tokens of which the child did not say which."""
        self._next: tuple[int | None, array[int]] = None, array("i")
        self._told = self._ended = False

    def take(self, account: int | None, prompt: array[int]) -> None:
        self.taken = True
        self.reused = account is not None and self.account == account
        if not self.reused:
            # Of nobody until the child has dropped it: a request may be cancelled before that.
            self.forget()
        self._next = account, prompt
        self.known = self.shared(prompt)
        # The rest goes as soon as the child takes the request up, which may not be told.
        self._hold(self.account, self.content[: self.known])
        self._told = self._ended = False

    def shared(self, prompt: array[int]) -> int:
        """How many tokens a prompt and the content begin with; what is unknown may be any."""
        for at in self._unknown:
            if at < len(prompt):
                self.content[at] = prompt[at]
        low, high = 0, min(len(self.content), len(prompt))
        while low < high:
            middle = (low + high + 1) // 2
            if self.content[low:middle] == prompt[low:middle]:
                low = middle
            else:
                high = middle - 1
        return low

    def read(self, tokens: int | None = None) -> None:
        """The child has read so many tokens of the prompt, or all; of others nothing is left."""
        account, prompt = self._next
        self._hold(account, prompt[:tokens])
        self.known = len(self.content)
        self.reused = self._told = True

    def forget(self) -> None:
        """Its content is nobody's, though the child may hold it still."""
        self._hold(None, array("i"))

    def _hold(self, account: int | None, prompt: array[int]) -> None:
        self.account, self.content, self.asked = account, prompt, len(prompt)
        self._unknown.clear()

    def wrote(self, count: int, known: Sequence[int]) -> None:
        """The child has written `count` tokens more; those that it names are the last of them."""
        end = len(self.content)
        self._unknown.extend(range(end, end + count - len(known)))
        self.content.extend([0] * (count - len(known)))
        self.content.extend(known)

    def ended(self) -> None:
        """The child has said the last of it and is free again."""
        self._ended = True

    def leave(self, held: int, *, exact: bool) -> None:
        """The request is over; before it, the child `held` so many tokens here.

        `exact`: its content tells how many there are now.
        """
        if not self._told:
            # It may be there still, or be half replaced.
            self.size = max(self.size, held)
        elif exact:
            self.size = len(self.content)
        self.taken = False
        self.used_at = time.monotonic()
        self.leaves_until = 0.0 if self._ended else self.used_at + LEAVING


class ChildSlots:
    """The slots of one child, from its start to its end; they share `context` tokens."""

    def __init__(self, count: int, context: int) -> None:
        self._slots = [Slot(number) for number in range(count)]
        self._free = asyncio.Semaphore(count)
        self._context = context

    @asynccontextmanager
    async def hold(self, account: int | None, payload: object, tokens: int) -> AsyncIterator[Slot]:
        """A slot for one request of at most so many `tokens`, its answer included.

        A request without an account continues nothing.
        """
        async with self._free:
            prompt = _comparable(payload)
            slot = self._choose(account, prompt)
            held, slot.size = slot.size, tokens
            slot.take(account, prompt)
            try:
                yield slot
            finally:
                slot.leave(held, exact=not isinstance(payload, dict))

    def in_the_way(self) -> Iterator[Slot]:
        """Slots in no use whose content has no room beside those in use; it is nobody's now.

        The child has cleared each before the next is asked for. Left to itself, it would drop the
        content of any slot that it has nothing to do for.
        """
        while sum(one.size for one in self._slots) > self._context:
            idle = [one for one in self._slots if one.size and not one.taken]
            if not idle:
                return
            slot = min(idle, key=lambda one: one.used_at)
            slot.forget()
            slot.leaves_until = time.monotonic() + LEAVING  # others choose it last until then
            yield slot
            if not slot.taken:
                slot.size, slot.leaves_until = 0, 0.0

    def _choose(self, account: int | None, prompt: array[int]) -> Slot:
        """The slot where the account's conversation goes on, else the one unused for longest.

        One that may still be at work for a client that left is the last choice.
        """
        now = time.monotonic()
        free = [slot for slot in self._slots if not slot.taken]
        free = [slot for slot in free if slot.leaves_until <= now] or free
        own = [slot for slot in free if account is not None and slot.account == account]
        if own:
            shared, slot = max(
                ((slot.shared(prompt), slot) for slot in own), key=lambda pair: pair[0]
            )
            # Less than half is the frame of all conversations: more would be lost than is won.
            if 2 * shared >= slot.asked:
                return slot
        return min(free, key=lambda slot: slot.used_at)


def _comparable(payload: Any) -> array[int]:
    """A prompt as numbers that can be compared; of pictures only where they stand."""
    if isinstance(payload, dict):
        return array("i", map(ord, payload["prompt_string"]))
    return array("i", payload)
