"""A connection to SQLite, as operations see it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw
import structlog

from xinghe.storage.connection import Dialect, StorageUnavailable
from xinghe.storage.moved import APPLICATION_ID, StorageMoved
from xinghe.storage.sqlite.file import BUSY_TIMEOUT_MS

ENVIRONMENT: tuple[type[apsw.Error], ...] = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.InterruptError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)
"""Errors that say nothing of the operation: the same one may succeed when the cause is gone."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.storage")


class SQLiteSession:
    """Implements `storage.connection.Session` on APSW."""

    dialect: Dialect = "sqlite"
    to_moved = False
    """Whether it may write although the books have moved: to take them back."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._busy_timeout = BUSY_TIMEOUT_MS

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except ENVIRONMENT as error:
            raise StorageUnavailable(str(error)) from error

    def row(self, sql: str, *parameters: Any) -> tuple[Any, ...] | None:
        found = self.rows(sql, *parameters)
        return found[0] if found else None

    def value(self, sql: str, *parameters: Any) -> Any:
        found = self.rows(sql, *parameters)
        return found[0][0] if found else None

    def run(self, sql: str, *parameters: Any) -> int:
        self.rows(sql, *parameters)
        return self._connection.changes()

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        try:
            self._connection.executemany(sql, rows)
        except ENVIRONMENT as error:
            raise StorageUnavailable(str(error)) from error

    def lock(self, wallets: Iterable[int], budgets: Iterable[int] = ()) -> None:
        pass

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self.rows("SAVEPOINT within")
        try:
            yield
        except BaseException:
            # A full disk has ended the whole transaction.
            if self._connection.in_transaction:
                self.rows("ROLLBACK TO within")
                self.rows("RELEASE within")
            raise
        self.rows("RELEASE within")

    snapshot = savepoint  # reads see the moment of the first of them

    def begin(self, *, wait: bool = True) -> None:
        if wait:
            self.rows("BEGIN IMMEDIATE")
        else:
            self._connection.set_busy_timeout(0)
            try:
                self.rows("BEGIN IMMEDIATE")
            finally:
                self._connection.set_busy_timeout(self._busy_timeout)
        if not self.to_moved and self.value("PRAGMA application_id") == APPLICATION_ID:
            self.rollback()
            raise StorageMoved("the books have moved to PostgreSQL")

    def commit(self) -> None:
        self.rows("COMMIT")

    def rollback(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error as error:
            log.error("rollback_failed", error=str(error))

    def probe(self) -> None:
        # Writes page 1 as it is.
        self.rows(f"PRAGMA user_version = {self.value('PRAGMA user_version')}")

    def wait_at_most(self, milliseconds: int) -> None:
        """How long a statement waits for another connection before it fails."""
        self._busy_timeout = milliseconds
        self._connection.set_busy_timeout(milliseconds)

    def interrupt(self) -> None:
        self._connection.interrupt()

    def close(self) -> None:
        self._connection.close()
