"""The two stores behind one face, on a clock that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from tests.kit.valkey import ValkeyServer
from tests.limits.clock import Clock
from xinghe.limits import Ask, Limiter, Taken
from xinghe.limits.shared.limiter import SharedLimiter
from xinghe.limits.shared.server import SCRIPT, Server
from xinghe.settings import Valkey

_TIME = """local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])"""
_LIFE = "'PX', text(full)"
assert _TIME in SCRIPT
assert _LIFE in SCRIPT
ON_TEST_CLOCK = SCRIPT.replace(_TIME, "local now = tonumber(redis.call('GET', 'clock'))").replace(
    _LIFE, "'PX', '3600000'"
)
"""The same script, but for where its time comes from: keys do not end by the machine's clock."""


class OnValkey:
    """`SharedLimiter` with the methods of `Limiter`, which wait until all is done."""

    def __init__(self, valkey: ValkeyServer, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        self._control = valkey.client()
        self._control.flushall()
        self._tell()
        self._server = Server(Valkey(url=valkey.url), lambda: 1, script=ON_TEST_CLOCK)
        self._loop.run_until_complete(self._server.start())
        assert not self._server.away
        self._limiter = SharedLimiter(self._server)

    def admit(self, asks: Sequence[Ask], tokens: int = 0) -> Settling:
        self._tell()
        taken = self._loop.run_until_complete(self._limiter.take(asks, tokens))
        return Settling(taken.headers, self, taken)

    async def left(self, ask: Ask) -> int:
        self._tell()
        return await asyncio.to_thread(
            lambda: self._loop.run_until_complete(self._limiter.left(ask))
        )

    def settle(self, taken: Taken, used: int) -> None:
        self._tell()
        self._loop.run_until_complete(self._settled(taken, used))

    async def _settled(self, taken: Taken, used: int) -> None:
        taken.settle(used)
        if self._server._sending is not None:
            await self._server._sending
        assert not self._server.away, self._server.away

    def _tell(self) -> None:
        assert self._clock.now % 1000 == 0, "the server knows microseconds"
        self._control.set("clock", self._clock.now // 1000)

    def close(self) -> None:
        self._loop.run_until_complete(self._server.stop())
        self._loop.close()
        self._control.connection_pool.disconnect()


class Settling(msgspec.Struct):
    """As `Admission`."""

    headers: list[tuple[str, str]]
    _store: OnValkey
    _taken: Taken

    def settle(self, used: int) -> None:
        self._store.settle(self._taken, used)


Store = Limiter | OnValkey
