"""The pieces of a time that a chart has bars for: hours, days or months."""

from __future__ import annotations

import datetime
from typing import TypeAlias

import msgspec

from xinghe.console.usage.filters import Interval, Span, minute

Place: TypeAlias = int
"""Of a piece among all of its interval."""
_HOUR = 3600
_A_DAY = datetime.timedelta(days=1)
_LABELS = {"hour": "%m-%d %H:%M", "day": "%Y-%m-%d", "month": "%Y-%m"}


class Slot(msgspec.Struct, frozen=True):
    """A piece of time; `since` and `until` are the filters of what lies in it."""

    label: str
    since: str
    until: str


def slots(span: Span) -> dict[Place, Slot]:
    """All pieces of a time, in order."""
    found: dict[Place, Slot] = {}
    at = span.begin
    while at < span.end:
        found[place(at, span.interval)] = slot(at, span)
        at = _bounds(at, span.interval)[1]
    return found


def place(at: datetime.datetime, interval: Interval) -> Place:
    """Of the piece in which a moment lies."""
    if interval == "hour":
        return int(at.timestamp()) // _HOUR
    return at.toordinal() if interval == "day" else at.year * 12 + at.month


def slot(at: datetime.datetime, span: Span) -> Slot:
    """The piece in which a moment lies, but for what lies outside the time that was asked for."""
    begin, end = _bounds(at, span.interval)
    label = begin.strftime(_LABELS[span.interval])
    since = minute(begin) if span.interval == "hour" else f"{begin:%Y-%m-%d}"
    until = minute(end) if span.interval == "hour" else f"{end - _A_DAY:%Y-%m-%d}"
    if begin < span.begin < end:
        since = minute(span.begin)
    if span.end < end and not span.open:
        until = minute(span.end)
    return Slot(label, since, until)


def _bounds(
    at: datetime.datetime, interval: Interval
) -> tuple[datetime.datetime, datetime.datetime]:
    zone = at.tzinfo
    if interval == "hour":
        first = int(at.timestamp()) // _HOUR * _HOUR
        return (
            datetime.datetime.fromtimestamp(first, zone),
            datetime.datetime.fromtimestamp(first + _HOUR, zone),
        )
    begin = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if interval == "day":
        return begin, begin + _A_DAY
    begin = begin.replace(day=1)
    return begin, (begin + datetime.timedelta(days=32)).replace(day=1)
