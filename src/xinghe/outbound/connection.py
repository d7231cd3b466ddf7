"""One connection to a server, on which one request is at work at a time.

It lives in callbacks of the loop: a request costs no task, and what comes no timer.
"""

from __future__ import annotations

import asyncio
import select
import time
from typing import cast
from weakref import WeakKeyDictionary

from xinghe.outbound.parsing import Answers
from xinghe.outbound.target import Origin

A_READ_AT_MOST = 64 * 1024
"""Bytes that are taken from the system at once, and so what one turn of the loop parses."""
MOST_UNTAKEN = 64 * 1024
"""Bytes that may have come before somebody takes them: no more is read then."""
A_WRITE, WRITES_AT_ONCE = 64 * 1024, 4
"""Bytes of a long body that are written at once, and how often in one turn of the loop."""

_buffers: WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview] = WeakKeyDictionary()
"""What is read is parsed at once, so that all connections of a loop read into the same bytes."""


class Closed(ConnectionError):
    """The server closed the connection."""


class Connection(asyncio.BufferedProtocol):
    """Ask with `send`, wait for `head`, then `take` what has come of the body and `wait` for more.

    `error` is what ended it. `heard` tells whether anything has come since the last request, and
    `spent` the seconds that went into parsing that.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, origin: Origin) -> None:
        self.origin = origin
        self.answers = Answers()
        self.error: Exception | None = None
        self.heard = False
        self.spent = 0.0
        self.transport: asyncio.Transport | None = None
        self._loop = loop
        if (buffer := _buffers.get(loop)) is None:
            buffer = _buffers[loop] = memoryview(bytearray(A_READ_AT_MOST))
        self._buffer = buffer
        self._untaken = 0
        self._is_full = False
        self._unsent: memoryview | None = None
        self._may_write = True
        self._waiter: asyncio.Future[None] | None = None
        self._until = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._poll: select.poll | None = None

    @property
    def may_be_kept(self) -> bool:
        """Whether another request may follow the last."""
        answers = self.answers
        whole = answers.is_over and answers.keeps and not answers.is_spoiled
        return whole and self.error is None and self._unsent is None

    @property
    def may_end(self) -> bool:
        """Whether all that has come was taken, and nothing but the answer's end may be missing."""
        answers = self.answers
        open_ended = answers.is_over or answers.is_spoiled or not answers.keeps
        untaken = answers.pieces or self._unsent is not None
        return not (open_ended or untaken) and self.error is None

    @property
    def is_clean(self) -> bool:
        """The same of an idle one; bytes or an end may lie in the socket, of which nobody knows."""
        if not self.may_be_kept or self.transport is None or self.transport.is_closing():
            return False
        if self._poll is None:
            self._poll = select.poll()
            socket = self.transport.get_extra_info("socket")
            self._poll.register(socket.fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def start_anew(self, transport: asyncio.Transport) -> None:
        """Speak over TLS from now on, through the proxy that has just led there."""
        self.transport, self.answers = transport, Answers()

    def send(self, head: bytes, body: bytes = b"") -> None:
        """Send a request; a long body is written as fast as the server takes it."""
        assert self.transport is not None
        self.answers.begin()
        self.heard, self.spent, self._untaken = False, 0.0, 0
        if len(body) <= A_WRITE:
            self.transport.write(head + body)
            return
        self.transport.write(head)
        self._unsent = memoryview(body)
        self._write_on()

    async def taken(self, until: float) -> None:
        """Wait until all of the request is sent, or something has come, be it the end."""
        while self._unsent is not None and not (self.heard or self.error):
            await self.wait(until)

    async def head(self, until: float) -> None:
        """Wait for an answer's head. Raises `TimeoutError`, and what ended the connection."""
        while not self.answers.status:
            if self.error is not None:
                raise self.error
            await self.wait(until)

    def take(self) -> bytes:
        """What has come of the body; nothing where there is none yet, or no more.

        Raises what ended the connection before the answer was whole.
        """
        pieces = self.answers.pieces
        if not pieces:
            if self.error is not None and not self.answers.is_over:
                raise self.error
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._untaken = 0
        if self._is_full:
            self._is_full = False
            self.resume()
        return data

    async def wait(self, until: float) -> None:
        """Wait until something has come, or the connection ended. Raises `TimeoutError`.

        `until` is a time of the loop's clock.
        """
        try:
            await self.something(until)
        finally:
            self._waiter = None

    def something(self, until: float) -> asyncio.Future[None]:
        """What `wait` waits for."""
        waiter = self._waiter = self._loop.create_future()
        self._until = until
        # The alarm of an earlier wait will do: when it rings, it is set anew.
        if self._alarm is None or self._alarm.when() > until:
            self._set_alarm()
        return waiter

    def pause(self) -> bool:
        """Leave what comes in the system, to be read at once later; whether that was not so yet."""
        if self._is_full or self.transport is None or self.transport.is_closing():
            return False
        self.transport.pause_reading()
        return True

    def resume(self) -> None:
        """Read again what comes."""
        if not (self._is_full or self.transport is None or self.transport.is_closing()):
            self.transport.resume_reading()

    def drop(self) -> None:
        """Close it now: nothing is sent any more, and no farewell of TLS is waited for."""
        if self.transport is not None:
            self.transport.abort()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are of no such class

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        began = time.perf_counter()
        self.heard = True
        try:
            self.answers.feed(self._buffer[:nbytes])
        except Exception as error:
            self._end(error)
            self.drop()
            return
        self.spent += time.perf_counter() - began
        answers = self.answers
        if answers.pieces:
            self._untaken += nbytes
            if self._untaken > MOST_UNTAKEN and self.pause():
                self._is_full = True
        elif not (answers.is_over or answers.status):
            return
        self._wake()

    def eof_received(self) -> None:
        if not self.answers.close():
            self._end(Closed())
        elif self.error is None:
            self.error = Closed()
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._unsent = None
        self._end(exc or Closed())

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._write_on()

    def _end(self, error: Exception) -> None:
        self.error = self.error or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _write_on(self) -> None:
        for _ in range(WRITES_AT_ONCE):
            if self._unsent is None or not self._may_write:
                return
            assert self.transport is not None
            self.transport.write(self._unsent[:A_WRITE])
            self._unsent = self._unsent[A_WRITE:] or None
            if self._unsent is None:
                self._wake()
                return
        if self._may_write:
            self._loop.call_soon(self._write_on)

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(self._until, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self._waiter is None or self._waiter.done():
            return  # the next wait sets another
        if self._loop.time() < self._until:
            self._set_alarm()
        else:
            self._waiter.set_exception(TimeoutError())
