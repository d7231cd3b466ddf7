"""One request at a time for each key: the others wait for its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from xinghe.idempotency.answers import Place


class KeyReused(Exception):
    """A key was used before with another body."""


class Turns:
    """Which keys are at work in this process, the only one that writes to its database."""

    def __init__(self) -> None:
        self._running: dict[Place, _Turn] = {}

    def running(self, place: Place, asked: bytes) -> asyncio.Event | None:
        """The end of the request that has the key's turn; None if nobody has it.

        `asked` is the SHA-256 of the body. Raises `KeyReused` if the other has another body.
        """
        turn = self._running.get(place)
        if turn is None:
            return None
        if turn.asked != asked:
            raise KeyReused
        return turn.ended

    @contextmanager
    def take(self, place: Place, asked: bytes) -> Iterator[None]:
        """Have the turn of a key that is not running."""
        assert place not in self._running
        turn = self._running[place] = _Turn(asked)
        try:
            yield
        finally:
            del self._running[place]
            turn.ended.set()


class _Turn:
    def __init__(self, asked: bytes) -> None:
        self.asked = asked
        self.ended = asyncio.Event()
