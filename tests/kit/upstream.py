"""A scripted OpenAI-compatible upstream: real sockets, on a thread and event loop of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Set
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

from tests.kit.script import SECRET, Script, read
from tests.kit.wire import completion, events
from tests.upstreams.fixtures import cases

MODEL = "scripted"
"""What it says that it serves; it serves all."""
MODELS = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()
KNOWN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(MODELS),
    MODELS,
)
UNKNOWN = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Received:
    """One request that arrived, and what became of it; times are those of `time.monotonic`."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)
    sent: int = 0
    """Pieces of text written so far."""
    gone_at: float | None = None
    """When the client was seen to have left before the end."""
    ended_at: float | None = None
    """When the answer had been written."""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> bool:
        return self.ended_at is not None


class Upstream:
    """Serves `POST /v1/chat/completions` on 127.0.0.1 until it is left, and `GET /v1/models`.

    Routers ask for its `/health`, too, and for what it has not.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._received: dict[str, list[Received]] = {}
        self._resumed: set[str] = set()
        self._server: asyncio.Server | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def attempts(self, script: Script) -> list[Received]:
        """Every request that carried this script, retries included."""
        return list(self._received.get(script.id, ()))

    def received(self, script: Script) -> Received:
        """The one request that carried this script."""
        attempts = self.attempts(script)
        assert len(attempts) == 1, f"the upstream saw {len(attempts)} requests, not one"
        return attempts[0]

    def resume(self, script: Script) -> None:
        """All streams of this script go on where it pauses, at once and for good."""
        self._resumed.add(script.id)

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _request(reader):
                headers, body = request
                if isinstance(body, str):
                    writer.write(KNOWN if body in {"/v1/models", "/health"} else UNKNOWN)
                else:
                    await self._answer(headers, body, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(
        self,
        headers: dict[str, str],
        body: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        script = read(body["messages"])
        seen = Received(body, headers)
        self._received.setdefault(script.id, []).append(seen)
        try:
            now = script.at(len(self._received[script.id]) - 1)
            await _Answer(now, body, reader, writer, self._resumed).run(seen)
            seen.ended_at = time.monotonic()
        except ConnectionError:
            seen.gone_at = time.monotonic()
            raise
        finally:
            seen.done.set()


async def _request(
    reader: asyncio.StreamReader,
) -> tuple[dict[str, str], dict[str, Any] | str] | None:
    """The headers and JSON body of the next request (of a GET its path); `None` when the client
    has closed.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").split("\r\n")
    if lines[0].startswith("GET "):
        return {}, lines[0].split()[1]
    assert lines[0].startswith("POST /v1/chat/completions "), lines[0]
    pairs = (line.split(":", 1) for line in lines[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    return headers, json.loads(body)


@dataclass
class _Answer:
    """Plays one script on one connection; raises ConnectionError when the client has left."""

    script: Script
    body: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    resumed: Set[str]
    """Scripts that pause no more."""

    async def run(self, seen: Received) -> None:
        script = self.script
        await self.pause(script.delay)
        if script.replay:
            await self.replay()
        elif script.fault == "status":
            error = json.dumps(
                {"error": {"message": SECRET, "type": SECRET, "code": script.code or SECRET}}
            )
            await self.whole(script.status, "application/json", error)
        elif script.fault == "not_sse":
            await self.whole(200, "text/html", f"<html><body>{SECRET}</body></html>")
        elif not self.body.get("stream"):
            seen.sent = len(script.pieces)
            await self.pause(len(script.pieces) / script.rate if script.rate else 0)
            await self.faults()
            await self.whole(200, "application/json", json.dumps(completion(script, self.body)))
        else:
            await self.stream(seen)

    async def replay(self) -> None:
        """The bytes of a recorded case, whatever was asked for."""
        script = self.script
        body = cases()[script.replay].body(script.form)
        kind = "text/event-stream" if script.form == "stream" else "application/json"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        await self.write(head.encode())
        edges = [0, *script.cuts, len(body)]
        for begin, end in pairwise(edges):
            await self.write(b"%x\r\n%s\r\n" % (end - begin, body[begin:end]))
        self.writer.write(b"0\r\n\r\n")

    async def stream(self, seen: Received) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        await self.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for event in events(self.script, self.body):
            if self.script.fault != "none" and seen.sent == self.script.after:
                await self.faults()
                return
            await self.chunk(event.data)
            if event.is_piece:
                seen.sent += 1
                await self.pause(1 / self.script.rate if self.script.rate else 0)
                while seen.sent == self.script.pauses_at and self.script.id not in self.resumed:
                    await self.pause(0.02)
        # A client may leave as soon as it has read [DONE]: that is no disconnect.
        self.writer.write(b"0\r\n\r\n")

    async def faults(self) -> None:
        """Do what the script says goes wrong, if anything, and end the answer there."""
        match self.script.fault:
            case "reset":
                # Lingering for 0 s turns the close into a reset.
                linger = struct.pack("ii", 1, 0)
                sock: socket.socket = self.writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.writer.transport.abort()
            case "truncate":
                await self.write(b"0\r\n\r\n")
            case "garbage":
                await self.chunk(f"data: {{{SECRET}\n\n".encode())
                await self.write(b"0\r\n\r\n")
            case "error_event":
                code = self.script.code
                error = {"message": SECRET, "code": code} if code else SECRET
                await self.chunk(b"data: " + json.dumps({"error": error}).encode() + b"\n\n")
                await self.write(b"0\r\n\r\n")

    async def whole(self, status: int, kind: str, body: str) -> None:
        data = body.encode()
        head = f"HTTP/1.1 {status} Scripted\r\nContent-Type: {kind}\r\n"
        await self.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    async def chunk(self, data: bytes) -> None:
        parts = [data[i : i + 1] for i in range(len(data))]
        for part in parts if self.script.wire == "bytewise" else [data]:
            await self.write(b"%x\r\n%s\r\n" % (len(part), part))

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        # Lets each write leave by itself, so that the reader sees the cuts that were meant.
        await asyncio.sleep(0)
        self.look()

    async def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.02))
            self.look()

    def look(self) -> None:
        if self.reader.at_eof() or self.reader.exception() or self.writer.is_closing():
            raise ConnectionError("the client has left")
