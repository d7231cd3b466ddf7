"""The table of kept answers. Every function is an operation on the database."""

from __future__ import annotations

from typing import NamedTuple

import apsw
import msgspec

ROW_BYTES = 256
"""What a row takes beside its headers and body, about."""


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
    """Write an answer down, and drop the oldest ones while all take more than `max_bytes`."""
    headers = msgspec.msgpack.encode(answer.headers)
    size = len(headers) + len(answer.body) + ROW_BYTES
    connection.execute(
        "INSERT OR IGNORE INTO kept_answers (account_id, operation, key, asked, model, status, "
        "headers, body, size, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*place, answer.asked, answer.model, answer.status, headers, answer.body, size, answer.at),
    )
    while connection.execute("SELECT bytes FROM kept_answers_total").get > max_bytes:
        _delete(connection, "id = (SELECT min(id) FROM kept_answers)")


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


def expire(connection: apsw.Connection, *, before: int) -> int:
    """Drop what is older than a moment; returns how many."""
    return _delete(connection, "at < ?", (before,))


def expired(connection: apsw.Connection, *, before: int) -> bool:
    """Whether anything is older than a moment."""
    query = "SELECT EXISTS (SELECT 1 FROM kept_answers WHERE at < ?)"
    return bool(connection.execute(query, (before,)).get)


def _delete(connection: apsw.Connection, where: str, values: tuple[object, ...] = ()) -> int:
    # An answer that was promised to be gone must not stand in the file's free pages.
    connection.pragma("secure_delete", True)
    connection.execute(f"DELETE FROM kept_answers WHERE {where}", values)  # noqa: S608
    return connection.changes()
