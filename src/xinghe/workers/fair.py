"""A bounded queue in which whoever waits gets its turn, however many calls another has."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

from xinghe.workers.protocol import WorkerBusy

Item = TypeVar("Item")


STEP = 1.0
"""Seconds of work that make no difference between accounts."""
HALF = 10.0
"""Seconds after which half of what an account has had is forgotten."""
REMEMBERED = 1024
"""Accounts beyond which those that have had little are forgotten."""


class FairQueue(Generic[Item]):
    """Items of accounts, taken account by account in turn; each account's own in their order.

    Before those that have lately had seconds of work (see `used`) come those that have not: a
    turn of one may be a thousand times as long as another's. At most `most` items wait in all,
    at most `share` of one account.
    """

    def __init__(
        self, *, most: int, share: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._share = most, share
        self._clock = clock
        self._had: dict[str, tuple[float, float]] = {}
        """The seconds of work of an account, and when that was so."""
        self._waiting = 0
        self._turns: OrderedDict[str, deque[Item]] = OrderedDict()

    def __len__(self) -> int:
        return self._waiting

    def put(self, account: str, item: Item, *, bounded: bool = True) -> None:
        """Raises `WorkerBusy` where there is no room in all, or none for this account."""
        own = self._turns.get(account, ())
        if bounded and self._waiting >= self._most:
            raise WorkerBusy(f"{self._most} calls are waiting already")
        if bounded and len(own) >= self._share:
            raise WorkerBusy(f"{self._share} calls of this account are waiting already")
        self._turns.setdefault(account, deque()).append(item)
        self._waiting += 1

    def take(self, may: Callable[[str], bool]) -> tuple[str, Item] | None:
        """The next account whose turn it is and that `may` go on, with its first item."""
        account = min(filter(may, self._turns), key=self._steps, default=None)
        if account is None:
            return None
        own = self._turns.pop(account)
        item = own.popleft()
        if own:
            self._turns[account] = own  # behind all others
        self._waiting -= 1
        return account, item

    def used(self, account: str, seconds: float) -> None:
        """The account has had so much work."""
        self._had[account] = (self._seconds(account) + seconds, self._clock())
        if len(self._had) > REMEMBERED:
            self._had = {one: had for one, had in self._had.items() if self._steps(one)}

    def _seconds(self, account: str) -> float:
        seconds, then = self._had.get(account, (0.0, 0.0))
        return seconds * math.pow(0.5, (self._clock() - then) / HALF)

    def _steps(self, account: str) -> int:
        return int(self._seconds(account) / STEP)

    def remove(self, account: str, item: Item) -> bool:
        """Take `item` out, wherever it waits; `False` if it does not."""
        own = self._turns.get(account)
        if own is None or item not in own:
            return False
        own.remove(item)
        self._waiting -= 1
        if not own:
            del self._turns[account]
        return True

    def clear(self) -> list[Item]:
        """All that waited."""
        items = [item for own in self._turns.values() for item in own]
        self._turns.clear()
        self._waiting = 0
        return items
