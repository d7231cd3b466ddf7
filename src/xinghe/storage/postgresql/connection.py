"""A connection to PostgreSQL, as operations see it."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog
from psycopg.errors import InvalidParameterValue
from psycopg.pq.abc import PGresult

from xinghe.storage.connection import Dialect, StorageContended, StorageUnavailable
from xinghe.storage.postgresql.link import Link

DOUBT = 3.0
"""Seconds to find out whether a commit was done whose answer was lost."""

T = TypeVar("T")

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.storage")


class PostgreSQLSession:
    """Implements `storage.connection.Session`.

    After an error that is not a statement's own it takes a new connection: to the server that has
    become the primary, say.
    """

    dialect: Dialect = "postgresql"

    def __init__(self, connect: Callable[[], Link]) -> None:
        self._connect = connect
        self._link: Link | None = connect()
        self._begun = self._interrupted = False
        self._transaction = ""
        """The id of the one that was begun last."""

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._do(lambda link: link.rows(sql, parameters))

    def row(self, sql: str, *parameters: Any) -> tuple[Any, ...] | None:
        found = self.rows(sql, *parameters)
        return found[0] if found else None

    def value(self, sql: str, *parameters: Any) -> Any:
        found = self.rows(sql, *parameters)
        return found[0][0] if found else None

    def run(self, sql: str, *parameters: Any) -> int:
        return self._do(lambda link: link.execute(sql, parameters)).command_tuples or 0

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        for parameters in rows:
            self.run(sql, *parameters)

    def copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert many rows."""
        self._do(lambda link: link.copy(table, columns, rows))

    def lock(self, wallets: Iterable[int], budgets: Iterable[int] = ()) -> None:
        for table, wanted in (("wallets", wallets), ("budgets", budgets)):
            if ids := ",".join(map(str, sorted(wanted))):
                self.rows(
                    f"SELECT id FROM {table} WHERE id = ANY ($1) "  # noqa: S608
                    "ORDER BY id FOR NO KEY UPDATE",
                    f"{{{ids}}}",
                )

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self._command("SAVEPOINT within")
        try:
            yield
        except BaseException:
            if self._link is not None:
                self._command("ROLLBACK TO within; RELEASE within")
            raise
        self._command("RELEASE within")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self._begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self.rollback()

    def begin(self, *, wait: bool = True) -> None:
        # With the id by which a commit is looked for whose answer is lost.
        result = self._begin("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_current_xact_id()")
        self._transaction = (result.get_value(0, 0) or b"").decode()

    def commit(self) -> None:
        backend = self._link.pgconn.backend_pid if self._link is not None else 0
        try:
            result = self._command("COMMIT")
        except StorageUnavailable:
            lost, self._begun = self._begun and self._link is None, False
            if not (lost and self._was_committed(backend)):
                raise
        else:
            self._begun = False
            if result.command_status != b"COMMIT":
                raise StorageUnavailable("a statement of the transaction had failed")

    def rollback(self) -> None:
        begun, self._begun = self._begun, False
        if begun and self._link is not None:
            try:
                self._command("ROLLBACK")
            except StorageUnavailable as error:
                log.warning("rollback_failed", error=str(error))

    def probe(self) -> None:
        self.run("UPDATE schema_version SET version = version")

    def interrupt(self) -> None:
        self._interrupted = True
        link = self._link
        if link is not None:
            link.cut()

    def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _begin(self, text: str) -> PGresult:
        assert not self._begun
        result = self._command(text)
        self._begun = True
        return result

    def _command(self, text: str) -> PGresult:
        return self._do(lambda link: link.command(text))

    def _do(self, action: Callable[[Link], T]) -> T:
        """Outside of a transaction, once more on a new connection if the old one was dead."""
        link = self._link
        if link is None:
            if self._begun:
                raise StorageUnavailable("the connection was lost")
            link = self._link = self._connect()
            fresh = True
        else:
            fresh = self._begun
        try:
            return action(link)
        except StorageContended:
            raise
        except StorageUnavailable:
            interrupted, self._interrupted = self._interrupted, False
            dead = not link.works
            self.close()
            if fresh or interrupted or not dead:
                raise
        return self._do(action)

    def _was_committed(self, backend: int) -> bool:
        """What became of the last transaction. Raises `StorageUnavailable` if nobody can tell."""
        until, why = time.monotonic() + DOUBT, "it is still at it"
        while time.monotonic() < until:
            try:
                found = self.value("SELECT pg_xact_status($1)", self._transaction)
                if found in {"committed", "aborted"}:
                    return bool(found == "committed")
                # The server's old process has yet to see that nobody waits for it any more.
                self.rows(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid = $1 AND backend_xid = xid(CAST($2 AS xid8))",
                    backend,
                    self._transaction,
                )
            except StorageUnavailable as error:
                why = str(error)
            except InvalidParameterValue:
                return False  # this server was behind the last one: it never heard of it
            time.sleep(0.1)
        raise StorageUnavailable(f"whether the last commit was done is not known: {why}")
