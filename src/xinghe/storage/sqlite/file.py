"""The database file: opened, its tables brought to this program's version.

`migrations/NNNN_name.sql` takes the tables from version NNNN-1 to NNNN; the version is SQLite's
own `user_version`. A file that was released is never edited: a change is a new file.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path

import apsw

from xinghe.storage.connection import StorageError

FILE_NAME = "xinghe.db"
BUSY_TIMEOUT_MS = 5000
"""How long to wait for the lock: the command line and the server use the file at once."""
CACHE = 8192
"""KiB of pages that a connection keeps: the inner ones of all indexes of large books."""
LOG_PAGES = 4000
"""In the write-ahead log, then they go into the file: a page that was changed often goes once."""
ROOM = 64 * 1024
"""Bytes that the files need which SQLite opens beside the database."""
LOG_LIMIT = 64 * 1024 * 1024
"""Bytes to which the write-ahead log is cut when it begins anew: it grows while one reads long."""


def prepare(
    directory: Path, *, create: bool, name: str = FILE_NAME, package: str = "xinghe.storage.sqlite"
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
        # SQLite calls it an I/O error that there is no room for the files beside its own.
        why = f"the disk is full ({error})" if _is_full(directory) else error
        raise StorageError(f"{file}: {why}") from error
    return file


def _is_full(directory: Path) -> bool:
    with suppress(OSError):
        return shutil.disk_usage(directory).free < ROOM
    return False


def connect(file: Path, *, read_only: bool = False) -> apsw.Connection:
    """A connection to a prepared file, with the pragmas that hold for every connection."""
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.pragma("foreign_keys", True)
    connection.pragma("synchronous", "FULL")
    connection.pragma("cache_size", -CACHE)
    connection.pragma("wal_autocheckpoint", LOG_PAGES)
    connection.pragma("journal_size_limit", LOG_LIMIT)
    connection.pragma("query_only", read_only)
    # An answer that was promised to be gone must not stand in the file's free pages.
    connection.pragma("secure_delete", True)
    # Else SQLite looks at the values that a statement is given, and plans anew where others come:
    # at each hold and capture.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, not read_only)
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


def migrations(package: str = "xinghe.storage.sqlite") -> Iterator[tuple[int, str]]:
    """The version that each script of a package leads to, and its SQL, in order."""
    folder = resources.files(package) / "migrations"
    scripts = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    for file in sorted(scripts, key=lambda file: file.name):
        yield int(file.name.split("_", 1)[0]), file.read_text("utf-8")


def migrate(connection: apsw.Connection, package: str = "xinghe.storage.sqlite") -> None:
    """Apply what is missing of a package's scripts, in one transaction.

    Raises `StorageError` if the tables were made by a newer program.
    """
    latest = max(version for version, _ in migrations(package))
    if _version(connection) == latest:
        return
    # Off within: a table that others refer to can only be replaced then. All are looked at after.
    connection.pragma("foreign_keys", False)
    # Exclusive: of two processes that start at once, the second waits here and finds it done.
    connection.execute("BEGIN EXCLUSIVE")
    try:
        current = _version(connection)
        if current > latest:
            raise StorageError(
                f"the database is of version {current}, this program knows up to {latest}: "
                "use the newer program"
            )
        for version, script in migrations(package):
            if version > current:
                connection.execute(script)
                connection.pragma("user_version", version)
        if lost := connection.execute("PRAGMA foreign_key_check").fetchone():
            raise StorageError(f"the database is damaged: its table {lost[0]} refers to nothing")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.pragma("foreign_keys", True)


def _version(connection: apsw.Connection) -> int:
    return int(connection.pragma("user_version"))
