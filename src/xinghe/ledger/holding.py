"""The hold of one request, from its reservation until its charge is on the way to the disk."""

from __future__ import annotations

import asyncio
from functools import partial
from types import TracebackType

import structlog

from xinghe.core import ClientGone, Meter
from xinghe.ledger import holds
from xinghe.ledger.caps import Cap
from xinghe.ledger.delivery import Charge, Deliveries
from xinghe.ledger.errors import InsufficientTokens, SpendCapReached
from xinghe.ledger.streams import Streams
from xinghe.ledger.sweep import sweep_account
from xinghe.ledger.usage import Usage
from xinghe.storage import Database, Job, StorageClosed, StorageRefused, now

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.ledger")


class Holding:
    """The context manager that `Ledger.hold` returns. Its exit settles before it suspends."""

    def __init__(
        self,
        database: Database,
        streams: Streams,
        deliveries: Deliveries,
        hold: holds.Hold,
        meter: Meter,
    ) -> None:
        self._database = database
        self._streams = streams
        self._deliveries = deliveries
        self._hold = hold
        self._meter = meter

    async def __aenter__(self) -> None:
        hold = self._hold
        try:
            lacking = await self._reserve()
        except (StorageClosed, StorageRefused):
            raise  # the hold was never written
        except BaseException:
            # Cancelled, or not told how the commit ended: the hold may come to be. The queue is
            # in order, so the release finds it; and if there is none, it does nothing.
            self._settle(self._release())
            raise
        if isinstance(lacking, Cap):
            committed = lacking.spent + lacking.held
            raise SpendCapReached(lacking.amount, committed, hold.amount, lacking.per)
        if lacking is not None:
            raise InsufficientTokens(lacking, hold.amount)
        if hold.stream:
            self._streams.add(hold, self._meter)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        hold, meter = self._hold, self._meter
        self._streams.remove(hold.id)
        # Cut off by our own shutdown: what a stream showed is owed, a whole answer is not.
        left = kind is not None and (
            issubclass(kind, ClientGone)
            or (
                issubclass(kind, (asyncio.CancelledError, GeneratorExit))
                and (hold.stream or meter.left)
            )
        )
        if not (meter.finished or (left and meter.owes)):
            self._settle(self._release())
            return
        usage = Usage.of(meter)
        excess = usage.cost(hold.rate) - hold.amount
        if excess > 0:
            # The user was never asked for more than the hold: the operator bears it.
            log.warning(
                "usage_exceeds_hold",
                request_id=hold.request_id,
                model=hold.model,
                held=hold.amount,
                excess=excess,
            )
        capture = partial(holds.capture, hold_id=hold.id, usage=usage, at=now())
        if kind is not None:
            self._settle(capture)
            return
        await self._deliver(capture, usage)

    async def _reserve(self) -> int | Cap | None:
        hold = self._hold
        while True:
            found = await self._database.write(partial(holds.reserve, hold=hold))
            if not isinstance(found, holds.Unswept):
                return found
            await sweep_account(self._database, hold.account_id, hold.created_at)

    async def _deliver(self, capture: partial[bool], usage: Usage) -> None:
        """Settle, then wait until the answer may leave. Raises `Unsaved`."""
        saved = asyncio.get_running_loop().create_future()
        job = self._settle(capture, saved)
        if job is None:
            return
        charge = Charge(job, self._release())
        try:
            await self._deliveries.clear(charge, self._hold, usage)
        except asyncio.CancelledError:
            if not (self._hold.stream or self._meter.left):
                self._deliveries.withdraw(charge)
            raise

    def _release(self) -> partial[bool]:
        return partial(holds.release, hold_id=self._hold.id, at=now())

    def _settle(
        self, operation: partial[bool], saved: asyncio.Future[object] | None = None
    ) -> Job | None:
        try:
            return self._database.enqueue(operation, saved)
        except StorageClosed:
            log.error("hold_left_open", hold_id=self._hold.id, request_id=self._hold.request_id)
            return None
