from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from xinghe.catalog.card import LlamaCppDeployment
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.settings import Embedded, Settings
from xinghe.supervisor.engine import EngineKeeper
from xinghe.supervisor.messages import EngineLocation
from xinghe.weights import find

SLOTS, CONTEXT = 2, 8192


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(
    small_weights: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LlamaCppEngine]:
    """The engine on a child of its own, with two slots."""
    settings = Settings(
        data=str(tmp_path_factory.mktemp("data")), embedded=Embedded(model=small_weights)
    )
    weights = find(settings, small_weights)
    assert isinstance(weights, Path)
    deployment = LlamaCppDeployment(slots=SLOTS, context=CONTEXT, repeat_penalty=1.0)
    running = LlamaCppEngine("embedded/small", deployment)

    def located(location: EngineLocation) -> None:
        running.locate(location.address, location.key)

    keeper = EngineKeeper("embedded", deployment, weights, Embedded(), located)
    keeping = asyncio.create_task(keeper.run())
    async with asyncio.timeout(60):
        await keeper.ready.wait()
    yield running
    await running.aclose()
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    await keeper.stop()
