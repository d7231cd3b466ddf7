"""How long it will be until an engine's first token, told to whoever waits for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Expected = Callable[[], float]
"""Seconds from now, as far as the past tells; 0 where it tells nothing."""


class Reading:
    """What becomes of one request meanwhile: `doing` what, and for how long.

    Several answers are made at a time, and each tells of itself: the last that began is told.
    """

    def __init__(self) -> None:
        self._told: list[tuple[str, Expected]] = []

    @property
    def doing(self) -> str:
        return self._told[-1][0] if self._told else ""

    @property
    def expected(self) -> float:
        return self._told[-1][1]() if self._told else 0.0

    @contextmanager
    def told(self, doing: str, expected: Expected) -> Iterator[None]:
        """Within it, that is what it does."""
        one = doing, expected
        self._told.append(one)
        try:
            yield
        finally:
            self._told.remove(one)


READING: ContextVar[Reading | None] = ContextVar("reading", default=None)
"""Of the request that a task works for, where somebody wants to know."""


@contextmanager
def telling(doing: str, expected: Expected) -> Iterator[None]:
    """Tell whoever wants to know what is done within it, and how long it will take."""
    reading = READING.get()
    if reading is None:
        yield
    else:
        with reading.told(doing, expected):
            yield
