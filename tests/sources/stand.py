"""Servers on this machine that stand in for those of the world: real sockets, their paths, JSON.

A hub (ModelScope's paths and Hugging Face's), an Ollama (its three endpoints and OpenAI's), a
server of OpenAI's kind. What they do wrong is set before a request.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
from collections.abc import Callable
from io import BytesIO
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from PIL import Image

KEY = "sk-stand-0123456789abcdef"


class Stand:
    """An application on a thread and event loop of its own, on a free port of 127.0.0.1."""

    def __init__(self, routes: Callable[[web.Application], None]) -> None:
        self._application = web.Application()
        routes(self._application)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner = web.AppRunner(self._application, shutdown_timeout=0.1)
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
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"


class OpenAI(Stand):
    """A server with OpenAI's operations under `/v1`; `models` are those it lists and knows.

    `chats` and `embeds` are what it can do; with a `key` it answers nobody without it.
    """

    def __init__(self, *models: str | dict[str, Any], key: str = "") -> None:
        super().__init__(self._routes)
        self.models = [each if isinstance(each, dict) else {"id": each} for each in models]
        self.key = key
        self.asked: list[dict[str, Any]] = []
        self.not_chat: set[str] = set()
        self.wants_completion_tokens = False
        self.silent = False
        self.says = ["星", "河", "在", "此"]
        self.unlisted = False
        self.open_list = False
        self.drips = False
        """A byte of the list at a time, without an end."""
        self.status = 0

    @property
    def base(self) -> str:
        return f"{self.url}/v1"

    def _routes(self, application: web.Application) -> None:
        application.router.add_get("/v1/models", self._list)
        application.router.add_post("/v1/chat/completions", self._chat)
        application.router.add_post("/v1/embeddings", self._embed)
        application.router.add_post("/v1/images/generations", self._draw)

    def _refused(self, request: web.Request) -> web.Response | None:
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.key and sent != self.key:
            said = f"Incorrect API key provided: {sent}."
            return error(401, said, "invalid_api_key")
        return None

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if self.unlisted:
            return web.Response(status=404, text="404 page not found")
        if self.drips:
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.05)
        refused = None if self.open_list else self._refused(request)
        return refused or web.json_response({"object": "list", "data": self.models})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if (refused := self._refused(request)) is not None:
            return refused
        if self.silent:
            await asyncio.sleep(30)
        if self.status:
            return error(self.status, "as it was told to", "")
        if body["model"] in self.not_chat:
            return error(400, f"{body['model']} does not support chat", "")
        if body["model"] not in {each["id"] for each in self.models}:
            return error(404, f"The model `{body['model']}` does not exist.", "model_not_found")
        if self.wants_completion_tokens and "max_tokens" in body:
            return error(400, "Use 'max_completion_tokens' instead.", "unsupported_parameter")
        return await streamed(request, self.says, body["model"])

    async def _embed(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        refused = self._refused(request)
        if refused is None and body["model"] not in self.not_chat:
            return error(400, f"{body['model']} makes no vectors", "")
        vectors = [{"index": at, "embedding": [0.6, 0.8, 0]} for at, _ in enumerate(body["input"])]
        return refused or web.json_response({"object": "list", "data": vectors})

    async def _draw(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        width, height = map(int, body["size"].split("x"))
        with BytesIO() as file:
            Image.new("L", (width, height)).save(file, "PNG")
            drawn = base64.b64encode(file.getvalue()).decode()
        return self._refused(request) or web.json_response({"data": [{"b64_json": drawn}]})


class Ollama(OpenAI):
    """Ollama's `/api/tags`, `/api/show` and, where `loaded` says so, `/api/ps`."""

    def __init__(self, shown: dict[str, dict[str, Any]]) -> None:
        super().__init__(*shown)
        self.shown = shown
        self.loaded: dict[str, int] = {}

    def _routes(self, application: web.Application) -> None:
        super()._routes(application)
        application.router.add_get("/api/tags", self._tags)
        application.router.add_post("/api/show", self._show)
        application.router.add_get("/api/ps", self._ps)

    async def _tags(self, _: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": f"{name}:latest"} for name in self.shown]})

    async def _show(self, request: web.Request) -> web.Response:
        name = (await request.json())["model"]
        if name not in self.shown:
            return web.json_response({"error": f"model '{name}' not found"}, status=404)
        return web.json_response(self.shown[name])

    async def _ps(self, _: web.Request) -> web.Response:
        models = [{"name": name, "context_length": size} for name, size in self.loaded.items()]
        return web.json_response({"models": models})


class Hub(Stand):
    """A repository `maker/tiny` as both hubs show it: its `files` by path."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(self._routes)
        self.files = files
        self.fetched: list[tuple[str, str | None]] = []
        self.cut = 0
        """So many bytes of the next file, and the connection breaks."""
        self.paged = False

    def _routes(self, application: web.Application) -> None:
        add = application.router.add_get
        add("/api/models/maker/tiny/tree/main", self._huggingface)
        add("/api/v1/models/maker/tiny/repo/files", self._modelscope)
        add("/maker/tiny/resolve/main/{path:.+}", self._file)
        add("/models/maker/tiny/resolve/master/{path:.+}", self._file)

    async def _huggingface(self, request: web.Request) -> web.Response:
        assert request.query["recursive"] == "true"
        listed = [
            {
                "type": "file",
                "path": path,
                "size": len(data),
                "oid": "0" * 40,
                "lfs": {"oid": hashlib.sha256(data).hexdigest(), "size": len(data)},
            }
            for path, data in self.files.items()
        ]
        if not self.paged:
            return web.json_response([{"type": "directory", "path": "x", "oid": ""}, *listed])
        at = int(request.query.get("cursor", 0))
        headers = {}
        if at + 1 < len(listed):
            url = f"{self.url}{request.path}?recursive=true&cursor={at + 1}"
            headers["Link"] = f'<{url}>; rel="next"'
        return web.json_response(listed[at : at + 1], headers=headers)

    async def _modelscope(self, request: web.Request) -> web.Response:
        assert request.query["Recursive"] == "True"
        listed = [
            {
                "Name": path.rpartition("/")[2],
                "Path": path,
                "Type": "blob",
                "Size": len(data),
                "Sha256": hashlib.sha256(data).hexdigest(),
            }
            for path, data in self.files.items()
        ]
        tree = {"Name": "x", "Path": "x", "Type": "tree", "Size": 0}
        return web.json_response(
            {"Code": 200, "Success": True, "Data": {"Files": [tree, *listed]}, "Message": ""}
        )

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path, asked = request.match_info["path"], request.headers.get("Range")
        self.fetched.append((path, asked))
        if path not in self.files:
            return web.Response(status=404)
        data = self.files[path]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        response = web.StreamResponse(status=206 if asked else 200, headers={"ETag": '"one"'})
        response.content_length = len(data) - start
        if asked:
            response.headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        await response.prepare(request)
        if self.cut:
            await response.write(data[start : start + self.cut])
            self.cut = 0
            assert request.transport is not None
            await asyncio.sleep(0.05)
            request.transport.close()
            return response
        await response.write(data[start:])
        await response.write_eof()
        return response


def error(status: int, message: str, code: str) -> web.Response:
    return web.json_response({"error": {"message": message, "code": code}}, status=status)


async def streamed(request: web.Request, texts: list[str], model: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for at, text in enumerate(texts):
        last = at == len(texts) - 1
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop" if last else None}
        chunk = {"id": "c", "object": "chat.completion.chunk", "model": model, "choices": [choice]}
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await asyncio.sleep(0.002)
    usage = {"prompt_tokens": 3, "completion_tokens": len(texts), "total_tokens": 3 + len(texts)}
    end = {"id": "c", "object": "chat.completion.chunk", "model": model, "choices": []}
    await response.write(f"data: {json.dumps({**end, 'usage': usage})}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response
