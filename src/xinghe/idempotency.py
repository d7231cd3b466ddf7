"""Idempotency-Key: the answer of a request that was already answered, without a new charge.

Who has a key's turn, what is kept and for how long, and the table `kept_answers`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import apsw
import msgspec
import structlog

from xinghe.core import MICRO
from xinghe.regular import Regular
from xinghe.settings import Idempotency
from xinghe.storage import Allowance, Database, Gathering, StorageError, in_batches, now

SWEEP_SECONDS = 60.0
ROW_BYTES = 256
"""What a row takes beside its headers and body, about."""
DROPPED_ON_THE_WAY = 20
"""Answers that one which is kept may push out; what is over the limit then goes in batches."""

_OLDEST = "id = (SELECT min(id) FROM kept_answers)"
_AGED = "id = (SELECT id FROM kept_answers WHERE at < ? ORDER BY at LIMIT 1)"

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.idempotency")


class RepeatKey(NamedTuple):
    """Where a key counts: one account, one operation at one mount; `key` is its SHA-256."""

    account_id: int
    operation: str
    key: bytes


class Kept(msgspec.Struct, frozen=True):
    """An answer as it went out; `asked` is the SHA-256 of the body that it answers.

    `headers` are pairs of raw bytes, in order; `at` is in microseconds UTC.
    """

    asked: bytes
    model: str
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    at: int


class KeyReused(Exception):
    """A key was used before with another body."""


class Keeper:
    """Keeps answers for as long as the settings say, and makes requests with one key take turns."""

    def __init__(self, database: Database, settings: Idempotency) -> None:
        self._database = database
        self._lasting = round(settings.keep * MICRO)
        self._max_bytes = settings.max_bytes
        self._running: dict[RepeatKey, tuple[bytes, asyncio.Event]] = {}
        """The keys at work in this process, the only one that writes to its database."""
        self.sweeping = Regular(self.sweep, SWEEP_SECONDS, "kept_answers_not_swept", StorageError)
        """Drops what is too old."""

    def running(self, place: RepeatKey, asked: bytes) -> asyncio.Event | None:
        """The end of the request that has the key's turn; None if nobody has it.

        `asked` is the SHA-256 of the body. Raises `KeyReused` if the other has another body.
        """
        other, ended = self._running.get(place, (asked, None))
        if other != asked:
            raise KeyReused
        return ended

    @contextmanager
    def turn(self, place: RepeatKey, asked: bytes) -> Iterator[None]:
        """Have the turn of a key that is not running."""
        assert place not in self._running
        ended = asyncio.Event()
        self._running[place] = asked, ended
        try:
            yield
        finally:
            del self._running[place]
            ended.set()

    async def find(self, place: RepeatKey, asked: bytes) -> Kept | None:
        """The answer that is kept for a key; only within its turn.

        Raises `KeyReused` if it answers another body, and `StorageError`.
        """
        # In the writer's queue, behind what the last holder of the turn has handed in.
        found = await self._database.write(
            partial(find_answer, place=place, since=now() - self._lasting)
        )
        if found is not None and found.asked != asked:
            raise KeyReused
        return found

    @contextmanager
    def keeping(self, place: RepeatKey) -> Iterator[Keeping]:
        """Around the work: what it settles is held back until its answer is kept, or it ends."""
        with self._database.gather() as gathering:
            yield Keeping(gathering, place, self._max_bytes, self._max_bytes // 8)

    async def sweep(self) -> int:
        """Drop what is too old or too much; returns how many. Raises `StorageError`."""
        before, most = now() - self._lasting, self._max_bytes
        if not await self._database.read(partial(any_expired, before=before, max_bytes=most)):
            return 0
        step = partial(drop_expired, before=before, max_bytes=most)
        return await in_batches(self._database, step, 0)


class Keeping(msgspec.Struct):
    """One answer on its way into the table; one of more than `largest` bytes is not kept."""

    gathering: Gathering
    place: RepeatKey
    max_bytes: int
    largest: int

    async def keep(self, answer: Kept | None) -> None:
        """Hand the answer in, and behind it what the work has settled; None: only that.

        Returns when the answer may leave. Raises `StorageError`, and then it may not.
        """
        if answer is None:
            self.gathering.hand_in()
        else:
            self.gathering.hand_in(
                partial(keep_answer, place=self.place, answer=answer, max_bytes=self.max_bytes)
            )
        await self.gathering.cleared()


def keep_answer(
    connection: apsw.Connection, place: RepeatKey, answer: Kept, *, max_bytes: int
) -> None:
    """Write an answer down, and drop oldest ones while all take more than `max_bytes`."""
    headers = msgspec.msgpack.encode(answer.headers)
    size = len(headers) + len(answer.body) + ROW_BYTES
    connection.execute(
        "INSERT OR IGNORE INTO kept_answers (account_id, operation, key, asked, model, status, "
        "headers, body, size, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*place, answer.asked, answer.model, answer.status, headers, answer.body, size, answer.at),
    )
    allowance = Allowance(DROPPED_ON_THE_WAY, math.inf)
    while _total(connection) > max_bytes and allowance.take():
        _delete(connection, _OLDEST)


def find_answer(connection: apsw.Connection, place: RepeatKey, *, since: int) -> Kept | None:
    """What is kept at a place, if it is not older than a moment; an older one goes."""
    where = "account_id = ? AND operation = ? AND key = ?"
    row = connection.execute(
        f"SELECT asked, model, status, headers, body, at FROM kept_answers WHERE {where}",  # noqa: S608
        place,
    ).get
    if row is None:
        return None
    asked, model, status, headers, body, at = row
    if at < since:
        _delete(connection, where, place)
        return None
    pairs = msgspec.msgpack.decode(headers, type=list[tuple[bytes, bytes]])
    return Kept(asked, model, status, pairs, body, at)


def drop_expired(
    connection: apsw.Connection, allowance: Allowance, dropped: int, *, before: int, max_bytes: int
) -> tuple[int, bool]:
    """Drop what is older than a moment, then the oldest while all take more than `max_bytes`.

    Returns how many were dropped, with those before, and whether that is all.
    """
    while any_expired(connection, before=before, max_bytes=max_bytes):
        if not allowance.take():
            return dropped, False
        gone = _delete(connection, _AGED, (before,)) or _delete(connection, _OLDEST)
        if not gone:
            break  # nothing is left to drop, whatever the total says
        dropped += gone
    return dropped, True


def any_expired(connection: apsw.Connection, *, before: int, max_bytes: int) -> bool:
    """Whether anything is to be dropped."""
    query = "SELECT EXISTS (SELECT 1 FROM kept_answers WHERE at < ?)"
    return bool(connection.execute(query, (before,)).get) or _total(connection) > max_bytes


def _total(connection: apsw.Connection) -> int:
    total: int = connection.execute("SELECT bytes FROM kept_answers_total").get
    return total


def _delete(connection: apsw.Connection, where: str, values: tuple[object, ...] = ()) -> int:
    # An answer that was promised to be gone must not stand in the file's free pages.
    connection.pragma("secure_delete", True)
    connection.execute(f"DELETE FROM kept_answers WHERE {where}", values)  # noqa: S608
    return connection.changes()
