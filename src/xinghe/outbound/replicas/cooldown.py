"""A replica that says that it is full is left alone for as long as it asks."""

from typing import Protocol

import msgspec

LONGEST = 60.0
"""Seconds for which a server's own word is taken; then it is asked again."""
UNASKED = 1.0
"""Seconds for which others are preferred to one that is full and did not say for how long."""


class Cooldown(Protocol):
    """All times are those of one clock, in seconds."""

    def full(self, now: float, advice: float | None) -> None:
        """It says that it is full, and perhaps for how long."""

    def put_last(self, now: float, seconds: float) -> None:
        """Others are to be asked before it for so long."""

    def left(self, now: float) -> float:
        """Seconds for which it is not to be asked; 0: it may be."""

    def is_second_choice(self, now: float) -> bool:
        """Whether others are to be asked before it."""


class RetryAfter(msgspec.Struct):
    """Honours `Retry-After`, up to a minute; without one, others go first for a second."""

    until: float = 0.0
    others_until: float = 0.0

    def full(self, now: float, advice: float | None) -> None:
        if advice is not None:
            self.until = max(self.until, now + min(advice, LONGEST))
        self.put_last(now, max(UNASKED, self.left(now)))

    def put_last(self, now: float, seconds: float) -> None:
        self.others_until = max(self.others_until, now + seconds)

    def left(self, now: float) -> float:
        return max(0.0, self.until - now)

    def is_second_choice(self, now: float) -> bool:
        return now < self.others_until
