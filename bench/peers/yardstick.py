"""What a bare Python gateway costs: `python -m bench.peers.yardstick DATABASE PORT UPSTREAM_PORT`.

Plain ASGI on uvicorn and uvloop. A token is looked up in SQLite, a bucket of requests filled, the
most that a request may cost held before the call and its cost captured after it (group commit,
`synchronous=FULL`); what the upstream sends is passed on as it comes. Nothing is moderated, counted
or checked: whatever a product does beyond this is what it costs above it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import apsw
import httptools
import msgspec
import uvicorn

TOKEN = "sk-yard-0123456789abcdef"
_NAME = 8
"""Characters of a token that are its name."""
_SCHEMA = """
CREATE TABLE tokens (name TEXT PRIMARY KEY, digest BLOB, account INTEGER);
CREATE TABLE accounts (id INTEGER PRIMARY KEY, available INTEGER, held INTEGER);
CREATE TABLE holds (id TEXT PRIMARY KEY, account INTEGER, amount INTEGER, state TEXT);
CREATE TABLE entries (id INTEGER PRIMARY KEY, account INTEGER, at INTEGER, amount INTEGER,
    hold TEXT);
"""
Message = dict[str, Any]
Work = Callable[[apsw.Connection], object]


class Turn(msgspec.Struct):
    role: str
    content: str


class Asked(msgspec.Struct):
    model: str
    messages: list[Turn]
    stream: bool = False
    max_tokens: int = 1000
    temperature: float = 1.0


class Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class Whole(msgspec.Struct):
    usage: Usage


_asked = msgspec.json.Decoder(Asked).decode
_whole = msgspec.json.Decoder(Whole).decode
_usage = msgspec.json.Decoder(Usage).decode


def connect(path: str) -> apsw.Connection:
    connection = apsw.Connection(path)
    for setting in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def prepare(path: str) -> None:
    """A database with one account of very many Tokens, and its token."""
    connection = connect(path)
    connection.execute(_SCHEMA)
    digest = hashlib.sha256(TOKEN.encode()).digest()
    connection.execute("INSERT INTO tokens VALUES (?, ?, 1)", (TOKEN[:_NAME], digest))
    connection.execute("INSERT INTO accounts VALUES (1, ?, 0)", (10**15,))
    connection.close()


def reserve(connection: apsw.Connection, hold: str, account: int, amount: int) -> bool:
    connection.execute(
        "UPDATE accounts SET available = available - ?1, held = held + ?1 "
        "WHERE id = ?2 AND available >= ?1",
        (amount, account),
    )
    if not connection.changes():
        return False
    connection.execute("INSERT INTO holds VALUES (?, ?, ?, 'open')", (hold, account, amount))
    return True


def capture(connection: apsw.Connection, hold: str, account: int, amount: int, cost: int) -> None:
    connection.execute(
        "UPDATE holds SET state = 'captured' WHERE id = ? AND state = 'open'", (hold,)
    )
    connection.execute(
        "UPDATE accounts SET held = held - ?, available = available + ? WHERE id = ?",
        (amount, amount - cost, account),
    )
    connection.execute(
        "INSERT INTO entries (account, at, amount, hold) VALUES (?, ?, ?, ?)",
        (account, int(time.time() * 1e6), -cost, hold),
    )


class Writer:
    """One thread that writes: what gathers during a commit is the next transaction."""

    def __init__(self, path: str, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._queue: list[tuple[Work, asyncio.Future[object] | None]] = []
        self._more = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def put(self, work: Work, waiter: asyncio.Future[object] | None = None) -> None:
        with self._more:
            self._queue.append((work, waiter))
            self._more.notify()

    def written(self, work: Work) -> Awaitable[object]:
        waiter: asyncio.Future[object] = self._loop.create_future()
        self.put(work, waiter)
        return waiter

    def _run(self) -> None:
        connection = connect(self._path)
        while True:
            with self._more:
                while not self._queue:
                    self._more.wait()
                queue, self._queue = self._queue, []
            connection.execute("BEGIN IMMEDIATE")
            results = [(waiter, work(connection)) for work, waiter in queue]
            connection.execute("COMMIT")
            told = [(waiter, result) for waiter, result in results if waiter is not None]
            if told:
                self._loop.call_soon_threadsafe(self._tell, told)

    @staticmethod
    def _tell(told: list[tuple[asyncio.Future[object], object]]) -> None:
        for waiter, result in told:
            if not waiter.done():
                waiter.set_result(result)


class Upstream(asyncio.Protocol):
    """A kept connection; `more` gives what came of a body since, empty at its end."""

    def __init__(self) -> None:
        self.lost = False
        self.done = False
        self._parts: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._parser: Any = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._wake()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        self._wake()

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self.done = True

    def ask(self, body: bytes) -> None:
        self._parts, self.done = [], False
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: upstream\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )

    async def more(self) -> bytes:
        while not (self._parts or self.done or self.lost):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        parts, self._parts = self._parts, []
        return b"".join(parts)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class Gateway:
    """The ASGI application."""

    def __init__(self, path: str, upstream_port: int) -> None:
        self._path = path
        self._port = upstream_port
        self._reader = connect(path)
        self._writer: Writer | None = None
        self._kept: list[Upstream] = []
        self._buckets: dict[int, tuple[float, float]] = {}

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        account = self._account(headers.get(b"authorization", b"")[7:].decode())
        if account is None:
            await send(_head(401, b"application/json", 0))
            await send({"type": "http.response.body", "body": b""})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        asked = _asked(body)
        self._fill(account)
        loop = asyncio.get_running_loop()
        writer = self._writer = self._writer or Writer(self._path, loop)
        hold = secrets.token_hex(12)
        amount = sum(len(turn.content.encode()) for turn in asked.messages) + asked.max_tokens
        assert await writer.written(lambda into: reserve(into, hold, account, amount))
        upstream = self._kept.pop() if self._kept else None
        if upstream is None or upstream.lost:
            _, upstream = await loop.create_connection(Upstream, "127.0.0.1", self._port)
        upstream.ask(_body(asked))
        usage = await (_pass_on if asked.stream else _pass_whole)(upstream, send)
        self._kept.append(upstream)
        cost = usage.prompt_tokens + usage.completion_tokens
        writer.put(lambda into: capture(into, hold, account, amount, cost))

    def _account(self, token: str) -> int | None:
        row: Any = self._reader.execute(
            "SELECT digest, account FROM tokens WHERE name = ?", (token[:_NAME],)
        ).get
        known = row and hmac.compare_digest(row[0], hashlib.sha256(token.encode()).digest())
        return row[1] if known else None

    def _fill(self, account: int) -> None:
        at = time.monotonic()
        since, left = self._buckets.get(account, (at, 1e6))
        self._buckets[account] = (at, min(1e6, left + (at - since) * 1e5) - 1)


def _body(asked: Asked) -> bytes:
    body: Message = {
        "model": "bench",
        "messages": asked.messages,
        "max_tokens": asked.max_tokens,
        "temperature": asked.temperature,
    }
    if asked.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode(body)


def _head(status: int, kind: bytes, size: int | None) -> Message:
    headers = [(b"content-type", kind)]
    if size is not None:
        headers.append((b"content-length", str(size).encode()))
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _pass_on(upstream: Upstream, send: Any) -> Usage:
    await send(_head(200, b"text/event-stream", None))
    last = b""
    while data := await upstream.more():
        last = (last + data)[-600:]
        await send({"type": "http.response.body", "body": data, "more_body": True})
    begin = last.rfind(b'"usage":') + 8
    usage = _usage(last[begin : last.find(b"}\n", begin)])
    await send({"type": "http.response.body", "body": b""})
    return usage


async def _pass_whole(upstream: Upstream, send: Any) -> Usage:
    data = b""
    while not upstream.done:
        data += await upstream.more()
    data += await upstream.more()
    usage = _whole(data).usage
    await send(_head(200, b"application/json", len(data)))
    await send({"type": "http.response.body", "body": data})
    return usage


def main() -> None:
    path, port, upstream_port = sys.argv[1:]
    prepare(path)
    uvicorn.run(
        Gateway(path, int(upstream_port)),
        host="127.0.0.1",
        port=int(port),
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        server_header=False,
        log_level="error",
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
