"""What is to be written: operations, and those who wait for them."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec

from xinghe.observe import metrics
from xinghe.storage.connection import Connection, Locks

Operation: TypeAlias = Callable[[Connection], Any]


class Job(msgspec.Struct, eq=False):
    """An operation and its waiter; one that is `durable` is retried until it is done.

    `locks` are None where the operation takes its own. A `quick` one touches a few rows by their
    keys, an `idle` one lets all others go first.
    """

    operation: Operation
    waiter: asyncio.Future[Any] | None = None
    locks: Locks | None = None
    durable: bool = True
    quick: bool = False
    written: bool = False
    idle: bool = False
    at: float = 0.0
    """When it was handed in, by `time.monotonic`."""


class OperationFailed(Exception):
    """The operation at a place of its batch raised."""

    def __init__(self, place: int, error: Exception) -> None:
        super().__init__(place)
        self.place = place
        self.error = error


def named(operation: Operation) -> str:
    """What was to be done, without with what: that may be an answer that is to be kept."""
    while isinstance(operation, partial):
        operation = operation.func
    return getattr(operation, "__qualname__", type(operation).__name__)


def measure(batch: Sequence[Job]) -> None:
    """Tell the metrics how long the oldest of what is written now has waited for it."""
    if batch and not batch[0].idle:
        metrics.COMMIT.observe(time.monotonic() - batch[0].at)


def resolve(outcomes: Iterable[tuple[asyncio.Future[Any], Any]]) -> None:
    """Tell waiters what came of it."""
    for waiter, outcome in outcomes:
        if waiter.done():
            continue
        if isinstance(outcome, Exception):
            waiter.set_exception(outcome)
        else:
            waiter.set_result(outcome)
