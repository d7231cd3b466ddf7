"""Long tasks in short transactions."""

import time
from collections.abc import Callable
from typing import TypeVar

from xinghe.storage.connection import Connection
from xinghe.storage.database import Database

ROWS = 500
SECONDS = 0.01

S = TypeVar("S")


class Allowance:
    """What one transaction may still do: so many rows, for so long; one row at least."""

    def __init__(self, rows: int = ROWS, seconds: float = SECONDS) -> None:
        self._rows = rows
        self._first = True
        self._until = time.monotonic() + seconds

    def take(self) -> bool:
        """Whether one more row may be changed."""
        if not self._first and (self._rows <= 0 or time.monotonic() >= self._until):
            return False
        self._first = False
        self._rows -= 1
        return True


async def in_batches(
    database: Database, step: Callable[[Connection, Allowance, S], tuple[S, bool]], state: S
) -> S:
    """Run a long task in short transactions, between which requests get their turn.

    There is one writer. A transaction that changes 100,000 rows holds every reservation up for
    seconds; one of `SECONDS` is not felt. A step is given what the one before it returned (at
    first `state`) beside whether that was all. Returns the last. Raises `StorageError`, and what
    a step raises; the batches before it stay written.
    """
    done = False
    while not done:
        before = state
        state, done = await database.write(lambda c: step(c, Allowance(), before), idle=True)  # noqa: B023
    return state
