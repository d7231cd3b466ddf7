"""Group commit: what fails alone, what is retried, what is told to whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import apsw
import psycopg
import pytest
from structlog.testing import capture_logs

from tests.kit.postgres import ON_POSTGRES, ON_SQLITE
from tests.kit.sqlite import raw, session
from xinghe.storage import (
    Connection,
    Database,
    Locks,
    StorageClosed,
    StorageRefused,
    StorageUnavailable,
)
from xinghe.storage.sqlite import SQLiteSession

FAR_TOO_MUCH = "x" * 200_000


def note(connection: Connection, text: str) -> str:
    connection.run(
        "INSERT INTO audit (at, actor, action, subject, detail) VALUES (0, 'test', 'note', $1, $2)",
        text[:20],
        text,
    )
    return text


def notes(connection: Connection) -> list[str]:
    return [subject for (subject,) in connection.rows("SELECT subject FROM audit ORDER BY id")]


def limit_pages(connection: Connection) -> None:
    """Make every later growth of the file fail with SQLITE_FULL."""
    connection.rows(f"PRAGMA max_page_count = {connection.value('PRAGMA page_count')}")


def lift_limit(database: Database) -> None:
    # Past the queue: what is at its head waits for this.
    raw(database).pragma("max_page_count", 1_000_000)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture
async def database(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path, database_url) as opened:
        yield opened


async def test_a_write_is_read_back(database: Database) -> None:
    assert await database.write(partial(note, text="a")) == "a"
    assert await database.read(notes) == ["a"]


async def test_one_failing_operation_takes_no_other_with_it(database: Database) -> None:
    def failing(connection: Connection) -> None:
        note(connection, "undone")
        raise LookupError("mine alone")

    def constrained(connection: Connection) -> None:
        note(connection, "undone too")
        connection.run("INSERT INTO tokens (member_id) VALUES (1)")

    outcomes = await asyncio.gather(
        database.write(partial(note, text="before")),
        database.write(failing),
        database.write(constrained),
        database.write(partial(note, text="after")),
        return_exceptions=True,
    )
    assert outcomes[0] == "before"
    assert isinstance(outcomes[1], LookupError)
    assert isinstance(outcomes[2], apsw.ConstraintError | psycopg.IntegrityError)
    assert outcomes[3] == "after"
    assert await database.read(notes) == ["before", "after"]
    assert database.last_error is None


@ON_SQLITE
async def test_what_gathers_during_a_commit_is_one_batch(database: Database) -> None:
    commits = 0

    def committing() -> bool:
        nonlocal commits
        commits += 1
        return False

    raw(database).set_commit_hook(committing)
    await asyncio.gather(*(database.write(partial(note, text="x")) for _ in range(200)))
    assert len(await database.read(notes)) == 200
    assert 0 < commits < 20


@ON_POSTGRES
async def test_what_takes_its_own_locks_is_alone_in_its_transaction(database: Database) -> None:
    def transaction(connection: Connection) -> object:
        return connection.value("SELECT CAST(pg_current_xact_id() AS TEXT)")

    gate = threading.Event()
    database.enqueue(lambda _: gate.wait(60))
    await until(lambda: bool(database._writers[0]._in_flight))
    writing = [
        asyncio.create_task(database.write(transaction, locks=locks))
        for locks in (Locks(2), Locks(4), None, None, Locks(2), Locks(4))
    ]
    await until(lambda: len(database._writers[0]._queue) == len(writing))
    gate.set()
    a, b, alone, other, c, d = await asyncio.gather(*writing)
    assert len({a, b, alone, other, c, d}) == 4
    assert (a, c) == (b, d)


@ON_SQLITE
async def test_a_full_disk_fails_a_write_and_keeps_what_was_enqueued(database: Database) -> None:
    await database.write(limit_pages)
    for text in ("first", "second", "third"):
        database.enqueue(partial(note, text=text + FAR_TOO_MUCH))
    with pytest.raises(StorageUnavailable, match="full"):
        await database.write(partial(note, text="lost" + FAR_TOO_MUCH))
    await until(lambda: database.last_error is not None)
    assert database.last_error is not None
    assert "full" in database.last_error
    assert await database.drain(timeout=0.1) == 3
    assert await database.read(notes) == []

    lift_limit(database)
    assert await database.drain() == 0
    assert [text[:6] for text in await database.read(notes)] == ["firstx", "second", "thirdx"]
    assert database.last_error is None


@ON_SQLITE
async def test_a_disk_that_fills_up_within_a_savepoint_undoes_all(database: Database) -> None:
    def some(connection: Connection) -> None:
        note(connection, "outside")
        with connection.savepoint():
            note(connection, FAR_TOO_MUCH)  # SQLite ends the whole transaction of itself
        note(connection, "behind")

    await database.write(limit_pages)
    database.enqueue(some)
    await until(lambda: database.last_error is not None)
    assert "full" in str(database.last_error)
    assert await database.read(notes) == []
    lift_limit(database)
    assert await database.drain() == 0
    assert [text[:7] for text in await database.read(notes)] == ["outside", "xxxxxxx", "behind"]


@pytest.mark.parametrize("step", ["lock", "commit"])
async def test_a_thread_outlives_what_nobody_expects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A driver may have errors that nobody has thought of."""
    real, failing = getattr(SQLiteSession, step), [True]

    def odd(*arguments: object) -> object:
        if failing:
            raise apsw.MisuseError("nobody expects it")
        return real(*arguments)

    monkeypatch.setattr(SQLiteSession, step, odd)
    async with await Database.open(tmp_path) as database:
        database.enqueue(partial(note, text="kept"), locks=Locks(1))
        async with asyncio.timeout(60):
            with pytest.raises(StorageUnavailable, match="nobody expects it"):
                await database.write(partial(note, text="told"))
        failing.clear()
        assert await database.drain() == 0
        assert await database.read(notes) == ["kept"]


