"""SearXNG and Baidu over real sockets, good and bad."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.search.fake_searxng import FakeSearxng
from xinghe.search import SearchFailed
from xinghe.search.online import BAIDU_QUERY, BaiduProvider, SearxngProvider


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeSearxng]:
    async with FakeSearxng() as running:
        yield running


@pytest_asyncio.fixture
async def searxng(fake: FakeSearxng) -> AsyncIterator[SearxngProvider]:
    provider = SearxngProvider(fake.url + "/")
    yield provider
    await provider.aclose()


async def test_results_in_order_over_several_pages(
    fake: FakeSearxng, searxng: SearxngProvider
) -> None:
    found = await searxng.search("杭州 亚运会 & x=y", 10)
    assert [each.title for each in found] == [f"标题1{c}" for c in "abcdefgh"] + [
        "标题2a",
        "标题2b",
    ]
    assert [query["pageno"] for query in fake.queries] == ["1", "2"]
    assert {query["q"] for query in fake.queries} == {"杭州 亚运会 & x=y"}
    assert {query["format"] for query in fake.queries} == {"json"}
    assert len(await searxng.search("x", 28)) == 24
    assert len(await searxng.search("x", 1)) == 1


async def test_a_last_page_is_the_end(fake: FakeSearxng, searxng: SearxngProvider) -> None:
    fake.mode = "one page"
    assert len(await searxng.search("x", 28)) == 1
    assert len(fake.queries) == 2


async def test_strange_entries_are_left_out(fake: FakeSearxng, searxng: SearxngProvider) -> None:
    fake.mode = "strange"
    one, two = await searxng.search("x", 10)
    assert (one.title, one.snippet) == (one.url, "")
    assert (len(two.title), len(two.snippet)) == (300, 2000)


async def test_nothing_found_is_no_failure(fake: FakeSearxng, searxng: SearxngProvider) -> None:
    fake.mode = "empty"
    assert await searxng.search("x", 10) == []


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("forbidden", "403"),
        ("html", "not the documented form"),
        ("list", "not the documented form"),
        ("deep", "not the documented form"),
        ("endless", "bytes"),
        ("redirect", "302"),
        ("reset", "could not be reached"),
        ("unresponsive", "none of its engines"),
    ],
)
async def test_failures_are_told_without_the_query(
    fake: FakeSearxng, searxng: SearxngProvider, mode: str, reason: str
) -> None:
    fake.mode = mode
    with pytest.raises(SearchFailed, match=reason) as failure:
        await searxng.search("geheim", 10)
    assert "geheim" not in str(failure.value)


async def test_nobody_listens() -> None:
    provider = SearxngProvider("http://127.0.0.1:9")
    with pytest.raises(SearchFailed, match="could not be reached"):
        await provider.search("x", 3)
    await provider.aclose()


async def test_baidu(fake: FakeSearxng) -> None:
    url = fake.url + "/v2/ai_search/web_search"
    provider = BaiduProvider("secret-key", url)
    found = await provider.search("长" * 200, 5)
    assert [each.title for each in found] == [f"标题{at}" for at in range(5)]
    assert fake.queries == [{"q": "长" * BAIDU_QUERY}]
    await provider.aclose()
    provider = BaiduProvider("wrong-key", url)
    with pytest.raises(SearchFailed, match="InvalidToken"):
        await provider.search("x", 5)
    await provider.aclose()
