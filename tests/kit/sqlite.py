"""SQLite itself, behind an open database: to damage it, to bound it, to watch it."""

from __future__ import annotations

import apsw

from xinghe.storage import Database
from xinghe.storage.sqlite import SQLiteSession, migrate


def session(database: Database) -> SQLiteSession:
    """What writes; nothing is to be written at this moment."""
    writer = database._writers[0]
    writing = writer._session = writer._session or database.backend.session()
    assert isinstance(writing, SQLiteSession)
    return writing


def raw(database: Database) -> apsw.Connection:
    """The connection of `session`."""
    return session(database)._connection


def in_memory() -> tuple[apsw.Connection, SQLiteSession]:
    """An empty database with all tables, and the same as operations see it."""
    connection = apsw.Connection(":memory:")
    connection.pragma("foreign_keys", True)
    migrate(connection)
    return connection, SQLiteSession(connection)
