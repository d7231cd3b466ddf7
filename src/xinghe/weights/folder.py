"""A folder of the operator's that already holds the file."""

from __future__ import annotations

from pathlib import Path

from xinghe.weights.copying import join
from xinghe.weights.errors import SourceError
from xinghe.weights.index import Weight
from xinghe.weights.progress import Progress
from xinghe.weights.source import Fetched
from xinghe.weights.store import Place


class Folder:
    """Copies, so that the cache does not change when the folder does."""

    name = "path"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def origin(self) -> str:
        return str(self._folder)

    async def fetch(self, weight: Weight, place: Place, progress: Progress) -> Fetched:
        file = self._folder / weight.file
        try:
            size = file.stat().st_size
            opened = file.open("rb")
        except OSError as error:
            raise SourceError(f"{file}: {error.strerror}") from error
        with opened:
            if weight.size not in {None, size}:
                raise SourceError(f"{file} has {size} bytes, and should have {weight.size}")
            place.require_space(size)
            target = place.copy
            progress.begin(f"copying {weight.file}", size)
            try:
                sha256 = await join([opened], target, progress)
            except BaseException:
                target.unlink(missing_ok=True)
                raise
        progress.end()
        return Fetched(target, sha256, resumed=False)
