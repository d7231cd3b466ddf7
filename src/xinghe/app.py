"""The composition root: settings in, ASGI application out. The whole system, in order.

A request meets, from the outside in:

1.  `api.edge`          path, method, CORS, one log line, every answer JSON
2.  its `authenticate` the bearer token becomes a `Principal`
3.  `api.idempotency`   a key that was answered gets its answer again; else one request at a time
4.  `api.chat`          body read and validated; the operation says its price and its work
5.  `api.priced`        takes every operation that costs through the next three
6.  `limits`            QPS, RPM, TPM, a place among concurrent requests; unused Tokens go back
7.  `safety`            each operation moderates what it was asked, and chat its answer meanwhile
8.  `ledger.hold`       the worst case reserved, settled exactly once on the way out
9.  `generation`        the passes of one answer, stop strings, length
10. `dispatch`          the deployment's queue, retries
11. `engines`           the embedded child or an upstream server, as a stream of deltas

Embeddings, rerank and images go the same way; in place of 9 to 11 stand `embedding` and `images`.

What serves is `dispatch.Live`: the catalog and its deployments, changed as a whole while requests
run. Each takes what serves when its model is known (4), and keeps to it and holds it to its end.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import structlog
from starlette.routing import Router
from starlette.types import ASGIApp

from xinghe import sharing
from xinghe.accounts.outbox import Outbox
from xinghe.admin import Admin, AdminServices
from xinghe.api.account.bill.making import Bills
from xinghe.api.account.bill.route import BillRoute
from xinghe.api.account.billing import BillingRoute
from xinghe.api.account.details import Details
from xinghe.api.account.export_throttle import ExportThrottle
from xinghe.api.account.route import AccountRoute
from xinghe.api.auth.edge import Auth
from xinghe.api.body import BodyBudget
from xinghe.api.chat.answers import Answers
from xinghe.api.chat.check import CheckRoute
from xinghe.api.chat.pictures import PictureLoader
from xinghe.api.chat.route import ChatRoute
from xinghe.api.completions.route import CompletionsRoute
from xinghe.api.concurrency import Concurrency
from xinghe.api.edge import Edge
from xinghe.api.elsewhere import (
    Identified,
    Readiness,
    documentation_routes,
    image_routes,
    metrics_routes,
    probe_routes,
)
from xinghe.api.embeddings.route import EmbeddingsRoute
from xinghe.api.embeddings.schema import DEFAULT_MODEL
from xinghe.api.idempotency import IdempotencyLayer
from xinghe.api.images.route import ImagesRoute
from xinghe.api.memory import frozen_heap, trimmed_heap
from xinghe.api.messages.route import MessagesRoute
from xinghe.api.models import ModelsRoute
from xinghe.api.moderations.route import ModerationsRoute
from xinghe.api.payments.edge import Payments
from xinghe.api.priced import Lapses, Services
from xinghe.api.rerank import RerankRoute
from xinghe.api.responses.keeping import Keeping
from xinghe.api.responses.route import ResponsesRoute
from xinghe.api.responses.running import Running
from xinghe.api.standing import Standing
from xinghe.api.tokenize.route import TokenizeRoute
from xinghe.catalog import Catalog
from xinghe.configuration import Configurations, Follower, Version, served
from xinghe.console import Console
from xinghe.dispatch import Live, ServingEmbedder
from xinghe.dispatch.live import Tell, nobody
from xinghe.fetching import Fetcher
from xinghe.generation.vetting import Vetting
from xinghe.idempotency import IdempotencyStore
from xinghe.images.bucket import Bucket
from xinghe.images.store import Folder, ImageStore, Storage
from xinghe.kept_responses import ResponseStore
from xinghe.ledger import Ledger
from xinghe.limits import left, stores
from xinghe.observe.metrics import watched_loop
from xinghe.observe.speeds import Speeds
from xinghe.pictures import PictureReader
from xinghe.safety import Moderator
from xinghe.sales.payment import reporting
from xinghe.search.service import SearchService
from xinghe.settings import Settings
from xinghe.signin import Sessions, SignIn
from xinghe.storage import Database
from xinghe.upkeep import Backups, Examination
from xinghe.usage.failures import Failures

log = structlog.get_logger(__name__)

Act = Callable[[], Awaitable[object]]


class System:
    """Everything that lives as long as the process does."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        database: Database,
        tell: Tell,
        configurations: Configurations,
        lists: Mapping[str, bytes],
    ) -> None:
        principals = Sessions(database, settings.signin)
        fetcher = Fetcher(settings.fetching)

        async def fetch_image(url: str) -> bytes:
            return (await fetcher.fetch(url, max_bytes=64 * 1024 * 1024, timeout=60.0)).data

        self.live = live = Live(catalog, settings, fetch_image, tell)
        search = SearchService(
            settings,
            base_url=settings.server.base_url,
            fetch=fetcher.fetch,
            embedder=ServingEmbedder(live, DEFAULT_MODEL),
        )
        reader = PictureReader(settings.pictures)
        limits = stores(
            settings.valkey,
            lambda: self.ledger.gateways,
            queue=catalog.limits.queue,
            wait=catalog.limits.wait,
        )
        services = Services(
            settings=settings,
            live=live,
            limiter=limits.rates,
            concurrency=Concurrency(principals, live, limits.places),
            speeds=Speeds(),
            ledger=Ledger(database),
            lapses=Lapses(principals),
            principals=principals,
            moderator=Moderator(
                lists,
                builtin=settings.safety.lexicon,
                flags=settings.safety.flags,
                upstream=settings.safety.upstream,
            ),
            vetting=Vetting(),
            pictures=PictureLoader(fetcher, settings.pictures.fetch_timeout),
            reader=reader,
            searcher=search.searcher,
            images=ImageStore(_place_of_images(settings), settings.images),
        )
        live.followers.append(lambda before, now: services.speeds.forget(now.moved(before)))
        self.ledger = services.ledger
        self.follower = Follower(configurations, Applied(configurations, live, services.moderator))
        store = IdempotencyStore(database, settings.idempotency, lambda: self.ledger.owner.boot_id)
        outbox, failures = Outbox(database, self.ledger.leads), Failures(database)
        self.readiness = Readiness(live, services.moderator, database, limits.valkey)

        elsewhere = [*image_routes(services.images)]
        if search.corpus is not None:
            elsewhere += documentation_routes(search.corpus)
        elsewhere += probe_routes(self.readiness)
        bodies = BodyBudget(settings.server.max_bodies_bytes)
        signin = SignIn(database, settings.signin, principals, settings.server.base_url)
        examination, backups = Examination(settings), Backups(settings, database)
        operators = AdminServices(
            principals,
            database,
            services.limiter,
            live,
            bodies,
            store,
            settings.server,
            signin.passwords,
            self.follower,
            services.moderator,
            self.readiness,
            examination,
            backups,
            settings.payment,
        )
        console = Console(settings, lambda: self.app, Router(elsewhere))
        answers = Answers(services)
        chats = ChatRoute(services, answers)
        models = ModelsRoute(services, created=int(time.time()))
        exports = ExportThrottle()
        details = AccountRoute(
            services,
            Details(database, partial(left, services.limiter, services.concurrency.places)),
            exports,
        )
        bills = BillRoute(services, Bills(database, settings.bill, exports), exports)
        billing = BillingRoute(services, database)
        payments = Payments(
            settings.server,
            reporting(settings.payment),
            database,
            bodies,
            Admin(operators, Identified(console)),
        )
        kept = ResponseStore(database, settings.responses)
        keeping = Keeping(kept, settings.server.max_body_bytes, settings.server.max_body_values)
        responses = ResponsesRoute(services, answers, keeping, Running())
        messages = MessagesRoute(services, answers)
        self.app: ASGIApp = Edge(
            principals=principals,
            limiter=services.limiter,
            live=live,
            budget=bodies,
            idempotency=IdempotencyLayer(store, settings.server),
            failures=failures,
            handlers={
                "models": models.list,
                "model": models.show,
                "chat": chats,
                "chat_check": CheckRoute(services, chats),
                "responses": responses.create,
                "response": responses.show,
                "delete_response": responses.delete,
                "cancel_response": responses.cancel,
                "input_items": responses.input_items,
                "messages": messages.answer,
                "count_tokens": messages.count,
                "completions": CompletionsRoute(services, answers),
                "moderations": ModerationsRoute(services),
                "tokenize": TokenizeRoute(services, answers),
                "embeddings": EmbeddingsRoute(services),
                "rerank": RerankRoute(services),
                "images": ImagesRoute(services),
                "account": details.account,
                "entries": details.entries,
                "usage": details.usage,
                "requests": details.failed,
                "request": details.request,
                "bill": bills.bill,
                "subscription": billing.subscription,
                "billing_usage": billing.usage,
            },
            elsewhere=Auth(settings.server, signin, bodies, payments),
        )
        standing = Standing(settings, live, database, self.ledger, backups)
        self.metrics_app: ASGIApp = Identified(
            Router(metrics_routes(self.readiness, standing, models.all))
        )
        """On a port of its own: what it tells is for the operator alone."""

        self.parts: list[tuple[Act, Act]] = [
            (limits.start, limits.stop),
            (live.start, live.aclose),
            (store.sweeping.start, store.sweeping.stop),
            (kept.sweeping.start, kept.sweeping.stop),
            (outbox.start, outbox.stop),
            (failures.start, failures.stop),
            (_when_asked, services.moderator.aclose),
            (_when_asked, fetcher.aclose),
            (_when_asked, services.pictures.aclose),
            (_when_asked, reader.aclose),
            (services.images.start, services.images.aclose),
            (search.start, search.stop),
            (_when_asked, services.vetting.aclose),
            (principals.sweeping.start, principals.sweeping.stop),
            (_when_asked, signin.aclose),
            (_when_asked, examination.aclose),
            (_when_asked, backups.aclose),
            (standing.start, standing.aclose),
            (services.lapses.looking.start, services.lapses.looking.stop),
            (services.concurrency.looking.start, services.concurrency.looking.stop),
            (self.follower.start, self.follower.stop),
        ]
        """How each part but the ledger is started and stopped, in the order of starting."""


