"""One search from query to references, under one deadline."""

from __future__ import annotations

import asyncio
import time

import msgspec
import structlog

from xinghe.observe import metrics
from xinghe.search.choose import Measure, Reference, choose
from xinghe.search.extractor import Extractor
from xinghe.search.pages import Fetch, Private, read_pages
from xinghe.search.provider import Found, Provider, SearchFailed

log = structlog.get_logger(__name__)

MAX_QUERY = 200
"""Characters."""


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

    async def search(
        self, query: str, *, number: int, references: int, budget: int, measure: Measure
    ) -> list[Reference]:
        """Find up to `number` documents and give the best `references` in `budget` tokens.

        Raises `SearchFailed`, and nothing else.
        """
        began = time.monotonic()
        try:
            found = await self._find(query[:MAX_QUERY], number)
            if self._fetch is not None:
                left = self._deadline - (time.monotonic() - began)
                found = await read_pages(found, self._fetch, self._extractor, self._private, left)
            # In a thread: reading through so much text would hold up everybody's streams.
            chosen = await asyncio.to_thread(choose, query, found, references, budget, measure)
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
