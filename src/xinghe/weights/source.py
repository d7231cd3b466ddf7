"""What every source is: something that may bring the file of a weight."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from xinghe.weights.index import Weight
from xinghe.weights.progress import Progress
from xinghe.weights.store import Place


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

    async def fetch(self, weight: Weight, place: Place, progress: Progress) -> Fetched:
        """Bring the file. Raises `SourceError` (try another) or `NoSpaceError` (do not)."""
        ...
