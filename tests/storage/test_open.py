"""Making, migrating and sharing the file."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from xinghe.storage import Database, StorageError
from xinghe.storage.sqlite import FILE_NAME, connect, migrate, migrations, prepare

OPEN_AND_WRITE = """
import asyncio, sys
from pathlib import Path
from xinghe.storage import Database

async def main():
    async with await Database.open(Path(sys.argv[1])) as database:
        for index in range(int(sys.argv[2])):
            await database.write(lambda c: c.run(
                "INSERT INTO audit (at, actor, action, subject, detail) "
                "VALUES (0, $1, 'a', $2, '')", sys.argv[3], str(index)))

asyncio.run(main())
"""


async def test_permissions(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "data"
    async with await Database.open(directory) as database:
        await database.write(lambda c: c.run("DELETE FROM audit"))
        assert directory.stat().st_mode & 0o777 == 0o700
        files = list(directory.iterdir())
        assert {file.name for file in files} >= {"xinghe.db", "xinghe.db-wal"}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


async def test_a_file_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    await (await Database.open(tmp_path)).close()
    (tmp_path / "xinghe.db").chmod(0o644)
    await (await Database.open(tmp_path)).close()
    assert (tmp_path / "xinghe.db").stat().st_mode & 0o777 == 0o600


async def test_durability_settings(tmp_path: Path) -> None:
    async with await Database.open(tmp_path) as database:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = await database.write(lambda c: [c.value(f"PRAGMA {name}") for name in pragmas])
        assert found == ["wal", 2, 1, 5000]


async def test_without_create_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no Xinghe database in"):
        await Database.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


async def test_tables_of_a_newer_program_are_left_alone(tmp_path: Path) -> None:
    await (await Database.open(tmp_path)).close()
    connection = apsw.Connection(str(tmp_path / "xinghe.db"))
    connection.pragma("user_version", 999)
    connection.close()
    with pytest.raises(StorageError, match="version 999"):
        await Database.open(tmp_path)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "xinghe.db").write_text("not a database at all" * 100)
    with pytest.raises(StorageError, match=r"xinghe\.db: .*not a database"):
        await Database.open(tmp_path)


async def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        await Database.open(tmp_path / "file" / "data")


def test_migrations_are_numbered_without_a_gap() -> None:
    versions = [version for version, _ in migrations()]
    assert versions == list(range(1, len(versions) + 1))


async def test_a_database_of_the_first_version_keeps_what_it_holds(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "xinghe.db"))
    _, first = next(migrations())
    connection.execute(first)
    connection.pragma("user_version", 1)
    connection.execute(
        "INSERT INTO accounts (appid, name, available, created_at) VALUES ('app-1', 'a', 5, 0);"
        "INSERT INTO tokens (account_id, public_id, digest, name, scopes, created_at) "
        "VALUES (1, '0123456789', zeroblob(32), 't', '[]', 0)"
    )
    connection.close()
    async with await Database.open(tmp_path) as database:
        query = (
            "SELECT m.name, w.available, t.name FROM tokens t JOIN members m ON m.id = t.member_id "
            "JOIN wallets w ON w.id = m.id"
        )
        found = await database.read(lambda c: c.rows(query))
        assert found == [("a", 5, "t")]


def test_the_log_is_cut_when_a_long_reader_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinghe.storage.sqlite.file.LOG_LIMIT", 500_000)
    monkeypatch.setattr("xinghe.storage.sqlite.file.LOG_PAGES", 100)
    prepare(tmp_path, create=True)
    log = tmp_path / "xinghe.db-wal"
    reading, writing = connect(tmp_path / FILE_NAME), connect(tmp_path / FILE_NAME)

    def write() -> None:
        writing.execute(
            "INSERT INTO audit (at, actor, action, subject, detail) VALUES (0, '', '', '', $1)",
            ["x" * 100_000],
        )

    with reading:
        reading.execute("SELECT * FROM members")
        for _ in range(100):
            write()
        assert log.stat().st_size > 10_000_000
    write()  # which takes into the file what the log holds, so that the next begins it anew
    write()
    assert log.stat().st_size <= 500_000
    reading.close()
    writing.close()


async def test_entries_are_append_only(tmp_path: Path) -> None:
    async with await Database.open(tmp_path) as database:
        await database.write(
            lambda c: c.run(
                "INSERT INTO wallets (created_at) VALUES (0);"
                "INSERT INTO entries (wallet_id, at, kind, amount, balance_after) "
                "VALUES (1, 0, 'grant', 5, 5)"
            )
        )
        for statement in ("UPDATE entries SET amount = 6", "DELETE FROM entries"):
            with pytest.raises(apsw.ConstraintError, match="append-only"):
                await database.write(lambda c, sql=statement: c.run(sql))  # type: ignore[misc]


def test_tables_are_made_once_however_many_start(tmp_path: Path) -> None:
    starters = 8
    barrier = threading.Barrier(starters)

    def start(file: Path) -> int:
        connection = apsw.Connection(str(file))
        connection.set_busy_timeout(60_000)
        barrier.wait(60)
        migrate(connection)
        version = int(connection.pragma("user_version"))
        connection.close()
        return version

    with ThreadPoolExecutor(starters) as pool:
        for attempt in range(10):
            files = [tmp_path / f"{attempt}.db"] * starters
            assert len(set(pool.map(start, files))) == 1


def test_processes_that_start_at_once_share_a_new_file(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN_AND_WRITE, str(tmp_path), "100", name])
        for name in ("one", "two", "three")
    ]
    assert [process.wait(timeout=200) for process in processes] == [0, 0, 0]

    async def count() -> list[tuple[str, int]]:
        async with await Database.open(tmp_path) as database:
            query = "SELECT actor, count(*) FROM audit GROUP BY actor ORDER BY actor"
            return await database.read(lambda c: c.rows(query))

    assert asyncio.run(count()) == [("one", 100), ("three", 100), ("two", 100)]
