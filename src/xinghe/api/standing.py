"""How deployments, database, books, disks and backups stand: looked at when metrics are read.

What requests do is counted where they do it (`observe.metrics`); nothing here costs them anything.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from weakref import WeakSet

import msgspec
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from xinghe.dispatch import Live
from xinghe.ledger import Ledger, Unsettled
from xinghe.settings import Settings
from xinghe.storage import Database, StorageError
from xinghe.upkeep import Backups

MOST_SECONDS = 2.0
"""So long does whoever reads the metrics wait for a look."""
LASTS = 60.0
"""Seconds after which what was seen is told no more: a disk or database that hangs says nothing."""
GAUGES = {
    "deployment_ready": ("Whether a deployment would answer now", ("deployment",)),
    "deployment_places": ("Requests that may be at work at once", ("deployment",)),
    "deployment_at_work": ("Requests at work", ("deployment",)),
    "deployment_waiting": ("Requests that wait for their place", ("deployment",)),
    "database_up": ("Whether the last commit went through", ()),
    "journal_places": ("Places of this process's journal, one for each hold", ()),
    "journal_places_used": ("Those that a hold has, until it is settled in the database", ()),
    "holds_open": ("Open holds of all gateways on the database", ()),
    "oldest_hold_seconds": ("The age of the oldest of them", ()),
    "disk_size_bytes": ("The size of a file system", ("place",)),
    "disk_free_bytes": ("What is free there for the service's user", ("place",)),
    "backup_timestamp_seconds": ("The moment that the newest backup is of", ()),
}
"""By name without `xinghe_`: what it says, and its labels."""

_COUNT = count()
_ALL = WeakSet["Standing"]()


class Seen(msgspec.Struct):
    """What a look has found, and when (`time.monotonic`)."""

    at: float
    ready: dict[str, bool] = {}
    holds: Unsettled | None = None
    disks: dict[str, tuple[int, int]] = {}
    """By place, its size and what is free, in bytes."""
    backup: int | None = None
    """As `Backups.newest`."""


class Standing:
    """What the metrics tell of the parts of one process."""

    def __init__(
        self,
        settings: Settings,
        live: Live,
        database: Database,
        books: Ledger,
        backups: Backups,
    ) -> None:
        self.made = next(_COUNT)
        self._live, self._database, self._books, self._backups = live, database, books, backups
        self._places = {"data": settings.data_dir}
        if backups.folder is not None:
            self._places["backups"] = backups.folder
        self._looking: asyncio.Task[None] | None = None
        self._seen = Seen(time.monotonic())

    async def start(self) -> None:
        """Be told of when metrics are read; the ledger is at work by then."""
        _ALL.add(self)

    async def look(self) -> None:
        """See how all stands; one look at a time, and what hangs holds nobody up."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await asyncio.wait({self._looking}, timeout=MOST_SECONDS)

    async def aclose(self) -> None:
        """Tell nothing any more."""
        _ALL.discard(self)
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def _look(self) -> None:
        names = list(self._live.now.deployments.by_name)
        seen = Seen(time.monotonic(), await self._live.states(names))
        with suppress(StorageError):
            seen.holds = await self._books.unsettled()
        seen.disks, seen.backup = await asyncio.to_thread(_on_disk, self._places, self._backups)
        self._seen = seen

    def values(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """A metric without `xinghe_`, its labels' values, and what it says."""
        for name, leased in self._live.now.deployments.of_chat.items():
            queue = leased.at_work.engine.admission
            yield "deployment_places", (name,), queue.places
            yield "deployment_at_work", (name,), queue.at_work
            yield "deployment_waiting", (name,), queue.waiting
        yield "database_up", (), self._database.last_error is None
        journal = self._books.owner.journal
        yield "journal_places", (), journal.places
        yield "journal_places_used", (), journal.used
        seen = self._seen
        if time.monotonic() - seen.at > LASTS:
            return
        for name, ready in seen.ready.items():
            yield "deployment_ready", (name,), ready
        if seen.holds is not None:
            yield "holds_open", (), seen.holds.open
            since = time.time() - (seen.holds.oldest or 0) / 1e6
            yield "oldest_hold_seconds", (), max(0.0, since) if seen.holds.open else 0
        for place, (size, free) in seen.disks.items():
            yield "disk_size_bytes", (place,), size
            yield "disk_free_bytes", (place,), free
        if seen.backup is not None:
            yield "backup_timestamp_seconds", (), seen.backup / 1e6


def _on_disk(
    places: Mapping[str, Path], backups: Backups
) -> tuple[dict[str, tuple[int, int]], int | None]:
    """Of the places that are there; and when the newest backup was made."""
    disks, newest = dict[str, tuple[int, int]](), None
    for place, path in places.items():
        with suppress(OSError):
            usage = shutil.disk_usage(path)
            disks[place] = usage.total, usage.free
    with suppress(OSError):
        newest = backups.newest()
    return disks, newest


class _Standings(Collector):
    """Where a test has several of them in one process, the last says how it is."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        told = dict[tuple[str, tuple[str, ...]], float]()
        for each in sorted(_ALL, key=lambda each: each.made):
            told |= {(name, labels): float(value) for name, labels, value in each.values()}
        for name, (help_, labels) in GAUGES.items():
            family = GaugeMetricFamily(f"xinghe_{name}", help_, labels=labels)
            for (of, values), value in told.items():
                if of == name:
                    family.add_metric(values, value)
            yield family


REGISTRY.register(_Standings())
