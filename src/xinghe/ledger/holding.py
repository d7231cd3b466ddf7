"""The hold of one request, from its reservation until its answer may leave.

A finished answer leaves when its charge is on the disk: in the database, or in the journal where
that takes too long. One that has waited too long for either is an error instead, and costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import msgspec
import structlog

from xinghe.core import MICRO, ClientGone, FinishReason, Usage
from xinghe.ledger import holds
from xinghe.ledger.budgets import BudgetReached
from xinghe.ledger.expiry import sweep_wallet
from xinghe.ledger.holds import Counts, Hold
from xinghe.ledger.journal import NOTHING, Journal, Placed, Record
from xinghe.ledger.owners import Owner
from xinghe.ledger.rollups import NOTHING_TOLD, Told
from xinghe.ledger.settlements import LINGER_SECONDS, Settlement, Settlements, Unsaved
from xinghe.observe import metrics
from xinghe.storage import (
    Connection,
    Database,
    Job,
    Locks,
    StorageClosed,
    StorageRefused,
    now,
)

SAVE_SECONDS = 10.0
RETRY_SECONDS = 0.05
LARGEST_COUNT = 10**12
"""Of tokens or searches: beyond what any request can use, and far from where a column overflows."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.ledger")


class InsufficientTokens(Exception):
    """No wallet covers a request; both figures in micro-Tokens."""

    def __init__(self, available: int, needed: int) -> None:
        super().__init__(f"{available} micro-Tokens available, {needed} needed")
        self.available = available
        self.needed = needed


class OverBudget(Exception):
    """A request does not fit into a window of a budget."""

    def __init__(self, reached: BudgetReached) -> None:
        super().__init__(f"budget {reached.budget.id} has used {reached.used}")
        self.reached = reached


