"""Several machines on one PostgreSQL: who is alive, and what becomes of who is not heard of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.kit.postgres import ON_POSTGRES
from tests.ledger.books import Books, hold, used
from xinghe.accounts import Principal
from xinghe.core import Usage
from xinghe.ledger import Ledger, processes
from xinghe.ledger.holds import Counts
from xinghe.ledger.journal import Record
from xinghe.ledger.settlements import Unsaved
from xinghe.storage import Database

pytestmark = ON_POSTGRES
COST = 5 * 4 + 3 * 8


@asynccontextmanager
async def machine(folder: Path, url: str) -> AsyncIterator[Ledger]:
    """Another service, with a data directory of its own."""
    await asyncio.to_thread(folder.mkdir)
    async with await Database.open(folder, url) as database:
        ledger = Ledger(database)
        await ledger.start()
        for each in ledger._regular:
            await each.stop()
        yield ledger
        await ledger.stop()


@pytest.fixture(autouse=True)
async def by_hand(ledger: Ledger) -> None:
    """What it does regularly, the tests do."""
    for each in ledger._regular:
        await each.stop()


@pytest.fixture
async def other(tmp_path: Path, database_url: str) -> AsyncIterator[Ledger]:
    async with machine(tmp_path / "elsewhere", database_url) as ledger:
        yield ledger


async def unheard(database: Database, *silent: Ledger, steady: Ledger) -> None:
    """Let the others have beaten for long, and these not."""
    query = "UPDATE processes SET {0} = {0} - $1 WHERE boot_id = $2"
    moved = [("steady_since", steady), *(("seen_at", each) for each in silent)]
    for column, ledger in moved:
        values = processes.LAPSE + 1, ledger.owner.boot_id
        await database.write(lambda c: c.run(query.format(column), *values))  # noqa: B023


async def test_the_holds_of_a_process_elsewhere_that_is_heard_of_are_its_own(
    ledger: Ledger, other: Ledger, principal: Principal, books: Books
) -> None:
    async with hold(other, principal, Usage()):
        assert await ledger.reap() == 0
    assert await other._database.drain() == 0
    assert await books.balance() == (1000, 0)


async def test_a_process_that_was_not_heard_of_loses_its_holds(
    ledger: Ledger, other: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    before = other.owner
    usage = Usage()

    async def stream() -> None:
        async with hold(other, principal, usage):
            used(usage, 5, 3)
            other.checkpoint()
            await asyncio.sleep(60)

    async def whole() -> None:
        async with hold(other, principal, usage, stream=False):
            await asyncio.wait([running])
            usage.finished = True

    running = asyncio.create_task(stream())
    waiting = asyncio.create_task(whole())
    while await books.balance() != (800, 200) or usage.completion_tokens == 0:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert await other._database.drain() == 0
    await unheard(database, other, steady=ledger)
    assert await ledger.reap() == 2
    await other._beat()
    with pytest.raises(Unsaved):
        await running
    with pytest.raises(Unsaved):
        await waiting
    assert await books.balance() == (1000 - COST, 0)
    # It goes on as somebody else, and leaves nothing behind.
    assert other.owner is not before
    await other._beat()
    files = [file.stem for file in (other._database.directory / "owners").iterdir()]
    assert files == [other.owner.boot_id]
    async with hold(other, principal, Usage()):
        assert await ledger.reap() == 0
    assert await other._database.drain() == 0


async def test_behind_an_outage_of_the_database_nobody_is_dead(
    ledger: Ledger, other: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    async with hold(other, principal, Usage()):
        await unheard(database, other, ledger, steady=ledger)
        assert await ledger.reap() == 0
        await other._beat()
        assert await ledger.reap() == 0
    assert await other._database.drain() == 0
    assert await books.balance() == (1000, 0)


async def test_of_one_data_directory_the_lock_tells(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    neighbour = Ledger(database)
    await neighbour.start()
    usage = Usage()
    async with hold(neighbour, principal, usage):
        used(usage, 5, 3)
        await unheard(database, neighbour, steady=ledger)
        assert await ledger.reap() == 0
        usage.finished = True
    assert await books.balance() == (1000 - COST, 0)
    await neighbour.stop()


async def test_a_journal_that_comes_back_is_charged_late(
    ledger: Ledger,
    principal: Principal,
    books: Books,
    database: Database,
    tmp_path: Path,
    database_url: str,
) -> None:
    folder = tmp_path / "elsewhere"
    async with machine(folder, database_url) as dead:
        holding = hold(dead, principal, Usage(), stream=False)
        await holding.__aenter__()
        # Its answer left on account of the journal; then its power fails.
        record = Record("capture", holding._hold.id, principal.member_id, 1, Counts(5, 3, 0))
        await asyncio.to_thread(dead.owner.journal.write([(holding.place, record)]).result)
        await unheard(database, dead, steady=ledger)
        assert await ledger.reap() == 1
        assert await books.balance() == (1000, 0)
    await asyncio.to_thread((folder / "owners").rename, tmp_path / "owners of the dead")
    folder = tmp_path / "elsewhere again"
    await asyncio.to_thread(folder.mkdir)
    await asyncio.to_thread((tmp_path / "owners of the dead").rename, folder / "owners")
    async with await Database.open(folder, database_url) as again:
        back = Ledger(again)
        await back.start()
        await back.stop()
    assert await books.balance() == (1000 - COST, 0)
    assert [entry.note for entry in await books.usage()] == ["late"]


async def test_a_service_that_ends_leaves_no_row(database: Database) -> None:
    ledger = Ledger(database)
    await ledger.start()
    found = partial(processes.beat, boot_id="somebody")
    assert ledger.owner.boot_id in await database.write(found)
    await ledger.stop()
    assert ledger.owner.boot_id not in await database.write(found)
