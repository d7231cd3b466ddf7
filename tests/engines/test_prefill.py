"""Prompts read in turns: a piece at a time, given up by who leaves, held back from who is ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from xinghe.engines.llamacpp.prefill import AN_ANSWER, LEAST, LITTLE, MOST, PrefillScheduler
from xinghe.engines.llamacpp.shares import AGED, Shares
from xinghe.engines.protocol import EngineBusy

LONG = 20 * MOST


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_is_read_at_a_time_and_the_short_one_comes_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.WHILE_OTHERS_WRITE", 600.0)
    prefill = PrefillScheduler(Shares())
    with prefill.work("1") as long, prefill.work("2") as short:
        assert await prefill.take(long, LONG) == LEAST
        waiting = asyncio.create_task(prefill.take(short, LEAST))
        await settled()
        assert not waiting.done()
        prefill.end(long)
        again = asyncio.create_task(prefill.take(long, LONG - LEAST))
        assert await waiting == LEAST
        assert not again.done()
        prefill.wrote(short, 1)
        assert await again == LEAST, "the answer that is expected is counted already"
        prefill.end(long)
        third = asyncio.create_task(prefill.take(long, LONG - 2 * LEAST))
        prefill.wrote(short, int(AN_ANSWER))
        await settled()
        assert not third.done(), "more of the long one was read than of the short one written"
        prefill.wrote(short, LEAST)
        assert await third == LEAST


async def test_a_turn_is_as_long_as_the_engine_is_quick() -> None:
    prefill = PrefillScheduler(Shares())
    with prefill.work("1") as work:
        for _ in range(50):
            size = await prefill.take(work, LONG)
            prefill.took(size, size * 0.0001)
            prefill.end(work)
        assert size == MOST
        for _ in range(50):
            size = await prefill.take(work, LONG)
            prefill.took(size, size * 0.1)
            prefill.end(work)
        assert size == LEAST
        prefill.end(work)
        assert await prefill.take(work, LONG + 3) == LEAST + 3, "what is left over comes first"
        prefill.end(work)
        assert await prefill.take(work, LEAST + 1) == LEAST + 1, "the rest is no turn of its own"
        prefill.end(work)
        with prefill.work("2"):
            assert await prefill.take(work, LONG + 3) == LITTLE + 3, "others would wait too long"
            prefill.end(work)
            for _ in range(7):
                prefill.took(LITTLE, 0.0)
            assert await prefill.take(work, LONG) == LEAST


@pytest.mark.parametrize("has_turn", [True, False])
async def test_who_leaves_leaves_its_turn(has_turn: bool) -> None:
    prefill = PrefillScheduler(Shares())

    async def read(account: str) -> None:
        with prefill.work(account) as work:
            await prefill.take(work, LONG)
            await asyncio.sleep(60)

    with ExitStack() as held:
        if not has_turn:
            await prefill.take(held.enter_context(prefill.work("9")), LONG)
        leaving = asyncio.create_task(read("1"))
        await settled()
        leaving.cancel()
        await asyncio.wait({leaving})
    with prefill.work("2") as work:
        assert await prefill.take(work, LONG) == LEAST


async def test_a_turn_that_comes_as_its_request_leaves_is_not_lost() -> None:
    prefill = PrefillScheduler(Shares())

    async def read(account: str) -> int:
        with prefill.work(account) as work:
            return await prefill.take(work, LONG)

    with prefill.work("1") as first:
        await prefill.take(first, LONG)
        second, third = (asyncio.create_task(read(account)) for account in ("2", "3"))
        await settled()
        prefill.end(first)
        second.cancel()
        assert await third == LEAST
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_a_long_prompt_gives_who_was_answered_the_time_to_ask_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.ON_ITS_WAY", 1.0)
    prefill = PrefillScheduler(Shares())
    with prefill.work("1") as long:
        await prefill.take(long, LONG)
        with prefill.work("2") as short:
            prefill.end(long)
            await prefill.take(short, 10)
            prefill.wrote(short, 1)
        reading = asyncio.create_task(prefill.take(long, LONG))
        await settled()
        assert not reading.done()
        with prefill.work("2") as short:
            assert await prefill.take(short, 10) == 10
        assert await reading == LEAST, "it goes on though nobody comes"


async def test_the_longer_a_piece_takes_the_longer_it_leaves_for_the_next_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.ON_ITS_WAY", 0.0)
    prefill = PrefillScheduler(Shares())
    with prefill.work("1") as long:
        await prefill.take(long, LONG)
        prefill.took(LEAST, 1e6)
        with prefill.work("2") as short:
            prefill.end(long)
            await prefill.take(short, 10)
            prefill.wrote(short, 1)
        reading = asyncio.create_task(prefill.take(long, LONG))
        await settled()
        assert not reading.done()
        reading.cancel()


async def test_smaller_pieces_come_as_much_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.WHILE_OTHERS_WRITE", 600.0)
    prefill = PrefillScheduler(shares := Shares())
    prefill.took(LEAST, LEAST * 0.1)
    with prefill.work("1") as long, prefill.work("2") as writes:
        await prefill.take(writes, 1)
        prefill.wrote(writes, 1)
        shares.count("1", LONG)
        waiting = asyncio.create_task(prefill.take(long, LONG))
        for waits in (0.9, 0.2):  # in all, more than its part of the seconds
            await settled()
            assert not waiting.done()
            long.asked -= waits * 600.0 * LITTLE / LEAST
            long.had -= waits * 600.0 * LITTLE / LEAST
            prefill.wrote(writes, 1)
        assert await waiting == LITTLE


async def test_a_long_prompt_goes_on_however_slowly_another_account_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.WHILE_OTHERS_WRITE", 0.05)
    prefill = PrefillScheduler(Shares())
    with prefill.work("1") as long, prefill.work("2") as writes:
        await prefill.take(long, LONG)
        prefill.end(long)
        await prefill.take(writes, 1)
        prefill.wrote(writes, 1)
        for _ in range(5):
            async with asyncio.timeout(30):
                assert await prefill.take(long, LONG) == LEAST
            prefill.end(long)


async def test_who_waits_for_its_first_turn_does_so_no_longer_than_the_operator_allows() -> None:
    prefill = PrefillScheduler(Shares())
    with prefill.work("1") as reads, prefill.work("2", 0.05) as late:
        await prefill.take(reads, LONG)
        with pytest.raises(EngineBusy):
            await prefill.take(late, LONG)
    prefill = PrefillScheduler(Shares())
    with prefill.work("2", 0.05) as begun, prefill.work("1") as reads:
        await prefill.take(begun, LONG)
        prefill.end(begun)
        await prefill.take(reads, LONG)
        going_on = asyncio.create_task(prefill.take(begun, LONG))
        await asyncio.wait({going_on}, timeout=0.2)
        assert not going_on.done(), "what has begun is not thrown away"
        prefill.end(reads)
        assert await going_on == LEAST


async def test_a_prompt_that_has_waited_for_long_does_not_wait_as_long_for_each_piece() -> None:
    now = 1000.0
    shares = Shares(lambda: now)
    prefill = PrefillScheduler(shares)
    with prefill.work("1") as long, prefill.work("1") as short:
        assert await prefill.take(long, LONG) == LEAST
        long.since = now - AGED  # it came then
        prefill.end(long)
        with prefill.work("2") as other:
            await prefill.take(other, 1)
            ready = [
                asyncio.create_task(prefill.take(one, left))
                for one, left in ((long, LONG), (short, 10))
            ]
            await settled()
            prefill.wrote(other, 3 * LEAST)
            await asyncio.wait(ready, return_when=asyncio.FIRST_COMPLETED)
        assert [one.done() for one in ready] == [True, False]
        prefill.end(long)
        assert await ready[1] == 10


async def test_however_often_turns_are_looked_at_one_timer_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.WHILE_OTHERS_WRITE", 600.0)
    loop, timers = asyncio.get_running_loop(), list[asyncio.TimerHandle]()
    call_later = loop.call_later

    def noted(seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        timers.append(call_later(seconds, callback))
        return timers[-1]

    prefill = PrefillScheduler(Shares())
    with prefill.work("1") as long, prefill.work("2") as writes:
        await prefill.take(long, LONG)
        prefill.end(long)
        await prefill.take(writes, 1)
        prefill.wrote(writes, 1)
        monkeypatch.setattr(loop, "call_later", noted)
        waiting = asyncio.create_task(prefill.take(long, LONG))
        await settled()
        for _ in range(10):
            prefill.wrote(writes, 1)
        assert not waiting.done()
        assert sum(not timer.cancelled() for timer in timers) == 1
        waiting.cancel()
    assert all(timer.cancelled() for timer in timers)


async def test_many_long_prompts_of_an_account_go_on_no_faster_than_one() -> None:
    prefill = PrefillScheduler(Shares())
    with ExitStack() as held:
        many = [held.enter_context(prefill.work("1")) for _ in range(4)]
        writes = held.enter_context(prefill.work("2"))
        await prefill.take(many[0], LONG)
        prefill.end(many[0])
        await prefill.take(writes, 1)
        prefill.wrote(writes, 1)
        reading = [asyncio.create_task(prefill.take(one, LONG)) for one in many]
        await settled()
        for one in many:
            one.asked -= 60.0  # they have waited for long
        many[0].had -= 60.0
        prefill.wrote(writes, 1)
        await settled()
        assert [one.done() for one in reading] == [True, False, False, False]
        prefill.end(many[0])
        await settled()
        assert not any(one.done() for one in reading[1:]), "another account writes"
        for task in reading:
            task.cancel()


async def test_who_asks_one_thing_at_a_time_is_answered_soon_whoever_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.WHILE_OTHERS_WRITE", 0.0)
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.ANSWER_WAITS", 600.0)
    prefill = PrefillScheduler(Shares())
    with prefill.work("1") as writes:
        await prefill.take(writes, 1)
        prefill.wrote(writes, 1)
        for _ in range(3):
            with prefill.work("2") as work:
                async with asyncio.timeout(30):
                    assert await prefill.take(work, LEAST) == LEAST
                prefill.wrote(work, 1)


async def test_an_answer_waits_for_other_answers_and_not_for_pieces_of_a_long_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.WHILE_OTHERS_WRITE", 0.0)
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.ANSWER_WAITS", 600.0)
    prefill = PrefillScheduler(Shares())
    with ExitStack() as held:
        writes = held.enter_context(prefill.work("1"))
        long, short = (held.enter_context(prefill.work("2")) for _ in range(2))
        await prefill.take(long, LONG)
        prefill.end(long)
        await prefill.take(writes, 1)
        prefill.wrote(writes, 1)
        waiting = asyncio.create_task(prefill.take(short, 10))
        await settled()
        assert not waiting.done()
        async with asyncio.timeout(30):
            assert await prefill.take(long, LONG) == LEAST
        short.asked -= 600.0  # it has waited for long
        prefill.end(long)
        await settled()
        assert waiting.done()
        assert waiting.result() == 10


@pytest.mark.parametrize("answered", [False, True])
async def test_an_account_with_many_conversations_begins_no_more_answers_than_one_with_one(
    monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    monkeypatch.setattr("xinghe.engines.llamacpp.prefill.ON_ITS_WAY", 600.0)
    prefill = PrefillScheduler(Shares())
    with ExitStack() as held:
        many = [held.enter_context(prefill.work("many")) for _ in range(3)]
        with prefill.work("one") as one:
            assert await prefill.take(one, 10) == 10
            prefill.wrote(one, 1)
            assert await prefill.take(many[0], 11) == 11, "nobody has had more"
            prefill.wrote(many[0], 1)
            reading = asyncio.create_task(prefill.take(many[1], 11))
            await settled()
            assert not reading.done()
            if not answered:
                prefill.wrote(one, int(AN_ANSWER))
                assert await reading == 11, "they are even"
                prefill.wrote(many[1], 1)
                reading = asyncio.create_task(prefill.take(many[2], 11))
        await settled()
        assert not reading.done(), "the next question of who has had less may be on its way"
        with prefill.work("one") as one:
            assert await prefill.take(one, 100) == 100
            prefill.wrote(one, 1)
            assert await reading == 11


async def test_short_prompts_that_are_a_piece_together_are_read_together() -> None:
    prefill = PrefillScheduler(Shares())
    with ExitStack() as held:
        works = [held.enter_context(prefill.work(account)) for account in "1234"]
        first = asyncio.create_task(prefill.take(works[0], LEAST))
        await settled()
        others = [asyncio.create_task(prefill.take(one, LEAST // 2)) for one in works[1:]]
        await settled()
        assert first.done()
        assert not any(one.done() for one in others)
        prefill.wrote(works[0], 1)
        await settled()
        assert [one.done() for one in others] == [True, True, False]
        prefill.wrote(works[1], 1)
        assert await others[2] == LEAST // 2


async def test_those_of_one_account_are_not_where_another_has_had_less() -> None:
    prefill = PrefillScheduler(Shares())
    with ExitStack() as held:
        works = [held.enter_context(prefill.work(account)) for account in "1222"]
        reading = [asyncio.create_task(prefill.take(each, 10)) for each in works]
        await settled()
        assert [task.done() for task in reading] == [True, True, True, False]
        reading[3].cancel()


async def test_it_tells_how_long_a_prompt_will_take() -> None:
    """By the speed of its turns, and by what others have to read; of nothing before any turn."""
    prefill = PrefillScheduler(Shares())
    with prefill.work("1") as long, prefill.work("2") as other:
        size = await prefill.take(long, LONG)
        assert prefill.expected(long) == 0
        for _ in range(50):
            prefill.took(size, size * 0.01)
        assert prefill.expected(long) == pytest.approx(LONG * 0.01)
        prefill.end(long)
        waiting = asyncio.create_task(prefill.take(other, 1000))
        again = asyncio.create_task(prefill.take(long, LONG - size))
        await settled()
        assert prefill.expected(long) == pytest.approx((LONG - size + 1000) * 0.01)
        assert prefill.expected(other) == pytest.approx(2000 * 0.01)
        prefill.wrote(other, 1)
        assert prefill.expected(other) == 0
        waiting.cancel()
        again.cancel()
