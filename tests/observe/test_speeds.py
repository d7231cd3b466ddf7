"""How quick models have been of late: means of the last 24 hours, and nothing older."""

from __future__ import annotations

import pytest

from xinghe.observe.speeds import HOUR, Speed, Speeds


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_nothing_is_known_of_what_has_not_answered(clock: Clock) -> None:
    assert Speeds(clock).of("a") == Speed(None, None)


def test_means_by_model(clock: Clock) -> None:
    speeds = Speeds(clock)
    speeds.note("a", waited=0.1, tokens=100, seconds=2.0)
    speeds.note("a", waited=0.3, tokens=20, seconds=1.0)
    speeds.note("b", waited=1.0, tokens=1, seconds=0.0)
    assert speeds.of("a") == Speed(200.0, 40.0)
    assert speeds.of("b") == Speed(1000.0, None)


def test_what_is_a_day_old_is_forgotten(clock: Clock) -> None:
    speeds = Speeds(clock)
    speeds.note("a", waited=0.1, tokens=10, seconds=1.0)
    clock.now += 23 * HOUR
    speeds.note("a", waited=0.3, tokens=50, seconds=1.0)
    assert speeds.of("a") == Speed(200.0, 30.0)
    clock.now += 2 * HOUR
    assert speeds.of("a") == Speed(300.0, 50.0)
    clock.now += 48 * HOUR
    assert speeds.of("a") == Speed(None, None)


def test_no_more_is_kept_than_a_day_of_hours(clock: Clock) -> None:
    speeds = Speeds(clock)
    for _ in range(200):
        speeds.note("a", waited=0.1, tokens=10, seconds=1.0)
        clock.now += HOUR
    assert len(speeds._hours["a"]) <= 25
