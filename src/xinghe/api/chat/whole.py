"""The answer of a request without `stream`: one JSON body, when all is done."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from xinghe.api.chat.encoder import completion
from xinghe.api.chat.run import Run
from xinghe.core import ClientGone, FinishDelta, FinishReason, TextDelta


async def whole_answer(run: Run) -> None:
    """Generate, and stop at once when the client leaves. Raises `ClientGone`."""
    work = asyncio.create_task(_collect(run))
    gone = asyncio.create_task(run.exchange.gone())
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientGone
        text, reason = work.result()
    finally:
        gone.cancel()
        work.cancel()
        await asyncio.wait({work, gone})
    body = completion(run.exchange, run.request, text, reason, run.meter)
    await run.exchange.send_json(body)


async def _collect(run: Run) -> tuple[str, FinishReason]:
    texts: list[str] = []
    reason = FinishReason.NORMAL
    async with aclosing(run.batches()) as batches:
        async for batch in batches:
            for delta in batch.deltas:
                match delta:
                    case TextDelta(text, _):
                        texts.append(text)
                    case FinishDelta(given):
                        reason = given
    return "".join(texts), reason
