"""A server that breaks its word in every way that we know of; the request's text names the way.

It serves chat, embeddings, rerank, images and moderation. What it says quotes the key and the
prompt that it was sent, and a text of its own.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from PIL import Image

KEY = "sk-planted-5e1f"
MARKER = "prompt-marker-7f3a"
OWN_TEXT = "text-of-upstream-9c1d"
RESET, HANG = "reset", "hang"

Step = bytes | str | float
"""Bytes to write, seconds to wait, `RESET`, or `HANG` until the client leaves."""

OPERATIONS = {
    "chat": "chat/completions",
    "embeddings": "embeddings",
    "rerank": "rerank",
    "images": "images/generations",
    "moderations": "moderations",
}
_ORDER = re.compile(rb"fault=(\w+) at=(\w+)")
_QUOTE = f"{OWN_TEXT} Bearer {KEY} {MARKER}"
_SAID = _QUOTE.encode()
_ERROR = {"error": {"message": _QUOTE, "code": KEY, "type": MARKER, "param": OWN_TEXT}}
_OPEN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
_CHUNKED = _OPEN.replace(b"Connection: close", b"Transfer-Encoding: chunked")


def order(fault: str, operation: str, more: str = "") -> str:
    """A text that makes the server do so, wherever it arrives; other operations work."""
    return f"{MARKER} fault={fault} at={operation} {more}"


def _refusal(status: int, *fields: str) -> list[Step]:
    body = json.dumps(_ERROR).encode()
    lines = [f"HTTP/1.1 {status} {_QUOTE}", f"Content-Length: {len(body)}", *fields, "", ""]
    return ["\r\n".join(lines).encode() + body]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


FAULTS: dict[str, Sequence[Step]] = {
    "close": [],
    "reset": [RESET],
    "reset_in_head": [b"HTTP/1.1 200 OK\r\nX: " + _SAID, 0.05, RESET],
    "reset_in_body": [_OPEN + b'data: {"' + _SAID, 0.05, RESET],
    "end_in_head": [b"HTTP/1.1 200 OK\r\nX: " + _SAID],
    "cut_short": [b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + _SAID],
    "no_http": [_SAID + b"\r\n\r\n"],
    "status_line": [b"HTTP/1.1 2x0 " + _SAID + b"\r\n\r\n"],
    "field_without_colon": [b"HTTP/1.1 200 OK\r\n" + _SAID + b"\r\n\r\n"],
    "field_of_1_mb": [b"HTTP/1.1 200 OK\r\nX: " + _SAID * 18_000 + b"\r\n\r\n"],
    "many_fields": [b"HTTP/1.1 200 OK\r\n" + (b"X: " + _SAID + b"\r\n") * 15_000 + b"\r\n"],
    "two_lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + _SAID],
    "length": [b"HTTP/1.1 200 OK\r\nContent-Length: " + _SAID + b"\r\n\r\n"],
    "chunk_size": [_CHUNKED + _chunk(b": " + _SAID), 0.05, b"zzz\r\n", HANG],
    "chunk_size_with_text": [_CHUNKED, 0.05, _SAID + b"\r\n", HANG],
    "no_end_of_chunk": [_CHUNKED, 0.05, b"3\r\n" + _SAID + b"\r\n", HANG],
    "redirect": _refusal(307, "Location: /stolen"),
    "found": _refusal(302, f"Location: http://{KEY}.invalid/"),
    "accepted": _refusal(202),
    "no_content": [b"HTTP/1.1 204 " + _SAID + b"\r\n\r\n"],
    "refusal_400": _refusal(400),
    "refusal_401": _refusal(401, f"WWW-Authenticate: {_QUOTE}"),
    "refusal_404": _refusal(404),
    "full": _refusal(429, f"Retry-After: {_QUOTE}"),
    "broken_500": _refusal(500),
    "silent": [HANG],
    "silent_in_body": [_OPEN + b'data: {"x":"' + _SAID, HANG],
    "gzip": [_OPEN.replace(b"Connection", b"Content-Encoding: gzip\r\nConnection") + _SAID * 9],
    "deep": [_OPEN + b'data: {"choices": ' + b"[" * 200_000 + b"\n\n"],
    "large": [_OPEN + b'data: {"choices": "' + _SAID * 90_000 + b'"}\n\n'],
    "cookie": [b"HTTP/1.1 200 OK\r\nSet-Cookie: a=" + _SAID + b"\r\nConnection: close\r\n\r\n{}"],
}
"""The same whatever was asked for."""

_HUGE = 10**30
BODIES: dict[str, bytes] = {
    "no_json": b"{" + _SAID,
    "no_utf8": b'{"choices":[{"delta":{"content":"\xff' + _SAID + b'"}}]}',
    "surrogate": b'{"choices":[{"delta":{"content":"\\ud800' + _SAID + b'"}}]}',
    "wrong_types": json.dumps(dict.fromkeys(["choices", "data", "results"], _QUOTE)).encode(),
    "wrong_items": json.dumps(
        {name: [{"delta": _QUOTE, "embedding": 1}] for name in ("choices", "data", "results")}
    ).encode(),
    "error": json.dumps(_ERROR).encode(),
    "error_text": json.dumps({"error": _QUOTE}).encode(),
    "left_off": json.dumps({"choices": [{"delta": {}, "finish_reason": "error"}]}).encode(),
    "counts": json.dumps(
        {
            "choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": _HUGE, "completion_tokens": _HUGE},
            "data": [{"index": _HUGE, "embedding": [1e300]}],
            "results": [{"index": _HUGE, "relevance_score": 1e300, "flagged": False}],
        }
    ).encode(),
    "negative": json.dumps(
        {
            "choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": -5, "completion_tokens": -5},
            "data": [{"index": -1, "embedding": []}],
            "results": [{"index": -1, "relevance_score": -1e300, "flagged": True}],
        }
    ).encode(),
}
"""Whole answers, and the events of a chat's."""


