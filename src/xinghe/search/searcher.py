"""One search from query to references, under one deadline."""

from __future__ import annotations

import asyncio
import time

import msgspec
import structlog

from xinghe.core import ACCOUNT
from xinghe.observe import metrics
from xinghe.search.choose import Measure, Reference
from xinghe.search.choosing import Choice, place_of
from xinghe.search.extractor import Extractor
from xinghe.search.pages import Fetch, Private, read_pages
from xinghe.search.provider import Found, Provider, SearchFailed
from xinghe.workers import WorkerPool

log = structlog.get_logger(__name__)

MAX_QUERY = 200
"""Characters."""
WAITING, SHARE = 64, 8
"""Searches whose finds wait to be read through: in all, and of one account."""
CHOOSING = 30.0
"""Seconds that reading through may take once it has begun; it takes one or two."""


class Searcher:
    """`deadline` is the seconds that provider and pages may take together.

    Without `fetch`, results without a text of their own are known by their snippets alone.
    """

    def __init__(
        self,
        provider: Provider,
        extractor: Extractor,
        private: Private,
        *,
        deadline: float,
        fetch: Fetch | None = None,
    ) -> None:
        self._provider = provider
        self._extractor = extractor
        self._private = private
        self._deadline = deadline
        self._fetch = fetch
        self._choosing = WorkerPool(
            "xinghe.search.choosing",
            list[Reference],
            size=1,
            waiting=WAITING,
            share=SHARE,
            timeout=CHOOSING,
            nice=5,
            grace=CHOOSING,  # it starts for as long as it reads
        )

    async def search(
        self, query: str, *, number: int, references: int, budget: int, measure: Measure
    ) -> list[Reference]:
        """Find up to `number` documents and give the best `references` in `budget` tokens.

        Raises `SearchFailed`, and nothing else.
        """
        began = time.monotonic()
        try:
            self._choosing.start()  # it is ready when something has been found
            found = await self._find(query[:MAX_QUERY], number)
            if self._fetch is not None:
                left = self._deadline - (time.monotonic() - began)
                found = await read_pages(found, self._fetch, self._extractor, self._private, left)
            asked = Choice(query, found, references, budget, place_of(measure))
            # Who waits for a turn among many searches does not wait for ever.
            async with asyncio.timeout(self._deadline + CHOOSING):
                chosen = await self._choosing.call(asked, ACCOUNT.get()) if found else []
        except SearchFailed as failure:
            self._count("failed")
            log.warning("search_failed", provider=self._provider.name, error=str(failure))
            raise
        except Exception as error:
            self._count("failed")
            # Not the error's text: it may quote the query.
            log.error("search_failed", provider=self._provider.name, error=type(error).__name__)
            raise SearchFailed(type(error).__name__) from None
        self._count("found" if chosen else "empty")
        return chosen

    async def aclose(self) -> None:
        await self._provider.aclose()
        await self._extractor.aclose()
        await self._choosing.aclose()

    async def _find(self, query: str, number: int) -> list[Found]:
        try:
            async with asyncio.timeout(self._deadline):
                found = await self._provider.search(query, number)
        except TimeoutError:
            raise SearchFailed(f"no results within {self._deadline:g} s") from None
        return [
            msgspec.structs.replace(each, public=False) if self._private.covers(each.url) else each
            for each in found[:number]
        ]

    def _count(self, outcome: str) -> None:
        metrics.SEARCHES.labels(self._provider.name, outcome).inc()
