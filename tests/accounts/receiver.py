"""A real HTTP server that takes notices, or does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web

Answer = Callable[[int], Awaitable[int]]
"""Told the number of the request from 1 on; returns the status to answer with."""


async def takes(number: int) -> int:
    return 204


class Receiver:
    """Keeps each body that came with its headers; `answer` may be replaced at any time."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.answer: Answer = takes
        self.received: list[tuple[bytes, dict[str, str]]] = []
        self._changed = asyncio.Condition()
        application = web.Application()
        application.router.add_post("/hook", self._handle)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    async def count(self, number: int, timeout: float = 60) -> None:  # noqa: ASYNC109
        """Wait until so many requests have come."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= number)

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self._changed:
            self.received.append((body, {key.lower(): it for key, it in request.headers.items()}))
            self._changed.notify_all()
        return web.Response(status=await self.answer(len(self.received)))
