"""Waiting in turn: a bounded queue in which every account has its turn, and what stands before.

`FairQueue` is the order alone. `Slots` are what calls hold for a while; `Threads` are a
few threads of their own for short work.
"""

import asyncio
import contextlib
import math
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from operator import attrgetter
from typing import Generic, ParamSpec, TypeVar

import msgspec

from xinghe.core import ACCOUNT
from xinghe.workers.protocol import QueueFull

Item = TypeVar("Item")
P = ParamSpec("P")
T = TypeVar("T")

STEP = 1.0
"""Seconds of work that make no difference between accounts."""
HALF = 10.0
"""Seconds after which half of what an account has had is forgotten."""
REMEMBERED = 1024
"""Accounts beyond which those that have had little are forgotten."""
FIRST_GUESS = 1.0
"""Seconds that a call stays in its slot, before one has."""
WEIGHT_OF_LAST = 0.1


class FairQueue(Generic[Item]):
    """Items of accounts, taken account by account in turn; each account's own in their order.

    Before those that have lately had seconds of work (see `used`) come those that have not: a
    turn of one may be a thousand times as long as another's. At most `most` waits in all, at
    most `share` of one account, counted by `size`; where nothing else waits, a single item may
    be larger. A full queue has room for an account with less waiting than another: the last of
    several items of the account with the most is handed to `drop`.
    """

    def __init__(
        self,
        *,
        most: int,
        share: int,
        drop: Callable[[Item, QueueFull], None],
        size: Callable[[Item], int] = lambda _: 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._share = most, share
        self._drop = drop
        self._size = size
        self._clock = clock
        self._had: dict[str, tuple[float, float]] = {}
        """The seconds of work of an account, and when that was so."""
        self.waiting = 0
        """The size of all that waits."""
        self._turns: OrderedDict[str, deque[Item]] = OrderedDict()

    def bound(self, *, most: int, share: int) -> None:
        """Have other bounds from now on."""
        self._most, self._share = most, share

    def put(self, account: str, item: Item, *, bounded: bool = True) -> None:
        """Raises `QueueFull` where there is no room in all, or none for this account."""
        size = self._size(item)
        own = self._waiting_of(account)
        if bounded and own and own + size > self._share:
            raise QueueFull(f"{own} calls of this account are waiting already")
        if bounded and self.waiting + size > self._most and (self.waiting or not self._most):
            self._make_room(size, own + size)
        self._turns.setdefault(account, deque()).append(item)
        self.waiting += size

    def _make_room(self, size: int, own: int) -> None:
        """For an item of `size`, with which its account has `own` waiting; or `QueueFull`."""
        several = (one for one, items in self._turns.items() if len(items) > 1)
        longest = max(several, key=self._waiting_of, default=None)
        if longest is not None and self._waiting_of(longest) > own:
            last = self._turns[longest][-1]
            if self.waiting - self._size(last) + size <= self._most:
                self.remove(longest, last)
                self._drop(last, QueueFull("others have less waiting"))
                return
        raise QueueFull(f"{self.waiting} calls are waiting already")

    def _waiting_of(self, account: str) -> int:
        return sum(map(self._size, self._turns.get(account, ())))

    def next(self, may: Callable[[str], bool] | None = None) -> tuple[str, Item] | None:
        """The account whose turn it is among those that `may` go on, and its first item."""
        among = self._turns if may is None else filter(may, self._turns)
        account = min(among, key=self._steps, default=None)
        return None if account is None else (account, self._turns[account][0])

    def take(self, may: Callable[[str], bool] | None = None) -> tuple[str, Item] | None:
        """Take out what `next` tells; the account's turn comes again after all others'."""
        found = self.next(may)
        if found is not None:
            account, item = found
            self._turns.move_to_end(account)
            self.remove(account, item)
        return found

    def remove(self, account: str, item: Item) -> bool:
        """Take `item` out, wherever it waits; `False` if it does not."""
        own = self._turns.get(account)
        if own is None or item not in own:
            return False
        own.remove(item)
        self.waiting -= self._size(item)
        if not own:
            del self._turns[account]
        return True

    def clear(self) -> list[Item]:
        """All that waited."""
        items = [item for own in self._turns.values() for item in own]
        self._turns.clear()
        self.waiting = 0
        return items

    def used(self, account: str, seconds: float) -> None:
        """The account has had so much work."""
        self._had[account] = (self._seconds(account) + seconds, self._clock())
        if len(self._had) > REMEMBERED:
            self._had = {one: had for one, had in self._had.items() if self._steps(one)}

    def _seconds(self, account: str) -> float:
        seconds, then = self._had.get(account, (0.0, 0.0))
        return seconds * math.pow(0.5, (self._clock() - then) / HALF)

    def _steps(self, account: str) -> int:
        return int(self._seconds(account) / STEP) if account in self._had else 0


class _Waiting(msgspec.Struct, frozen=True, eq=False):
    """A call that waits for a slot."""

    size: int
    turn: asyncio.Future[None]

    def fail(self, busy: QueueFull) -> None:
        if not self.turn.done():
            self.turn.set_exception(busy)


class Slots:
    """`count` slots; `queue` calls more may wait, `share` of one account, in a `FairQueue`.

    A call may count as several in the queue: its `size`, as of the texts of a request.
    """

    def __init__(self, count: int, *, queue: int, share: int | None = None) -> None:
        self._count = self._free = count
        self._queue = FairQueue[_Waiting](
            most=queue,
            share=queue if share is None else share,
            drop=_Waiting.fail,
            size=attrgetter("size"),
        )
        self._priority: deque[_Waiting] = deque()
        self._mean_stay = FIRST_GUESS

    @property
    def places(self) -> int:
        return self._count

    @property
    def at_work(self) -> int:
        return self._count - self._free

    @property
    def waiting(self) -> int:
        return self._queue.waiting + len(self._priority)

    @property
    def expected_wait(self) -> float:
        """Seconds until a newcomer would have its slot, as far as the past tells; at least one."""
        return max(1.0, self._mean_stay * (self.waiting + 1) / self._count)

    @property
    def retry_after(self) -> float:
        """As `expected_wait`: a queue that is full has room as soon as one has its slot."""
        return self.expected_wait

    def has_room(self, tokens: int = 0) -> bool:
        """Whether a call would have its slot at once, however many tokens it is about."""
        return self._free > 0 and not self.waiting

    @contextlib.asynccontextmanager
    async def hold(
        self, tokens: int = 0, *, size: int = 1, priority: bool = False
    ) -> AsyncIterator[None]:
        """Have a slot within it, whatever the `tokens`. Raises as `take` does."""
        await self.take(size=size, priority=priority)
        began = time.monotonic()
        try:
            yield
        finally:
            self._mean_stay += (time.monotonic() - began - self._mean_stay) * WEIGHT_OF_LAST
            self.give_back()

    async def take(self, *, size: int = 1, priority: bool = False) -> None:
        """Wait for a slot, in the turn of the account of `core.ACCOUNT`.

        With `priority`, a call goes before all others, and the queue is never full for it. Raises
        `QueueFull` where it is full, or becomes so of accounts with less waiting.
        """
        if self._free > 0 and (priority or not self.waiting):
            self._free -= 1
            return
        me = _Waiting(size, asyncio.get_running_loop().create_future())
        account = ACCOUNT.get()
        if priority:
            self._priority.append(me)
        else:
            self._queue.put(account, me)
        try:
            await me.turn
        except asyncio.CancelledError:
            if me.turn.done() and not (me.turn.cancelled() or me.turn.exception()):
                self.give_back()  # the turn came in the moment of the cancellation
            elif me in self._priority:
                self._priority.remove(me)
            else:
                self._queue.remove(account, me)
            raise

    def bound(self, *, queue: int, share: int | None = None) -> None:
        """Let so many wait from now on; those that wait already stay."""
        self._queue.bound(most=queue, share=queue if share is None else share)

    def resize(self, count: int) -> None:
        """Have so many slots from now on; calls beyond that keep theirs until they end."""
        self._free += count - self._count
        self._count = count
        self._hand_out()

    def give_back(self) -> None:
        """Leave the slot to whose turn it is."""
        self._free += 1
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free > 0 and self.waiting:
            found = None if self._priority else self._queue.take()
            first = found[1] if found else self._priority.popleft()
            if not first.turn.cancelled():
                self._free -= 1
                first.turn.set_result(None)


class Threads:
    """Runs calls in up to `threads` threads, so that no other work waits behind them.

    At most `waiting` calls queue, at most `share` of one account (that of `core.ACCOUNT`), and
    accounts take turns. For work that gives up the GIL within a millisecond, as reading files
    does; what would hold it belongs into a `WorkerPool`.
    """

    def __init__(self, name: str, *, threads: int = 1, waiting: int = 256, share: int = 64) -> None:
        self._threads = ThreadPoolExecutor(threads, name)
        self._slots = Slots(threads, queue=waiting, share=share)

    async def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What `work` returns, or raises. Raises `QueueFull` where the queue is full.

        A caller that is cancelled takes its call out of the queue; one that has begun goes on.
        """
        await self._slots.take()
        loop = asyncio.get_running_loop()

        def ended(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended before the thread
                loop.call_soon_threadsafe(self._slots.give_back)

        try:
            running = self._threads.submit(work, *arguments, **named)
        except BaseException:
            self._slots.give_back()
            raise
        running.add_done_callback(ended)
        return await asyncio.wrap_future(running)

    def later(self, work: Callable[[], object]) -> None:
        """Have a thread do what nobody waits for and nothing fails of; here where it is closed."""
        try:
            self._threads.submit(work)
        except RuntimeError:
            work()

    def close(self) -> None:
        """Take no more calls; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
