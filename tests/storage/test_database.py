"""Long tasks in batches, behind whatever else is to be written; operations that are held back."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.storage.test_writer import FAR_TOO_MUCH, limit_pages, note, notes, until
from xinghe.storage import (
    Allowance,
    Connection,
    Database,
    Locks,
    StorageClosed,
    StorageUnavailable,
    in_batches,
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path) as opened:
        yield opened


def test_a_batch_is_bounded_by_rows() -> None:
    allowance = Allowance(3, math.inf)
    assert [allowance.take() for _ in range(5)] == [True, True, True, False, False]


def test_a_batch_is_bounded_by_time_but_for_its_first_row() -> None:
    allowance = Allowance(100, 0)
    assert [allowance.take() for _ in range(3)] == [True, False, False]


def step(connection: Connection, allowance: Allowance, done: int) -> tuple[int, bool]:
    note(connection, f"batch {done}")
    return done + 1, done == 4


async def test_steps_follow_each_other_until_one_is_the_last(tmp_path: Path) -> None:
    async with await Database.open(tmp_path) as database:
        assert await in_batches(database, step, 0) == 5
        assert await database.read(notes) == [f"batch {number}" for number in range(5)]


async def test_others_go_first_even_if_they_come_later(tmp_path: Path) -> None:
    async with await Database.open(tmp_path) as database:
        gate = threading.Event()
        database.enqueue(lambda _: gate.wait(60))
        long = asyncio.create_task(in_batches(database, step, 0))
        await until(lambda: bool(database._writers[0]._idle))
        others = [
            asyncio.create_task(database.write(partial(note, text=f"other {number}")))
            for number in range(3)
        ]
        await until(lambda: len(database._writers[0]._queue) >= 3)
        database._writers[0]._idle[0].at = math.inf  # on a busy machine it might be late by now
        gate.set()
        await asyncio.gather(*others)
        await long
        found = await database.read(notes)
        assert found[:3] == ["other 0", "other 1", "other 2"]
        assert len(found) == 8


async def test_a_batch_does_not_wait_for_ever(tmp_path: Path) -> None:
    async with await Database.open(tmp_path) as database:
        ended = False

        async def busy() -> None:
            while not ended:
                await asyncio.gather(
                    *(database.write(partial(note, text="other")) for _ in range(20))
                )

        others = [asyncio.create_task(busy()) for _ in range(3)]
        async with asyncio.timeout(60):
            assert await in_batches(database, step, 0) == 5
        ended = True
        await asyncio.gather(*others)


async def test_what_a_step_raises_ends_the_task(tmp_path: Path) -> None:
    def failing(connection: Connection, allowance: Allowance, done: int) -> tuple[int, bool]:
        note(connection, f"batch {done}")
        if done == 2:
            raise LookupError
        return done + 1, False

    async with await Database.open(tmp_path) as database:
        with pytest.raises(LookupError):
            await in_batches(database, failing, 0)
        assert await database.read(notes) == ["batch 0", "batch 1"]


async def test_in_trouble_a_batch_is_refused(tmp_path: Path) -> None:
    async with await Database.open(tmp_path) as database:
        await database.write(limit_pages)
        database.enqueue(partial(note, text=FAR_TOO_MUCH))
        await until(lambda: database.last_error is not None)
        with pytest.raises(StorageUnavailable):
            await in_batches(database, step, 0)
        assert await database.close(timeout=0) == 1


async def test_a_file_that_is_gone_is_the_databases_fault(tmp_path: Path) -> None:
    async with await Database.open(tmp_path) as database:
        (tmp_path / "xinghe.db").unlink()
        with pytest.raises(StorageUnavailable, match="unable to open"):
            await database.read(notes)
        with pytest.raises(StorageUnavailable, match="unable to open"):
            await database.write(partial(note, text="a"))


async def test_a_closed_database_is_one_file(tmp_path: Path) -> None:
    """What was deleted must not stay in the write-ahead log."""
    async with await Database.open(tmp_path) as database:
        await asyncio.gather(*(database.write(partial(note, text="a")) for _ in range(5)))
        await asyncio.gather(*(database.read(notes) for _ in range(5)))
    assert os.listdir(tmp_path) == ["xinghe.db"]


async def noted(database: Database) -> list[str]:
    assert await database.drain() == 0
    rows = await database.read(lambda c: c.rows("SELECT detail FROM audit ORDER BY id"))
    return [text for (text,) in rows]


async def test_the_first_comes_before_what_was_deferred(database: Database) -> None:
    with database.defer(Locks(0)) as writes:
        database.enqueue(partial(note, text="b"))
        await asyncio.create_task(enqueued(database, "c"))
        assert await noted(database) == []
        writes.hand_in(partial(note, text="a"))
        assert await noted(database) == ["a", "b", "c"]
        # The moment is over: what comes later goes its own way.
        database.enqueue(partial(note, text="d"))
        assert await noted(database) == ["a", "b", "c", "d"]
    assert await noted(database) == ["a", "b", "c", "d"]


async def enqueued(database: Database, text: str) -> None:
    database.enqueue(partial(note, text=text))


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, ValueError])
async def test_nothing_is_lost_on_the_way_out(
    database: Database, error: type[BaseException]
) -> None:
    async def work() -> None:
        with database.defer(Locks(0)):
            database.enqueue(partial(note, text="a"))
            raise error

    with pytest.raises(error):
        await work()
    assert await noted(database) == ["a"]


async def test_a_task_that_outlives_the_deferred_writes_is_heard(database: Database) -> None:
    go = asyncio.Event()

    async def later() -> None:
        await go.wait()
        database.enqueue(partial(note, text="late"))

    with database.defer(Locks(0)):
        task = asyncio.create_task(later())
        await asyncio.sleep(0)
    go.set()
    await task
    assert await noted(database) == ["late"]


async def test_others_are_not_held_back(database: Database) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def holder() -> None:
        with database.defer(Locks(0)):
            database.enqueue(partial(note, text="held back"))
            started.set()
            await go.wait()

    task = asyncio.create_task(holder())
    await started.wait()
    database.enqueue(partial(note, text="other"))
    assert await noted(database) == ["other"]
    go.set()
    await task
    assert await noted(database) == ["other", "held back"]


async def test_one_that_fails_takes_no_other_with_it(database: Database) -> None:
    with database.defer(Locks(0)) as writes:
        database.enqueue(partial(note, text="a"))
        writes.hand_in(lambda c: c.run("SELECT nonsense"))
    assert await noted(database) == ["a"]


async def test_a_closed_database_says_so(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    await database.close()
    with pytest.raises(StorageClosed), database.defer(Locks(0)):
        database.enqueue(partial(note, text="a"))
