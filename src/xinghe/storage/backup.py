"""All that a database holds, into a file and back, from either database into either."""

import base64
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

from xinghe import __version__
from xinghe.storage.backup_file import (
    FORMAT,
    BackupError,
    BackupWriter,
    Header,
    Progress,
    Rows,
    Summary,
    Table,
    read,
    verify,
)
from xinghe.storage.connection import Connection, Session, StorageError, StorageUnavailable
from xinghe.storage.database import now

_ID = ("id",)
KEYS = {
    "wallets": _ID,
    "members": _ID,
    "groups": _ID,
    "memberships": ("group_id", "member_id"),
    "payment_order": ("member_id", "position"),
    "invitations": _ID,
    "identities": ("issuer", "subject"),
    "sessions": _ID,
    "sign_in_links": ("digest",),
    "tokens": _ID,
    "budgets": _ID,
    "budget_windows": ("budget_id", "since"),
    "lots": _ID,
    "holds": _ID,
    "pins": ("hold_id", "lot_id"),
    "packages": _ID,
    "package_groups": ("package_id", "group_id"),
    "orders": _ID,
    "payment_events": _ID,
    "refunds": _ID,
    "transfers": _ID,
    "code_batches": _ID,
    "codes": ("digest",),
    "entries": _ID,
    "usage_hours": ("wallet_id", "hour", "member_id", "token_id", "model", "outcome"),
    "usage_members": ("wallet_id", "since", "member_id", "token_id", "model", "outcome"),
    "usage_groups": ("wallet_id", "span", "since", "model", "outcome"),
    "usage_closed": _ID,
    "failures": _ID,
    "audit": _ID,
    "alerts": ("wallet_id",),
    "outbox": _ID,
    "kept_answers": _ID,
    "kept_responses": _ID,
    "configuration_contents": ("digest",),
    "configurations": _ID,
    "configuration_places": ("place",),
}
"""Each table with its key; none before one that it refers to.

Without the `TOTALS`: the rows that come back are counted again by their triggers; and without
`revision`, `processes` and `keys_at_work`, which are of interest only while a service runs.
"""
TOTALS = ("kept_answers_total", "kept_responses_total")
CLOSED = "usage_closed"
"""Has its one row from the beginning, and that of a backup instead."""
PAGES = {"kept_answers": 8, "kept_responses": 8, "configuration_contents": 8}
PAGE = 1000
"""Rows that are in memory at once; a kept answer may be large."""
AT_ONCE = 20
"""Rows that one statement inserts."""


