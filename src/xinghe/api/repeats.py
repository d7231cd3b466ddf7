"""`Idempotency-Key`: a layer around any operation that keeps its answer and gives it again.

The same key with the same body gets the answer of the first request, without work or charge; a
request that comes while the first is at work waits for it. What failed is not kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
import structlog
from starlette.types import Message

from xinghe.api.errors import ApiError, Errors, shown
from xinghe.api.exchange import Exchange, Headers, read_body
from xinghe.api.priced import unless_gone
from xinghe.idempotency import Keeper, Keeping, Kept, KeyReused, RepeatKey
from xinghe.settings import Server
from xinghe.storage import now

HEADER = b"idempotency-key"
KEY = re.compile("^[!-~]{1,255}$")
REPLAYED = (b"idempotent-replayed", b"true")
PIECE = 64 * 1024
"""Bytes of a kept stream in one send: a reader that left is noticed between two."""

log = structlog.get_logger(__name__)

Handler = Callable[[Exchange], Awaitable[None]]


class Repeats(msgspec.Struct):
    """Runs the handler of a request with a key at most once for each key of an account."""

    keeper: Keeper
    server: Server

    async def __call__(self, exchange: Exchange, handler: Handler) -> None:
        """Raises `ApiError`, `ClientGone`, and what the handler raises."""
        key = _key(exchange)
        asked = (await read_body(exchange, self.server, hashed=True)).digest
        place = RepeatKey(
            exchange.principal.account_id,
            f"{exchange.dialect.value} {exchange.operation}",
            hashlib.sha256(key.encode()).digest(),
        )
        try:
            kept = await self._work_or_find(exchange, handler, place, asked)
        except KeyReused:
            raise ApiError(
                Errors.IDEMPOTENCY_KEY_REUSED,
                f"the header Idempotency-Key is {shown(key)}, which was sent before with another "
                "body: take a new key for each request",
            ) from None
        if kept is not None:
            await _replay(exchange, kept)

    async def _work_or_find(
        self, exchange: Exchange, handler: Handler, place: RepeatKey, asked: bytes
    ) -> Kept | None:
        """Answer under the key's turn; or what is kept, to be sent when the turn is over."""
        while (ended := self.keeper.running(place, asked)) is not None:
            await unless_gone(exchange, ended.wait())
        with self.keeper.turn(place, asked):
            kept = await self.keeper.find(place, asked)
            models = exchange.principal.models
            if kept is not None and (models is None or kept.model in models):
                return kept
            with self.keeper.keeping(place) as keeping:
                exchange.send = _Recorder(exchange, keeping, asked).send
                await handler(exchange)
        return None


class _Recorder:
    """Stands before what an exchange sends, and has it kept just before its last piece leaves.

    The status line waits for the first piece: an answer in one piece that could not be kept has
    not begun, and an error can still take its place.
    """

    def __init__(self, exchange: Exchange, keeping: Keeping, asked: bytes) -> None:
        self._exchange = exchange
        self._keeping = keeping
        self._asked = asked
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
        if self._size > self._keeping.largest:
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

    async def _end(self) -> None:
        exchange = self._exchange
        if exchange.status != HTTPStatus.OK or exchange.error_code:
            return
        if self._size > self._keeping.largest:
            log.warning("answer_too_large_to_keep", size=self._size, largest=self._keeping.largest)
            await self._keeping.keep(None)
            return
        await self._keeping.keep(
            Kept(
                self._asked,
                exchange.model,
                exchange.status,
                self._headers,
                b"".join(self._parts),
                now(),
            )
        )


def _key(exchange: Exchange) -> str:
    values = exchange.header_values(HEADER)
    if len(values) > 1 or not KEY.match(values[0]):
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"the header Idempotency-Key is {shown(', '.join(values))}, allowed: 1 to 255 visible "
            "ASCII characters, once",
        )
    return values[0]


async def _replay(exchange: Exchange, kept: Kept) -> None:
    exchange.body = None
    exchange.model = kept.model
    original = dict(kept.headers).get(b"x-request-id", b"").decode()
    log.info("answer_replayed", original=original)
    exchange.status = kept.status
    start = {"type": "http.response.start", "status": kept.status}
    await exchange.send({**start, "headers": [*kept.headers, REPLAYED]})
    for at in range(0, len(kept.body), PIECE):
        more = at + PIECE < len(kept.body)
        piece = kept.body[at : at + PIECE]
        await exchange.send({"type": "http.response.body", "body": piece, "more_body": more})
    if not kept.body:
        await exchange.send({"type": "http.response.body", "body": b""})
