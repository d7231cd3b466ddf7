"""What is behind links, what an operator's tools read, and a JSON 404 elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache

import msgspec
from msgspec.structs import asdict
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xinghe.api.errors import ApiError, Errors, as_api_error
from xinghe.api.exchange import NO_STORE, new_request_id
from xinghe.api.models import ModelList
from xinghe.api.openapi import document
from xinghe.api.paths import no_such_path
from xinghe.api.standing import Standing
from xinghe.dispatch import Live, Serving
from xinghe.images.store import ImageStore
from xinghe.limits.shared.server import Server as LimitsServer
from xinghe.observe import logs, metrics
from xinghe.outbound.replicas import ServerState
from xinghe.safety import Moderator
from xinghe.safety.upstream import SETTING
from xinghe.search.corpus import SERVED_AT, Corpus
from xinghe.storage import Database
from xinghe.workers import QueueFull

REQUEST_ID = "xinghe.request_id"
"""Where a request's id stands in its ASGI scope."""


READING = ("GET", "HEAD")


class Readiness:
    """Ready: no shutdown has begun, the database writes, and some deployment can answer.

    Not all of them: one upstream that is down must not take the others out of service.
    """

    def __init__(
        self,
        live: Live,
        moderator: Moderator,
        database: Database,
        valkey: LimitsServer | None = None,
    ) -> None:
        self._live = live
        self._moderator = moderator
        self._database = database
        self._valkey = valkey
        self.stopping = False
        self.engines: dict[str, msgspec.Struct] = {}
        """By deployment, how an embedded engine computes, for `xinghe doctor`."""
        live.followers.append(self._follow)

    @property
    def moving(self) -> bool:
        """Whether the books are being moved, and nothing new may begin."""
        return self._database.moving

    async def has_moved(self) -> bool:
        """Whether the books are elsewhere since the start. Raises `StorageError`."""
        return await self._database.has_moved()

    @property
    def draining(self) -> list[str]:
        """Deployments that serve no more, but for requests that began with them."""
        return [each.name for each in self._live.draining]

    @property
    def limits(self) -> dict[str, object] | None:
        """How limits are shared, where they are; it takes nothing out of service."""
        valkey = self._valkey
        if valkey is None:
            return None
        told: dict[str, object] = {"shared": not valkey.away, "gateways": valkey.gateways}
        if valkey.away:
            told["share"] = f"1/{valkey.gateways}"
        return told

    @property
    def servers(self) -> dict[str, list[ServerState]]:
        """By deployment, how each of the servers is that it is on."""
        return self._live.now.deployments.servers

    @property
    def refusals(self) -> dict[str, int]:
        """By deployment, and server and key where it has several, the status with which an
        upstream refuses its operator.

        It takes nothing out of service: what one client sent may be behind it.
        """
        found = dict[str, int]()
        for name, servers in self.servers.items():
            for each in servers:
                for key in each.refused:
                    parts = [f"deployment {name}"]
                    parts += [each.server] if len(servers) > 1 else []
                    parts += [f"key {key.key}"] if each.keys > 1 else []
                    found[", ".join(parts)] = key.status
        if (status := self._moderator.refused_with) is not None:
            found[SETTING] = status
        return found

    def _follow(self, before: Serving, now: Serving) -> None:
        """What was known of a deployment that serves no more says nothing of its successor."""
        for name, leased in before.deployments.by_name.items():
            gone = now.deployments.by_name.get(name) is not leased
            if gone and self.engines.pop(name, None) is not None:
                metrics.ENGINE_THREADS.remove(name)
                metrics.ENGINE_SPEED.remove(name, "read")
                metrics.ENGINE_SPEED.remove(name, "written")

    async def check(self) -> tuple[bool, dict[str, bool]]:
        """The verdict, and what it rests on."""
        deployments = await self._live.ready()
        serving = not self.stopping
        database = self._database.last_error is None and not self.moving
        checks = {"serving": serving, "database": database}
        checks |= {f"deployment {name}": ready for name, ready in deployments.items()}
        return serving and database and any(deployments.values()), checks


def probe_routes(readiness: Readiness) -> list[BaseRoute]:
    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        ready, checks = await readiness.check()
        engines = {name: asdict(state) for name, state in readiness.engines.items()}
        told: dict[str, object] = {"refusals": refusals} if (refusals := readiness.refusals) else {}
        if engines:
            told["engines"] = engines
        if readiness.moving:
            told["moving"] = True
        if readiness.draining:
            told["draining"] = readiness.draining
        if readiness.limits is not None:
            told["limits"] = readiness.limits
        return JSONResponse(
            {"status": "ready" if ready else "not ready", "checks": checks, **told},
            status_code=200 if ready else 503,
        )

    async def openapi(_: Request) -> Response:
        return Response(await asyncio.to_thread(_described), media_type="application/json")

    return [
        read_route("/openapi.json", openapi),
        read_route("/healthz", healthz),
        read_route("/readyz", readyz),
        Nowhere(),
    ]


