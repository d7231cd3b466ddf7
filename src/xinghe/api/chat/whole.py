"""The answer of a request without `stream`: one JSON body, when all is done."""

from __future__ import annotations

import asyncio

from xinghe.api.authentication import Lapses, lapsed
from xinghe.api.chat.collected import Collected
from xinghe.api.chat.completion import completion
from xinghe.api.chat.run import Producer
from xinghe.core import ClientGone


async def whole_answer(run: Producer, lapses: Lapses) -> None:
    """Generate, and stop at once when the client leaves. Raises `ClientGone`.

    `ApiError` (401) where the token lapses meanwhile: nothing was shown, nothing is charged.
    """
    work = asyncio.create_task(_collect(run))
    gone = asyncio.create_task(run.exchange.gone())
    lapse = asyncio.get_running_loop().create_future()
    try:
        with lapses.watching(run.exchange.require().token_id, lapse.cancel):
            await asyncio.wait({work, gone, lapse}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            if lapse.done():
                raise lapsed()
            run.meter.left = True
            raise ClientGone
        collected = work.result()
    finally:
        gone.cancel()
        work.cancel()
        await asyncio.wait({work, gone})
    body = completion(run.exchange, run.request, collected, run.meter)
    await run.exchange.send_json(body)


async def _collect(run: Producer) -> Collected:
    collected = Collected()
    await run.run(lambda batch: collected.take(batch.deltas))
    return collected
