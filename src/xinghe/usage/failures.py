"""Requests that failed: counted by their codes for ever, each for itself for seven days.

They are gathered in memory and written together: a flood of refused requests must not become a
flood of writes. What was gathered when the process is killed is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice

import msgspec
import structlog

from xinghe.ledger import rollups
from xinghe.ledger.windows import DAY, HOUR, MINUTE
from xinghe.regular import Regular
from xinghe.storage import Connection, Database, StorageError, now

FLUSH_SECONDS = 1.0
SWEEP_SECONDS = 60.0
KEPT = 7 * DAY
A_MINUTE = 30
"""Rows of one member; what he fails beyond that is counted alone."""
MOST_ROWS, MOST_COUNTS = 5_000, 20_000
"""What is gathered while the database takes nothing; more is dropped."""
PORTION = 200
"""Rows of one transaction."""

_ROW = (
    "INSERT INTO failures (wallet_id, member_id, token_id, request_id, at, operation, model, "
    "status, code, total_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)
_SWEEP = (
    "DELETE FROM failures WHERE id IN (SELECT id FROM failures WHERE at < $1 ORDER BY at LIMIT $2)"
)

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.usage")


class Failed(msgspec.Struct, frozen=True, array_like=True):
    """A request that was answered with an error and cost nothing; `at` in microseconds UTC.

    `wallet_id` is the first that would have paid.
    """

    wallet_id: int
    member_id: int
    token_id: int
    request_id: str
    at: int
    operation: str
    model: str
    status: int
    code: str
    total_ms: int


class Failures:
    """Of this process. `start` and `stop` it; `stop` writes what is left."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[tuple[int, int, int, int, str, str], int] = {}
        self._rows: list[Failed] = []
        self._minute, self._of_minute = 0, dict[int, int]()
        self._dropped = False
        trouble = "failures_not_written", StorageError
        self._regular = (
            Regular(self.flush, FLUSH_SECONDS, *trouble),
            Regular(self.sweep, SWEEP_SECONDS, *trouble),
        )

    def note(self, failed: Failed) -> None:
        """Never suspends."""
        hour = failed.at - failed.at % HOUR
        key = (failed.wallet_id, hour, failed.member_id, failed.token_id, failed.model, failed.code)
        if key in self._counts or len(self._counts) < MOST_COUNTS:
            self._counts[key] = self._counts.get(key, 0) + 1
        elif not self._dropped:
            self._dropped = True
            log.error("failures_dropped")
        minute = failed.at // MINUTE
        if minute != self._minute:
            self._minute, self._of_minute = minute, {}
        noted = self._of_minute.get(failed.member_id, 0)
        if noted < A_MINUTE and len(self._rows) < MOST_ROWS:
            self._of_minute[failed.member_id] = noted + 1
            self._rows.append(failed)

    async def start(self) -> None:
        for each in self._regular:
            await each.start()

    async def stop(self) -> None:
        for each in self._regular:
            await each.stop()
        try:
            await self.flush()
        except StorageError as error:
            log.error("failures_not_written", error=str(error))

    async def flush(self) -> None:
        """Write what was gathered. Raises `StorageError`: what is left is written later."""
        self._dropped = False
        while self._counts or self._rows:
            # In order, for other processes write as well.
            keys = sorted(islice(self._counts, PORTION))
            counts = [(key, self._counts.pop(key)) for key in keys]
            rows, self._rows = self._rows[:PORTION], self._rows[PORTION:]
            try:
                await self._database.write(partial(_write, counts=counts, rows=rows), idle=True)
            except StorageError:
                for key, count in counts:
                    self._counts[key] = self._counts.get(key, 0) + count
                self._rows = rows + self._rows
                raise

    async def sweep(self) -> None:
        """Delete the rows that are too old. Raises `StorageError`."""
        before = now() - KEPT
        while await self._database.write(lambda c: c.run(_SWEEP, before, PORTION), idle=True):
            pass


def _write(
    connection: Connection,
    counts: Sequence[tuple[tuple[int, int, int, int, str, str], int]],
    rows: Sequence[Failed],
) -> None:
    for key, count in counts:
        rollups.add_failed(connection, key, count)
    connection.run_many(_ROW, [msgspec.structs.astuple(row) for row in rows])
