"""Cancellation at the worst moments, and a database that is away when it is time to settle."""

from __future__ import annotations

import asyncio
import random
import threading

import apsw
import pytest
from structlog.testing import capture_logs

from tests.kit.postgres import ON_SQLITE
from tests.kit.sqlite import session
from tests.ledger.books import Books, hold, used
from xinghe.accounts import Principal
from xinghe.core import Usage
from xinghe.ledger import Ledger
from xinghe.storage import Connection, Database, Locks, StorageClosed, StorageUnavailable


def holds(connection: Connection) -> list[str]:
    return [state for (state,) in connection.rows("SELECT state FROM holds ORDER BY id")]


async def test_cancelled_while_the_reservation_is_being_committed(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    gate = threading.Event()
    database.enqueue(lambda _: gate.wait(4), locks=Locks(principal.member_id, principal.wallets))

    async def request() -> None:
        async with hold(ledger, principal, Usage()):
            pytest.fail("entered after it was cancelled")

    task = asyncio.create_task(request())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    assert await books.balance() == (1000, 0)
    assert await database.read(holds) == ["released"]


async def test_cancelled_between_the_commit_and_the_news_of_it(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    async def request() -> None:
        async with hold(ledger, principal, Usage()):
            pytest.fail("entered after it was cancelled")

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    # Blocks the loop: the commit is done, the task has not heard.
    database._writer(Locks(principal.member_id)).drain(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await books.balance() == (1000, 0)
    assert await database.read(holds) == ["released"]


async def test_cancelled_at_any_moment(ledger: Ledger, principal: Principal, books: Books) -> None:
    moments = random.Random(7)
    finished = 0

    async def request() -> None:
        nonlocal finished
        usage = Usage()
        async with hold(ledger, principal, usage, amount=3):
            await asyncio.sleep(moments.uniform(0, 0.002))
            usage.prompt_tokens = 0
            usage.finished = True
        finished += 1

    for _ in range(40):
        tasks = [asyncio.create_task(request()) for _ in range(10)]
        for task in tasks[1:]:
            await asyncio.sleep(moments.uniform(0, 0.003))
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert 40 <= finished < 400
    assert await books.balance() == (1000, 0)
    assert len(await books.usage()) >= finished


@ON_SQLITE
async def test_a_settlement_outlives_a_locked_database(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    session(database).wait_at_most(10)
    other = apsw.Connection(str(database.directory / "xinghe.db"))
    usage = Usage()
    async with hold(ledger, principal, usage):
        other.execute("BEGIN IMMEDIATE")
        used(usage, 5, 3)
        usage.finished = True
    with pytest.raises(StorageUnavailable):
        async with hold(ledger, principal, Usage()):
            pytest.fail("entered without a reservation")
    assert database.last_error is not None
    other.execute("ROLLBACK")
    other.close()
    assert await books.balance() == (1000 - 44, 0)
    assert await database.read(holds) == ["captured"]


async def test_a_closed_database_leaves_the_hold_to_the_reaper(
    principal: Principal, database: Database, database_url: str
) -> None:
    first = Ledger(database)
    await first.start()
    other = await Database.open(database.directory, database_url)
    second = Ledger(other)
    await second.start()
    usage = Usage()
    async with hold(second, principal, usage):
        used(usage, 5, 3)
        await second.stop()
        await other.close()
        usage.finished = True
    assert await first.reap() == 1
    books = Books(database, principal)
    assert await books.balance() == (1000 - 44, 0)
    assert (await books.usage())[0].note == "interrupted"
    await first.stop()


@ON_SQLITE
async def test_a_database_that_was_closed_before_leaves_no_hold_open(
    ledger: Ledger, principal: Principal, database: Database, database_url: str
) -> None:
    other = await Database.open(database.directory, database_url)
    late = Ledger(other)
    await late.start()
    await other.close()
    with capture_logs() as logs, pytest.raises(StorageClosed):
        async with hold(late, principal, Usage()):
            pytest.fail("entered without a reservation")
    assert logs == []
    await late.stop()
    assert await database.read(holds) == []
