"""What the details tell is the same however many hours are in the coarser sums."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.usage.small import CLASS, ME, MEMBER, NOON, OTHER, PUPIL, SCHOOL, THEM, Small
from xinghe.ledger import Ledger, spans
from xinghe.ledger.agreement import disagreements
from xinghe.ledger.spans import Closed
from xinghe.ledger.windows import DAY, HOUR
from xinghe.storage import Connection, now
from xinghe.usage import series, totals
from xinghe.usage.failures import Failed, Failures
from xinghe.usage.lines import Filters
from xinghe.usage.scope import Scope

BOTH = Scope(wallets=(CLASS, SCHOOL))
CHINA: dict[str, Any] = {"zone": "Asia/Shanghai"}
NEWFOUNDLAND: dict[str, Any] = {"zone": "America/St_Johns"}
END = NOON + 90 * DAY
ASKED: list[tuple[Scope, dict[str, Any]]] = [
    (scope, {"interval": interval, **zone, **asked})
    for scope, interval, zone, asked in (
        (THEM, "month", CHINA, {}),
        (THEM, "month", NEWFOUNDLAND, {"by": ("model",)}),
        (BOTH, "month", {}, {"by": ("group", "model")}),
        (BOTH, "month", CHINA, {"by": ("member", "token")}),
        (BOTH, "month", CHINA, {"by": ("token", "model"), "model": "a"}),
        (BOTH, "month", CHINA, {"member": PUPIL}),
        (BOTH, "month", CHINA, {"since": NOON + 20 * DAY, "until": NOON + 70 * DAY}),
        (THEM, "day", CHINA, {"by": ("model",)}),
        (THEM, "day", NEWFOUNDLAND, {"by": ("member",)}),
        (THEM, "hour", {}, {"since": NOON + 27 * DAY, "until": NOON + 28 * DAY}),
        (ME, "month", CHINA, {}),
        (Scope(member=PUPIL), "month", NEWFOUNDLAND, {"by": ("group", "token")}),
        (Scope(member=OTHER), "day", CHINA, {"token": OTHER, "member": OTHER}),
    )
]


@pytest.fixture
async def used(small: Small) -> Small:
    """Requests of a quarter, of which nothing is closed yet, and some that failed."""
    await small.database.write(lambda c: leave(c, NOON - 10 * DAY))
    chance = random.Random(7)
    failures = Failures(small.database)
    for _ in range(150):
        at = NOON + chance.randrange(-2 * HOUR, 90 * DAY)
        member = chance.choice((MEMBER, PUPIL, PUPIL, OTHER))
        wallet = member if member == MEMBER else chance.choice((member, CLASS, CLASS, SCHOOL))
        token = member + chance.choice((0, 10))
        if chance.random() < 0.2:
            failures.note(
                Failed(wallet, member, token, "as-x", at, "chat", "a", 500, "internal", 1)
            )
        else:
            model = chance.choice("ab")
            small.used(
                at, member, wallet=wallet, token=token, model=model, cost=chance.randrange(9)
            )
    await failures.flush()
    return small


def leave(connection: Connection, at: int) -> None:
    """Have nothing closed from a moment on."""
    at -= at % HOUR
    connection.run("UPDATE usage_closed SET since = $1, upto = $1, wallet_id = 0", at)


async def agree(small: Small) -> None:
    assert await small.read(lambda c: list(disagreements(c, 10))) == []


def stops() -> Iterator[int]:
    """After how many transactions of the closing it is looked again."""
    return iter((1, 5, 5, 1, 10_000))


@pytest.mark.parametrize("limit", [2, 1000])
async def test_it_is_told_the_same(
    used: Small, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "WALLETS", 2)  # a round of a month is four transactions

    async def told() -> list[object]:
        found: list[object] = [
            await used.buckets(scope, limit, **{"since": NOON - DAY, "until": END} | asked)
            for scope, asked in ASKED
        ]
        for filters in Filters(), Filters(since=NOON + 7 * DAY + 5, until=NOON + 40 * DAY + 7):
            for scope in ME, THEM, BOTH:
                whole = await used.read(totals.totals, scope, filters)
                assert whole is not None
                found.append((whole.used.requests, whole.used.spend))
        return found

    before = await told()
    assert all(before)
    done, states = False, set[Closed]()
    for many in stops():
        for _ in range(many):
            if done:
                break
            done = await used.database.write(lambda c: spans.close(c, END))
        states.add(await used.read(spans.closed))
        await agree(used)
        assert await told() == before
    assert done
    assert len([each for each in states if each.since < each.upto]) > 2


async def test_a_page_has_the_members_behind_the_one_before(
    used: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    while not await used.database.write(lambda c: spans.close(c, END)):
        pass
    asked: dict[str, Any] = {"interval": "month", "by": ("member", "model"), **CHINA}
    whole = await used.buckets(BOTH, **asked)
    for limit in 1, 3:
        for seconds in 0, 60:
            monkeypatch.setattr(series, "SECONDS", seconds)
            assert await used.buckets(BOTH, limit, **asked) == whole


async def test_what_is_written_late_is_in_both(used: Small) -> None:
    while not await used.database.write(lambda c: spans.close(c, END)):
        pass
    before = await used.buckets(BOTH, interval="month", by=("member",))
    failures = Failures(used.database)
    for at in NOON, NOON + 40 * DAY, END + DAY:
        used.used(at, PUPIL, wallet=CLASS)
        used.used(at, MEMBER)
        failures.note(Failed(CLASS, PUPIL, PUPIL, "as-x", at, "chat", "a", 500, "internal", 1))
        await failures.flush()
    await agree(used)
    after = await used.buckets(BOTH, interval="month", by=("member",))
    assert sum(each.charged.requests for each in after) == 3 + sum(
        each.charged.requests for each in before
    )
    assert sum(each.errors.get("internal", 0) for each in after) == 3 + sum(
        each.errors.get("internal", 0) for each in before
    )


async def test_hours_are_closed_while_a_bucket_is_summed(
    used: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "SECONDS", 0)
    monkeypatch.setattr(spans, "WALLETS", 1)
    asked = series.SeriesParams(since=NOON - DAY, until=END, interval="month", zone="Asia/Shanghai")
    for scope in THEM, ME:
        whole = await used.read(totals.totals, scope, Filters())
        assert whole is not None
        summing, steps = series.Summing(scope, asked, whole=True), 0
        while not await used.read(summing.step):
            steps += 1
            if steps % 2 and steps < 12:
                await used.database.write(lambda c: spans.close(c, END))
        assert steps > 3
        assert summing.total()[0].requests == whole.used.requests


async def test_what_has_just_ended_stays_open(small: Small) -> None:
    """Its requests may be written a little later, by the clock of another host."""
    at = now()
    await small.database.write(lambda c: leave(c, at - 5 * HOUR))
    hour = at - at % HOUR
    for hours in range(5):
        small.used(hour - hours * HOUR, PUPIL, wallet=CLASS)
    ledger = Ledger(small.database)
    await small.read(lambda c: None)
    await ledger.close_hours()
    closed = await small.read(spans.closed)
    assert at - 2 * HOUR - HOUR < closed.upto <= now() - HOUR
    held = "SELECT CAST(sum(requests) AS BIGINT) FROM usage_groups WHERE span = 'hour'"
    assert await small.read(lambda c: c.value(held)) in (3, 4)
    await agree(small)


async def test_a_clock_that_was_put_back_loses_nothing(small: Small) -> None:
    await small.database.write(lambda c: leave(c, now() + 3 * DAY))
    small.used(now(), PUPIL, wallet=CLASS)
    small.used(now(), MEMBER)
    await agree(small)
    months = await small.buckets(THEM, interval="month", since=NOON, until=now() + DAY)
    assert sum(each.charged.requests for each in months) == 1


def test_which_hours_of_a_wallet_are_closed() -> None:
    closed = Closed(10 * HOUR, 12 * HOUR, 3)
    assert closed.holds(9 * HOUR, 9)
    assert closed.holds(11 * HOUR, 3)
    assert not closed.holds(11 * HOUR, 4)
    assert not closed.holds(12 * HOUR, 3)
