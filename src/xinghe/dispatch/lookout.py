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
        self._asks = dict(asks)
        self._asked: dict[str, tuple[float, asyncio.Task[bool]]] = {}
        self._known: dict[str, bool] = {}

    def follow(self, asks: Mapping[str, Ask]) -> None:
        """Ask these from now on; what is known of one that was another before is forgotten."""
        for name, ask in self._asks.items():
            if asks.get(name) != ask:
                self._asked.pop(name, None)
                self._known.pop(name, None)
        self._asks = dict(asks)

    def forget(self, name: str) -> None:
        """Ask one again when it is next looked for: something has happened to it."""
        self._asked.pop(name, None)

    async def ready(self, names: Iterable[str], seconds: float | None = None) -> dict[str, bool]:
        """What those of the names say. One that says nothing for so many `seconds` is told as it
        was before; one that has never answered is waited for longer, then told as not ready, as
        is one that is there no more.
        """
        names = list(names)
        asked = {name: self._ask(name, ask) for name in names if (ask := self._asks.get(name))}
        if asked:
            if seconds is not None and not asked.keys() <= self._known.keys():
                seconds = max(seconds, FIRST_SECONDS)
            await asyncio.wait(asked.values(), timeout=seconds)
        told = {name: task.result() for name, task in asked.items() if task.done()}
        return {name: told.get(name, self._known.get(name, False)) for name in names}

    def _ask(self, name: str, ask: Ask) -> asyncio.Task[bool]:
        now = time.monotonic()
        if (last := self._asked.get(name)) is not None:
            at, task = last
            if not task.done() or now - at < FRESH_SECONDS:
                return task
        task = asyncio.create_task(self._look(name, ask))
        self._asked[name] = now, task
        return task

    async def _look(self, name: str, ask: Ask) -> bool:
        ready = await ask()
        if self._asks.get(name) == ask:
            self._known[name] = ready
        return ready
