"""The answer of a request without `stream`: one JSON body, when all is done."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from xinghe.api.chat.encoder import completion
from xinghe.api.chat.run import Answer
from xinghe.core import ClientGone, FinishDelta, FinishReason, TextDelta


async def whole_answer(run: Answer) -> None:
    """Generate, and stop at once when the client leaves. Raises `ClientGone`."""
    work = asyncio.create_task(_collect(run))
    gone = asyncio.create_task(run.exchange.gone())
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            run.meter.left = True
            raise ClientGone
        text, finish = work.result()
    finally:
        gone.cancel()
        work.cancel()
        await asyncio.wait({work, gone})
    body = completion(run.exchange, run.request, text, finish, run.meter)
    await run.exchange.send_json(body)


async def _collect(run: Answer) -> tuple[str, FinishDelta]:
    texts: list[str] = []
    finish = FinishDelta(FinishReason.NORMAL)
    async with aclosing(run.batches()) as batches:
        async for batch in batches:
            for delta in batch.deltas:
                match delta:
                    case TextDelta(text, _):
                        texts.append(text)
                    case FinishDelta():
                        finish = delta
    return "".join(texts), finish
