"""A stage per test, and fetchers that may reach it under the name `pictures.example`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.fetching.stage import Stage, staged
from xinghe.fetching import Fetched, Fetcher
from xinghe.settings import Fetching

NAME = "pictures.example"

Fetch = Callable[..., Awaitable[Fetched]]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as running:
        yield running


@pytest.fixture
def fetch(stage: Stage) -> Fetch:
    """Fetches a path of the stage, or any URL."""
    fetcher = Fetcher(Fetching(hosts={NAME: f"127.0.0.1:{stage.port}"}))

    async def fetch(path: str, **limits: float) -> Fetched:
        url = f"http://{NAME}{path}" if path[:1] == "/" != path[1:2] else path
        bounds: dict[str, Any] = {"max_bytes": 1000, "timeout": 5.0, **limits}
        return await fetcher.fetch(url, accept="image/*", **bounds)

    return fetch
