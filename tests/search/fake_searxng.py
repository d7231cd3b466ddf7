"""A real HTTP server that answers as SearXNG does, and pages for its results."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

from aiohttp import web

from tests.search.papers import ARTICLE, pdf


class FakeSearxng:
    """`mode` says how it answers; `queries` is what it was asked."""

    def __init__(self) -> None:
        self.mode = "good"
        self.queries: list[dict[str, str]] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/search", self._search)
        app.router.add_post("/v2/ai_search/web_search", self._baidu)
        app.router.add_get("/page/{name}", self._page)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def result(self, name: str, content: str = "摘要") -> dict[str, Any]:
        return {"url": f"{self.url}/page/{name}", "title": f"标题{name}", "content": content}

    async def _search(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        page = int(request.query["pageno"])
        found = self._results(page)
        if found is not None:
            return _json({"results": found, "number_of_results": 0})
        return await MISBEHAVING[self.mode](request)

    def _results(self, page: int) -> list[Any] | None:
        names = {
            "good": [f"{page}{letter}" for letter in "abcdefgh"],
            "one page": ["a"] if page == 1 else [],
            "pages": ["article", "paper", "slow", "gone", "binary", "hostile"],
            "empty": [],
        }
        if self.mode == "strange":
            return [
                None,
                3,
                {},
                {"url": None, "title": 1, "content": []},
                {"url": "javascript:alert(1)", "title": "x", "content": "y"},
                {"url": "file:///etc/passwd", "title": "x"},
                {"url": f"{self.url}/page/1", "title": None, "content": None},
                {"url": f"{self.url}/page/1", "title": "again"},
                {"url": f"{self.url}/page/2", "title": "t" * 9999, "content": "c" * 99999},
            ]
        if self.mode not in names:
            return None
        return [self.result(name, f"{name}的摘要") for name in names[self.mode]]

    async def _baidu(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.queries.append({"q": body["messages"][0]["content"]})
        if request.headers["Authorization"] != "Bearer secret-key":
            return _json({"code": "InvalidToken", "message": "no"})
        number = body["resource_type_filter"][0]["top_k"]
        return _json(
            {"references": [self.result(str(at)) | {"id": at} for at in range(number + 3)]}
        )

    async def _page(self, request: web.Request) -> web.StreamResponse:
        match request.match_info["name"]:
            case "article":
                return web.Response(text=ARTICLE, content_type="text/html")
            case "paper":
                return web.Response(
                    body=pdf("Asian Games medal table"), content_type="application/pdf"
                )
            case "slow":
                await asyncio.sleep(30)
            case "binary":
                return web.Response(body=b"\0" * 999, content_type="application/octet-stream")
            case "hostile":
                return web.Response(text="<p>" * 50_000, content_type="text/html")
        raise web.HTTPNotFound


def _json(value: object) -> web.Response:
    return web.Response(body=json.dumps(value).encode(), content_type="application/json")


async def _slow(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return _json({})


async def _forbidden(request: web.Request) -> web.StreamResponse:
    return web.Response(status=403, text="Forbidden")


async def _html(request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>", content_type="text/html")


async def _list(request: web.Request) -> web.StreamResponse:
    return _json([])


async def _deep(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"[" * 100_000)


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def _redirect(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://169.254.169.254/latest")


async def _reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return _json({})


async def _unresponsive(request: web.Request) -> web.StreamResponse:
    return _json({"results": [], "unresponsive_engines": [["bing", "timeout"]]})


MISBEHAVING = {
    "slow": _slow,
    "forbidden": _forbidden,
    "html": _html,
    "list": _list,
    "deep": _deep,
    "endless": _endless,
    "redirect": _redirect,
    "reset": _reset,
    "unresponsive": _unresponsive,
}
