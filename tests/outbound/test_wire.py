"""What servers may send, and how: over raw sockets, on the loop of the service."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.outbound.scripted import OK, Line, Play, answering, hanging, on_both_loops, scripted
from xinghe.outbound import Broken, CallFailed, Client, Refused, Response, Silent, Unreachable

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = 16 * 1024 * 1024


@asynccontextmanager
async def client(silence: float = 5, connect: float = 2, **options: float) -> AsyncIterator[Client]:
    made = Client(connect, silence, **options)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.aclose()


async def asked(at: Client, url: str, body: bytes | None = b"{}") -> bytes:
    return await at.fetch("POST", url, headers={}, body=body, most=2 * LARGE)


@pytest.mark.parametrize(
    ("answer", "said", "kept"),
    [
        (HEAD + b"Content-Length: 2\r\nX-Empty:\r\n\r\nok", b"ok", True),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
        (HEAD + b"\r\nto the end", b"to the end", False),
        (HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end", False),
        (
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
            b"ok",
            True,
        ),
        (CHUNKED + b"1;x=y\r\no\r\n1  \r\nk\r\n0\r\nX-After: 1\r\n\r\n", b"ok", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK, b"ok", True),
        (HEAD + b"Content-Encoding: identity\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
        (OK + OK, b"ok", False),
        (OK + b"\0", b"ok", False),
    ],
)
@on_both_loops
async def test_answers_of_every_form(answer: bytes, said: bytes, kept: bool) -> None:
    """The next request goes on the same connection only where the answer has a sure end."""
    ends = b"\r\n\r\nto" in answer
    play = answering(answer) if ends else hanging(answer, OK)
    async with scripted(play) as stand, client() as at:
        assert await asked(at, stand.url) == said
        assert (await asked(at, stand.url))[:2] in (b"ok", b"to")
        assert stand.lines == (1 if kept else 2)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        HEAD + b"X-Field: 1\r\n" * 65 + b"\r\n",
        HEAD + b"X-Long: " + b"x" * 9000 + b"\r\n\r\n",
        HEAD + b"X-" + b"y" * 9000 + b": x\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 300_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 12_000,
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
        HEAD + b"Content-Encoding: identity\r\nContent-Encoding: br\r\nContent-Length: 0\r\n\r\n",
        CHUNKED + b"4\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nok!\r\n0\r\n\r\n",
        CHUNKED + b"zz\r\nok\r\n",
        CHUNKED + b"2;" + b"x" * 300_000,
        CHUNKED + b"2\r\nok\r\n0\r\n" + b"X: y\r\n" * 65,
    ],
)
@on_both_loops
async def test_what_is_no_answer_is_found_out_at_once(answer: bytes) -> None:
    """Though the server goes on listening, and no time limit is near."""
    async with scripted(hanging(answer)) as stand, client(600) as at:
        with pytest.raises(Broken):
            async with asyncio.timeout(10):
                await asked(at, stand.url)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"", Unreachable),
        (HEAD, Unreachable),
        (HEAD + b"Content-Length: 3\r\n\r\nok", Broken),
        (CHUNKED + b"2\r\nok\r\n", Broken),
    ],
)
@on_both_loops
async def test_a_connection_that_ends_before_the_answer(
    answer: bytes, failure: type[CallFailed]
) -> None:
    async with scripted(answering(answer)) as stand, client() as at:
        with pytest.raises(failure, match="Closed"):
            await asked(at, stand.url)


@pytest.mark.parametrize(
    "answer", [b"", HEAD + b"X: ", HEAD + b"Content-Length: 3\r\n\r\nok", CHUNKED + b"2\r\nok\r\n"]
)
@on_both_loops
async def test_who_falls_silent(answer: bytes) -> None:
    async with scripted(hanging(answer)) as stand, client(0.1) as at:
        with pytest.raises(Silent):
            await asked(at, stand.url)


@on_both_loops
async def test_a_head_that_never_ends() -> None:
    async def play(line: Line) -> None:
        await line.request()
        line.say(HEAD)
        while not line.reader.at_eof():
            line.say(b"x")
            await asyncio.sleep(0.01)

    async with scripted(play) as stand, client(0.2) as at:
        with pytest.raises(Silent):
            await asked(at, stand.url)


@on_both_loops
async def test_no_redirect_is_followed_and_no_cookie_kept() -> None:
    away = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with scripted(hanging(away, OK)) as stand, client() as at:
        with pytest.raises(Refused, match="302"):
            await asked(at, stand.url)
        assert await asked(at, stand.url) == b"ok"
        assert stand.lines == 1
        assert b"ookie" not in stand.heads[1]
        assert stand.heads[1].startswith(b"POST / HTTP/1.1\r\n")


@on_both_loops
async def test_who_says_a_lot_is_not_read_faster_than_it_is_taken() -> None:
    sent = 0
    full = asyncio.Event()

    async def play(line: Line) -> None:
        nonlocal sent
        await line.request()
        line.say(HEAD + b"Content-Length: %d\r\n\r\n" % LARGE)
        while sent < LARGE:
            line.say(bytes(65536))
            sent += 65536
            try:
                async with asyncio.timeout(0.2):
                    await line.writer.drain()
            except TimeoutError:
                full.set()
                await line.writer.drain()
        await line.left()

    async with scripted(play) as stand, client() as at:
        with await at.send("POST", stand.url, headers={}) as answer:
            await full.wait()
            assert sent < LARGE
            assert len(await answer.whole(LARGE)) == LARGE


@on_both_loops
async def test_what_nobody_wanted_to_read_is_in_nobody_s_way() -> None:
    """Though it was more than is read ahead, and reading had stopped for it."""
    big = HEAD + b"Content-Length: 100000\r\n\r\n" + bytes(100_000)
    async with scripted(hanging(big, OK)) as stand, client() as at:
        with await at.send("POST", stand.url, headers={}):
            await asyncio.sleep(0.1)
        assert await asked(at, stand.url) == b"ok"
        assert stand.lines == 1


@on_both_loops
async def test_what_comes_in_a_pause_is_read_at_once() -> None:
    said = asyncio.Event()

    async def play(line: Line) -> None:
        await line.request()
        line.say(CHUNKED + b"1\r\na\r\n")
        await said.wait()
        for piece in (b"b", b"c", b"d"):
            line.say(b"1\r\n" + piece + b"\r\n")
            await line.writer.drain()
            await asyncio.sleep(0.01)
        await line.left()

    async with scripted(play) as stand, client() as at:
        with await at.send("POST", stand.url, headers={}) as answer:
            assert await answer.read() == b"a"
            said.set()
            await answer.pause(0.2)
            assert await answer.read() == b"bcd"


@on_both_loops
async def test_a_long_body_is_written_as_it_is_taken() -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def play(line: Line) -> None:
        while True:
            await line.request()
            line.say(OK)

    async with scripted(play) as stand, client() as at:
        turning = asyncio.create_task(turn())
        assert await asked(at, stand.url, bytes(LARGE)) == b"ok"
        turning.cancel()
        assert turns > LARGE // (8 * 65536)
        assert await asked(at, stand.url, bytes(LARGE)) == b"ok"
        assert stand.lines == 1


@pytest.mark.parametrize("pieces", [5, 7])
@on_both_loops
async def test_a_long_body_is_sent_when_its_last_piece_is(pieces: int) -> None:
    """Be it the last of as many as are written at once, or not: no answer has to come before."""

    async def play(line: Line) -> None:
        await line.request()
        await line.left()

    async with scripted(play) as stand, client(silence=1) as at:
        with await at.start("POST", stand.url, headers={}, body=bytes(pieces * 65536)):
            await asyncio.sleep(0)


@pytest.mark.parametrize("refuses", [True, False])
@on_both_loops
async def test_an_answer_that_comes_before_all_of_the_body_was_sent(refuses: bool) -> None:
    """Who begins to answer may still read on; who refuses need not."""
    early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"

    async def play(line: Line) -> None:
        while True:
            await line.reader.readuntil(b"\r\n\r\n")
            line.say(early if refuses else CHUNKED)
            if refuses:
                await asyncio.sleep(0.1)
                return await line.left()
            await line.reader.readexactly(LARGE)
            line.say(b"2\r\nok\r\n0\r\n\r\n")

    async with scripted(play) as stand, client() as at:
        for _ in range(2):
            if refuses:
                with pytest.raises(Refused, match="413"):
                    await asked(at, stand.url, bytes(LARGE))
            else:
                assert await asked(at, stand.url, bytes(LARGE)) == b"ok"
        assert stand.lines == (2 if refuses else 1)


@on_both_loops
async def test_who_leaves_is_noticed_whatever_is_going_on() -> None:
    """Before the head, in the midst of the body, and while a long body is being sent."""
    gone = asyncio.Semaphore(0)

    async def play(line: Line, said: bytes) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        line.say(said)
        await asyncio.sleep(0.1)
        await line.left()
        gone.release()

    async def call(at: Client, url: str, body: bytes) -> None:
        with await at.send("POST", url, headers={}, body=body) as answer:
            while await answer.read():
                pass

    for said, body in ((b"HT", b"{}"), (CHUNKED + b"1\r\na\r\n", b"{}"), (b"", bytes(LARGE))):
        async with scripted(functools.partial(play, said=said)) as stand, client() as at:
            calling = asyncio.create_task(call(at, stand.url, body))
            await asyncio.sleep(0.05)
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            async with asyncio.timeout(5):
                await gone.acquire()


@pytest.mark.parametrize(
    ("then", "kept"), [(b"0\r\n\r\n", True), (b"1\r\nb\r\n", False), (b"", False)]
)
@on_both_loops
async def test_the_end_may_come_after_all_was_said(then: bytes, kept: bool) -> None:
    async def play(line: Line) -> None:
        for _ in range(2):
            await line.request()
            line.say(CHUNKED + b"1\r\na\r\n")
            await asyncio.sleep(0.02)
            line.say(then)
        await line.left()

    async with scripted(play) as stand, client(limit=1) as at:
        for number in range(2):
            with await at.send("POST", stand.url, headers={}) as answer:
                assert await answer.read() == b"a"
            await asyncio.sleep(0.3)
            assert stand.lines == (1 if kept else number + 1)


@on_both_loops
async def test_an_idle_connection_is_dropped_in_time() -> None:
    left = asyncio.Event()

    async def play(line: Line) -> None:
        await hanging(OK)(line)
        left.set()

    async with scripted(play) as stand, client(idle=0.1) as at:
        assert await asked(at, stand.url) == b"ok"
        async with asyncio.timeout(5):
            await left.wait()
        assert await asked(at, stand.url) == b"ok"
        assert stand.lines == 2


@on_both_loops
async def test_no_more_connections_than_the_limit() -> None:
    """Whoever leaves the line, or fails, leaves its place to the next."""
    async with scripted(hanging(*[OK] * 4)) as stand, client(0.3, 0.3, limit=1) as at:

        async def held() -> Response:
            return await at.send("POST", stand.url, headers={})

        first = await held()
        with first:
            waiting = [asyncio.create_task(asked(at, stand.url)) for _ in range(3)]
            await asyncio.sleep(0.05)
            waiting[0].cancel()
            assert stand.lines == 1
            assert await first.whole(10) == b"ok"
        assert await asyncio.gather(*waiting[1:]) == [b"ok", b"ok"]
        assert stand.lines == 1
        with pytest.raises(Unreachable):
            await asked(at, "http://127.0.0.1:1")
        with await held(), pytest.raises(Silent):
            await asked(at, stand.url)


@on_both_loops
async def test_a_closed_client_drops_what_is_at_work() -> None:
    async with scripted(hanging(CHUNKED + b"1\r\na\r\n")) as stand, client() as at:
        with await at.send("POST", stand.url, headers={}) as answer:
            assert await answer.read() == b"a"
            await at.aclose()
            with pytest.raises(Broken):
                await answer.read()


@pytest.mark.parametrize("name", ["X\r\nY", "X"])
@on_both_loops
async def test_a_header_cannot_bring_another(name: str) -> None:
    play: Play = hanging(OK)
    async with scripted(play) as stand, client() as at:
        with pytest.raises(Broken, match="ValueError"):
            await at.send("GET", stand.url, headers={name: "a\r\nb"})
        assert stand.lines == 0
