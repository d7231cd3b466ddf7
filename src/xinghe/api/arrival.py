"""What has arrived of a request's body: counted, hashed, and decoded while the rest arrives."""

from __future__ import annotations

import hashlib
from typing import Any

from xinghe.api.large_json import LargeJson, count_marks, decode

LARGE = 256 * 1024
"""Bytes from which on a body is decoded while it arrives."""


class Body:
    """`size` in bytes. At most `max_values` values may be in it; `hashed`: with a `digest`."""

    def __init__(self, max_values: int, *, hashed: bool) -> None:
        self._max_values = max_values
        self._parts = list[bytes]()
        self._marks = 0
        self._large: LargeJson | None = None
        self._hash = hashlib.sha256() if hashed else None
        self.size = 0

    @property
    def missing(self) -> int:
        """Characters that were not kept: some string has more than any request may have."""
        return self._large.missing if self._large is not None else 0

    @property
    def digest(self) -> bytes:
        """The SHA-256 of it all."""
        assert self._hash is not None
        return self._hash.digest()

    async def add(self, part: bytes) -> None:
        """Raises `ApiError` for more values than may be, and for what cannot be JSON any more."""
        self.size += len(part)
        if self._hash is not None:
            self._hash.update(part)
        if self._large is not None:
            await self._large.feed(part)
            return
        self._parts.append(part)
        self._marks += count_marks(part)
        # Marks within strings were counted too: a table in one message is one value.
        if self.size > LARGE or self._marks > self._max_values:
            self._large = LargeJson(self._max_values)
            for each in self._parts:
                await self._large.feed(each)
            self._parts.clear()

    async def value(self) -> Any:
        """Raises `ApiError` for what is not JSON."""
        if self._large is not None:
            return await self._large.value()
        return decode(b"".join(self._parts))
