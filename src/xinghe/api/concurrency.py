"""Concurrent requests: places for those who may work, under budgets as they are now."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from msgspec.structs import replace

from xinghe.accounts import Principals
from xinghe.api.exchange import Exchange
from xinghe.dispatch import Live, Serving
from xinghe.limits import HIGHEST, AtWork, Place
from xinghe.regular import Regular
from xinghe.storage import StorageError

T = TypeVar("T")

LOOK_SECONDS = 2.0
"""Seconds between two queries, each for all budgets before which somebody waits."""


class Concurrency:
    """Has requests wait for their places; what their budgets become meanwhile holds for them."""

    def __init__(self, principals: Principals, live: Live, places: AtWork) -> None:
        self._principals = principals
        self.places = places
        live.followers.append(self._follow)
        self.looking = Regular(self._look, LOOK_SECONDS, "budgets_not_looked_up", StorageError)

    async def run(
        self, exchange: Exchange, asks: Sequence[Place], work: Callable[[], Awaitable[T]]
    ) -> T:
        """What `work` returns, done in all of its places. Raises `RateLimited`, and as it does."""
        began = time.perf_counter()
        async with self.places.hold(asks, exchange.principal.member_id):
            exchange.waited = time.perf_counter() - began
            return await work()

    def _follow(self, _: Serving, now: Serving) -> None:
        self.places.resize(now.catalog.limits.queue, now.catalog.limits.wait)

    async def _look(self) -> None:
        crowded = self.places.crowded()
        if crowded:
            amounts = await self._principals.amounts([place.key[1] for place in crowded])
            for place in crowded:
                # One that has ended limits nobody who waits before it.
                self.places.change(replace(place, limit=amounts.get(place.key[1], HIGHEST)))
