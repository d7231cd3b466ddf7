"""A server with `POST /embeddings` and `POST /rerank`, on real sockets, that does as it is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


def vector(text: str, size: int = 8) -> list[float]:
    """Of a length other than 1, and another one for every text."""
    return [float(byte) for byte in hashlib.sha256(text.encode()).digest()[:size]]


TEXTS = {
    "json": "<html>",
    "nan": '{"data":[{"index":0,"embedding":[NaN]}]}',
    "deep": '{"data":' + "[" * 100_000,
    "deep vector": '{"data":[{"index":0,"embedding":' + "[" * 100_000,
    "deep elsewhere": '{"x":' + "[" * 5000 + "]" * 5000 + ',"data":[]}',
}
"""Whole answers."""
VECTORS: dict[str, Any] = {
    "huge": [1e300] * 8,
    "ragged": [1.0],
    "base64": "!!!",
    "base64 beyond ASCII": "好" * 100,
    "infinite": base64.b64encode(array("f", [math.inf]).tobytes()).decode(),
    "dimensions": [0.5] * 1_000_000,
}
"""In the place of one."""


class Upstream:
    """`answers` are HTTP statuses to give before it works; `spoil` says what is wrong then."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[int] = []
        self.error = "secret"
        """What an answer of these says."""
        self.spoil = ""
        self.encoding = "float"
        self.largest = False
        """Whether floats have as many digits as JSON gives them."""
        self.scores = {"坏": 0.25, "好": 1.0}
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def embeddings(self, request: web.Request) -> web.Response:
        body = await self._received(request)
        if self.answers:
            return self._refused()
        await self.hold.wait()
        data: list[dict[str, Any]] = []
        for index, text in enumerate(body["input"]):
            made: Any = vector(text, body.get("dimensions", 8))
            if self.largest:
                made = [-2.2250738585072014e-38] * body["dimensions"]
            if self.encoding == "base64":
                made = base64.b64encode(array("f", made).tobytes()).decode()
            data.insert(0, {"object": "embedding", "index": index, "embedding": made})
        return self._spoiled(data)

    def _refused(self) -> web.Response:
        headers = {"Retry-After": "7"}
        return web.Response(status=self.answers.pop(0), text=self.error, headers=headers)

    def _spoiled(self, data: list[dict[str, Any]]) -> web.Response:
        if text := TEXTS.get(self.spoil):
            return web.Response(text=text)
        if self.spoil in VECTORS:
            data[0]["embedding"] = VECTORS[self.spoil]
        match self.spoil:
            case "bare":
                data = [
                    {"index": float(at), "embedding": [each["embedding"]]}
                    for at, each in enumerate(data[::-1])
                ]
            case "mark":
                return web.Response(text="\ufeff" + json.dumps({"data": data}))
            case "missing":
                data.pop()
            case "twice":
                data[0]["index"] = data[-1]["index"]
            case "index":
                data[0]["index"] = 10**30
            case "many":
                data *= 100_000
            case "empty":
                data = [{**each, "embedding": []} for each in data]
        return web.json_response({"object": "list", "data": data})

    async def rerank(self, request: web.Request) -> web.Response:
        body = await self._received(request)
        if self.answers:
            return self._refused()
        ranked = [
            {"index": index, "relevance_score": self.scores[text]}
            for index, text in enumerate(body["documents"])
        ]
        if self.spoil == "missing":
            ranked.pop()
        if self.spoil == "bare":
            return web.json_response(
                [{"score": each["relevance_score"], "index": each["index"]} for each in ranked]
            )
        return web.json_response({"results": ranked[::-1]})

    async def _received(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.bodies.append(body)
        self.keys.append(request.headers.get("Authorization"))
        return body


@asynccontextmanager
async def serving() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    app = web.Application()
    app.router.add_post("/v1/embeddings", upstream.embeddings)
    app.router.add_post("/v1/rerank", upstream.rerank)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    upstream.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield upstream
    finally:
        await runner.cleanup()
