"""The API as a page asks it: in the same process, over ASGI, with a bearer's rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xinghe.api.errors import ErrorAnswer
from xinghe.api.exchange import COUNTED, PLAYGROUND, PROGRESS

T = TypeVar("T")

_JSON = msgspec.json.Encoder(decimal_format="number")
_HANDED_ON = (b"host", b"cookie", b"x-forwarded-for", b"user-agent")
"""Headers of the browser that the API sees, too."""
_OF_BODY = ("content-type", "content-length", "content-encoding", "expect", "idempotency-key")
"""Those that go with a body of the browser's own."""


class Refused(Exception):
    """The API refuses: its status, and what its answer says. `param` names a field, or nothing."""

    def __init__(self, status: int, told: ErrorAnswer) -> None:
        super().__init__(told.error.message)
        self.told = told
        self.status = status
        self.code = told.error.code
        self.message = told.error.message
        self.param = told.error.param or ""
        self.request_id = told.id


class Answer:
    """An answer that has begun; `pieces` are those of its body."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.headers = headers
        self.pieces: AsyncIterator[bytes] = _nothing()

    def header(self, name: str) -> str:
        wanted = name.encode()
        return next((value.decode("latin-1") for each, value in self.headers if each == wanted), "")

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.pieces])


class Calls:
    """Calls of the API on behalf of one browser's request, whose address and scheme they have."""

    def __init__(
        self,
        app: ASGIApp,
        browser: Scope,
        bearer: str = "",
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        self._app = app
        self._browser = browser
        self._bearer = bearer
        self._extensions = extensions or {}
        self._counted = False
        """Whether this page has counted in its member's limits: that, and not how many questions
        it is made of, is what a person asks for."""

    def of(self, bearer: str) -> Calls:
        """The same with the rights of another access token or session."""
        return Calls(self._app, self._browser, bearer)

    def spared(self) -> Calls:
        """The same, counting in nobody's limits: a page that renews itself is asked for once. How
        often it may come is bounded by the places of all pages.
        """
        spared = Calls(self._app, self._browser, self._bearer)
        spared._counted = True
        return spared

    def playing(self, tell: Callable[[int, int], None]) -> Calls:
        """The same as the playground's: it may call models. `tell` is told how many steps of all
        are done, where that is known.
        """
        extensions = {PLAYGROUND: {}, PROGRESS: {"tell": tell}}
        return Calls(self._app, self._browser, self._bearer, extensions)

    async def get(self, path: str, kind: type[T], /, **query: Any) -> T:
        """What a GET answers, as `kind`; parameters of None are left out. Raises `Refused`."""
        return await self._asked("GET", path, kind, query=query)

    async def tagged(self, path: str, kind: type[T]) -> tuple[T, str]:
        """What a GET answers, and its `ETag`. Raises `Refused`."""
        async with self.open("GET", path) as answer:
            data = await answer.read()
            if answer.status >= 400:
                raise refusal(answer, data)
        return msgspec.json.decode(data, type=kind), answer.header("etag")

    async def send(
        self, method: str, path: str, kind: type[T], body: Any = None, **headers: str
    ) -> T:
        """What an operation with a body answers. Raises `Refused`.

        `if_match="…"` becomes the header `If-Match`.
        """
        return await self._asked(method, path, kind, body=body, headers=headers)

    async def _asked(self, method: str, path: str, kind: type[T], **given: Any) -> T:
        async with self.open(method, path, **given) as answer:
            data = await answer.read()
            if answer.status >= 400:
                raise refusal(answer, data)
        return msgspec.json.decode(data, type=kind)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Answer]:
        """An answer as it comes. To leave early is what a client does that goes away."""
        data = b"" if body is None else _JSON.encode(body)
        of_body = {"content-type": "application/json", "content-length": str(len(data))}
        if method in ("GET", "HEAD"):
            of_body = {}
        scope = self._scope(method, path, query or {}, {**of_body, **(headers or {})})
        messages: asyncio.Queue[Message | None] = asyncio.Queue(maxsize=4)
        gone = asyncio.Event()
        request: list[Message] = [{"type": "http.request", "body": data, "more_body": False}]

        async def receive() -> Message:
            if request:
                return request.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def run() -> None:
            try:
                await self._app(scope, receive, messages.put)
            finally:
                if not gone.is_set():
                    await messages.put(None)

        task = asyncio.create_task(run())
        try:
            start = await messages.get()
            if start is None:
                await task  # raises what kept it from answering
                raise RuntimeError(f"{method} {path} was not answered")
            answer = Answer(start["status"], list(start["headers"]))
            answer.pieces = _pieces(messages, task)
            yield answer
        finally:
            gone.set()
            await _ended(task, messages)

    async def hand_on(self, path: str, receive: Receive, send: Send, extension: str) -> None:
        """Have the API answer the browser's own POST at another path, marked by an extension.

        Nothing stands between them: the body goes on as it comes, and the answer as it is read.
        """
        sent = {name.decode(): value for name, value in self._browser["headers"]}
        headers = {name: sent[name].decode("latin-1") for name in _OF_BODY if name in sent}
        scope = self._scope("POST", path, {}, headers)
        scope["extensions"] = {**self._browser.get("extensions", {}), extension: {}}
        await self._app(scope, receive, send)

    def _scope(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        headers: Mapping[str, str],
    ) -> Scope:
        browser = self._browser
        given = [(name, value) for name, value in browser["headers"] if name in _HANDED_ON]
        if self._bearer:
            given.append((b"authorization", f"Bearer {self._bearer}".encode()))
        given += [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        parameters = {name: value for name, value in query.items() if value not in (None, "")}
        return {
            "type": "http",
            "asgi": browser["asgi"],
            "http_version": browser["http_version"],
            "method": method,
            "scheme": browser["scheme"],
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": urlencode(parameters).encode(),
            "root_path": "",
            "headers": given,
            "client": browser.get("client"),
            "server": browser.get("server"),
            "extensions": {
                **self._extensions,
                **({COUNTED: {}} if self._has_counted(path) else {}),
            },
        }

    def _has_counted(self, path: str) -> bool:
        """Whether another question of this page has counted. Who it is for counts nowhere."""
        before = self._counted
        self._counted = before or not path.startswith("/auth/")
        return before


def refusal(answer: Answer, data: bytes) -> Refused:
    return Refused(answer.status, msgspec.json.decode(data, type=ErrorAnswer))


async def _pieces(
    messages: asyncio.Queue[Message | None], task: asyncio.Task[None]
) -> AsyncIterator[bytes]:
    """They end when the application has done all: what an answer cost stands in the books."""
    while (message := await messages.get()) is not None:
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            await asyncio.wait({task})
            return
    raise ConnectionError("the answer was broken off")


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece


async def _ended(task: asyncio.Task[None], messages: asyncio.Queue[Message | None]) -> None:
    """Wait for the application, which may still be about to send what nobody takes."""
    while not task.done():
        while not messages.empty():
            messages.get_nowait()
        await asyncio.wait({task}, timeout=0.01)
    task.result()
