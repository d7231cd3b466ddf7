"""Whose turn it is to be read on the embedded engine.

All that is written goes on in every step of the engine, and a step takes as long as what is read
in it. So of a prompt only a piece is read in a turn, and of several what is together no more.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from xinghe.engines.llamacpp.shares import EVEN, Shares
from xinghe.engines.protocol import EngineBusy

TURN_SECONDS = 0.25
"""How long a turn should take."""
LEAST, MOST = 64, 512
"""Tokens of a turn: fewer cost up to twice as much each, more keep others waiting for too long."""
LITTLE, MOST_SECONDS = 16, 0.8
"""Tokens of a turn, all the same, where the least would take longer and other accounts are there:
deep in a prompt each token costs more."""
ON_ITS_WAY, OF_A_TURN = 0.1, 0.25
"""Seconds in which the next request of one who was answered may come, before a long prompt of
another account goes on; the same as a part of the turn. One that has begun cannot be stopped."""
WHILE_OTHERS_WRITE = 1.0
"""Seconds that an account which has had more waits for its next piece while one behind it writes:
it is slowed down, and not at the mercy of how fast the other writes."""
ANSWER_WAITS = 10.0
"""Seconds that it waits for the last piece where it has more requests at work: an answer that has
begun goes on in every step."""
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
        self.whole = False
        """Whether it cannot be read in pieces."""
        self.since = self.asked = self.had = 0.0
        self.advance = 0.0
        """Tokens that are counted already, though not written yet."""
        self.written = 0
        self.turn: asyncio.Future[int] | None = None
        """Its turn, as long as it waits for one or has one."""


class PrefillScheduler:
    """Gives the turns in which one child reads prompts."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._work: list[Work] = []
        self._reading: dict[Work, int] = {}
        """Whose turns it is, and how many tokens they have read in it."""
        self._left: tuple[str, float] = "", 0.0
        """The account of the last request that has ended, and when."""
        self._token_seconds = TURN_SECONDS / LEAST
        self._has_measured = False
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
            self._left = account, time.monotonic()
            if work.written:
                self._answer += (work.written - self._answer) * WEIGHT_OF_LAST
            self.end(work)

    async def take(self, work: Work, left: int, *, whole: bool = False) -> int:
        """Wait for a turn. Returns how many of the tokens that are `left` are to be read in it.

        Raises `EngineBusy` where the first one does not come in time.
        """
        bound = None if work.since else work.longest
        work.left, work.whole, work.asked = left, whole, time.monotonic()
        work.since = work.since or work.asked
        work.turn = asyncio.get_running_loop().create_future()
        self._give()
        try:
            async with asyncio.timeout(bound):
                return await work.turn
        except TimeoutError:
            raise EngineBusy(f"its first turn did not come within {bound:g} s") from None

    def _piece(self, work: Work) -> int:
        """How many of the tokens that are left are read in its next turn."""
        size = self._size(work.account)
        # What would be left over in the end is read in the beginning, where it costs less.
        least = min(size, LEAST)
        last = work.whole or work.left < size + least
        return work.left if last else size + work.left % least

    def _size(self, account: str) -> int:
        """About how many tokens a turn has now."""
        if LEAST * self._token_seconds > MOST_SECONDS and self._shares.accounts() - {account}:
            return LITTLE
        return LEAST * int(min(MOST, TURN_SECONDS / self._token_seconds) / LEAST) or LEAST

    def wrote(self, work: Work, tokens: int) -> None:
        """So many tokens have been written: what there was to read is read."""
        work.written += tokens
        counted = min(work.advance, tokens)
        work.advance -= counted
        self._shares.count(work.account, tokens - counted)
        self.end(work)

    def took(self, tokens: int, seconds: float) -> None:
        """So long it took to read so many tokens in a turn."""
        if tokens >= LITTLE:
            self._has_measured = True
            self._token_seconds += (seconds / tokens - self._token_seconds) * WEIGHT_OF_LAST

    def expected(self, work: Work) -> float:
        """Seconds until its prompt is read, at the speed of the last turns; 0: nobody knows yet.

        The accounts take turns: each other one has as much of its own read meanwhile at most.
        """
        if work.written or not self._has_measured:
            return 0.0
        others: Counter[str] = Counter()
        for one in self._work:
            if one.account != work.account and not one.written:
                others[one.account] += one.left
        tokens = work.left + sum(min(work.left, left) for left in others.values())
        return tokens * self._token_seconds

    def end(self, work: Work) -> None:
        """Its turn is over, or it waits for none any more."""
        work.turn = None
        if self._reading.pop(work, None) is not None:
            work.had = time.monotonic()
        self._give()

    def _give(self) -> None:
        """Give turns to those whose they are, of who need not wait for what others write."""
        if self._looks_again is not None:
            self._looks_again.cancel()
            self._looks_again = None
        now = time.monotonic()
        while waiting := [one for one in self._work if one.turn and not one.turn.done()]:
            at_work = {one.account for one in self._work if one not in waiting}
            due = {one: self._due(one, at_work) for one in waiting}
            first = self._shares.first([one for one in waiting if due[one] <= now])
            if first is None or first.turn is None:
                again = min(due.values()) - now
                self._looks_again = asyncio.get_running_loop().call_later(again, self._give)
                return
            tokens = self._piece(first)
            if self._reading and sum(self._reading.values()) + tokens > self._size(first.account):
                return
            self._reading[first] = tokens
            if tokens == first.left:
                # Who has many prompts read before the first is answered has had no less for it.
                first.advance = self._answer
            self._shares.count(first.account, tokens + first.advance)
            first.turn.set_result(tokens)

    def _due(self, one: Work, at_work: Iterable[str]) -> float:
        """When it goes on at the latest: at once, unless its account has had more than others."""
        due = 0.0
        if self._shares.ahead(one.account, at_work) > 0:
            own = [each for each in self._work if each.account == one.account]
            piece = self._piece(one)
            bound = WHILE_OTHERS_WRITE * min(1.0, piece / LEAST)  # smaller pieces come more often
            if len(own) > 1 and piece == one.left:
                own, bound = [each for each in own if each.written], ANSWER_WAITS
            # Of an account with many prompts at work, one goes on.
            due = max([one.asked, *(each.had for each in own)]) + bound
        account, left = self._left
        about_even = EVEN if one.left >= 2 * LEAST else 0.0
        if account != one.account and self._shares.ahead(one.account, [account]) > -about_even:
            seconds = self._piece(one) * self._token_seconds
            due = max(due, left + max(ON_ITS_WAY, seconds * OF_A_TURN))
        return due
