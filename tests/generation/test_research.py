"""A search under way: whoever leaves at any moment of it has left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from xinghe.core import Meter
from xinghe.generation.research import Research
from xinghe.generation.search import Augmented, SearchOptions


@pytest.mark.parametrize("steps", range(6))
async def test_a_departure_is_never_lost(steps: int) -> None:
    """Nor in the very moment in which the search ends: what follows would run for nobody."""
    found = asyncio.Event()

    async def search(begun: Callable[[], None]) -> Augmented:
        await found.wait()
        return Augmented((), "not_needed")

    async def answer() -> None:
        async for _ in Research(SearchOptions(), Meter(), search).batches():
            pass
        await asyncio.sleep(600)

    answering = asyncio.create_task(answer())
    await asyncio.sleep(0.01)
    found.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    answering.cancel()
    await asyncio.wait({answering}, timeout=60)
    assert answering.cancelled()
