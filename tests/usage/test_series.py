"""Usage over time, counted by hand: buckets of a zone's days, keys, errors, pages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.usage.small import CLASS, ME, MEMBER, NOON, OTHER, PUPIL, THEM, Small
from xinghe.ledger.windows import DAY, HOUR
from xinghe.usage import series
from xinghe.usage.failures import Failed, Failures
from xinghe.usage.scope import Scope
from xinghe.usage.series import SeriesParams, Summing

DAWN = NOON - 12 * HOUR


async def test_days_are_those_of_the_zone(small: Small) -> None:
    for hour in (0, 15, 16, 23):  # 16:00 UTC is midnight in Shanghai
        small.used(DAWN + hour * HOUR + 1)
    days = await small.buckets(ME, interval="day")
    assert [(each.since, each.charged.requests) for each in days] == [(DAWN, 4)]
    days = await small.buckets(ME, interval="day", zone="Asia/Shanghai")
    midnight = DAWN - 8 * HOUR
    assert [(each.since, each.until, each.charged.requests) for each in days] == [
        (midnight, midnight + DAY, 2),
        (midnight + DAY, midnight + 2 * DAY, 2),
    ]


async def test_the_day_on_which_the_clocks_change(small: Small) -> None:
    change = 1_743_292_800_000_000  # 2025-03-30T00:00:00Z, at one the clocks go forward
    berlin: Any = {"zone": "Europe/Berlin", "since": change - 9 * DAY, "until": change + 9 * DAY}
    for hours in (-2, -1, 0, 1, 21, 22):
        small.used(change + hours * HOUR)
    days = await small.buckets(ME, interval="day", **berlin)
    assert [each.charged.requests for each in days] == [1, 4, 1]
    assert (days[1].since, days[1].until) == (change - HOUR, change + 22 * HOUR)


async def test_months_and_hours(small: Small) -> None:
    for days in (-40, 0, 1, 27):  # 2024-10-04 and those before and after
        small.used(NOON + days * DAY)
    months = await small.buckets(ME, interval="month")
    assert [each.charged.requests for each in months] == [1, 3]
    hours = await small.buckets(ME, interval="hour", since=NOON, until=NOON + 2 * DAY)
    assert [each.since for each in hours] == [NOON, NOON + DAY]
    # What was asked for cuts the first and the last.
    (cut,) = await small.buckets(ME, interval="month", since=NOON + HOUR, until=NOON + 25 * HOUR)
    assert (cut.since, cut.until, cut.charged.requests) == (NOON + HOUR, NOON + 25 * HOUR, 1)


async def test_sums_of_each_key(small: Small) -> None:
    small.used(NOON, PUPIL, wallet=CLASS, model="a", first_ms=400)
    small.used(NOON + 1, PUPIL, wallet=CLASS, model="a", first_ms=200)
    small.used(NOON, PUPIL, wallet=CLASS, model="b", token=PUPIL + 10)
    small.used(NOON, PUPIL, model="a")
    small.used(NOON, OTHER, wallet=CLASS, model="a", cost=1)

    async def keys(scope: Scope, **asked: Any) -> dict[series.Key, int]:
        found = await small.buckets(scope, interval="day", **asked)
        return {each.key: each.charged.spend for each in found}

    assert await keys(THEM) == {(): 31}
    assert await keys(THEM, by=("model",)) == {("a",): 21, ("b",): 10}
    assert await keys(THEM, by=("member", "token")) == {(2, 2): 20, (2, 12): 10, (3, 3): 1}
    assert await keys(THEM, by=("member",), model="a") == {(2,): 20, (3,): 1}
    assert await keys(THEM, by=("model",), member=OTHER) == {("a",): 1}
    assert await keys(THEM, member=PUPIL, token=PUPIL) == {(): 20}
    assert await keys(Scope(member=PUPIL), by=("group",)) == {(CLASS,): 30, (PUPIL,): 10}
    assert await keys(Scope(member=PUPIL), token=PUPIL, member=PUPIL) == {(): 30}
    (bucket,) = await small.buckets(THEM, interval="day", by=("model",), model="a", member=PUPIL)
    charged = bucket.charged
    assert (charged.prompt_tokens, charged.completion_tokens, charged.requests) == (6, 4, 2)
    assert (charged.timed, charged.first_ms, charged.total_ms) == (2, 600, 2000)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("rows", [1, 3, 20_000])
async def test_pages(small: Small, limit: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "ROWS", rows)
    for hours in (0, 1, 2, 30, 31, 60, 61, 62, 800):
        for model in ("a", "b") if hours % 2 else ("a",):
            small.used(NOON + hours * HOUR, model=model, cost=hours + 1)
    for interval in ("hour", "day", "month"):
        found = await small.buckets(ME, limit, interval=interval, by=("model",))
        whole = await small.buckets(ME, 1000, interval=interval, by=("model",))
        assert found == whole
        assert sum(each.charged.spend for each in found) == sum(
            (hours + 1) * (1 + hours % 2) for hours in (0, 1, 2, 30, 31, 60, 61, 62, 800)
        )


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_of_one_bucket_at_a_time(small: Small, limit: int) -> None:
    for days in 0, 1, 40, 80:
        small.used(NOON + days * DAY)
    for interval, requests in ("hour", [1] * 4), ("day", [1] * 4), ("month", [2, 1, 1]):
        found = await small.buckets(ME, limit, interval=interval, zone="Asia/Shanghai")
        assert [each.charged.requests for each in found] == requests


async def test_a_total_in_steps(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in range(9):
        small.used(NOON + hours * HOUR)
    monkeypatch.setattr(series, "ROWS", 2)
    monkeypatch.setattr(series, "SECONDS", 0)
    asked = SeriesParams(since=NOON - HOUR, until=NOON + 9 * HOUR, interval="hour")
    summing, steps = Summing(ME, asked, whole=True), 1
    while not await small.read(summing.step):
        steps += 1
    assert steps > 4
    assert (summing.total()[0].requests, summing.total()[0].spend) == (9, 90)


async def test_errors_are_told_by_code(small: Small) -> None:
    failures = Failures(small.database)
    for code in ("a", "b", "a"):
        failures.note(Failed(MEMBER, MEMBER, MEMBER, "as-x", NOON, "chat", "m", 400, code, 1))
    await failures.flush()
    small.used(NOON)
    (bucket,) = await small.buckets(ME, interval="hour", since=NOON, until=NOON + HOUR)
    assert bucket.errors == {"a": 2, "b": 1}
    assert bucket.charged.requests == 1
