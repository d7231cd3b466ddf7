"""The table of kept answers: bounded, aged, and exact to the byte."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from weakref import ref

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.members import member
from tests.kit.sqlite import in_memory
from xinghe import idempotency
from xinghe.accounts import Members
from xinghe.core import MICRO
from xinghe.idempotency import (
    ROW_BYTES,
    TABLE,
    IdempotencyStore,
    KeyReused,
    StoredResponse,
    find_response,
    store_response,
)
from xinghe.keys_at_work import IdempotencyKey
from xinghe.settings import Idempotency
from xinghe.storage import Allowance, Connection, Database, Locks, now
from xinghe.storage.bounded import DROPPED_ON_THE_WAY
from xinghe.storage.postgresql.backend import PostgreSQLBackend

MAX = 10_000
DIGEST = sha256(b"").digest()


ON_ONE = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
"""For examples that empty the table themselves."""


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    session = PostgreSQLBackend(database_url).session() if database_url else in_memory()[1]
    for name in ("a", "b"):
        member(session, name)
    yield session
    session.close()


def key_of(key: str, account: int = 1, operation: str = "chat") -> IdempotencyKey:
    return IdempotencyKey(account, operation, sha256(key.encode()).digest())


def answer(body: bytes = b"{}", at: int = 5) -> StoredResponse:
    return StoredResponse(DIGEST, "m", 200, [(b"content-type", b"application/json")], body, at)


def total(connection: Connection) -> tuple[int, int]:
    """The sum as it is kept and as it is."""
    cached = connection.value("SELECT CAST(sum(bytes) AS BIGINT) FROM kept_answers_total")
    real = connection.value("SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM kept_answers")
    return cached, real


@given(
    body=st.binary(max_size=500),
    headers=st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=5),
    status=st.integers(100, 599),
)
@ON_ONE
def test_what_is_kept_comes_back_exactly(
    connection: Connection, body: bytes, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    connection.run("DELETE FROM kept_answers")
    stored = StoredResponse(DIGEST, "模型", status, headers, body, 7)
    store_response(connection, key_of("k"), stored, max_bytes=MAX)
    assert find_response(connection, key_of("k"), since=7) == stored


@pytest.mark.parametrize("other", [key_of("l"), key_of("k", 2), key_of("k", operation="rerank")])
def test_other_places_hold_nothing(connection: Connection, other: IdempotencyKey) -> None:
    store_response(connection, key_of("k"), answer(), max_bytes=MAX)
    assert find_response(connection, other, since=0) is None


def test_one_that_is_too_old_is_gone_at_once(connection: Connection) -> None:
    store_response(connection, key_of("k"), answer(at=5), max_bytes=MAX)
    assert not TABLE.any_expired(connection, before=5, max_bytes=MAX)
    assert TABLE.any_expired(connection, before=6, max_bytes=MAX)
    assert find_response(connection, key_of("k"), since=6) is None
    assert total(connection) == (0, 0)
    store_response(connection, key_of("k"), answer(b"new", at=9), max_bytes=MAX)
    found = find_response(connection, key_of("k"), since=6)
    assert found is not None
    assert found.body == b"new"


def test_what_is_older_goes_in_batches(connection: Connection) -> None:
    for at in range(10):
        store_response(connection, key_of(str(at)), answer(at=at), max_bytes=MAX)
    dropped, batches, whole = 0, 0, False
    while not whole:
        before = dropped
        dropped, whole = TABLE.drop_expired(
            connection, Allowance(3, math.inf), dropped, before=4, max_bytes=MAX
        )
        assert dropped - before <= 3
        batches += 1
    assert (dropped, batches) == (4, 2)
    assert [find_response(connection, key_of(str(at)), since=0) is None for at in range(10)] == (
        [True] * 4 + [False] * 6
    )


@given(sizes=st.lists(st.integers(0, 4000), max_size=30))
@ON_ONE
def test_all_together_never_take_more_than_they_may(
    connection: Connection, sizes: list[int]
) -> None:
    connection.run("DELETE FROM kept_answers")
    for number, size in enumerate(sizes):
        store_response(connection, key_of(str(number)), answer(bytes(size)), max_bytes=MAX)
        cached, real = total(connection)
        assert cached == real <= MAX
        # The newest stays, and the older ones go in order.
        there = [
            find_response(connection, key_of(str(each)), since=0) is not None
            for each in range(number + 1)
        ]
        assert there == sorted(there)
        assert there[-1]


def test_a_smaller_limit_is_reached_step_by_step(connection: Connection) -> None:
    for number in range(60):
        store_response(connection, key_of(str(number)), answer(bytes(100)), max_bytes=1_000_000)
    store_response(connection, key_of("new"), answer(bytes(100)), max_bytes=ROW_BYTES * 4)
    assert connection.value("SELECT count(*) FROM kept_answers") == 61 - DROPPED_ON_THE_WAY
    whole = False
    while not whole:
        _, whole = TABLE.drop_expired(
            connection, Allowance(7, math.inf), 0, before=0, max_bytes=ROW_BYTES * 4
        )
    cached, real = total(connection)
    assert 0 < cached == real <= ROW_BYTES * 4
    assert find_response(connection, key_of("new"), since=0) is not None


def test_one_that_is_larger_than_all_may_be_does_not_stay(connection: Connection) -> None:
    store_response(connection, key_of("k"), answer(bytes(MAX + ROW_BYTES)), max_bytes=MAX)
    assert total(connection) == (0, 0)


async def test_however_many_read_one_it_is_in_memory_once(
    tmp_path: Path, database_url: str
) -> None:
    async with await Database.open(tmp_path, database_url) as database:
        await Members(database).create("a")
        store = IdempotencyStore(database, Idempotency(keep=1000), lambda: "one")
        for key in ("old", "new"):
            stored = answer(bytes(100_000), at=now() if key == "new" else now() - 2000 * MICRO)
            operation = partial(store_response, key=key_of(key), response=stored, max_bytes=10**6)
            await database.write(operation, locks=Locks(1))
        readers = [await store.find(key_of("new"), DIGEST) for _ in range(3)]
        assert readers[0] is not None
        assert all(reader is readers[0] for reader in readers)
        with pytest.raises(KeyReused):
            await store.find(key_of("new"), bytes(32))
        assert await store.find(key_of("old"), DIGEST) is None
        gone = ref(readers[0])
        readers.clear()
        assert gone() is None


async def test_one_that_is_read_for_long_is_too_old_nevertheless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await Database.open(tmp_path) as database:
        await Members(database).create("a")
        store = IdempotencyStore(database, Idempotency(keep=1000), lambda: "one")
        operation = partial(
            store_response, key=key_of("k"), response=answer(at=now()), max_bytes=MAX
        )
        await database.write(operation, locks=Locks(1))
        reader = await store.find(key_of("k"), DIGEST)
        assert reader is not None
        late = reader.at + 1001 * MICRO
        monkeypatch.setattr(idempotency, "now", lambda: late)
        assert await store.find(key_of("k"), DIGEST) is None
