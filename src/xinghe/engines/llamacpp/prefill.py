"""Whose turn it is to be read on the embedded engine.

All that is written goes on in every step of the engine, and a step takes as long as what is read
in it. So one prompt is read at a time, and of it only a piece in a turn.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from xinghe.engines.llamacpp.shares import EVEN, Shares
from xinghe.engines.protocol import EngineBusy

TURN_SECONDS = 0.25
"""How long a turn should take."""
LEAST, MOST = 64, 512
"""Tokens of a turn: fewer cost up to twice as much each, more keep others waiting for too long."""
ON_ITS_WAY = 0.1
"""Seconds in which the next request of one who was answered may come, before a long prompt of
another account goes on: a turn that has begun cannot be stopped."""
WHILE_OTHERS_WRITE = 1.0
"""Seconds that an account which has had more waits for its next piece while one behind it writes:
it is slowed down, and not at the mercy of how fast the other writes."""
AN_ANSWER = 32.0
"""Tokens that an answer is expected to have, before one was given."""
WEIGHT_OF_LAST = 0.3


class Work:
    """A request at work: `left` of its tokens are to be read, it waits for that `since` then.

    It has asked for its next piece at `asked`, and its last turn ended at `had`.
    """

    def __init__(self, account: str, longest: float | None) -> None:
        self.account, self.longest = account, longest
        self.left = 0
        self.since = self.asked = self.had = 0.0
        self.advance = 0.0
        """Tokens that are counted already, though not written yet."""
        self.written = 0
        self.turn: asyncio.Future[None] | None = None
        """Its turn, as long as it waits for one or has one."""


class PrefillScheduler:
    """Gives the turns in which one child reads prompts; one at a time."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._work: list[Work] = []
        self._reads: Work | None = None
        self._left: tuple[str, float] = "", 0.0
        """The account of the last request that has ended, and until when its next one may come."""
        self._token_seconds = TURN_SECONDS / LEAST
        self._answer = AN_ANSWER
        self._looks_again: asyncio.TimerHandle | None = None

    @contextmanager
    def work(self, account: str, longest: float | None = None) -> Iterator[Work]:
        """A request of the account at work; it waits `longest` seconds at most to begin."""
        work = Work(account, longest)
        self._shares.begin(account)
        self._work.append(work)
        try:
            yield work
        finally:
            self._work.remove(work)
            self._shares.count(account, -work.advance)
            self._shares.end(account)
            self._left = account, time.monotonic() + ON_ITS_WAY
            if work.written:
                self._answer += (work.written - self._answer) * WEIGHT_OF_LAST
            self.end(work)

    async def take(self, work: Work, left: int, *, whole: bool = False) -> int:
        """Wait for a turn. Returns how many of the tokens that are `left` are to be read in it.

        Raises `EngineBusy` where the first one does not come in time.
        """
        bound = None if work.since else work.longest
        work.left, work.asked = left, time.monotonic()
        work.since = work.since or work.asked
        work.turn = asyncio.get_running_loop().create_future()
        self._give()
        try:
            async with asyncio.timeout(bound):
                await work.turn
        except TimeoutError:
            raise EngineBusy(f"its first turn did not come within {bound:g} s") from None
        size = LEAST * int(min(MOST, TURN_SECONDS / self._token_seconds) / LEAST) or LEAST
        # What would be left over in the end is read in the beginning, where it costs less.
        tokens = left if whole or left < size + LEAST else size + left % LEAST
        if tokens == left:
            # Who has many prompts read before the first is answered has not had less than others.
            work.advance = self._answer
        self._shares.count(work.account, tokens + work.advance)
        return tokens

    def wrote(self, work: Work, tokens: int) -> None:
        """So many tokens have been written: what there was to read is read."""
        work.written += tokens
        counted = min(work.advance, tokens)
        work.advance -= counted
        self._shares.count(work.account, tokens - counted)
        self.end(work)

    def took(self, tokens: int, seconds: float) -> None:
        """So long it took to read so many tokens in a turn."""
        if tokens >= LEAST:
            self._token_seconds += (seconds / tokens - self._token_seconds) * WEIGHT_OF_LAST

    def end(self, work: Work) -> None:
        """Its turn is over, or it waits for none any more."""
        work.turn = None
        if self._reads is work:
            self._reads, work.had = None, time.monotonic()
        self._give()

    def _give(self) -> None:
        """Give the turn to whose it is; those behind whom others write wait for a moment."""
        if self._looks_again is not None:
            self._looks_again.cancel()
            self._looks_again = None
        waiting = [work for work in self._work if work.turn is not None and not work.turn.done()]
        if self._reads is not None or not waiting:
            return
        now = time.monotonic()
        writing = {work.account for work in self._work if work.turn is None}
        due = {one: self._due(one) for one in waiting}
        first = self._shares.first(
            [
                one
                for one in waiting
                if due[one] <= now or self._shares.ahead(one.account, writing) <= 0
            ]
        )
        again = min(due.values()) if first is None else self._kept_back_until(first)
        if first is None or first.turn is None or again > now:
            self._looks_again = asyncio.get_running_loop().call_later(again - now, self._give)
            return
        self._reads = first
        first.turn.set_result(None)

    def _due(self, one: Work) -> float:
        """When it goes on whoever writes; of an account with many prompts at work, one does."""
        had = max(work.had for work in self._work if work.account == one.account)
        return max(one.asked, had) + WHILE_OTHERS_WRITE

    def _kept_back_until(self, work: Work) -> float:
        """It waits, for a moment, for who was just answered, if they are about even."""
        account, until = self._left
        if work.left < 2 * LEAST or account == work.account:
            return 0.0
        return until if self._shares.ahead(work.account, [account]) >= -EVEN else 0.0
