"""A month of a zone's calendar, as far as it has come."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import msgspec

from xinghe.core import MICRO
from xinghe.ledger.windows import Window


class Month(msgspec.Struct, frozen=True):
    """`name` is `2026-11`; it is from `since` on, before `until` (microseconds, UTC).

    `running`: it is not over, and `until` is the moment at which it was asked for.
    """

    name: str
    zone: str
    since: int
    until: int
    running: bool


def name_of(at: int, zone: str) -> str:
    """The month in which a moment lies."""
    return f"{datetime.datetime.fromtimestamp(at // MICRO, ZoneInfo(zone)):%Y-%m}"


def month_of(name: str | None, zone: str, at: int) -> Month | None:
    """A month by its name, or the one that runs at a moment; None: it is before 1970 or to come."""
    running = name_of(at, zone)
    if name is None:
        name = running
    if not "1970-01" <= name <= running:
        return None
    window = Window("month", zone=zone)
    begin = datetime.datetime(int(name[:4]), int(name[5:]), 1, tzinfo=ZoneInfo(zone))
    since = int(begin.timestamp()) * MICRO
    end = window.left(since)
    assert end is not None
    return Month(name, zone, max(0, since), min(end, at), running=at < end)
