"""How a connection comes about: addresses, proxies, TLS, and what is told of all that."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from base64 import b64encode
from pathlib import Path

import pytest

from tests.outbound.scripted import OK, Line, hanging, on_both_loops, scripted
from xinghe.outbound import Client, Server, Unreachable, proxy_for
from xinghe.outbound.connection import Connection
from xinghe.outbound.names import Address
from xinghe.outbound.target import Origin, target_of

TLS = Path(__file__).parent.parent / "fetching" / "tls"
NAME = "testimage.bj.bcebos.com"
"""Whose certificate that is."""
HERE = socket.AF_INET, ("127.0.0.1", 0)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> list[Address]:
    """The addresses that every name has; its own port where one has 0."""
    addresses: list[Address] = []

    async def asked(origin: Origin) -> list[Address]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "secret")
        return [(family, (host, port or origin.port)) for family, (host, port) in addresses]

    monkeypatch.setattr("xinghe.outbound.names._asked", asked)
    return addresses


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server of that name speaks TLS with, which is trusted here."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem")
    return context


async def asked(url: str, *, proxy: str | None = None, connect: float = 2, **headers: str) -> bytes:
    client = Client(connect, 5, proxy=proxy)
    try:
        return await client.fetch("POST", url, headers=headers, body=b"{}", most=100)
    finally:
        await client.aclose()


@on_both_loops
async def test_each_address_is_tried(named: list[Address]) -> None:
    """At once where one refuses, beside it where one is silent."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        silent = full.getsockname()
        crowd = [socket.socket() for _ in range(3)]
        for each in crowd:
            each.setblocking(False)
            each.connect_ex(silent)
        await asyncio.sleep(0.05)
        async with scripted(hanging(OK)) as stand:
            url = f"http://up.example:{stand.port}/"
            refused = (socket.AF_INET, ("127.0.0.1", 1))
            quiet, good = (socket.AF_INET, silent), HERE
            for addresses in ([refused, good], [quiet, good], [quiet, refused, good], [good]):
                named[:] = addresses
                assert await asked(url, connect=5) == b"ok"
            for addresses, kind in (
                ([quiet], "TimeoutError"),
                ([refused, refused], "ConnectionRefusedError, ECONNREFUSED"),
                ([], "gaierror"),
            ):
                named[:] = addresses
                with pytest.raises(Unreachable) as failed:
                    await asked(url, connect=0.1)
                assert str(failed.value) == f"it could not be reached ({kind})"
                assert not failed.value.connected
        for each in crowd:
            each.close()


@on_both_loops
async def test_tls(named: list[Address], trusting: ssl.SSLContext) -> None:
    named[:] = [HERE]
    async with scripted(hanging(OK, OK), trusting) as stand:
        assert await asked(f"https://{NAME}:{stand.port}") == b"ok"
        with pytest.raises(Unreachable, match="SSLCertVerificationError"):
            await asked(f"https://other.example:{stand.port}")


@on_both_loops
async def test_who_speaks_no_tls(named: list[Address]) -> None:
    named[:] = [HERE]

    async def play(line: Line) -> None:
        line.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await line.left()

    async with scripted(play) as stand:
        with pytest.raises(Unreachable, match="SSLError"):
            await asked(f"https://{NAME}:{stand.port}")


@on_both_loops
async def test_tls_that_nobody_says_farewell_to_is_closed(
    named: list[Address], trusting: ssl.SSLContext
) -> None:
    """In the midst of an answer, and without waiting for the server."""
    named[:] = [HERE]
    left = asyncio.Event()

    async def play(line: Line) -> None:
        await line.request()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
        await line.left()
        left.set()

    async with scripted(play, trusting) as stand:
        client = Client(2, 5)
        with await client.send("GET", f"https://{NAME}:{stand.port}", headers={}) as answer:
            assert await answer.read() == b"ok"
        async with asyncio.timeout(5):
            await left.wait()
        await client.aclose()


@on_both_loops
async def test_who_never_answers_in_tls_is_not_held_on_to() -> None:
    async with scripted(hanging()) as stand:
        with pytest.raises(Unreachable, match="TimeoutError"):
            await asked(f"https://127.0.0.1:{stand.port}", connect=0.2)
        await asyncio.sleep(0.4)
        gc.collect()
        held = [one for one in gc.get_objects() if type(one) is Connection]
        assert stand.port not in [one.origin.port for one in held]


