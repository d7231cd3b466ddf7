"""The SQLite file of a data directory, made ready."""

from pathlib import Path
from typing import Self

import apsw

from xinghe.storage.connection import StorageUnavailable
from xinghe.storage.sqlite.connection import SQLiteSession
from xinghe.storage.sqlite.file import FILE_NAME, connect, prepare
from xinghe.storage.sqlite.unwritable import connect_unwritable


class SQLiteBackend:
    """Implements `storage.connection.Backend`: one thread writes, others read."""

    locks = False
    local = True
    writers, readers = 1, 2

    def __init__(self, directory: Path, *, writable: bool) -> None:
        self.name = str(directory / FILE_NAME)
        self._directory = directory
        self._writable = writable

    @classmethod
    def prepared(cls, directory: Path, *, create: bool) -> Self:
        """`<directory>/xinghe.db`, made or migrated where needed.

        Raises `StorageError`, also when there is no database and `create` is false. One that may
        not be written can still be read then.
        """
        unwritable = None if create else connect_unwritable(directory)
        if unwritable is None:
            prepare(directory, create=create)
        else:
            unwritable.close()
        return cls(directory, writable=unwritable is None)

    def session(self, *, read_only: bool = False, patient: bool = False) -> SQLiteSession:
        connection = None if self._writable else connect_unwritable(self._directory)
        try:
            return SQLiteSession(
                connection or connect(self._directory / FILE_NAME, read_only=read_only)
            )
        except apsw.Error as error:
            raise StorageUnavailable(str(error)) from error

    def at_hand(self) -> SQLiteSession:
        session = self.session(read_only=True)
        session.wait_at_most(0)
        return session
