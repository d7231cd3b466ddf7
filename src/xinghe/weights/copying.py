"""Reading gigabytes off the event loop, in steps between which a task can be cancelled."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import IO

from xinghe.weights.progress import Progress

STEP = 8 * 1024 * 1024
"""Bytes of one step."""


async def sha256_of(path: Path, progress: Progress) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    await _drive(_hashing(path, digest), progress)
    return digest.hexdigest()


async def join(pieces: Iterable[IO[bytes]], target: Path, progress: Progress) -> str:
    """Write the pieces one after another to `target`; returns the SHA-256 of the whole."""
    digest = hashlib.sha256()
    await _drive(_joining(pieces, target, digest), progress)
    return digest.hexdigest()


Steps = Generator[int, None, None]
"""Does one step at a time and yields the bytes done so far."""


def _hashing(path: Path, digest: hashlib._Hash) -> Steps:
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(STEP):
            digest.update(chunk)
            done += len(chunk)
            yield done


def _joining(pieces: Iterable[IO[bytes]], target: Path, digest: hashlib._Hash) -> Steps:
    done = 0
    with target.open("wb") as file:
        for piece in pieces:
            with piece:
                while chunk := piece.read(STEP):
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
