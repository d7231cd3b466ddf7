"""Bringing the tables to this program's version.

`migrations/NNNN_name.sql` takes the tables from version NNNN-1 to NNNN; the version is SQLite's
own `user_version`. A file that was released is never edited: a change is a new file.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

import apsw

from xinghe.storage.errors import StorageError


def migrations(package: str = "xinghe.storage") -> Iterator[tuple[int, str]]:
    """The version that each script of a package leads to, and its SQL, in order."""
    folder = resources.files(package) / "migrations"
    scripts = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    for file in sorted(scripts, key=lambda file: file.name):
        yield int(file.name.split("_", 1)[0]), file.read_text("utf-8")


def migrate(connection: apsw.Connection, package: str = "xinghe.storage") -> None:
    """Apply what is missing of a package's scripts, in one transaction.

    Raises `StorageError` if the tables were made by a newer program.
    """
    latest = max(version for version, _ in migrations(package))
    if _version(connection) == latest:
        return
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
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: apsw.Connection) -> int:
    return int(connection.pragma("user_version"))
