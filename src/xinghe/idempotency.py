"""Idempotency-Key: the response to a request that was answered before, without a new charge.

What is in flight, what is stored and for how long, and the table `kept_answers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from weakref import WeakValueDictionary

import msgspec
import structlog

from xinghe import keys_at_work
from xinghe.core import MICRO
from xinghe.keys_at_work import AtWork, IdempotencyKey
from xinghe.regular import Regular
from xinghe.settings import Idempotency
from xinghe.storage import (
    BoundedTable,
    Connection,
    Database,
    DeferredWrites,
    Locks,
    StorageClosed,
    StorageError,
    now,
)

SWEEP_SECONDS = 60.0
LOOK_SECONDS = 0.2
"""Between two looks whether a key is still in flight on another gateway."""
ROW_BYTES = 256
"""What a row takes beside its headers and body, about."""

TABLE = BoundedTable("kept_answers")

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.idempotency")


class StoredResponse(msgspec.Struct, frozen=True, weakref=True):
    """A response as it went out; `digest` is the SHA-256 of the body that it answers.

    `headers` are pairs of raw bytes, in order; `at` is in microseconds UTC.
    """

    digest: bytes
    model: str
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    at: int


class KeyReused(Exception):
    """A key was used before with another body."""


class IdempotencyStore:
    """Stores responses for as long as the settings say; of a key, one request is in flight.

    `boot_id` says as which process this one claims keys, on a database that others may share.
    """

    def __init__(
        self, database: Database, settings: Idempotency, boot_id: Callable[[], str]
    ) -> None:
        self._database = database
        self._lasting = round(settings.keep * MICRO)
        self._max_bytes = settings.max_bytes
        self._in_flight: dict[IdempotencyKey, tuple[bytes, asyncio.Event]] = {}
        """By key, in this process; those of others stand in `keys_at_work`."""
        self._claimed: dict[IdempotencyKey, str] = {}
        """Keys with a row there, each with the boot id in it."""
        self._boot_id = boot_id
        self._at_hand: WeakValueDictionary[IdempotencyKey, StoredResponse] = WeakValueDictionary()
        """Those on their way out: each is in memory once, however many read it, and how slowly."""
        self.sweeping = Regular(
            self.sweep, SWEEP_SECONDS, "stored_responses_not_swept", StorageError
        )
        """Drops what is too old."""

    def in_flight(self, key: IdempotencyKey, digest: bytes) -> asyncio.Event | None:
        """The end of the request with the key that is in flight; None if there is none.

        `digest` is the SHA-256 of the body. Raises `KeyReused` if the other has another body.
        """
        other, ended = self._in_flight.get(key, (digest, None))
        if other != digest:
            raise KeyReused
        return ended

    @contextmanager
    def begin(self, key: IdempotencyKey, digest: bytes) -> Iterator[None]:
        """Be in flight with a key that is not."""
        assert key not in self._in_flight
        ended = asyncio.Event()
        self._in_flight[key] = digest, ended
        try:
            yield
        finally:
            self._give_up(key)
            del self._in_flight[key]
            ended.set()

    async def find(self, key: IdempotencyKey, digest: bytes) -> StoredResponse | None:
        """What is stored for a key; only within `begin`.

        While the key is in flight on another gateway, that is waited for. Raises `KeyReused` if it
        answers another body, there too, and `StorageError`.
        """
        while True:
            since = now() - self._lasting
            found: StoredResponse | AtWork | None = None
            at_hand = self._at_hand.get(key)
            if at_hand is not None and at_hand.at >= since:
                found = at_hand
            else:
                look: Callable[[Connection], StoredResponse | AtWork | None]
                look = partial(find_response, key=key, since=since)
                if self._database.shared:
                    owner = self._claimed[key] = self._boot_id()
                    look = partial(find_or_claim, key=key, since=since, asked=digest, owner=owner)
                # In the writer's queue, behind what the last one in flight has handed in.
                found = await self._database.write(look, locks=Locks(key.member_id))
            if found is None:
                return None
            if isinstance(found, AtWork):
                if found.asked not in {None, digest}:
                    raise KeyReused
                await self._end_elsewhere(key)
                continue
            self._at_hand[key] = found
            if found.digest != digest:
                raise KeyReused
            return found

    async def _end_elsewhere(self, key: IdempotencyKey) -> None:
        """Wait until a key is in flight on no other gateway, or that gateway has died."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not await self._database.read(lambda c: keys_at_work.in_flight(c, key)):
                return

    def _give_up(self, key: IdempotencyKey) -> None:
        """Behind all that was handed in for the key, whose row may not be written yet."""
        owner = self._claimed.pop(key, None)
        if owner is not None:
            with suppress(StorageClosed):  # with this process, its claims end
                self._database.enqueue(
                    partial(keys_at_work.give_up, key=key, owner=owner),
                    locks=Locks(key.member_id),
                    deferred=False,
                )

    @contextmanager
    def pending(self, key: IdempotencyKey) -> Iterator[PendingResponse]:
        """Around the work: what it settles is held back until its response is stored."""
        with self._database.defer(Locks(key.member_id)) as writes:
            yield PendingResponse(writes, key, self._max_bytes, self._max_bytes // 8)

    async def sweep(self) -> int:
        """Drop what is too old or too much; returns how many. Raises `StorageError`."""
        if self._database.shared:
            await self._database.write(keys_at_work.drop_dead, idle=True)
        before = now() - self._lasting
        return await TABLE.sweep(self._database, before=before, max_bytes=self._max_bytes)


class PendingResponse(msgspec.Struct):
    """One on its way into the table; one of more than `largest` bytes is not stored."""

    writes: DeferredWrites
    key: IdempotencyKey
    max_bytes: int
    largest: int

    async def store(self, response: StoredResponse | None) -> None:
        """Hand the response in, and behind it what the work has settled; None: only that.

        Returns when it may leave. Raises `StorageError`, and then it may not.
        """
        if response is None:
            self.writes.hand_in()
        else:
            self.writes.hand_in(partial(self.put, response=response))
        await self.writes.cleared()

    def put(self, connection: Connection, response: StoredResponse) -> None:
        """The same within a transaction; what is stored already stays."""
        store_response(connection, self.key, response, max_bytes=self.max_bytes)


def store_response(
    connection: Connection, key: IdempotencyKey, response: StoredResponse, *, max_bytes: int
) -> None:
    """Write a response down, and drop the oldest while all take more than `max_bytes`."""
    headers = msgspec.msgpack.encode(response.headers)
    size = len(headers) + len(response.body) + ROW_BYTES
    connection.run(
        "INSERT INTO kept_answers (member_id, operation, key, asked, model, status, headers, "
        "body, size, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "ON CONFLICT (member_id, operation, key) DO NOTHING",
        *key,
        response.digest,
        response.model,
        response.status,
        headers,
        response.body,
        size,
        response.at,
    )
    TABLE.make_room(connection, max_bytes)


def find_response(
    connection: Connection, key: IdempotencyKey, *, since: int
) -> StoredResponse | None:
    """What is stored for a key, if it is not older than a moment; an older one goes."""
    where = "member_id = $1 AND operation = $2 AND key = $3"
    row = connection.row(
        f"SELECT asked, model, status, headers, body, at FROM kept_answers WHERE {where}",  # noqa: S608
        *key,
    )
    if row is None:
        return None
    digest, model, status, headers, body, at = row
    if at < since:
        TABLE.delete(connection, where, *key)
        return None
    pairs = msgspec.msgpack.decode(headers, type=list[tuple[bytes, bytes]])
    return StoredResponse(digest, model, status, pairs, body, at)


def find_or_claim(
    connection: Connection, key: IdempotencyKey, *, since: int, asked: bytes, owner: str
) -> StoredResponse | AtWork | None:
    """What is stored for a key, or that it is in flight elsewhere; else it is in flight here now.

    What was in flight has stored its response before it gave the key up, so that comes second.
    """
    other = keys_at_work.elsewhere(connection, key, owner=owner)
    found = other or find_response(connection, key, since=since)
    if found is None:
        keys_at_work.claim(connection, key, asked=asked, owner=owner)
    return found
