"""Settling what dead processes left open, in batches: their journals first, then their holds."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial

import msgspec
import structlog

from xinghe.ledger import budgets, holds, journal, owners, processes, rollups
from xinghe.ledger.budgets import Places
from xinghe.ledger.holds import Counts
from xinghe.ledger.journal import Record
from xinghe.ledger.settlements import settle
from xinghe.storage import (
    Allowance,
    Connection,
    Database,
    Locks,
    StorageError,
    StorageUnavailable,
    in_batches,
    now,
)

PAGE = 200
REPLAYED = 100
"""Records that are handed in at once."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.ledger")


class Reaping(msgspec.Struct, frozen=True):
    """How many holds of a dead process were resolved, and behind which it goes on."""

    resolved: int = 0
    after: str = ""


class OpenHold(msgspec.Struct, frozen=True):
    """An open hold of a dead process, with its last checkpoint.

    `started` is false while nothing that is owed was done for it.
    """

    id: str
    wallet_id: int
    places: Places
    stream: bool
    started: bool
    usage: Counts


async def reap(database: Database, own_boot_id: str) -> int:
    """Resolve the open holds of every process that is dead; returns how many.

    Raises `StorageError` or `OSError`; what was resolved by then stays resolved.
    """
    # Owners first, then who is alive, their files last: a process has its row and its file before
    # it has a hold, so one that started in between is never taken for dead.
    named = await database.read(_owners)
    alive: set[str] = set()
    if database.shared:
        alive = await database.write(partial(processes.beat, boot_id=own_boot_id))
    data, reaped = database.directory, 0
    local = owners.with_file(data) - {own_boot_id}
    for boot_id in sorted(local):
        with owners.claimed(data, boot_id) as file:
            if file is not None:
                reaped += await _bury(database, boot_id, file, own_boot_id)
    for boot_id in sorted(named - alive - local - {own_boot_id}):
        reaped += await _settle_all(database, boot_id, own_boot_id, ())
    await asyncio.to_thread(owners.clear_drafts, data)
    return reaped


async def _bury(database: Database, boot_id: str, file: int, own_boot_id: str) -> int:
    """Settle for a process of this data directory, whose file is claimed."""
    try:
        records = await asyncio.to_thread(journal.read, file)
    except msgspec.DecodeError as error:
        log.error("journal_not_read", owner=boot_id, error=str(error))
        return 0  # of a newer program: it will read it
    refused = await _replay(database, records, boot_id)
    reaped = await _settle_all(database, boot_id, own_boot_id, refused)
    if not refused:
        if database.shared:
            await database.write(partial(processes.leave, boot_id=boot_id))
        owners.remove(database.directory, boot_id)
    return reaped


async def _replay(database: Database, records: Sequence[Record], boot_id: str) -> set[str]:
    """Write down what a dead process could not; returns the ids of the holds that refused it.

    Raises `StorageError`; what was written by then stays written.
    """
    refused = set()
    for start in range(0, len(records), REPLAYED):
        page = records[start : start + REPLAYED]
        locks = await database.read(
            partial(_locks, members={each.hold_id: each.member_id for each in page})
        )
        outcomes = await asyncio.gather(
            *(
                database.write(
                    partial(settle, record=record, owner=boot_id), locks=locks[record.hold_id]
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


async def _settle_all(
    database: Database, boot_id: str, own_boot_id: str, refused: Collection[str]
) -> int:
    step = partial(settle_process, boot_id=boot_id, own_boot_id=own_boot_id, refused=refused)
    count = (await in_batches(database, step, Reaping())).resolved
    if count:
        log.warning("holds_reaped", owner=boot_id, count=count)
    return count


def settle_process(
    connection: Connection,
    allowance: Allowance,
    reaping: Reaping,
    *,
    boot_id: str,
    own_boot_id: str,
    refused: Collection[str] = (),
) -> tuple[Reaping, bool]:
    """Resolve what a dead process has open; returns how far that has come, and whether it is all.

    A stream's client saw what came out, so the prompt and the last checkpoint are owed, once it
    had started; the client of a non-stream answer got nothing and owes nothing. A hold that
    cannot be resolved is logged and stays open, for the next round; it keeps no other from being
    resolved. So does one whose journal was `refused`.
    """
    at = now()
    resolved, after = reaping.resolved, reaping.after
    page = _open_holds(connection, boot_id, after=after, limit=PAGE)
    connection.lock(
        {hold.wallet_id for hold in page},
        {budget for hold in page for budget, _ in hold.places},
    )
    for hold in page:
        if not allowance.take():
            return Reaping(resolved, after), False
        if hold.id not in refused:
            resolved += _settle(connection, hold, at, own_boot_id)
        after = hold.id
    return Reaping(resolved, after), len(page) < PAGE


def _settle(connection: Connection, hold: OpenHold, at: int, own_boot_id: str) -> bool:
    try:
        with connection.savepoint():
            if hold.stream and hold.started:
                told = rollups.Told("interrupted")
                holds.capture(connection, hold.id, hold.usage, at=at, told=told, note="interrupted")
            else:
                holds.release(connection, hold.id, at=at)
            # Its owner may be alive elsewhere, or come back: see `settlements.settle`.
            connection.run("UPDATE holds SET owner = $1 WHERE id = $2", own_boot_id, hold.id)
    except StorageUnavailable:
        raise  # it says nothing of this hold, and the whole transaction is tried again
    except Exception:
        log.exception("hold_not_reaped", hold_id=hold.id)
        return False
    return True


def _owners(connection: Connection) -> set[str]:
    """The boot ids that open holds name."""
    # From one to the next in the index: a dead process may have left very many holds.
    rows = connection.rows(
        "WITH RECURSIVE each(owner) AS ("
        "SELECT min(owner) FROM holds WHERE state = 'open' UNION ALL "
        "SELECT (SELECT min(owner) FROM holds WHERE state = 'open' AND owner > each.owner) "
        "FROM each WHERE each.owner IS NOT NULL"
        ") SELECT owner FROM each WHERE owner IS NOT NULL"
    )
    return {owner for (owner,) in rows}


def _locks(connection: Connection, members: Mapping[str, int]) -> dict[str, Locks]:
    """What resolving holds may change, by hold id, from the member that each is of."""
    found = {}
    for hold_id, member_id in members.items():
        row = connection.row("SELECT wallet_id, budgets FROM holds WHERE id = $1", hold_id)
        if row is None:
            found[hold_id] = Locks(member_id)  # it was never written
        else:
            counted = tuple(budget for budget, _ in budgets.places(row[1]))
            found[hold_id] = Locks(member_id, (row[0],), counted)
    return found


def _open_holds(connection: Connection, owner: str, *, after: str, limit: int) -> list[OpenHold]:
    """What a process has open, in the order of the ids, from the one after an id on."""
    rows = connection.rows(
        "SELECT id, wallet_id, budgets, stream, started, prompt_tokens, emitted, cached_tokens, "
        "search_tokens, searches FROM holds "
        "WHERE state = 'open' AND owner = $1 AND id > $2 ORDER BY id LIMIT $3",
        owner,
        after,
        limit,
    )
    return [
        OpenHold(
            hold_id,
            wallet_id,
            budgets.places(counted),
            bool(stream),
            bool(started),
            Counts(*counts),
        )
        for hold_id, wallet_id, counted, stream, started, *counts in rows
    ]
