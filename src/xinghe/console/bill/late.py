"""A page whose middle takes its time: its head is sent meanwhile."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from xinghe.console.stream import unless_gone


class Late(Response):
    """`before`, then what `middle` comes to, then `behind`; when the browser leaves, it ends."""

    media_type = "text/html"

    def __init__(self, before: str, middle: asyncio.Task[str], behind: str) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})
        self._before, self._middle, self._behind = before, middle, behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(head)
            await self._say(send, self._before)
            await self._say(send, await unless_gone(receive, _result(self._middle)))
            await self._say(send, self._behind, more=False)
        except ClientDisconnect:
            pass
        finally:
            self._middle.cancel()

    async def _say(self, send: Send, text: str, *, more: bool = True) -> None:
        body = text.encode()
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def _result(task: asyncio.Task[str]) -> str:
    return await task
