from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from tests.kit.projector import write_projector
from xinghe.catalog import LlamaCppDeployment
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.llamacpp.wanted import EngineWanted
from xinghe.settings import Embedded, Settings
from xinghe.supervisor.engines import EngineProcess
from xinghe.supervisor.messages import EngineLocation, EngineThreads
from xinghe.weights import find

SLOTS, CONTEXT = 2, 8192


@asynccontextmanager
async def child(
    small_weights: str, data: Path, deployment: LlamaCppDeployment
) -> AsyncIterator[LlamaCppEngine]:
    """The engine on a child of its own."""
    settings = Settings(data=str(data), embedded=Embedded(model=small_weights))
    weights = find(settings, small_weights)
    assert isinstance(weights, Path)
    async with child_of(weights, deployment) as running:
        yield running


@asynccontextmanager
async def child_of(
    weights: Path, deployment: LlamaCppDeployment, threads: int = 1
) -> AsyncIterator[LlamaCppEngine]:
    """The engine on a child of its own, around a file."""
    running = LlamaCppEngine("embedded/small", deployment)

    def located(news: EngineLocation | EngineThreads) -> None:
        if isinstance(news, EngineLocation):
            running.locate(news.address, news.key, news.special, switch=news.switch)

    settings = Settings(embedded=Embedded(threads=threads))
    wanted = EngineWanted("embedded", replace(deployment, weights=str(weights)))
    process = EngineProcess(wanted, settings, located)
    supervising = asyncio.create_task(process.run())
    async with asyncio.timeout(60):
        await process.ready.wait()
    try:
        yield running
    finally:
        await running.aclose()
        supervising.cancel()
        with suppress(asyncio.CancelledError):
            await supervising
        await process.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(
    small_weights: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LlamaCppEngine]:
    """Blind, with two slots."""
    deployment = LlamaCppDeployment(slots=SLOTS, context=CONTEXT, repeat_penalty=1.0)
    async with child(small_weights, tmp_path_factory.mktemp("data"), deployment) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seeing(
    small_weights: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LlamaCppEngine]:
    """The same with the tests' own vision projector."""
    data = tmp_path_factory.mktemp("data")
    projector = write_projector(data / "mmproj.gguf")
    deployment = LlamaCppDeployment(
        slots=SLOTS, context=CONTEXT, repeat_penalty=1.0, mmproj=str(projector)
    )
    async with child(small_weights, data, deployment) as running:
        yield running
