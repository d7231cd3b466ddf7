"""A web server on loopback whose every byte a test decides; it counts the connections it gets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Play = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Stage:
    """`plays` answers a path; `heads` are the requests as they came."""

    port: int = 0
    plays: dict[str, Play] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            await self.plays[head.split(" ")[1]](writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test has
        finally:
            writer.close()


@asynccontextmanager
async def staged(
    host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Stage]:
    """A stage that listens on `host`."""
    stage = Stage()
    server = await asyncio.start_server(stage.serve, host, 0, ssl=tls)
    stage.port = server.sockets[0].getsockname()[1]
    try:
        yield stage
    finally:
        server.close()


def raw(*pieces: bytes, pause: float = 0.0) -> Play:
    """Sends the pieces, `pause` seconds apart."""

    async def play(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return play


def answer(body: bytes, *headers: str, status: str = "200 OK") -> Play:
    """A whole answer with its right length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return raw("\r\n".join(lines).encode() + body)


def redirect(location: str) -> Play:
    return answer(b"", f"Location: {location}", status="302 Found")


def endless(head: bytes, piece: bytes, pause: float = 0.0) -> Play:
    """Sends `head`, then `piece` for ever."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return play
