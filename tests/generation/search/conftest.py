from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from typing import Protocol

import pytest
import pytest_asyncio

from xinghe.catalog import LlamaCppDeployment
from xinghe.core import Constraint, EngineRequest, Message, Sampling, TextDelta
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.llamacpp.wanted import EngineWanted
from xinghe.settings import Embedded, Settings
from xinghe.supervisor.engines import EngineProcess
from xinghe.supervisor.messages import EngineLocation, EngineThreads


class AskModel(Protocol):
    """One greedy pass; `xinghe.generation.search.Ask`, which may also go unconstrained."""

    async def __call__(
        self, messages: Sequence[Message], constraint: Constraint | None, max_tokens: int
    ) -> str: ...


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ask(
    small_weights: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AskModel]:
    """One greedy pass of the small embedded engine, on one thread."""
    settings = Settings(
        data=str(tmp_path_factory.mktemp("data")),
        embedded=Embedded(model=small_weights, threads=1),
    )
    deployment = LlamaCppDeployment(weights=small_weights, slots=1, context=8192)
    engine = LlamaCppEngine("embedded/small", deployment)

    def located(news: EngineLocation | EngineThreads) -> None:
        if isinstance(news, EngineLocation):
            engine.locate(news.address, news.key, news.special)

    wanted = EngineWanted("embedded", deployment)
    process = EngineProcess(wanted, settings, located)
    supervising = asyncio.create_task(process.run())
    async with asyncio.timeout(60):
        await process.ready.wait()

    async def once(
        messages: Sequence[Message], constraint: Constraint | None, max_tokens: int
    ) -> str:
        prompt = await engine.prepare(messages)
        job = EngineRequest(
            "as-0123456789", prompt, Sampling(temperature=0), max_tokens, constraint=constraint
        )
        async with aclosing(engine.generate(job)) as batches:
            deltas = [delta async for batch in batches for delta in batch.deltas]
        return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))

    yield once
    await engine.aclose()
    supervising.cancel()
    with suppress(asyncio.CancelledError):
        await supervising
    await process.stop()
