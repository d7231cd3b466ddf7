"""Windows of time in which something is counted: of the calendar of a time zone, or rolling.

What happens at a moment is counted in one part, which is named by its beginning. A window of the
calendar is one part. A rolling one reaches back by its length from any moment; its parts are
`PARTS` long, and one that it touches counts whole, so that it never allows more than its amount.

Moments are microseconds since 1970, UTC.
"""

import datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from xinghe.core import MICRO

Period = Literal["hour", "day", "week", "month", "total"]
PERIODS: tuple[Period, ...] = get_args(Period)

MINUTE = 60 * MICRO
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LENGTHS = {"hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 30 * DAY}
"""Of rolling windows."""
PARTS = {"hour": MINUTE, "day": 30 * MINUTE, "week": 3 * HOUR, "month": 12 * HOUR}


class Window(msgspec.Struct, frozen=True):
    """An hour, day, week (from Monday) or month of a zone's calendar, or all time (`total`).

    `rolling`: the last hour, day, 7 days or 30 days before each moment; then no zone counts.
    """

    per: Period
    rolling: bool = False
    zone: str = "UTC"

    def part(self, at: int) -> int:
        """The beginning of the part in which a moment is counted."""
        if self.per == "total":
            return 0
        if self.rolling:
            return at - at % PARTS[self.per]
        return _micro(self._begin(at))

    def first(self, at: int) -> int:
        """The parts from this one on count at a moment."""
        if not self.rolling:
            return self.part(at)
        return max(0, self.part(at - LENGTHS[self.per]))

    def left(self, part: int) -> int | None:
        """From when on a part counts no longer; None: never."""
        if self.per == "total":
            return None
        if self.rolling:
            return part + LENGTHS[self.per] + PARTS[self.per]
        begin = self._begin(part)
        if self.per == "hour":
            return part + HOUR
        days = {"day": 1, "week": 7, "month": 31}[self.per]
        later = (begin + datetime.timedelta(days=days)).replace(hour=0)
        return _micro(later.replace(day=1) if self.per == "month" else later)

    def _begin(self, at: int) -> datetime.datetime:
        local = datetime.datetime.fromtimestamp(at // MICRO, ZoneInfo(self.zone))
        begin = local.replace(minute=0, second=0, microsecond=0)
        if self.per == "hour":
            return begin
        begin = begin.replace(hour=0, fold=0)
        if self.per == "week":
            return begin - datetime.timedelta(days=begin.weekday())
        return begin.replace(day=1) if self.per == "month" else begin


def _micro(moment: datetime.datetime) -> int:
    return int(moment.timestamp()) * MICRO
