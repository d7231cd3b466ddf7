"""A call on the parent's side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from xinghe.workers.errors import WorkerFailure


class Pending:
    """A call that waits for its turn or for its reply; `timeout` in seconds."""

    __slots__ = ("deadline", "future", "progress", "request", "timeout")

    def __init__(
        self, request: msgspec.Raw, timeout: float, progress: Callable[[int], None] | None
    ) -> None:
        self.request = request
        self.progress = progress
        self.timeout = timeout
        self.future: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self.deadline: asyncio.TimerHandle | None = None

    def fail(self, failure: WorkerFailure) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
        if not self.future.done():
            self.future.set_exception(failure)
