"""Calls to the operator's own servers: key, proxy, advice, and answers that never end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from xinghe.outbound import AnswerTooLarge, Server, advised, bounded

QUICK = aiohttp.ClientTimeout(sock_connect=2, sock_read=2)


@asynccontextmanager
async def serving(
    status: int = 200, body: bytes = b"", retry_after: str | None = None
) -> AsyncIterator[str]:
    """A base URL on 127.0.0.1 that gives one answer to everything."""

    async def answer(_: web.Request) -> web.Response:
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return web.Response(status=status, body=body, headers=headers)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-1", None),
        ("nan", None),
        ("999999", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("", None),
    ],
)
async def test_advice(said: str, believed: float | None) -> None:
    async with serving(429, retry_after=said) as url:
        server = Server(url, QUICK)
        async with server.session.get(f"{server.url}/models") as answer:
            assert advised(answer) == believed
        await server.aclose()


async def test_answer_is_bounded() -> None:
    async with serving(body=b"x" * 1000) as url:
        server = Server(url, QUICK)
        async with server.session.get(server.url) as answer:
            assert await bounded(answer, 1000) == b"x" * 1000
        async with server.session.get(server.url) as answer:
            with pytest.raises(AnswerTooLarge, match="999 bytes"):
                await bounded(answer, 999)
        await server.aclose()


async def test_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variable is read at every call, so that a key can be changed under way."""
    named = Server("http://up.example/v1/", QUICK, key_env="UP_KEY")
    assert named.url == "http://up.example/v1"
    assert "Authorization" not in named.headers()
    for key in ("one", " two\n"):
        monkeypatch.setenv("UP_KEY", key)
        assert named.headers()["Authorization"] == f"Bearer {key.strip()}"
    assert Server("http://up.example", QUICK, key="own", key_env="UP_KEY").headers()[
        "Authorization"
    ] == ("Bearer own")


async def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call to any name goes to the proxy, except where `no_proxy` says otherwise."""
    async with serving(404) as url:
        monkeypatch.setenv("http_proxy", url.removesuffix("v1/"))
        monkeypatch.setenv("no_proxy", "direct.invalid")
        through = Server("http://nowhere.invalid/v1", QUICK)
        direct = Server("http://direct.invalid/v1", QUICK)
        assert await through.ready()
        assert not await direct.ready()
        await through.aclose()
        await direct.aclose()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (401, True), (404, True), (503, False)])
async def test_ready(status: int, ready: bool) -> None:
    async with serving(status) as url:
        server = Server(url, QUICK)
        assert await server.ready() is ready
        await server.aclose()
        assert await server.ready() is ready, "after it was closed, it opens anew"
        await server.aclose()
