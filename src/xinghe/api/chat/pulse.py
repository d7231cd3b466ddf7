"""A stream's clock: a comment while the engine is silent, an end when the reader stalls."""

from __future__ import annotations

import asyncio

from xinghe.api.chat.buffer import StreamBuffer
from xinghe.api.chat.encoder import KEEP_ALIVE
from xinghe.settings import Server

BEAT = 1.0


class Pulse:
    """Looks once a second (a timeout armed for every chunk costs a fifth of the chunk).

    Used as a context manager around the task that sends; a stalled reader cancels that task, and
    `stalled` tells so.
    """

    def __init__(self, buffer: StreamBuffer, server: Server) -> None:
        self.stalled = False
        self._buffer = buffer
        self._server = server
        self._beat = min(BEAT, server.stall_timeout / 2, server.keepalive_comment / 2)
        self._loop = asyncio.get_running_loop()
        self._sending = False
        self._since = self._loop.time()

    def __enter__(self) -> Pulse:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._timer = self._loop.call_later(self._beat, self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def sending(self) -> None:
        """A send begins."""
        self._sending = True
        self._since = self._loop.time()

    def sent(self) -> None:
        """The reader has taken it; `_since` now counts the silence."""
        self._sending = False
        self._since = self._loop.time()

    def forgive(self) -> None:
        """Take the cancellation back, so that the task can end in its own way."""
        self._task.uncancel()

    def _look(self) -> None:
        passed = self._loop.time() - self._since
        if self._sending and passed >= self._server.stall_timeout:
            self.stalled = True
            self._task.cancel()
            return
        if not self._sending and passed >= self._server.keepalive_comment:
            self._buffer.put(KEEP_ALIVE, None)
        self._timer = self._loop.call_later(self._beat, self._look)
