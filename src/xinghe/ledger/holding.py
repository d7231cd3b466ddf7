"""The hold of one request, from its reservation until its answer may leave.

A finished answer may leave when its charge is on the disk, or one of few on the way there. Whoever
kills this process while the disk is full takes along the charges that wait to be written, so only
`AHEAD` answers go ahead of their charges. The others wait; one that has waited too long is an error
instead, and costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import msgspec
import structlog

from xinghe.core import ClientGone, Usage
from xinghe.ledger import holds
from xinghe.ledger.holds import Cap, Counts, Hold, Period
from xinghe.ledger.lots import sweep_account
from xinghe.storage import (
    Connection,
    Database,
    Job,
    Operation,
    StorageClosed,
    StorageRefused,
    StorageUnavailable,
    now,
)

AHEAD = 4
"""Few enough that two processes on one database stay below eight."""
SAVE_SECONDS = 10.0
RETRY_SECONDS = 0.05
LARGEST_COUNT = 10**12
"""Of tokens or searches: beyond what any request can use, and far from where a column overflows."""

Charge: TypeAlias = tuple[Job, Operation]
"""An operation that waits to be written, and what is done in its place if it must not be."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.ledger")


class InsufficientTokens(Exception):
    """An account cannot cover a request; both figures in micro-Tokens."""

    def __init__(self, available: int, needed: int) -> None:
        super().__init__(f"{available} micro-Tokens available, {needed} needed")
        self.available = available
        self.needed = needed


class SpendCapReached(Exception):
    """A request could take a token over its cap; the amounts in micro-Tokens.

    `spent` is what the token has spent in the running `period` (UTC), with what its running
    requests hold.
    """

    def __init__(self, cap: int, spent: int, needed: int, period: Period) -> None:
        super().__init__(f"{spent} of {cap} micro-Tokens spent ({period}), {needed} needed")
        self.cap = cap
        self.spent = spent
        self.needed = needed
        self.period = period


class Unsaved(StorageUnavailable):
    """A finished answer could not be charged in time: it does not leave, and costs nothing."""


