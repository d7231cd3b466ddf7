"""One connection to a PostgreSQL server, and what its errors mean.

Statements go through libpq's own calls, as `psycopg.pq` hands them on: a third of what psycopg's
cursors cost. Each is prepared once. The types of its parameters are what the server infers from
their places, so that it is the same statement whatever the values are.
"""

import contextlib
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from struct import Struct
from typing import Any

import psycopg
from psycopg import errors
from psycopg.abc import Buffer
from psycopg.adapt import Loader, Transformer
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGresult
from psycopg.sql import SQL, Identifier

from xinghe.storage.connection import StorageContended, StorageUnavailable

LONGEST = 4.0
"""Seconds for a statement on a server that was given a shorter limit: after that, it hangs."""
TICK = 0.5
PREPARED = 500
"""Statements that a server keeps prepared for a link at most."""

CONTENDED = {"40001", "40P01"}
STATEMENT = ("21", "22", "23", "42", "44", "P0")
"""Classes of errors that say that the statement itself cannot be done."""
NOT_STATEMENT = {"42501", "42P01"}
"""Rights that were taken away, tables that are gone (or not restored yet)."""

_BINARY = 1
_NUMERIC = Struct("!HhHH")
_READ = (16, 17, 18, 19, 20, 21, 23, 25, 701, 1042, 1043, 1700, 2278)
"""The types that are read: truths, bytes, texts, integers, floats, sums of integers, void."""


class _Integral(Loader):
    """A numeric, which the sum of integers is: digits of 10,000, from the power `weight` down."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        value = bytes(data)
        count, weight, sign, scale = _NUMERIC.unpack_from(value)
        if scale:
            raise TypeError("a numeric with decimals needs a CAST")
        number = 0
        for place in range(weight + 1):
            at = _NUMERIC.size + 2 * place
            number = number * 10_000 + (
                int.from_bytes(value[at : at + 2], "big") if place < count else 0
            )
        return -number if sign else number


class Link:
    """For one thread. While it is `bounded`, a statement of more than `LONGEST` has it cut."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.bounded = True
        self.pgconn = connection.pgconn
        self.since = 0.0
        """When what is running was begun, by `time.monotonic`; 0: nothing is."""
        self._connection = connection
        self._socket = socket.socket(fileno=os.dup(self.pgconn.socket))
        self._prepared: dict[str, bytes] = {}
        self._known = set[str]()
        """Statements whose columns are of types that are read."""
        connection.adapters.register_loader("numeric", _Integral)
        self._transformer = Transformer(connection)
        _watch.add(self)

    @property
    def works(self) -> bool:
        """Whether it is not known to be broken."""
        return self.pgconn.status == ConnStatus.OK

    def command(self, text: str) -> PGresult:
        """Commands without parameters; the result of the last. Raises what `execute` does."""
        return self._done(partial(self.pgconn.exec_, text.encode()))

    def execute(self, sql: str, parameters: Sequence[Any]) -> PGresult:
        """Raises `StorageUnavailable`; what psycopg raises where the statement is at fault."""
        name = self._prepared.get(sql) or self._prepare(sql)
        values = [_encoded(value) for value in parameters]
        formats = [int(isinstance(value, bytes)) for value in parameters]
        return self._done(
            partial(self.pgconn.exec_prepared, name, values, formats, _BINARY)  # type: ignore[arg-type]
        )

    def rows(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """What a statement returns. Raises what `execute` does."""
        result = self.execute(sql, parameters)
        if sql not in self._known:
            _check(sql, result)
            self._known.add(sql)
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows, as fast as it goes. Raises what `execute` does."""
        into = SQL("COPY {} ({}) FROM STDIN").format(
            Identifier(table), SQL(", ").join(map(Identifier, columns))
        )
        try:
            with self._connection.cursor() as cursor, cursor.copy(into) as copy:
                for row in rows:
                    copy.write_row(row)
        except psycopg.Error as error:
            state = error.sqlstate or ""
            if state.startswith(STATEMENT) and state not in NOT_STATEMENT:
                raise
            raise StorageUnavailable(_plain(str(error))) from error

    def cut(self) -> None:
        """Have what is running fail; from any thread."""
        with contextlib.suppress(OSError):  # it is closed already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._connection.close()
        self._socket.close()

    def _prepare(self, sql: str) -> bytes:
        if len(self._prepared) >= PREPARED:
            self.command("DEALLOCATE ALL")
            self._prepared.clear()
        name = b"x%d" % len(self._prepared)
        self._done(partial(self.pgconn.prepare, name, sql.encode()))
        self._prepared[sql] = name
        return name

    def _done(self, call: Callable[[], PGresult]) -> PGresult:
        self.since = time.monotonic()
        try:
            result = call()
        except psycopg.Error as error:
            raise StorageUnavailable(_plain(str(error))) from error
        finally:
            self.since = 0.0
        if result.status in (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE):
            raise _error(result)
        return result


def _encoded(value: Any) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return b"%d" % value
    text = str(value).encode()
    if b"\0" in text:
        raise ValueError("a text for PostgreSQL holds a NUL")
    return text


def _check(sql: str, result: PGresult) -> None:
    """Raises `TypeError`. Not asked of the server beforehand: psycopg keeps the GIL then."""
    for column in range(result.nfields):
        if result.ftype(column) not in _READ:
            raise TypeError(f"column {column + 1} needs a CAST: {sql}")


def _error(result: PGresult) -> Exception:
    """Without the details: they quote the row."""
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    said = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or result.error_message
    message = _plain(said.decode("utf-8", "replace"))
    if state in CONTENDED:
        return StorageContended(message)
    if state.startswith(STATEMENT) and state not in NOT_STATEMENT:
        try:
            return errors.lookup(state)(message)
        except KeyError:
            return psycopg.DatabaseError(message)
    return StorageUnavailable(message)


def _plain(message: str) -> str:
    return " ".join(message.split())


class _Watch:
    """One thread that cuts the links whose server hangs; libpq would wait for ever."""

    def __init__(self) -> None:
        self._links: weakref.WeakSet[Link] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._running = False

    def add(self, link: Link) -> None:
        with self._lock:
            self._links.add(link)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="xinghe-watch", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(TICK)
            with self._lock:
                links = list(self._links)
                if not links:
                    self._running = False
                    return
            for link in links:
                if link.bounded and 0 < link.since < time.monotonic() - LONGEST:
                    link.cut()


_watch = _Watch()
