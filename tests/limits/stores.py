"""Every store, on a clock that only the test moves: a store that is added runs all the tests."""

from __future__ import annotations

from collections.abc import Callable

from xinghe.limits import Limiter, LocalStore, Store

SECOND = 1_000_000_000


class Clock:
    """Nanoseconds; a monotonic clock may begin anywhere."""

    def __init__(self) -> None:
        self.now = 12_345_678_901_234_567

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        """To the millisecond, as `retry_after` is."""
        self.now += round(seconds * 1000) * 1_000_000


STORES: dict[str, Callable[[Clock], Store]] = {"local": LocalStore}


def limited(store: str) -> tuple[Limiter, Clock]:
    clock = Clock()
    return Limiter(STORES[store](clock)), clock
