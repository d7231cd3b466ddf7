"""What serves now: one version of the catalog with its deployments at work, changed as a whole.

A request takes `Live.now` once and keeps to it, so that price, limits and deployment of its hold
never change under it, and it holds its deployment until it has ended. A change is applied beside
what runs: what is the same goes on as it is, what is new is made and begins to load, and what
serves no more is closed once the last request has given it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Literal

import msgspec
import structlog

from xinghe.catalog import Catalog, LlamaCppDeployment
from xinghe.dispatch.chat import ChatDeployment
from xinghe.dispatch.deployments import AnyLeased, Deployments
from xinghe.dispatch.leased import Leased
from xinghe.dispatch.lookout import Ask, Lookout
from xinghe.embedding import EmbedderFailed
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.llamacpp.wanted import EngineWanted
from xinghe.images import ImageEngine
from xinghe.settings import Settings
from xinghe.weights import check_files

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.05
"""Seconds that whoever wants to show states waits for a deployment's."""


class Location(msgspec.Struct, frozen=True):
    """Where an embedded engine listens: the arguments of `LlamaCppEngine.locate`."""

    address: str | None
    key: str = ""
    special: Sequence[str] = ()
    pid: int = 0
    broken: bool = False
    switch: bool = False


class Serving(msgspec.Struct, frozen=True, eq=False):
    """One version: what its catalog says, and who is at work for it."""

    catalog: Catalog
    deployments: Deployments

    def behind(self, model: str) -> AnyLeased | None:
        """Who serves a model; `None` where there is no such model."""
        card = self.catalog.models.get(model)
        return None if card is None else self.deployments.by_name[card.deployment]

    def moved(self, before: Serving) -> list[str]:
        """The models that others have served before."""
        models = before.catalog.models
        return [each for each in models if before.behind(each) is not self.behind(each)]


Tell = Callable[[Catalog, Sequence[EngineWanted]], None]
"""Hears which catalog serves and which embedded engines shall run, whenever one of them changes."""
Follow = Callable[[Serving, Serving], None]
"""Is called with what served before and what serves now; it must not fail."""


def nobody(_: Catalog, __: Sequence[EngineWanted]) -> None:
    """Where there is no supervisor, no embedded engine runs."""


