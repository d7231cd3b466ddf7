"""What the online providers share: one bounded JSON call."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec

from xinghe.outbound import AnswerTooLarge, bounded
from xinghe.search.provider import Found, SearchFailed

MAX_BYTES = 4 * 1024 * 1024
MAX_TITLE, MAX_SNIPPET = 300, 2000
"""Characters."""


class Remote:
    """An HTTP client of the operator's search service; proxy variables count."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        url: str,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: object = None,
    ) -> dict[str, Any]:
        """The JSON object that is answered. Raises `SearchFailed`."""
        # Made late, because a session belongs to the running loop.
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=True)
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": "application/json", **(headers or {})}
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method, url, params=params, headers=headers, data=data, allow_redirects=False
            ) as answer:
                if answer.status != 200:
                    raise SearchFailed(f"HTTP status {answer.status}")
                raw = await bounded(answer, MAX_BYTES)
            return msgspec.json.decode(raw, type=dict[str, Any])
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The text of some errors holds the URL, and so the query.
            raise SearchFailed(f"it could not be reached ({type(error).__name__})") from error
        except AnswerTooLarge as error:
            raise SearchFailed(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SearchFailed("its answer is not a JSON object") from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


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
