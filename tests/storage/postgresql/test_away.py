"""The server goes away in every way: what was handed in is told or kept, and it comes back."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.kit.disk import fill, small_disk
from tests.kit.pace import allowed
from tests.kit.postgres import QUICK, Cluster, cluster
from tests.storage.postgresql.proxy import proxy
from tests.storage.test_writer import note, notes, until
from xinghe.storage import Connection, Database, StorageUnavailable, writer
from xinghe.storage import database as storage_database
from xinghe.storage.postgresql import connection
from xinghe.storage.postgresql.backend import PostgreSQLBackend

BRIEFLY = 13.0
"""Seconds: ten for a write whose commit is in doubt, a moment for each connection tried anew."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server that is treated badly."""
    data = tmp_path_factory.mktemp("away")
    with cluster(data, {**QUICK, "max_connections": "12"}) as running:
        yield running


@pytest.fixture
def url(own: Cluster) -> str:
    return own.database()


@pytest.fixture
async def database(tmp_path: Path, url: str) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path, url) as opened:
        await opened.write(partial(note, text="before"))
        await opened.read(notes)
        yield opened


async def refused(database: Database) -> None:
    """Neither a write nor a read is done, and both hear of it soon."""
    begun = time.monotonic()
    with pytest.raises(StorageUnavailable):
        await database.write(partial(note, text="lost"))
    assert database.last_error is not None
    with pytest.raises(StorageUnavailable):
        await database.read(notes, within=1)
    assert time.monotonic() - begun < allowed(BRIEFLY)


async def recovered(database: Database, expected: list[str]) -> None:
    """By itself; what was enqueued meanwhile is there, once and in order."""
    await until(lambda: database.last_error is None)
    await database.write(partial(note, text="after"))
    assert await database.read(notes) == ["before", *expected, "after"]


def family(own: Cluster) -> list[psutil.Process]:
    assert own.server.pid is not None
    root = psutil.Process(own.server.pid)
    return [root, *root.children(recursive=True)]


async def test_refused(own: Cluster, database: Database) -> None:
    own.server.stop()
    await refused(database)
    database.enqueue(partial(note, text="kept"))
    own.server.start()
    await recovered(database, ["kept"])


