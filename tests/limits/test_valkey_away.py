"""Whatever becomes of the Valkey server: nobody waits long, each gateway has its share, and it ends
by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.valkey import ValkeyServer
from tests.limits.asking import asks
from xinghe.limits import Place, RateLimited
from xinghe.limits.shared.limiter import SharedLimiter
from xinghe.limits.shared.places import SharedPlaces
from xinghe.limits.shared.server import Server
from xinghe.settings import Valkey

GATEWAYS = 2
RPM = asks(rpm=10)


class Gateway:
    def __init__(self, url: str) -> None:
        self.server = Server(Valkey(url=url), lambda: GATEWAYS)
        self.limiter = SharedLimiter(self.server)
        self.places = SharedPlaces(5, 0.2, self.server)

    async def granted(self, most: int) -> int:
        """How many of so many requests are let in; none waits for long, but for one."""
        count, waits = 0, list[float]()
        for _ in range(most):
            began = time.monotonic()
            try:
                await self.limiter.take(RPM)
                count += 1
            except RateLimited:
                pass
            waits.append(time.monotonic() - began)
        waits.sort()
        assert waits[-1] < 0.5
        assert waits[-2] < 0.1
        return count

    async def back(self) -> None:
        until = time.monotonic() + 8
        while self.server.away:
            assert time.monotonic() < until, self.server.away
            await asyncio.sleep(0.05)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path)
    server.start()
    yield server
    server.thaw_if_frozen()
    server.stop()


@pytest_asyncio.fixture
async def gateway(own: ValkeyServer) -> AsyncIterator[Gateway]:
    made = Gateway(own.url)
    await made.server.start()
    assert not made.server.away
    yield made
    await made.server.stop()


Change = Callable[[ValkeyServer], object]
TROUBLES: dict[str, tuple[Change, Change]] = {
    "killed": (ValkeyServer.stop, ValkeyServer.start),
    "hung": (ValkeyServer.freeze, ValkeyServer.thaw),
    "a replica": (
        lambda own: own.client().replicaof("127.0.0.1", "1"),
        lambda own: own.client().replicaof("NO", "ONE"),
    ),
    "without memory": (
        lambda own: own.client().config_set("maxmemory", "1"),
        lambda own: own.client().config_set("maxmemory", "0"),
    ),
    "with another password": (
        lambda own: own.change_password("other"),
        lambda own: own.change_password(""),
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_away_and_back(own: ValkeyServer, gateway: Gateway, trouble: str) -> None:
    begin, end = TROUBLES[trouble]
    assert await gateway.granted(3) == 3
    await asyncio.to_thread(begin, own)
    assert await gateway.granted(15) == 10 // GATEWAYS
    assert gateway.server.away
    place = Place(("budget", 1, ""), "the member", 2)
    async with gateway.places.hold([place], 1):
        with pytest.raises(RateLimited) as refused:
            async with gateway.places.hold([place], 1):
                raise AssertionError("the share is one place")
        assert refused.value.kind == "concurrent"
        await asyncio.to_thread(end, own)
        await gateway.back()
        await asyncio.sleep(0.1)
        assert await gateway.places.left(place) == 1, "who began meanwhile counts"
    left = await gateway.granted(15)
    assert 6 <= left <= 10, "what was left, but for what came late, or all of an empty server"


async def test_a_script_that_was_flushed_is_sent_again(own: ValkeyServer, gateway: Gateway) -> None:
    own.client().script_flush()
    assert await gateway.granted(12) == 10
    assert not gateway.server.away


async def test_a_service_starts_without_the_server(own: ValkeyServer) -> None:
    own.stop()
    gateway = Gateway(own.url)
    began = time.monotonic()
    await gateway.server.start()
    assert time.monotonic() - began < 1
    assert await gateway.granted(8) == 5
    await asyncio.to_thread(own.start)
    await gateway.back()
    await gateway.server.stop()


async def test_a_debt_made_while_it_is_away_is_told_later(
    own: ValkeyServer, gateway: Gateway
) -> None:
    tokens = asks(tpm=100)
    taken = await gateway.limiter.take(tokens, 10)
    own.freeze()
    taken.settle(90)
    await asyncio.sleep(0.5)
    assert gateway.server.away
    own.thaw()
    await gateway.back()
    await asyncio.sleep(0.2)
    left = await gateway.limiter.left(tokens[0])
    assert left <= 20, "the debt counts; once more, where the first word of it came late"
