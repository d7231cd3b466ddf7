"""The kept answers of the service: who has a key's turn, what is kept, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import structlog

from xinghe.core import MICRO
from xinghe.idempotency import answers
from xinghe.idempotency.answers import Kept, Place
from xinghe.idempotency.turns import KeyReused, Turns
from xinghe.settings import Idempotency
from xinghe.storage import Database, Gathering, StorageError, in_batches, now

SWEEP_SECONDS = 60.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.idempotency")


class Keeper:
    """Keeps answers for as long as the settings say."""

    def __init__(self, database: Database, settings: Idempotency) -> None:
        self._database = database
        self._lasting = round(settings.keep * MICRO)
        self._max_bytes = settings.max_bytes
        self.turns = Turns()
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to drop what is too old, at once and then regularly."""
        self._sweeper = asyncio.create_task(self._sweep_regularly())

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
            self._sweeper = None

    async def find(self, place: Place, asked: bytes) -> Kept | None:
        """The answer that is kept for a key; only within its turn.

        Raises `KeyReused` if it answers another body, and `StorageError`.
        """
        # In the writer's queue, behind what the last holder of the turn has handed in.
        found = await self._database.write(
            partial(answers.find, place=place, since=now() - self._lasting)
        )
        if found is not None and found.asked != asked:
            raise KeyReused
        return found

    @contextmanager
    def keeping(self, place: Place) -> Iterator[Keeping]:
        """Around the work: what it settles is held back until its answer is kept, or it ends."""
        with self._database.gather() as gathering:
            yield Keeping(gathering, place, self._max_bytes, self._max_bytes // 8)

    async def sweep(self) -> int:
        """Drop what is too old or too much; returns how many. Raises `StorageError`."""
        before, most = now() - self._lasting, self._max_bytes
        if not await self._database.read(partial(answers.expired, before=before, max_bytes=most)):
            return 0
        step = partial(answers.expire, before=before, max_bytes=most)
        return await in_batches(self._database, step, 0)

    async def _sweep_regularly(self) -> None:
        while True:
            try:
                await self.sweep()
            except StorageError as error:
                log.warning("kept_answers_not_swept", error=str(error))
            await asyncio.sleep(SWEEP_SECONDS)


class Keeping:
    """One answer on its way into the table; one of more than `largest` bytes is not kept."""

    def __init__(self, gathering: Gathering, place: Place, max_bytes: int, largest: int) -> None:
        self.largest = largest
        self._gathering = gathering
        self._place = place
        self._max_bytes = max_bytes

    async def keep(self, answer: Kept | None) -> None:
        """Hand the answer in, and behind it what the work has settled; None: only that.

        Returns when the answer may leave. Raises `StorageError`, and then it may not.
        """
        if answer is None:
            self._gathering.hand_in()
        else:
            self._gathering.hand_in(
                partial(answers.keep, place=self._place, answer=answer, max_bytes=self._max_bytes)
            )
        await self._gathering.cleared()
