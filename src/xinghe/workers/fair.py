"""A bounded queue in which whoever waits gets its turn, however many calls another has."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

from xinghe.workers.errors import WorkerBusy

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items of accounts, taken account by account in turn; each account's own in their order.

    At most `most` items wait in all, at most `share` of one account.
    """

    def __init__(self, *, most: int, share: int) -> None:
        self._most, self._share = most, share
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
        account = next(filter(may, self._turns), None)
        if account is None:
            return None
        own = self._turns.pop(account)
        item = own.popleft()
        if own:
            self._turns[account] = own  # behind all others
        self._waiting -= 1
        return account, item

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
