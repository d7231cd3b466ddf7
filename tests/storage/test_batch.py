"""Long tasks in batches: bounded, and behind whatever else is to be written."""

from __future__ import annotations

import asyncio
import math
import threading
from functools import partial
from pathlib import Path

import apsw
import pytest

from tests.storage.test_writer import FAR_TOO_MUCH, limit_pages, note, notes, until
from xinghe.storage import Batch, Database, StorageUnavailable, in_batches


def test_a_batch_is_bounded_by_rows() -> None:
    batch = Batch(3, math.inf)
    assert [batch.take() for _ in range(5)] == [True, True, True, False, False]


def test_a_batch_is_bounded_by_time_but_for_its_first_row() -> None:
    batch = Batch(100, 0)
    assert [batch.take() for _ in range(3)] == [True, False, False]


def step(connection: apsw.Connection, batch: Batch, done: int) -> tuple[int, bool]:
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
        await until(lambda: bool(database._writer._idle))
        others = [
            asyncio.create_task(database.write(partial(note, text=f"other {number}")))
            for number in range(3)
        ]
        await until(lambda: len(database._writer._queue) >= 3)
        database._writer._idle[0].at = math.inf  # on a busy machine it might be late by now
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
    def failing(connection: apsw.Connection, batch: Batch, done: int) -> tuple[int, bool]:
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
        await until(lambda: not database.healthy)
        with pytest.raises(StorageUnavailable):
            await in_batches(database, step, 0)
        assert await database.close(timeout=0) == 1
