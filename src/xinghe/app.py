"""The composition root: settings in, ASGI application out. The whole system, in order.

A request meets, from the outside in:

1.  `api.edge`          path, method, CORS, one log line, every answer JSON
2.  `api.authentication` the bearer token becomes a `Principal`
3.  `api.idempotent`    a key that was answered gets its answer again; else one request at a time
4.  `api.chat`          body read, validated, its prompt counted by the engine's own tokenizer
5.  `limits`            RPM, TPM and QPS of the account; what was not used is given back
6.  `safety`            what was asked is moderated now, the answer while it is generated
7.  `ledger.hold`       the worst case reserved, settled exactly once on the way out
8.  `generation`        the passes of one answer, stop strings, length
9.  `dispatch`          the deployment's queue, retries
10. `engines`           the embedded child or an upstream server, as a stream of deltas

Embeddings, rerank and images go the same way; in place of 8 to 10 stand `embedding` and `images`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp

from xinghe.accounts import Accounts, Outbox
from xinghe.api.authentication import Lapses
from xinghe.api.chat.pictures import PictureLoader
from xinghe.api.chat.rooms import Rooms
from xinghe.api.chat.route import ChatRoute
from xinghe.api.edge import Edge
from xinghe.api.embeddings.request import DEFAULT_MODEL
from xinghe.api.embeddings.rooms import EmbeddingRooms
from xinghe.api.embeddings.route import EmbeddingsRoute
from xinghe.api.embeddings.stations import Embedders
from xinghe.api.idempotent import Idempotent
from xinghe.api.images.files import image_routes
from xinghe.api.images.painters import Painters
from xinghe.api.images.route import ImagesRoute
from xinghe.api.memory import BodyBudget, frozen_heap
from xinghe.api.models.route import ModelsRoute
from xinghe.api.operations import (
    Identified,
    Readiness,
    documentation_routes,
    metrics_routes,
    probe_routes,
)
from xinghe.api.rerank.route import RerankRoute
from xinghe.catalog import AnyDeployment, Catalog, LlamaCppDeployment
from xinghe.dispatch.dispatcher import Dispatcher, Station
from xinghe.embedding import make_embedder
from xinghe.engines.estimate import estimated_tokens
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.engines.protocol import Engine
from xinghe.engines.upstream import UpstreamEngine
from xinghe.fetching import Fetcher
from xinghe.generation.request import Services
from xinghe.generation.vetting import Vetting
from xinghe.idempotency import Keeper
from xinghe.images.choose import make_painter, make_store
from xinghe.ledger import Ledger
from xinghe.limits import Limiter
from xinghe.observe.metrics import watched_loop
from xinghe.pictures import PictureReader
from xinghe.safety import Moderator
from xinghe.search.service import SearchService
from xinghe.settings import Settings
from xinghe.storage import Database
from xinghe.weights import local_file, resolve

log = structlog.get_logger(__name__)


Act = Callable[[], Awaitable[object]]


class System:
    """Everything that lives as long as the process does."""

    def __init__(self, settings: Settings, catalog: Catalog, database: Database) -> None:
        self._database = database
        self.vetting = Vetting()
        self.embedded: dict[str, LlamaCppEngine] = {}
        """The embedded engines by deployment: the supervisor tells where each listens."""
        self.dispatcher = Dispatcher(
            {
                name: Station(name, deployment, self._engine(name, deployment))
                for name, deployment in catalog.in_use().items()
            }
        )
        self.embedders = Embedders(
            {
                name: make_embedder(name, deployment, settings.embedding, estimated_tokens)
                for name, deployment in catalog.embeddings_in_use().items()
            }
        )
        self.ledger = Ledger(database)
        self.outbox = Outbox(database)
        self.keeper = Keeper(database, settings.idempotency)
        limiter = Limiter()
        self.moderator = Moderator(
            settings.data_dir / "safety",
            builtin=settings.safety.lexicon,
            flags=settings.safety.flags,
            upstream=settings.safety.upstream,
        )
        fetcher = self.fetcher = Fetcher(settings.fetching)
        self.painters = Painters(
            {
                name: make_painter(name, deployment, settings, partial(_image, fetcher))
                for name, deployment in catalog.images_in_use().items()
            }
        )
        self.images = make_store(settings)
        self.search = SearchService(
            settings,
            base_url=settings.server.base_url,
            fetch=fetcher.fetch,
            embedder=self.embedders.of(catalog.models[DEFAULT_MODEL]),
        )
        self.reader = PictureReader(settings.pictures)
        self.pictures = PictureLoader(fetcher, settings.pictures.fetch_timeout)
        self.readiness = Readiness(self.dispatcher, database)
        vectors = EmbeddingRooms(catalog, self.embedders, self.ledger, limiter, settings.server)
        accounts = Accounts(database)
        self.lapses = Lapses(accounts)
        self.app: ASGIApp = Edge(
            accounts=accounts,
            limiter=limiter,
            qps=catalog.limits.qps,
            budget=BodyBudget(settings.server.max_bodies_bytes),
            idempotent=Idempotent(self.keeper, settings.server),
            chat=ChatRoute(
                Rooms(
                    catalog=catalog,
                    services=Services(
                        self.dispatcher,
                        self.moderator,
                        self.search.searcher,
                        self.reader,
                        self.vetting,
                    ),
                    ledger=self.ledger,
                    limiter=limiter,
                    pictures=self.pictures,
                    vetting=self.vetting,
                    lapses=self.lapses,
                    server=settings.server,
                    search=settings.search,
                )
            ),
            models=ModelsRoute(
                catalog,
                self.dispatcher,
                self.embedders,
                self.painters,
                limiter,
                created=int(time.time()),
            ),
            embeddings=EmbeddingsRoute(vectors),
            rerank=RerankRoute(vectors),
            images=ImagesRoute(
                catalog,
                self.painters,
                self.images,
                self.ledger,
                limiter,
                self.moderator,
                settings,
            ),
            elsewhere=Identified(
                Router(
                    [
                        *image_routes(self.images),
                        *self._documentation(),
                        *probe_routes(self.readiness),
                    ]
                )
            ),
        )
        self.metrics_app: ASGIApp = Identified(Router(metrics_routes()))
        """On a port of its own: what it tells is for the operator alone."""

    def parts(self) -> list[tuple[Act, Act]]:
        """How each part is started and stopped, in the order of starting.

        The ledger stops last: what a part has not settled by then is settled by the next process.
        """
        return [
            (self.ledger.start, self.ledger.stop),
            (self.painters.start, self.painters.aclose),
            (_at_once, self.embedders.aclose),
            (_at_once, self.dispatcher.aclose),
            (self.keeper.start, self.keeper.stop),
            (self.outbox.start, self.outbox.stop),
            (self.moderator.start, self.moderator.stop),
            (_at_once, self.fetcher.aclose),
            (_at_once, self.pictures.aclose),
            (_at_once, self.reader.aclose),
            (self.images.start, self.images.aclose),
            (self.search.start, self.search.stop),
            (self.vetting.start, self.vetting.aclose),
            (self.lapses.start, self.lapses.stop),
        ]

    def _documentation(self) -> list[BaseRoute]:
        corpus = self.search.corpus
        return documentation_routes(corpus) if corpus is not None else []

    def _engine(self, name: str, deployment: AnyDeployment) -> Engine:
        if isinstance(deployment, LlamaCppDeployment):
            path = local_file(deployment.weights)
            weights = path.stem if path else resolve(deployment.weights).name
            engine = LlamaCppEngine(f"{name}/{weights}", deployment)
            self.embedded[name] = engine
            return engine
        return UpstreamEngine(name, deployment)


async def _at_once() -> None:
    """The start of a part that begins to work when it is first asked."""


async def _image(fetcher: Fetcher, url: str) -> bytes:
    """An image that an upstream keeps behind a URL of its own."""
    return (await fetcher.fetch(url, max_bytes=64 * 1024 * 1024, timeout=60.0)).data


@asynccontextmanager
async def running(settings: Settings, catalog: Catalog) -> AsyncIterator[System]:
    """The system with its database open and its ledger at work; settled and closed on exit.

    Where one part cannot start, those that have started are stopped before the error goes on.
    """
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.data_dir)
        stack.push_async_callback(_close, database)
        system = System(settings, catalog, database)
        for start, stop in system.parts():
            stack.push_async_callback(stop)  # before it starts: it may fail half-way
            await start()
        stack.enter_context(frozen_heap())
        stack.enter_context(watched_loop())
        yield system


async def _close(database: Database) -> None:
    unwritten = await database.close()
    if unwritten:
        log.error("operations_not_written", count=unwritten)
