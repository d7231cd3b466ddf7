"""Reading a database that may not be written: on a read-only mount, in a backup, of another user.

SQLite itself wants to make files beside it.
"""

import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

import apsw

from xinghe.storage.connection import StorageError
from xinghe.storage.sqlite.file import FILE_NAME, migrations


def connect_unwritable(directory: Path) -> apsw.Connection | None:
    """A connection that only reads; `None` where the database may be written, or is none.

    Raises `StorageError`, also for tables that this program would have to migrate.
    """
    file = directory / FILE_NAME
    try:
        if not file.exists() or (_is_writable(directory) and _is_writable(file)):
            return None
        connection = _connect(file)
        found, latest = connection.pragma("user_version"), max(each for each, _ in migrations())
    except (OSError, apsw.Error) as error:
        raise StorageError(f"{file}: {error}") from error
    if found != latest:
        connection.close()
        use = "a copy that may be written" if found < latest else "the newer program"
        raise StorageError(
            f"{file} is of version {found} and may not be written, this program reads version "
            f"{latest}: use {use}"
        )
    return connection


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _connect(file: Path) -> apsw.Connection:
    wal, shm = (file.with_name(file.name + end) for end in ("-wal", "-shm"))
    if shm.exists():  # somebody is at work, or was killed there
        return _open(file)
    if not wal.exists() or not wal.stat().st_size:
        # All is in the file, and nobody is at work.
        return _open(file, "&immutable=1")
    if _is_writable(file.parent):
        return _open(file)
    # What was written last stands in the WAL, which is read with a file that cannot be made here.
    with tempfile.TemporaryDirectory(prefix="xinghe-") as folder:
        copy = Path(folder) / file.name
        for source in (file, wal):
            shutil.copyfile(source, copy.with_name(source.name))
        whole = apsw.Connection(str(copy))
        whole.pragma("journal_mode", "delete")
        whole.close()
        return _open(copy, "&immutable=1")  # it stays open when its name is gone


def _open(file: Path, options: str = "") -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(f"file:{quote(str(file))}?mode=ro{options}", flags=flags)
    try:
        connection.pragma("user_version")  # opens it, or says why not
    except apsw.Error:
        connection.close()
        raise
    return connection
