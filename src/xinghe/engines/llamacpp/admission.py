"""The admission queue of the embedded engine: which requests are at work at once.

What is at work stays until it has ended. So there are places to spare, and some of the context,
which only an account that has nothing at work can take: nobody fills the engine for all others.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from xinghe.core import ACCOUNT
from xinghe.engines.llamacpp.shares import AGED, Shares
from xinghe.engines.reading import telling
from xinghe.workers import QueueFull

LEAST_SPARE = 4096
"""Tokens that are enough for a question and its answer."""
FIRST_GUESS, WEIGHT_OF_LAST = 1.0, 0.1


def with_spare(slots: int, context: int) -> tuple[int, int]:
    """The slots and the context that a child needs, spare ones included."""
    return 2 * slots, context + _spare(context)


def _spare(context: int) -> int:
    return max(context // 6, min(context, LEAST_SPARE))


class _Capacity:
    """Places that are free, and the tokens of context for all of them together."""

    def __init__(self, places: int, tokens: int) -> None:
        self.places, self.tokens = places, tokens

    def fits(self, tokens: int) -> bool:
        return self.places > 0 and self.tokens >= tokens

    def use(self, tokens: int) -> None:
        self.places -= 1
        self.tokens -= tokens

    def give_back(self, tokens: int) -> None:
        self.places += 1
        self.tokens += tokens


class _Waiting:
    """A request that waits for its place; all its tokens, to write too, are `left`.

    `since` it waits, or has its place.
    """

    def __init__(self, account: str, tokens: int, *, priority: bool) -> None:
        self.account, self.left, self.priority = account, tokens, priority
        self.since = time.monotonic()
        self.room: asyncio.Future[_Capacity] = asyncio.get_running_loop().create_future()


class ContextAdmissionQueue:
    """`count` places and as many spare ones; `queue` requests more may wait.

    None waits for more than `longest` seconds. `tokens` is the context that the places share.
    """

    def __init__(
        self, shares: Shares, count: int, *, queue: int, tokens: int, longest: float
    ) -> None:
        self._shares = shares
        self._count, self._tokens = count, tokens
        self._usual, self._spare = _Capacity(count, tokens), _Capacity(count, _spare(tokens))
        self._queue = queue
        self._longest = longest
        self._waiting: list[_Waiting] = []
        self._at_work: list[_Waiting] = []
        self._mean_stay = FIRST_GUESS

    def under(self, *, queue: int, longest: float) -> ContextAdmissionQueue:
        """The same for those who ask next: so many may wait, for so many seconds."""
        self._queue, self._longest = queue, longest
        return self

    @property
    def places(self) -> int:
        return self._count

    @property
    def at_work(self) -> int:
        """Also those that are at spare places."""
        return len(self._at_work)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def expected_wait(self) -> float:
        """Seconds until a newcomer of the account of `core.ACCOUNT` would have a place, as far as
        the past tells; at least one."""
        return max(1.0, self._expected(ACCOUNT.get()))

    @property
    def retry_after(self) -> float:
        """Seconds until the account of `core.ACCOUNT` would be let in to wait; at least one."""
        expected = self._expected(ACCOUNT.get()) - self._longest
        return max(1.0, self._stay() / self._count, expected)

    def _expected(self, own: str) -> float:
        waiting = Counter(one.account for one in self._waiting)
        accounts = {own, *waiting, *(one.account for one in self._at_work)}
        return self._stay() * (waiting[own] + 1) * len(accounts) / self._count

    def _left_to_wait(self, me: _Waiting) -> float:
        """Seconds that a request will wait yet: those of its account before it, in their turns."""
        before = sum(one.account == me.account and one.since < me.since for one in self._waiting)
        accounts = {one.account for one in (*self._waiting, *self._at_work)}
        return self._stay() * (before + 1) * len(accounts) / self._count

    def _stay(self) -> float:
        """Seconds that a place is kept: as long as the last were, or those at work are already."""
        now, count = time.monotonic(), len(self._at_work)
        age = sum(now - one.since for one in self._at_work) / count if count else 0.0
        return max(self._mean_stay, age)

    def has_room(self, tokens: int) -> bool:
        """Whether a request would have its place at once, and not a spare one."""
        return not self._waiting and self._usual.fits(tokens)

    @asynccontextmanager
    async def hold(self, tokens: int, *, priority: bool = False) -> AsyncIterator[None]:
        """A place for a request that reads and writes at most so many tokens.

        With `priority` it goes before all others, and is never refused. Raises `QueueFull` for one
        that would wait, or has waited, for too long, and `ValueError` for more tokens than there
        are.
        """
        if tokens > self._tokens:
            raise ValueError(f"{tokens} tokens asked for, the places share {self._tokens}")
        me = _Waiting(ACCOUNT.get(), tokens, priority=priority)
        self._shares.begin(me.account)
        try:
            room = await self._wait(me)
            try:
                yield
            finally:
                stay = time.monotonic() - me.since
                self._mean_stay += (stay - self._mean_stay) * WEIGHT_OF_LAST
                self._give_back(me, room)
        finally:
            self._shares.end(me.account)
            self._hand_out()

    async def _wait(self, me: _Waiting) -> _Capacity:
        if not (me.priority or self._room_for(me)):
            self._bound(me.account)
        self._waiting.append(me)
        self._hand_out()
        waits = partial(self._left_to_wait, me)
        try:
            with telling("waiting for its turn", waits):
                async with asyncio.timeout(None if me.priority else self._longest):
                    return await me.room
        except BaseException as error:
            if me in self._waiting:
                self._waiting.remove(me)
            elif not (me.room.cancelled() or me.room.exception()):
                self._give_back(me, me.room.result())  # it came in the moment of a cancellation
            if isinstance(error, TimeoutError):
                raise QueueFull(f"its turn did not come within {self._longest:g} s") from None
            raise

    def _bound(self, account: str) -> None:
        """Refuse a request, or where the queue is full the last of an account with more waiting."""
        if self._expected(account) > self._longest:
            raise QueueFull("its turn would not come in time")
        # One that was cancelled in this turn of the loop is still here, and waits no more.
        self._waiting = [one for one in self._waiting if not one.room.done()]
        if self.waiting < self._queue:
            return
        waiting = Counter(one.account for one in self._waiting)
        most = max(waiting, key=waiting.__getitem__, default=account)
        if waiting[most] <= waiting[account] + 1:
            raise QueueFull(f"{self.waiting} requests are waiting already")
        last = [one for one in self._waiting if one.account == most][-1]
        self._waiting.remove(last)
        last.room.set_exception(QueueFull("others have less waiting"))

    def _give_back(self, one: _Waiting, room: _Capacity) -> None:
        self._at_work.remove(one)
        room.give_back(one.left)

    def _hand_out(self) -> None:
        """Give the places that are free to those whose they are."""
        while ready := [(one, room) for one in self._waiting if (room := self._room_for(one))]:
            found = dict(ready)
            first = next((one for one in found if one.priority), None)
            first = first or self._shares.first(list(found))
            assert first is not None
            self._waiting.remove(first)
            self._at_work.append(first)
            first.since = time.monotonic()
            found[first].use(first.left)
            first.room.set_result(found[first])

    def _room_for(self, one: _Waiting) -> _Capacity | None:
        if one.room.done():
            return None
        if self._usual.fits(one.left) and (one.priority or not self._waited_for(one)):
            return self._usual
        if any(other.account == one.account for other in self._at_work):
            return None
        return self._spare if self._spare.fits(one.left) else None

    def _waited_for(self, one: _Waiting) -> bool:
        """Whether another has waited for long for more of the context than is free."""
        since = time.monotonic() - AGED
        return any(
            other.since <= since and other is not one and not self._usual.fits(other.left)
            for other in self._waiting
        )
