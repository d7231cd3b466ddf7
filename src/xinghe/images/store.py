"""Where images behind a URL are kept, and the janitor that removes them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
import structlog

from xinghe.images.tokens import new_name, seconds_left
from xinghe.settings import Images

log = structlog.get_logger(__name__)

PAGE = 100
"""Names that the janitor looks at before others get their turn."""
ROUND = 600.0
"""Seconds from one round of the janitor to the next; what has expired is not served meanwhile."""


class StoreError(Exception):
    """The place cannot be read or written; the text is for the log."""


class Opened(msgspec.Struct, frozen=True):
    """A stored image: its size in bytes, and its bytes as they are read."""

    size: int
    pieces: AsyncIterator[bytes]


class Place(Protocol):
    """Keeps files by their names, which `tokens` made. All raise `StoreError`."""

    async def write(self, name: str, data: bytes) -> None: ...

    async def read(self, name: str) -> Opened | None:
        """`None` where there is no such file."""
        ...

    async def names(self) -> list[str]: ...

    async def remove(self, name: str) -> None: ...

    async def aclose(self) -> None: ...


class ImageStore:
    """Images that can be fetched for `settings.keep` seconds, and then are gone."""

    def __init__(self, place: Place, settings: Images) -> None:
        self._place = place
        self._keep = settings.keep
        self._janitor: asyncio.Task[None] | None = None

    async def add(self, data: bytes) -> str:
        """Keep an image; its name. Raises `StoreError`."""
        name = new_name()
        await self._place.write(name, data)
        return name

    async def open(self, name: str) -> tuple[Opened, float] | None:
        """An image, and for how many seconds more it is served. Raises `StoreError`."""
        left = seconds_left(name, self._keep)
        opened = await self._place.read(name) if left else None
        return (opened, left) if opened else None

    async def discard(self, names: list[str]) -> None:
        """Remove images that nobody was told of."""
        for name in names:
            with contextlib.suppress(StoreError):
                await self._place.remove(name)

    async def start(self) -> None:
        """Begin to remove what has expired, now and then again."""
        self._janitor = asyncio.create_task(self._clean(), name="image janitor")

    async def aclose(self) -> None:
        if self._janitor is not None:
            self._janitor.cancel()
            await asyncio.gather(self._janitor, return_exceptions=True)
        await self._place.aclose()

    async def sweep(self) -> int:
        """Remove what has expired; returns how many. Raises `StoreError`.

        One that cannot be removed keeps no other: it is told when all have had their turn.
        """
        removed = 0
        kept: StoreError | None = None
        for number, name in enumerate(await self._place.names(), start=1):
            if number % PAGE == 0:
                await asyncio.sleep(0)
            if seconds_left(name, self._keep):
                continue
            try:
                await self._place.remove(name)
                removed += 1
            except StoreError as error:
                kept = error
        if kept is not None:
            raise kept
        return removed

    async def _clean(self) -> None:
        while True:
            try:
                removed = await self.sweep()
                if removed:
                    log.info("images_expired", removed=removed)
            except StoreError as error:
                log.warning("images_not_swept", error=str(error))
            except Exception:
                log.exception("images_not_swept")
            await asyncio.sleep(min(ROUND, max(1.0, self._keep / 4)))
