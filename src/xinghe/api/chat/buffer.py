"""Between an engine and a reader: the engine is drained at its own pace, the reader at his."""

from __future__ import annotations

import asyncio

from xinghe.core import ClientGone

MAX_BYTES = 16 * 1024 * 1024


class BufferFull(ClientGone):
    """The reader is further behind than any answer is long: as good as gone."""


class StreamBuffer:
    """Bytes for one reader. Several puts between two takes leave in one piece."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._arrived: float | None = None
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, data: bytes, arrived: float | None) -> None:
        """Add bytes whose cause, if they have one, arrived at that `perf_counter` time.

        Raises `BufferFull`.
        """
        if not self._parts:
            self._arrived = arrived
        self._size += len(data)
        if self._size > MAX_BYTES:
            raise BufferFull
        self._parts.append(data)
        self._wake.set()

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._wake.set()

    def drop(self) -> None:
        """Nothing more is to be sent, not even what is here."""
        self._parts.clear()
        self.close()

    async def take(self) -> tuple[bytes, float | None] | None:
        """All bytes at hand with the arrival of the oldest, or `None` at the end."""
        await self._wake.wait()
        if not self._parts:
            return None
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if not self._closed:
            self._wake.clear()
        return data, self._arrived
