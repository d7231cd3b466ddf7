"""A settlement between its answer and the disk: left alone, cut off, overtaken, at a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import pytest

from tests.kit.postgres import ON_SQLITE
from tests.kit.sqlite import session
from tests.ledger.books import Books, away, hold, used
from tests.storage.test_writer import until
from xinghe.accounts import Principal
from xinghe.core import Usage
from xinghe.ledger import Ledger
from xinghe.ledger.reaper import Reaping, settle_process
from xinghe.ledger.settlements import Unsaved
from xinghe.storage import Allowance, Database

pytestmark = ON_SQLITE
COST = 5 * 4 + 3 * 8


async def answer(
    ledger: Ledger, principal: Principal, last: Callable[[], object], *, stream: bool = False
) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage, stream=stream):
        used(usage, 5, 3)
        usage.finished = not stream
        last()
        if stream:
            await asyncio.sleep(60)


@pytest.fixture
async def by_hand(ledger: Ledger) -> None:
    for each in ledger._regular:
        await each.stop()


@pytest.mark.usefixtures("by_hand")
async def test_who_leaves_before_the_charge_is_on_the_disk_gets_and_pays_nothing(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    session(database).wait_at_most(10)
    with away(database) as lock:
        task = asyncio.create_task(answer(ledger, principal, lock))
        await until(lambda: database.last_error is not None)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await books.balance() == (1000, 0)
    assert await books.usage() == []


@pytest.mark.usefixtures("by_hand")
async def test_who_leaves_while_the_journal_is_at_it_has_paid(
    ledger: Ledger,
    principal: Principal,
    books: Books,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be on the disk by now: what stands there is charged whoever dies."""
    session(database).wait_at_most(10)
    writing: Future[None] = Future()
    monkeypatch.setattr(ledger.owner.journal, "write", lambda group: writing)
    with away(database) as lock:
        task = asyncio.create_task(answer(ledger, principal, lock))
        await until(lambda: database.last_error is not None)
        ledger._settlements.secure(linger=0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    writing.set_result(None)
    assert await books.balance() == (1000 - COST, 0)


async def test_an_answer_that_left_is_charged_late_by_its_own_process(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    other = database.backend.session()
    await answer(ledger, principal, other.begin)  # by the journal: the database is locked
    settle_process(
        other, Allowance(), Reaping(), boot_id=ledger.owner.boot_id, own_boot_id="elsewhere"
    )
    other.commit()
    other.close()
    await until(lambda: ledger.owner.journal.idle)
    assert await books.balance() == (1000 - COST, 0)
    assert [entry.note for entry in await books.usage()] == ["late"]


async def test_a_stop_puts_into_the_journal_what_is_queued(
    principal: Principal, books: Books, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await Database.open(database.directory)
    first = Ledger(other)
    await first.start()
    for each in first._regular:
        await each.stop()
    with away(database) as lock:
        task = asyncio.create_task(answer(first, principal, lock, stream=True))
        await until(lambda: bool(first._running.streams) and not other._writers[0]._in_flight)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        monkeypatch.setattr(other, "drain", partial(other.drain, 0.01))
        await first.stop()
        assert await other.close(0.01) == 1
    second = Ledger(database)
    await second.start()
    assert await books.balance() == (1000 - COST, 0)
    await second.stop()


async def test_an_answer_does_not_leave_a_closed_database(
    principal: Principal, books: Books, database: Database
) -> None:
    other = await Database.open(database.directory)
    ledger = Ledger(other)
    await ledger.start()
    usage = Usage()
    entered = hold(ledger, principal, usage, stream=False)
    await entered.__aenter__()
    await ledger.stop()
    await other.close()
    usage.finished = True
    with pytest.raises(Unsaved):
        await entered.__aexit__(None)
    again = Ledger(database)
    await again.start()
    assert await books.balance() == (1000, 0)
    await again.stop()
