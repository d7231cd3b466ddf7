"""The search before an answer: found out, told as it happens, and counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

from xinghe.core import Delta, Meter, SearchingDelta, SourcesDelta
from xinghe.engines.protocol import Batch
from xinghe.generation.search import Augmented, SearchOptions


class Research:
    """Runs `search` once; `augmented` is what came of it when `batches` has ended.

    `search` is given a function to call when it really begins to look.
    """

    def __init__(
        self,
        options: SearchOptions,
        meter: Meter,
        search: Callable[[Callable[[], None]], Awaitable[Augmented]],
    ) -> None:
        self._options = options
        self._meter = meter
        self._search = search
        self.augmented: Augmented | None = None

    async def batches(self) -> AsyncGenerator[Batch]:
        """That the search has begun, as soon as it has, and what it found."""
        begun = asyncio.Event()
        work = asyncio.ensure_future(self._search(begun.set))
        waiting = asyncio.ensure_future(begun.wait())
        try:
            await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if begun.is_set() and self._options.status:
                yield _now(SearchingDelta())
            augmented = self.augmented = await work
        finally:
            waiting.cancel()
            work.cancel()
            # Not awaited one by one: a cancellation of our own would pass for theirs.
            await asyncio.wait({work, waiting})
        self._meter.searches += augmented.searches
        self._meter.search_tokens = augmented.tokens
        if self._options.trace and augmented.sources:
            yield _now(SourcesDelta(augmented.sources))


def _now(delta: Delta) -> Batch:
    return Batch(time.perf_counter(), [delta])
