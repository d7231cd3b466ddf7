"""The rate limit headers."""

from __future__ import annotations

import pytest

from tests.limits.asking import asks
from tests.limits.clock import Clock
from tests.limits.stores import Store
from xinghe.limits import RateLimited
from xinghe.limits.told import duration


def test_of_an_admission(limiter: Store) -> None:
    admission = limiter.admit(asks(300, 300_000, 20), 1500)
    assert admission.headers == [
        ("X-Ratelimit-Limit-Requests", "300"),
        ("X-Ratelimit-Remaining-Requests", "299"),
        ("X-Ratelimit-Reset-Requests", "200ms"),
        ("X-Ratelimit-Limit-Tokens", "300000"),
        ("X-Ratelimit-Remaining-Tokens", "298500"),
        ("X-Ratelimit-Reset-Tokens", "300ms"),
    ]


def test_of_a_refusal(limiter: Store, clock: Clock) -> None:
    limiter.admit(asks(2, 600, 0), 500)
    clock.pass_seconds(1.5)
    with pytest.raises(RateLimited) as refused:
        limiter.admit(asks(2, 600, 0), 200)
    assert refused.value.headers == [
        ("X-Ratelimit-Limit-Requests", "2"),
        ("X-Ratelimit-Remaining-Requests", "1"),
        ("X-Ratelimit-Reset-Requests", "28.5s"),
        ("X-Ratelimit-Limit-Tokens", "600"),
        ("X-Ratelimit-Remaining-Tokens", "115"),
        ("X-Ratelimit-Reset-Tokens", "48.5s"),
    ]


def test_each_kind_tells_the_limit_with_least_left(limiter: Store) -> None:
    limiter.admit(asks(40, 900, owner="the class"), 800)
    limits = asks(10, 500) + asks(40, 900, owner="the class") + asks(3, owner="the token")
    assert limiter.admit(limits, 60).headers == [
        ("X-Ratelimit-Limit-Requests", "3"),
        ("X-Ratelimit-Remaining-Requests", "2"),
        ("X-Ratelimit-Reset-Requests", "20s"),
        ("X-Ratelimit-Limit-Tokens", "900"),
        ("X-Ratelimit-Remaining-Tokens", "40"),
        ("X-Ratelimit-Reset-Tokens", "57.334s"),
    ]
    with pytest.raises(RateLimited) as refused:
        limiter.admit(limits, 60)
    assert refused.value.headers[4] == ("X-Ratelimit-Remaining-Tokens", "40")


def test_of_two_with_as_little_left_the_one_that_takes_longer_is_told(limiter: Store) -> None:
    limits = asks(6) + asks(2, owner="the token")
    limiter.admit(limits)
    limiter.admit(asks(6))
    limiter.admit(asks(6))
    limiter.admit(asks(6))
    headers = dict(limiter.admit(limits).headers)
    assert headers["X-Ratelimit-Limit-Requests"] == "2"
    assert headers["X-Ratelimit-Reset-Requests"] == "1m0s"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (20_000_000, "20ms"),
        (999_000_001, "1s"),
        (1_000_000_000, "1s"),
        (28_570_000_000, "28.57s"),
        (59_999_000_000, "59.999s"),
        (59_999_000_001, "1m0s"),
        (360_000_000_000, "6m0s"),
        (3_600_000_000_000, "1h0m0s"),
        (90_061_500_000_000, "25h1m1.5s"),
    ],
)
def test_durations(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text