class Live:
    """`now` is what serves. `fetch` is that of `Deployments.of`."""

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        fetch: Callable[[str], Awaitable[bytes]],
        tell: Tell = nobody,
    ) -> None:
        self._settings = settings
        self._fetch = fetch
        self._tell = tell
        self.now = Serving(catalog, Deployments.of(catalog, settings, fetch))
        self._kept: list[AnyLeased] = []
        """All that are not closed: those of `now`, and those that are still held."""
        self._wanted: dict[AnyLeased, EngineWanted] = {}
        """The engines of those that are embedded."""
        self._located: dict[str, Location] = {}
        self._keep(self.now.deployments)
        self._lookout = Lookout(_asks(self.now.deployments))
        self._turn = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self.followers: list[Follow] = [
            lambda _, now: self._lookout.follow(_asks(now.deployments)),
        ]

    @property
    def draining(self) -> list[AnyLeased]:
        """Deployments that serve no more, and are still held."""
        serving = self.now.deployments.by_name.values()
        return [each for each in self._kept if each not in serving]

    async def start(self) -> None:
        """Begin to load the weights that take long."""
        self._announce()
        await _load(self.now.deployments.of_images.values())

    async def apply(self, catalog: Catalog) -> None:
        """Have a catalog serve from the next request on.

        Whole or not at all: raises `CatalogError`, and `OSError` where a file cannot be looked at,
        before anything has changed. One at a time; the same catalog changes nothing.
        """
        async with self._turn:
            before = self.now
            if catalog == before.catalog:
                return
            await asyncio.to_thread(check_files, catalog, self._settings, before.catalog)
            deployments = Deployments.of(catalog, self._settings, self._fetch, self._kept)
            fresh = self._keep(deployments)
            self.now = Serving(catalog, deployments)
            for follow in self.followers:
                follow(before, self.now)
            serving = set(deployments.by_name.values())
            for each in list(self._kept):
                each.when_free(None if each in serving else partial(self._retire, each))
            self._announce()
            log.info("catalog_applied", models=len(catalog.models), new=[x.name for x in fresh])
            await _load(each for each in deployments.of_images.values() if each in fresh)

    async def ready(self) -> dict[str, bool]:
        """Whether each chat deployment can answer now."""
        return await self._lookout.ready(self.now.deployments.of_chat)

    async def states(self, names: Iterable[str]) -> dict[str, bool]:
        """Whether deployments of whatever kind can answer, as far as that is known at once."""
        return await self._lookout.ready(names, LOOK_SECONDS)

    def locate(self, engine: str, location: Location) -> None:
        """Where the engine with the id of an `EngineWanted` listens, or that it is down.

        What was known of it says nothing now: whoever asks whether it is ready learns it at once.
        """
        self._located[engine] = location
        for each, wanted in self._wanted.items():
            if wanted.id == engine:
                _locate(each, location)
                self._lookout.forget(each.name)

    def serves(self, engine: str) -> bool:
        """Whether an engine is that of a deployment which is at work now."""
        serving = self.now.deployments.by_name.values()
        return any(wanted.id == engine and each in serving for each, wanted in self._wanted.items())

    async def aclose(self) -> None:
        """Close all, held or not."""
        kept, self._kept = self._kept, []
        for each in kept:
            each.when_free(None)
        await asyncio.gather(*(each.at_work.aclose() for each in kept), *self._closing)

    def _keep(self, deployments: Deployments) -> list[AnyLeased]:
        """Keep those that are new; they are returned."""
        fresh = [each for each in deployments.by_name.values() if each not in self._kept]
        for each in fresh:
            self._kept.append(each)
            if isinstance(each.spec, LlamaCppDeployment):
                wanted = self._wanted[each] = EngineWanted(each.name, each.spec)
                # One whose predecessor has just been closed may find its engine running still.
                if wanted.id in self._located:
                    _locate(each, self._located[wanted.id])
        return fresh

    def _retire(self, leased: AnyLeased) -> None:
        """Nobody holds it, and nobody will."""
        self._kept.remove(leased)
        closing = asyncio.create_task(self._close(leased))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _close(self, leased: AnyLeased) -> None:
        try:
            await leased.at_work.aclose()
        except Exception:
            log.exception("deployment_not_closed", deployment=leased.name)
        log.info("deployment_closed", deployment=leased.name)
        if self._wanted.pop(leased, None) is not None:
            self._announce()

    def _announce(self) -> None:
        wanted = {each.id: each for each in self._wanted.values()}
        for engine in self._located.keys() - wanted.keys():
            del self._located[engine]
        self._tell(self.now.catalog, list(wanted.values()))


class ServingEmbedder:
    """Embeds for search by whoever serves a model at the time."""

    def __init__(self, live: Live, model: str) -> None:
        self._live = live
        self._model = model

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[bytes]:
        """As `Embedder.embed`. Raises `EmbedderFailed` where the model is gone, too."""
        serving = self._live.now
        card = serving.catalog.models.get(self._model)
        leased = None if card is None else serving.deployments.of_embeddings.get(card.deployment)
        if leased is None:
            raise EmbedderFailed(f"there is no embedding model {self._model}")
        with leased as embedder:
            return await embedder.embed(texts, kind)


def _asks(deployments: Deployments) -> dict[str, Ask]:
    return {name: each.ready for name, each in deployments.by_name.items()}


def _locate(leased: AnyLeased, location: Location) -> None:
    assert isinstance(leased.at_work, ChatDeployment)
    engine = leased.at_work.engine
    assert isinstance(engine, LlamaCppEngine)
    engine.locate(
        location.address,
        location.key,
        location.special,
        location.pid,
        broken=location.broken,
        switch=location.switch,
    )


async def _load(engines: Iterable[Leased[ImageEngine]]) -> None:
    """None of them fails here: what cannot be loaded is not ready."""
    await asyncio.gather(*(each.at_work.start() for each in engines))
