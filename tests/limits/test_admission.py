"""What is let in, what has to wait and for how long."""

from __future__ import annotations

import pytest

from tests.limits.asking import asks
from tests.limits.clock import Clock
from tests.limits.stores import Settling, Store
from xinghe.limits import Admission, RateLimited

Limit = dict[str, float]
NONE: Limit = {}


def admit(
    limiter: Store, limits: Limit, tokens: int = 0, *, account: int = 1, model: str = "m"
) -> Admission | Settling:
    rpm, tpm, qps = (limits.get(kind, 0) for kind in ("rpm", "tpm", "qps"))
    return limiter.admit(asks(int(rpm), int(tpm), qps, owner=account, model=model), tokens)


def refused(limiter: Store, limits: Limit, tokens: int = 0) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        admit(limiter, limits, tokens)
    return caught.value


def test_no_limits(limiter: Store) -> None:
    for _ in range(1000):
        assert admit(limiter, NONE, 10**9).headers == []


@pytest.mark.parametrize(
    ("limits", "burst", "wait"),
    [
        ({"rpm": 7}, 7, 8.572),
        ({"rpm": 60}, 60, 1.0),
        ({"rpm": 1}, 1, 60.0),
        ({"qps": 20}, 20, 0.05),
        ({"qps": 2.5}, 2, 0.2),
        ({"qps": 0.5}, 1, 2.0),
        ({"qps": 0.001}, 1, 1000.0),
        ({"tpm": 999}, 999, 0.061),
    ],
)
def test_a_burst_of_the_limit_then_one_at_a_time(
    limiter: Store, clock: Clock, limits: Limit, burst: int, wait: float
) -> None:
    for _ in range(burst):
        admit(limiter, limits, 1)
    refusal = refused(limiter, limits, 1)
    (kind,) = limits
    assert (refusal.kind, refusal.retry_after) == (kind, wait)
    clock.now += round(wait * 1000 - 1) * 1_000_000
    refused(limiter, limits, 1)
    clock.now += 1_000_000
    admit(limiter, limits, 1)
    refused(limiter, limits, 1)


def test_the_limit_of_a_refusal(limiter: Store) -> None:
    every: list[Limit] = [{"rpm": 1}, {"tpm": 1}, {"qps": 0.5}]
    for limits in every:
        admit(limiter, limits, 1)
        refusal = refused(limiter, limits, 1)
        whose = "the member" if refusal.kind == "qps" else "the member on m"
        assert (refusal.limit, refusal.scope) == (1, whose)
        assert str(refusal) == (
            f"{refusal.kind} limit of 1 of {whose}, try again in {refusal.retry_after:g} s"
        )


def test_whose_limits_they_are(limiter: Store) -> None:
    admit(limiter, {"rpm": 1, "tpm": 1}, 1)
    admit(limiter, {"rpm": 1, "tpm": 1}, 1, model="other")
    admit(limiter, {"rpm": 1, "tpm": 1}, 1, account=2)
    admit(limiter, {"qps": 1})
    with pytest.raises(RateLimited):
        admit(limiter, {"qps": 1}, model="other")
    admit(limiter, {"qps": 1}, account=2)


def test_a_refusal_takes_nothing_of_the_other_limits(limiter: Store, clock: Clock) -> None:
    limits: Limit = {"rpm": 2, "tpm": 100, "qps": 20}
    admit(limiter, limits, 90)
    for _ in range(50):
        assert refused(limiter, limits, 90).kind == "tpm"
    headers = dict(admit(limiter, limits, 10).headers)
    assert headers["X-Ratelimit-Remaining-Requests"] == "0"
    assert headers["X-Ratelimit-Remaining-Tokens"] == "0"
    assert refused(limiter, limits, 0).kind == "rpm"
    clock.pass_seconds(30)
    admit(limiter, limits, 50)


def test_a_limit_that_several_share(limiter: Store, clock: Clock) -> None:
    shared = asks(2, owner="the class", model="")
    limiter.admit(asks(5, owner=1) + shared)
    limiter.admit(asks(5, owner=2) + shared)
    with pytest.raises(RateLimited) as refused:
        limiter.admit(asks(5, owner=1) + shared)
    refusal = refused.value
    assert (refusal.kind, refusal.limit, refusal.scope) == ("rpm", 2, "the class")
    assert refusal.retry_after == 30
    for _ in range(4):
        limiter.admit(asks(5, owner=1))
    clock.pass_seconds(30)
    limiter.admit(asks(5, owner=2) + shared)


