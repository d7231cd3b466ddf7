"""Every page under 50 ms, with 100,000 members, 1,000 groups and 10,000,000 entries of a year."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.postgres import QUICK, cluster
from tests.usage.many import HEAVY, RARE, SINCE, STUDENT, YEAR, Sizes, make
from xinghe.ledger.windows import DAY, HOUR
from xinghe.storage import Connection, Database
from xinghe.usage import entries, failed, requests, totals
from xinghe.usage.lines import Filters
from xinghe.usage.pages import Position
from xinghe.usage.scope import Scope
from xinghe.usage.series import Interval, SeriesParams, Summing

SIZES = Sizes(members=100_000, groups=1000, entries=10_000_000)
SECONDS = 0.05
SEEN = 5
"""Of each page; the quickest counts, for others use the machine too."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SCOPES = {
    "a member with 1,000,000 entries": Scope(member=HEAVY),
    "a member whom a group pays for": Scope(member=STUDENT),
    "a group with 2,000,000 entries": Scope(wallets=(SIZES.large_group,)),
    "a group": Scope(wallets=(SIZES.large_group + 6,)),
    "an organisation of 20 groups": Scope(
        wallets=tuple(SIZES.large_group + 6 + number for number in range(20))
    ),
    "an organisation of 100 groups": Scope(
        wallets=tuple(SIZES.large_group + number for number in range(100))
    ),
}
FILTERS = {
    "all": Filters(),
    "a model that was asked once": Filters(model=RARE),
    "a model of three": Filters(model="model-1"),
    "grants": Filters(kind="grant"),
    "a day": Filters(since=SINCE + 100 * DAY, until=SINCE + 101 * DAY),
    "part of a year": Filters(since=SINCE + 7, until=SINCE + 100 * DAY + 5),
    "a member": Filters(member=7),
    "a token": Filters(member=HEAVY, token=SIZES.second_token),
    "a request": Filters(request_id="as-1000000000"),
}
LARGE = "a group with 2,000,000 entries"
SERIES: dict[tuple[Interval, int], tuple[int, int]] = {
    ("hour", 7): (SINCE + 300 * DAY, SINCE + 307 * DAY),
    ("day", 30): (SINCE + 300 * DAY, SINCE + 330 * DAY),
    ("month", 365): (SINCE, SINCE + YEAR),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """A data directory and the URL of its database; 4 GB, or 7."""
    data = tmp_path_factory.mktemp("usage")
    if request.param == "sqlite":
        make(data, "", SIZES)
        yield data, ""
        (data / "xinghe.db").unlink()
        return
    large = {**QUICK, "shared_buffers": "256MB", "max_wal_size": "8GB"}
    with cluster(data, large) as running:
        url = running.database()
        make(data, url, SIZES)
        yield data, url


@pytest.fixture
async def database(made: tuple[Path, str]) -> AsyncIterator[Database]:
    async with await Database.open(*made) as opened:
        yield opened


async def seconds(database: Database, operation: Callable[[Connection], object]) -> float:
    taken = []
    for _ in range(SEEN):
        before = time.monotonic()
        await database.read(operation)
        taken.append(time.monotonic() - before)
    return min(taken)


@pytest.mark.parametrize("scope", SCOPES)
async def test_entries(database: Database, scope: str) -> None:
    found = SCOPES[scope]
    slow = {}
    for name, filters in FILTERS.items():
        for after in None, Position(SINCE + YEAR // 3, 7):

            def page(
                connection: Connection,
                filters: Filters = filters,
                after: Position | None = after,
            ) -> object:
                sums = None
                if after is None and filters.request_id is None:
                    sums = totals.totals(connection, found, filters)
                return entries.page(connection, found, filters, after=after, limit=50), sums

            slow[name, after] = await seconds(database, page)
    assert {name: taken for name, taken in slow.items() if taken > SECONDS} == {}


@pytest.mark.parametrize("scope", SCOPES)
async def test_series(database: Database, scope: str) -> None:
    slow = {}
    for (interval, _), (since, until) in SERIES.items():
        for by in (), ("model",), ("group",), ("member", "token"):

            def page(
                connection: Connection,
                asked: SeriesParams = SeriesParams(  # noqa: B008
                    since=since - since % HOUR,
                    until=until,
                    interval=interval,
                    by=by,
                    zone="Asia/Shanghai",
                ),
            ) -> object:
                summing = Summing(SCOPES[scope], asked)
                while not summing.step(connection):
                    pass
                return summing.page()

            slow[interval, by] = await seconds(database, page)
    assert {name: taken for name, taken in slow.items() if taken > SECONDS} == {}


async def test_no_step_of_a_large_month_holds_a_reader_up(database: Database) -> None:
    asked = SeriesParams(
        since=SINCE - SINCE % HOUR, until=SINCE + YEAR, interval="month", by=("member",)
    )
    summing = Summing(SCOPES[LARGE], asked)
    taken, done = [], False
    while not done:
        before = time.monotonic()
        done = await database.read(summing.step)
        taken.append(time.monotonic() - before)
    assert statistics.median(taken) < 2 * SECONDS
    assert len(summing.page()[0]) == 1000


@pytest.mark.parametrize("scope", SCOPES)
async def test_failed_requests(database: Database, scope: str) -> None:
    for filters in failed.Filters(), failed.Filters(model=RARE):

        def page(connection: Connection, filters: failed.Filters = filters) -> object:
            return failed.page(connection, SCOPES[scope], filters, after=None, limit=50)

        assert await seconds(database, page) < SECONDS


async def test_requests(database: Database) -> None:
    for request_id in "as-1000000000", "as-nobodys":
        taken = await seconds(
            database,
            lambda c, each=request_id: requests.find(  # type: ignore[misc]
                c, SCOPES["a group"], each, paying=(HEAVY,)
            ),
        )
        assert taken < SECONDS
