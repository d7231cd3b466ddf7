"""How often and how much an account may ask: RPM, TPM and QPS, each a token bucket.

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
from typing import Literal, TypeAlias

import msgspec

LimitKind = Literal["rpm", "tpm", "qps"]
Headers = list[tuple[str, str]]

HIGHEST = 10**12

_NAMES = {"rpm": "Requests", "tpm": "Tokens"}
_MILLISECOND = 1_000_000
_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_MILLI = 1000
"""A QPS may have up to three decimals."""
_MOST_DIPS = 64
_SWEPT = 4
"""Buckets looked at in each take, one more than a take can add: the number of idle ones falls."""


class RateLimited(Exception):
    """One of an account's limits is reached; the request took nothing of any of them.

    `retry_after` is in seconds, to the millisecond: whoever waits that long and tries again is
    admitted, unless somebody else of the account took it meanwhile. `kind` and `limit` are those
    of the limit that takes longest; a fractional QPS is rounded up in `limit`. `headers` are as
    those of `Admission`.
    """

    def __init__(self, kind: LimitKind, limit: int, retry_after: float, headers: Headers) -> None:
        super().__init__(f"{kind} limit of {limit} reached, try again in {retry_after:g} s")
        self.kind = kind
        self.limit = limit
        self.retry_after = retry_after
        self.headers = headers


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


@lru_cache(maxsize=1024)
def per_minute(kind: LimitKind, limit: int) -> Quota:
    """`limit` a minute, all of which may come at once. Raises `ValueError`."""
    if not 1 <= limit <= HIGHEST:
        raise ValueError(f"{kind}: {limit} is not allowed: 0 (no limit) or 1 to {HIGHEST}")
    return Quota(kind, limit, _MINUTE, limit, limit * _MINUTE, returnable=kind == "tpm")


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


class Limiter:
    """RPM and TPM for an account and a model, QPS for an account.

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

    def admit(
        self, account_id: int, model: str, *, rpm: int, tpm: int, qps: float, tokens: int
    ) -> Admission:
        """Take one request and an estimate of `tokens`, all or nothing.

        A limit of 0 is none. An estimate beyond what the TPM allow at once counts as all of that:
        it would never be admitted otherwise. Raises `RateLimited`, and `ValueError` for a limit
        that makes no sense.
        """
        asks: list[Ask] = []
        if qps:
            asks.append((("qps", account_id, ""), per_second(qps), 1))
        if rpm:
            asks.append((("rpm", account_id, model), per_minute("rpm", rpm), 1))
        if tpm:
            asks.append((("tpm", account_id, model), per_minute("tpm", tpm), min(tokens, tpm)))
        now = self._clock()
        self._sweep(now)
        found = []
        deficits = []
        for key, quota, amount in asks:
            bucket = self._buckets.get(key)
            deficits.append(0 if bucket is None else bucket.now(now))
            found.append((key, quota, bucket, deficits[-1] + amount * quota.unit))
        if any(after > quota.capacity for _, quota, _, after in found):
            raise _refusal(asks, deficits)
        self._events += 1
        for (key, quota, bucket, after), before in zip(found, deficits, strict=True):
            if bucket is None:
                bucket = self._buckets[key] = _Bucket()  # noqa: PLW2901
            else:
                self._buckets.move_to_end(key)
            bucket.update(self._events, now, before, after, quota)
        return Admission(_headers(asks, [after for *_, after in found]), self, asks, self._events)

    def settle(self, ask: Ask, event: int, used: int) -> None:
        """Make an ask that was granted at an `event` one of `used`, as if that had been asked then.

        More than was asked becomes a deficit now, beyond the capacity if it must (a debt). Less
        gives back only what could still have been there: what the bucket would have lost as
        overflow in between, had it been that much fuller, is not given.
        """
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
        self._events += 1
        deficit = bucket.now(now)
        bucket.update(self._events, now, deficit, deficit + max(0, -surplus), quota)
        if surplus > 0:
            bucket.give_back(event, surplus)

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


class Admission(msgspec.Struct):
    """A request that was let in; its caller must settle it, whatever came of it.

    `headers` are the `X-Ratelimit-*` as of the admission, the estimate taken.
    """

    headers: Headers
    _limiter: Limiter
    _asks: Sequence[Ask]
    _event: int
    _settled: bool = False

    def settle(self, used_tokens: int) -> None:
        """Replace the estimate by what was used; a second call does nothing.

        Using more than the estimate is a debt, which the account's next requests wait for.
        """
        if self._settled:
            return
        self._settled = True
        for ask in self._asks:
            if ask[1].returnable:
                self._limiter.settle(ask, self._event, max(0, used_tokens))


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


def _refusal(asks: Sequence[Ask], deficits: Sequence[int]) -> RateLimited:
    """The wait is that for the slowest limit: by then the others have what is asked as well."""
    waits = [
        -((quota.capacity - deficit - amount * quota.unit) // quota.refill)
        for (_, quota, amount), deficit in zip(asks, deficits, strict=True)
    ]
    longest = max(waits)
    quota = asks[waits.index(longest)][1]
    retry_after = -(-longest // _MILLISECOND) / 1000
    return RateLimited(quota.kind, quota.limit, retry_after, _headers(asks, deficits))


def _headers(asks: Sequence[Ask], deficits: Sequence[int]) -> Headers:
    """Limit, remaining and reset (the time until all of it is there again) of RPM and TPM.

    A limit that does not exist has no headers; QPS has none at all. A debt leaves none remaining.
    """
    headers = []
    for (_, quota, _), deficit in zip(asks, deficits, strict=True):
        name = _NAMES.get(quota.kind)
        if name is not None:
            remaining = max(0, quota.capacity - deficit) // quota.unit
            headers += [
                (f"X-Ratelimit-Limit-{name}", str(quota.limit)),
                (f"X-Ratelimit-Remaining-{name}", str(remaining)),
                (f"X-Ratelimit-Reset-{name}", duration(-(-deficit // quota.refill))),
            ]
    return headers


def duration(nanoseconds: int) -> str:
    """As in `20ms`, `1s`, `1.5s`, `6m0s`, `1h0m0s`; rounded up to the millisecond."""
    millis = -(-nanoseconds // _MILLISECOND)
    if 0 < millis < 1000:
        return f"{millis}ms"
    minutes, millis = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{millis / 1000:g}s"
    if minutes or hours:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
