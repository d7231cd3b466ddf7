"""How often and how much may be asked: RPM, TPM and QPS, each a token bucket, any number at once.

A bucket is kept as its deficit: what was taken and has not flowed back. (The generic cell rate
algorithm, ITU-T I.371, keeps the same number as the time at which the bucket will be full.)
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from xinghe.limits.quota import MINUTE, Ask, Headers, Key, Quota
from xinghe.limits.told import Look, headers, refusal

_MOST_DIPS = 64


class _Look(Look):
    bucket: _Bucket | None = None


class Limiter:
    """Takes a request from all of its limits or from none.

    Full buckets are not kept: there is no difference between one and none. `clock` gives
    nanoseconds and never goes back. Not for use by several threads.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._buckets: OrderedDict[Key, _Bucket] = OrderedDict()
        """The one that was used longest ago comes first."""
        self._events = 0

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._buckets)

    async def left(self, ask: Ask) -> int:
        """What could be had of it now."""
        bucket = self._buckets.get(ask.key)
        return ask.quota.left(0 if bucket is None else bucket.now(self._clock()))

    def admit(self, asks: Sequence[Ask], tokens: int = 0) -> Admission:
        """Take one request and an estimate of `tokens`. No two asks may have the same key.

        Raises `RateLimited`.
        """
        now = self._clock()
        self._sweep(now, len(asks) + 1)
        looks = []
        refused = False
        for ask in asks:
            quota, bucket = ask.quota, self._buckets.get(ask.key)
            before = 0 if bucket is None else bucket.now(now)
            after = before + quota.amount(tokens) * quota.unit
            refused |= after > quota.capacity
            looks.append(_Look(ask, before, after, bucket))
        if refused:
            raise refusal(looks)
        self._events += 1
        for look in looks:
            if look.bucket is None:
                look.bucket = self._buckets[look.ask.key] = _Bucket()
            else:
                self._buckets.move_to_end(look.ask.key)
            look.bucket.update(self._events, now, look.before, look.after, look.ask.quota)
        told = headers([(look.ask.quota, look.after) for look in looks])
        return Admission(told, self, asks, tokens, self._events)

    async def take(self, asks: Sequence[Ask], tokens: int = 0) -> Admission:
        """As `admit`, which waits for nothing."""
        return self.admit(asks, tokens)

    def settle(self, ask: Ask, event: int, surplus: int) -> None:
        """Make what an ask was granted at an `event` less by `surplus` Tokens, as if asked so then.

        A negative surplus becomes a deficit now, beyond the capacity if it must (a debt). Any other
        gives back only what could still have been there: what the bucket would have lost as
        overflow in between, had it been that much fuller, is not given.
        """
        bucket = self._buckets.get(ask.key)
        if surplus == 0 or (surplus > 0 and bucket is None):
            return  # a bucket that is gone was full in between: there is nothing to give back
        now = self._clock()
        if bucket is None:
            bucket = self._buckets[ask.key] = _Bucket()
        else:
            self._buckets.move_to_end(ask.key)
        self._events += 1
        deficit, surplus = bucket.now(now), surplus * ask.quota.unit
        bucket.update(self._events, now, deficit, deficit + max(0, -surplus), ask.quota)
        if surplus > 0:
            bucket.give_back(event, surplus)

    def _sweep(self, now: int, most: int) -> None:
        """Drop full buckets, those used longest ago first, until one may soon be full.

        At most so many, one more than a take can add: the number of idle ones falls.
        """
        buckets = self._buckets
        for _ in range(most):
            if not buckets:
                return
            key = next(iter(buckets))
            bucket = buckets[key]
            if bucket.now(now) == 0:
                del buckets[key]
            elif now - bucket.at > MINUTE:
                # In debt, or of a very low limit: those behind it must not wait for it.
                buckets.move_to_end(key)
            else:
                return


class Admission(msgspec.Struct):
    """A request that was let in; its caller must settle it, whatever came of it.

    `headers` are the `X-Ratelimit-*` as of the admission, the estimate taken.
    """

    headers: Headers
    _limiter: Limiter
    _asks: Sequence[Ask]
    _tokens: int
    _event: int
    _settled: bool = False

    def settle(self, used_tokens: int) -> None:
        """Replace the estimate by what was used; a second call does nothing.

        Using more than the estimate is a debt, which the next requests wait for.
        """
        if self._settled:
            return
        self._settled = True
        for ask in self._asks:
            if ask.quota.returnable:
                taken = ask.quota.amount(self._tokens)
                self._limiter.settle(ask, self._event, taken - max(0, used_tokens))


class _Bucket(msgspec.Struct):
    """`deficit` was true at `at` (nanoseconds) and has been flowing back since.

    `dips` remembers how near to full the bucket has been: pairs of an event's number and the
    smallest deficit up to it and since the pair before. An event is noted with the deficit before
    it, when that is lowest.
    """

    at: int = 0
    deficit: int = 0
    refill: int = 1
    dips: list[tuple[int, int]] = []

    def now(self, at: int) -> int:
        """The deficit at a time not before the last event."""
        deficit = self.deficit - (at - self.at) * self.refill
        return deficit if deficit > 0 else 0

    def update(self, event: int, at: int, before: int, after: int, quota: Quota) -> None:
        """An event has taken the deficit from what `now` said to `after`."""
        self.at = at
        self.refill = quota.refill
        self.deficit = after
        if not quota.returnable:
            return
        dips = self.dips
        while dips and dips[-1][1] >= before:
            dips.pop()  # what this one undercuts says nothing any more
        dips.append((event, before))
        if len(dips) > _MOST_DIPS:
            # Of each two, one that promises no more than either: too little given back is safe.
            pairs = zip(dips[::2], dips[1::2], strict=False)
            self.dips = [(later[0], min(one[1], later[1])) for one, later in pairs] + dips[-1:]

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
