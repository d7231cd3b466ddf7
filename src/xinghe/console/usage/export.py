"""Files to take away: what the API streams, handed on as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from xinghe.api.exchange import ABORT
from xinghe.console.calls import Answer, Calls, refusal

_HANDED_ON = ("content-type", "content-disposition")


class _Handed(StreamingResponse):
    """An answer of the API. Where it breaks off, so does the connection: half a file must not look
    like a whole one.
    """

    def __init__(self, opened: AsyncExitStack, answer: Answer, browser: Scope) -> None:
        headers = {name: answer.header(name) for name in _HANDED_ON}
        super().__init__(answer.pieces, answer.status, headers)
        self._opened = opened
        self._browser = browser

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._opened:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except ConnectionError:
            self._browser["extensions"][ABORT]["abort"]()


async def export(api: Calls, browser: Request, path: str, query: Mapping[str, Any]) -> Response:
    """What a GET of the API streams, for a browser's request. Raises `Refused`."""
    async with AsyncExitStack() as stack:
        answer = await stack.enter_async_context(api.open("GET", path, query=query))
        if answer.status >= 400:
            raise refusal(answer, await answer.read())
        if browser.method == "HEAD":
            return Response(headers={name: answer.header(name) for name in _HANDED_ON})
        opened = stack.pop_all()
    return _Handed(opened, answer, browser.scope)
