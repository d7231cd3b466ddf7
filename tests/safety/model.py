"""A scripted moderation model: `/v1/moderations` and `/v1/chat/completions` on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from xinghe.safety import Moderator, Place, Verdict

BAD = "紫色飞艇"
"""A text with it is flagged."""


async def review(moderator: Moderator, text: str, place: Place = "conversation") -> Verdict | None:
    """What a moderator says of one text."""
    (found,) = await moderator.review([(text, place)])
    return found


class Model:
    """What was asked of it, and how it answers; `fault` answers instead of it, where given."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.category = "violence"
        self.delay = 0.0
        self.said: str | None = None
        """What the chat model says, in place of the JSON that it was asked for."""
        self.fault: Callable[[], web.Response] | None = None

    async def moderations(self, request: web.Request) -> web.Response:
        body = await self._take(request)
        if self.fault:
            return self.fault()
        flagged = BAD in body["input"]
        categories = {self.category: flagged, "harassment": False}
        return web.json_response({"results": [{"flagged": flagged, "categories": categories}]})

    async def chat(self, request: web.Request) -> web.Response:
        body = await self._take(request)
        if self.fault:
            return self.fault()
        flagged = BAD in body["messages"][-1]["content"]
        said = self.said or '{"unsafe": %s, "category": "%s"}' % (
            ("true", self.category) if flagged else ("false", "")
        )
        return web.json_response({"choices": [{"message": {"content": said}}]})

    async def _take(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        await asyncio.sleep(self.delay)
        return body


@asynccontextmanager
async def serving() -> AsyncIterator[Model]:
    """The model, at `Model.url` on 127.0.0.1."""
    model = Model()
    app = web.Application()
    app.router.add_post("/v1/moderations", model.moderations)
    app.router.add_post("/v1/chat/completions", model.chat)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    model.url = f"http://{host}:{port}/v1"
    try:
        yield model
    finally:
        await runner.cleanup()
