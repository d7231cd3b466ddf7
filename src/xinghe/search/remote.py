"""What the online providers share: one bounded JSON call."""

from __future__ import annotations

import msgspec
from yarl import URL

from xinghe.outbound import CallFailed, Client, Unreadable, decoded, proxy_for
from xinghe.search.provider import Found, SearchFailed

MAX_BYTES = 2 * 1024 * 1024
PATIENCE = 60.0
"""Seconds; whoever searches waits for less."""
MAX_TITLE, MAX_SNIPPET = 300, 2000
"""Characters."""
MAX_FIELD = 256 * 1024
"""Bytes of a field's JSON."""
MOST_RESULTS = 200
NULL = msgspec.Raw(b"null")


class Page(msgspec.Struct):
    """The fields that SearXNG's and Baidu's answers have, still undecoded: most are lists."""

    results: msgspec.Raw = NULL
    unresponsive_engines: msgspec.Raw = NULL
    references: msgspec.Raw = NULL
    code: msgspec.Raw = NULL


class _Entry(msgspec.Struct):
    url: msgspec.Raw = NULL
    title: msgspec.Raw = NULL
    content: msgspec.Raw = NULL


_Entries = msgspec.defstruct(
    "_Entries",
    [(f"entry_{at}", msgspec.Raw, NULL) for at in range(MOST_RESULTS)],
    array_like=True,
)
"""An array of which no more is built than is looked at."""


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
    ) -> Page:
        """The JSON object that is answered. Raises `SearchFailed`."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": "application/json", **(headers or {})}
        if data is not None:
            headers["Content-Type"] = "application/json"
        url = self._url.update_query(params or {})
        try:
            raw = await self._client.fetch(method, url, headers=headers, body=data, most=MAX_BYTES)
            return decoded(raw, Page)
        except CallFailed as error:
            raise SearchFailed(str(error)) from None

    async def aclose(self) -> None:
        await self._client.aclose()


def results(items: msgspec.Raw) -> list[Found]:
    """The usable entries of a list: those with an http(s) URL, each URL once.

    An entry has `url`, `title` and `content`; what is beyond `MOST_RESULTS` is not looked at.
    """
    found: dict[str, Found] = {}
    try:
        entries = msgspec.structs.astuple(decoded(items, _Entries))
    except Unreadable:
        return []
    for entry in entries:
        try:
            item = decoded(entry, _Entry)
        except Unreadable:
            continue
        url = text_of(item.url)
        if url.startswith(("http://", "https://")) and url not in found:
            name = text_of(item.title)[:MAX_TITLE] or url
            found[url] = Found(url, name, text_of(item.content)[:MAX_SNIPPET])
    return list(found.values())


def text_of(raw: msgspec.Raw) -> str:
    """A string on one line; empty for what is none, or far longer than anything shown."""
    if len(raw) > MAX_FIELD:
        return ""
    try:
        return " ".join(decoded(raw, str).split())
    except Unreadable:
        return ""
