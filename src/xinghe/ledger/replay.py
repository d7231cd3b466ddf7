"""What a journal's records do to the books: each exactly once, however often it is replayed."""

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from xinghe.ledger import holds
from xinghe.ledger.journal import Record
from xinghe.storage import Connection, Database, StorageError

PAGE = 100

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.ledger")


async def replay(database: Database, records: Sequence[Record], boot_id: str) -> set[str]:
    """Write down what a dead process could not; returns the ids of the holds that refused it.

    Raises `StorageError`; what was written by then stays written.
    """
    refused = set()
    for start in range(0, len(records), PAGE):
        page = records[start : start + PAGE]
        outcomes = await asyncio.gather(
            *(
                database.write(
                    partial(settle, record=record, owner=boot_id), account=record.account_id
                )
                for record in page
            ),
            return_exceptions=True,
        )
        for record, outcome in zip(page, outcomes, strict=True):
            if isinstance(outcome, StorageError | asyncio.CancelledError):
                raise outcome
            if isinstance(outcome, BaseException):
                log.error("settlement_not_replayed", hold_id=record.hold_id, exc_info=outcome)
                refused.add(record.hold_id)
    return refused


def settle(connection: Connection, record: Record, owner: str | None = None) -> bool:
    """Resolve a hold as a record says; returns whether it is resolved like that now.

    `owner` is the hold's, where an answer has left on account of the record: then it is charged
    although another process has released the hold.
    """
    if record.kind == "release":
        return holds.release(connection, record.hold_id, at=record.at)
    if record.kind == "checkpoint":
        return _checkpoint(connection, record)
    if holds.capture(connection, record.hold_id, record.usage, at=record.at):
        return True
    found = connection.row("SELECT state, resolved_at FROM holds WHERE id = $1", record.hold_id)
    if found == ("captured", record.at):
        return True  # by this record, in a commit whose end we were not told
    return owner is not None and _capture_late(connection, record, owner)


def _checkpoint(connection: Connection, record: Record) -> bool:
    # A later one may stand in the database already.
    noted = connection.value(
        "SELECT emitted FROM holds WHERE id = $1 AND state = 'open'", record.hold_id
    )
    if noted is None or noted > record.usage.completion:
        return False
    holds.checkpoint(connection, [(record.hold_id, record.usage)])
    return True


def _capture_late(connection: Connection, record: Record, owner: str) -> bool:
    """Charge what is owed of a hold that somebody else has released, at most what is available."""
    # A reaper makes a hold its own. What its owner has released itself was withdrawn.
    hold = connection.row(
        "SELECT account_id, token_id, amount FROM holds "
        "WHERE id = $1 AND state = 'released' AND owner != $2",
        record.hold_id,
        owner,
    )
    if hold is None:
        return False
    account_id, token_id, amount = hold
    part = min(amount, holds.available(connection, account_id))
    connection.run(
        "UPDATE holds SET state = 'open', resolved_at = NULL, amount = $1 WHERE id = $2",
        part,
        record.hold_id,
    )
    connection.run(
        "UPDATE accounts SET available = available - $1, held = held + $1 WHERE id = $2",
        part,
        account_id,
    )
    holds.resolve_cap(connection, token_id, -part, 0, record.at)
    return holds.capture(connection, record.hold_id, record.usage, at=record.at, note="late")