def save(session: Connection, file: Path, progress: Progress) -> Summary:
    """Write a backup of one moment, whatever is written meanwhile, and read it again.

    A file of that name is replaced when the new one is whole, on the disk, and right. Only its
    owner may read it: it holds the secrets of webhooks. Raises `StorageError`.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            summary = _save(session, BackupWriter(stream), progress)
            stream.flush()
            os.fsync(stream.fileno())
        if verify(draft, progress) != summary:
            raise BackupError(f"{draft} is not what was written: try another disk")
        progress("all", sum(summary.rows.values()))  # the last moment to break it off
        draft.rename(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return summary


def _save(session: Connection, writer: BackupWriter, progress: Progress) -> Summary:
    with session.snapshot():
        writer.write(Header(FORMAT, version_of(session), __version__, now()))
        for table, key in KEYS.items():
            columns = [name for name, _ in columns_of(session, table)]
            writer.write(Table(table, columns, last_id(session, table)))
            done = 0
            for rows in _pages(session, table, columns, key):
                writer.write(rows)
                done += len(rows)
                progress(table, done)
    return writer.finish()


def _pages(
    session: Connection, table: str, columns: list[str], key: tuple[str, ...]
) -> Iterator[list[tuple[Any, ...]]]:
    size = PAGES.get(table, PAGE)
    first = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608
    order = f"ORDER BY {', '.join(key)} LIMIT {size}"
    behind = ", ".join(f"${place + 1}" for place in range(len(key)))
    places = [columns.index(column) for column in key]
    rows = session.rows(f"{first} {order}")
    while rows:
        yield rows
        if len(rows) < size:
            break
        last = [rows[-1][place] for place in places]
        rows = session.rows(f"{first} WHERE ({', '.join(key)}) > ({behind}) {order}", *last)


def restore(session: Session, file: Path, progress: Progress, *, replace: bool) -> Summary:
    """Fill an empty database from a backup, in one transaction of a patient session.

    With `replace`, what the database holds is deleted in it. Raises `StorageError`; then nothing
    was changed.
    """
    with _alone(session):
        session.begin()
        try:
            if replace:
                _clear(session)
            elif any(
                session.row(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608
                for table in KEYS
                if table != CLOSED
            ):
                raise StorageError(
                    "the database is not empty; --replace deletes what it holds, then restores"
                )
            session.run(f"DELETE FROM {CLOSED}")  # noqa: S608
            if session.dialect == "postgresql":
                session.rows("SET CONSTRAINTS ALL DEFERRED")  # a group may be older than its parent
            summary = _restore(session, file, progress)
            session.commit()
        except StorageError:
            raise
        except Exception as error:  # of either driver: a row that breaks a rule of the tables
            raise BackupError(f"{file} cannot be restored: {error}") from error
        finally:
            session.rollback()
    return summary


def _restore(session: Session, file: Path, progress: Progress) -> Summary:
    inserts: list[_Insert] = []
    for line in read(file):
        if isinstance(line, Header):
            _require_version(file, line, version_of(session))
        elif isinstance(line, Table):
            # Names from the file become part of a statement.
            kinds = dict(columns_of(session, line.table)) if line.table in KEYS else {}
            if not kinds or sorted(line.columns) != sorted(kinds):
                raise BackupError(f"{file} is damaged: its table {line.table} is another one")
            inserts.append(_Insert(session, line, kinds))
        elif isinstance(line, list):
            inserts[-1].rows(line)
            progress(inserts[-1].into.table, inserts[-1].done)
    for each in inserts:
        go_on_from(session, each.into.table, each.into.last)
    assert isinstance(line, Summary)
    return line


class _Insert:
    """Into one table, many rows a statement."""

    def __init__(self, session: Session, into: Table, kinds: dict[str, int]) -> None:
        self.into = into
        self.done = 0
        self._session = session
        self._binary = [at for at, name in enumerate(into.columns) if kinds[name]]

    def rows(self, rows: Rows) -> None:
        if any(len(row) != len(self.into.columns) for row in rows):
            raise ValueError(f"a row of the table {self.into.table} is not of its columns")
        for row in rows if self._binary else ():
            for at in self._binary:
                if row[at] is not None:
                    row[at] = base64.b64decode(row[at], validate=True)
        for at in range(0, len(rows), AT_ONCE):
            some = rows[at : at + AT_ONCE]
            insert = _insert(self.into.table, tuple(self.into.columns), len(some))
            self._session.run(insert, *chain.from_iterable(some))
        self.done += len(rows)


@cache
def _insert(table: str, columns: tuple[str, ...], rows: int) -> str:
    places = (f"${number + 1}" for number in range(rows * len(columns)))
    values = (f"({', '.join(islice(places, len(columns)))})" for _ in range(rows))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join(values)}"  # noqa: S608


def _require_version(file: Path, header: Header, version: int) -> None:
    if header.tables > version:
        raise BackupError(f"{file} was made by Xinghe {header.program}: use that, or a newer one")
    if header.tables < version:
        raise BackupError(
            f"{file} was made by Xinghe {header.program}, whose tables were others: restore it "
            "with that program, then start this one, which brings them up to date"
        )


# What differs between the two databases.


def version_of(session: Connection) -> int:
    sqlite = session.dialect == "sqlite"
    return int(
        session.value("PRAGMA user_version" if sqlite else "SELECT version FROM schema_version")
    )


def columns_of(session: Connection, table: str) -> list[tuple[str, int]]:
    """The names, and whether bytes are in it."""
    return session.rows(
        "SELECT name, type = 'BLOB' FROM pragma_table_info($1)"
        if session.dialect == "sqlite"
        else "SELECT CAST(column_name AS TEXT), CASE data_type WHEN 'bytea' THEN 1 ELSE 0 END "
        "FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND table_name = $1 ORDER BY ordinal_position",
        table,
    )


def last_id(session: Connection, table: str) -> int | None:
    """The greatest id that was ever given, in a table that never gives one again."""
    if KEYS[table] != _ID:
        return None
    last: int | None = session.value(
        "SELECT seq FROM sqlite_sequence WHERE name = $1"
        if session.dialect == "sqlite"
        else "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence($1, 'id') AS regclass))",
        table,
    )
    return last


def go_on_from(session: Session, table: str, last: int | None) -> None:
    """Have new rows get ids behind those that were given."""
    if KEYS[table] != _ID:
        return
    if session.dialect == "sqlite":
        if last is not None and session.row(
            "SELECT 1 FROM sqlite_schema WHERE name = $1 AND sql LIKE '%AUTOINCREMENT%'", table
        ):
            session.run("DELETE FROM sqlite_sequence WHERE name = $1", table)
            session.run("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)", table, last)
    elif sequence := session.value("SELECT pg_get_serial_sequence($1, 'id')", table):
        greatest = session.value(f"SELECT max(id) FROM {table}")  # noqa: S608
        if most := max(last or 0, greatest or 0):
            session.rows("SELECT setval(CAST($1 AS regclass), $2)", sequence, most)


@contextmanager
def _alone(session: Session) -> Iterator[None]:
    """Nobody else uses the database, and it is made ready for very much at once."""
    if session.dialect == "postgresql":
        session.rows("SET lock_timeout = '10s'")
        require_alone(session)
        yield
        return
    # Without the write-ahead log, through which all would go twice. It must be nobody's for that.
    try:
        session.rows("PRAGMA journal_mode = delete")
    except StorageUnavailable as error:
        raise StorageError(_IN_USE) from error
    session.rows("PRAGMA foreign_keys = 0")  # the check of the books looks at all of them
    session.rows("PRAGMA cache_size = -200000")  # of KiB
    try:
        yield
    finally:
        session.rows("PRAGMA foreign_keys = 1")
        session.rows("PRAGMA journal_mode = wal")


def require_alone(session: Session) -> None:
    """Raises `StorageError` where other programs of ours have a PostgreSQL database open."""
    until = time.monotonic() + LEAVING
    while session.row(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND "
        "pid != pg_backend_pid() AND application_name = current_setting('application_name')"
    ):
        if time.monotonic() > until:
            raise StorageError(_IN_USE)
        time.sleep(0.05)


LEAVING = 2.0
"""Seconds until the server has seen that a connection was closed."""
_IN_USE = "another program uses the database: stop the service first"


def _clear(session: Session) -> None:
    """Delete all rows, also of tables whose triggers forbid it."""
    if session.dialect == "postgresql":
        for table in KEYS:
            session.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        session.run(f"TRUNCATE {', '.join(KEYS)}")
        for table in KEYS:
            session.run(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    else:
        triggers = session.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        for name, _ in triggers:
            session.run(f"DROP TRIGGER {name}")
        for table in KEYS:
            session.run(f"DELETE FROM {table}")  # noqa: S608
        for _, sql in triggers:
            session.run(sql)
    for table in TOTALS:
        session.run(f"UPDATE {table} SET bytes = 0")  # noqa: S608
