"""The streams that are being made in this process: their member may cancel one by its id."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec

from xinghe.accounts import Principal
from xinghe.api.chat.stream import EVENT_STREAM
from xinghe.api.exchange import Exchange
from xinghe.api.responses.answer import Response
from xinghe.api.responses.encoder import ResponseEncoder

CANCELLED = "cancelled"


class Stream(msgspec.Struct, eq=False):
    """One that is being made; `response` is there when it was cancelled."""

    encoder: ResponseEncoder
    task: asyncio.Task[None]
    ended: asyncio.Event
    cancelled: bool = False
    response: Response | None = None


class Running:
    """By member and id."""

    def __init__(self) -> None:
        self._streams: dict[tuple[int, str], Stream] = {}

    async def run(
        self, exchange: Exchange, encoder: ResponseEncoder, work: Coroutine[Any, Any, None]
    ) -> None:
        """Send a stream to its end, or until it is cancelled. Raises what the work raises."""
        key = exchange.principal.member_id, encoder.response.id
        task = asyncio.ensure_future(work)
        stream = self._streams[key] = Stream(encoder, task, asyncio.Event())
        try:
            await task
        except asyncio.CancelledError:
            if not stream.cancelled or not task.cancelled():
                raise
            stream.response = encoder.broken(CANCELLED)
            stream.ended.set()
            await _end(exchange, encoder)
        finally:
            stream.ended.set()
            del self._streams[key]

    async def cancel(self, principal: Principal, name: str) -> Response | None:
        """The response as far as it was made; None where there is no such stream, or no more.

        One that waits for its reader alone is made: it is sent to its end. A token for other models
        ends none, as it is shown none.
        """
        stream = self._streams.get((principal.member_id, name))
        if stream is None or not principal.may_use(stream.encoder.response.model):
            return None
        if not stream.cancelled:
            if stream.encoder.response.status != "in_progress":
                return stream.encoder.response
            stream.cancelled = True
            stream.task.cancel()
        await stream.ended.wait()
        return stream.response


async def _end(exchange: Exchange, encoder: ResponseEncoder) -> None:
    """Its last event. An answer that was cancelled is kept for no Idempotency-Key."""
    exchange.error_code = CANCELLED
    if not exchange.answered:
        await exchange.start(200, EVENT_STREAM)
    last = encoder.event("response.incomplete", response=encoder.response)
    await exchange.send({"type": "http.response.body", "body": last})
