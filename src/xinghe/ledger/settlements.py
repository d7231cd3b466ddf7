"""Settlements on their way to the disk: to the database, or to the journal if that takes too long.

An answer may leave when its charge is on the disk, in one or the other. What is in the journal is
final: it is written to the database as soon as that takes it, by this process or by a later one.
"""

import asyncio
import time
from functools import partial

import msgspec
import structlog

from xinghe.ledger import expiry, holds
from xinghe.ledger.journal import Journal, Record
from xinghe.ledger.owners import Owner
from xinghe.ledger.rollups import NOTHING_TOLD, Told
from xinghe.observe import metrics
from xinghe.storage import Connection, Database, Job, Locks, StorageUnavailable, now

LINGER_SECONDS = 0.3
"""How long the database may take before the journal takes a settlement as well."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.ledger")


class Unsaved(StorageUnavailable):
    """A finished answer could not be charged in time: it does not leave, and costs nothing."""


class Settlement(msgspec.Struct, eq=False):
    """How one hold is resolved, until that is in the database.

    `saved` is told once: None where the answer may leave, else why it may not. What is `journalled`
    was given to the journal, and is not taken back any more.
    """

    record: Record
    place: int
    owner: Owner
    locks: Locks
    told: Told
    saved: asyncio.Future[Unsaved | None]
    since: float
    job: Job | None = None
    journalled: bool = False
    late: bool = False

    def tell(self, outcome: Unsaved | None) -> None:
        if not self.saved.done():
            self.saved.set_result(outcome)


class Settlements:
    """Those of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lingering: dict[str, Settlement] = {}
        """By hold id, the oldest first: neither in the database nor in the journal yet."""
        self._failing = False

    def add(self, record: Record, place: int, owner: Owner, locks: Locks, told: Told) -> Settlement:
        """Queue a hold's capture or release; never suspends. Raises `StorageClosed`.

        What the request defers (see `storage.DeferredWrites`) waits for the database alone: in
        the journal, it would be torn from the response that is to be stored with it.
        """
        saved = asyncio.get_running_loop().create_future()
        settlement = Settlement(record, place, owner, locks, told, saved, time.monotonic())
        if self._database.deferred() is None:
            self._queue(settlement)
            self._lingering[record.hold_id] = settlement
        else:
            # Whoever asks again gets the stored response: it is charged even if we are taken for
            # dead meanwhile.
            self._queue(settlement, owner.boot_id)
        return settlement

    def withdraw(self, settlement: Settlement) -> bool:
        """Have nothing charged; False while that cannot be told, or if it is too late."""
        release = msgspec.structs.replace(settlement.record, kind="release")
        assert settlement.job is not None
        if settlement.journalled or not self._database.amend(
            settlement.job, partial(settle, record=release)
        ):
            return False
        settlement.record = release
        return True

    def secure(self, linger: float = LINGER_SECONDS) -> None:
        """Give the journal what the database has not taken in time."""
        if not self._lingering:
            return
        until = time.monotonic() - (0 if self._database.last_error else linger)
        groups: dict[Journal, list[Settlement]] = {}
        for settlement in self._lingering.values():
            if settlement.since > until:
                break
            if not settlement.journalled:
                settlement.journalled = True
                groups.setdefault(settlement.owner.journal, []).append(settlement)
        for journal, group in groups.items():
            written = journal.write([(each.place, each.record) for each in group])
            asyncio.wrap_future(written).add_done_callback(partial(self._secured, group))

    def _secured(self, group: list[Settlement], written: asyncio.Future[None]) -> None:
        failure = written.exception()
        if failure is not None and not self._failing:
            log.error("journal_not_written", error=str(failure))
        self._failing = failure is not None
        for settlement in group:
            if failure is not None:
                settlement.journalled = False  # it is tried again, or withdrawn
                if settlement.record.hold_id not in self._lingering:
                    settlement.tell(Unsaved(str(failure)))  # the database has refused it meanwhile
            else:
                self._lingering.pop(settlement.record.hold_id, None)
                settlement.tell(None)
                metrics.JOURNALLED.inc()

    def _queue(self, settlement: Settlement, owner: str | None = None) -> None:
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        written.add_done_callback(partial(self._written, settlement))
        record = settlement.record
        settlement.job = self._database.enqueue(
            partial(settle, record=record, owner=owner, told=settlement.told),
            written,
            locks=settlement.locks,
            quick=True,
        )

    def _written(self, settlement: Settlement, written: asyncio.Future[bool]) -> None:
        record, failure = settlement.record, written.exception()
        self._lingering.pop(record.hold_id, None)
        if failure is not None and settlement.journalled:
            return  # it keeps its place: the next process will try it
        outcome = None if failure is None else Unsaved(str(failure))
        if failure is None and record.kind == "capture" and not written.result():
            # We were taken for dead, and another process has settled the hold.
            if settlement.journalled and not settlement.late:
                settlement.late = True
                self._queue(settlement, settlement.owner.boot_id)
                return
            outcome = Unsaved("another process has settled the hold")
        settlement.tell(outcome)
        settlement.owner.journal.give_back(settlement.place)


def settle(
    connection: Connection, record: Record, owner: str | None = None, told: Told = NOTHING_TOLD
) -> bool:
    """Resolve a hold as a record says; returns whether it is resolved like that now.

    `owner` is the hold's, where an answer has left on account of the record: then it is charged
    although another process has released the hold.
    """
    if record.kind == "release":
        return holds.release(connection, record.hold_id, at=record.at)
    if record.kind == "checkpoint":
        return _checkpoint(connection, record)
    if holds.capture(connection, record.hold_id, record.usage, at=record.at, told=told):
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
    wallet_id = connection.value(
        "SELECT wallet_id FROM holds WHERE id = $1 AND state = 'released' AND owner != $2",
        record.hold_id,
        owner,
    )
    if wallet_id is None:
        return False
    # What has expired must not count as available: the charge would take valid lots in its stead,
    # which open holds were promised.
    at = now()
    expiry.expire(connection, wallet_id, at)
    holds.reopen(connection, record.hold_id, at)
    return holds.capture(connection, record.hold_id, record.usage, at=record.at, note="late")