@ON_SQLITE
async def test_writes_are_refused_and_not_kept_waiting_while_the_disk_is_full(
    database: Database,
) -> None:
    await database.write(limit_pages)
    database.enqueue(partial(note, text=FAR_TOO_MUCH))
    await until(lambda: database.last_error is not None)
    async with asyncio.timeout(60):
        with pytest.raises(StorageUnavailable):
            await database.write(partial(note, text="small"))
    lift_limit(database)
    assert await database.drain() == 0
    assert len(await database.read(notes)) == 1


@ON_SQLITE
async def test_health_returns_by_itself(database: Database) -> None:
    await database.write(limit_pages)
    with pytest.raises(StorageUnavailable):
        await database.write(partial(note, text=FAR_TOO_MUCH))
    # The probe rewrites a page that exists, so it goes through where growth would not.
    await until(lambda: database.last_error is None)


@ON_SQLITE
async def test_a_batch_that_fails_goes_back_in_its_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, gate, commits = SQLiteSession.commit, threading.Event(), 0

    def failing_once(session: SQLiteSession) -> None:
        nonlocal commits
        commits += 1
        if commits == 2:
            raise StorageUnavailable("away")
        commit(session)

    monkeypatch.setattr(SQLiteSession, "commit", failing_once)
    database.enqueue(lambda _: gate.wait(60))
    await until(lambda: bool(database._writers[0]._in_flight))
    for text in ("a", "b", "c"):  # one batch, since the first is at work
        database.enqueue(partial(note, text=text))
    gate.set()
    assert await database.drain() == 0
    assert await database.read(notes) == ["a", "b", "c"]
    assert commits == 3


@ON_SQLITE
async def test_a_locked_file_delays_what_was_enqueued(database: Database, tmp_path: Path) -> None:
    session(database).wait_at_most(100)
    other = apsw.Connection(str(tmp_path / "xinghe.db"))
    other.execute("BEGIN IMMEDIATE")
    database.enqueue(partial(note, text="a"))
    await asyncio.sleep(0.03)  # it is being tried, and goes back in front of those that come now
    database.enqueue(partial(note, text="b"))
    database.enqueue(partial(note, text="c"))
    await until(lambda: database.last_error is not None)
    database.enqueue(partial(note, text="d"))
    with pytest.raises(StorageUnavailable, match="locked"):
        await database.write(partial(note, text="refused"))
    other.execute("ROLLBACK")
    assert await database.drain() == 0
    assert await database.read(notes) == ["a", "b", "c", "d"]
    other.close()


async def test_an_enqueued_operation_with_a_fault_of_its_own_blocks_nothing(
    database: Database,
) -> None:
    database.enqueue(lambda connection: connection.run("INSERT INTO audit (at) VALUES (1)"))
    database.enqueue(partial(note, text="behind"))
    assert await database.drain() == 0
    assert await database.read(notes) == ["behind"]
    assert database.last_error is None


