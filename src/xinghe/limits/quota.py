"""What is asked of a rate limit: its bucket, how large it is and how fast it fills; a refusal.

A bucket is counted in units so small that a nanosecond's refill is a whole number of them, hence
nothing is ever rounded but the waiting time, and that upwards.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec

LimitKind = Literal["rpm", "tpm", "qps", "concurrent"]
Headers = list[tuple[str, str]]

MEMBER = "the member"
"""Whose the limits are that every member has."""
HIGHEST = 10**12
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
_MILLI = 1000
"""A QPS may have up to three decimals."""


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

    def amount(self, tokens: int) -> int:
        """What a request of so many Tokens takes: those, or one where requests are counted.

        More than a full bucket covers counts as all of that: it would never be admitted otherwise.
        """
        return min(tokens, self.limit) if self.returnable else 1

    def left(self, deficit: int) -> int:
        """Requests or Tokens that are to be had at once; none of a debt."""
        return max(0, self.capacity - deficit) // self.unit


@lru_cache(maxsize=1024)
def per_minute(kind: LimitKind, limit: int) -> Quota:
    """`limit` a minute, all of which may come at once. Raises `ValueError`."""
    if not 1 <= limit <= HIGHEST:
        raise ValueError(f"{kind}: {limit} is not allowed: 0 (no limit) or 1 to {HIGHEST}")
    return Quota(kind, limit, MINUTE, limit, limit * MINUTE, returnable=kind == "tpm")


@lru_cache(maxsize=1024)
def per_second(limit: float) -> Quota:
    """`limit` a second, and a burst of as many, but of one at least. Raises `ValueError`."""
    if not 1 / _MILLI <= limit <= HIGHEST:
        raise ValueError(f"qps: {limit} is not allowed: 0 (no limit) or 0.001 to {HIGHEST}")
    refill = round(limit * _MILLI)
    unit = SECOND * _MILLI
    return Quota("qps", math.ceil(limit), unit, refill, capacity=max(unit, refill * SECOND))


Key: TypeAlias = tuple[Literal["qps", "rpm", "tpm", "budget"], int, str]
"""One of a member's own limits and his id, or a budget and its id; and of which model it is.

The model is empty for what holds for all models.
"""


class Shared(msgspec.Struct, frozen=True):
    """Of what a limit is: requests with the same `key` count together.

    `whose` tells a client who shares it, as in "the group 一班".
    """

    key: Key
    whose: str

    @property
    def scope(self) -> str:
        """Who shares it, and the model that it is for."""
        model = self.key[2]
        return f"{self.whose} on {model}" if model else self.whose


class Ask(Shared, frozen=True):
    """A bucket that a request is taken from."""

    quota: Quota


class RateLimited(Exception):
    """A limit is reached; the request took nothing of any.

    `retry_after` is in seconds. Of RPM, TPM and QPS it is exact, to the millisecond: whoever waits
    that long and tries again is admitted, unless somebody else took it meanwhile; `kind`, `limit`
    and `scope` are then those of the limit that takes longest, a fractional QPS rounded up.
    `headers` are as those of `Admission`.
    """

    def __init__(
        self, kind: LimitKind, limit: int, scope: str, retry_after: float, headers: Headers
    ) -> None:
        super().__init__(f"{kind} limit of {limit} of {scope}, try again in {retry_after:g} s")
        self.kind = kind
        self.limit = limit
        self.scope = scope
        self.retry_after = retry_after
        self.headers = headers
