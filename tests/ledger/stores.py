"""The two databases, for runs of the state machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

import apsw

from tests.kit.sqlite import in_memory
from xinghe.storage.connection import Session
from xinghe.storage.postgresql.backend import WRITING, PostgreSQLBackend
from xinghe.storage.postgresql.connection import PostgreSQLSession


class Store(Protocol):
    """A database for one run of the machine."""

    session: Session

    def dies(self) -> None:
        """Lose the connection with whatever it had begun; `session` is a new one then."""

    def close(self) -> None:
        """Leave nothing behind."""


class InMemory:
    """SQLite. What a process that dies leaves in the file is what a rollback leaves."""

    def __init__(self) -> None:
        self._connection: apsw.Connection
        self._connection, self.session = in_memory()

    def dies(self) -> None:
        self.session.rollback()

    def close(self) -> None:
        self._connection.close()


class OnServer:
    """PostgreSQL: the tables of one database, empty at the beginning of each run."""

    def __init__(self, url: str) -> None:
        self._backend = PostgreSQLBackend(url)
        self.session: Session = self._connect()
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = {str(table) for (table,) in self.session.rows(query)} - {
            "schema_version",
            "usage_closed",
        }
        # Entries do not let themselves be taken away otherwise.
        self.session.run("SET session_replication_role = replica")
        self.session.run(f"TRUNCATE {', '.join(sorted(tables))} RESTART IDENTITY")
        self.session.run("SET session_replication_role = origin")

    def dies(self) -> None:
        self.session.close()
        self.session = self._connect()

    def close(self) -> None:
        self.session.close()

    def _connect(self) -> Session:
        return _Inside(partial(self._backend._connect, WRITING))


class _Inside(PostgreSQLSession):
    """The books are checked within a transaction as well."""

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self.savepoint() if self._begun else super().snapshot():
            yield