@ON_SQLITE
async def test_trouble_is_over_when_a_commit_goes_through_and_not_before(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(connection: Connection) -> None:
        raise LookupError("mine alone")

    def away(_: SQLiteSession) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch, capture_logs() as told:
        patch.setattr(SQLiteSession, "commit", away)
        with pytest.raises(StorageUnavailable):
            await database.write(partial(note, text="told"))
        database.enqueue(failing)
        await until(lambda: "operation_dropped" in [each["event"] for each in told])
        with pytest.raises(StorageRefused):
            await database.write(partial(note, text="refused"))
    await until(lambda: database.last_error is None)
    assert [each["event"] for each in told] == ["database_unavailable", "operation_dropped"]


async def test_a_cancelled_writer_is_written_all_the_same(database: Database) -> None:
    task = asyncio.create_task(database.write(partial(note, text="a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await database.drain() == 0
    assert await database.read(notes) == ["a"]


async def test_close_writes_what_is_queued_and_refuses_what_comes_later(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    for index in range(50):
        database.enqueue(partial(note, text=str(index)))
    assert await database.close() == 0
    with pytest.raises(StorageClosed):
        database.enqueue(partial(note, text="late"))
    with pytest.raises(StorageClosed):
        await database.write(partial(note, text="late"))
    async with await Database.open(tmp_path) as again:
        assert await again.read(notes) == [str(index) for index in range(50)]


async def test_close_is_bounded_and_reports_what_is_unwritten(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    await database.write(limit_pages)
    database.enqueue(partial(note, text=FAR_TOO_MUCH))
    database.enqueue(partial(note, text=FAR_TOO_MUCH))
    async with asyncio.timeout(60):
        assert await database.close(timeout=0.3) == 2


async def test_the_reading_connection_cannot_write(database: Database) -> None:
    with pytest.raises(StorageUnavailable, match=r"read-?only"):
        await database.read(partial(note, text="a"))


async def test_what_is_dropped_is_named_and_not_quoted(database: Database) -> None:
    def keep(connection: Connection, *, answer: bytes) -> None:
        raise apsw.TooBigError("string or blob too big")

    with capture_logs() as told:
        database.enqueue(partial(partial(keep), answer=b"what a user was told"))
        assert await database.drain() == 0
    (dropped,) = [each for each in told if each["event"] == "operation_dropped"]
    assert dropped["operation"].endswith("keep")
    assert "what a user was told" not in str(told)


async def test_what_is_being_written_is_not_exchanged(database: Database) -> None:
    gate = threading.Event()
    first = database.enqueue(lambda _: gate.wait(60))
    await until(lambda: bool(database._writers[0]._in_flight))
    second = database.enqueue(partial(note, text="exchanged"))
    assert not database.amend(first, partial(note, text="too late"))
    assert database.amend(second, partial(note, text="in its place"))
    gate.set()
    assert await database.drain() == 0
    assert not database.amend(second, partial(note, text="far too late"))
    assert await database.read(notes) == ["in its place"]


@ON_POSTGRES
async def test_an_error_that_is_passed_over_undoes_what_was_done(database: Database) -> None:
    def passing_over(connection: Connection) -> None:
        note(connection, "undone")
        with suppress(psycopg.Error):
            connection.run("INSERT INTO tokens (member_id) VALUES (1)")

    with pytest.raises(StorageUnavailable, match="had failed"):
        await database.write(passing_over)
    assert await database.read(notes) == []


@ON_SQLITE
async def test_what_is_quick_is_done_on_the_loop_and_committed_by_the_thread(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, threads = SQLiteSession.commit, []

    def committing(session: SQLiteSession) -> None:
        threads.append(threading.current_thread())
        commit(session)

    def where(connection: Connection, text: str) -> threading.Thread:
        note(connection, text)
        return threading.current_thread()

    await database.write(partial(note, text="first"))  # the thread has a connection from here on
    monkeypatch.setattr(SQLiteSession, "commit", committing)
    writing = [database.write(partial(where, text=text), quick=True) for text in "abc"]
    assert set(await asyncio.gather(*writing)) == {threading.main_thread()}
    (committed,) = threads
    assert committed is database._writers[0]._thread
    slow = database.write(partial(where, text="d"))
    behind = database.write(partial(where, text="e"), quick=True)
    assert set(await asyncio.gather(slow, behind)) == {committed}
    assert await database.read(notes) == ["first", "a", "b", "c", "d", "e"]


@ON_SQLITE
async def test_what_does_not_go_through_on_the_loop_is_the_threads(
    database: Database, tmp_path: Path
) -> None:
    def failing(connection: Connection) -> None:
        note(connection, "undone")
        raise LookupError("mine alone")

    await database.write(partial(note, text="first"))
    outcomes = await asyncio.gather(
        database.write(partial(note, text="a"), quick=True),
        database.write(failing, quick=True),
        database.write(partial(note, text="b"), quick=True),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], LookupError)
    database._writers[0]._rests_until = 0.0
    other = apsw.Connection(str(tmp_path / "xinghe.db"))
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(database.write(partial(note, text="c"), quick=True))
    await until(lambda: bool(database._writers[0]._in_flight))  # and the loop goes on meanwhile
    other.execute("ROLLBACK")
    other.close()
    await waiting
    assert await database.read(notes) == ["first", "a", "b", "c"]
