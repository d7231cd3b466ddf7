"""A server of raw bytes: what each of its connections does is a coroutine of the test."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, ParamSpec

import uvloop

P = ParamSpec("P")

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Play = Callable[["Line"], Awaitable[None]]


def on_both_loops(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run on the loop of the service, and on that of the commands."""

    @functools.wraps(test)
    def run(*args: P.args, **options: P.kwargs) -> None:
        for factory in (uvloop.new_event_loop, asyncio.new_event_loop):
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(test(*args, **options))

    return run


@dataclass
class Line:
    """One connection; `heads` are those that came on any of its server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heads: list[bytes]

    async def request(self) -> bytes:
        """The next head, with the body read and thrown away."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
        await self.reader.readexactly(int(length[0].partition(b":")[2]) if length else 0)
        return head

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def left(self) -> None:
        """Wait until the client has closed it."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


@dataclass
class Stand:
    port: int = 0
    lines: int = 0
    heads: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def scripted(play: Play, tls: ssl.SSLContext | None = None) -> AsyncIterator[Stand]:
    """Play so on every connection; its end closes it."""
    stand = Stand()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stand.lines += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await play(Line(reader, writer, stand.heads))
        with suppress(RuntimeError):  # the loop is closed
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as listener:
        stand.port = listener.sockets[0].getsockname()[1]
        yield stand


def answering(*answers: bytes) -> Play:
    """The n-th request of a connection gets the n-th answer; after the last it is closed."""

    async def play(line: Line) -> None:
        for answer in answers:
            await line.request()
            line.say(answer)

    return play


def hanging(*answers: bytes) -> Play:
    """The same, but the client has to close it."""

    async def play(line: Line) -> None:
        await answering(*answers)(line)
        await line.left()

    return play
