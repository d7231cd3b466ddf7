"""Which bars a time has, in every zone, and which filters open what is behind each."""

from __future__ import annotations

import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from xinghe.console.usage import drawing
from xinghe.console.usage.filters import Filters, Span
from xinghe.console.usage.slots import place, slots


def span(zone: str, since: str, until: str) -> Span:
    """Of a time that is over: what is to come has no bars."""
    found = Filters.of({"from": since, "to": until}, zone).span
    assert found is not None
    return found


def test_days_of_a_range() -> None:
    found = list(slots(span("Asia/Shanghai", "2024-11-01", "2024-11-30")).values())
    assert len(found) == 30
    assert (found[0].label, found[0].since, found[0].until) == ("2024-11-01",) * 3
    assert found[-1].until == "2024-11-30"


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2024-10-27", 25),
        ("Europe/Berlin", "2024-03-31", 23),
        ("Asia/Shanghai", "2024-10-27", 24),
        ("UTC", "2024-10-27", 24),
    ],
)
def test_hours_of_a_day(zone: str, day: str, hours: int) -> None:
    found = list(slots(span(zone, day, day)).values())
    assert len(found) == hours
    for before, after in pairwise(found):
        begin = datetime.datetime.fromisoformat(before.until)
        assert begin == datetime.datetime.fromisoformat(after.since)
        assert begin - datetime.datetime.fromisoformat(before.since) == datetime.timedelta(hours=1)


def test_a_zone_of_half_hours() -> None:
    asked = span("Asia/Kolkata", "2024-11-29", "2024-11-30")
    assert asked.interval == "hour"
    found = list(slots(asked).values())
    assert found[0].since == "2024-11-29T00:00+05:30"
    assert found[0].until == "2024-11-29T00:30+05:30"
    assert len(found) == 49


def test_months_end_where_the_time_ends() -> None:
    found = list(slots(span("Asia/Shanghai", "2024-07-15", "2024-11-10")).values())
    assert [each.label for each in found] == [f"2024-{month:02}" for month in range(7, 12)]
    assert (found[0].since, found[0].until) == ("2024-07-15T00:00+08:00", "2024-07-31")
    assert (found[1].since, found[1].until) == ("2024-08-01", "2024-08-31")
    assert found[-1].until == "2024-11-11T00:00+08:00"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
def test_every_moment_has_one_bar(zone: str) -> None:
    for since, until in ("2024-10-26", "2024-10-27"), ("2024-10-01", "2024-11-05"):
        asked = span(zone, since, until)
        found = slots(asked)
        at = asked.begin.astimezone(datetime.UTC)
        while at < asked.end.astimezone(datetime.UTC):
            assert place(at.astimezone(ZoneInfo(zone)), asked.interval) in found
            at += datetime.timedelta(minutes=17)


@pytest.mark.parametrize(
    ("since", "until"),
    [("what", "2024-11-01"), ("2024-11-02", "2024-11-01"), ("2024-13-01", "2024-11-01"),
     ("0001-01-01", "0001-01-02"), ("9999-12-31T23:00", "9999-12-31T23:59")],
)  # fmt: skip
def test_a_time_that_is_none_is_left_to_the_api(since: str, until: str) -> None:
    asked = Filters.of({"from": since, "to": until}, "UTC")
    assert asked.span is None
    assert (asked.since, asked.until) == (since, until)


def test_times_are_understood_as_by_the_api() -> None:
    begin = datetime.datetime(2024, 11, 1, 8, tzinfo=ZoneInfo("Asia/Shanghai"))
    for text in "1730419200", "2024-11-01T00:00Z", "2024-11-01T08:00+08:00", "2024-11-01T08:00":
        assert span("Asia/Shanghai", text, "2024-11-20").begin == begin


def test_no_bars_are_drawn_of_days_to_come() -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    since = today - datetime.timedelta(days=3)
    found = list(slots(span("UTC", f"{since}", "9998-12-31")).values())
    assert [each.label for each in found][::3] == [f"{since}", f"{today}"]
    assert Filters.of({"from": "9997-12-31", "to": "9998-12-31"}, "UTC").span is None


def test_a_range_without_an_end_or_a_beginning() -> None:
    asked = Filters.of({"period": "range", "to": "2024-11-30"}, "UTC")
    assert (asked.since, asked.until) == ("2024-11-01", "2024-11-30")
    asked = Filters.of({"period": "range"}, "UTC")
    assert asked.span is not None
    assert asked.until == f"{asked.now:%Y-%m-%d}"


def test_what_is_no_choice_is_the_usual_one() -> None:
    asked = Filters.of({"period": "1y", "show": "all", "by": "group", "model": " "}, "UTC")
    assert (asked["period"], asked.metric, asked.by) == ("7d", "spend", "model")
    assert asked.url("/console/usage") == "/console/usage"


@pytest.mark.parametrize(
    ("most", "whole", "top"),
    [
        (0, True, 4),
        (1, True, 4),
        (5, True, 8),
        (99, True, 100),
        (54, True, 60),
        (101, True, 120),
        (0.000024, False, 0.000024),
        (0.000025, False, 0.000032),
        (116.01, False, 120),
        (10_000_001, True, 12_000_000),
    ],
)
def test_scales_are_round(most: float, whole: bool, top: float) -> None:
    found = drawing.scale(most, whole=whole)
    assert found == pytest.approx(top)
    assert found >= most


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.00012, "0.00012"), (950, "950"), (1500, "1,500"), (12_500, "12.5K"),
        (3_400_000, "3.4M"), (2e9, "2B"),
    ],
)  # fmt: skip
def test_the_labels_of_a_scale_are_short(value: float, text: str) -> None:
    assert drawing.compact(value) == text
