"""The answer of a request with `stream: true`, as server-sent events.

Two tasks: a producer drains the engine, and writes to the client what the connection takes. The
rest waits in a buffer, from which the request's own task carries it to the client. So a slow reader
holds no engine, and a disconnect stops the producer at once.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol

import msgspec

from xinghe.api.chat.work import SERVED_BY, Sink
from xinghe.api.error_form import ErrorForm
from xinghe.api.exchange import Exchange, Headers
from xinghe.api.priced import Lapses, lapsed
from xinghe.core import ClientGone, Delta, Usage
from xinghe.engines import Batch
from xinghe.engines.reading import READING, Reading
from xinghe.observe import metrics
from xinghe.settings import Server

EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
]
MAX_BYTES = 16 * 1024 * 1024
"""The most that waits for a reader."""
PIECE = 64 * 1024
"""About how many bytes leave at a time: what the connection has been given cannot be dropped."""
BEAT = 1.0
"""Seconds."""
LONG = 20
"""Seconds to the first token from which on it is told how many."""
ESTIMATED = "x-estimated-first-token"
"""The header that tells it, if the head has not left."""

Make = Callable[[Sink], Coroutine[None, None, None]]
"""Makes the answers: emits what may be shown and, of each last, one `FinishDelta`."""


class Encoder(Protocol):
    """Deltas of one answer in, bytes of events out, in the form of an operation."""

    keep_alive: bytes
    """What is sent while the engine is silent."""
    errors: ErrorForm
    """How a refusal ends the stream once it has begun."""

    def encode(self, deltas: list[Delta]) -> bytes:
        """All events of one batch, to be sent at once."""


async def stream_answer(
    exchange: Exchange,
    encoders: Sequence[Encoder],
    server: Server,
    lapses: Lapses,
    make: Make,
) -> None:
    """Make the answers, one an encoder, and send them meanwhile.

    Raises `ClientGone`, and what `make` raises. Raises `ApiError` (401) where the token lapses
    before all has left, the engines being done or not: what waits for the reader is dropped, and
    the error is the next event.
    """
    buffer = StreamBuffer()
    keep_alive = KeepAlive(buffer, exchange, server, encoders[0].keep_alive)
    sink = _Events(exchange, encoders, buffer, keep_alive)
    exchange.errors = encoders[0].errors
    has_lapsed = False

    def lapse() -> None:
        nonlocal has_lapsed
        has_lapsed = True
        producer.cancel()
        buffer.drop()

    reading = READING.set(keep_alive.reading)
    producer = asyncio.create_task(make(sink))
    READING.reset(reading)
    producer.add_done_callback(buffer.close)
    try:
        with lapses.watching(exchange.principal.bearer, lapse):
            await _carry(exchange, buffer, keep_alive)
        if has_lapsed:
            raise lapsed()
        try:
            producer.result()
        except BufferFull:
            raise _cut_off(exchange) from None
        await _end(exchange, server)
    finally:
        producer.cancel()
        await asyncio.wait({producer})


class _Events:
    """Has an answer leave as it is made; who makes it is told in the head, if that has not left."""

    def __init__(
        self,
        exchange: Exchange,
        encoders: Sequence[Encoder],
        buffer: StreamBuffer,
        keep_alive: KeepAlive,
    ) -> None:
        self.begin = keep_alive.begin
        self._exchange = exchange
        self._encoders = encoders
        self._buffer = buffer
        self._keep_alive = keep_alive

    def emit(self, choice: int, batch: Batch) -> None:
        data = self._encoders[choice].encode(batch.deltas)
        if not self._written(data):
            self._buffer.put(data, batch.arrived)
        elif data:
            metrics.EDGE_OUT.observe(time.perf_counter() - batch.arrived)

    def _written(self, data: bytes) -> bool:
        """Whether it has gone to the client already, as nothing is before it."""
        exchange, keep_alive = self._exchange, self._keep_alive
        if keep_alive.sending or not self._buffer.is_clear or not exchange.answered:
            return False
        if data and not exchange.write(data):
            return False
        keep_alive.mark(sending=False)
        return True

    def tell(self, served_by: str) -> None:
        if self._exchange.answered:
            self._buffer.put(f": {SERVED_BY}: {served_by}\n\n".encode(), None)
        else:
            self._exchange.set_header(SERVED_BY, served_by)

    def forget(self, choices: Sequence[int], usage: Usage) -> bool:
        return not usage.shown


async def _carry(exchange: Exchange, buffer: StreamBuffer, keep_alive: KeepAlive) -> None:
    """Send until the buffer is closed. The status line waits for the first byte to send."""
    with keep_alive:
        while (taken := await buffer.take()) is not None:
            data, arrived = taken
            keep_alive.mark(sending=True)
            if not exchange.answered:
                await exchange.start(200, EVENT_STREAM)
            await exchange.send({"type": "http.response.body", "body": data, "more_body": True})
            keep_alive.mark(sending=False)
            if arrived is not None:
                metrics.EDGE_OUT.observe(time.perf_counter() - arrived)


async def _end(exchange: Exchange, server: Server) -> None:
    """Even the last, empty piece waits until the reader has taken most of what went before."""
    try:
        async with asyncio.timeout(server.stall_timeout):
            await exchange.send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        raise _cut_off(exchange) from None


def _cut_off(exchange: Exchange) -> ClientGone:
    exchange.abort()
    metrics.CLIENTS_GONE.labels("stalled").inc()
    return ClientGone()


class BufferFull(ClientGone):
    """The reader is further behind than any answer is long: as good as gone."""


class StreamBuffer(msgspec.Struct, eq=False):
    """Bytes for one reader. Several puts between two takes leave in one piece, up to `PIECE`."""

    _parts: deque[tuple[bytes, float | None]] = msgspec.field(default_factory=deque)
    _size: int = 0
    _wake: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    _closed: bool = False

    def put(self, data: bytes, arrived: float | None) -> None:
        """Add bytes whose cause, if they have one, arrived at that `perf_counter` time.

        Raises `BufferFull`.
        """
        self._size += len(data)
        if self._size > MAX_BYTES:
            raise BufferFull
        self._parts.append((data, arrived))
        self._wake.set()

    def close(self, _: object = None) -> None:
        """Nothing more will come."""
        self._closed = True
        self._wake.set()

    def drop(self) -> None:
        """Nothing more is to be sent, not even what is here."""
        self._parts.clear()
        self._size = 0
        self.close()

    @property
    def is_clear(self) -> bool:
        """Whether nothing waits, and more may come."""
        return not self._parts and not self._closed

    async def take(self) -> tuple[bytes, float | None] | None:
        """The next bytes at hand with the arrival of the oldest, or `None` at the end."""
        await self._wake.wait()
        if not self._parts:
            return None
        data, arrived = self._parts.popleft()
        taken, size = [data], len(data)
        while self._parts and size < PIECE:
            data, _ = self._parts.popleft()
            taken.append(data)
            size += len(data)
        self._size -= size
        if not self._parts and not self._closed:
            self._wake.clear()
        return b"".join(taken), arrived


class KeepAlive:
    """Sends a comment while the engine is silent, and ends the stream when its reader stalls.

    It looks once a second (a timeout armed for every chunk costs a fifth of the chunk). A context
    manager around the task that sends; raises `ClientGone` in the place of a stalled send.
    """

    def __init__(
        self, buffer: StreamBuffer, exchange: Exchange, server: Server, event: bytes
    ) -> None:
        """`event` is what is sent, but for a time that the engine can tell."""
        self.reading = Reading()
        self._buffer = buffer
        self._event = event
        self._exchange = exchange
        self._server = server
        self._beat = min(BEAT, server.stall_timeout / 2, server.keepalive_comment / 2)
        self._loop = asyncio.get_running_loop()
        self._stalled = False
        self._working = False
        self.mark(sending=False)

    def __enter__(self) -> KeepAlive:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._timer = self._loop.call_later(self._beat, self._look)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        if self._stalled and kind is asyncio.CancelledError:
            self._task.uncancel()
            raise _cut_off(self._exchange) from None

    def begin(self) -> None:
        """The work begins, and with it the silence."""
        self._working = True
        self.mark(sending=False)

    def mark(self, *, sending: bool) -> None:
        """A send begins, or the reader has taken it and the silence begins."""
        self.sending = sending
        self._since = self._loop.time()

    def _look(self) -> None:
        passed = self._loop.time() - self._since
        if self.sending and passed >= self._server.stall_timeout:
            self._stalled = True
            self._task.cancel()
            return
        silent = not self.sending and passed >= self._server.keepalive_comment
        if silent and self._working:
            self._buffer.put(self._told(), None)
        self._timer = self._loop.call_later(self._beat, self._look)

    def _told(self) -> bytes:
        """What is sent now: where the first token is far off yet, how far."""
        seconds = math.ceil(self.reading.expected)
        if seconds <= LONG:
            return self._event
        if not self._exchange.answered:
            self._exchange.set_header(ESTIMATED, str(seconds))
        told = f": {self.reading.doing}, about {seconds} s\n\n".encode()
        return told if self._event.startswith(b":") else told + self._event
