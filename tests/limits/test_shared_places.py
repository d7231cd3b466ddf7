"""Concurrent requests of several gateways, on a real Valkey server and its own clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.valkey import ValkeyServer
from xinghe.limits import Place, RateLimited
from xinghe.limits.shared import places as shared
from xinghe.limits.shared.places import SharedPlaces
from xinghe.limits.shared.server import Server
from xinghe.settings import Valkey

Gateway = tuple[Server, SharedPlaces]
Join = Callable[..., Awaitable[Gateway]]


def place(limit: int, number: int = 1) -> Place:
    return Place(("budget", number, ""), "the group 一班", limit)


@pytest_asyncio.fixture
async def join(valkey: ValkeyServer) -> AsyncIterator[Join]:
    """Makes one more gateway on the server, which is empty at first."""
    with valkey.client() as client:
        client.flushall()
    servers: list[Server] = []

    async def made(wait: float = 5.0, queue: int = 10) -> Gateway:
        server = Server(Valkey(url=valkey.url), lambda: len(servers))
        places = SharedPlaces(queue, wait, server)
        await server.start()
        servers.append(server)
        assert not server.away
        return server, places

    yield made
    for each in servers:
        await each.stop()


async def test_two_gateways_have_no_more_places_than_one(join: Join) -> None:
    (_, one), (_, other) = await join(wait=0.3), await join(wait=0.3)
    two = place(2)
    async with one.hold([two], 1), other.hold([two], 2):
        assert await one.left(two) == await other.left(two) == 0
        began = time.monotonic()
        with pytest.raises(RateLimited) as refused:
            async with other.hold([two], 3):
                raise AssertionError("a third")
        assert 0.25 < time.monotonic() - began < 1
        assert refused.value.kind == "concurrent"
        assert (refused.value.limit, refused.value.scope) == (2, "the group 一班")
        assert refused.value.retry_after > 0
        assert [each.key for each in other.crowded()] == []
    await asyncio.sleep(0.05)
    assert await one.left(two) == 2


async def test_who_waits_gets_the_place_that_another_gateway_leaves(join: Join) -> None:
    (_, one), (_, other) = await join(), await join()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(one.hold([place(1)], 1))
        entered = asyncio.Event()

        async def wait() -> None:
            async with other.hold([place(1)], 2):
                entered.set()

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.1)
        assert not entered.is_set()
        assert [each.key for each in other.crowded()] == [("budget", 1, "")]
        await stack.aclose()
        await asyncio.wait_for(waiting, 1)


async def test_all_places_or_none(join: Join) -> None:
    (_, one), (_, other) = await join(wait=0.2), await join(wait=0.2)
    narrow, wide = place(1), place(5, number=2)
    async with one.hold([narrow], 1):
        with pytest.raises(RateLimited):
            async with other.hold([wide, narrow], 2):
                raise AssertionError("it has no place")
        assert await one.left(wide) == 5


async def test_the_places_of_a_gateway_that_was_killed_lapse(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "_LEASE", 700_000)
    monkeypatch.setattr(shared, "BEAT_SECONDS", 0.2)
    (killed, of_killed), (_, other) = await join(), await join()
    async with of_killed.hold([place(1)], 1):
        await asyncio.sleep(1.2)
        assert await other.left(place(1)) == 0, "it is renewed for longer than a lease"
        for each in killed.regular:
            await each.stop()
        began = time.monotonic()
        async with other.hold([place(1)], 2):
            assert 0.3 < time.monotonic() - began < 1.2
    assert await other.left(place(1)) in (0, 1)


async def test_one_that_is_cancelled_leaves_no_place(join: Join) -> None:
    _, places = await join()

    async def work() -> None:
        async with places.hold([place(3)], 1):
            await asyncio.sleep(60)

    for delay in (0, 0.0001, 0.0003, 0.0005, 0.001, 0.003):
        tasks = [asyncio.create_task(work()) for _ in range(5)]
        await asyncio.sleep(delay)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await asyncio.sleep(0.1)
    assert await places.left(place(3)) == 3
    assert len(places) == 0


Step = tuple[int, int, float]


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 3), st.floats(0, 0.02)), max_size=25)
)
def test_any_crowd(valkey: ValkeyServer, steps: list[Step]) -> None:
    """Two gateways, three limits: never more at work than may be, and at the end nobody."""
    limits = {1: 1, 2: 2, 3: 3}
    working = dict.fromkeys(limits, 0)

    async def one(places: SharedPlaces, number: int, stay: float) -> None:
        wanted = [place(limits[each], each) for each in sorted({number, 3})]
        async with places.hold(wanted, number):
            for each in {number, 3}:
                working[each] += 1
                assert working[each] <= limits[each]
            await asyncio.sleep(stay)
            for each in {number, 3}:
                working[each] -= 1

    async def crowd() -> None:
        with valkey.client() as client:
            client.flushall()
        servers = [Server(Valkey(url=valkey.url), lambda: 2) for _ in range(2)]
        gateways = [SharedPlaces(100, 20.0, server) for server in servers]
        for server in servers:
            await server.start()
        await asyncio.gather(*(one(gateways[at], number, stay) for at, number, stay in steps))
        await asyncio.sleep(0.02)
        for number, limit in limits.items():
            assert await gateways[0].left(place(limit, number)) == limit
        for server in servers:
            await server.stop()

    asyncio.run(crowd())
