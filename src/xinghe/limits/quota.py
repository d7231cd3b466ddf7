"""One limit as the numbers that a token bucket needs, all of them integers.

The bucket is kept as its deficit: what was taken and has not flowed back. It is counted in
units so small that a nanosecond's refill is a whole number of them, hence nothing is ever rounded
but the waiting time, and that upwards. (The generic cell rate algorithm, ITU-T I.371, keeps the
same number as the time at which the bucket will be full.)
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import msgspec

Kind = Literal["rpm", "tpm", "qps"]

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_MILLI = 1000
"""A QPS may have up to three decimals."""
HIGHEST = 10**12


class Quota(msgspec.Struct, frozen=True):
    """A limit, its bucket full at first.

    `unit` is the deficit of one request or Token, `refill` flows back each nanosecond, and
    `capacity` is the largest deficit that an admission may leave.
    """

    kind: Kind
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
def per_minute(kind: Kind, limit: int) -> Quota:
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
