"""A backup holds all of a moment, and comes back whole or not at all."""

from __future__ import annotations

import gzip
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.ledger.many import fill
from xinghe.ledger import check
from xinghe.storage import Connection, StorageError, backup, restore, save, verify_backup
from xinghe.storage.backup_file import BackupError
from xinghe.storage.sqlite import SQLiteBackend, SQLiteSession

ONE_OF_EACH = [
    "UPDATE tokens SET models = '[\"m\"]', digest = x'{}'".format("00ff" * 16),
    "UPDATE accounts SET name = '星' || id || char(10) || '\"\\'",
    "INSERT INTO audit (at, actor, action, subject, detail) VALUES (1, 'a', 'b', 'c', '字')",
    "INSERT INTO alerts (account_id, threshold, url, secret) VALUES (1, 5000, 'http://h', 's')",
    "INSERT INTO outbox (account_id, available, threshold, at) VALUES (1, 2, 3, 4), (1, 2, 3, 5)",
    "DELETE FROM outbox WHERE id = 2",
    "INSERT INTO kept_answers (account_id, operation, key, asked, model, status, headers, body, "
    "size, at) VALUES (1, 'o', zeroblob(32), randomblob(32), 'm', 200, x'00', x'ff00', 258, 7)",
]


def quiet(table: str, rows: int) -> None:
    pass


@pytest.fixture
def session(tmp_path: Path) -> Iterator[SQLiteSession]:
    """A database that has a row in each table, and much of some."""
    opened = SQLiteBackend.prepared(tmp_path / "data", create=True).session()
    fill(opened, 30, requests=50)
    for statement in ONE_OF_EACH:
        opened.run(statement)
    yield opened
    opened.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[SQLiteSession]:
    opened = SQLiteBackend.prepared(tmp_path / "empty", create=True).session()
    yield opened
    opened.close()