@cache
def _described() -> bytes:
    """Made for the first who asks: a tenth of a second, which no start waits for."""
    return msgspec.json.encode(document())


def documentation_routes(corpus: Corpus) -> list[BaseRoute]:
    """`GET /documentation/<page>`: the documents that sources of the local corpus point at.

    Their text as it was indexed, and never as HTML: whoever wrote them, nothing of it runs. A
    JSON 404 answers for what is not there, not public, or has a URL of its own.
    """

    async def document(request: Request) -> Response:
        try:
            text = await corpus.page(request.path_params["page"])
        except QueueFull as busy:
            return refusal_response(as_api_error(busy, request.scope[REQUEST_ID]), request.scope)
        if text is None:
            return refusal_response(no_such_path(request.url.path), request.scope)
        return PlainTextResponse(text, headers={"X-Content-Type-Options": "nosniff"})

    return [Route(SERVED_AT + "{page:path}", document)]


def image_routes(store: ImageStore) -> list[BaseRoute]:
    """`GET /images/<name>.png`: an image behind its URL. No token is asked for.

    A JSON 404 answers for what never was, has expired, or is no name of an image at all.
    """

    async def image(request: Request) -> Response:
        found = await store.open(request.path_params["name"])
        if found is None:
            error = ApiError(Errors.NO_SUCH_PATH, "no image is here: it expired, or never was")
            return refusal_response(error, request.scope)
        opened, left = found
        headers = {
            "content-length": str(opened.size),
            "cache-control": f"public, max-age={int(left)}, immutable",
            "x-content-type-options": "nosniff",
            "access-control-allow-origin": "*",
        }
        if request.method == "HEAD":
            return Response(headers=headers, media_type="image/png")
        return StreamingResponse(opened.pieces, headers=headers, media_type="image/png")

    return [read_route("/images/{name}", image)]


def metrics_routes(
    readiness: Readiness, standing: Standing, models: Callable[[], Awaitable[ModelList]]
) -> list[BaseRoute]:
    """`/metrics`, and for the command line `/models`: every model with its state and speed."""

    async def page(_: Request) -> Response:
        await standing.look()
        text = await asyncio.to_thread(generate_latest)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    async def listed(_: Request) -> Response:
        told = {
            "data": (await models()).data,
            "engines": readiness.engines,
            "servers": readiness.servers,
        }
        return Response(msgspec.json.encode(told), media_type="application/json")

    return [
        read_route("/metrics", page),
        read_route("/models", listed),
        Nowhere(),
    ]


def read_route(path: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
    """A path that is only read: any other method is refused in JSON."""

    async def read(request: Request) -> Response:
        if request.method in READING:
            return await answer(request)
        error = ApiError(Errors.METHOD_NOT_SUPPORTED, "Only GET requests are accepted")
        refusal = refusal_response(error, request.scope)
        refusal.headers["allow"] = ", ".join(READING)
        return refusal

    route = Route(path, read)
    route.methods = set()  # all of them: a route that takes some leaves the others to `Nowhere`
    return route


class Nowhere(BaseRoute):
    """Takes what no other route takes, any method and any path: the answer is JSON.

    A page in a browser may read it: it says which base URL is right, and nothing of anybody.
    """

    def matches(self, _: Scope) -> tuple[Match, Scope]:
        return Match.FULL, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = refusal_response(no_such_path(scope["path"]), scope)
        refusal.headers["access-control-allow-origin"] = "*"
        await refusal(scope, receive, send)


class Identified:
    """What the API's edge does for its own paths: an id on every answer, and JSON for a fault.

    What is not an image behind its URL, which says so itself, is for no cache.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = new_request_id()
        scope[REQUEST_ID] = request_id
        started = False

        async def identified(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = list(message["headers"])
                names = {name for name, _ in headers}
                if b"x-request-id" not in names:  # it was handed on to the API, whose id it has
                    headers.append((b"x-request-id", request_id.encode()))
                if NO_STORE[0] not in names:
                    headers.append(NO_STORE)
                message["headers"] = headers
            await send(message)

        with logs.of_request(request_id):
            try:
                await self._app(scope, receive, identified)
            except Exception as fault:
                error = as_api_error(fault, request_id)
                if not started:
                    await refusal_response(error, scope)(scope, receive, identified)


def refusal_response(error: ApiError, scope: Scope) -> Response:
    return Response(
        msgspec.json.encode(error.body(scope[REQUEST_ID])),
        status_code=error.row.status,
        media_type="application/json",
        headers=None if error.retry_after is None else {"retry-after": str(error.retry_after)},
    )
