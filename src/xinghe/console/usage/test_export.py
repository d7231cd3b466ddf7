"""A file that the API breaks off is broken off for the browser, too."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from xinghe.api.exchange import ABORT
from xinghe.console.calls import Calls
from xinghe.console.usage.export import export


class Browser:
    """What a browser's connection was sent, and whether it was cut off."""

    def __init__(self, method: str = "GET") -> None:
        self.sent: list[Any] = []
        self.aborted = False
        self.scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": "/console/usage/entries.csv",
            "query_string": b"",
            "headers": [],
            "extensions": {ABORT: {"abort": self.abort}},
        }

    def abort(self) -> None:
        self.aborted = True

    async def receive(self) -> Any:
        await asyncio.Event().wait()

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def ask(self, *, whole: bool) -> None:
        """Of an API that sends a piece, and then the end, or none."""

        async def api(scope: Scope, receive: Receive, send: Send) -> None:
            headers = [(b"content-type", b"text/csv"), (b"x-secret", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"a,b\r\n", "more_body": True})
            if whole:
                await send({"type": "http.response.body", "body": b""})

        calls = Calls(api, self.scope)
        response = await export(calls, Request(self.scope), "/v1/account/entries", {})
        await response(self.scope, self.receive, self.send)


async def test_a_whole_file() -> None:
    browser = Browser()
    await browser.ask(whole=True)
    assert not browser.aborted
    assert b"".join(message.get("body", b"") for message in browser.sent) == b"a,b\r\n"
    assert browser.sent[-1]["more_body"] is False
    headers = dict(browser.sent[0]["headers"])
    assert headers[b"content-type"] == b"text/csv"
    assert b"x-secret" not in headers


async def test_half_a_file_never_looks_whole() -> None:
    browser = Browser()
    await browser.ask(whole=False)
    assert browser.aborted
    assert browser.sent[-1]["more_body"] is True


async def test_only_the_head() -> None:
    browser = Browser("HEAD")
    await browser.ask(whole=True)
    assert b"".join(message.get("body", b"") for message in browser.sent) == b""
