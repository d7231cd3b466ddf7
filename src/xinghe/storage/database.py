"""The database as the rest of the program sees it. No method holds the event loop up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from contextvars import ContextVar, Token
from pathlib import Path
from typing import Any, Self, TypeVar

from xinghe.storage.connection import (
    AWAY_PAUSE,
    AWAY_SECONDS,
    Backend,
    Connection,
    Locks,
    Session,
    StorageAway,
    StorageClosed,
    StorageUnavailable,
)
from xinghe.storage.jobs import Job, Operation
from xinghe.storage.moved import Pause, StorageMoved, moved
from xinghe.storage.postgresql.server import LocalServer, local_url
from xinghe.storage.sqlite import SQLiteBackend
from xinghe.storage.writer import Writer

READ_SECONDS = 5.0

T = TypeVar("T")

_deferred: ContextVar[DeferredWrites | None] = ContextVar("deferred", default=None)
"""What the running request holds back; the tasks that it starts inherit it."""


def now() -> int:
    """The unit of time in every table: microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class _Asked:
    """A read: the session that is at it, and whether whoever asked has left."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.session: Session | None = None
        self.gone = False

    def leave(self) -> None:
        """Have its thread be free for others, if it is at it still."""
        with self.lock:
            self.gone = True
            if self.session is not None:
                self.session.interrupt()


class Database:
    """The threads that read and write. Made by `Database.open`.

    An operation is a callable that is given the connection. It may run more than once (a batch
    that could not be committed is tried again), so it must have no effect outside the database.
    """

    def __init__(self, directory: Path, backend: Backend) -> None:
        loop = asyncio.get_running_loop()
        self.directory = directory
        self.backend = backend
        self._pause = Pause(directory) if backend.local else None
        self._readers = ThreadPoolExecutor(backend.readers, "xinghe-reader")
        self._own = threading.local()
        self._sessions: dict[Session, _Asked] = {}
        """Of the threads that read, each with its `_own.session`; the last read of each."""
        self._at_hand: Session | None = None
        """What the loop itself reads with."""
        self._closed = False
        self._writers = [Writer(backend, loop) for _ in range(backend.writers)]

    @classmethod
    async def open(cls, directory: Path, url: str = "", *, create: bool = True) -> Self:
        """Open, and where needed make or migrate, the database of a data directory.

        That is the PostgreSQL database of `url`; without one, the directory's local PostgreSQL if
        it has one, which must be running, else `<directory>/xinghe.db`, or the PostgreSQL to which
        the books of that have moved.

        Raises `StorageError`, also when there is no database and `create` is false. One that may
        not be written can still be read then.
        """
        return cls(directory, await asyncio.to_thread(_prepared, directory, url, create=create))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def last_error(self) -> str | None:
        """Why a last commit did not go through; None if all did."""
        return next((each.error for each in self._writers if each.error is not None), None)

    @property
    def moving(self) -> bool:
        """Whether the books are being moved to PostgreSQL, and nothing new may begin meanwhile."""
        return self._pause is not None and self._pause.on()

    async def has_moved(self) -> bool:
        """Whether the books have moved to PostgreSQL since they were opened here.

        It asks the file only when somebody was seen at it. Raises `StorageUnavailable`.
        """
        if self._pause is None or not (self._pause.on() or self._pause.seen):
            return False
        has = await self.read(moved) is not None
        self._pause.seen = has or self._pause.on()
        return has

    @property
    def shared(self) -> bool:
        """Whether processes of other data directories, on other machines, may use it too."""
        return self.backend.locks

    async def read(
        self, operation: Callable[[Connection], T], *, within: float | None = READ_SECONDS
    ) -> T:
        """Run a read. Raises `StorageUnavailable`, and what the operation raises.

        That is also raised when it takes longer than `within` seconds. An operation of several
        statements that must agree takes its snapshot by `with connection.snapshot():`.
        """
        until = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                return await self._read_now(operation, within)
            except StorageAway as error:
                if time.monotonic() >= until:
                    raise StorageUnavailable(f"the database cannot be read: {error}") from error
            await asyncio.sleep(AWAY_PAUSE)

    async def glance(self, operation: Callable[[Connection], T]) -> T:
        """A read of a row by its key, done at once where the backend answers from memory.

        Raises as `read` does.
        """
        with suppress(StorageUnavailable):  # somebody stands in the way: a thread can wait
            if self._at_hand is None and not self._closed:
                self._at_hand = self.backend.at_hand()
            if self._at_hand is not None:
                return operation(self._at_hand)
        return await self.read(operation)

    async def write(
        self,
        operation: Callable[[Connection], T],
        *,
        locks: Locks | None = None,
        idle: bool = False,
        quick: bool = False,
    ) -> T:
        """Run an operation in a transaction; returns its result once that is on the disk.

        `locks` are of all wallets and budgets that it may change; without them, the operation calls
        `connection.lock` itself. What others have to write goes before an `idle` one; a `quick` one
        touches a few rows by their keys, and may be done on the loop. Raises what
        the operation raises (its changes are undone, nobody else's), and `StorageUnavailable` (as
        `StorageMoved` while the books move) or `StorageClosed`. To be cancelled while waiting does
        not stop it.
        """
        if self.moving:
            raise StorageMoved("the books are being moved to PostgreSQL: try again in a moment")
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        job = Job(operation, waiter, locks, durable=False, quick=quick)
        self._writer(locks).submit(job, idle=idle)
        result: T = await waiter
        return result

    def enqueue(
        self,
        operation: Operation,
        saved: asyncio.Future[Any] | None = None,
        *,
        locks: Locks | None = None,
        deferred: bool = True,
        quick: bool = False,
    ) -> Job:
        """Have an operation done, after all that was handed in before for the member.

        It never suspends, and is never lost while the process lives: if the disk is full, or the
        database away, it is retried until it goes through; then `saved` is told. It joins what the
        request defers, unless `deferred` is false. Raises `StorageClosed`.
        """
        job = Job(operation, saved, locks, quick=quick)
        writes = self.deferred() if deferred else None
        if writes is not None:
            writes.add(job)
        else:
            self._writer(locks).submit(job)
        return job

    def deferred(self) -> DeferredWrites | None:
        """The open `DeferredWrites` of the running request."""
        writes = _deferred.get()
        return writes if writes is not None and writes.open else None

    def amend(self, job: Job, operation: Operation) -> bool:
        """Have another operation done in the place of an enqueued one.

        False if it is too late for that, or may be: the job is being written at this moment.
        """
        return self._writer(job.locks).amend(job, operation)

    def defer(self, locks: Locks) -> DeferredWrites:
        """Hold back what this task and those that it starts enqueue; see `DeferredWrites`."""
        return DeferredWrites(self._writer(locks), locks)

    async def drain(self, timeout: float = 10.0) -> int:  # noqa: ASYNC109
        """Wait until all that was handed in is written; returns how much of `enqueue` is not."""
        return await self._each(Writer.drain, timeout)

    async def close(self, timeout: float = 10.0) -> int:  # noqa: ASYNC109
        """Write what is queued, for at most `timeout` seconds, and close.

        Returns how many enqueued operations could not be written.
        """
        unwritten = await self._each(Writer.close, timeout)
        self._closed = True
        for asked in list(self._sessions.values()):
            asked.leave()
        await asyncio.to_thread(self._readers.shutdown)
        for session in (*self._sessions, *filter(None, [self._at_hand])):
            session.close()
        self._at_hand = None
        return unwritten

    async def _read_now(self, operation: Callable[[Connection], T], within: float | None) -> T:
        """Raises `StorageAway`, and what `read` does."""
        if self._closed:
            raise StorageClosed("the database is closed")
        loop = asyncio.get_running_loop()
        asked = _Asked()
        try:
            async with asyncio.timeout(within):
                return await loop.run_in_executor(self._readers, self._read, operation, asked)
        except TimeoutError as error:
            asked.leave()
            raise StorageUnavailable("the database cannot be read: it does not answer") from error
        except asyncio.CancelledError:
            loop.call_later(READ_SECONDS, asked.leave)  # most end by themselves
            raise
        except StorageAway:
            raise
        except StorageUnavailable as error:
            raise StorageUnavailable(f"the database cannot be read: {error}") from error

    def _read(self, operation: Callable[[Connection], T], asked: _Asked) -> T:
        """In one of the threads that read."""
        session: Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = self.backend.session(read_only=True)
        self._sessions[session] = asked
        with asked.lock:
            if asked.gone:
                raise StorageUnavailable("nobody waits for it")
            asked.session = session
        try:
            return operation(session)
        finally:
            with asked.lock:
                asked.session = None
            if asked.gone:  # the interruption may have been too late for it, and is for no other
                del self._own.session
                del self._sessions[session]
                session.close()

    def _writer(self, locks: Locks | None) -> Writer:
        return self._writers[(locks.member if locks else 0) % len(self._writers)]

    async def _each(self, action: Callable[[Writer, float], int], timeout: float) -> int:  # noqa: ASYNC109
        acting = (asyncio.to_thread(action, writer, timeout) for writer in self._writers)
        return sum(await asyncio.gather(*acting))


def _prepared(directory: Path, url: str, *, create: bool) -> Backend:
    move = ""
    if not url and not LocalServer(directory).exists:
        backend = SQLiteBackend.prepared(directory, create=create)
        with closing(backend.session(read_only=True)) as session:
            to = moved(session)
        if to is None:
            return backend
        url, move = to.url, to.move
    # With psycopg and libpq, which nobody else needs.
    from xinghe.storage.postgresql.backend import PostgreSQLBackend  # noqa: PLC0415

    return PostgreSQLBackend.prepared(url or local_url(directory), create=create, move=move)


class DeferredWrites:
    """A context manager: what a member's request enqueues waits for `hand_in`, or for the exit.

    What a request settles in the ledger and what is kept of its answer must not be torn apart by
    a crash: with the answer written first, a charge without a kept answer cannot come about.
    """

    def __init__(self, writer: Writer, locks: Locks) -> None:
        self.open = False
        self.clearances: list[Callable[[Job | None], Awaitable[None]]] = []
        """What is to be awaited between `hand_in` and the answer's leave; given the first job."""
        self._writer = writer
        self._locks = locks
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
            self._first = Job(first, locks=self._locks)
            jobs.insert(0, self._first)
        if jobs:
            self._writer.submit(*jobs)

    async def cleared(self) -> None:
        """Return when the answer may leave. Raises what says that it may not."""
        clearances, self.clearances = self.clearances, []
        for clearance in clearances:
            await clearance(self._first)
