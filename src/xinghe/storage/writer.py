"""The one thread that writes, with group commit and without a timer.

It commits at once; whatever gathers during a commit is the next batch. Each operation of a
batch runs in a SAVEPOINT of its own, so one that fails takes no other with it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

import apsw
import msgspec
import structlog

from xinghe.storage.errors import ENVIRONMENT, StorageClosed, StorageUnavailable

Operation: TypeAlias = Callable[[apsw.Connection], Any]

BATCH = 1000
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.storage")


class Job(msgspec.Struct, frozen=True, eq=False):
    """An operation and who waits for it; without a waiter it is durable: retried until done."""

    operation: Operation
    waiter: asyncio.Future[Any] | None

    @property
    def durable(self) -> bool:
        return self.waiter is None


class Writer:
    """Owns the writing connection and its thread. `error` is None while the last commit worked."""

    def __init__(self, connection: apsw.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.error: str | None = None
        self._connection = connection
        self._loop = loop
        self._queue: deque[Job] = deque()
        self._in_flight: list[Job] = []
        self._changed = threading.Condition()
        self._closing_until: float | None = None
        self._thread = threading.Thread(target=self._run, name="xinghe-writer", daemon=True)
        self._thread.start()

    def submit(self, *jobs: Job) -> None:
        """Queue jobs, with no other between them. Raises `StorageClosed`."""
        with self._changed:
            if self._closing_until is not None:
                raise StorageClosed("the database is closed")
            self._queue.extend(jobs)
            self._changed.notify_all()

    def drain(self, timeout: float) -> int:
        """Wait (blocking) until all is written; returns how many durable jobs are not."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue and not self._in_flight, timeout)
            return sum(job.durable for job in (*self._in_flight, *self._queue))

    def close(self, timeout: float) -> int:
        """Write what is queued, end the thread (blocking); returns what `drain` does."""
        with self._changed:
            if self._closing_until is None:
                self._closing_until = time.monotonic() + timeout
                self._changed.notify_all()
        self._thread.join(timeout + 0.5)
        if not self._thread.is_alive():
            self._connection.close()
        return self.drain(0)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while (batch := self._take(pause)) is not None:
            outcomes, failure = self._attempt(batch)
            if failure is None:
                self._deliver(list(zip(batch, outcomes, strict=True)))
                self._note_success()
                pause = FIRST_PAUSE
            else:
                self._note_failure(failure)
                if self._keep_durable(batch, failure):
                    self._pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        self._refuse_waiters(StorageClosed("the database was closed before this was written"))

    def _take(self, pause: float) -> list[Job] | None:
        """The next batch; None ends the thread; an empty one asks whether the trouble is over."""
        with self._changed:
            self._in_flight = []
            self._changed.notify_all()
            while not self._queue:
                if self._closing_until is not None:
                    return None
                if not self._changed.wait(pause if self.error else None) and self.error:
                    return []
            if self._closing_until is not None and time.monotonic() >= self._closing_until:
                return None
            # While in trouble, what must not be lost goes first and alone: no other job of the
            # batch can then be the reason why it fails again. The order is kept all the same.
            alone = self.error is not None and self._queue[0].durable
            while self._queue and len(self._in_flight) < BATCH:
                if alone and not self._queue[0].durable:
                    break
                self._in_flight.append(self._queue.popleft())
            return self._in_flight

    def _attempt(self, batch: list[Job]) -> tuple[list[Any], Exception | None]:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            if not batch:
                # Writes page 1 as it is: the cheapest true write there is.
                connection.pragma("user_version", connection.pragma("user_version"))
            outcomes = [self._perform(job) for job in batch]
            connection.execute("COMMIT")
        except Exception as error:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            except apsw.Error as second:
                log.error("rollback_failed", error=str(second))
            return [], error
        return outcomes, None

    def _perform(self, job: Job) -> Any:
        connection = self._connection
        connection.execute("SAVEPOINT job")
        try:
            outcome = job.operation(connection)
        except ENVIRONMENT:
            raise
        except Exception as error:
            connection.execute("ROLLBACK TO job")
            outcome = error
            if job.durable:
                # Retrying cannot help it, and everything behind it would wait for ever.
                log.error("operation_dropped", operation=repr(job.operation), exc_info=error)
        connection.execute("RELEASE job")
        return outcome

    def _keep_durable(self, batch: list[Job], failure: Exception) -> bool:
        """Put the durable jobs back at the head, in order; tell the others what happened."""
        error = StorageUnavailable(f"the database cannot be written: {failure}")
        error.__cause__ = failure
        durable = [job for job in batch if job.durable]
        with self._changed:
            self._queue.extendleft(reversed(durable))
            self._in_flight = []
        if len(durable) == len(batch):
            # The waiters behind would fail as well: better told now than after the last retry.
            self._refuse_waiters(error)
        else:
            self._deliver([(job, error) for job in batch if not job.durable])
        return bool(durable)

    def _refuse_waiters(self, error: Exception) -> None:
        with self._changed:
            refused = [(job, error) for job in self._queue if not job.durable]
            self._queue = deque(job for job in self._queue if job.durable)
        self._deliver(refused)

    def _deliver(self, outcomes: list[tuple[Job, Any]]) -> None:
        told = [(job.waiter, outcome) for job, outcome in outcomes if job.waiter is not None]
        if told:
            try:
                self._loop.call_soon_threadsafe(_resolve, told)
            except RuntimeError:
                log.warning("waiters_gone", count=len(told))

    def _pause(self, seconds: float) -> None:
        with self._changed:
            if self._closing_until is None:
                self._changed.wait_for(lambda: self._closing_until is not None, seconds)
            else:
                left = max(0.0, self._closing_until - time.monotonic())
                self._changed.wait(min(seconds, left))

    def _note_failure(self, failure: Exception) -> None:
        if self.error is None:
            log.error("database_unavailable", error=str(failure))
        self.error = str(failure) or type(failure).__name__

    def _note_success(self) -> None:
        if self.error is not None:
            log.info("database_recovered")
        self.error = None


def _resolve(outcomes: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for waiter, outcome in outcomes:
        if waiter.done():
            continue
        if isinstance(outcome, Exception):
            waiter.set_exception(outcome)
        else:
            waiter.set_result(outcome)
