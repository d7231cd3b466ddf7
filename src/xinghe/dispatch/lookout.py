"""Whether deployments can answer, asked so that nobody's looking is a burden to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeAlias

FRESH_SECONDS = 1.0
FIRST_SECONDS = 1.0
"""So long is a first answer waited for, however long others are."""

Ask: TypeAlias = Callable[[], Coroutine[Any, Any, bool]]


class Lookout:
    """Each is asked at most once a second: anybody may look, and every look would reach engines.

    `asks` tell, by name, whether one can answer.
    """

    def __init__(self, asks: Mapping[str, Ask]) -> None:
        self._asks = asks
        self._asked: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._known: dict[str, bool] = {}

    async def ready(self, names: Iterable[str], seconds: float | None = None) -> dict[str, bool]:
        """What those of the names say. One that says nothing for so many `seconds` is told as it
        was before; one that has never answered is waited for longer, then told as not ready.
        """
        asked = {name: self._ask(name) for name in names}
        if asked:
            if seconds is not None and not asked.keys() <= self._known.keys():
                seconds = max(seconds, FIRST_SECONDS)
            done, _ = await asyncio.wait(asked.values(), timeout=seconds)
            for each in done:
                each.result()
        return {name: self._known.get(name, False) for name in asked}

    def _ask(self, name: str) -> asyncio.Task[None]:
        now = time.monotonic()
        if (last := self._asked.get(name)) is not None:
            at, task = last
            if not task.done() or now - at < FRESH_SECONDS:
                return task
        task = asyncio.create_task(self._look(name))
        self._asked[name] = now, task
        return task

    async def _look(self, name: str) -> None:
        self._known[name] = await self._asks[name]()
