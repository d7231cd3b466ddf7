"""One search from query to references, under one deadline: find, fetch the pages, choose."""

import asyncio
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Protocol
from urllib.parse import unquote, urlsplit

import msgspec
import structlog

from xinghe.core import ACCOUNT
from xinghe.observe import metrics
from xinghe.search.choose import ChooseRequest, Measure, Reference
from xinghe.search.extractor import Extractor, Unreadable, kind_of
from xinghe.search.provider import Found, Provider, SearchFailed
from xinghe.workers import WorkerPool

log = structlog.get_logger(__name__)

MAX_QUERY = 200
"""Characters."""
WAITING, SHARE = 64, 8
"""Searches whose finds wait to be read through: in all, and of one account."""
CHOOSING = 30.0
"""Seconds that reading through may take once it has begun; it takes one or two."""
PAGE_BYTES = 2 * 1024 * 1024
ACCEPT = "text/html,application/xhtml+xml,application/pdf;q=0.9,text/plain;q=0.8"


class FetchedPage(Protocol):
    """A body, its label, and the URL where the redirects ended."""

    @property
    def data(self) -> bytes: ...
    @property
    def content_type(self) -> str: ...
    @property
    def final_url(self) -> str: ...


class Fetch(Protocol):
    """A guarded GET; whatever it raises means that there is no page."""

    async def __call__(
        self,
        url: str,
        *,
        max_bytes: int,
        timeout: float,  # noqa: ASYNC109 (the fetcher's own form)
        accept: str,
    ) -> FetchedPage: ...


class PrivateSources:
    """Patterns: `corp.example` (with its subdomains), `*.local`, `example.com/internal/*`."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = tuple(pattern.lower().rstrip("/") for pattern in patterns)

    def covers(self, url: str) -> bool:
        """Whether a URL is one of them; one that cannot be read is."""
        if not self._patterns:
            return False
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").rstrip(".").lower()
        except ValueError:
            return True
        path = unquote(parts.path).lower()
        return any(_matches(pattern, host, path) for pattern in self._patterns)


class Searcher:
    """`deadline` is the seconds that provider and pages may take together.

    Without `fetch`, results without a text of their own are known by their snippets alone.
    """

    def __init__(
        self,
        provider: Provider,
        extractor: Extractor,
        private: PrivateSources,
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
            "xinghe.search.choosing_worker",
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
            if self._fetch is not None and any(each.text is None for each in found):
                left = self._deadline - (time.monotonic() - began)
                found = await self._with_pages(found, self._fetch, left)
            place = measure.__module__, measure.__qualname__
            asked = ChooseRequest(query, found, references, budget, place)
            # One that waits for its turn among many searches does not wait for ever.
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

    async def _with_pages(
        self, found: Sequence[Found], fetch: Fetch, seconds: float
    ) -> list[Found]:
        """The same results with their pages' text, fetched all at once.

        Those that fail or are late keep their snippet.
        """
        if seconds <= 0 or not found:
            return list(found)
        tasks = [asyncio.create_task(self._with_page(each, fetch, seconds)) for each in found]
        try:
            await asyncio.wait(tasks, timeout=seconds)
            return [
                task.result() if task.done() and not task.exception() else each
                for task, each in zip(tasks, found, strict=True)
            ]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _with_page(self, found: Found, fetch: Fetch, seconds: float) -> Found:
        if found.text is not None:
            return found
        try:
            page = await fetch(found.url, max_bytes=PAGE_BYTES, timeout=seconds, accept=ACCEPT)
            kind = kind_of(page.content_type, page.data)
            if kind is None:
                return found
            text = (await self._extractor.read(page.data, kind, seconds)).text
        except Unreadable as error:
            log.debug("page_unreadable", reason=str(error))
            return found
        except Exception as error:  # A stranger's page, through a function that we were given.
            log.debug("page_not_fetched", reason=type(error).__name__)
            return found
        public = found.public and not self._private.covers(page.final_url)
        return msgspec.structs.replace(found, text=text, public=public)

    def _count(self, outcome: str) -> None:
        metrics.SEARCHES.labels(self._provider.name, outcome).inc()


def _matches(pattern: str, host: str, path: str) -> bool:
    hosts, slash, rest = pattern.partition("/")
    if not (fnmatchcase(host, hosts) or host.endswith("." + hosts)):
        return False
    return not slash or fnmatchcase(path, "/" + rest) or path.startswith(f"/{rest}/")
