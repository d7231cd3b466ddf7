"""What tells the hours and days of a zone apart in SQL."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from xinghe.core import MICRO
from xinghe.ledger.windows import DAY, HOUR, Window


def parts(window: Window, column: str, since: int, until: int) -> tuple[str, dict[int, int]]:
    """What tells hours or days apart, in SQL, and when each begins: an hour says it itself.

    The days of a zone are counted from 1970 on.
    """
    if window.per == "hour":
        return column, {}
    zone = ZoneInfo(window.zone)
    moments, offsets = zip(*_offsets(zone, since, until), strict=True)
    first, last = (since + offsets[0]) // DAY, (until + offsets[-1]) // DAY
    noons = {
        day: datetime.datetime(1970, 1, 1, 12, tzinfo=zone) + datetime.timedelta(days=day)
        for day in range(first, last + 1)
    }
    starts = {day: window.part(int(noon.timestamp()) * MICRO) for day, noon in noons.items()}
    return f"({column} + {_stepwise(column, moments[1:], offsets)}) / {DAY}", starts


def _stepwise(column: str, moments: Sequence[int], values: Sequence[int]) -> str:
    """In SQL: the first value before the first moment, the second from then on, and so on."""
    if not moments:
        return f"{values[0]:d}"
    steps = zip(moments, values, strict=False)
    whens = " ".join(f"WHEN {column} < {moment:d} THEN {value:d}" for moment, value in steps)
    return f"CASE {whens} ELSE {values[-1]:d} END"


def _offsets(zone: ZoneInfo, since: int, until: int) -> Iterator[tuple[int, int]]:
    """From which moment on the zone is how far ahead of UTC, in microseconds."""
    low, known = since, _offset(zone, since)
    yield since, known
    for day in range(since + DAY, until + DAY, DAY):
        if _offset(zone, day) != known:
            high = day
            while high - low > HOUR:
                middle = low + (high - low) // HOUR // 2 * HOUR
                low, high = (middle, high) if _offset(zone, middle) == known else (low, middle)
            known = _offset(zone, high)
            yield high, known
        low = day


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.datetime.fromtimestamp(at // MICRO, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * MICRO