@on_both_loops
async def test_a_proxy_is_told_the_whole_url_and_its_own_login(named: list[Address]) -> None:
    async with scripted(hanging(OK)) as stand:
        proxy = f"http://us%40er:pass@127.0.0.1:{stand.port}"
        assert await asked("http://up.example/v1?a=b", proxy=proxy, Authorization="k") == b"ok"
    lines = stand.heads[0].decode().split("\r\n")
    assert lines[0] == "POST http://up.example/v1?a=b HTTP/1.1"
    login = b64encode(b"us@er:pass").decode()
    assert {"Host: up.example", "Authorization: k", f"Proxy-Authorization: Basic {login}"} <= set(
        lines
    )


@on_both_loops
async def test_tls_through_a_proxy(trusting: ssl.SSLContext) -> None:
    """It sees neither path nor key, and its login stays with it."""
    async with scripted(hanging(OK, OK), trusting) as stand:

        async def play(line: Line) -> None:
            await line.request()
            line.say(b"HTTP/1.1 200 Established\r\n\r\n")
            reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)

            async def carry(come: asyncio.StreamReader, go: asyncio.StreamWriter) -> None:
                while data := await come.read(65536):
                    go.write(data)
                go.close()

            await asyncio.gather(carry(line.reader, writer), carry(reader, line.writer))

        async with scripted(play) as proxy:
            client = Client(2, 5, proxy=f"u:p@127.0.0.1:{proxy.port}")
            for _ in range(2):
                said = await client.fetch(
                    "POST", f"https://{NAME}/v1", headers={"Authorization": "k"}, most=9
                )
                assert said == b"ok"
            await client.aclose()
    (seen,) = proxy.heads
    assert seen.startswith(f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n".encode())
    assert b"Proxy-Authorization: Basic dTpw\r\n" in seen
    assert b"Authorization: k" not in seen
    assert [head.split(b"\r\n")[0] for head in stand.heads] == [b"POST /v1 HTTP/1.1"] * 2
    assert not any(b"Proxy" in head for head in stand.heads)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "its proxy answered 407"),
        (b"", "could not be reached"),
    ],
)
@on_both_loops
async def test_a_proxy_that_does_not_lead_there(said: bytes, message: str) -> None:
    async def play(line: Line) -> None:
        await line.request()
        line.say(said)

    async with scripted(play) as stand:
        with pytest.raises(Unreachable, match=message) as failed:
            await asked(f"https://{NAME}/v1", proxy=f"http://me:secret@127.0.0.1:{stand.port}")
        assert "secret" not in str(failed.value)


@on_both_loops
async def test_a_login_in_the_url_is_sent_and_never_told() -> None:
    async with scripted(hanging(OK, b"")) as stand:
        url = stand.url.replace("//", "//me:secret@")
        server = Server(f"{url}/v1", connect=2, silence=0.2)
        with await server.call("POST", "/a", {}) as answer:
            assert await answer.whole(9) == b"ok"
        with pytest.raises(Exception, match="did not begin") as failed:
            await server.call("POST", "/a", {})
        await server.aclose()
        with pytest.raises(Unreachable) as unreached:
            await asked("http://me:secret@127.0.0.1:1/secret?key=secret", Authorization="secret")
    basic = b64encode(b"me:secret")
    assert b"Authorization: Basic " + basic in stand.heads[0]
    assert stand.heads[0].count(b"secret") == 0
    for error in (failed.value, unreached.value):
        assert "secret" not in f"{error!r}{error.__cause__!r}"


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("http://Up.Example:80", "up.example", "/"),
        ("https://up.example:8443/v1?a=b#c", "up.example:8443", "/v1?a=b"),
        ("http://[::1]:9/x", "[::1]:9", "/x"),
        ("http://[::1]/", "[::1]", "/"),
        ("http://星河.example/模型/a b?q=%2F%41é", "xn--5vrx73b.example", None),
    ],
)
def test_where_a_request_goes(url: str, host: str, path: str | None) -> None:
    target = target_of(url)
    assert target.path == (path or "/%E6%A8%A1%E5%9E%8B/a%20b?q=%2F%41%C3%A9")
    if path:
        assert target.origin.name == host
    else:
        assert target.origin.name.startswith("xn--")


@pytest.mark.parametrize("url", ["ftp://x/", "http:///x", "http://x:99999/", "x"])
def test_what_is_no_url_of_http(url: str) -> None:
    with pytest.raises(ValueError, match=r"^[^/]*$"):
        target_of(url)


def test_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    monkeypatch.setenv("no_proxy", "up.example")
    assert proxy_for("https://other.example/v1") == "http://proxy.example"
    assert proxy_for("https://up.example/v1") is None
