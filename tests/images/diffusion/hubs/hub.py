"""What the two hubs have in common: one repository, and a storage that its large files lie in."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler

NAME = "someone/sdxl"
TOKEN = "a-token"
"""Who sends it may read a repository that is closed."""
LARGE = (".safetensors", ".bin")
"""What is stored apart, as git-lfs does it: the hub redirects to it."""


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their paths in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Hub(ABC):
    """`brought` are the files whose bytes were asked for, with the Range header in case.

    `cuts`: that many large files are broken off halfway by a reset of the connection.
    `closed`: why only who has `TOKEN` may read the repository; empty: everybody may.
    `agents` is what the clients called themselves.
    """

    def __init__(self, files: Mapping[str, bytes], name: str = NAME) -> None:
        self.files = files
        self.name = name
        self.url = ""
        self.brought: list[tuple[str, str | None]] = []
        self.cuts = 0
        self.closed = ""
        self.agents: list[str] = []

        @web.middleware
        async def listen(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.agents.append(request.headers.get("User-Agent", ""))
            return await handler(request)

        application = web.Application(middlewares=[listen])
        application.router.add_get("/storage/{sha256}", self._stored)
        self.route(application.router)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)

    @abstractmethod
    def route(self, router: web.UrlDispatcher) -> None:
        """Add what this hub's client calls."""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        """From now on nothing answers at `url`."""
        await self._runner.cleanup()

    @property
    def paths(self) -> list[str]:
        """What was brought, sorted."""
        return sorted(path for path, _ in self.brought)

    def bars(self, request: web.Request) -> bool:
        """Whether it is closed to who sent this."""
        return bool(self.closed) and request.headers.get("Authorization") != f"Bearer {TOKEN}"

    def storage(self, path: str) -> str:
        """The address of a large file: another host, as real ones have."""
        return f"{self.url.replace('127.0.0.1', 'localhost')}/storage/{sha256(self.files[path])}"

    def content(self, request: web.Request, path: str) -> web.Response:
        """A small file, whole whatever range was asked for."""
        self.brought.append((path, request.headers.get("Range")))
        return web.Response(body=self.files[path], content_type="application/octet-stream")

    async def _stored(self, request: web.Request) -> web.StreamResponse:
        assert "Authorization" not in request.headers, "a token is for the hub alone"
        wanted = request.match_info["sha256"]
        (path,) = (path for path, data in self.files.items() if sha256(data) == wanted)
        asked, data = request.headers.get("Range"), self.files[path]
        self.brought.append((path, asked))
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        response = web.StreamResponse(status=206 if asked else 200)
        response.content_length = len(data) - start
        response.headers["ETag"] = f'"{wanted}"'
        if asked:
            response.headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        await response.prepare(request)
        if self.cuts:
            self.cuts -= 1
            await response.write(data[start : start + len(data) // 2])
            await asyncio.sleep(0.1)  # what was written arrives before the reset
            reset(request)
            return response
        await response.write(data[start:])
        await response.write_eof()
        return response


def reset(request: web.Request) -> None:
    """Break off as a failing network does, not by a close in good order."""
    assert request.transport is not None
    connection = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
