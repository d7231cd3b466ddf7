"""The database as every other room sees it.

The interface is asynchronous because a networked database has to be; on SQLite a read does not
suspend: a point read takes about 10 µs, less than handing it to a thread would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import apsw

from xinghe.storage.connection import connect, prepare
from xinghe.storage.errors import ENVIRONMENT, StorageUnavailable
from xinghe.storage.gathering import Gathering, current
from xinghe.storage.writer import Job, Operation, Writer

T = TypeVar("T")


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

        Raises `StorageError`, also when there is no database and `create` is false.
        """
        file = prepare(directory, create=create)
        writer = Writer(connect(file), asyncio.get_running_loop())
        return cls(directory, connect(file, read_only=True), writer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def healthy(self) -> bool:
        """Whether the last commit went through."""
        return self._writer.error is None

    @property
    def last_error(self) -> str | None:
        """Why the database is not healthy."""
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

    async def write(self, operation: Callable[[apsw.Connection], T]) -> T:
        """Run an operation in a transaction; returns its result once that is on the disk.

        Raises what the operation raises (its changes are undone, nobody else's), and
        `StorageUnavailable` or `StorageClosed`. To be cancelled while waiting does not stop it.
        """
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._writer.submit(Job(operation, waiter, durable=False))
        result: T = await waiter
        return result

    async def write_idle(self, operation: Callable[[apsw.Connection], T]) -> T:
        """The same for a batch of a long task: what others have to write goes before it."""
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._writer.submit_idle(Job(operation, waiter, durable=False))
        result: T = await waiter
        return result

    def enqueue(
        self,
        operation: Operation,
        saved: asyncio.Future[Any] | None = None,
        *,
        gathered: bool = True,
    ) -> Job:
        """Have an operation done, after all that was handed in before; never suspends.

        It is never lost while the process lives: if the disk is full, or the file locked, it is
        retried until it goes through; then `saved` is told. It joins what the request gathers,
        unless `gathered` is false. Raises `StorageClosed`.
        """
        job = Job(operation, saved)
        gathering = self.gathering() if gathered else None
        if gathering is not None:
            gathering.add(job)
        else:
            self._writer.submit(job)
        return job

    def gathering(self) -> Gathering | None:
        """What holds back at this moment what the running request enqueues."""
        gathering = current.get()
        return gathering if gathering is not None and gathering.open else None

    def amend(self, job: Job, operation: Operation) -> bool:
        """Have another operation done in the place of an enqueued one.

        False if it is too late for that, or may be: the job is being written at this moment.
        """
        return self._writer.amend(job, operation)

    def gather(self) -> Gathering:
        """Hold back what this task and those that it starts enqueue; see `Gathering`."""
        return Gathering(self._writer)

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
