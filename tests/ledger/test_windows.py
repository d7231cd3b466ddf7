"""When a window begins and ends, and that a rolling one never allows more than its amount."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.ledger import PERIODS, Period, Window
from xinghe.ledger.windows import LENGTHS, PARTS

MICRO = 1_000_000
ZONES = st.sampled_from(
    ["UTC", "Asia/Shanghai", "Asia/Kolkata", "America/New_York", "America/Santiago", "Africa/Cairo"]
)
MOMENTS = st.integers(0, 4_000_000_000 * MICRO)
CALENDAR = st.builds(Window, st.sampled_from(PERIODS), zone=ZONES)
ROLLING = st.builds(Window, st.sampled_from(PERIODS[:4]), st.just(value=True))


def at(zone: str, *moment: int) -> int:
    """Microseconds of a zone's time."""
    return int(datetime.datetime(*moment, tzinfo=ZoneInfo(zone)).timestamp()) * MICRO  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("per", "zone", "moment", "begins", "ends"),
    [
        ("day", "UTC", (2026, 11, 23, 23, 59), (2026, 11, 23), (2026, 11, 24)),
        ("day", "Asia/Shanghai", (2026, 11, 23, 0, 0), (2026, 11, 23), (2026, 11, 24)),
        ("week", "Asia/Shanghai", (2026, 11, 29, 23, 59), (2026, 11, 23), (2026, 11, 30)),
        ("month", "UTC", (2028, 2, 29, 12), (2028, 2, 1), (2028, 3, 1)),
        ("month", "America/New_York", (2026, 11, 1), (2026, 11, 1), (2026, 12, 1)),
        ("month", "UTC", (2026, 12, 31, 23), (2026, 12, 1), (2027, 1, 1)),
        ("hour", "Asia/Kolkata", (2026, 11, 1, 5, 45), (2026, 11, 1, 5), (2026, 11, 1, 6)),
        # Days of 23 and of 25 hours, and one without a midnight.
        ("day", "America/New_York", (2026, 3, 8, 22), (2026, 3, 8), (2026, 3, 9)),
        ("day", "America/New_York", (2026, 11, 1, 22), (2026, 11, 1), (2026, 11, 2)),
        ("day", "America/Santiago", (2026, 9, 6, 12), (2026, 9, 6, 1), (2026, 9, 7)),
    ],
)
def test_the_calendar(
    per: Period, zone: str, moment: tuple[int, ...], begins: tuple[int, ...], ends: tuple[int, ...]
) -> None:
    window = Window(per, zone=zone)
    begin = at(zone, *begins, *([1] * (3 - len(begins))))
    assert window.part(at(zone, *moment)) == window.first(at(zone, *moment)) == begin
    assert window.left(begin) == at(zone, *ends)


@given(window=CALENDAR, moment=MOMENTS, later=st.integers(0, 40 * 86_400 * MICRO))
def test_a_window_of_the_calendar_holds_its_moments(
    window: Window, moment: int, later: int
) -> None:
    begin, end = window.part(moment), window.left(window.part(moment))
    assert begin <= moment
    assert window.part(begin) == begin
    assert window.part(moment + later) >= begin
    if end is None:
        assert window.per == "total"
        assert window.part(moment + later) == begin == 0
        return
    assert end > moment
    assert (window.part(moment + later) == begin) == (moment + later < end)
    assert window.part(end) == end


@given(window=ROLLING, moment=MOMENTS, ago=st.integers(0, 40 * 86_400 * MICRO))
def test_what_lies_within_a_rolling_window_counts(window: Window, moment: int, ago: int) -> None:
    part = window.part(max(0, moment - ago))
    counts = window.first(moment) <= part
    if ago < LENGTHS[window.per]:
        assert counts
    if ago > LENGTHS[window.per] + PARTS[window.per] and moment > ago:
        assert not counts
    left = window.left(part)
    assert left is not None
    assert window.first(left) > part >= window.first(left - 1)


def test_all_time_is_one_window() -> None:
    assert Window("total").part(5) == Window("total").first(10**15) == 0
    assert Window("total").left(0) is None
