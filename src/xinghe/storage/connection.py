"""Opening the database file: permissions, pragmas, migrations."""

from __future__ import annotations

import os
import time
from pathlib import Path

import apsw

from xinghe.storage.errors import StorageError
from xinghe.storage.migrate import migrate

FILE_NAME = "xinghe.db"
BUSY_TIMEOUT_MS = 5000
"""How long to wait for the lock: the command line and the server use the file at once."""


def prepare(
    directory: Path, *, create: bool, name: str = FILE_NAME, package: str = "xinghe.storage"
) -> Path:
    """Make a database file, whose tables a package's migrations make, ready and return its path.

    A directory that is made here has mode 0700, the file always 0600 (SQLite gives the files
    beside it the same mode). Without `create`, a missing file is an error and nothing is made.
    Raises `StorageError`.
    """
    file = directory / name
    try:
        if not create and not file.exists():
            raise StorageError(f"there is no Xinghe database in {directory}")
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made before SQLite sees it: it would be readable to others for a moment otherwise.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
        connection = connect(file)
        try:
            migrate(connection, package)
            _use_wal(connection)
        finally:
            connection.close()
    except (OSError, apsw.Error) as error:
        raise StorageError(f"{file}: {error}") from error
    return file


def connect(file: Path, *, read_only: bool = False) -> apsw.Connection:
    """A connection to a prepared file, with the pragmas that hold for every connection."""
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.pragma("foreign_keys", True)
    connection.pragma("synchronous", "FULL")
    connection.pragma("query_only", read_only)
    return connection


def _use_wal(connection: apsw.Connection) -> None:
    # SQLite does not call the busy handler for this one statement.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            mode = connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            if mode != "wal":
                raise StorageError("the data directory's file system does not support WAL")
            return
