"""Books of 10,000,000 entries and 100,000 accounts: proven, read and written as small ones are."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.kit.sqlite import session
from tests.ledger.books import hold, used
from tests.ledger.many import fill
from tests.ledger.test_mass import payer
from xinghe.core import Usage
from xinghe.ledger import Filters, Ledger, check, latest
from xinghe.storage import Connection, Database
from xinghe.storage.sqlite import SQLiteBackend, SQLiteSession, connect

ACCOUNTS, REQUESTS = 100_000, 98
AT_WORK = 1000
"""Members whose requests are measured, in large books and in empty ones."""
ROUNDS, IN_A_ROUND = 100, 20
EVER = 2**62


class Seen:
    """A connection that explains each query beside doing it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.plan = ""

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        sqlite = self._connection.dialect == "sqlite"
        explained = self._connection.rows(
            f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{sql}", *parameters
        )
        self.plan = "\n".join(str(row[-1]) for row in explained)
        return self._connection.rows(sql, *parameters)


async def test_the_plan_of_the_newest_page(database: Database) -> None:
    """By the account's own index, also for one whose entries lie far behind all others'."""

    def look(connection: Connection) -> None:
        fill(connection, 2)
        for account, count in (1, 20_000), (2, 60_000):
            connection.run(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) "
                "INSERT INTO entries (wallet_id, at, kind, amount, balance_after) "
                "SELECT CAST($2 AS BIGINT), 0, 'grant', 1, 1 FROM n",
                count,
                account,
            )
        connection.run("ANALYZE")
        for account in 1, 2:
            seen = Seen(connection)
            page = latest(seen, Filters(wallet_id=account), limit=20)  # type: ignore[arg-type]
            assert [entry.member for entry in page] == [f"member {account}"] * 20
            assert "entries_of_wallet" in seen.plan, seen.plan
            assert not any(word in seen.plan for word in ("Sort", "Seq Scan on entries", "TEMP"))

    await database.write(look)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of a large SQLite file; 3 GB."""
    data = tmp_path_factory.mktemp("large")
    SQLiteBackend.prepared(data, create=True)
    file = data / "xinghe.db"
    with closing(connect(file)) as connection:
        for name, value in ("journal_mode", "off"), ("synchronous", "off"), ("foreign_keys", "off"):
            connection.pragma(name, value)
        with connection:
            fill(SQLiteSession(connection), ACCOUNTS, requests=REQUESTS, at=EVER)
    SQLiteBackend.prepared(data, create=False)
    yield data
    file.unlink()


@pytest.mark.slow
async def test_the_check_takes_less_than_a_minute(large: Path) -> None:
    async with await Database.open(large) as database:
        before = time.process_time()
        assert await database.read(check, within=None) == []
        assert time.process_time() - before < 60


@pytest.mark.slow
async def test_the_newest_page_takes_less_than_20_ms(large: Path) -> None:
    async with await Database.open(large) as database:
        taken = []
        for account in range(1, ACCOUNTS, ACCOUNTS // 50):
            before = time.monotonic()
            page = await database.read(
                lambda c, account=account: latest(c, Filters(wallet_id=account), limit=20)  # type: ignore[misc]
            )
            taken.append(time.monotonic() - before)
            assert len(page) == 20
        assert statistics.median(taken) < 0.02


async def cpu(ledger: Ledger, start: int) -> float:
    """Seconds of a request: reserved, noted once, charged."""
    before = time.process_time()
    for number in range(start, start + IN_A_ROUND):
        usage = Usage()
        async with hold(ledger, payer(2 + number * 7919 % AT_WORK), usage):
            used(usage, 5, 3)
            ledger.checkpoint()
            usage.finished = True
    return (time.process_time() - before) / IN_A_ROUND


@pytest.mark.slow
async def test_a_request_costs_what_it_costs_in_empty_books(large: Path, tmp_path: Path) -> None:
    async with await Database.open(tmp_path) as few, await Database.open(large) as many:
        fill(session(few), AT_WORK + 1, requests=0, at=EVER)
        ledgers = Ledger(few), Ledger(many)
        for ledger in ledgers:
            await ledger.start()
        # Three times at most: others who use the machine make it dearer, nothing makes it cheaper.
        for _ in range(3):
            taken = [
                [await cpu(ledger, number * IN_A_ROUND) for ledger in ledgers]
                for number in range(ROUNDS)
            ]
            in_few, in_many = (statistics.median(each) for each in zip(*taken, strict=True))
            print(
                f"{in_few * 1e6:.0f} us a request in empty books, {in_many * 1e6:.0f} in large ones"
            )
            if in_many < 1.1 * in_few:
                break
        for ledger in ledgers:
            await ledger.stop()
    assert in_many < 1.1 * in_few
