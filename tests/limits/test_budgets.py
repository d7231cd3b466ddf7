"""Which budgets a request counts in."""

from __future__ import annotations

from typing import Literal

import msgspec

from tests.limits.clock import Clock
from xinghe.limits import Ask, Limiter, Place, Places, asked, left, per_minute


class Budget(msgspec.Struct, frozen=True):
    id: int
    unit: Literal["rpm", "tpm", "concurrent"]
    amount: int
    whose: str = "the member"
    model: str | None = None


def test_of_all_models_and_of_the_one_that_is_asked() -> None:
    budgets = [
        Budget(7, "rpm", 60, "the access token"),
        Budget(8, "concurrent", 2, "the member", "m"),
        Budget(9, "rpm", 60, "the group 一班", "m"),
        Budget(5, "concurrent", 20, "the group 一班"),
        Budget(4, "tpm", 1000, "the service"),
    ]
    token = Ask(("budget", 7, ""), "the access token", per_minute("rpm", 60))
    group = Ask(("budget", 9, "m"), "the group 一班", per_minute("rpm", 60))
    service = Ask(("budget", 4, ""), "the service", per_minute("tpm", 1000))
    own = Place(("budget", 8, "m"), "the member", 2)
    shared = Place(("budget", 5, ""), "the group 一班", 20)
    assert asked(budgets, "m") == ([token, group, service], [own, shared])
    assert asked(budgets, "other") == ([token, service], [shared])
    assert group.scope == "the group 一班 on m"


def test_two_of_the_same_count_each_by_itself() -> None:
    asks, _ = asked([Budget(1, "rpm", 60), Budget(2, "rpm", 6)], "m")
    headers = dict(Limiter().admit(asks).headers)
    assert headers["X-Ratelimit-Limit-Requests"] == "6"
    assert headers["X-Ratelimit-Remaining-Requests"] == "5"


async def test_what_is_left(clock: Clock) -> None:
    limiter, places = Limiter(clock), Places(10, 30)
    often, much = Budget(1, "rpm", 4), Budget(2, "tpm", 1000, model="m")
    at_once = Budget(3, "concurrent", 2, model="m")
    budgets = [often, much, at_once]
    assert [await left(limiter, places, each) for each in budgets] == [4, 1000, 2]
    asks, wanted = asked(budgets, "m")
    admission = limiter.admit(asks, 100)
    async with places.hold(wanted, 1):
        assert [await left(limiter, places, each) for each in budgets] == [3, 900, 1]
        lower = msgspec.structs.replace(at_once, amount=1)
        async with places.hold(wanted, 1):
            assert await left(limiter, places, lower) == 0
    admission.settle(5000)  # a debt
    clock.pass_seconds(15)
    assert [await left(limiter, places, each) for each in budgets] == [4, 0, 2]
