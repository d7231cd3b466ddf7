"""However many pages are opened at once, the others come in turn, and programs are answered."""

from __future__ import annotations

import asyncio
import select

import pytest
from tests.kit.api import Api
from tests.kit.raw import Connection
from tests.kit.server import Server

from xinghe.console.places import AT_ONCE, OF_ONE, Places
from xinghe.workers import QueueFull

MANY = 200
DEAR = "/docs?q=" + "+".join("abcdefghijklmnopqrstuvwxyz")


def test_programs_are_answered_before_many_pages_that_came_first(service: Server, api: Api) -> None:
    assert api.get("/account").status == 200
    connections = [Connection(service.url) for _ in range(MANY)]
    try:
        for each in connections:
            each.request("GET", DEAR)
        assert api.get("/account").status == 200
        sockets = [each.socket for each in connections]
        answered, _, _ = select.select(sockets, [], [], 0)
        assert len(answered) < MANY * 3 / 4
        assert {each.reply().status for each in connections} == {200}
    finally:
        for each in connections:
            each.socket.close()


async def test_one_who_opens_very_many_is_told_so_and_others_have_their_turn() -> None:
    places, done, gate = Places(), list[str](), asyncio.Event()

    async def page(whose: str) -> None:
        async with places.of(whose):
            await gate.wait()
            done.append(whose)

    first = [asyncio.create_task(page("one")) for _ in range(AT_ONCE + OF_ONE)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await page("one")
    second = asyncio.create_task(page("another"))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*first, second)
    assert done.index("another") <= AT_ONCE + 1
    assert len(done) == AT_ONCE + OF_ONE + 1


async def test_one_who_leaves_gives_his_place_on() -> None:
    places = Places()

    async def page() -> None:
        async with places.of("one"):
            await asyncio.sleep(60)

    tasks = [asyncio.create_task(page()) for _ in range(AT_ONCE + 2)]
    await asyncio.sleep(0.01)
    for each in tasks:
        each.cancel()
    await asyncio.wait(tasks)
    async with asyncio.timeout(1), places.of("another"):
        pass