def content(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    tables = [*backup.KEYS, "kept_answers_total", "sqlite_sequence"]
    return {table: sorted(connection.rows(f"SELECT * FROM {table}"), key=repr) for table in tables}


@pytest.fixture
def file(session: SQLiteSession, tmp_path: Path) -> Path:
    file = tmp_path / "a backup"
    save(session, file, quiet)
    return file


def test_all_of_it_comes_back(session: SQLiteSession, empty: SQLiteSession, file: Path) -> None:
    told: list[tuple[str, int]] = []
    summary = restore(empty, file, lambda *each: told.append(each), replace=False)
    assert content(empty) == content(session)
    assert all(content(session).values()), "a table is empty, and shows nothing"
    assert summary == verify_backup(file)
    assert summary.rows == {table: len(content(empty)[table]) for table in backup.KEYS}
    assert dict(told) == summary.rows
    assert check(empty) == []
    # Its triggers are there, and count on.
    empty.run("DELETE FROM kept_answers")
    assert empty.value("SELECT bytes FROM kept_answers_total") == 0
    with pytest.raises(apsw.ConstraintError):
        empty.run("DELETE FROM entries")
    assert empty.value("PRAGMA journal_mode") == "wal"
    assert empty.value("PRAGMA foreign_keys") == 1


def test_each_table_is_in_it_or_need_not_be(session: SQLiteSession) -> None:
    found = session.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
    not_in_it = {"kept_answers_total", "processes", "sqlite_sequence"}
    assert {name for (name,) in found} - not_in_it == set(backup.KEYS)


def test_only_its_owner_may_read_it(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(each.name for each in file.parent.iterdir()) == ["a backup", "data"]


def test_it_is_of_one_moment(session: SQLiteSession, file: Path, tmp_path: Path) -> None:
    """What is written while it is made is in none of its tables."""
    before = verify_backup(file)
    other = SQLiteBackend.prepared(tmp_path / "data", create=False).session()

    def write(table: str, rows: int) -> None:
        other.run(
            "INSERT INTO audit (at, actor, action, subject, detail) VALUES (1, 'a', 'b', 'c', '')"
        )

    reading = SQLiteBackend.prepared(tmp_path / "data", create=False).session(read_only=True)
    again = save(reading, tmp_path / "again", write)
    assert again.rows == before.rows
    assert session.value("SELECT count(*) FROM audit") > 10
    other.close()
    reading.close()


def test_what_is_not_whole_leaves_the_former_one(session: SQLiteSession, file: Path) -> None:
    former = file.read_bytes()

    def interrupt(table: str, rows: int) -> None:
        raise StorageError("interrupted")

    with pytest.raises(StorageError, match="interrupted"):
        save(session, file, interrupt)
    assert file.read_bytes() == former
    assert sorted(each.name for each in file.parent.iterdir()) == ["a backup", "data"]


def test_a_folder_that_is_not_there(session: SQLiteSession, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be written: No such file"):
        save(session, tmp_path / "none" / "file", quiet)


def test_a_database_that_holds_anything(
    session: SQLiteSession, empty: SQLiteSession, file: Path
) -> None:
    empty.run(ONE_OF_EACH[2])
    with pytest.raises(StorageError, match="not empty; --replace"):
        restore(empty, file, quiet, replace=False)
    assert content(empty)["accounts"] == []
    restore(empty, file, quiet, replace=True)
    assert content(empty) == content(session)
    restore(empty, file, quiet, replace=True)
    assert content(empty) == content(session)


def test_a_database_that_is_used(empty: SQLiteSession, file: Path, tmp_path: Path) -> None:
    other = SQLiteBackend.prepared(tmp_path / "empty", create=False).session()
    other.rows("SELECT * FROM accounts")
    with pytest.raises(StorageError, match="stop the service first"):
        restore(empty, file, quiet, replace=False)
    other.close()
    restore(empty, file, quiet, replace=False)


def first(lines: list[bytes], before: bytes, after: bytes) -> list[bytes]:
    """The lines with the first `before` among them changed."""
    return [b"".join(lines).replace(before, after, 1)]


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda whole: whole[: len(whole) // 2],
    "its end cut": lambda whole: whole[:-4],
    "one bit changed": lambda whole: whole[:999] + bytes([whole[999] ^ 1]) + whole[1000:],
    "something behind": lambda whole: whole + b"more",
    "no gzip": gzip.decompress,
    "nothing": lambda _: b"",
}
CHANGED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "cut between lines": lambda lines: lines[: len(lines) // 2],
    "no last line": lambda lines: lines[:-1],
    "no first line": lambda lines: lines[1:],
    "a figure changed": lambda lines: first(lines, b",2976,", b",9976,"),
    "a row gone": lambda lines: first(lines, b"[3,3,", b"[99,3,"),
    "a line twice": lambda lines: [*lines[:3], *lines[2:]],
    "a line behind": lambda lines: [*lines, lines[-1]],
    "another table": lambda lines: first(lines, b'"accounts"', b'"sqlite_schema"'),
    "another column": lambda lines: first(lines, b'"appid"', b'"app"'),
    "a row with more": lambda lines: first(lines, b",2976,", b",2976,1,"),
    "no text": lambda lines: first(lines, b'"app-1"', b'"\xff"'),
    "no base64": lambda lines: first(lines, b"AP8A", b"?P8A"),
}


def changed(how: str) -> Callable[[bytes], bytes]:
    return lambda whole: gzip.compress(
        b"".join(CHANGED[how](gzip.decompress(whole).splitlines(keepends=True)))
    )


SPOILED |= {how: changed(how) for how in CHANGED}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_file(how: str, empty: SQLiteSession, file: Path) -> None:
    before = content(empty)
    whole = file.read_bytes()
    file.write_bytes(SPOILED[how](whole))
    assert file.read_bytes() != whole
    with pytest.raises(BackupError, match=str(file)):
        verify_backup(file)
    # Whatever comes first: the damage is found, or the database refuses a row.
    with pytest.raises(BackupError, match=str(file)):
        restore(empty, file, quiet, replace=False)
    assert content(empty) == before


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (b'"xinghe_backup":1', b'"xinghe_backup":2', "use that, or a newer one"),
        (b'"tables":', b'"tables":9', "use that, or a newer one"),
        (b'"tables":', b'"tables":-', "restore it with that program"),
    ],
)
def test_another_version(
    before: bytes, after: bytes, says: str, empty: SQLiteSession, file: Path
) -> None:
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()).replace(before, after, 1)))
    with pytest.raises(BackupError, match=says):
        restore(empty, file, quiet, replace=False)


def test_ids_go_on_behind_those_that_were_given(
    session: SQLiteSession, empty: SQLiteSession, file: Path
) -> None:
    restore(empty, file, quiet, replace=False)
    assert empty.row(ONE_OF_EACH[4] + " RETURNING id") == (3,)