class Hostile:
    """The server, on a thread of its own; `paths` are those that were asked for."""

    def __init__(self) -> None:
        self.origin = ""
        self.paths: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

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

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.origin = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            self.paths.append(path)
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            for step in _answer(path, body):
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                elif isinstance(step, float):
                    await asyncio.sleep(step)
                elif step == HANG:
                    await reader.read()
                else:
                    held: socket.socket = writer.get_extra_info("socket")
                    linger = struct.pack("ii", 1, 0)
                    held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def _answer(path: str, body: bytes) -> Sequence[Step]:
    asked = next((name for name, tail in OPERATIONS.items() if tail in path), "")
    wanted = _ORDER.search(body)
    if wanted and wanted[2].decode() == asked:
        fault = wanted[1].decode()
        if fault in FAULTS:
            return FAULTS[fault]
        return [_OPEN + _written(asked, BODIES[fault])]
    return [_OPEN + _written(asked, json.dumps(GOOD[asked](json.loads(body))).encode())]


def _written(operation: str, body: bytes) -> bytes:
    return b"data: " + body + b"\n\ndata: [DONE]\n\n" if operation == "chat" else body


def _drawn(body: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    width, height = map(int, body["size"].split("x"))
    Image.new("RGB", (width, height), "red").save(file, "PNG")
    return {"data": [{"b64_json": base64.b64encode(file.getvalue()).decode()}]}


GOOD: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "chat": lambda _: {"choices": [{"delta": {"content": "good"}, "finish_reason": "stop"}]},
    "embeddings": lambda body: {
        "data": [{"index": at, "embedding": [0.6, 0.8]} for at, _ in enumerate(body["input"])]
    },
    "rerank": lambda body: {
        "results": [{"index": at, "relevance_score": 0.5} for at, _ in enumerate(body["documents"])]
    },
    "images": _drawn,
    "moderations": lambda _: {"results": [{"flagged": False}]},
}
