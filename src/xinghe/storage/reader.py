"""The threads that read: no read holds the event loop up, and a long one no other.

Each has a connection of its own, opened when it is first needed.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from xinghe.storage.connection import Backend, Connection, Session, StorageClosed

T = TypeVar("T")


class Reader:
    """Runs reads on at most `backend.readers` threads, the oldest first."""

    def __init__(self, backend: Backend, loop: asyncio.AbstractEventLoop) -> None:
        self._backend = backend
        self._loop = loop
        self._queue: deque[tuple[Callable[[Connection], Any], asyncio.Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._waiting = 0
        self._closed = False

    async def run(self, operation: Callable[[Connection], T]) -> T:
        """The result of an operation. Raises what it raises, `StorageError`, `StorageClosed`."""
        outcome: asyncio.Future[T] = self._loop.create_future()
        with self._changed:
            if self._closed:
                raise StorageClosed("the database is closed")
            self._queue.append((operation, outcome))
            if self._waiting < len(self._queue) and len(self._threads) < self._backend.readers:
                thread = threading.Thread(target=self._work, name="xinghe-reader", daemon=True)
                self._threads.append(thread)
                thread.start()
            else:
                self._changed.notify()
        return await outcome

    def close(self, timeout: float) -> None:
        """Answer what was asked, end the threads (blocking)."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout)

    def _work(self) -> None:
        session: Session | None = None
        while (asked := self._take()) is not None:
            operation, outcome = asked
            if outcome.cancelled():
                continue
            result: Any = None
            error: Exception | None = None
            try:
                session = session or self._backend.session(read_only=True)
                result = operation(session)
            except Exception as raised:
                error = raised
            try:
                self._loop.call_soon_threadsafe(_resolve, outcome, result, error)
            except RuntimeError:
                break  # the loop is gone, and whoever asked with it
        if session is not None:
            session.close()

    def _take(self) -> tuple[Callable[[Connection], Any], asyncio.Future[Any]] | None:
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: self._queue or self._closed)
            self._waiting -= 1
            return self._queue.popleft() if self._queue else None


def _resolve(outcome: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if outcome.done():
        return
    if error is None:
        outcome.set_result(result)
    else:
        outcome.set_exception(error)
