"""The table of kept answers. Every function is an operation on the database."""

from __future__ import annotations

import math
from typing import NamedTuple

import apsw
import msgspec

from xinghe.storage import Batch

ROW_BYTES = 256
"""What a row takes beside its headers and body, about."""
DROPPED_ON_THE_WAY = 20
"""Answers that one which is kept may push out; what is over the limit then goes in batches."""

OLDEST = "id = (SELECT min(id) FROM kept_answers)"
AGED = "id = (SELECT id FROM kept_answers WHERE at < ? ORDER BY at LIMIT 1)"


class Place(NamedTuple):
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


def keep(connection: apsw.Connection, place: Place, answer: Kept, *, max_bytes: int) -> None:
    """Write an answer down, and drop oldest ones while all take more than `max_bytes`."""
    headers = msgspec.msgpack.encode(answer.headers)
    size = len(headers) + len(answer.body) + ROW_BYTES
    connection.execute(
        "INSERT OR IGNORE INTO kept_answers (account_id, operation, key, asked, model, status, "
        "headers, body, size, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*place, answer.asked, answer.model, answer.status, headers, answer.body, size, answer.at),
    )
    batch = Batch(DROPPED_ON_THE_WAY, math.inf)
    while _total(connection) > max_bytes and batch.take():
        _delete(connection, OLDEST)


def find(connection: apsw.Connection, place: Place, *, since: int) -> Kept | None:
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


def expire(
    connection: apsw.Connection, batch: Batch, dropped: int, *, before: int, max_bytes: int
) -> tuple[int, bool]:
    """Drop what is older than a moment, then the oldest while all take more than `max_bytes`.

    Returns how many were dropped, with those before, and whether that is all.
    """
    while expired(connection, before=before, max_bytes=max_bytes):
        if not batch.take():
            return dropped, False
        gone = _delete(connection, AGED, (before,)) or _delete(connection, OLDEST)
        if not gone:
            break  # nothing is left to drop, whatever the total says
        dropped += gone
    return dropped, True


def expired(connection: apsw.Connection, *, before: int, max_bytes: int) -> bool:
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
