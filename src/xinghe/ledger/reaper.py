"""Settling what dead processes left open, in batches."""

from __future__ import annotations

from functools import partial

import apsw
import msgspec
import structlog

from xinghe.ledger import holds, owner
from xinghe.storage import ENVIRONMENT, Batch, Database, in_batches, now

PAGE = 200

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.ledger")


class Reaping(msgspec.Struct, frozen=True):
    """How many holds of an estate were resolved, and behind which it goes on."""

    resolved: int = 0
    after: str = ""


async def reap(database: Database, own_boot_id: str) -> int:
    """Resolve the open holds of every process that is dead; returns how many.

    Raises `StorageError` or `OSError`; what was resolved by then stays resolved.
    """
    # Owners first, their lock files after: a process has its file before it has a hold, so one
    # that started in between is never taken for dead.
    named = await database.read(holds.owners)
    data = database.directory
    reaped = 0
    for boot_id in sorted({*named, *owner.boot_ids(data)} - {own_boot_id}):
        with owner.estate(data, boot_id) as dead:
            if not dead:
                continue
            step = partial(settle_estate, boot_id=boot_id)
            count = (await in_batches(database, step, Reaping())).resolved
        if count:
            log.warning("holds_reaped", owner=boot_id, count=count)
        reaped += count
    owner.clear_drafts(data)
    return reaped


def settle_estate(
    connection: apsw.Connection, batch: Batch, reaping: Reaping, *, boot_id: str
) -> tuple[Reaping, bool]:
    """Resolve what a dead process has open; returns how far that has come, and whether it is all.

    A stream's client saw what came out, so the prompt and the last checkpoint are owed, once it
    had started; the client of a non-stream answer got nothing and owes nothing. A hold that
    cannot be resolved is logged and stays open, for the next round; it keeps no other from being
    resolved.
    """
    at = now()
    resolved, after = reaping.resolved, reaping.after
    while page := holds.open_holds(connection, boot_id, after=after, limit=PAGE):
        for hold in page:
            if not batch.take():
                return Reaping(resolved, after), False
            resolved += _settle(connection, hold, at)
            after = hold.id
    return Reaping(resolved, after), True


def _settle(connection: apsw.Connection, hold: holds.Open, at: int) -> bool:
    connection.execute("SAVEPOINT hold")
    try:
        if hold.stream and hold.started:
            holds.capture(connection, hold.id, hold.usage, at=at, note="interrupted")
        else:
            holds.release(connection, hold.id, at=at)
        resolved = True
    except ENVIRONMENT:
        raise  # it says nothing of this hold, and the whole transaction is tried again
    except Exception:
        connection.execute("ROLLBACK TO hold")
        log.exception("hold_not_reaped", hold_id=hold.id)
        resolved = False
    connection.execute("RELEASE hold")
    return resolved
