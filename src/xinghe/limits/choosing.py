"""Which store keeps the limits."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from xinghe.limits.limiter import Limiter
from xinghe.limits.places import Places
from xinghe.limits.shared.limiter import SharedLimiter
from xinghe.limits.shared.places import SharedPlaces
from xinghe.limits.shared.server import Server
from xinghe.limits.store import AtWork, Rates
from xinghe.settings import Valkey


class Stores(msgspec.Struct):
    """What keeps rates and places; both are of `valkey`, where one is set."""

    rates: Rates
    places: AtWork
    valkey: Server | None = None

    async def start(self) -> None:
        if self.valkey is not None:
            await self.valkey.start()

    async def stop(self) -> None:
        if self.valkey is not None:
            await self.valkey.stop()


def stores(settings: Valkey, gateways: Callable[[], int], *, queue: int, wait: float) -> Stores:
    """`gateways` says how many live; `queue` and `wait` are those of `Places`."""
    if not settings.url:
        return Stores(Limiter(), Places(queue, wait))
    valkey = Server(settings, gateways)
    return Stores(SharedLimiter(valkey), SharedPlaces(queue, wait, valkey), valkey)