async def test_a_server_that_is_started_again_at_once_is_waited_for(
    own: Cluster, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was begun, so nothing is in doubt."""
    for module in (storage_database, writer):  # a start takes its time on a busy machine
        monkeypatch.setattr(module, "AWAY_SECONDS", 60.0)
    own.server.stop()
    reading, writing = (
        asyncio.create_task(database.read(notes)),
        asyncio.create_task(database.write(partial(note, text="waited"))),
    )
    await asyncio.sleep(0.3)
    assert not reading.done()
    assert not writing.done()
    own.server.start()
    await writing
    assert (await reading)[0] == "before"
    assert database.last_error is None
    assert await database.read(notes) == ["before", "waited"]


async def test_killed(own: Cluster, database: Database) -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def killing(connection: Connection) -> None:
        note(connection, "undone")
        if not gate.is_set():
            for process in family(own)[:1]:
                process.kill()
                process.wait()
            loop.call_soon_threadsafe(gate.set)
            time.sleep(0.1)
        note(connection, "killed")

    with pytest.raises(StorageUnavailable):
        await database.write(killing)
    for text in ("kept", "also kept"):
        database.enqueue(partial(note, text=text))
    await refused(database)
    own.server.start()  # from this thread: it ends with the one that started it
    await recovered(database, ["kept", "also kept"])


async def test_hung(own: Cluster, database: Database) -> None:
    stopped = family(own)
    for process in stopped:
        with suppress(psutil.NoSuchProcess):  # one was just ending
            process.suspend()
    try:
        database.enqueue(partial(note, text="kept"))
        await refused(database)
    finally:
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()
    await recovered(database, ["kept"])


async def test_read_only(own: Cluster, database: Database) -> None:
    own.do("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        await until(lambda: own.do("SHOW default_transaction_read_only") == [("on",)])
        with pytest.raises(StorageUnavailable, match="read-only"):
            await database.write(partial(note, text="lost"))
        assert await database.read(notes) == ["before"]  # which it can
        database.enqueue(partial(note, text="kept"))
    finally:
        own.do(
            "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        )
    await recovered(database, ["kept"])


async def test_a_statement_that_takes_too_long(database: Database) -> None:
    with pytest.raises(StorageUnavailable, match="statement timeout"):
        await database.write(lambda c: c.run("SELECT pg_sleep(60)"))
    await recovered(database, [])


async def test_a_lock_that_is_not_given_back(url: str, database: Database) -> None:
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE audit IN EXCLUSIVE MODE")
        database.enqueue(partial(note, text="kept"))
        with pytest.raises(StorageUnavailable, match="lock timeout"):
            await database.write(partial(note, text="lost"))
        assert await database.read(notes) == ["before"]
        other.rollback()
    await recovered(database, ["kept"])


async def test_a_read_that_takes_too_long_takes_no_thread(database: Database) -> None:
    slow = partial(database.read, lambda c: c.run("SELECT pg_sleep(60)"))
    for _ in range(database.backend.readers):
        with pytest.raises(StorageUnavailable, match="does not answer"):
            await slow(within=0.1)
    assert await database.read(notes) == ["before"]


@pytest.mark.parametrize("seconds", [0.0, 60.0])
async def test_a_read_that_nobody_waits_for_takes_no_thread(
    database: Database, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(storage_database, "READ_SECONDS", 0.1)
    begun, ended = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        try:
            connection.run("SELECT pg_sleep($1)", seconds)
            assert ended.wait(60)  # it is told too late
        finally:
            ended.set()

    reading = asyncio.create_task(database.read(slow, within=None))
    await until(begun.is_set)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.sleep(0.2)
    ended.set()
    async with asyncio.timeout(50):
        for _ in range(4 * database.backend.readers):
            assert await database.read(notes, within=None) == ["before"]


async def test_closing_waits_for_no_read(database: Database) -> None:
    begun = threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        connection.run("SELECT pg_sleep(60)")

    reading = asyncio.create_task(database.read(slow, within=None))
    await until(begun.is_set)
    async with asyncio.timeout(50):
        await database.close()
    with pytest.raises(StorageUnavailable):
        await reading


def as_many_as_can_be(url: str) -> Iterator[psycopg.Connection]:
    with suppress(psycopg.OperationalError):
        while True:
            yield psycopg.connect(url)


async def test_no_connection_is_left(own: Cluster, url: str, database: Database) -> None:
    one = psycopg.connect(url, autocommit=True)
    others = list(as_many_as_can_be(url))
    ours = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'xinghe' AND datname = current_database()"
    )
    while one.execute(ours).fetchall():  # until they have ended
        pass
    others += as_many_as_can_be(url)
    await refused(database)
    database.enqueue(partial(note, text="kept"))
    for each in (one, *others):
        each.close()
    await recovered(database, ["kept"])


@pytest.fixture
def small() -> Iterator[Path]:
    """A file system of its own, of 32 MB, that a server's user can reach."""
    with tempfile.TemporaryDirectory() as outside:
        Path(outside).chmod(0o711)
        with small_disk(Path(outside, "disk"), 32) as folder:
            yield folder


@pytest.fixture
def on_small(small: Path, tmp_path: Path) -> Iterator[str]:
    """A database on it, of a server that has ended when the disk is taken away."""
    with cluster(tmp_path / "own") as running:
        space = small / "space"
        space.mkdir(mode=0o700)
        owner = running.server.folder.stat()
        os.chown(space, owner.st_uid, owner.st_gid)
        running.do(f"CREATE TABLESPACE small LOCATION '{space}'")
        yield running.empty("TEMPLATE template0 TABLESPACE small")


async def test_the_disk_is_full(small: Path, on_small: str, tmp_path: Path) -> None:
    async with await Database.open(tmp_path, on_small) as database:
        await database.write(partial(note, text="before"))
        filler = small / "filler"
        fill(filler)
        large = "x" * 50_000 + os.urandom(100_000).hex()
        with pytest.raises(StorageUnavailable, match="No space left"):
            await database.write(partial(note, text=large))
        database.enqueue(partial(note, text=large))
        await until(lambda: database.last_error is not None)
        filler.unlink()
        await recovered(database, [large[:20]])


@pytest.mark.parametrize("losing", ["the commit", "its answer"])
async def test_a_commit_in_doubt(own: Cluster, url: str, tmp_path: Path, losing: str) -> None:
    with proxy(tmp_path / "p", url) as (between, through):
        async with await Database.open(tmp_path, through) as database:
            await database.write(partial(note, text="before"))
            between.losing = losing  # type: ignore[assignment]
            if losing == "its answer":
                # It was done: whoever asked for it hears so.
                assert await database.write(partial(note, text="done")) == "done"
            else:
                with pytest.raises(StorageUnavailable):
                    await database.write(partial(note, text="lost"))
            between.losing = losing  # type: ignore[assignment]
            database.enqueue(partial(note, text="kept"))
            expected = ["done", "kept"] if losing == "its answer" else ["kept"]
            await recovered(database, expected)


def test_what_became_of_a_transaction_on_another_server(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a failover, numbers of processes and transactions may be unknown, or others'."""
    backend = PostgreSQLBackend(url)
    session, lost, another = (backend.session() for _ in range(3))
    lost.begin()
    another.begin()
    pid = {each: each.value("SELECT pg_backend_pid()") for each in (lost, another)}
    session._transaction = lost._transaction
    with monkeypatch.context() as patch:
        patch.setattr(connection, "DOUBT", 0.05)
        with pytest.raises(StorageUnavailable, match="not known"):
            session._was_committed(pid[another])
    another.commit()
    assert not session._was_committed(pid[lost])
    session._transaction = str(2**40 + 7)
    assert not session._was_committed(pid[another])
    for each in (session, lost, another):
        each.close()


async def test_a_table_that_is_not_there_for_a_while(
    own: Cluster, url: str, tmp_path: Path
) -> None:
    """As in the midst of a restore: what must not be lost waits for it."""
    async with await Database.open(tmp_path, url) as database:
        own.do("ALTER TABLE audit RENAME TO elsewhere", url=url)
        database.enqueue(partial(note, text="kept"))
        await until(lambda: database.last_error is not None)
        own.do("ALTER TABLE elsewhere RENAME TO audit", url=url)
        assert await database.drain(30) == 0
        assert await database.read(notes) == ["kept"]


async def test_accounts_are_locked_in_one_order(own: Cluster, url: str) -> None:
    """Whoever waits for a lower one holds no higher one: so nobody waits for each other."""
    insert = "INSERT INTO wallets (id, created_at) VALUES ({0}, 0)"
    # The lower one lies behind the other, where a reader of the table comes last.
    own.do(insert.format(1), insert.format(2), "UPDATE wallets SET held = 5 WHERE id = 1", url=url)
    backend = PostgreSQLBackend(url)
    first, second, third = (backend.session() for _ in range(3))
    for way in "indexscan", "bitmapscan":  # as in a table that was never analyzed
        second.run(f"SET enable_{way} = off")
    first.begin()
    first.lock([1])
    second.begin()
    waiting = asyncio.create_task(asyncio.to_thread(second.lock, {2, 1}))
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    await until(lambda: own.do(query)[0][0] == 1)
    third.begin()
    assert third.rows("SELECT id FROM wallets WHERE id = 2 FOR UPDATE NOWAIT") == [(2,)]
    third.rollback()
    first.rollback()
    await waiting
    second.rollback()
    for each in (first, second, third):
        each.close()
