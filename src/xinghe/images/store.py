"""Where images behind a URL are kept: their names, the folder, and the janitor that removes them.

Nobody can guess a name, and each says when it was made:
`<seconds since 1970 in hexadecimal>-<192 random bits>`. So an image expires the same wherever it
is kept, whatever a copy or a restore did to the times of its file.
"""

import asyncio
import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Protocol, Self

import msgspec
import structlog

from xinghe.regular import Regular
from xinghe.settings import Images
from xinghe.workers import Threads

log = structlog.get_logger(__name__)

NAME = re.compile(r"([0-9a-f]{8,11})-[A-Za-z0-9_-]{32}\.png", re.ASCII)
PAGE = 100
"""Names that the janitor looks at before others get their turn."""
ROUND = 600.0
"""Seconds from one round of the janitor to the next; what has expired is not served meanwhile."""
PIECE = 256 * 1024
MOST_READERS = 65536
"""Each has a connection of its own, so their number bounds them first."""
PARTIAL = ".part"
ABANDONED = 3600.0
"""Seconds after which a file that is half written has no writer any more."""


def new_name() -> str:
    """The name of a file that is made now."""
    return f"{int(time.time()):08x}-{secrets.token_urlsafe(24)}.png"


def made_at(name: str) -> int | None:
    """Seconds since 1970; `None` for what is no name of an image."""
    match = NAME.fullmatch(name)
    return int(match[1], 16) if match else None


def seconds_left(name: str, keep: float) -> float:
    """How much longer an image may be served that is kept for `keep` seconds; 0: not at all."""
    made = made_at(name)
    return 0.0 if made is None else max(0.0, made + keep - time.time())


class StoreError(Exception):
    """The place cannot be read or written; the text is for the log."""


class Opened(msgspec.Struct, frozen=True):
    """A stored image: its size in bytes, and its bytes as they are read."""

    size: int
    pieces: AsyncIterator[bytes]


class Storage(Protocol):
    """Keeps files by their names, which `new_name` made. All raise `StoreError`."""

    async def write(self, name: str, data: bytes) -> None: ...

    async def read(self, name: str) -> Opened | None:
        """`None` where there is no such file."""

    async def names(self) -> list[str]: ...

    async def remove(self, name: str) -> None: ...

    async def aclose(self) -> None: ...


class ImageStore:
    """Images that can be fetched for `settings.keep` seconds, and then are gone."""

    def __init__(self, storage: Storage, settings: Images) -> None:
        self._storage = storage
        self._keep = settings.keep
        pause = min(ROUND, max(1.0, self._keep / 4))
        self._sweeping = Regular(self.sweep, pause, "images_not_swept", StoreError)

    async def add(self, data: bytes) -> str:
        """Keep an image; its name. Raises `StoreError`."""
        name = new_name()
        await self._storage.write(name, data)
        return name

    async def open(self, name: str) -> tuple[Opened, float] | None:
        """An image, and for how many seconds more it is served. Raises `StoreError`."""
        left = seconds_left(name, self._keep)
        opened = await self._storage.read(name) if left else None
        return (opened, left) if opened else None

    async def discard(self, names: list[str]) -> None:
        """Remove images that nobody was told of."""
        for name in names:
            with contextlib.suppress(StoreError):
                await self._storage.remove(name)

    async def start(self) -> None:
        """Begin to remove what has expired, now and then again."""
        await self._sweeping.start()

    async def aclose(self) -> None:
        await self._sweeping.stop()
        await self._storage.aclose()

    async def sweep(self) -> int:
        """Remove what has expired; returns how many. Raises `StoreError`.

        One that cannot be removed keeps no other: it is told when all have had their turn.
        """
        removed = 0
        kept: StoreError | None = None
        for number, name in enumerate(await self._storage.names(), start=1):
            if number % PAGE == 0:
                await asyncio.sleep(0)
            if seconds_left(name, self._keep):
                continue
            try:
                await self._storage.remove(name)
                removed += 1
            except StoreError as error:
                kept = error
        if removed:
            log.info("images_expired", removed=removed)
        if kept is not None:
            raise kept
        return removed


class Folder:
    """Files under one folder; a link in it is followed nowhere.

    Without `make` it must be there: where a network's folder is not mounted, none is made instead.
    """

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self._path = path
        self._make = make
        self._threads = Threads("image-files", threads=2, waiting=MOST_READERS, share=MOST_READERS)

    async def write(self, name: str, data: bytes) -> None:
        await self._threads.run(self._write, name, data)

    async def read(self, name: str) -> Opened | None:
        file = await self._threads.run(self._open, name)
        if file is None:
            return None
        size = os.fstat(file.fileno()).st_size
        return Opened(size, _Pieces(file, size, self._threads))

    async def names(self) -> list[str]:
        return await self._threads.run(self._names)

    async def remove(self, name: str) -> None:
        try:
            await self._threads.run((self._path / name).unlink, missing_ok=True)
        except OSError as error:
            raise StoreError(f"{name} cannot be removed: {error.strerror}") from error

    async def aclose(self) -> None:
        self._threads.close()

    def _write(self, name: str, data: bytes) -> None:
        partial = self._path / (name + PARTIAL)
        try:
            if self._make:
                self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with partial.open("xb") as file:
                file.write(data)
            partial.replace(self._path / name)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise StoreError(f"{self._path} cannot be written: {error.strerror}") from error

    def _open(self, name: str) -> BinaryIO | None:
        assert made_at(name) is not None
        try:
            descriptor = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            return None
        return file

    def _names(self) -> list[str]:
        """Of images, and of what a crash left half written."""
        try:
            with os.scandir(self._path) as entries:
                found = [entry.name for entry in entries]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{self._path} cannot be read: {error.strerror}") from error
        return [name for name in found if made_at(name) is not None or _is_abandoned(name)]


def _is_abandoned(name: str) -> bool:
    made = made_at(name.removesuffix(PARTIAL))
    return made is not None and made + ABANDONED < time.time()


class _Pieces:
    """The bytes of an open file. No generator: a reader that leaves would leave it to the
    garbage collector; with this object the file is closed."""

    def __init__(self, file: BinaryIO, size: int, threads: Threads) -> None:
        self._file, self._left, self._threads = file, size, threads
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._left <= 0:
            raise StopAsyncIteration
        piece = await self._threads.run(self._file.read, min(PIECE, self._left))
        if not piece:
            raise StoreError("the file has become shorter")
        self._left -= len(piece)
        return piece

    def __del__(self) -> None:
        # A thread may be reading it yet, and closing would wait for that. The loop hands it on, as
        # whatever collects this object may hold the threads' locks.
        with contextlib.suppress(RuntimeError):  # the loop has ended: the file closes by itself
            self._loop.call_soon_threadsafe(self._threads.later, self._file.close)
