"""SearXNG's JSON API (docs.searxng.org, "Search API").

The instance must list `json` under `search.formats` in its settings.yml; it answers 403 if not.
"""

from __future__ import annotations

import msgspec

from xinghe.search.provider import Found, SearchFailed
from xinghe.search.remote import NULL, Remote, results

NOBODY = (NULL, msgspec.Raw(b"[]"))
MAX_PAGES = 3
"""An instance decides by itself how many results a page has: often 10 to 20."""


class SearxngProvider:
    """`url` is the instance's own, such as `http://127.0.0.1:8888`."""

    name = "searxng"

    def __init__(self, url: str) -> None:
        self._remote = Remote(url.rstrip("/") + "/search")

    async def search(self, query: str, number: int) -> list[Found]:
        found: dict[str, Found] = {}
        for page in range(1, MAX_PAGES + 1):
            params = {"q": query, "format": "json", "pageno": str(page)}
            try:
                answer = await self._remote.call("GET", params=params)
            except SearchFailed:
                if found:
                    break
                raise
            fresh = [result for result in results(answer.results) if result.url not in found]
            if not fresh and not found and answer.unresponsive_engines not in NOBODY:
                raise SearchFailed("none of its engines answered")
            found |= {result.url: result for result in fresh}
            if not fresh or len(found) >= number:
                break
        return list(found.values())[:number]

    async def aclose(self) -> None:
        await self._remote.aclose()
