from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from xinghe.catalog import LlamaCppDeployment
from xinghe.core import Constraint, GenerationJob, Message, Sampling, TextDelta
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.settings import Embedded, Settings
from xinghe.supervisor.children import EngineKeeper
from xinghe.supervisor.messages import EngineLocation, EngineThreads
from xinghe.weights import find


class Asked(Protocol):
    """One greedy pass; `xinghe.generation.search.Ask`, which may also go unconstrained."""

    async def __call__(
        self, messages: Sequence[Message], constraint: Constraint | None, max_tokens: int
    ) -> str: ...


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ask(small_weights: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    """One greedy pass of the small embedded engine, on one thread."""
    settings = Settings(
        data=str(tmp_path_factory.mktemp("data")),
        embedded=Embedded(model=small_weights, threads=1),
    )
    weights = find(settings, small_weights)
    assert isinstance(weights, Path)
    deployment = LlamaCppDeployment(slots=1, context=8192)
    engine = LlamaCppEngine("embedded/small", deployment)

    def located(news: EngineLocation | EngineThreads) -> None:
        if isinstance(news, EngineLocation):
            engine.locate(news.address, news.key, news.special)

    keeper = EngineKeeper("embedded", deployment, weights, settings.embedded, located)
    keeping = asyncio.create_task(keeper.run())
    async with asyncio.timeout(60):
        await keeper.ready.wait()

    async def once(
        messages: Sequence[Message], constraint: Constraint | None, max_tokens: int
    ) -> str:
        prompt = await engine.prepare(messages)
        job = GenerationJob(
            "as-0123456789", prompt, Sampling(temperature=0), max_tokens, constraint=constraint
        )
        async with aclosing(engine.generate(job)) as batches:
            deltas = [delta async for batch in batches for delta in batch.deltas]
        return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))

    yield once
    await engine.aclose()
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    await keeper.stop()
