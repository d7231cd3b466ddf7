"""A hub on this machine that serves one file, well or badly."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from aiohttp import web


class Hub:
    """Answers every path with `content`; what it does wrong is set before a request.

    `cuts`: how many bytes each of the next requests gets before its connection breaks.
    `pause`: seconds between two chunks. `requests` keeps the Range header of each request.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag = '"one"'
        self.ranges = True
        self.cuts: list[int] = []
        self.pause = 0.0
        self.chunk = 64 * 1024
        self.held_at = len(content)
        """From here on a download waits for `go`."""
        self.go = asyncio.Event()
        self.requests: list[str | None] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.go.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        asked = request.headers.get("Range")
        self.requests.append(asked)
        start, status, total = 0, 200, len(self.content)
        if asked and self.ranges and request.headers.get("If-Range") in {None, self.etag}:
            start, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            if start >= total:
                return web.Response(status=416, headers={"Content-Range": f"bytes */{total}"})
        response = web.StreamResponse(status=status, headers={"ETag": self.etag})
        response.content_length = total - start
        if status == 206:
            response.headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        await response.prepare(request)
        left = self.cuts.pop(0) if self.cuts else None
        for position in range(start, total, self.chunk):
            if position >= self.held_at:
                await self.go.wait()
            chunk = self.content[position : position + self.chunk]
            if left is not None and len(chunk) > left:
                await response.write(chunk[:left])
                assert request.transport is not None
                await asyncio.sleep(0.05)
                request.transport.close()
                return response
            left = None if left is None else left - len(chunk)
            await response.write(chunk)
            if self.pause:
                await asyncio.sleep(self.pause)
        await response.write_eof()
        return response
