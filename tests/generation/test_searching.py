"""A search under way: it is told of as it happens, and whoever leaves during it has left."""

from __future__ import annotations

import asyncio

import pytest

from tests.engines.tape import STREAM_HEAD, chunk, playing
from tests.generation.made import make, services
from xinghe.catalog import UpstreamDeployment
from xinghe.core import Delta, Message, Sampling, SearchingDelta, Usage
from xinghe.dispatch import ChatDeployment
from xinghe.engines.upstream import UpstreamEngine
from xinghe.generation.planning import GenerationRequest
from xinghe.generation.search import SearchOptions
from xinghe.safety import Moderator
from xinghe.search import Measure, Reference


class Slow:
    """Finds nothing, when it is told to."""

    def __init__(self) -> None:
        self.asked, self.found = asyncio.Event(), asyncio.Event()

    async def search(
        self, query: str, *, number: int, references: int, budget: int, measure: Measure
    ) -> list[Reference]:
        self.asked.set()
        await self.found.wait()
        return []


@pytest.mark.parametrize("steps", range(6))
async def test_a_disconnect_is_never_lost(steps: int) -> None:
    """Nor in the very moment in which the search ends: what follows would run for nobody."""
    async with playing([STREAM_HEAD, chunk("一"), 600.0]) as tape:
        spec = UpstreamDeployment(url=tape.url, model="m")
        deployment = ChatDeployment("up", spec, UpstreamEngine("up", spec))
        searcher = Slow()
        using = services(
            Moderator(builtin=False),
            searcher=searcher,
        )
        question = (Message("user", "联网搜索一下:今天西湖的新闻有哪些?"),)
        options = SearchOptions(status=True)
        request = GenerationRequest(
            "as-0123456789", deployment, question, Sampling(), 16, search=options, search_budget=100
        )
        shown: list[Delta] = []
        answering = asyncio.create_task(
            make(using, request, Usage(), lambda batch: shown.extend(batch.deltas))
        )
        await searcher.asked.wait()
        assert shown == [SearchingDelta("今天西湖的新闻有哪些?")]
        searcher.found.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        answering.cancel()
        await asyncio.wait({answering}, timeout=60)
        await deployment.engine.aclose()
    assert answering.cancelled()