class RunningHolds:
    """The streams of this process that run."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.streams: dict[str, Holding] = {}
        self.unstarted: dict[str, Holding] = {}
        """Those of the streams that were not seen to have started."""
        self._noting: list[asyncio.Future[Any]] = []
        self._noted_at = 0.0
        self._secured = True

    def note(self, streams: Mapping[str, Holding]) -> None:
        """Queue a checkpoint of what each has used, in case that this process dies.

        Only of those where that has changed. While the database does not take them, they go into
        the journal.
        """
        if not streams:
            return
        away = self.database.last_error is not None
        if not away and not all(noting.done() for noting in self._noting):
            away = time.monotonic() - self._noted_at > LINGER_SECONDS
            if not away:
                return  # the next round has it all
        changed: dict[Locks, list[tuple[str, Counts]]] = {}
        placed: dict[Journal, list[Placed]] = {}
        for hold_id, stream in list(streams.items()):
            counts = stream.owed()
            if counts is not None and counts != stream.noted:
                stream.noted = counts
                self.unstarted.pop(hold_id, None)
                if away:
                    placed.setdefault(stream.owner.journal, []).append(stream.placed(counts))
                else:
                    changed.setdefault(stream.locks, []).append((hold_id, counts))
        for journal, records in placed.items():
            journal.write(records)
        if changed:
            self._noted_at, self._secured = time.monotonic(), False
            self._noting = [self._note(locks, counts) for locks, counts in changed.items()]

    def secure(self) -> None:
        """Have the journal take at once what the database lets wait for too long."""
        if self._secured or time.monotonic() - self._noted_at <= LINGER_SECONDS:
            return
        self._secured = True
        if not all(noting.done() for noting in self._noting):
            for stream in self.streams.values():
                stream.noted = None  # it may be what waits
            self.note(self.streams)

    def end(self, owner: Owner) -> None:
        """Break off the streams of an owner that was taken for dead."""
        for stream in list(self.streams.values()):
            if stream.owner is owner:
                stream.end()

    def _note(self, locks: Locks, counts: list[tuple[str, Counts]]) -> asyncio.Future[Any]:
        noted = asyncio.get_running_loop().create_future()
        self.database.enqueue(
            partial(holds.checkpoint, counts=counts), noted, locks=locks, deferred=False
        )
        return noted


class Holding(msgspec.Struct, eq=False):
    """The context manager that `Ledger.hold` returns. Its exit settles before it suspends.

    `noted` is the last checkpoint that was queued, `place` the hold's in the journal, `task` the
    one that makes a stream.
    """

    _running: RunningHolds
    _settlements: Settlements
    _database: Database
    owner: Owner
    _hold: Hold
    _usage: Usage
    locks: Locks
    noted: Counts | None = None
    place: int = -1
    task: asyncio.Task[Any] | None = None
    fenced: bool = False
    held_at: float = 0.0
    settlement: Settlement | None = None

    async def __aenter__(self) -> None:
        hold, reserve = self._hold, partial(holds.reserve, hold=self._hold)
        self.place = self.owner.journal.take()
        try:
            while isinstance(
                outcome := await self._database.write(reserve, locks=self.locks, quick=True),
                holds.Unswept,
            ):
                await sweep_wallet(self._database, outcome.wallet_id, hold.created_at)
        except (StorageClosed, StorageRefused):
            self.owner.journal.give_back(self.place)
            raise  # the hold was never written
        except BaseException:
            # Cancelled, or not told how the commit ended: the hold may come to be. The queue is
            # in order, so the release finds it; and if there is none, it does nothing.
            self._settle("release")
            raise
        if not isinstance(outcome, holds.Reserved):
            self.owner.journal.give_back(self.place)
            if isinstance(outcome, BudgetReached):
                raise OverBudget(outcome)
            raise InsufficientTokens(outcome.available, hold.amount)
        self.locks = msgspec.structs.replace(self.locks, wallets=(outcome.wallet_id,))
        self.held_at = time.perf_counter()
        if hold.stream:
            self.task = asyncio.current_task()
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
            self._settle("release")
        else:
            counts = self._used()
            cost = hold.rate.cost(counts.prompt, counts.completion, counts.cached, counts.searches)
            if cost > hold.amount:
                # The user was never asked for more than the hold: the operator bears it.
                log.warning(
                    "usage_exceeds_hold",
                    request_id=hold.request_id,
                    model=hold.model,
                    held=hold.amount,
                    excess=cost - hold.amount,
                )
            self.settlement = settlement = self._settle("capture", counts, self._told())
            if settlement is None and not hold.stream:
                raise Unsaved("the database is closed")
            try:
                if kind is None and settlement is not None:
                    await self._deliver(settlement, counts)
            finally:
                if self.charged:
                    charged = min(cost, hold.amount) / MICRO
                    metrics.child(metrics.CHARGED, hold.model).inc(charged)
        if self.fenced:
            raise Unsaved("another process has settled the hold") from None

    def end(self) -> None:
        """Break the stream off: its hold is settled by another process."""
        self.fenced = True
        if self.task is not None:
            self.task.cancel()

    def placed(self, counts: Counts) -> Placed:
        """A checkpoint for the journal."""
        hold = self._hold
        return self.place, Record("checkpoint", hold.id, hold.member_id, now(), counts)

    @property
    def charged(self) -> bool:
        """Whether it is charged, now that it is over."""
        return self.settlement is not None and self.settlement.record.kind == "capture"

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

    def _told(self) -> Told:
        usage, end = self._usage, time.perf_counter()
        finish = "client_gone" if usage.left else "interrupted"
        if usage.finished:
            finish = usage.finish or FinishReason.NORMAL
        reasoning = min(max(0, usage.reasoning_tokens), LARGEST_COUNT)
        if not usage.arrived:
            return Told(finish, reasoning)
        wait, first, total = (
            max(0, round((moment - usage.arrived) * 1000))
            for moment in (self.held_at, usage.first, end)
        )
        return Told(finish, reasoning, wait, first if usage.first else None, total)

    def _settle(
        self,
        kind: Literal["capture", "release"],
        counts: Counts = NOTHING,
        told: Told = NOTHING_TOLD,
    ) -> Settlement | None:
        """Queue the hold's capture or release; never suspends."""
        hold = self._hold
        record = Record(kind, hold.id, hold.member_id, now(), counts)
        try:
            return self._settlements.add(record, self.place, self.owner, self.locks, told)
        except StorageClosed:
            log.error("hold_left_open", hold_id=hold.id, request_id=hold.request_id)
            return None

    async def _deliver(self, settlement: Settlement, counts: Counts) -> None:
        """Wait until the answer may leave. Raises `Unsaved`."""
        hold, writes = self._hold, self._database.deferred()
        try:
            if writes is None:
                await self._saved(settlement, settlement.saved)
            elif hold.stream:
                # Its capture waits for the answer to be kept, which is when all has left. A
                # checkpoint is as good: it is what is owed if this process dies.
                noted = asyncio.get_running_loop().create_future()
                note = self._database.enqueue(
                    partial(holds.checkpoint, counts=[(hold.id, counts)]),
                    noted,
                    locks=self.locks,
                    deferred=False,
                )
                await self._saved(settlement, noted, note)
            else:

                async def cleared(stored: Job | None) -> None:
                    others = [] if stored is None else [stored]
                    await self._saved(settlement, settlement.saved, *others)

                writes.clearances.append(cleared)
        except asyncio.CancelledError:
            if not (hold.stream or self._usage.left):
                self._settlements.withdraw(settlement)
            raise

    async def _saved(
        self, settlement: Settlement, saved: asyncio.Future[Any], *others: Job
    ) -> None:
        """Return when `saved` is told, and says nothing against it.

        Raises `Unsaved`: then the settlement is withdrawn, and with it the other jobs.
        """
        await asyncio.wait({saved}, timeout=SAVE_SECONDS)
        while not saved.done():
            if self._settlements.withdraw(settlement):
                for other in others:
                    self._database.amend(other, _nothing)
                raise Unsaved(f"the database cannot be written: {self._database.last_error}")
            await asyncio.wait({saved}, timeout=RETRY_SECONDS)
        outcome = saved.result()
        if isinstance(outcome, Unsaved):
            raise outcome


def _nothing(_: Connection) -> None:
    pass
