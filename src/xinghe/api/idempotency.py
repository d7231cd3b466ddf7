"""`Idempotency-Key`: a layer around any operation that stores its response and replays it.

The same key with the same body gets the response to the first request, without work or charge; a
request that comes while the first is in flight waits for it. What failed is not stored.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote

import msgspec
import structlog
from starlette.types import Message

from xinghe.api.errors import ApiError, Errors, shown
from xinghe.api.exchange import JSON, Exchange, Headers, read_body
from xinghe.api.priced import unless_gone
from xinghe.idempotency import (
    IdempotencyStore,
    KeyReused,
    PendingResponse,
    StoredResponse,
)
from xinghe.keys_at_work import IdempotencyKey
from xinghe.settings import Server
from xinghe.storage import Connection, now

HEADER = b"idempotency-key"
KEY = re.compile("^[!-~]{1,255}$")
REPLAYED = (b"idempotent-replayed", b"true")
PIECE = 64 * 1024
"""Bytes of a stored stream in one send: a reader that left is noticed between two."""

log = structlog.get_logger(__name__)

Handler = Callable[[Exchange], Awaitable[None]]


class IdempotencyLayer(msgspec.Struct):
    """Runs the handler of a request with a key at most once for each key of a member."""

    store: IdempotencyStore
    server: Server

    async def __call__(self, exchange: Exchange, handler: Handler) -> None:
        """Raises `ApiError`, `ClientGone`, and what the handler raises."""
        sent = _key(exchange)
        digest = (await read_body(exchange, self.server, hashed=True)).digest
        key = IdempotencyKey(
            exchange.principal.member_id,
            f"{exchange.dialect.value} {exchange.operation} {quote(exchange.path_id)}".rstrip(),
            hashlib.sha256(sent.encode()).digest(),
        )
        try:
            stored = await self._work_or_find(exchange, handler, key, digest)
        except KeyReused:
            raise ApiError(
                Errors.IDEMPOTENCY_KEY_REUSED,
                f"the header Idempotency-Key is {shown(sent)}, which was sent before with another "
                "body: take a new key for each request",
            ) from None
        if stored is not None:
            await _replay(exchange, stored)

    async def _work_or_find(
        self, exchange: Exchange, handler: Handler, key: IdempotencyKey, digest: bytes
    ) -> StoredResponse | None:
        """Answer; or what is stored, to be sent when the key is in flight no more."""
        while (ended := self.store.in_flight(key, digest)) is not None:
            await unless_gone(exchange, ended.wait())
        with self.store.begin(key, digest):
            stored = await unless_gone(exchange, self.store.find(key, digest))
            if stored is not None and exchange.principal.may_use(stored.model):
                return stored
            with self.store.pending(key) as pending:
                recorder = _Recorder(exchange, pending, digest)
                exchange.send, exchange.store = recorder.send, recorder.store
                await handler(exchange)
        return None


class _Recorder:
    """Stands before what an exchange sends, and has it stored just before its last piece leaves.

    The status line waits for the first piece: an answer in one piece that could not be stored has
    not begun, and an error can still take its place.
    """

    def __init__(self, exchange: Exchange, pending: PendingResponse, digest: bytes) -> None:
        self._exchange = exchange
        self._pending = pending
        self._digest = digest
        self._send = exchange.send
        self._head: Message | None = None
        self._headers: Headers = []
        self._parts: list[bytes] = []
        self._size = 0

    async def send(self, message: Message) -> None:
        """Raises `StorageError`, and then the message does not leave."""
        if message["type"] == "http.response.start":
            self._head, self._headers = message, list(message["headers"])
            return
        part: bytes = message.get("body", b"")
        self._size += len(part)
        if self._size > self._pending.largest:
            self._parts.clear()
        else:
            self._parts.append(part)
        if not message.get("more_body", False):
            try:
                await self._end()
            except BaseException:
                if self._head is not None:
                    self._head, self._exchange.status = None, 0
                raise
        if self._head is not None:
            head, self._head = self._head, None
            await self._send(head)
        await self._send(message)

    def store(self, connection: Connection, body: bytes) -> None:
        """Store an answer that has not left yet with the work itself: neither is there alone."""
        headers = self._exchange.whole_head([JSON])
        self._pending.put(connection, self._response(200, headers, body))

    async def _end(self) -> None:
        exchange = self._exchange
        if exchange.status != HTTPStatus.OK or exchange.error_code:
            return
        if self._size > self._pending.largest:
            log.warning(
                "response_too_large_to_store", size=self._size, largest=self._pending.largest
            )
            await self._pending.store(None)
            return
        await self._pending.store(
            self._response(exchange.status, self._headers, b"".join(self._parts))
        )

    def _response(self, status: int, headers: Headers, body: bytes) -> StoredResponse:
        return StoredResponse(self._digest, self._exchange.model, status, headers, body, now())


def _key(exchange: Exchange) -> str:
    values = exchange.header_values(HEADER)
    if len(values) > 1 or not KEY.match(values[0]):
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"the header Idempotency-Key is {shown(', '.join(values))}, allowed: 1 to 255 visible "
            "ASCII characters, once",
        )
    return values[0]


async def _replay(exchange: Exchange, stored: StoredResponse) -> None:
    exchange.body = None
    exchange.model = stored.model
    original = dict(stored.headers).get(b"x-request-id", b"").decode()
    log.info("response_replayed", original=original)
    exchange.status = stored.status
    start = {"type": "http.response.start", "status": stored.status}
    await exchange.send({**start, "headers": [*stored.headers, REPLAYED]})
    for at in range(0, len(stored.body), PIECE):
        more = at + PIECE < len(stored.body)
        piece = stored.body[at : at + PIECE]
        await exchange.send({"type": "http.response.body", "body": piece, "more_body": more})
    if not stored.body:
        await exchange.send({"type": "http.response.body", "body": b""})
