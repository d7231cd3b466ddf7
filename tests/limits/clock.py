"""A clock that only the test moves."""

from __future__ import annotations


class Clock:
    """Nanoseconds; a monotonic clock may begin anywhere."""

    def __init__(self) -> None:
        self.now = 12_345_678_901_234_000

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        """To the millisecond, as `retry_after` is."""
        self.now += round(seconds * 1000) * 1_000_000