class Applied(msgspec.Struct):
    """What a version of the configuration is applied to."""

    configurations: Configurations
    live: Live
    moderator: Moderator

    async def apply(self, version: Version) -> None:
        """Whole or not at all: the lists, which cannot fail, come last."""
        await self.live.apply(await asyncio.to_thread(self.configurations.catalog, version))
        await self.moderator.use(version.lists)


def _place_of_images(settings: Settings) -> Storage:
    if settings.images.s3_endpoint:
        return Bucket(settings.images)
    if settings.images.folder:
        return Folder(Path(settings.images.folder).expanduser(), make=False)
    return Folder(settings.data_dir / "images")


async def _when_asked() -> None:
    """The start of a part that begins to work when it is first asked."""


@asynccontextmanager
async def running(
    settings: Settings, catalog: Catalog, tell: Tell = nobody
) -> AsyncIterator[System]:
    """The system with its database open and its ledger at work; settled and closed on exit.

    `catalog` is what it begins with, and `tell` hears which embedded engines shall run.

    Where one part cannot start, those that have started are stopped before the error goes on.
    """
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.data_dir, settings.database.url)
        stack.push_async_callback(_close, database)
        configurations = Configurations(database, settings, at_work=True)
        newest = (await configurations.import_files()).version.number
        begun = (await served(configurations)).version
        system = System(settings, catalog, database, tell, configurations, begun.lists)
        # It undoes its own start; its stop would wait for a database that takes nothing. It stops
        # last: the work of all others is settled by then.
        await system.ledger.start()
        stack.push_async_callback(system.ledger.stop)
        await sharing.check(database, settings.images)  # with its row there, nobody overlooks it
        for start, stop in system.parts:
            stack.push_async_callback(stop)  # before it starts: it may fail half-way
            await start()
        # What it begins with may be older: that with which its predecessor ended.
        await system.follower.begin(begun)
        await system.follower.reach(newest)
        stack.enter_context(frozen_heap())
        stack.enter_context(trimmed_heap())
        stack.enter_context(watched_loop())
        yield system


async def _close(database: Database) -> None:
    unwritten = await database.close()
    if unwritten:
        log.error("operations_not_written", count=unwritten)
