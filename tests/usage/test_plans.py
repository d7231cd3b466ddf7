"""How both databases read: by an index in its order, whatever the books are like."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.usage.many import HEAVY, RARE, SINCE, STUDENT, YEAR, Sizes, make
from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection, Database
from xinghe.usage import entries, failed, requests, totals
from xinghe.usage.lines import Filters
from xinghe.usage.pages import Position
from xinghe.usage.scope import Scope
from xinghe.usage.series import SeriesParams, Summing

SIZES = Sizes(members=50, groups=3, entries=20_000)
LARGE = ("entries", "usage_hours", "usage_members", "usage_groups", "holds", "failures")


class Seen:
    """A connection that explains each query beside doing it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect
        self.plans: list[str] = []

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        if any(f"FROM {table}" in sql or f"JOIN {table}" in sql for table in LARGE):
            word = "QUERY PLAN " if self.dialect == "sqlite" else ""
            explained = self._connection.rows(f"EXPLAIN {word}{sql}", *parameters)
            self.plans.append("\n".join(str(row[-1]) for row in explained))
        return self._connection.rows(sql, *parameters)

    def row(self, sql: str, *parameters: object) -> tuple[Any, ...] | None:
        return next(iter(self.rows(sql, *parameters)), None)

    def value(self, sql: str, *parameters: object) -> Any:
        return next(iter(self.rows(sql, *parameters)), [None])[0]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._connection.snapshot():
            yield


SCOPES = (
    Scope(member=HEAVY),
    Scope(member=STUDENT),
    Scope(wallets=(SIZES.large_group,)),
    Scope(wallets=tuple(range(1, 20))),
)
FILTERS = (
    Filters(),
    Filters(model=RARE),
    Filters(model="model-1", since=SINCE + YEAR // 2),
    Filters(kind="grant"),
    Filters(kind="usage", until=SINCE + YEAR // 2),
    Filters(member=HEAVY, token=SIZES.second_token),
    Filters(member=3),
    Filters(request_id="as-1000000000"),
)
ALIASES = {
    "entries": "x",
    "usage_hours": "u",
    "usage_members": "u",
    "usage_groups": "u",
    "holds": "r",
    "failures": "r",
}


@pytest.fixture
async def database(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    make(tmp_path, database_url, SIZES)
    async with await Database.open(tmp_path, database_url) as opened:
        yield opened


@pytest.mark.parametrize("scope", SCOPES)
async def test_nothing_is_read_whole(database: Database, scope: Scope) -> None:
    def look(connection: Connection) -> list[str]:
        seen: Any = Seen(connection)
        for each in FILTERS:
            for after in None, Position(SINCE + YEAR // 3, 7):
                entries.page(seen, scope, each, after=after, limit=20)
            if each.request_id is None:
                totals.totals(seen, scope, each)
            asked = SeriesParams(
                since=SINCE - SINCE % HOUR,
                until=SINCE + YEAR,
                interval="day",
                by=("model", "member"),
                model=each.model,
                token=each.token,
                member=each.member,
            )
            Summing(scope, asked).step(seen)
        for member in None, HEAVY:
            for model in None, "model-1":
                asked_of = failed.Filters(member=member, model=model, since=SINCE)
                failed.page(seen, scope, asked_of, after=Position(SINCE + YEAR, 7), limit=20)
        requests.find(seen, scope, "as-1000000000", paying=(HEAVY,))
        requests.find(seen, scope, "as-nobodys", paying=(HEAVY,))
        return list(seen.plans)

    plans = await database.read(look, within=None)
    assert len(plans) > 20
    for plan in plans:
        assert "entries_of_wallet" not in plan, plan  # it knows no times
        assert "failures_by_age" not in plan, plan  # nor that whose they are
        for table, alias in ALIASES.items():
            assert f"Seq Scan on {table}" not in plan, plan
            assert not {f"SCAN {table}", f"SCAN {alias}"} & set(plan.splitlines()), plan
