"""The search providers that are online: SearXNG and Baidu.

SearXNG's JSON API (docs.searxng.org, "Search API"): the instance must list `json` under
`search.formats` in its settings.yml; it answers 403 if not.

Baidu's keyed web search (千帆 "百度搜索", `POST /v2/ai_search/web_search`): the form is that of its
public reference (ai.baidu.com/ai-doc/AppBuilder/pmaxd1hvy): a bearer key, `messages` with the
query, `resource_type_filter` with `top_k` up to 50; `references` come back, each with `url`,
`title` and `content`. Errors carry a `code`. It was never tried with a real key.
"""

from urllib.parse import urlencode

import msgspec

from xinghe.outbound import CallFailed, Client, Unreadable, decoded, proxy_for
from xinghe.search.provider import Found, SearchFailed

BAIDU_URL = "https://qianfan.baidubce.com/v2/ai_search/web_search"
BAIDU_QUERY = 72
"""Characters; what is longer is not searched for."""
SEARXNG_PAGES = 3
"""An instance decides by itself how many results a page has: often 10 to 20."""
MAX_BYTES = 2 * 1024 * 1024
TIMEOUT = 60.0
"""Seconds; a search itself waits for less."""
MAX_TITLE, MAX_SNIPPET = 300, 2000
"""Characters."""
MAX_FIELD = 256 * 1024
"""Bytes of a field's JSON."""
MOST_RESULTS = 200
_LONGEST_CODE = 32
_NULL = msgspec.Raw(b"null")
_FINE = (_NULL, msgspec.Raw(b"0"), msgspec.Raw(b'""'))
_NOBODY = (_NULL, msgspec.Raw(b"[]"))


class _Page(msgspec.Struct):
    """The fields that SearXNG's and Baidu's answers have, still undecoded: most are lists."""

    results: msgspec.Raw = _NULL
    unresponsive_engines: msgspec.Raw = _NULL
    references: msgspec.Raw = _NULL
    code: msgspec.Raw = _NULL


class _Entry(msgspec.Struct):
    url: msgspec.Raw = _NULL
    title: msgspec.Raw = _NULL
    content: msgspec.Raw = _NULL


_Entries = msgspec.defstruct(
    "_Entries", [(f"entry_{at}", msgspec.Raw, _NULL) for at in range(MOST_RESULTS)], array_like=True
)
"""An array of which no more is built than is looked at."""


class _Online:
    """The operator's search service at `url`, called as JSON; proxy variables count."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = Client(TIMEOUT, TIMEOUT, proxy=proxy_for(url))

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _call(
        self,
        method: str,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: object = None,
    ) -> _Page:
        """The JSON object that is answered. Raises `SearchFailed`."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": "application/json", **(headers or {})}
        if data is not None:
            headers["Content-Type"] = "application/json"
        url = f"{self._url}?{urlencode(params)}" if params else self._url
        try:
            raw = await self._client.fetch(method, url, headers=headers, body=data, most=MAX_BYTES)
            return decoded(raw, _Page)
        except CallFailed as error:
            raise SearchFailed(str(error)) from None


class SearxngProvider(_Online):
    """`url` is the instance's own, such as `http://127.0.0.1:8888`."""

    name = "searxng"

    def __init__(self, url: str) -> None:
        super().__init__(url.rstrip("/") + "/search")

    async def search(self, query: str, number: int) -> list[Found]:
        found: dict[str, Found] = {}
        for page in range(1, SEARXNG_PAGES + 1):
            params = {"q": query, "format": "json", "pageno": str(page)}
            try:
                answer = await self._call("GET", params=params)
            except SearchFailed:
                if found:
                    break
                raise
            fresh = [result for result in _results(answer.results) if result.url not in found]
            if not fresh and not found and answer.unresponsive_engines not in _NOBODY:
                raise SearchFailed("none of its engines answered")
            found |= {result.url: result for result in fresh}
            if not fresh or len(found) >= number:
                break
        return list(found.values())[:number]


class BaiduProvider(_Online):
    """`key` is an API key of the operator's; `url` another address of the same API."""

    name = "baidu"

    def __init__(self, key: str, url: str = BAIDU_URL) -> None:
        super().__init__(url)
        self._headers = {"Authorization": f"Bearer {key}"}

    async def search(self, query: str, number: int) -> list[Found]:
        body = {
            "messages": [{"role": "user", "content": query[:BAIDU_QUERY]}],
            "search_source": "baidu_search_v2",
            "resource_type_filter": [{"type": "web", "top_k": number}],
        }
        answer = await self._call("POST", headers=self._headers, body=body)
        if answer.code not in _FINE:
            word = _text_of(answer.code)
            # Whatever else it is may quote the key.
            told = word if word.isalpha() and len(word) <= _LONGEST_CODE else "unknown"
            raise SearchFailed(f"it answered with the code {told}")
        return _results(answer.references)[:number]


def _results(items: msgspec.Raw) -> list[Found]:
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
        url = _text_of(item.url)
        if url.startswith(("http://", "https://")) and url not in found:
            name = _text_of(item.title)[:MAX_TITLE] or url
            found[url] = Found(url, name, _text_of(item.content)[:MAX_SNIPPET])
    return list(found.values())


def _text_of(raw: msgspec.Raw) -> str:
    """A string on one line; empty for what is none, or far longer than anything shown."""
    if len(raw) > MAX_FIELD:
        return ""
    try:
        return " ".join(decoded(raw, str).split())
    except Unreadable:
        return ""
