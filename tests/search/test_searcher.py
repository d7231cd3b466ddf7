"""From a query to references: pages under one deadline, a budget, private sources, metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import structlog
from prometheus_client import REGISTRY

from tests.kit.pace import allowed
from tests.search.fake_searxng import FakeSearxng
from tests.search.papers import pdf
from xinghe.engines.prompts import estimated_tokens
from xinghe.fetching import Fetcher
from xinghe.search import Found, Reference, Searcher, SearchFailed
from xinghe.search.choose import choose
from xinghe.search.extractor import Extractor
from xinghe.search.online import SearxngProvider
from xinghe.search.searcher import PrivateSources
from xinghe.settings import Fetching


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeSearxng]:
    async with FakeSearxng() as running:
        yield running


def searcher(
    fake: FakeSearxng,
    *,
    deadline: float = 3.0,
    private: tuple[str, ...] = (),
    pages: bool = True,
    extractor: Extractor | None = None,
) -> Searcher:
    fetcher = Fetcher(Fetching(allow=(fake.url.removeprefix("http://"),)))
    return Searcher(
        SearxngProvider(fake.url),
        extractor or Extractor(),
        PrivateSources(private),
        deadline=deadline,
        fetch=fetcher.fetch if pages else None,
    )


async def ask(web: Searcher, query: str = "亚运会金牌", budget: int = 2000) -> list[Reference]:
    try:
        return await web.search(
            query, number=10, references=10, budget=budget, measure=estimated_tokens
        )
    finally:
        await web.aclose()


def count(outcome: str) -> float:
    labels = {"provider": "searxng", "outcome": outcome}
    return REGISTRY.get_sample_value("xinghe_searches_total", labels) or 0.0


async def test_pages_are_read_and_the_late_ones_keep_their_snippet(fake: FakeSearxng) -> None:
    fake.mode = "pages"
    extractor = Extractor()
    await extractor.read(
        "<html><body><p>春眠不觉晓，处处闻啼鸟。</p></body></html>".encode(), "html"
    )  # its start is not what is measured, nor its first of each kind
    await extractor.read(pdf("Asian Games"), "pdf")
    before, began = count("found"), time.monotonic()
    # It reads at a low priority: where others are at work, a page takes seconds.
    web = searcher(fake, deadline=8.0, extractor=extractor)
    found = {each.title: each for each in await ask(web)}
    assert time.monotonic() - began < allowed(10)
    assert "二百零一枚" in found["标题article"].text
    assert "alert" not in found["标题article"].text
    assert "medal table" in found["标题paper"].text
    for name in ("slow", "gone", "binary"):
        assert found[f"标题{name}"].text == f"{name}的摘要"
    assert sorted(each.number or 0 for each in found.values()) == [1, 2, 3, 4, 5, 6]
    assert count("found") == before + 1


async def test_a_slow_provider_fails_at_the_deadline(fake: FakeSearxng) -> None:
    fake.mode = "slow"
    before, began = count("failed"), time.monotonic()
    with structlog.testing.capture_logs() as logs, pytest.raises(SearchFailed, match=r"0\.3 s"):
        await ask(searcher(fake, deadline=0.3), "机密的问题")
    assert time.monotonic() - began < allowed(2)
    assert count("failed") == before + 1
    assert "机密" not in str(logs)


async def test_nothing_found(fake: FakeSearxng) -> None:
    fake.mode = "empty"
    before = count("empty")
    assert await ask(searcher(fake)) == []
    assert count("empty") == before + 1


async def test_a_guard_that_refuses_leaves_the_snippets(fake: FakeSearxng) -> None:
    fake.mode = "pages"
    web = Searcher(
        SearxngProvider(fake.url),
        Extractor(),
        PrivateSources(()),
        deadline=3.0,
        fetch=Fetcher(Fetching()).fetch,
    )
    assert {each.text for each in await ask(web)} >= {"article的摘要", "paper的摘要"}


async def test_cancelled_in_the_middle_leaves_no_task(fake: FakeSearxng) -> None:
    fake.mode = "pages"
    asking = asyncio.create_task(ask(searcher(fake, deadline=20.0)))
    await asyncio.sleep(0.3)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    names = [str(task.get_coro()) for task in asyncio.all_tasks()]
    assert not [name for name in names if "_read" in name]


async def test_private_hosts_have_no_number(fake: FakeSearxng) -> None:
    found = await ask(searcher(fake, private=("127.0.0.1/page/1a",), pages=False))
    assert [(each.title, each.number) for each in found][:2] == [("标题1a", None), ("标题1b", 1)]


@pytest.mark.parametrize(
    ("pattern", "url", "private"),
    [
        ("corp.example", "https://corp.example/x", True),
        ("corp.example", "https://wiki.CORP.example:8443/x", True),
        ("corp.example", "https://corp.example./x", True),
        ("corp.example", "https://user@corp.example/x", True),
        ("corp.example", "https://mycorp.example/x", False),
        ("corp.example", "https://corp.example.org/x", False),
        ("corp.example", "https://a.org/corp.example", False),
        ("*.local", "http://nas.local/", True),
        ("*.local", "http://local.org/", False),
        ("a.org/inner/*", "https://a.org/inner/x", True),
        ("a.org/inner", "https://a.org/inner", True),
        ("a.org/inner", "https://a.org/inner/deep", True),
        ("a.org/inner", "https://a.org/%69nner/x", True),
        ("a.org/inner", "https://a.org/innermost", False),
        ("a.org/inner/*", "https://a.org/outer", False),
        ("x", "http://[broken", True),
    ],
)
def test_private_patterns(pattern: str, url: str, private: bool) -> None:
    assert PrivateSources([pattern]).covers(url) is private


@pytest.mark.parametrize("budget", [30, 100, 300, 600, 2000, 20000])
@pytest.mark.parametrize("references", [1, 3, 10, 28])
def test_the_budget_holds_and_the_relevant_comes_first(budget: int, references: int) -> None:
    filler = "这一段与问题没有什么关系,只是为了占地方。" * 30
    found = [
        Found(
            f"https://e.org/{at}",
            f"第{at}篇",
            "摘要",
            f"{filler}\n第{at}个答案:海拔八千八百米。{filler}",
        )
        for at in range(28)
    ]
    chosen = choose("海拔是多少", found, references, budget, estimated_tokens)
    assert 1 <= len(chosen) <= references
    assert [each.number for each in chosen] == list(range(1, len(chosen) + 1))
    assert sum(estimated_tokens(each.heading + each.text) for each in chosen) <= budget
    if budget >= 100:
        assert all("海拔八千八百米" in each.text for each in chosen)
    if budget >= 20000:
        assert len(chosen) == references


def test_no_text_no_reference() -> None:
    found = [Found("https://e.org/1", "空", ""), Found("https://e.org/2", "\u200b", "\u200b")]
    assert choose("x", found, 5, 500, estimated_tokens) == []
    assert choose("", [Found("https://e.org/1", "t", "文字")], 5, 500, estimated_tokens)


def test_people_see_the_whole_title() -> None:
    """What the model reads of it is cut short and made harmless."""
    title = "什么是系统提示词?" + "一篇很长的介绍文章" * 20
    (one,) = choose(
        "介绍", [Found("https://e.org/", title, "介绍文章。")], 1, 600, estimated_tokens
    )
    assert one.title == title
    assert "系统提示词" not in one.heading
    assert len(one.heading) < 60
