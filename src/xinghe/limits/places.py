"""How many requests are at work at once: places, and a first-come queue before each limit.

A request takes its places one after another, those of narrow limits before those of wide ones (its
token's, its member's, its group's). So who waits for a wide one keeps only his own from others, and
nobody holds what the one before him waits for: there is no deadlock. Each queue is served in order
of arrival: nobody starves.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from xinghe.limits.quota import Key, RateLimited, Shared

FIRST_GUESS = 1.0
"""Seconds that a request is at work, before one has been."""
WEIGHT_OF_LAST = 0.1


class Place(Shared, frozen=True):
    """A limit of concurrent requests: so many of those with the same `key` may be at work."""

    limit: int


class Places:
    """Has requests work or wait.

    Before each limit at most `queue` requests wait, and none for longer than `wait` seconds in all.
    A full queue has room for a member with less waiting than another: the last to come of the
    member with the most is refused in his stead.
    """

    def __init__(self, queue: int, wait: float) -> None:
        self._queue = queue
        self._wait = wait
        self._lines: dict[Key, _Line] = {}

    def resize(self, queue: int, wait: float) -> None:
        """For those who come from now on; nobody who waits is sent away."""
        self._queue = queue
        self._wait = wait
        for line in self._lines.values():
            line.wait = wait

    def __len__(self) -> int:
        """How many limits have a request that is at work or waits."""
        return len(self._lines)

    @asynccontextmanager
    async def hold(self, asks: Sequence[Place], member: int) -> AsyncIterator[None]:
        """Have a place of each limit within it, taken in the order of `asks`.

        All callers name the limits that they share in the same order. What a limit was last told to
        be holds for those who wait, too. A caller that is cancelled leaves the queue at once.
        Raises `RateLimited` where a queue is full, or the wait has been too long.
        """
        until = asyncio.get_running_loop().time() + self._wait
        # All at once: when its turn comes in one line, what it knows of the next may be outdated.
        tickets = [_Ticket(self._line(ask), member) for ask in asks]
        try:
            for ticket in tickets:
                await self._take(ticket, until)
            yield
        finally:
            for ticket in tickets:
                line = ticket.line
                line.leave(ticket)
                line.asked -= 1
                if not line.asked:
                    del self._lines[line.ask.key]

    def refusal(self, ask: Place) -> RateLimited:
        """What one hears who has its place of a limit, and has waited too long for another."""
        return self._lines[ask.key].refusal()

    async def left(self, ask: Place) -> int:
        """Places that are free."""
        line = self._lines.get(ask.key)
        return ask.limit if line is None else max(0, ask.limit - len(line.working))

    def crowded(self) -> list[Place]:
        """The limits before which somebody waits."""
        return [line.ask for line in self._lines.values() if line.waiting]

    def change(self, ask: Place) -> None:
        """A limit was changed: let it hold for those who wait."""
        line = self._lines.get(ask.key)
        if line is not None:
            line.change(ask)

    def _line(self, ask: Place) -> _Line:
        line = self._lines.get(ask.key)
        if line is None:
            line = self._lines[ask.key] = _Line(ask, self._wait)
        line.asked += 1
        line.change(ask)
        return line

    async def _take(self, ticket: _Ticket, until: float) -> None:
        line = ticket.line
        if line.is_full and len(line.waiting) >= self._queue:
            self._make_room(line, ticket.member)
        line.enter(ticket)
        timer = asyncio.get_running_loop().call_at(until, line.refuse, ticket)
        try:
            await ticket.turn
        finally:
            timer.cancel()
        if ticket.refusal is not None:
            raise ticket.refusal

    def _make_room(self, line: _Line, member: int) -> None:
        waiting = Counter(ticket.member for ticket in line.waiting)
        for longest, count in waiting.most_common(1):
            if count > waiting[member] + 1:
                mine = (each for each in reversed(line.waiting) if each.member == longest)
                line.refuse(next(mine))
                return
        raise line.refusal()


class _Ticket:
    """One request in one line."""

    def __init__(self, line: _Line, member: int) -> None:
        self.line = line
        self.member = member
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.refusal: RateLimited | None = None
        """Why the turn has come without a place."""


class _Line:
    """Who is at work under a limit, since when, and who waits, the first to come first."""

    def __init__(self, ask: Place, wait: float) -> None:
        self.ask = ask
        self.asked = 0
        """Requests that have or want a place, those included that wait for another first."""
        self.working: dict[_Ticket, float] = {}
        self.waiting: dict[_Ticket, None] = {}
        self.wait = wait
        self._mean_stay = FIRST_GUESS

    @property
    def is_full(self) -> bool:
        return len(self.working) >= self.ask.limit

    def change(self, ask: Place) -> None:
        self.ask = ask
        self._admit()

    def enter(self, ticket: _Ticket) -> None:
        self.waiting[ticket] = None
        self._admit()

    def leave(self, ticket: _Ticket) -> None:
        """From wherever it is; a second call does nothing."""
        self.waiting.pop(ticket, None)
        since = self.working.pop(ticket, None)
        if since is not None:
            self._mean_stay += (_time() - since - self._mean_stay) * WEIGHT_OF_LAST
            self._admit()

    def refuse(self, ticket: _Ticket) -> None:
        """Have one leave that waits."""
        if ticket in self.waiting:
            self.leave(ticket)
            ticket.refusal = self.refusal()
            if not ticket.turn.done():
                ticket.turn.set_result(None)

    def refusal(self) -> RateLimited:
        """Says when, by estimate, there is room in the queue and the wait short enough."""
        now = _time()
        so_far = [now - since for since in self.working.values()]
        stay = max(self._mean_stay, sum(so_far) / len(so_far))
        every = stay / self.ask.limit
        retry_after = max(every, every * (len(self.waiting) + 1) - self.wait)
        return RateLimited("concurrent", self.ask.limit, self.ask.scope, retry_after, [])

    def _admit(self) -> None:
        while self.waiting and not self.is_full:
            first = next(iter(self.waiting))
            del self.waiting[first]
            if not first.turn.done():  # else its task was cancelled, and is about to leave
                self.working[first] = _time()
                first.turn.set_result(None)


def _time() -> float:
    return asyncio.get_running_loop().time()
