"""A request's body while it arrives: counted, hashed and decoded, within a budget of memory."""

import asyncio
import hashlib
from typing import Any

from xinghe.api.errors import CLUSTER_FULL, Errors, too_many
from xinghe.api.large_json import NO_MARKS, LargeJson, decode

LARGE = 256 * 1024
"""Bytes from which on a body is decoded while it arrives."""
WAIT_SECONDS = 2.0
"""How long a request waits for others to end before it is refused."""


class Body:
    """What has arrived of a body: counted, hashed, and decoded while the rest arrives.

    `size` in bytes. At most `max_values` values may be in it; `hashed`: with a `digest`.
    """

    def __init__(self, max_values: int, *, hashed: bool) -> None:
        self._max_values = max_values
        self._parts = list[bytes]()
        self._marks = 0
        self._large: LargeJson | None = None
        self._hash = hashlib.sha256() if hashed else None
        self.size = 0
        self.missing = 0
        """Characters that were not kept: some string has more than any request may have."""

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
        self._marks += len(part.translate(None, NO_MARKS))
        # Marks within strings were counted too: a table in one message is one value.
        if self.size > LARGE or self._marks > self._max_values:
            self._large = LargeJson(self._max_values)
            for each in self._parts:
                await self._large.feed(each)
            self._parts.clear()

    @property
    def text(self) -> bytes | None:
        """All of it as it came; `None` where it is large, and decoded already."""
        return b"".join(self._parts) if self._large is None else None

    async def value(self) -> Any:
        """Raises `ApiError` for what is not JSON."""
        if self._large is None:
            return decode(b"".join(self._parts))
        self.missing = self._large.missing
        return await self._large.value()


class BodyBudget:
    """A budget over the bytes that all requests at work keep: bodies, and pictures for them.

    It counts what has arrived, not what was announced: an announcement takes no memory.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._freed = asyncio.Event()

    async def take(self, size: int) -> None:
        """Count bytes in, once there is room for them. Raises `ApiError` (429)."""
        if self.used + size > self.limit:
            await self._wait_for_room(size)
        self.used += size

    def give(self, size: int) -> None:
        """Count bytes out."""
        self.used -= size
        self._freed.set()

    async def _wait_for_room(self, size: int) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while self.used + size > self.limit:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            room = "the bodies and pictures of the requests at work take all of their room"
            text = f"{CLUSTER_FULL}: {room}"
            raise too_many(Errors.CLUSTER_RATE_LIMIT, text, WAIT_SECONDS) from None
