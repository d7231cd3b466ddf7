"""What every source is: something that may bring the file of a weight; a folder is the simplest.

Gigabytes are read off the event loop, in steps between which a task can be cancelled.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Generator, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Protocol

import msgspec

from xinghe.weights.index import SourceError, Weight
from xinghe.weights.progress import Progress
from xinghe.weights.store import CachedWeight

STEP = 8 * 1024 * 1024
"""Bytes of one step."""
Steps = Generator[int, None, None]
"""Does one step at a time and yields the bytes done so far."""


class Fetched(msgspec.Struct, frozen=True):
    """A whole file, not yet compared with anything.

    `resumed`: some of it came from an earlier run, so a wrong hash may not be this source's fault.
    """

    file: Path
    sha256: str
    resumed: bool


class Source(Protocol):
    """`name` is what `--source` takes, `origin` where the bytes come from, for messages."""

    @property
    def name(self) -> str: ...

    @property
    def origin(self) -> str: ...

    async def fetch(self, weight: Weight, cached: CachedWeight, progress: Progress) -> Fetched:
        """Bring the file. Raises `SourceError` (try another) or `NoSpaceError` (do not)."""


class Folder:
    """Copies, so that the cache does not change when the folder does."""

    name = "path"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.origin = str(folder)

    async def fetch(self, weight: Weight, cached: CachedWeight, progress: Progress) -> Fetched:
        file = self._folder / weight.file
        try:
            size = file.stat().st_size
            opened = file.open("rb")
        except OSError as error:
            raise SourceError(f"{file}: {error.strerror}") from error
        with opened:
            if weight.size not in {None, size}:
                raise SourceError(f"{file} has {size} bytes, and should have {weight.size}")
            cached.require_space(size)
            target = cached.copy
            progress.begin(f"copying {weight.file}", size)
            try:
                sha256 = await join([opened], target, progress)
            except BaseException:
                target.unlink(missing_ok=True)
                raise
        progress.end()
        return Fetched(target, sha256, resumed=False)


async def sha256_of(path: Path, progress: Progress) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    return await join((file.open("rb") for file in [path]), None, progress)


async def join(pieces: Iterable[IO[bytes]], target: Path | None, progress: Progress) -> str:
    """Write the pieces one after another to `target`, if any; returns the SHA-256 of the whole."""
    digest = hashlib.sha256()
    await _drive(_joining(pieces, target, digest), progress)
    return digest.hexdigest()


def _joining(pieces: Iterable[IO[bytes]], target: Path | None, digest: hashlib._Hash) -> Steps:
    done = 0
    with target.open("wb") if target else nullcontext() as file:
        for piece in pieces:
            with piece:
                while chunk := piece.read(STEP):
                    if file:
                        file.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    yield done


async def _drive(steps: Steps, progress: Progress) -> None:
    while True:
        step = asyncio.ensure_future(asyncio.to_thread(next, steps, None))
        try:
            done = await asyncio.shield(step)
        except asyncio.CancelledError:
            # A thread cannot be stopped: let the step end before its files are closed.
            await asyncio.wait([step])
            steps.close()
            raise
        if done is None:
            return
        progress.at(done)
