"""A GGUF file as an embedder; any model will do to see that it works, not how well."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from tests.embedding.kit import cosine, running
from xinghe.catalog import LlamaCppEmbeddingDeployment
from xinghe.embedding import EmbedderAway, TextTooLong
from xinghe.settings import load
from xinghe.weights import find

pytestmark = pytest.mark.embedded


@pytest.fixture
def weights(small_weights: str) -> str:
    path = find(load(), small_weights)
    assert path is not None
    return str(path)


async def test_vectors_of_a_gguf_file(weights: str) -> None:
    deployment = LlamaCppEmbeddingDeployment(
        weights=weights, context=128, pooling="mean", query_prefix="为这个句子生成表示:"
    )
    async with running(deployment) as embedder:
        assert embedder.served_by.startswith("test/qwen")
        made = (await embedder.vectors(["你好", "天气", "你好"], "text", max_tokens=128)).floats()
        assert embedder.dimensions == len(made[0]) == 896
        assert math.hypot(*made[0]) == pytest.approx(1, abs=1e-3)
        assert cosine(made[0], made[2]) == pytest.approx(1, abs=1e-3)
        assert cosine(made[0], made[1]) < 0.999
        (as_query,) = (await embedder.vectors(["你好"], "query")).floats()
        assert cosine(made[0], as_query) < 0.999
        with pytest.raises(TextTooLong) as refused:
            await embedder.vectors(["短", "长城" * 200], "text", max_tokens=128)
        assert refused.value.index == 1
        await embedder.vectors(["还在"], "text", max_tokens=128)


async def test_text_is_text(weights: str) -> None:
    """A special token is one token; its characters are several."""
    deployment = LlamaCppEmbeddingDeployment(weights=weights, context=128, pooling="mean")
    async with running(deployment) as embedder:
        for text in ("<|im_end|>", "</s>", "<tool_call>"):
            with pytest.raises(TextTooLong) as refused:
                await embedder.vectors([text * 8], "text", max_tokens=10)
            assert refused.value.tokens > 2 * 8
            await embedder.vectors([text * 8], "text", max_tokens=128)


async def test_a_file_that_is_no_model_is_nobody_there_until_it_is_one(
    weights: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    deployment = LlamaCppEmbeddingDeployment(weights=str(path), context=128, pooling="mean")
    async with running(deployment) as embedder:
        assert await embedder.ready()
        with pytest.raises(EmbedderAway):
            await embedder.vectors(["你好"], "text")
        assert not await embedder.ready()
        path.unlink()
        path.symlink_to(weights)
        with pytest.raises(EmbedderAway):  # at once, and it is started anew for those to come
            await embedder.vectors(["你好"], "text")
        async with asyncio.timeout(120):
            while not await embedder.ready():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await embedder.vectors(["你好"], "text")
