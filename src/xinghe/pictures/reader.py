"""What an engine without vision is told of a picture."""

import asyncio
import hashlib
from collections import OrderedDict

import msgspec
import structlog

from xinghe.core import ACCOUNT, Picture
from xinghe.pictures.prompt import Description
from xinghe.settings import Pictures
from xinghe.workers import QueueFull, Threads, WorkerFailure, WorkerPool

log = structlog.get_logger(__name__)

REMEMBERED = 256
"""Readings kept in memory: a conversation sends its pictures again with every question."""
MEMORY = 2 * 1024**3
"""Bytes of data that the child may hold."""
WAITING, SHARE = 64, 16
"""Requests that wait for a reading: in all, and of one account."""


class PictureFile(msgspec.Struct, frozen=True, array_like=True):
    """The file of a picture."""

    data: bytes


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """What was seen, with the picture held upright; sizes in pixels.

    `colours` are Chinese names, the most frequent first. `lines` are in reading order.
    """

    width: int
    height: int
    colours: tuple[str, ...]
    lines: tuple[str, ...]


class PictureReader:
    """Asks a child process, started at the first picture, which works at low priority."""

    def __init__(self, settings: Pictures) -> None:
        self._timeout = settings.read_timeout
        self._worker = WorkerPool(
            "xinghe.pictures.worker",
            Reading,
            size=1,
            nice=10,
            waiting=WAITING,
            share=SHARE,
            timeout=settings.read_timeout,
            memory=MEMORY,
            grace=settings.read_timeout,  # it starts for longer than most readings take
        )
        self._hashing = Threads("picture-hashes")
        self._seen: OrderedDict[bytes, Reading] = OrderedDict()

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return next(iter(self._worker.pids), None)

    async def describe(self, picture: Picture, max_characters: int = 2000) -> Description:
        """What can be read from a picture; its text is cut to `max_characters`.

        A picture that cannot be read within `pictures.read_timeout` is described as such. Raises
        `QueueFull` where too many wait.
        """
        key = await self._hashing.run(lambda: hashlib.sha256(picture.data).digest())
        reading = self._seen.get(key)
        if reading is None:
            try:
                async with asyncio.timeout(self._timeout):
                    reading = await self._worker.call(PictureFile(picture.data), ACCOUNT.get())
            except QueueFull:
                raise
            except (WorkerFailure, TimeoutError) as error:
                log.warning("picture_not_read", reason=type(error).__name__)
                return Description(picture.width, picture.height, readable=False)
            self._seen[key] = reading
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        self._seen.move_to_end(key)
        lines, cut = _bounded(reading.lines, max_characters)
        return Description(reading.width, reading.height, reading.colours, lines, cut)

    async def aclose(self) -> None:
        await self._worker.aclose()
        self._hashing.close()


def _bounded(lines: tuple[str, ...], most: int) -> tuple[tuple[str, ...], bool]:
    """The first lines with `most` characters in all, and whether any were left out."""
    kept: list[str] = []
    for line in lines:
        if len(line) > most:
            return (*kept, line[:most]) if most else tuple(kept), True
        kept.append(line)
        most -= len(line)
    return tuple(kept), False
