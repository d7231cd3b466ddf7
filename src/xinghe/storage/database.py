"""The database as the rest of the program sees it.

The interface is asynchronous because a networked database has to be; on SQLite a read does not
suspend: a point read takes about 10 µs, less than handing it to a thread would.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from pathlib import Path
from typing import Any, Self, TypeVar

import apsw

from xinghe.storage.connection import ENVIRONMENT, StorageUnavailable, connect, prepare
from xinghe.storage.unwritable import connect_unwritable
from xinghe.storage.writer import Job, Operation, Writer

ROWS = 500
SECONDS = 0.01

S = TypeVar("S")
T = TypeVar("T")

_deferred: ContextVar[DeferredWrites | None] = ContextVar("deferred", default=None)
"""What the running request holds back; the tasks that it starts inherit it."""


def now() -> int:
    """The unit of time in every table: microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class Database:
    """One reading connection for the event loop, one writing thread. Made by `Database.open`.

    An operation is a callable that is given the connection. It may run more than once (a batch
    that could not be committed is tried again), so it must have no effect outside the database.
    """

    def __init__(self, directory: Path, reader: apsw.Connection, writer: Writer) -> None:
        self.directory = directory
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, directory: Path, *, create: bool = True) -> Self:
        """Open, and where needed make or migrate, `<directory>/xinghe.db` for the running loop.

        Raises `StorageError`, also when there is no database and `create` is false. One that may
        not be written can still be read then.
        """
        reader = None if create else connect_unwritable(directory)
        if reader is not None:
            return cls(directory, reader, Writer(reader, asyncio.get_running_loop()))
        file = prepare(directory, create=create)
        writer = Writer(connect(file), asyncio.get_running_loop())
        return cls(directory, connect(file, read_only=True), writer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def last_error(self) -> str | None:
        """Why the last commit did not go through; None if it did."""
        return self._writer.error

    async def read(self, operation: Callable[[apsw.Connection], T]) -> T:
        """Run a read. Raises `StorageUnavailable`, and what the operation raises.

        An operation of several statements that must agree takes its snapshot by
        `with connection:`.
        """
        try:
            return operation(self._reader)
        except ENVIRONMENT as error:
            raise StorageUnavailable(f"the database cannot be read: {error}") from error

    async def write(self, operation: Callable[[apsw.Connection], T], *, idle: bool = False) -> T:
        """Run an operation in a transaction; returns its result once that is on the disk.

        What others have to write goes before an `idle` one. Raises what the operation raises (its
        changes are undone, nobody else's), and `StorageUnavailable` or `StorageClosed`. To be
        cancelled while waiting does not stop it.
        """
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._writer.submit(Job(operation, waiter, durable=False), idle=idle)
        result: T = await waiter
        return result

    def enqueue(
        self,
        operation: Operation,
        saved: asyncio.Future[Any] | None = None,
        *,
        deferred: bool = True,
    ) -> Job:
        """Have an operation done, after all that was handed in before; never suspends.

        It is never lost while the process lives: if the disk is full, or the file locked, it is
        retried until it goes through; then `saved` is told. It joins what the request defers,
        unless `deferred` is false. Raises `StorageClosed`.
        """
        job = Job(operation, saved)
        writes = self.deferred() if deferred else None
        if writes is not None:
            writes.add(job)
        else:
            self._writer.submit(job)
        return job

    def deferred(self) -> DeferredWrites | None:
        """The open `DeferredWrites` of the running request."""
        writes = _deferred.get()
        return writes if writes is not None and writes.open else None

    def amend(self, job: Job, operation: Operation) -> bool:
        """Have another operation done in the place of an enqueued one.

        False if it is too late for that, or may be: the job is being written at this moment.
        """
        return self._writer.amend(job, operation)

    def defer(self) -> DeferredWrites:
        """Hold back what this task and those that it starts enqueue; see `DeferredWrites`."""
        return DeferredWrites(self._writer)

    async def drain(self, timeout: float = 10.0) -> int:  # noqa: ASYNC109
        """Wait until all that was handed in is written; returns how much of `enqueue` is not."""
        return await asyncio.to_thread(self._writer.drain, timeout)

    async def close(self, timeout: float = 10.0) -> int:  # noqa: ASYNC109
        """Write what is queued, for at most `timeout` seconds, and close.

        Returns how many enqueued operations could not be written.
        """
        unwritten = await asyncio.to_thread(self._writer.close, timeout)
        self._reader.close()
        return unwritten


class DeferredWrites:
    """A context manager: what is enqueued within waits for `hand_in`, or for the exit.

    What a request settles in the ledger and what is kept of its answer must not be torn apart by
    a crash: with the answer written first, a charge without a kept answer cannot come about.
    """

    def __init__(self, writer: Writer) -> None:
        self.open = False
        self.clearances: list[Callable[[Job | None], Awaitable[None]]] = []
        """What is to be awaited between `hand_in` and the answer's leave; given the first job."""
        self._writer = writer
        self._first: Job | None = None
        self._jobs: list[Job] = []
        self._token: Token[DeferredWrites | None] | None = None

    def __enter__(self) -> Self:
        self.open = True
        self._token = _deferred.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._token is not None
        _deferred.reset(self._token)
        self.hand_in()

    def add(self, job: Job) -> None:
        self._jobs.append(job)

    def hand_in(self, first: Operation | None = None) -> None:
        """Enqueue `first`, then what was deferred; what comes later is not deferred any more.

        Raises `StorageClosed`.
        """
        self.open = False
        jobs, self._jobs = self._jobs, []
        if first is not None:
            self._first = Job(first)
            jobs.insert(0, self._first)
        if jobs:
            self._writer.submit(*jobs)

    async def cleared(self) -> None:
        """Return when the answer may leave. Raises what says that it may not."""
        clearances, self.clearances = self.clearances, []
        for clearance in clearances:
            await clearance(self._first)


class Allowance:
    """What one transaction may still do: so many rows, for so long; one row at least."""

    def __init__(self, rows: int = ROWS, seconds: float = SECONDS) -> None:
        self._rows = rows
        self._first = True
        self._until = time.monotonic() + seconds

    def take(self) -> bool:
        """Whether one more row may be changed."""
        if not self._first and (self._rows <= 0 or time.monotonic() >= self._until):
            return False
        self._first = False
        self._rows -= 1
        return True


async def in_batches(
    database: Database, step: Callable[[apsw.Connection, Allowance, S], tuple[S, bool]], state: S
) -> S:
    """Run a long task in short transactions, between which requests get their turn.

    There is one writer. A transaction that changes 100,000 rows holds every reservation up for
    seconds; one of `SECONDS` is not felt. A step is given what the one before it returned (at
    first `state`) beside whether that was all. Returns the last. Raises `StorageError`, and what
    a step raises; the batches before it stay written.
    """
    done = False
    while not done:
        before = state
        state, done = await database.write(lambda c: step(c, Allowance(), before), idle=True)  # noqa: B023
    return state
