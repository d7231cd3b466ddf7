"""Baidu's keyed web search (千帆 "百度搜索", `POST /v2/ai_search/web_search`).

The form is that of its public reference (ai.baidu.com/ai-doc/AppBuilder/pmaxd1hvy): a bearer key,
`messages` with the query, `resource_type_filter` with `top_k` up to 50; `references` come back,
each with `url`, `title` and `content`. Errors carry a `code`. It was never tried with a real key.
"""

from __future__ import annotations

import msgspec

from xinghe.search.provider import Found, SearchFailed
from xinghe.search.remote import NULL, Remote, results, text_of

URL = "https://qianfan.baidubce.com/v2/ai_search/web_search"
FINE = (NULL, msgspec.Raw(b"0"), msgspec.Raw(b'""'))
LONGEST_CODE = 32
MAX_QUERY = 72
"""Characters; what is longer is not searched for."""


class BaiduProvider:
    """`key` is an API key of the operator's; `url` another address of the same API."""

    name = "baidu"

    def __init__(self, key: str, url: str = URL) -> None:
        self._headers = {"Authorization": f"Bearer {key}"}
        self._remote = Remote(url)

    async def search(self, query: str, number: int) -> list[Found]:
        body = {
            "messages": [{"role": "user", "content": query[:MAX_QUERY]}],
            "search_source": "baidu_search_v2",
            "resource_type_filter": [{"type": "web", "top_k": number}],
        }
        answer = await self._remote.call("POST", headers=self._headers, body=body)
        if answer.code not in FINE:
            word = text_of(answer.code)
            # Whatever else it is may quote the key.
            told = word if word.isalpha() and len(word) <= LONGEST_CODE else "unknown"
            raise SearchFailed(f"it answered with the code {told}")
        return results(answer.references)[:number]

    async def aclose(self) -> None:
        await self._remote.aclose()
