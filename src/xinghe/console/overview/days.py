"""The last 14 days beside the 14 before: what each day had, and what that comes to."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from xinghe.api.account.schema import UsageShown

DAYS = 14
HEIGHT, STEP, WIDTH = 56, 20, 16
"""Of a chart and its bars, in units of its SVG."""
LEAST = 2.0
"""The height of a bar of anything at all."""


class Sums(msgspec.Struct):
    """What was used. `waited`: milliseconds to the first tokens of all `timed` requests."""

    spent: Decimal = Decimal(0)
    requests: int = 0
    failed: int = 0
    timed: int = 0
    waited: float = 0.0

    @property
    def error_rate(self) -> float | None:
        """Of one; None without a request."""
        return self.failed / self.requests if self.requests else None

    @property
    def first_token_ms(self) -> float | None:
        return self.waited / self.timed if self.timed else None

    def add(self, other: Sums) -> None:
        self.spent += other.spent
        self.requests += other.requests
        self.failed += other.failed
        self.timed += other.timed
        self.waited += other.waited


class Day(msgspec.Struct, frozen=True):
    """`date` in ISO 8601."""

    date: str
    sums: Sums


class Bar(msgspec.Struct, frozen=True):
    """What a day has in a chart: where it stands, and how high it is (0: nothing)."""

    date: str
    value: Decimal | float | None
    x: int
    y: float
    height: float


class Figure(msgspec.Struct, frozen=True):
    """What a field of `Sums` has come to, and by which part it has changed (None: not known)."""

    value: Decimal | float | None
    before: Decimal | float | None
    change: float | None
    bars: list[Bar]


def first(today: datetime.date) -> datetime.date:
    """The day from which on usage is asked for."""
    return today - datetime.timedelta(days=2 * DAYS - 1)


def days(usage: Iterable[UsageShown], today: datetime.date) -> list[Day]:
    """All 28, the oldest first; `usage` is by day, in the zone of which it is `today`."""
    found = {each.since[:10]: _sums(each) for each in usage}
    dates = [(first(today) + datetime.timedelta(days=each)).isoformat() for each in range(2 * DAYS)]
    return [Day(date, found.get(date) or Sums()) for date in dates]


def figure(days: Sequence[Day], field: str, *, compared: bool = True) -> Figure:
    """Of the last 14 days, compared with those before: not where they are not whole."""
    value, before = (
        getattr(_together(part), field) for part in (days[-DAYS:], days[: len(days) - DAYS])
    )
    change = (
        None if value is None or not before or not compared else float(value) / float(before) - 1
    )
    return Figure(
        value,
        before,
        change,
        bars([(each.date, getattr(each.sums, field)) for each in days[-DAYS:]]),
    )


def bars(values: Sequence[tuple[str, Decimal | float | None]]) -> list[Bar]:
    """One a day, the highest as high as the chart."""
    most = max((float(value or 0) for _, value in values), default=0.0)
    drawn = []
    for place, (date, value) in enumerate(values):
        height = max(LEAST, float(value) / most * HEIGHT) if value else 0.0
        drawn.append(Bar(date, value, place * STEP, round(HEIGHT - height, 1), round(height, 1)))
    return drawn


def _sums(each: UsageShown) -> Sums:
    return Sums(
        spent=each.spent,
        requests=each.requests,
        failed=sum(each.errors.values()),
        timed=each.timed_requests,
        waited=(each.first_token_ms or 0.0) * each.timed_requests,
    )


def _together(days: Iterable[Day]) -> Sums:
    sums = Sums()
    for day in days:
        sums.add(day.sums)
    return sums
