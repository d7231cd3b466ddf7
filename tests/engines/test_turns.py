"""Turns to be read: one at a time, given up by whoever leaves, held back from who is ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from xinghe.engines.llamacpp.shares import PATIENCE, Shares
from xinghe.engines.llamacpp.turns import AN_ANSWER, LEAST, MOST, Turns
from xinghe.engines.protocol import EngineBusy

LONG = 20 * MOST


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_is_read_at_a_time_and_the_short_one_comes_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.turns.WHILE_OTHERS_WRITE", 600.0)
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


async def test_a_long_prompt_goes_on_however_slowly_another_account_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.turns.WHILE_OTHERS_WRITE", 0.05)
    turns = Turns(Shares())
    with turns.work("1") as long, turns.work("2") as writes:
        await turns.take(long, LONG)
        turns.end(long)
        await turns.take(writes, 1)
        turns.wrote(writes, 1)
        for _ in range(5):
            async with asyncio.timeout(30):
                assert await turns.take(long, LONG) == LEAST
            turns.end(long)


async def test_who_waits_for_its_first_turn_does_so_no_longer_than_the_operator_allows() -> None:
    turns = Turns(Shares())
    with turns.work("1") as reads, turns.work("2", 0.05) as late:
        await turns.take(reads, LONG)
        with pytest.raises(EngineBusy):
            await turns.take(late, LONG)
    turns = Turns(Shares())
    with turns.work("2", 0.05) as begun, turns.work("1") as reads:
        await turns.take(begun, LONG)
        turns.end(begun)
        await turns.take(reads, LONG)
        going_on = asyncio.create_task(turns.take(begun, LONG))
        await asyncio.wait({going_on}, timeout=0.2)
        assert not going_on.done(), "what has begun is not thrown away"
        turns.end(reads)
        assert await going_on == LEAST


async def test_a_prompt_that_has_waited_for_long_does_not_wait_as_long_for_each_piece() -> None:
    now = 1000.0
    shares = Shares(lambda: now)
    turns = Turns(shares)
    with turns.work("1") as long, turns.work("1") as short:
        assert await turns.take(long, LONG) == LEAST
        long.since = now - PATIENCE  # it came then
        turns.end(long)
        with turns.work("2") as other:
            await turns.take(other, 1)
            ready = [
                asyncio.create_task(turns.take(one, left))
                for one, left in ((long, LONG), (short, 10))
            ]
            await settled()
            turns.wrote(other, 3 * LEAST)
            await asyncio.wait(ready, return_when=asyncio.FIRST_COMPLETED)
        assert [one.done() for one in ready] == [True, False]
        turns.end(long)
        assert await ready[1] == 10


async def test_however_often_turns_are_looked_at_one_timer_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.turns.WHILE_OTHERS_WRITE", 600.0)
    loop, timers = asyncio.get_running_loop(), list[asyncio.TimerHandle]()
    call_later = loop.call_later

    def noted(seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        timers.append(call_later(seconds, callback))
        return timers[-1]

    turns = Turns(Shares())
    with turns.work("1") as long, turns.work("2") as writes:
        await turns.take(long, LONG)
        turns.end(long)
        await turns.take(writes, 1)
        turns.wrote(writes, 1)
        monkeypatch.setattr(loop, "call_later", noted)
        waiting = asyncio.create_task(turns.take(long, LONG))
        await settled()
        for _ in range(10):
            turns.wrote(writes, 1)
        assert not waiting.done()
        assert sum(not timer.cancelled() for timer in timers) == 1
        waiting.cancel()
    assert all(timer.cancelled() for timer in timers)


async def test_many_long_prompts_of_an_account_go_on_no_faster_than_one() -> None:
    turns = Turns(Shares())
    with ExitStack() as held:
        many = [held.enter_context(turns.work("1")) for _ in range(4)]
        writes = held.enter_context(turns.work("2"))
        await turns.take(many[0], LONG)
        turns.end(many[0])
        await turns.take(writes, 1)
        turns.wrote(writes, 1)
        reading = [asyncio.create_task(turns.take(one, LONG)) for one in many]
        await settled()
        for one in many:
            one.asked -= 60.0  # they have waited for long
        many[0].had -= 60.0
        turns.wrote(writes, 1)
        await settled()
        assert [one.done() for one in reading] == [True, False, False, False]
        turns.end(many[0])
        await settled()
        assert not any(one.done() for one in reading[1:]), "another account writes"
        for task in reading:
            task.cancel()
