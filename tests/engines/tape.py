"""A server that plays prepared bytes: what a peer may send that no well-behaved one does."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
RESET = "reset"
HANG = "hang"

Step = bytes | float | str
"""Bytes to write; seconds to wait; `RESET`; `HANG` until the client leaves. The end closes."""


def chunk(
    content: str | None = None, finish: str | None = None, usage: dict[str, Any] | None = None
) -> bytes:
    """One event of an OpenAI stream with one choice."""
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return event({"choices": [choice], "usage": usage})


def event(body: object) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def refusal(status: int, body: bytes, *headers: str) -> bytes:
    """A whole answer that is no stream."""
    lines = [f"HTTP/1.1 {status} No", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Tape:
    """Answers the n-th request with the n-th list of steps, and the rest with the last."""

    def __init__(self, *answers: Sequence[Step]) -> None:
        self._answers = answers
        self.requests: list[dict[str, Any]] = []
        self.heads: list[bytes] = []
        self.asked = asyncio.Event()
        """A request has arrived."""
        self.left = asyncio.Event()
        """A client was seen to leave while a step hung."""
        self.url = ""
        self.probed = refusal(404, b"")
        """What probes are told: somebody is there."""

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET "):
            writer.write(self.probed)
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        self.requests.append(json.loads(await reader.readexactly(length)))
        self.heads.append(head)
        self.asked.set()
        steps = self._answers[min(len(self.requests), len(self._answers)) - 1]
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
                await asyncio.sleep(0)
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif step == HANG:
                await reader.read()
                self.left.set()
            else:
                linger = struct.pack("ii", 1, 0)
                held: socket.socket = writer.get_extra_info("socket")
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                raise ConnectionError
        if steps and isinstance(steps[0], bytes) and b"Content-Length" not in steps[0]:
            raise ConnectionError("only the end of the connection ends such an answer")
        if not steps:
            raise ConnectionError("closed without a word")


@asynccontextmanager
async def playing(*answers: Sequence[Step]) -> AsyncIterator[Tape]:
    """A tape at `url`, until the block is left."""
    tape = Tape(*answers)
    server = await asyncio.start_server(tape.play, "127.0.0.1", 0)
    tape.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield tape
    finally:
        server.close()
