"""The table of kept responses: bounded, aged, whose they are, and what goes on from what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.kit.members import member
from xinghe import kept_responses
from xinghe.kept_responses import DAY, ROW_BYTES, KeptResponse, NotKept, ResponseStore
from xinghe.settings import Responses
from xinghe.storage import Database, now

SIZE = ROW_BYTES + 2
"""Of the smallest."""


@pytest.fixture
async def database(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path, database_url) as opened:
        for name in ("a", "b"):
            await opened.write(partial(member, name=name))
        yield opened


def response(name: str, previous: str | None = None, size: int = 0, age: int = 0) -> KeptResponse:
    return KeptResponse(name, previous, "m", b"[]", b"x" * size, now() - age * DAY)


async def names(database: Database) -> list[str]:
    query = "SELECT name FROM kept_responses ORDER BY id"
    return [name for (name,) in await database.read(lambda c: c.rows(query))]


async def total(database: Database) -> tuple[int, int]:
    """As it is counted, and as it is."""
    return await database.read(
        lambda c: (
            c.value("SELECT CAST(sum(bytes) AS BIGINT) FROM kept_responses_total"),
            c.value("SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM kept_responses"),
        )
    )


async def test_it_is_found_at_once_by_its_member_alone(database: Database) -> None:
    store, kept = ResponseStore(database, Responses(keep=True)), response("r", size=5)
    store.keep(1, kept)
    assert await store.find(1, "r") == kept
    with pytest.raises(NotKept):
        await store.find(2, "r")
    with pytest.raises(NotKept):
        await store.delete(2, "r")
    await store.delete(1, "r")
    with pytest.raises(NotKept):
        await store.find(1, "r")
    assert await total(database) == (0, 0)


async def test_a_name_that_no_database_takes_is_none(database: Database) -> None:
    store = ResponseStore(database, Responses(keep=True))
    for asked in (store.find, store.chain):
        with pytest.raises(NotKept):
            await asked(1, "resp_\0")


async def test_a_chain(database: Database) -> None:
    store = ResponseStore(database, Responses(keep=True))
    for name, previous in (("1", None), ("2", "1"), ("3", "2"), ("else", None)):
        store.keep(1, response(name, previous))
    assert [each.name for each in await store.chain(1, "3")] == ["1", "2", "3"]
    with pytest.raises(NotKept):
        await store.chain(1, "3", most=2)
    with pytest.raises(NotKept):
        await store.chain(1, "3", max_bytes=SIZE)
    await store.delete(1, "1")
    with pytest.raises(NotKept, match="1"):
        await store.chain(1, "3")


async def test_a_chain_that_bites_its_tail_ends(database: Database) -> None:
    store = ResponseStore(database, Responses(keep=True))
    store.keep(1, response("1", "1"))
    with pytest.raises(NotKept):
        await store.chain(1, "1")


async def test_the_oldest_of_all_go_where_it_is_too_much(database: Database) -> None:
    store = ResponseStore(database, Responses(keep=True, max_bytes=3 * SIZE))
    for at in range(5):
        store.keep(1 + at % 2, response(str(at)))
        await store.find(1 + at % 2, str(at))
    assert await names(database) == ["2", "3", "4"]
    assert await total(database) == (3 * SIZE, 3 * SIZE)


async def test_the_old_are_gone_and_swept(database: Database) -> None:
    store = ResponseStore(database, Responses(keep=True, keep_days=2))
    for name, age in (("new", 1), ("old", 3)):
        store.keep(1, response(name, age=age))
    with pytest.raises(NotKept):
        await store.find(1, "old")
    assert await store.sweep() == 1
    assert await store.sweep() == 0
    assert await names(database) == ["new"]


async def test_turned_off_all_is_swept(database: Database) -> None:
    ResponseStore(database, Responses(keep=True)).keep(1, response("r"))
    store = ResponseStore(database, Responses())
    assert not store.takes(1)
    with pytest.raises(NotKept):
        await store.find(1, "r")
    assert await store.sweep() == 1
    assert await total(database) == (0, 0)


async def test_one_is_kept_of_no_deleted_member(database: Database) -> None:
    await database.write(
        lambda c: c.run("UPDATE members SET name = NULL, deleted_at = 1 WHERE id = 1")
    )
    store = ResponseStore(database, Responses(keep=True))
    store.keep(1, response("r"))
    with pytest.raises(NotKept):
        await store.find(1, "r")


async def test_what_is_too_large_or_waits_too_long_is_not_taken(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_responses, "MOST_WAITING", 1024 * 1024)
    store = ResponseStore(database, Responses(keep=True, max_bytes=8000))
    assert store.takes(1000)
    assert not store.takes(1001)
    large = ResponseStore(database, Responses(keep=True))
    large.keep(1, response("r", size=1024 * 1024))
    assert not large.takes(1)
    await large.find(1, "r")
    assert large.takes(1)
