"""A server that does as a test says, on a real socket; it can go away and come back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any
from weakref import WeakSet

from aiohttp import web

from xinghe.catalog import UpstreamEmbeddingDeployment
from xinghe.catalog.replicas import Replica
from xinghe.outbound.replicas import Head, Pool


class Peer:
    """`does` is what it does with a POST: `well`, `hang`, `close`, `garbage`, or a status.

    `refuses` are keys that it answers 401 to, `full` those that it answers 429. One that is
    `single` does one thing after the other, probes among them.
    """

    def __init__(self) -> None:
        self.single = False
        self._turn = asyncio.Lock()
        self.does: str | int = "well"
        self.advice: str | None = None
        self.drops_kept = False
        """It answers one request on a connection, and closes it when the next one comes."""
        self._seen = WeakSet[asyncio.BaseTransport]()
        self.delay = 0.01
        self.refuses: set[str] = set()
        self.full: set[str] = set()
        self.is_alive = True
        """Whether it answers probes."""
        self.keys: list[str] = []
        """Those of the requests, in order."""
        self.probes = 0
        self.at_work = self.most_at_work = 0
        self._with = Counter[str]()
        self.most_with = Counter[str]()
        """By key, the most that were at work at once."""
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._gone = asyncio.Event()

    @property
    def asked(self) -> int:
        return len(self.keys)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    async def come(self) -> None:
        """Listen, at the port of the last time."""
        self._gone.clear()
        app = web.Application()
        app.router.add_post("/v1/{path:.*}", self._work)
        app.router.add_get("/v1/models", self._probe)
        self._runner = web.AppRunner(app, shutdown_timeout=0.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def go(self) -> None:
        """Refuse connections, and break those that there are."""
        self._gone.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def freeze(self) -> None:
        """As a process that is stopped: it takes connections, and that is all."""
        self.does, self.is_alive = "hang", False

    def thaw(self) -> None:
        """What waited stays unanswered."""
        self.does, self.is_alive = "well", True

    async def _probe(self, _: web.Request) -> web.Response:
        self.probes += 1
        if not self.is_alive:
            await self._gone.wait()
        async with self._turn if self.single else nullcontext():
            pass
        return web.json_response({})

    async def _work(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        if self.drops_kept and request.transport in self._seen:
            request.transport.close()
            return web.Response()
        self._seen.add(request.transport)
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.keys.append(key)
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        self._with[key] += 1
        self.most_with[key] = max(self.most_with[key], self._with[key])
        try:
            await request.read()
            async with self._turn if self.single else nullcontext():
                return await self._answer(key, request)
        finally:
            self.at_work -= 1
            self._with[key] -= 1

    async def _answer(self, key: str, request: web.Request) -> web.Response:
        headers = {} if self.advice is None else {"Retry-After": self.advice}
        if key in self.refuses:
            return web.json_response({"error": {"code": "invalid_api_key"}}, status=401)
        if key in self.full:
            return web.Response(status=429, headers=headers)
        await asyncio.sleep(self.delay)
        if isinstance(self.does, int):
            return web.Response(status=self.does, headers=headers)
        match self.does:
            case "hang":
                await self._gone.wait()
            case "close":
                assert request.transport is not None
                request.transport.abort()
            case "garbage":
                return web.Response(text="<html>")
        return web.json_response({"from": self.origin})


@asynccontextmanager
async def peers(number: int) -> AsyncIterator[list[Peer]]:
    made = [Peer() for _ in range(number)]
    for each in made:
        await each.come()
    try:
        yield made
    finally:
        for each in made:
            await each.go()


@asynccontextmanager
async def pool_of(
    *there: Peer | Replica,
    name: str = "up",
    silence: float = 5.0,
    before: Pool | None = None,
    **fields: Any,
) -> AsyncIterator[Pool]:
    """Their pool; a single one is given as `url`."""
    urls = tuple(one.url if isinstance(one, Peer) else one for one in there)
    where: dict[str, Any] = {"urls": urls}
    if len(urls) == 1 and isinstance(urls[0], str):
        where = {"url": urls[0]}
    spec = UpstreamEmbeddingDeployment(
        model="m", connect_timeout=2.0, silence_timeout=silence, **where, **fields
    )
    pool = Pool(name, spec, before)
    try:
        yield pool
    finally:
        await pool.aclose()


async def ask(pool: Pool, head: Head | None = None, tokens: int = 0) -> str:
    """The origin that answers."""
    for attempt in pool.attempts(head, tokens):
        async with attempt:
            answer: dict[str, str] = await attempt.ask("/embeddings", {}, dict[str, str], 10_000)
            return answer["from"]
    raise AssertionError("unreachable")
