"""Which Idempotency-Keys are in flight on the gateways of one PostgreSQL: the table `keys_at_work`.

A gateway claims a key before it works, and takes the claim back in the same queue in which it has
written what came of it. A claim counts while the process that made it is alive (`processes`), so a
gateway that died keeps nobody waiting for longer than it takes to be taken for dead.

Nobody waits for a lock here: a claim of the same key that is not committed yet is one in flight.
"""

import hashlib
from typing import NamedTuple

import msgspec

from xinghe.storage import Connection

_OF = "member_id = $1 AND operation = $2 AND key = $3"
_ALIVE = "EXISTS (SELECT 1 FROM processes WHERE boot_id = owner)"


class IdempotencyKey(NamedTuple):
    """Where a key counts: one member, one operation at one mount; `key` is its SHA-256."""

    member_id: int
    operation: str
    key: bytes


class AtWork(msgspec.Struct, frozen=True):
    """A key in flight on another gateway.

    `asked` is the SHA-256 of the body there; None where that is not known yet.
    """

    asked: bytes | None


def elsewhere(connection: Connection, key: IdempotencyKey, *, owner: str) -> AtWork | None:
    """Whether a key is in flight on another gateway than the process with this boot id.

    None: no other process gets it before this transaction ends.
    """
    if not connection.value("SELECT pg_try_advisory_xact_lock($1)", _number(key)):
        return AtWork(None)
    row = connection.row(
        f"SELECT asked FROM keys_at_work WHERE {_OF} AND owner <> $4 AND {_ALIVE}",  # noqa: S608
        *key,
        owner,
    )
    return None if row is None else AtWork(row[0])


def claim(connection: Connection, key: IdempotencyKey, *, asked: bytes, owner: str) -> None:
    """Have a key be in flight here that is in flight nowhere else, as `elsewhere` has said."""
    connection.run(
        "INSERT INTO keys_at_work (member_id, operation, key, asked, owner) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (member_id, operation, key) "
        "DO UPDATE SET asked = excluded.asked, owner = excluded.owner",
        *key,
        asked,
        owner,
    )


def give_up(connection: Connection, key: IdempotencyKey, *, owner: str) -> None:
    """Take a claim back; another process's stays."""
    connection.run(f"DELETE FROM keys_at_work WHERE {_OF} AND owner = $4", *key, owner)  # noqa: S608


def in_flight(connection: Connection, key: IdempotencyKey) -> bool:
    """Whether a process that is alive has claimed a key."""
    return connection.row(f"SELECT 1 FROM keys_at_work WHERE {_OF} AND {_ALIVE}", *key) is not None  # noqa: S608


def drop_dead(connection: Connection) -> int:
    """Drop the claims of processes that are no more; returns how many."""
    return connection.run(f"DELETE FROM keys_at_work WHERE NOT {_ALIVE}")  # noqa: S608


def _number(key: IdempotencyKey) -> int:
    """What stands for a key among advisory locks; two that share one only wait a moment longer."""
    text = f"{key.member_id} {key.operation} ".encode()
    return int.from_bytes(hashlib.sha256(text + key.key).digest()[:8], "big", signed=True)
