"""The cache folder: which files are here, and what is known of them.

Beside `model.gguf` stand `model.gguf.json` (the marker: what was verified, and when the file was
last touched), `model.gguf.lock`, and while a download is under way `model.gguf.part`, `.parts` or
`.copy`.
"""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from xinghe.settings import Settings
from xinghe.weights.index import NoSpaceError, Weight, WeightsError, local_file, resolve, shards
from xinghe.weights.progress import human

MARGIN = 64 * 1024 * 1024
"""Bytes of disk that a download leaves free."""


class Marker(msgspec.Struct, frozen=True):
    """What is recorded of a finished file. `verified`: its hash was the index's own."""

    sha256: str
    size: int
    mtime_ns: int
    source: str
    verified: bool


class CachedWeight:
    """Where one weight lives in the cache folder."""

    def __init__(self, folder: Path, file: str) -> None:
        self.folder = folder
        self.path = folder / file
        self.partial = folder / f"{file}.part"
        self.partial_facts = folder / f"{file}.part.json"
        self.parts = folder / f"{file}.parts"
        self.copy = folder / f"{file}.copy"
        self._marker = folder / f"{file}.json"
        self._lock = folder / f"{file}.lock"

    @property
    def arrived(self) -> int:
        """Bytes of an unfinished download."""
        try:
            return self.partial.stat().st_size
        except FileNotFoundError:
            return 0

    def marker(self) -> Marker | None:
        """The record of the file that was stored here last, even if that file is gone."""
        try:
            return msgspec.json.decode(self._marker.read_bytes(), type=Marker)
        except (OSError, msgspec.MsgspecError):
            return None

    def is_complete(self, weight: Weight) -> bool:
        """Whether the file is here as it was recorded: size and time, without reading it."""
        marker = self.marker()
        if marker is None or weight.sha256 not in {None, marker.sha256}:
            return False
        try:
            stat = self.path.stat()
        except OSError:
            return False
        return (stat.st_size, stat.st_mtime_ns) == (marker.size, marker.mtime_ns)

    def install(self, file: Path, sha256: str, weight: Weight, source: str) -> None:
        """Move a finished file into its place and record it. The rename is atomic."""
        file.chmod(0o644)
        _sync(file)
        file.replace(self.path)
        self.record(sha256, weight, source)

    def record(self, sha256: str, weight: Weight, source: str) -> None:
        """Write the marker of the file that stands in its place."""
        stat = self.path.stat()
        verified = weight.sha256 == sha256
        marker = Marker(sha256, stat.st_size, stat.st_mtime_ns, source, verified)
        draft = self._marker.with_name(f"{self._marker.name}.new")
        draft.write_bytes(msgspec.json.encode(marker))
        draft.replace(self._marker)
        _sync(self.folder)

    def require_space(self, size: int) -> None:
        """Raises `NoSpaceError` unless `size` bytes and a margin are free."""
        free = shutil.disk_usage(self.folder).free
        if free < size + MARGIN:
            raise NoSpaceError(
                f"{self.folder} has {human(free)} free, and {human(size + MARGIN)} are needed; "
                "free some disk, or name a folder with room: XINGHE_WEIGHTS__CACHE=FOLDER"
            )

    @asynccontextmanager
    async def locked(self, waiting: Callable[[], None]) -> AsyncIterator[None]:
        """Hold the weight's lock; `waiting` is called once if another process has it."""
        # The lock file stays: to remove it would let a third process lock a file of its own.
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            told = False
            while not _try_lock(descriptor):
                if not told:
                    waiting()
                    told = True
                await asyncio.sleep(0.2)
            yield
        finally:
            os.close(descriptor)


def cached_weight(settings: Settings, weight: Weight) -> CachedWeight:
    """The weight's place; makes the cache folder. Raises `WeightsError`."""
    folder = folder_of(settings, weight)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"the weights folder {folder} cannot be made: {error.strerror}"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WeightsError(
            f"the weights folder {folder} is not writable; "
            f'if it belongs to another user: sudo chown -R "$USER" {folder}'
        )
    return CachedWeight(folder, weight.file)


def folder_of(settings: Settings, weight: Weight) -> Path:
    """Where it is kept: repositories have files of the same name."""
    if not weight.only:
        return settings.weights_dir
    return (settings.weights_dir / weight.only / weight.hub / weight.path).parent


def find(settings: Settings, name: str) -> Path | None:
    """The model file, if it is already here; reads no more than its marker.

    `name` is a name or alias of the index, a hub's file, or the path of a GGUF file; of a model
    that is cut into several files, the first. Raises `UnknownWeight`.
    """
    if path := local_file(name):
        return path if path.is_file() else None
    first = None
    for shard in shards(name):
        weight = resolve(shard)
        cached = CachedWeight(folder_of(settings, weight), weight.file)
        if not cached.is_complete(weight):
            return None
        first = first or cached.path
    return first


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
