"""One GET: what comes back, and every way in which a server can fail or hurt."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time
import tracemalloc
from pathlib import Path

import pytest

from tests.fetching.conftest import NAME, Fetch
from tests.fetching.stage import Stage, answer, endless, raw, redirect, staged
from tests.kit.pace import allowed
from xinghe.fetching import Fetcher, FetchFailed
from xinghe.settings import Fetching, SettingsError

TLS = Path(__file__).parent / "tls"
SAMPLE_HOST = "testimage.bj.bcebos.com"
OK = b"HTTP/1.1 200 OK\r\n"


async def test_what_comes_back_and_what_is_asked(fetch: Fetch, stage: Stage) -> None:
    stage.plays["/a.png?size=1"] = answer(b"\x89PNG", "Content-Type: image/png; charset=x")
    got = await fetch("/a.png?size=1#top")
    assert (got.data, got.content_type) == (b"\x89PNG", "image/png; charset=x")
    assert got.final_url == f"http://{NAME}/a.png?size=1#top"
    (head,) = stage.heads
    lines = head.lower().splitlines()
    assert f"host: {NAME}" in lines
    assert "accept: image/*" in lines
    assert "accept-encoding: identity" in lines
    assert any(line.startswith("user-agent:") and "xinghe/" in line for line in lines)


async def test_redirects_are_followed_three_times(fetch: Fetch, stage: Stage) -> None:
    stage.plays |= {f"/{n}": redirect(f"/{n + 1}") for n in range(3)}
    stage.plays["/3"] = answer(b"end")
    assert (await fetch("/0")).final_url == f"http://{NAME}/3"
    stage.plays["/start"] = redirect("0")
    with pytest.raises(FetchFailed, match="redirects more than 3 times"):
        await fetch("/start")


async def test_a_redirect_without_a_place_is_a_failure(fetch: Fetch, stage: Stage) -> None:
    stage.plays["/"] = answer(b"lost", status="302 Found")
    with pytest.raises(FetchFailed, match="HTTP status 302"):
        await fetch("/")


@pytest.mark.parametrize("status", ["204 No Content", "404 Not Found", "500 Oops", "206 Part"])
async def test_other_statuses_are_failures(status: str, fetch: Fetch, stage: Stage) -> None:
    stage.plays["/"] = answer(b"", status=status)
    with pytest.raises(FetchFailed, match=f"HTTP status {status[:3]}"):
        await fetch("/")


@pytest.mark.parametrize("size", [999, 1000, 1001])
async def test_the_size_is_bounded_to_the_byte(size: int, fetch: Fetch, stage: Stage) -> None:
    stage.plays["/told"] = answer(b"x" * size)
    stage.plays["/untold"] = raw(OK + b"\r\n" + b"x" * size)
    for path in ("/told", "/untold"):
        if size <= 1000:
            assert len((await fetch(path)).data) == size
        else:
            with pytest.raises(FetchFailed, match="holds more than 1000 bytes"):
                await fetch(path)


@pytest.mark.parametrize(
    "head",
    [
        OK + b"\r\n",
        OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        OK + b"Content-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"\r\n",
        b"",
    ],
)
async def test_a_body_that_never_ends(head: bytes, fetch: Fetch, stage: Stage) -> None:
    stage.plays["/"] = endless(head, b"x" * 65536)
    started = time.monotonic()
    with pytest.raises(FetchFailed):
        await fetch("/", max_bytes=1_000_000, timeout=3)
    assert time.monotonic() - started < allowed(2.5)


async def test_headers_that_never_end(fetch: Fetch, stage: Stage) -> None:
    stage.plays["/"] = endless(OK, b"X-A: " + b"a" * 1000 + b"\r\n")
    with pytest.raises(FetchFailed, match="broke the HTTP protocol"):
        await fetch("/")


@pytest.mark.parametrize("head", [OK + b"\r\n", OK, OK + b"Content-Length: 1000\r\n\r\n", OK[:-2]])
async def test_a_slow_drip_is_cut_at_the_total_time(
    head: bytes, fetch: Fetch, stage: Stage
) -> None:
    stage.plays["/"] = endless(head, b"x", pause=0.05)
    with pytest.raises(FetchFailed, match=r"took longer than 0\.4 s"):
        await fetch("/", timeout=0.4)


async def test_the_time_is_one_for_all_redirects(fetch: Fetch, stage: Stage) -> None:
    for n in range(3):
        stage.plays[f"/{n}"] = raw(
            b"", f"HTTP/1.1 302 F\r\nLocation: /{n + 1}\r\n\r\n".encode(), pause=0.3
        )
    stage.plays["/3"] = answer(b"late")
    with pytest.raises(FetchFailed, match=r"took longer than 0\.5 s"):
        await fetch("/0", timeout=0.5)


async def test_a_body_that_ends_early(fetch: Fetch, stage: Stage) -> None:
    stage.plays["/"] = raw(OK + b"Content-Length: 500\r\n\r\nshort")
    with pytest.raises(FetchFailed):
        await fetch("/")


async def test_what_is_not_http(fetch: Fetch, stage: Stage) -> None:
    stage.plays["/"] = raw(b"220 smtp.example ESMTP\r\n")
    with pytest.raises(FetchFailed):
        await fetch("/")


async def test_a_compressed_body_is_bounded_as_it_unfolds(fetch: Fetch, stage: Stage) -> None:
    stage.plays["/small"] = answer(gzip.compress(b"small"), "Content-Encoding: gzip")
    assert (await fetch("/small")).data == b"small"
    bomb = gzip.compress(bytes(300_000_000), compresslevel=6)
    assert len(bomb) < 1_000_000
    stage.plays["/bomb"] = answer(bomb, "Content-Encoding: gzip")
    tracemalloc.start()
    try:
        with pytest.raises(FetchFailed, match="holds more than 1000000 bytes"):
            await fetch("/bomb", max_bytes=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "rot13"])
async def test_what_is_not_compressed_as_it_says(encoding: str, fetch: Fetch, stage: Stage) -> None:
    stage.plays["/"] = answer(b"\x01 is not compressed", f"Content-Encoding: {encoding}")
    if encoding == "rot13":
        assert (await fetch("/")).data == b"\x01 is not compressed"
    else:
        with pytest.raises(FetchFailed):
            await fetch("/")


async def test_nobody_listens() -> None:
    async with staged() as stage:
        port = stage.port
    fetcher = Fetcher(Fetching(hosts={NAME: f"127.0.0.1:{port}"}))
    with pytest.raises(FetchFailed, match="could not be reached") as failure:
        await fetcher.fetch(f"http://{NAME}/", max_bytes=1, timeout=5)
    assert "127.0.0.1" not in str(failure.value)


async def test_a_fetch_that_is_cancelled_leaves_no_connection(fetch: Fetch, stage: Stage) -> None:
    started, closed = asyncio.Event(), asyncio.Event()

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n")
        started.set()
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    stage.plays["/"] = play
    task = asyncio.ensure_future(fetch("/"))
    await asyncio.wait_for(started.wait(), 60)
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(closed.wait(), 60)


async def test_the_operator_s_networks_hosts_and_ports(stage: Stage) -> None:
    stage.plays["/"] = answer(b"inside")
    port = stage.port
    url = f"http://127.0.0.1:{port}/"
    for allow in (f"127.0.0.1:{port}", f"127.0.0.0/8:{port}"):
        got = await Fetcher(Fetching(allow=(allow,))).fetch(url, max_bytes=100, timeout=5)
        assert got.data == b"inside"
    got = await Fetcher(Fetching(allow=("127.0.0.0/8",), ports=(port,))).fetch(
        url, max_bytes=100, timeout=5
    )
    assert got.data == b"inside"
    named = Fetcher(Fetching(allow=(f"localhost:{port}",)))
    got = await named.fetch(f"http://LocalHost:{port}/", max_bytes=100, timeout=5)
    assert got.data == b"inside"


async def test_https_is_checked_as_usual() -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(TLS / "server.pem")
    async with staged(tls=server) as stage:
        stage.plays["/image1.jpg"] = answer(b"\xff\xd8")
        here = f"127.0.0.1:{stage.port}"
        hosts = {SAMPLE_HOST: here, "other.example": here}
        trusting = Fetcher(Fetching(hosts=hosts, ca_file=str(TLS / "ca.pem")))
        url = f"https://{SAMPLE_HOST}/image1.jpg"
        assert (await trusting.fetch(url, max_bytes=10, timeout=5)).data == b"\xff\xd8"
        for fetcher, bad in (
            (trusting, "https://other.example/image1.jpg"),
            (Fetcher(Fetching(hosts=hosts)), url),
        ):
            with pytest.raises(FetchFailed, match="could not be reached"):
                await fetcher.fetch(bad, max_bytes=10, timeout=5)


@pytest.mark.parametrize(
    ("settings", "blamed"),
    [
        (Fetching(allow=("10.0.0.0/33",)), "fetching.allow holds '10.0.0.0/33'"),
        (Fetching(allow=("10.0.0.1/8",)), "fetching.allow holds '10.0.0.1/8'"),
        (Fetching(allow=("10.0.0",)), "fetching.allow holds '10.0.0'"),
        (Fetching(allow=("http://a.example",)), "fetching.allow holds 'http://a.example'"),
        (Fetching(allow=("a.example:70000",)), "port must be between 1 and 65535"),
        (Fetching(allow=("",)), "fetching.allow holds ''"),
        (Fetching(hosts={"a.example": "b.example"}), "fetching.hosts.a.example is 'b.example'"),
        (Fetching(hosts={"a.example": "1.2.3.4:0"}), "port must be between 1 and 65535"),
        (Fetching(hosts={"1.2.3.4": "127.0.0.1"}), "'1.2.3.4' is not a host name"),
        (Fetching(hosts={"a b": "127.0.0.1"}), "'a b' is not a host name"),
        (Fetching(ca_file="/nowhere/ca.pem"), "fetching.ca_file is '/nowhere/ca.pem'"),
        (Fetching(ca_file=__file__), "fetching.ca_file is"),
    ],
)
def test_settings_that_cannot_be_used_are_named(settings: Fetching, blamed: str) -> None:
    with pytest.raises(SettingsError) as error:
        Fetcher(settings)
    assert blamed in str(error.value)
