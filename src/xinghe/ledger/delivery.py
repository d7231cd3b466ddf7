"""When a finished answer may leave: its charge is on the disk, or one of few on the way there.

Whoever kills this process while the disk is full takes along the charges that wait to be written.
So only `AHEAD` answers go ahead of their charges. The others wait; one that has waited too long
is an error instead, and costs nothing.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, NamedTuple

import apsw

from xinghe.ledger import holds
from xinghe.ledger.errors import Unsaved
from xinghe.ledger.usage import Usage
from xinghe.storage import Database, Job, Operation

AHEAD = 4
"""Few enough that two processes on one database stay below eight."""
SAVE_SECONDS = 10.0
RETRY_SECONDS = 0.05


class Charge(NamedTuple):
    """An operation that waits to be written, and what is done in its place if it must not be."""

    job: Job
    instead: Operation


class Deliveries:
    """The answers of this process that are finished, and not gone yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ahead = 0

    async def clear(self, capture: Charge, hold: holds.Hold, usage: Usage) -> None:
        """Return when the answer may leave. Raises `Unsaved`: then its charge is withdrawn."""
        gathering = self._database.gathering()
        if gathering is None:
            await self._saved(capture.job, capture)
        elif hold.stream:
            # Its capture waits for the answer to be kept, which is when all has left. A checkpoint
            # is as good: it is what is owed if this process dies.
            saved: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            note = partial(holds.checkpoint, counts=[(hold.id, usage)])
            job = self._database.enqueue(note, saved, gathered=False)
            await self._saved(job, capture, Charge(job, _nothing))
        else:

            async def kept(keep: Job | None) -> None:
                also = () if keep is None else (Charge(keep, _nothing),)
                await self._saved(capture.job, capture, *also)

            gathering.clearances.append(kept)

    def withdraw(self, capture: Charge, *others: Charge) -> bool:
        """Have nothing charged; False while that cannot be told."""
        if not self._database.amend(*capture):
            return False
        for other in others:
            self._database.amend(*other)
        return True

    async def _saved(self, job: Job, capture: Charge, *others: Charge) -> None:
        saved = job.waiter
        assert saved is not None
        if not saved.done() and self._ahead < AHEAD:
            self._ahead += 1
            saved.add_done_callback(self._came)
            return
        await asyncio.wait({saved}, timeout=SAVE_SECONDS)
        while not saved.done():
            if self.withdraw(capture, *others):
                raise Unsaved(f"the database cannot be written: {self._database.last_error}")
            await asyncio.wait({saved}, timeout=RETRY_SECONDS)
        saved.result()

    def _came(self, saved: asyncio.Future[Any]) -> None:
        self._ahead -= 1
        if not saved.cancelled():
            saved.exception()  # it was logged where it happened


def _nothing(_: apsw.Connection) -> None:
    pass