def test_an_excess_is_a_debt_of_each_limit_by_what_it_had_counted(
    limiter: Store, clock: Clock
) -> None:
    small, large = asks(tpm=60), asks(tpm=600, owner="the class")
    limiter.admit(small + large, 200).settle(120)
    with pytest.raises(RateLimited) as refused:
        limiter.admit(small, 1)
    assert refused.value.retry_after == 61
    assert dict(limiter.admit(large).headers)["X-Ratelimit-Remaining-Tokens"] == "480"


def test_the_slowest_limit_says_how_long(limiter: Store, clock: Clock) -> None:
    limits: Limit = {"rpm": 2, "tpm": 600, "qps": 1}
    admit(limiter, limits, 600)
    refusal = refused(limiter, limits, 300)
    assert (refusal.kind, refusal.retry_after) == ("tpm", 30.0)
    clock.pass_seconds(refusal.retry_after)
    admit(limiter, limits, 300)


def test_an_estimate_beyond_the_limit_waits_for_a_full_bucket(limiter: Store, clock: Clock) -> None:
    big = admit(limiter, {"tpm": 600}, 10**9)
    assert refused(limiter, {"tpm": 600}, 10**9).retry_after == 60.0
    clock.pass_seconds(60)
    admit(limiter, {"tpm": 600}, 10**9)
    big.settle(0)
    assert refused(limiter, {"tpm": 600}, 1).retry_after == 0.1


def test_what_was_not_used_is_given_back_once(limiter: Store) -> None:
    admission = admit(limiter, {"tpm": 100}, 100)
    admission.settle(30)
    admission.settle(0)
    assert admit(limiter, {"tpm": 100}, 70).headers[1] == ("X-Ratelimit-Remaining-Tokens", "0")
    refused(limiter, {"tpm": 100}, 1)


def test_a_debt_is_waited_for(limiter: Store, clock: Clock) -> None:
    admit(limiter, {"tpm": 100}, 50).settle(400)
    refusal = refused(limiter, {"tpm": 100}, 10)
    assert refusal.retry_after == 60 * 310 / 100
    assert ("X-Ratelimit-Remaining-Tokens", "0") in refusal.headers
    clock.pass_seconds(refusal.retry_after)
    admit(limiter, {"tpm": 100}, 10)


def test_a_debt_of_a_request_that_took_longer_than_its_bucket_was_kept(
    limiter: Store, clock: Clock
) -> None:
    long = admit(limiter, {"tpm": 100}, 50)
    clock.pass_seconds(600)
    admit(limiter, {"rpm": 1}, 0)
    long.settle(150)
    refused(limiter, {"tpm": 100}, 1)


def test_refill_that_would_have_been_lost_is_not_given_back(limiter: Store, clock: Clock) -> None:
    parked = [admit(limiter, {"tpm": 100}, 100)]
    for _ in range(3):
        clock.pass_seconds(60)
        parked.append(admit(limiter, {"tpm": 100}, 100))
    # Each of the four was paid for by a minute; unused minutes are not to be had all at once.
    for admission in parked[:3]:
        admission.settle(0)
        refused(limiter, {"tpm": 100}, 1)
    parked[3].settle(0)
    admit(limiter, {"tpm": 100}, 100)
    refused(limiter, {"tpm": 100}, 1)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_busy_bucket_gives_back_all_in_any_order(
    limiter: Store, clock: Clock, reverse: bool
) -> None:
    admissions = [admit(limiter, {"tpm": 300}, 12) for _ in range(25)]
    clock.pass_seconds(5)  # 25 flow back
    for admission in admissions[:: -1 if reverse else 1]:
        admission.settle(2)
    headers = dict(admit(limiter, {"tpm": 300}, 0).headers)
    assert headers["X-Ratelimit-Remaining-Tokens"] == str(300 - (25 * 2 - 25))


def test_a_limit_that_changes_keeps_what_was_taken(limiter: Store, clock: Clock) -> None:
    admit(limiter, {"tpm": 100}, 90)
    refused(limiter, {"tpm": 100}, 20)
    admit(limiter, {"tpm": 1000}, 20)
    refused(limiter, {"tpm": 100}, 1)
    clock.pass_seconds(60)
    admit(limiter, {"tpm": 100}, 100)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"rpm": -1}, r"^rpm: -1 is not allowed: 0 \(no limit\) or 1 to"),
        ({"tpm": -1}, "^tpm: -1 is not allowed"),
        ({"tpm": 10**13}, "^tpm: 10000000000000 is not allowed"),
        ({"qps": -0.5}, r"^qps: -0.5 is not allowed: 0 \(no limit\) or 0.001 to"),
        ({"qps": 0.0001}, "^qps: 0.0001 is not allowed"),
        ({"qps": float("nan")}, "^qps: nan is not allowed"),
        ({"qps": float("inf")}, "^qps: inf is not allowed"),
    ],
)
def test_nonsense(limiter: Store, limits: Limit, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        admit(limiter, limits)
