"""The answer of a request with `stream: true`, as server-sent events.

Two hands: a producer drains the engine into a buffer, the request's own task carries the buffer
to the client. So a slow reader holds no engine, and a departure stops the producer at once.
"""

from __future__ import annotations

import asyncio
import time

from xinghe.api.authentication import Lapses, lapsed
from xinghe.api.chat.buffer import BufferFull, StreamBuffer
from xinghe.api.chat.encoder import StreamEncoder
from xinghe.api.chat.pulse import Pulse
from xinghe.api.chat.run import Producer
from xinghe.api.exchange import Exchange, Headers
from xinghe.core import ClientGone
from xinghe.engines.protocol import Batch
from xinghe.observe import metrics
from xinghe.settings import Server

EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
]


async def stream_answer(run: Producer, server: Server, lapses: Lapses) -> None:
    """Generate and send. Raises `ClientGone`, and what the producer raised.

    `ApiError` (401), which becomes the last event, where the token lapses meanwhile: what was
    generated is charged as if the client had left.
    """
    buffer = StreamBuffer()
    has_lapsed = False
    producer = asyncio.create_task(_produce(run, buffer))
    gone = asyncio.create_task(run.exchange.gone())
    producer.add_done_callback(lambda _: buffer.close())
    gone.add_done_callback(lambda _: buffer.close())

    def end() -> None:
        nonlocal has_lapsed
        has_lapsed = True
        producer.cancel()
        buffer.drop()

    try:
        with lapses.watching(run.exchange.require().token_id, end):
            await _carry(run.exchange, buffer, server)
        if has_lapsed:
            raise lapsed()
        if not producer.done():
            run.meter.left = True
            raise ClientGone
        try:
            producer.result()
        except BufferFull:
            raise _cut_off(run.exchange) from None
        await _end(run.exchange, server)
    finally:
        gone.cancel()
        producer.cancel()
        await asyncio.wait({producer, gone})


async def _produce(run: Producer, buffer: StreamBuffer) -> None:
    encoder = StreamEncoder(run.exchange, run.request, run.meter)

    def emit(batch: Batch) -> None:
        buffer.put(encoder.encode(batch.deltas), batch.arrived)

    await run.run(emit)


async def _carry(exchange: Exchange, buffer: StreamBuffer, server: Server) -> None:
    """Send until the buffer is closed. The status line waits for the first byte to send."""
    with Pulse(buffer, server) as pulse:
        try:
            while (taken := await buffer.take()) is not None:
                data, arrived = taken
                pulse.sending()
                if not exchange.answered:
                    await exchange.start(200, EVENT_STREAM)
                await exchange.send({"type": "http.response.body", "body": data, "more_body": True})
                pulse.sent()
                if arrived is not None:
                    metrics.EDGE_OUT.observe(time.perf_counter() - arrived)
        except asyncio.CancelledError:
            if not pulse.stalled:
                raise
            pulse.forgive()
            raise _cut_off(exchange) from None


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
