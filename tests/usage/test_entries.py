"""Entries by page and filter: each that matches exactly once, the newest first."""

from __future__ import annotations

import pytest

from tests.usage.small import CLASS, ME, MEMBER, NOON, OTHER, PUPIL, STRANGER, THEM, Small
from xinghe.ledger.windows import DAY, HOUR, MINUTE
from xinghe.usage import entries
from xinghe.usage.lines import Line
from xinghe.usage.scope import Scope

PUPILS = Scope(member=PUPIL)


def ids(lines: list[Line]) -> list[str | None]:
    return [line.request_id for line in lines]


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_pages_are_by_time_and_have_each_once(small: Small, limit: int) -> None:
    # Two at the same moment, and one that was written late.
    for at in (NOON, NOON + MINUTE, NOON + MINUTE, NOON + 3 * HOUR, NOON - 2 * DAY):
        small.used(at)
    small.booked(NOON - 3 * DAY, 100)
    small.used(NOON, STRANGER)
    found = await small.all(ME, limit)
    assert ids(found) == ["as-4", "as-3", "as-2", "as-1", "as-5", None]
    assert (found[0].appid, found[0].token, found[0].first_ms) == ("app-1", "public0001", None)


async def test_a_member_sees_what_others_paid_for_him_and_nothing_else(small: Small) -> None:
    small.used(NOON, PUPIL)
    small.used(NOON + HOUR, PUPIL, wallet=CLASS)
    small.used(NOON + HOUR, OTHER, wallet=CLASS)
    small.booked(NOON, 5, wallet=CLASS)
    assert ids(await small.all(PUPILS, 1)) == ["as-2", "as-1"]
    assert ids(await small.all(PUPILS, 50)) == ["as-2", "as-1"]
    # The group sees what it paid: not what a member paid himself.
    assert ids(await small.all(THEM, 2)) == ["as-3", "as-2", None]
    assert ids(await small.all(THEM, 50, member=PUPIL)) == ["as-2"]
    assert ids(await small.all(PUPILS, 50, member=OTHER)) == []


async def test_filters(small: Small) -> None:
    small.used(NOON, model="a")
    small.used(NOON + DAY, model="b")
    small.used(NOON + 2 * DAY, model="b", token=MEMBER + 10)
    small.booked(NOON + DAY, 100)
    small.booked(NOON + 2 * DAY, -7, "expiry")
    own = {"member": MEMBER}
    assert ids(await small.all(ME, 50, model="b")) == ["as-3", "as-2"]
    assert ids(await small.all(ME, 50, token=MEMBER, **own)) == ["as-2", "as-1"]
    assert ids(await small.all(ME, 50, token=MEMBER, model="b", **own)) == ["as-2"]
    assert ids(await small.all(ME, 50, kind="usage")) == ["as-3", "as-2", "as-1"]
    assert [line.amount for line in await small.all(ME, 50, kind="grant")] == [100]
    assert [line.amount for line in await small.all(ME, 50, kind="expiry")] == [-7]
    assert await small.all(ME, 50, kind="grant", model="b") == []
    assert ids(await small.all(ME, 50, since=NOON + DAY, until=NOON + 2 * DAY)) == [None, "as-2"]
    assert ids(await small.all(ME, 50, since=NOON + 1, until=NOON + 2 * DAY, model="b")) == ["as-2"]
    assert ids(await small.all(ME, 50, request_id="as-2")) == ["as-2"]
    assert ids(await small.all(ME, 50, request_id="as-2", model="a")) == []
    assert ids(await small.all(Scope(member=STRANGER), 50, request_id="as-2")) == []


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_a_filter_goes_from_hour_to_hour(
    small: Small, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "STRETCHES", 2)
    monkeypatch.setattr(entries, "AT_FIRST", 3)
    for hour in range(7):
        for model in "a", "b":
            small.used(NOON + hour * HOUR + 5, model=model)
            small.used(NOON + hour * HOUR + 5, model=model)
    found = await small.all(ME, limit, model="a")
    assert len(found) == 14
    assert {line.model for line in found} == {"a"}


async def test_what_is_looked_at_is_bounded_and_nothing_is_missed(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "LOOKED_AT", 5)
    monkeypatch.setattr(entries, "AT_FIRST", 3)
    small.used(NOON, model="rare")
    for second in range(30):
        small.used(NOON + second, model="usual")
    small.used(NOON + 40, model="rare")
    page = await small.page(ME, model="rare", limit=10)
    assert page.next is not None  # it ended before the limit, and says where to go on
    assert ids(await small.all(ME, 10, model="rare")) == ["as-32", "as-1"]


async def test_an_organisation_sees_all_its_wallets(small: Small) -> None:
    everything = Scope(wallets=(MEMBER, PUPIL, OTHER, STRANGER, CLASS))
    for number in range(40):
        small.used(NOON + number * MINUTE, 1 + number % 4, wallet=CLASS if number < 9 else 0)
    for limit in 1, 7, 100:
        found = await small.all(everything, limit)
        assert ids(found) == [f"as-{number}" for number in range(40, 0, -1)]
