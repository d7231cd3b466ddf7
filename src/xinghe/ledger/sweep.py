"""Expiring what is due, in batches: on all accounts, whether anybody reserves on them or not."""

from __future__ import annotations

from functools import partial

import apsw
import msgspec

from xinghe.ledger import lots
from xinghe.storage import Batch, Database, in_batches, now

PAGE = 200


class Sweep(msgspec.Struct):
    """How far a sweep has come: the micro-Tokens swept, and behind which lot it goes on.

    What the lots of an account that is `done` have left, open holds pin: they are passed by.
    """

    swept: int = 0
    position: tuple[int, int] = (-1, -1)
    done: set[int] = msgspec.field(default_factory=set)


async def sweep(database: Database) -> int:
    """Sweep the expired lots of every account; returns the amount in micro-Tokens."""
    step = partial(_expire, at=now())
    if not await database.read(partial(_due, at=now(), position=(-1, -1), limit=1)):
        return 0
    return (await in_batches(database, step, Sweep())).swept


async def sweep_account(database: Database, account_id: int, at: int) -> None:
    """Sweep what an account had expired at a moment."""

    def step(connection: apsw.Connection, batch: Batch, _: None) -> tuple[None, bool]:
        return None, lots.expire(connection, account_id, at, batch)[1]

    await in_batches(database, step, None)


def _expire(
    connection: apsw.Connection, batch: Batch, sweep: Sweep, *, at: int
) -> tuple[Sweep, bool]:
    while page := _due(connection, at, sweep.position, PAGE):
        for lot, account_id, expires_at in page:
            if account_id not in sweep.done:
                amount, whole = lots.expire(connection, account_id, at, batch)
                sweep.swept += amount
                if not whole:
                    return sweep, False
                sweep.done.add(account_id)
            sweep.position = (expires_at, lot)
            if not batch.take():
                return sweep, False
    return sweep, True


def _due(
    connection: apsw.Connection, at: int, position: tuple[int, int], limit: int
) -> list[tuple[int, int, int]]:
    """Expired lots behind a position: id, account and when it expired."""
    return list(
        connection.execute(
            "SELECT id, account_id, expires_at FROM lots WHERE remaining > 0 AND expires_at <= ? "
            "AND (expires_at, id) > (?, ?) ORDER BY expires_at, id LIMIT ?",
            (at, *position, limit),
        )
    )
