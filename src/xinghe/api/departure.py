"""Work that ends when nobody may have it any more: one race against a client that leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import nullcontext
from typing import TypeVar

from xinghe.api.authentication import Lapses, lapsed
from xinghe.api.exchange import Exchange
from xinghe.core import ClientGone, Meter

T = TypeVar("T")


async def unless_gone(
    exchange: Exchange,
    work: Awaitable[T],
    meter: Meter | None = None,
    lapses: Lapses | None = None,
) -> T:
    """What `work` gives; it is cancelled when the client leaves, or its token lapses.

    Raises `ClientGone` for the one, which the meter is told before, and `ApiError` (401) for the
    other.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(exchange.gone())
    lapse = asyncio.get_running_loop().create_future()
    try:
        with (
            lapses.watching(exchange.principal.token_id, lapse.cancel) if lapses else nullcontext()
        ):
            await asyncio.wait({task, gone, lapse}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if lapse.done():
            raise lapsed()
        if meter is not None:
            meter.left = True
        raise ClientGone
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.wait({task, gone})
