"""Token buckets, one for each limit of an account, and what keeps them: a `Store`.

A bucket is kept as its deficit: what was taken and has not flowed back. It is counted in
units so small that a nanosecond's refill is a whole number of them, hence nothing is ever rounded
but the waiting time, and that upwards. (The generic cell rate algorithm, ITU-T I.371, keeps the
same number as the time at which the bucket will be full.)
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, Protocol, TypeAlias

import msgspec

LimitKind = Literal["rpm", "tpm", "qps"]

HIGHEST = 10**12

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_MILLI = 1000
"""A QPS may have up to three decimals."""
_MOST_DIPS = 64
_SWEPT = 4
"""Buckets looked at in each take, one more than a take can add: the number of idle ones falls."""


class Quota(msgspec.Struct, frozen=True):
    """A limit, its bucket full at first.

    `unit` is the deficit of one request or Token, `refill` flows back each nanosecond, and
    `capacity` is the largest deficit that an admission may leave.
    """

    kind: LimitKind
    limit: int
    unit: int
    refill: int
    capacity: int
    returnable: bool = False
    """Whether a take is an estimate, to be settled later."""

    @property
    def items(self) -> int:
        """How many requests or Tokens a full bucket covers."""
        return self.capacity // self.unit

    def remaining(self, deficit: int) -> int:
        """How many requests or Tokens the bucket covers now; a debt counts as none."""
        return max(0, self.capacity - deficit) // self.unit

    def wait(self, deficit: int, amount: int) -> int:
        """Nanoseconds until `amount` fits, 0 if it does."""
        return max(0, -((self.capacity - deficit - amount * self.unit) // self.refill))

    def reset(self, deficit: int) -> int:
        """Nanoseconds until the bucket is full."""
        return -(-deficit // self.refill)


@lru_cache(maxsize=1024)
def per_minute(kind: LimitKind, limit: int) -> Quota:
    """`limit` a minute, all of which may come at once. Raises `ValueError`."""
    if not 1 <= limit <= HIGHEST:
        raise ValueError(f"{kind}: {limit} is not allowed: 0 (no limit) or 1 to {HIGHEST}")
    return Quota(
        kind,
        limit,
        unit=_MINUTE,
        refill=limit,
        capacity=limit * _MINUTE,
        returnable=kind == "tpm",
    )


@lru_cache(maxsize=1024)
def per_second(limit: float) -> Quota:
    """`limit` a second, and a burst of as many, but of one at least. Raises `ValueError`."""
    if not 1 / _MILLI <= limit <= HIGHEST:
        raise ValueError(f"qps: {limit} is not allowed: 0 (no limit) or 0.001 to {HIGHEST}")
    refill = round(limit * _MILLI)
    unit = _SECOND * _MILLI
    return Quota("qps", math.ceil(limit), unit, refill, capacity=max(unit, refill * _SECOND))


Key: TypeAlias = tuple[str, int, str]
"""The kind of limit, the account's id, and the model (empty for what holds for all models)."""

Ask: TypeAlias = tuple[Key, Quota, int]
"""Requests or Tokens wanted of one bucket, at most what a full one covers."""


class Store(Protocol):
    """Every store passes `tests/limits/`."""

    def take(self, asks: Sequence[Ask]) -> tuple[int, list[int]]:
        """Take from all buckets, or from none if one does not cover what is asked of it.

        Returns the moment of it in the store's order of events, for `settle`, or 0 if refused;
        and each bucket's deficit before it, in its quota's units.
        """

    def settle(self, ask: Ask, mark: int, used: int) -> None:
        """Make a granted ask one of `used`, as if that had been asked at the time.

        More than was asked becomes a deficit now, beyond the capacity if it must (a debt). Less
        gives back only what could still have been there: what the bucket would have lost as
        overflow in between, had it been that much fuller, is not given.
        """


class LocalStore:
    """Full buckets are not kept: there is no difference between one and none.

    `clock` gives nanoseconds and never goes back. Not for use by several threads.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._buckets: OrderedDict[Key, _Bucket] = OrderedDict()
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
                    bucket = buckets[key] = _Bucket()  # noqa: PLW2901
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
            bucket = self._buckets[key] = _Bucket()
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
            elif now - bucket.at > _MINUTE:
                # In debt, or of a very low limit: those behind it must not wait for it.
                buckets.move_to_end(key)
            else:
                return


class _Bucket:
    """`deficit` was true at `at` (nanoseconds) and has been flowing back since.

    `dips` remembers how near to full the bucket has been: pairs of an event's number and the
    smallest deficit up to it and since the pair before. An event is noted with the deficit before
    it, when that is lowest.
    """

    __slots__ = ("at", "deficit", "dips", "refill")

    def __init__(self) -> None:
        self.at = 0
        self.deficit = 0
        self.refill = 1
        self.dips: list[tuple[int, int]] = []

    def now(self, at: int) -> int:
        """The deficit at a time not before the last event."""
        deficit = self.deficit - (at - self.at) * self.refill
        return deficit if deficit > 0 else 0

    def update(self, event: int, at: int, before: int, after: int, quota: Quota) -> None:
        """An event has taken the deficit from what `now` said to `after`."""
        if quota.returnable:
            self._note(event, before)
        self.at = at
        self.refill = quota.refill
        self.deficit = after

    def give_back(self, mark: int, surplus: int) -> None:
        """Lessen the take of event `mark`, within a later event that has been noted.

        Had less been taken then, the deficit would have been smaller by the surplus, until it
        reached zero: from there on refill would have been lost. So the lowest deficit since is
        the most that there is to give back.
        """
        given = min(surplus, *(deficit for event, deficit in self.dips if event > mark))
        self.deficit -= given
        self.dips = [
            (event, deficit - given if event > mark else deficit) for event, deficit in self.dips
        ]

    def _note(self, event: int, deficit: int) -> None:
        dips = self.dips
        while dips and dips[-1][1] >= deficit:
            dips.pop()  # what this one undercuts says nothing any more
        dips.append((event, deficit))
        if len(dips) > _MOST_DIPS:
            # Of each two, one that promises no more than either: too little given back is safe.
            pairs = zip(dips[::2], dips[1::2], strict=False)
            self.dips = [(later[0], min(one[1], later[1])) for one, later in pairs] + dips[-1:]
