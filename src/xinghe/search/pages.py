"""The pages behind the results, fetched at once under one deadline and cleaned to text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog

from xinghe.search.extractor import Extractor, Unreadable, kind_of
from xinghe.search.provider import Found

log = structlog.get_logger(__name__)

MAX_BYTES = 2 * 1024 * 1024
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


class Private(Protocol):
    """Tells which URLs are not public."""

    def covers(self, url: str) -> bool: ...


async def read_pages(
    found: Sequence[Found], fetch: Fetch, extractor: Extractor, private: Private, seconds: float
) -> list[Found]:
    """The same results with their pages' text; those that fail or are late keep their snippet."""
    if seconds <= 0 or not found:
        return list(found)
    tasks = [asyncio.create_task(_read(each, fetch, extractor, private, seconds)) for each in found]
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


async def _read(
    found: Found, fetch: Fetch, extractor: Extractor, private: Private, seconds: float
) -> Found:
    if found.text is not None:
        return found
    try:
        page = await fetch(found.url, max_bytes=MAX_BYTES, timeout=seconds, accept=ACCEPT)
        kind = kind_of(page.content_type, page.data)
        if kind is None:
            return found
        text = (await extractor.read(page.data, kind, seconds)).text
    except Unreadable as error:
        log.debug("page_unreadable", reason=str(error))
        return found
    except Exception as error:  # A stranger's page, through a function that we were given.
        log.debug("page_not_fetched", reason=type(error).__name__)
        return found
    public = found.public and not private.covers(page.final_url)
    return msgspec.structs.replace(found, text=text, public=public)
