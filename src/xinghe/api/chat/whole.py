"""The answer of a request without `stream`: one JSON body, when all is done."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from xinghe.api.chat.collected import Collected
from xinghe.api.chat.completion import completion
from xinghe.api.chat.run import Producer
from xinghe.api.lapse import Lapses, lapsed
from xinghe.core import ClientGone


async def whole_answer(run: Producer, lapses: Lapses) -> None:
    """Generate, and stop at once when the client leaves. Raises `ClientGone`.

    `ApiError` (401) where the token lapses meanwhile: nothing was shown, nothing is charged.
    """
    work = asyncio.create_task(_collect(run))
    gone = asyncio.create_task(run.exchange.gone())
    lapse = asyncio.Event()
    waiting = asyncio.create_task(lapse.wait())
    try:
        with lapses.watching(run.exchange.require().token_id, lapse.set):
            await asyncio.wait({work, gone, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            if lapse.is_set():
                raise lapsed()
            run.meter.left = True
            raise ClientGone
        collected = work.result()
    finally:
        tasks = {work, gone, waiting}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    body = completion(run.exchange, run.request, collected, run.meter)
    await run.exchange.send_json(body)


async def _collect(run: Producer) -> Collected:
    collected = Collected()
    async with aclosing(run.batches()) as batches:
        async for batch in batches:
            collected.take(batch.deltas)
    return collected
