"""The one way to try again what may be well in a moment."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

Failed = Callable[[Any, float | None], object]


PAUSES = (0.2, 1.0)
"""Seconds before each further try of what may be starting anew, or be well in a moment."""
RETRY_AFTER = 2.0
"""Seconds after which a client may ask again for what did not come back within all tries."""


class Try(msgspec.Struct, frozen=True):
    """An asynchronous context manager around one try; see `tries`."""

    pause: float | None
    expected: type[Exception] | tuple[type[Exception], ...]
    failed: Failed

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, self.expected):
            return False
        self.failed(error, self.pause)
        if self.pause is not None:
            await asyncio.sleep(self.pause)
        return self.pause is not None


def tries(pauses: Sequence[float], expected: Any, failed: Failed) -> list[Try]:
    """One try more than there are `pauses`, in seconds; a try that succeeds leaves the loop.

    `failed` hears of each `expected` error and of the pause behind it: `None` after the last, which
    goes on, unless `failed` raises another in its place.
    """
    return [Try(pause, expected, failed) for pause in (*pauses, None)]
