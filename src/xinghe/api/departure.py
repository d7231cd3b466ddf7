"""Work that ends when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from xinghe.api.exchange import Exchange
from xinghe.core import ClientGone, Meter

T = TypeVar("T")


async def unless_gone(exchange: Exchange, work: Awaitable[T], meter: Meter) -> T:
    """What `work` gives; it is cancelled when the client leaves. Raises `ClientGone` then."""
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(exchange.gone())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            meter.left = True
            raise ClientGone
        return task.result()
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.wait({task, gone})