class RunningHolds:
    """The holds of this process: the streams that run, the answers ahead of their charges."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.streams: dict[str, Holding] = {}
        self.unstarted: dict[str, Holding] = {}
        """Those of the streams that were not seen to have started."""
        self.ahead = 0

    def note(self, streams: Mapping[str, Holding]) -> None:
        """Queue a checkpoint of what each has used, in case that this process dies.

        Only of those where that has changed.
        """
        # While the database is away the notes would only pile up; the next one holds it all.
        if not streams or self.database.last_error is not None:
            return
        changed: dict[int, list[tuple[str, Counts]]] = {}
        for hold_id, stream in list(streams.items()):
            counts = stream.owed()
            if counts is not None and counts != stream.noted:
                stream.noted = counts
                changed.setdefault(stream.account_id, []).append((hold_id, counts))
                self.unstarted.pop(hold_id, None)
        for account_id, noted in changed.items():
            self.database.enqueue(partial(holds.checkpoint, counts=noted), account=account_id)


class Holding(msgspec.Struct, eq=False):
    """The context manager that `Ledger.hold` returns. Its exit settles before it suspends.

    `noted` is the last checkpoint that was queued.
    """

    _running: RunningHolds
    _database: Database
    _hold: Hold
    _usage: Usage
    noted: Counts | None = None

    async def __aenter__(self) -> None:
        hold, reserve = self._hold, partial(holds.reserve, hold=self._hold)
        try:
            while isinstance(
                lacking := await self._database.write(reserve, account=hold.account_id),
                holds.Unswept,
            ):
                await sweep_account(self._database, hold.account_id, hold.created_at)
        except (StorageClosed, StorageRefused):
            raise  # the hold was never written
        except BaseException:
            # Cancelled, or not told how the commit ended: the hold may come to be. The queue is
            # in order, so the release finds it; and if there is none, it does nothing.
            self._settle(holds.release)
            raise
        if isinstance(lacking, Cap):
            committed = lacking.spent + lacking.held
            raise SpendCapReached(lacking.amount, committed, hold.amount, lacking.per)
        if lacking is not None:
            raise InsufficientTokens(lacking, hold.amount)
        if hold.stream:
            self._running.streams[hold.id] = self._running.unstarted[hold.id] = self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        hold, usage = self._hold, self._usage
        self._running.streams.pop(hold.id, None)
        self._running.unstarted.pop(hold.id, None)
        # Cut off by our own shutdown, or by an engine that broke off: what a stream showed is owed,
        # a whole answer is not.
        left = kind is not None and (
            issubclass(kind, ClientGone)
            or (issubclass(kind, asyncio.CancelledError) and (hold.stream or usage.left))
            or (hold.stream and usage.shown)
        )
        if not (usage.finished or (left and usage.owes)):
            self._settle(holds.release)
            return
        counts = self._used()
        cost = hold.rate.cost(counts.prompt, counts.completion, counts.cached, counts.searches)
        excess = cost - hold.amount
        if excess > 0:
            # The user was never asked for more than the hold: the operator bears it.
            log.warning(
                "usage_exceeds_hold",
                request_id=hold.request_id,
                model=hold.model,
                held=hold.amount,
                excess=excess,
            )
        capture = partial(holds.capture, usage=counts)
        if kind is None:
            await self._deliver(capture, counts)
        else:
            self._settle(capture)

    @property
    def account_id(self) -> int:
        return self._hold.account_id

    def owed(self) -> Counts | None:
        """What is owed so far; None while nothing is."""
        if not self._usage.owes:
            return None
        counts = self._used()
        if self._usage.started and not counts.prompt:
            # Until the usage knows the prompt, the reservation's count of it stands.
            return msgspec.structs.replace(counts, prompt=self._hold.prompt_tokens)
        return counts

    def _used(self) -> Counts:
        """The counts of the usage, brought into range: an upstream may report nonsense."""
        usage = self._usage
        counts = (
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_tokens,
            usage.search_tokens,
            usage.searches,
        )
        prompt, completion, cached, search, searches = (
            min(max(0, count), LARGEST_COUNT) for count in counts
        )
        return Counts(prompt, completion, min(prompt, cached), min(prompt, search), searches)

    def _settle(
        self, operation: Callable[..., bool], saved: asyncio.Future[Any] | None = None
    ) -> Job | None:
        """Queue the hold's capture or release; never suspends."""
        hold = self._hold
        try:
            settled = partial(operation, hold_id=hold.id, at=now())
            return self._database.enqueue(settled, saved, account=hold.account_id)
        except StorageClosed:
            log.error("hold_left_open", hold_id=hold.id, request_id=hold.request_id)
            return None

    async def _deliver(self, capture: Callable[..., bool], counts: Counts) -> None:
        """Settle, then wait until the answer may leave. Raises `Unsaved`."""
        hold, loop = self._hold, asyncio.get_running_loop()
        job = self._settle(capture, loop.create_future())
        if job is None:
            return
        charge = job, partial(holds.release, hold_id=hold.id, at=now())
        writes = self._database.deferred()
        try:
            if writes is None:
                await self._saved(job, charge)
            elif hold.stream:
                # Its capture waits for the answer to be kept, which is when all has left. A
                # checkpoint is as good: it is what is owed if this process dies.
                note = partial(holds.checkpoint, counts=[(hold.id, counts)])
                noted = self._database.enqueue(
                    note, loop.create_future(), account=hold.account_id, deferred=False
                )
                await self._saved(noted, charge, (noted, _nothing))
            else:

                async def cleared(stored: Job | None) -> None:
                    others = [] if stored is None else [(stored, _nothing)]
                    await self._saved(job, charge, *others)

                writes.clearances.append(cleared)
        except asyncio.CancelledError:
            if not (hold.stream or self._usage.left):
                self._withdraw(charge)
            raise

    async def _saved(self, job: Job, charge: Charge, *others: Charge) -> None:
        """Return when a job is on the disk, or may be late.

        Raises `Unsaved`: then the charge is withdrawn, and with it the others.
        """
        saved = job.waiter
        assert saved is not None
        if not saved.done() and self._running.ahead < AHEAD:
            self._running.ahead += 1
            saved.add_done_callback(self._came)
            return
        await asyncio.wait({saved}, timeout=SAVE_SECONDS)
        while not saved.done():
            if self._withdraw(charge, *others):
                raise Unsaved(f"the database cannot be written: {self._database.last_error}")
            await asyncio.wait({saved}, timeout=RETRY_SECONDS)
        saved.result()

    def _came(self, saved: asyncio.Future[Any]) -> None:
        self._running.ahead -= 1
        if not saved.cancelled():
            saved.exception()  # it was logged where it happened

    def _withdraw(self, charge: Charge, *others: Charge) -> bool:
        """Have nothing charged; False while that cannot be told."""
        if not self._database.amend(*charge):
            return False
        for other in others:
            self._database.amend(*other)
        return True


def _nothing(_: Connection) -> None:
    pass
