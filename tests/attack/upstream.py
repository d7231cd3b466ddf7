"""The hostile upstream, a process of its own: `python -m tests.attack.upstream` says its port.

A text with `hurt:<place>:<fault>` gets that fault at that place; anything else a right answer.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import socket
import struct
from contextlib import suppress
from functools import cache

from PIL import Image

from tests.attack.faults import CHAT, WIRE, End, Fault, Place, answer, event, sized

PLACES = {
    "/v1/chat/completions": "chat",
    "/v1/embeddings": "embeddings",
    "/v1/images/generations": "images",
    "/v1/moderations": "moderation",
}
ORDER = re.compile(rb"hurt:(\w+):(\w+)")


@cache
def _drawn() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (1024, 1024), "navy").save(file, "PNG")
    encoded = base64.b64encode(file.getvalue()).decode()
    return json.dumps({"created": 1, "data": [{"b64_json": encoded}]}).encode()


def _right(place: str, body: bytes) -> bytes:
    if place == "chat":
        return event({"content": "好。"})
    if place == "images":
        return _drawn()
    if place == "moderation":
        return b'{"results":[{"flagged":false,"categories":{}}]}'
    texts = json.loads(body).get("input", [])
    data = [{"index": n, "embedding": [0.5] * 8} for n in range(len(texts))]
    return json.dumps({"data": data, "usage": {"prompt_tokens": 3}}).encode()


class Hostile:
    """Serves one connection after the other; `stolen` counts those who followed a redirect."""

    def __init__(self) -> None:
        self.url = ""
        self.stolen = 0

    async def run(self) -> None:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        print(self.url, flush=True)
        async with server:
            await server.serve_forever()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            with suppress(ConnectionError):
                writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1])) if length else b""
        path = head.split(" ")[1]
        if path == "/stolen":
            self.stolen += 1
        if path == "/tally":
            await _written(writer, sized(json.dumps({"stolen": self.stolen}).encode()))
            return True
        place = PLACES.get(path, "")
        seen = Place(path, b'"stream":true' in body, b"{}", self.url)
        if place:
            seen = Place(path, b'"stream":true' in body, _right(place, body), self.url)
        for step in _fault(place, body)(seen):
            if isinstance(step, bytes):
                await _written(writer, step)
            elif isinstance(step, float):
                await _pause(reader, step)
            else:
                _end(writer, step)
                return False
        return True


def _fault(place: str, body: bytes) -> Fault:
    order = ORDER.search(body)
    if order is None or order[1].decode() != place:
        return answer
    name = order[2].decode()
    return WIRE[name] if name in WIRE else CHAT[name]


async def _written(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
    # Each write leaves by itself, so that the reader sees the cuts that were meant.
    await asyncio.sleep(0)


async def _pause(reader: asyncio.StreamReader, seconds: float) -> None:
    """Wait, but not for one who has left."""
    if seconds < 1:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            if not await reader.read(1):
                raise ConnectionResetError


def _end(writer: asyncio.StreamWriter, how: End) -> None:
    if how is End.RESET:
        sock: socket.socket = writer.get_extra_info("socket")
        # Lingering for 0 s turns the close into a reset.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


if __name__ == "__main__":
    os.nice(5)
    asyncio.run(Hostile().run())
