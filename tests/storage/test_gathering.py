"""Operations that are held back, and then handed in at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import apsw
import pytest

from xinghe.storage import Database, StorageClosed


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path) as opened:
        yield opened


def note(connection: apsw.Connection, text: str) -> None:
    connection.execute(
        "INSERT INTO audit (at, actor, action, subject, detail) VALUES (0, '', '', '', ?)", (text,)
    )


async def noted(database: Database) -> list[str]:
    assert await database.drain() == 0
    rows = await database.read(lambda c: list(c.execute("SELECT detail FROM audit ORDER BY id")))
    return [text for (text,) in rows]


async def test_the_first_comes_before_what_was_gathered(database: Database) -> None:
    with database.gather() as gathering:
        database.enqueue(partial(note, text="b"))
        await asyncio.create_task(enqueued(database, "c"))
        assert await noted(database) == []
        gathering.hand_in(partial(note, text="a"))
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
        with database.gather():
            database.enqueue(partial(note, text="a"))
            raise error

    with pytest.raises(error):
        await work()
    assert await noted(database) == ["a"]


async def test_a_task_that_outlives_the_gathering_is_heard(database: Database) -> None:
    go = asyncio.Event()

    async def later() -> None:
        await go.wait()
        database.enqueue(partial(note, text="late"))

    with database.gather():
        task = asyncio.create_task(later())
        await asyncio.sleep(0)
    go.set()
    await task
    assert await noted(database) == ["late"]


async def test_others_are_not_held_back(database: Database) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def gatherer() -> None:
        with database.gather():
            database.enqueue(partial(note, text="held back"))
            started.set()
            await go.wait()

    task = asyncio.create_task(gatherer())
    await started.wait()
    database.enqueue(partial(note, text="other"))
    assert await noted(database) == ["other"]
    go.set()
    await task
    assert await noted(database) == ["other", "held back"]


async def test_one_that_fails_takes_no_other_with_it(database: Database) -> None:
    with database.gather() as gathering:
        database.enqueue(partial(note, text="a"))
        gathering.hand_in(lambda c: c.execute("SELECT nonsense"))
    assert await noted(database) == ["a"]


async def test_a_closed_database_says_so(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    await database.close()
    with pytest.raises(StorageClosed), database.gather():
        database.enqueue(partial(note, text="a"))
