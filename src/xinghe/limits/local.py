"""The store of a single gateway: a dictionary."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from xinghe.limits.bucket import Bucket
from xinghe.limits.store import Ask, Key

_LONG = 60_000_000_000
"""Nanoseconds in which a bucket of a limit a minute is full again, unless it is in debt."""
_SWEPT = 4
"""Buckets looked at in each take, one more than a take can add: the number of idle ones falls."""


class LocalStore:
    """Full buckets are not kept: there is no difference between one and none.

    `clock` gives nanoseconds and never goes back. Not for use by several threads.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._buckets: OrderedDict[Key, Bucket] = OrderedDict()
        """The one that was used longest ago comes first."""
        self._events = 0

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, asks: Sequence[Ask]) -> tuple[int, list[int]]:
        now = self._clock()
        buckets = self._buckets
        self._sweep(now)
        found = []
        deficits = []
        mark = self._events + 1
        for key, quota, amount in asks:
            bucket = buckets.get(key)
            deficit = 0 if bucket is None else bucket.now(now)
            after = deficit + amount * quota.unit
            if after > quota.capacity:
                mark = 0
            found.append((key, quota, bucket, deficit, after))
            deficits.append(deficit)
        if mark:
            self._events = mark
            for key, quota, bucket, deficit, after in found:
                if bucket is None:
                    bucket = buckets[key] = Bucket()  # noqa: PLW2901
                else:
                    buckets.move_to_end(key)
                bucket.update(mark, now, deficit, after, quota)
        return mark, deficits

    def settle(self, ask: Ask, mark: int, used: int) -> None:
        key, quota, amount = ask
        surplus = (amount - used) * quota.unit
        bucket = self._buckets.get(key)
        if surplus == 0 or (surplus > 0 and bucket is None):
            return  # a bucket that is gone was full in between: there is nothing to give back
        now = self._clock()
        if bucket is None:
            bucket = self._buckets[key] = Bucket()
        else:
            self._buckets.move_to_end(key)
        self._events = event = self._events + 1
        deficit = bucket.now(now)
        bucket.update(event, now, deficit, deficit + max(0, -surplus), quota)
        if surplus > 0:
            bucket.give_back(mark, surplus)

    def _sweep(self, now: int) -> None:
        """Drop full buckets, those used longest ago first, until one may soon be full."""
        buckets = self._buckets
        for _ in range(_SWEPT):
            if not buckets:
                return
            key = next(iter(buckets))
            bucket = buckets[key]
            if bucket.now(now) == 0:
                del buckets[key]
            elif now - bucket.at > _LONG:
                # In debt, or of a very low limit: those behind it must not wait for it.
                buckets.move_to_end(key)
            else:
                return
