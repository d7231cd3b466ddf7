"""Turns to be read: one at a time, given up by whoever leaves, held back from who is ahead."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from xinghe.engines.llamacpp.shares import Shares
from xinghe.engines.llamacpp.turns import AN_ANSWER, LEAST, MOST, Turns

LONG = 20 * MOST


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_is_read_at_a_time_and_the_short_one_comes_between() -> None:
    turns = Turns(Shares())
    with turns.work("1") as long, turns.work("2") as short:
        assert await turns.take(long, LONG) == LEAST
        waiting = asyncio.create_task(turns.take(short, LEAST))
        await settled()
        assert not waiting.done()
        turns.end(long)
        again = asyncio.create_task(turns.take(long, LONG - LEAST))
        assert await waiting == LEAST
        assert not again.done()
        turns.wrote(short, 1)
        assert await again == LEAST, "the answer that is expected is counted already"
        turns.end(long)
        third = asyncio.create_task(turns.take(long, LONG - 2 * LEAST))
        turns.wrote(short, int(AN_ANSWER))
        await settled()
        assert not third.done(), "more of the long one was read than of the short one written"
        turns.wrote(short, LEAST)
        assert await third == LEAST


async def test_a_turn_is_as_long_as_the_engine_is_quick() -> None:
    turns = Turns(Shares())
    with turns.work("1") as work:
        for _ in range(50):
            size = await turns.take(work, LONG)
            turns.took(size, size * 0.0001)
            turns.end(work)
        assert size == MOST
        for _ in range(50):
            size = await turns.take(work, LONG)
            turns.took(size, size * 0.1)
            turns.end(work)
        assert size == LEAST
        turns.end(work)
        assert await turns.take(work, LONG + 3) == LEAST + 3, "what is left over comes first"
        turns.end(work)
        assert await turns.take(work, LEAST + 1) == LEAST + 1, "the rest is no turn of its own"


@pytest.mark.parametrize("has_turn", [True, False])
async def test_who_leaves_leaves_its_turn(has_turn: bool) -> None:
    turns = Turns(Shares())

    async def read(account: str) -> None:
        with turns.work(account) as work:
            await turns.take(work, LONG)
            await asyncio.sleep(60)

    with ExitStack() as held:
        if not has_turn:
            await turns.take(held.enter_context(turns.work("9")), LONG)
        leaving = asyncio.create_task(read("1"))
        await settled()
        leaving.cancel()
        await asyncio.wait({leaving})
    with turns.work("2") as work:
        assert await turns.take(work, LONG) == LEAST


async def test_a_turn_that_comes_as_its_request_leaves_is_not_lost() -> None:
    turns = Turns(Shares())

    async def read(account: str) -> int:
        with turns.work(account) as work:
            return await turns.take(work, LONG)

    with turns.work("1") as first:
        await turns.take(first, LONG)
        second, third = (asyncio.create_task(read(account)) for account in ("2", "3"))
        await settled()
        turns.end(first)
        second.cancel()
        assert await third == LEAST
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_a_long_prompt_gives_who_was_answered_the_time_to_ask_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.turns.ON_ITS_WAY", 1.0)
    turns = Turns(Shares())
    with turns.work("1") as long:
        await turns.take(long, LONG)
        with turns.work("2") as short:
            turns.end(long)
            await turns.take(short, 10)
            turns.wrote(short, 1)
        reading = asyncio.create_task(turns.take(long, LONG))
        await settled()
        assert not reading.done()
        with turns.work("2") as short:
            assert await turns.take(short, 10) == 10
        assert await reading == LEAST, "it goes on though nobody comes"
