"""Calls to the operator's own servers: key, proxy, advice, and answers that never end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress

import pytest
from aiohttp import web

from tests.engines.tape import HANG, playing
from xinghe.outbound import AnswerTooLarge, Client, Refused, Server, Unreachable


def server_at(url: str, **keys: str) -> Server:
    return Server(url, connect=2, silence=2, **keys)  # type: ignore[arg-type]


async def asked(server: Server) -> tuple[str, str, str | None]:
    """Method, path and authorization of a call, as the server saw them."""
    with await server.call("POST", "/models", {}) as answer:
        seen = json.loads(await answer.whole(10_000))
    return seen["method"], seen["path"], seen["authorization"]


@asynccontextmanager
async def serving(
    status: int = 200, body: bytes = b"", retry_after: str | None = None
) -> AsyncIterator[str]:
    """A base URL on 127.0.0.1 with one answer to every GET; a POST is told back."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            authorization = request.headers.get("Authorization")
            seen = {"method": "POST", "path": request.path_qs, "authorization": authorization}
            return web.json_response(seen)
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return web.Response(status=status, body=body, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
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
        server = server_at(url)
        with pytest.raises(Refused, match="429") as refused:
            await server.call("GET", "/models")
        assert refused.value.advice == believed
        await server.aclose()


@pytest.mark.parametrize(
    ("status", "asked", "stored"), [(200, True, True), (204, False, True), (302, False, False)]
)
async def test_which_status_is_success(status: int, asked: bool, stored: bool) -> None:
    """A 200 alone, but to a client that takes more."""
    async with serving(status) as url:
        for client, taken in (
            (server_at(url), asked),
            (Client(2, 2, success=range(200, 300)), stored),
        ):
            with nullcontext() if taken else pytest.raises(Refused, match=f"answered {status}"):
                assert await client.fetch("GET", url, headers={}, most=10) == b""
            await client.aclose()


async def test_answer_is_bounded() -> None:
    async with serving(body=b"x" * 1000) as url:
        server = server_at(url)
        assert await server.fetch("GET", url, headers={}, most=1000) == b"x" * 1000
        with pytest.raises(AnswerTooLarge, match="999 bytes"):
            await server.fetch("GET", url, headers={}, most=999)
        await server.aclose()


async def test_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variable is read at every call, so that a key can be changed under way."""
    async with serving() as url:
        named = server_at(url, key_env="UP_KEY")
        own = server_at(url, key="own", key_env="UP_KEY")
        assert await asked(named) == ("POST", "/v1/models", None)
        for key in ("one", " two\n"):
            monkeypatch.setenv("UP_KEY", key)
            assert await asked(named) == ("POST", "/v1/models", f"Bearer {key.strip()}")
        assert await asked(own) == ("POST", "/v1/models", "Bearer own")
        await named.aclose()
        await own.aclose()


async def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call to any name goes to the proxy, except where `no_proxy` says otherwise."""
    async with serving(404) as url:
        monkeypatch.setenv("http_proxy", url.removesuffix("v1/"))
        monkeypatch.setenv("no_proxy", "direct.invalid")
        through = server_at("http://nowhere.invalid/v1")
        direct = server_at("http://direct.invalid/v1")
        assert await through.ready()
        assert not await direct.ready()
        await through.aclose()
        await direct.aclose()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (401, True), (404, True), (503, False)])
async def test_ready(status: int, ready: bool) -> None:
    async with serving(status) as url:
        server = server_at(url)
        assert await server.ready() is ready
        await server.aclose()
        assert await server.ready() is ready, "after it was closed, it opens anew"
        await server.aclose()


async def test_who_leaves_before_the_answer_takes_the_connection_along() -> None:
    """The server learns of it, and may stop its work."""
    async with playing([HANG]) as tape:
        server = server_at(tape.url)

        async def call() -> None:
            with await server.call("POST", "/chat/completions", {}):
                raise AssertionError("there is no answer")

        calling = asyncio.create_task(call())
        async with asyncio.timeout(5):
            await tape.asked.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        async with asyncio.timeout(5):
            await tape.left.wait()
        await server.aclose()


async def test_a_query_of_the_base_url_goes_with_every_call() -> None:
    async with serving() as url:
        server = server_at(f"{url}?key=abc")
        assert (await asked(server))[1] == "/v1/models?key=abc"
        await server.aclose()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://user:secret@up.example:8443/v1?key=secret", "https://up.example:8443"),
        ("http://up.example/v1", "http://up.example"),
    ],
)
def test_what_is_told_of_a_url_holds_no_key(url: str, origin: str) -> None:
    assert server_at(url).origin == origin


BEHIND = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"


@pytest.mark.parametrize("heard", [True, False], ids=["in the library", "in the socket"])
async def test_what_follows_an_answer_is_no_answer_to_the_next_request(heard: bool) -> None:
    """Not even where it comes when the connection is idle."""
    first: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                writer.write(BEHIND.replace(b"stolen", b"honest"))
                first.put_nowait(writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        server = server_at(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
        with await server.call("POST", "/a", {}) as answer:
            assert await answer.whole(100) == b"honest"
        writer = await first.get()
        writer.write(BEHIND)  # at once: nothing waits to be sent
        if heard:
            await asyncio.sleep(0.2)
        with await server.call("POST", "/b", {}) as answer:
            assert await answer.whole(100) == b"honest"
        # A connection that nothing is wrong with is kept.
        kept = await first.get()
        assert kept is not writer
        with await server.call("POST", "/c", {}) as answer:
            assert await answer.whole(100) == b"honest"
        assert await first.get() is kept
        await server.aclose()


ANSWERS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    ("kept", "fresh", "requests"),
    [
        (b"", ANSWERS, 3),
        (b"", b"", 3),
        (b"HTTP/1.1 200 OK\r\nContent-Le", ANSWERS, 2),
    ],
    ids=["closed", "closed again", "an answer had begun"],
)
async def test_what_finds_a_kept_connection_closed_is_sent_once_more(
    kept: bytes, fresh: bytes, requests: int
) -> None:
    """What a connection gets that is kept, or fresh, after the first answer."""
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            for number in range(2):
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                seen += 1
                writer.write(ANSWERS if seen == 1 else kept if number else fresh)
                if seen > 1:
                    break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        server = server_at(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
        for which in range(2):
            fails = which == 1 and (requests == 2 or not fresh)
            with pytest.raises(Unreachable) if fails else nullcontext():
                assert await server.whole("/a", {}, 100) == b"ok"
        assert seen == requests
        await server.aclose()
