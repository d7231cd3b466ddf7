"""What the online providers share: one bounded JSON call."""

from __future__ import annotations

from typing import Any

import msgspec
from yarl import URL

from xinghe.outbound import CallFailed, Client, proxy_for
from xinghe.search.provider import Found, SearchFailed

MAX_BYTES = 4 * 1024 * 1024
PATIENCE = 60.0
"""Seconds; whoever searches waits for less."""
MAX_TITLE, MAX_SNIPPET = 300, 2000
"""Characters."""


class Remote:
    """An HTTP client of the operator's search service at `url`; proxy variables count."""

    def __init__(self, url: str) -> None:
        self._url = URL(url)
        self._client = Client(PATIENCE, PATIENCE, proxy=proxy_for(url))

    async def call(
        self,
        method: str,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: object = None,
    ) -> dict[str, Any]:
        """The JSON object that is answered. Raises `SearchFailed`."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": "application/json", **(headers or {})}
        if data is not None:
            headers["Content-Type"] = "application/json"
        url = self._url.update_query(params or {})
        try:
            async with self._client.call(method, url, headers=headers, body=data) as answer:
                if answer.status != 200:
                    raise SearchFailed(f"HTTP status {answer.status}")
                raw = await answer.whole(MAX_BYTES)
            return msgspec.json.decode(raw, type=dict[str, Any])
        except CallFailed as error:
            raise SearchFailed(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise SearchFailed("its answer is not a JSON object") from None

    async def aclose(self) -> None:
        await self._client.aclose()


def results(items: object, title: str, snippet: str) -> list[Found]:
    """The usable entries of a list: those with an http(s) URL, each URL once.

    `title` and `snippet` are the names of their fields.
    """
    found: dict[str, Found] = {}
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict):
            continue
        url = _text(item.get("url"))
        if url.startswith(("http://", "https://")) and url not in found:
            name = _text(item.get(title))[:MAX_TITLE] or url
            found[url] = Found(url, name, _text(item.get(snippet))[:MAX_SNIPPET])
    return list(found.values())


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
