"""How much a limiter keeps; and the real clock."""

from __future__ import annotations

import time

import pytest

from tests.limits.asking import asks
from tests.limits.clock import Clock
from xinghe.limits import Limiter, RateLimited


def test_idle_buckets_are_dropped() -> None:
    clock = Clock()
    limiter = Limiter(clock)
    most = 0
    for account in range(20_000):
        limiter.admit(asks(300, 300_000, 20, owner=account), 300_000)
        most = max(most, len(limiter))
        clock.pass_seconds(0.1)
    # 600 accounts a minute, three buckets each: all others have been full for long.
    assert most <= 3 * 601
    clock.pass_seconds(60)
    for _ in range(most):
        limiter.admit(asks(300, 0, 0, owner=1), 0)
        clock.pass_seconds(1)
    assert len(limiter) == 1


def test_a_debt_keeps_no_other_bucket() -> None:
    clock = Clock()
    limiter = Limiter(clock)
    limiter.admit(asks(0, 10, 0, owner=0), 1).settle(10_000)
    for account in range(1, 1000):
        limiter.admit(asks(300, 0, 0, owner=account), 0)
        clock.pass_seconds(1)
    assert len(limiter) <= 65
    with pytest.raises(RateLimited):
        limiter.admit(asks(0, 10, 0, owner=0), 1)


def test_on_the_real_clock() -> None:
    limiter = Limiter()
    # Again where this process was kept waiting meanwhile: the bucket would have filled.
    began = -1.0
    while time.monotonic() - began > 0.02:
        time.sleep(1)
        began = time.monotonic()
        for _ in range(10):
            limiter.admit(asks(0, 0, 10, owner=1), 0)
    with pytest.raises(RateLimited) as refused:
        limiter.admit(asks(0, 0, 10, owner=1), 0)
    assert 0.05 < refused.value.retry_after <= 0.1
    time.sleep(refused.value.retry_after)
    limiter.admit(asks(0, 0, 10, owner=1), 0)
