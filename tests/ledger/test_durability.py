"""What leaves while the database takes nothing is charged all the same, whoever dies."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.kit.postgres import ON_SQLITE
from tests.kit.sqlite import session
from tests.ledger.books import Books, away, hold, used
from tests.ledger.test_reaper import Start, line, lock_files, start
from tests.storage.test_writer import until
from xinghe.accounts import Principal, Tokens
from xinghe.catalog.rate import Rate
from xinghe.core import Usage
from xinghe.ledger import InsufficientTokens, Ledger, holding
from xinghe.ledger.holds import Counts
from xinghe.ledger.journal import Record
from xinghe.ledger.reaper import Reaping, settle_process
from xinghe.ledger.settlements import Unsaved, settle
from xinghe.storage import Database, Locks, StorageRefused, StorageUnavailable, in_batches, now

__all__ = ["start"]
COST = 5 * 4 + 3 * 8


async def answer(ledger: Ledger, principal: Principal, lock: Callable[[], object]) -> None:
    """One of 5 + 3 tokens that ends when the database is locked."""
    usage = Usage()
    async with hold(ledger, principal, usage, stream=False):
        lock()
        used(usage, 5, 3)
        usage.finished = True


async def test_kill_9_while_the_database_is_away(
    start: Start, ledger: Ledger, books: Books, database: Database
) -> None:
    process = start("owe")
    assert await line(process) == "ready"
    process.kill()
    process.wait()
    # All of it by the journal but the running stream, which is settled by its checkpoint there.
    assert await ledger.reap() == 1
    entries = await books.usage()
    assert sorted((entry.completion_tokens, entry.note) for entry in entries) == [
        (3, ""),
        (3, ""),
        (7, "interrupted"),
    ]
    assert await books.balance() == (1000 - 2 * COST - (5 * 4 + 7 * 8), 0)
    assert len(lock_files(database)) == 1
    assert await ledger.reap() == 0


@ON_SQLITE
async def test_a_settlement_that_is_refused_stays_in_the_journal(
    start: Start, ledger: Ledger, books: Books, database: Database
) -> None:
    process = start("owe")
    assert await line(process) == "ready"
    process.kill()
    process.wait()
    await database.write(
        lambda c: c.run(
            "CREATE TRIGGER no_usage BEFORE INSERT ON entries WHEN new.completion_tokens = 3 "
            "BEGIN SELECT RAISE(ABORT, 'not now'); END"
        )
    )
    with capture_logs() as logs:
        assert await ledger.reap() == 1  # it keeps no other open
    assert [each["event"] for each in logs].count("settlement_not_replayed") == 2
    assert (await books.balance())[1] == 200
    assert len(lock_files(database)) == 2
    await database.write(lambda c: c.run("DROP TRIGGER no_usage"))
    assert await ledger.reap() == 0
    assert await books.balance() == (1000 - 2 * COST - (5 * 4 + 7 * 8), 0)
    assert len(lock_files(database)) == 1


async def test_a_journal_of_a_newer_program_is_left_to_it(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    other = Ledger(database)
    await other.start()
    await hold(other, principal, Usage(), stream=False).__aenter__()
    payload = msgspec.msgpack.encode(["transfer", "0" * 30, 1, 1])
    frame = len(payload).to_bytes(2, "little") + payload
    file = database.directory / "owners" / f"{other.owner.boot_id}.lock"
    await other.stop()
    with file.open("r+b") as journal:
        journal.write(zlib.crc32(frame).to_bytes(4, "little") + frame)
    with capture_logs() as logs:
        assert await ledger.reap() == 0
    assert "journal_not_read" in [each["event"] for each in logs]
    assert await books.balance() == (900, 100)
    file.write_bytes(b"")
    assert await ledger.reap() == 1


async def test_an_answer_leaves_on_account_of_the_journal(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    with away(database) as locked:
        await answer(ledger, principal, locked)
        assert not ledger.owner.journal.idle
    assert await books.balance() == (1000 - COST, 0)
    assert ledger.owner.journal.idle


@ON_SQLITE
async def test_a_stop_leaves_its_journal_to_the_next_start(
    principal: Principal, books: Books, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await Database.open(database.directory)
    first = Ledger(other)
    await first.start()
    with away(database) as locked:
        await answer(first, principal, locked)
        monkeypatch.setattr(other, "drain", partial(other.drain, 0.01))
        await first.stop()
        assert await other.close(0.01) == 1
    assert len(lock_files(database)) == 1
    second = Ledger(database)
    await second.start()
    assert await books.balance() == (1000 - COST, 0)
    await second.stop()
    assert lock_files(database) == []


@ON_SQLITE
async def test_neither_database_nor_journal(
    ledger: Ledger,
    principal: Principal,
    books: Books,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "SAVE_SECONDS", 0.5)
    session(database).wait_at_most(10)
    journal = ledger.owner.journal
    read_only = os.open(f"/proc/self/fd/{journal._descriptor}", os.O_RDONLY)
    with away(database) as locked:
        journal._descriptor, whole = read_only, journal._descriptor
        with pytest.raises(Unsaved):
            await answer(ledger, principal, locked)
        journal._descriptor = whole
    os.close(read_only)
    assert await books.balance() == (1000, 0)
    assert await books.usage() == []
    assert journal.idle


@ON_SQLITE
async def test_refused_by_the_database_while_the_journal_is_at_it(
    ledger: Ledger,
    principal: Principal,
    books: Books,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await database.write(
        lambda c: c.run(
            "CREATE TRIGGER no_usage BEFORE INSERT ON entries WHEN new.kind = 'usage' "
            "BEGIN SELECT RAISE(ABORT, 'not now'); END"
        )
    )
    writing: Future[None] = Future()
    monkeypatch.setattr(ledger.owner.journal, "write", lambda group: writing)
    with away(database) as locked:
        task = asyncio.create_task(answer(ledger, principal, locked))
        lingering = ledger._settlements._lingering
        await until(lambda: any(each.journalled for each in lingering.values()))
    assert await database.drain() == 0
    await asyncio.sleep(0)
    assert not task.done()
    writing.set_exception(OSError("the disk fails"))
    async with asyncio.timeout(60):
        with pytest.raises(Unsaved, match="the disk fails"):
            await task
    await reaped_elsewhere(database, ledger.owner.boot_id)
    assert await books.balance() == (1000, 0)


async def test_a_full_journal_takes_no_new_work(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    journal = ledger.owner.journal
    taken = [journal.take() for _ in range(len(journal._free) - 1)]
    async with hold(ledger, principal, Usage()):
        with pytest.raises(StorageUnavailable):
            async with hold(ledger, principal, Usage()):
                pytest.fail("entered without a place")
    assert await books.balance() == (1000, 0)
    async with hold(ledger, principal, Usage()):
        pass
    for place in taken:
        journal.give_back(place)


async def test_refusals_give_their_places_back(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    with pytest.raises(InsufficientTokens):
        async with hold(ledger, principal, Usage(), amount=1001):
            pytest.fail("entered without a reservation")
    assert ledger.owner.journal.idle
    writer = database._writer(Locks(principal.member_id))
    writer.error = "away"
    with pytest.raises(StorageRefused):
        async with hold(ledger, principal, Usage()):
            pytest.fail("entered without a database")
    writer.error = None
    assert ledger.owner.journal.idle
    await books.settled()


async def test_a_stream_whose_hold_was_taken_away_is_ended(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    usage = Usage()

    async def stream() -> None:
        async with hold(ledger, principal, usage):
            used(usage, 5, 3)
            ledger.checkpoint()
            await asyncio.sleep(60)

    task = asyncio.create_task(stream())
    while await books.balance() != (900, 100):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert await database.drain() == 0
    await reaped_elsewhere(database, ledger.owner.boot_id)
    ledger._running.end(ledger.owner)
    with pytest.raises(Unsaved):
        await task
    assert await books.balance() == (1000 - COST, 0)
    assert [entry.note for entry in await books.usage()] == ["interrupted"]
    assert ledger.owner.journal.idle


async def reaped_elsewhere(database: Database, boot_id: str) -> None:
    """What another machine does once a process was not heard of for long."""
    step = partial(settle_process, boot_id=boot_id, own_boot_id="elsewhere")
    await in_batches(database, step, Reaping())


@pytest.mark.parametrize(("left", "charged"), [(1000, COST), (10, 10), (0, 0)])
async def test_an_answer_that_left_is_charged_though_its_hold_was_released(
    ledger: Ledger,
    principal: Principal,
    tokens: Tokens,
    books: Books,
    database: Database,
    left: int,
    charged: int,
) -> None:
    await tokens.cap("1", 2000)
    owner = ledger.owner.boot_id
    async with hold(ledger, principal, Usage(), stream=False):
        hold_id = await database.read(lambda c: c.value("SELECT id FROM holds"))
        await reaped_elsewhere(database, owner)
    if left < 1000:
        usage = Usage()
        async with hold(ledger, principal, usage, rate=Rate(1, 0, 0), amount=1000 - left):
            used(usage, 1000 - left, 0)
            usage.finished = True
    record = Record("capture", hold_id, principal.member_id, now(), Counts(5, 3, 0))
    late = partial(settle, record=record)
    assert not await database.write(late, locks=Locks(principal.member_id, principal.wallets))
    for _ in range(2):  # as often as it is replayed
        assert await database.write(
            partial(late, owner=owner), locks=Locks(principal.member_id, principal.wallets)
        )
    assert await books.balance() == (left - charged, 0)
    entry = (await books.usage())[0]
    assert (entry.note, entry.amount) == ("late", -charged)


async def test_an_answer_that_was_withdrawn_is_not_charged_late(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    async with hold(ledger, principal, Usage(), stream=False):
        hold_id = await database.read(lambda c: c.value("SELECT id FROM holds"))
    record = Record("capture", hold_id, principal.member_id, now(), Counts(5, 3, 0))
    settled = partial(settle, record=record, owner=ledger.owner.boot_id)
    assert not await database.write(settled, locks=Locks(principal.member_id, principal.wallets))
    assert await books.balance() == (1000, 0)


async def test_an_older_checkpoint_changes_nothing(
    ledger: Ledger, principal: Principal, database: Database
) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage):
        used(usage, 5, 3)
        ledger.checkpoint()
        assert await database.drain() == 0
        hold_id = await database.read(lambda c: c.value("SELECT id FROM holds"))
        for completion, noted in ((2, 3), (4, 4)):
            counts = Counts(5, completion, 0)
            record = Record("checkpoint", hold_id, principal.member_id, now(), counts)
            await database.write(
                partial(settle, record=record),
                locks=Locks(principal.member_id, principal.wallets),
            )
            assert await database.read(lambda c: c.value("SELECT emitted FROM holds")) == noted
