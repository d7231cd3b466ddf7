"""All deployments of the catalog at work: made, started, asked whether they are ready, closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from xinghe.catalog import AnyDeployment, Catalog, LlamaCppDeployment, ModelCard
from xinghe.dispatch.chat import ChatDeployment
from xinghe.embedding import Embedder, make_embedder
from xinghe.engines import Engine
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.prompts import estimated_tokens
from xinghe.engines.upstream import UpstreamEngine
from xinghe.images import ImageEngine
from xinghe.images.choose import make_image_engine
from xinghe.settings import Settings
from xinghe.weights import local_file, resolve


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
                name: make_embedder(name, spec, settings.embedding, estimated_tokens)
                for name, spec in catalog.embeddings_in_use().items()
            },
            {
                name: make_image_engine(name, spec, settings, fetch)
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
        answers = await asyncio.gather(*(each.engine.ready() for each in self._chat.values()))
        return dict(zip(self._chat, answers, strict=True))

    async def aclose(self) -> None:
        await asyncio.gather(
            *(engine.aclose() for engine in self._image_engines.values()),
            *(embedder.aclose() for embedder in self._embedders.values()),
            *(deployment.engine.aclose() for deployment in self._chat.values()),
        )


def _engine(name: str, spec: AnyDeployment) -> Engine:
    """The engine of a chat deployment; nothing is started."""
    if isinstance(spec, LlamaCppDeployment):
        path = local_file(spec.weights)
        weights = path.stem if path else resolve(spec.weights).name
        return LlamaCppEngine(f"{name}/{weights}", spec)
    return UpstreamEngine(name, spec)
