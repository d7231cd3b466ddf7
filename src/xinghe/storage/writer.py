"""The threads that write, with group commit and without a timer.

A thread commits at once; whatever gathers during a commit is its next batch. An operation that
fails takes no other with it: its batch is done without it, before and behind it.

Where the database is a file, a statement takes microseconds and only a commit takes long: the loop
itself then does the `quick` operations of a batch, and hands the thread what is left, the commit.
Statement by statement, the two would take the interpreter's lock from each other. What does not go
through at once is undone, and is the thread's from its beginning.

Once a commit has failed, only what must not be lost is tried again; all else is refused at once,
until a commit goes through. What can wait (`idle`) has a transaction of its own, when
nothing else is there to be written or it has waited for long.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import structlog

from xinghe.storage.connection import (
    AWAY_PAUSE,
    AWAY_SECONDS,
    Backend,
    Session,
    StorageAway,
    StorageClosed,
    StorageContended,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from xinghe.storage.jobs import Job, Operation, OperationFailed, measure, named, resolve

BATCH = 1000
CONTENDED = 5
"""How often a transaction is tried that others were in the way of."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
LONGEST_IDLE = 0.25
"""Seconds that an idle job lets others go before it, however many come."""
TURN = 0.002
"""Seconds after which the loop leaves the rest of what is quick to the next batch."""
SLOW, REST = 0.02, 1.0
"""Where that took so long, the file is not in memory: for a while the thread does all of it."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.storage")


class Writer:
    """One thread with its connection. `error` is None while the last commit worked."""

    def __init__(self, backend: Backend, loop: asyncio.AbstractEventLoop) -> None:
        self.error: str | None = None
        self._backend = backend
        self._session: Session | None = None
        self._loop = loop
        self._queue: deque[Job] = deque()
        self._idle: deque[Job] = deque()
        self._in_flight: list[Job] = []
        self._is_due = False
        """Whether the loop is about to look at the queue, which is not the thread's till then."""
        self._outcomes: list[Any] | None = None
        """Of what is in flight, where the loop has done it and only the commit is left."""
        self._at_work = False
        """Whether the session is the thread's."""
        self._rests_until = 0.0
        self._changed = threading.Condition()
        self._closing_until: float | None = None
        self._thread = threading.Thread(target=self._run, name="xinghe-writer", daemon=True)
        self._thread.start()

    def submit(self, *jobs: Job, idle: bool = False) -> None:
        """Queue jobs, with no other between them; `idle` ones let others go first.

        Raises `StorageClosed`; and `StorageRefused` in trouble, unless all are durable.
        """
        with self._changed:
            if self._closing_until is not None:
                raise StorageClosed("the database is closed")
            if self.error is not None and not all(job.durable for job in jobs):
                raise StorageRefused(f"the database cannot be written: {self.error}")
            for job in jobs:
                job.at, job.idle = time.monotonic(), idle
            (self._idle if idle else self._queue).extend(jobs)
            if self._is_due or self._at_work:
                return
            if self._is_for_loop():
                self._is_due = True
                self._loop.call_soon(self._begin)
            else:
                self._changed.notify_all()

    def amend(self, job: Job, operation: Operation) -> bool:
        """Have another operation done in a job's place; False if it is too late, or may be.

        It is told for sure later: the job is written, or is queued again.
        """
        with self._changed:
            if job.written or any(job is each for each in self._in_flight):
                return False
            job.operation = operation
            return True

    def drain(self, timeout: float) -> int:
        """Wait (blocking) until all is written; returns how many durable jobs are not."""
        with self._changed:
            self._changed.wait_for(
                lambda: not (self._queue or self._idle or self._in_flight), timeout
            )
            return sum(job.durable for job in (*self._in_flight, *self._queue))

    def close(self, timeout: float) -> int:
        """Write what is queued, end the thread (blocking); returns what `drain` does."""
        with self._changed:
            if self._closing_until is None:
                self._closing_until = time.monotonic() + timeout
                self._changed.notify_all()
        self._thread.join(timeout + 0.5)
        return self.drain(0)

    def _is_for_loop(self) -> bool:
        """Whether the loop does what comes next."""
        if not self._backend.local or not self._is_head_quick():
            return False
        at, is_fit = time.monotonic(), self.error is None and self._closing_until is None
        return is_fit and at >= self._rests_until and not self._is_idle_due(at)

    def _begin(self) -> None:
        """On the loop: do what is quick at the queue's head, and have the thread commit it."""
        with self._changed:
            self._is_due = False
            session = self._session
            if self._at_work or session is None or not self._is_for_loop():
                self._changed.notify_all()
                return
            batch, outcomes, began = list[Job](), list[Any](), time.monotonic()
            try:
                session.begin(wait=False)
                while not batch or (self._is_head_quick() and time.monotonic() - began < TURN):
                    batch.append(self._queue.popleft())
                    outcomes.append(batch[-1].operation(session))
            except Exception:  # whatever it is: the thread does it anew, and tells whom it concerns
                session.rollback()
                self._queue.extendleft(reversed(batch))
                self._rests_until = time.monotonic() + REST
            else:
                self._in_flight, self._outcomes, self._at_work = batch, outcomes, True
                if time.monotonic() - began > SLOW:
                    self._rests_until = time.monotonic() + REST
            self._changed.notify_all()

    def _is_head_quick(self) -> bool:
        return bool(self._queue) and self._queue[0].quick

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while (batch := self._take(pause)) is not None:
            failure = self._write(batch)
            if failure is None:
                pause = FIRST_PAUSE
            else:
                if self._keep_durable(self._in_flight, failure):
                    self._pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        self._refuse_waiters(StorageClosed("the database was closed before this was written"))
        if self._session is not None:
            self._session.close()

    def _write(self, batch: list[Job]) -> StorageError | None:
        """Commit a batch, or its part before an operation that fails; returns why it could not.

        The rest goes back to the queue's head. What is in flight is what was tried.
        """
        tries = 0
        while True:
            tries += 1
            try:
                outcomes = self._attempt(batch)
            except OperationFailed as failed:
                if len(batch) > 1:
                    batch = self._split(batch, max(failed.place, 1))
                    continue
                if batch[0].durable:
                    # Retrying cannot help it, and everything behind it would wait for ever.
                    operation = named(batch[0].operation)
                    log.error("operation_dropped", operation=operation, exc_info=failed.error)
                outcomes = [failed.error]
            except StorageError as failure:
                if not self._is_tried_again(batch, failure, tries):
                    return failure
                continue
            except Exception as odd:  # of the driver, say: the thread must not end by it
                if self.error is None:
                    log.exception("writer_failed")
                return StorageUnavailable(f"{type(odd).__name__}: {odd}")
            self._written(batch, outcomes)
            return None

    def _is_tried_again(self, batch: list[Job], failure: StorageError, tries: int) -> bool:
        """At once where others were in the way, after a moment where the database is away."""
        if isinstance(failure, StorageContended):
            return tries < CONTENDED
        known = self.error is not None or self._closing_until is not None or not batch
        if known or not isinstance(failure, StorageAway):
            return False
        self._pause(AWAY_PAUSE)
        return time.monotonic() < min(job.at for job in batch) + AWAY_SECONDS

    def _attempt(self, batch: list[Job]) -> list[Any]:
        """Raises `OperationFailed` and `StorageError`, and nothing was done then."""
        session = self._session = self._session or self._backend.session()
        outcomes, self._outcomes = self._outcomes, None
        try:
            if outcomes is None:
                session.begin()
                outcomes = self._done(session, batch)
            session.commit()
        except BaseException:
            session.rollback()
            raise
        if self.error is not None:
            log.info("database_recovered")
        self.error = None
        return outcomes

    def _done(self, session: Session, batch: list[Job]) -> list[Any]:
        """Do a batch within a transaction. Raises as `_attempt` does."""
        if not batch:
            session.probe()
        if locks := [job.locks for job in batch if job.locks is not None]:
            session.lock(
                {wallet for each in locks for wallet in each.wallets},
                {budget for each in locks for budget in each.budgets},
            )
        outcomes = []
        for place, job in enumerate(batch):
            try:
                outcomes.append(job.operation(session))
            except StorageError:
                raise
            except Exception as error:
                raise OperationFailed(place, error) from error
        return outcomes

    def _split(self, batch: list[Job], at: int) -> list[Job]:
        """Put what comes from a place on back to the queue's head; returns what comes before."""
        with self._changed:
            self._queue.extendleft(reversed(batch[at:]))
            self._in_flight = batch[:at]
        return batch[:at]

    def _written(self, batch: list[Job], outcomes: list[Any]) -> None:
        measure(batch)
        with self._changed:
            for job in batch:
                job.written = True
            self._in_flight, self._at_work = [], False
            self._is_due = self._is_for_loop()
        self._deliver(list(zip(batch, outcomes, strict=True)))

    def _take(self, pause: float) -> list[Job] | None:
        """The next batch; None ends the thread; an empty one asks whether the trouble is over."""
        with self._changed:
            if self._outcomes is None:
                self._in_flight, self._at_work = [], False
            self._changed.notify_all()
            while self._outcomes is None and not self._has_next():
                if self._closing_until is not None:
                    return None
                if not self._changed.wait(pause if self.error else None) and self.error:
                    self._at_work = True
                    return []
            self._at_work = True
            if self._outcomes is not None:
                return self._in_flight
            if self._closing_until is not None and time.monotonic() >= self._closing_until:
                return None
            self._in_flight = list(self._gathered())
            return self._in_flight

    def _gathered(self) -> Iterator[Job]:
        """What is done together, taken from the queue."""
        if self._is_idle_due(time.monotonic()) or not self._queue:
            yield self._idle.popleft()
            return
        for place in range(min(len(self._queue), BATCH)):
            # What takes its locks as it goes waits for nobody when it is alone.
            alone = self._backend.locks and self._queue[0].locks is None
            if alone and place:
                return
            yield self._queue.popleft()
            if alone:
                return

    def _has_next(self) -> bool:
        """Whether anything is there for the thread."""
        is_ours = not self._is_due or self._closing_until is not None
        return is_ours and bool(self._queue or self._idle)

    def _is_idle_due(self, at: float) -> bool:
        return bool(self._idle) and at - self._idle[0].at >= LONGEST_IDLE

    def _keep_durable(self, batch: list[Job], failure: StorageError) -> bool:
        """Put the durable jobs back at the head, in order; tell all others what happened.

        The others that are queued behind would fail as well: better told now than kept waiting.
        """
        error = StorageUnavailable(f"the database cannot be written: {failure}")
        error.__cause__ = failure
        with self._changed:
            if self.error is None:
                log.error("database_unavailable", error=str(failure))
            self.error = str(failure) or type(failure).__name__
            self._queue.extendleft(reversed(batch))
            self._in_flight = []
        self._refuse_waiters(error)
        return any(job.durable for job in batch)

    def _refuse_waiters(self, error: Exception) -> None:
        with self._changed:
            everything = [*self._queue, *self._idle]
            self._queue.clear()
            self._idle.clear()
            self._queue.extend(job for job in everything if job.durable)
        self._deliver([(job, error) for job in everything if not job.durable])

    def _deliver(self, outcomes: list[tuple[Job, Any]]) -> None:
        told = [(job.waiter, outcome) for job, outcome in outcomes if job.waiter is not None]
        if told or self._is_due:
            try:
                self._loop.call_soon_threadsafe(self._tell, told)
            except RuntimeError:
                log.warning("waiters_gone", count=len(told))

    def _tell(self, told: list[tuple[asyncio.Future[Any], Any]]) -> None:
        resolve(told)
        if self._is_due:  # whom this wakes has his turn before, and is in the next batch
            self._loop.call_soon(self._begin)

    def _pause(self, seconds: float) -> None:
        with self._changed:
            if self._closing_until is None:
                self._changed.wait_for(lambda: self._closing_until is not None, seconds)
            else:
                left = max(0.0, self._closing_until - time.monotonic())
                self._changed.wait(min(seconds, left))
