"""Operations that are handed in at one moment, in an order of the gatherer's choice.

What a request settles in the ledger and what is kept of its answer must not be torn apart by a
crash: with the answer written first, a charge without a kept answer cannot come about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

import apsw

from xinghe.storage.writer import Job, Writer

Operation = Callable[[apsw.Connection], object]

current: ContextVar[Gathering | None] = ContextVar("gathering", default=None)
"""The gathering of the running request; the tasks that it starts inherit it."""


class Gathering:
    """A context manager: what is enqueued within waits for `hand_in`, or for the exit."""

    def __init__(self, writer: Writer) -> None:
        self.open = False
        self.clearances: list[Callable[[Job | None], Awaitable[None]]] = []
        """What is to be awaited between `hand_in` and the answer's leave; given the first job."""
        self._writer = writer
        self._first: Job | None = None
        self._jobs: list[Job] = []
        self._token: Token[Gathering | None] | None = None

    def __enter__(self) -> Self:
        self.open = True
        self._token = current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._token is not None
        current.reset(self._token)
        self.hand_in()

    def add(self, job: Job) -> None:
        self._jobs.append(job)

    def hand_in(self, first: Operation | None = None) -> None:
        """Enqueue `first`, then what was gathered; what comes later is not gathered any more.

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
