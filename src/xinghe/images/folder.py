"""Images in a folder of the data directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import time
from pathlib import Path
from typing import BinaryIO, Self

from xinghe.images.store import Opened, StoreError
from xinghe.images.tokens import made_at
from xinghe.workers import Threads

PIECE = 256 * 1024
MOST_READERS = 65536
"""Each has a connection of its own, so their number bounds them first."""
PARTIAL = ".part"
ABANDONED = 3600.0
"""Seconds after which a file that is half written has no writer any more."""


class Folder:
    """Files under one folder; a link in it is followed nowhere."""

    def __init__(self, path: Path) -> None:
        self._path = path
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
