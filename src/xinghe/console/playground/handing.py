"""A request of the playground, handed on to the API: the page is one client more.

What the API does for programs it does here, in the same way: limits, budgets, moderation, holds,
`Idempotency-Key`, entries. It is paid by the member of the browser's session, under the name of
the playground's own token.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from xinghe.api.exchange import PLAYGROUND
from xinghe.console.calls import Calls

OFFERED = {"chat": "/v1/chat/completions", "check": "/v1/chat/completions/check"}
"""What the page may ask for, and where the API has it."""
_FOR_OTHER_SITES = b"access-control-"


class Handed(Response):
    """The API's answer to the browser's request; it begins when the API's does."""

    def __init__(self, api: Calls, path: str) -> None:
        self.status_code = 200
        self.background = None
        self.raw_headers = []
        self._api = api
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def to_our_page_alone(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    each for each in message["headers"] if not each[0].startswith(_FOR_OTHER_SITES)
                ]
                message = {**message, "headers": headers + self.raw_headers}
            await send(message)

        await self._api.hand_on(self._path, receive, to_our_page_alone, PLAYGROUND)
